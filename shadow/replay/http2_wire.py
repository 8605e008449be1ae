"""Exact bytes to a target that speaks HTTP/2, on a connection of their own, and what came back."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import cast

from shadow.errors import TargetError, UnsafeError
from shadow.model import Ending, NoReply, Outcome, Reply, Silence, Timing, Wire
from shadow.replay._contract import Sending
from shadow.replay.dialling import Dialled, why_refused
from shadow.wire.grpc_status import is_call
from shadow.wire.http2_answer import AnswerReader

type Dial = Callable[[Callable[[], WireConnection]], Awaitable[WireConnection]]
"""Connects what is made to the target. Raises OSError, TargetError or UnsafeError."""

_LINGER_ZERO = struct.pack("ii", 1, 0)  # close sends RST at once and drops what is unsent


class WireConnection(Dialled):
    """Says what it is told and nothing besides: no settings are acknowledged, no ping is answered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reader: AnswerReader) -> None:
        self.reader = reader
        self.is_open = False
        self.alpn: str | None = None
        self.first_byte_at = 0.0
        self.loss: Exception | None = None
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._drained: asyncio.Future[None] | None = None
        self._settled: asyncio.Future[None] = loop.create_future()
        self._lost: asyncio.Future[None] = loop.create_future()

    async def say(self, wire: Wire) -> None:
        """Write the segments, each handed to the network before the next, and do what the ending says.

        Returns early where the peer has answered, or is gone.
        """
        transport = self._transport
        assert transport is not None
        transport.set_write_buffer_limits(high=0)
        for position, segment in enumerate(wire.segments):
            if position and wire.pause_seconds:
                await self._pause(wire.pause_seconds)
            if not self.is_open:
                return
            transport.write(segment)
            if self._drained is not None:
                await self._drained
        if self.is_open and wire.ending is Ending.HALF_CLOSE and transport.can_write_eof():
            transport.write_eof()
        elif self.is_open and wire.ending is Ending.RESET:
            with contextlib.suppress(OSError):  # lost already
                sock: socket.socket = transport.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.abort()

    async def answered(self) -> None:
        """Return when the answer is there, or can no longer come."""
        await asyncio.shield(self._settled)

    def abort(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Return when the socket is gone."""
        await asyncio.shield(self._lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's does not inherit from
        self.is_open = True
        tls = transport.get_extra_info("ssl_object")
        self.alpn = None if tls is None else tls.selected_alpn_protocol()

    def data_received(self, data: bytes) -> None:
        self.first_byte_at = self.first_byte_at or monotonic()
        self.reader.feed(data)
        if self.reader.is_settled:
            self._settle()

    def eof_received(self) -> None:
        self._settle()

    def pause_writing(self) -> None:
        if self._drained is None:
            self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.loss = exc
        self.resume_writing()
        if not self._lost.done():
            self._lost.set_result(None)
        self._settle()

    def outcome(self, timing: Timing, *, timed_out: bool) -> Outcome:
        """What came back."""
        reader = self.reader
        if reader.response is not None:
            return Reply(reader.response, timing)
        if reader.error:
            return NoReply(Silence.MALFORMED, reader.error, timing)
        if timed_out:
            return NoReply(Silence.TIMED_OUT, "no answer within the time limit", timing)
        cut = reader.cut()
        if cut is not None and is_call(cut):
            why = reader.last or "closed"  # a call without a status is no success, whatever came of it before
            return NoReply(Silence.CLOSED, f"{why}, before the end of the call", timing)
        if cut is not None:
            return Reply(cut, timing)
        if reader.last.startswith("RST_STREAM") or self.loss is not None:
            return NoReply(Silence.RESET, reader.last or str(self.loss), timing)
        detail = reader.last or "closed without an answer"
        return NoReply(Silence.CLOSED, detail, timing)

    def _settle(self) -> None:
        if not self._settled.done():
            self._settled.set_result(None)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._settled)


async def say_wire(sending: Sending, wire: Wire, dial: Dial, body_bytes_max: int) -> Outcome:
    """What came back to `wire` on a connection of its own, which is closed afterwards."""
    loop = asyncio.get_running_loop()
    started_at, connected_at = monotonic(), 0.0
    reader = AnswerReader(wire.stream, max_body_bytes=body_bytes_max)
    connection: WireConnection | None = None
    timed_out = False
    try:
        async with asyncio.timeout(sending.timeout_seconds):
            connection = await dial(lambda: WireConnection(loop, reader))
            connected_at = monotonic()
            await connection.say(wire)
            if wire.ending is Ending.RESET:
                return NoReply(Silence.RESET, "reset by us, as asked")
            await connection.answered()
    except TimeoutError:
        timed_out = True
    except UnsafeError as error:
        return NoReply(Silence.UNSENT, str(error))
    except (TargetError, OSError) as error:
        return NoReply(Silence.REFUSED, why_refused(error))
    finally:
        if connection is not None:
            connection.abort()
            await connection.closed()
    if connection is None:
        return NoReply(Silence.REFUSED, "no connection within the time limit")
    first = max(connection.first_byte_at, connected_at) - started_at if connection.first_byte_at else 0.0
    timing = Timing(connected_at - started_at, first, monotonic() - started_at)
    return connection.outcome(timing, timed_out=timed_out)
