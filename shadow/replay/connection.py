"""One HTTP/1 connection to a target: bytes out exactly as given, one answer at a time back in."""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from collections.abc import Sequence
from time import monotonic
from typing import cast

import msgspec

from shadow.model import Ending, Response, Wire
from shadow.replay.dialling import Dialled, dial_any
from shadow.replay.guard import Address
from shadow.wire.http1 import ResponseReader
from shadow.wire.http1_whole import whole_response

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))
"""RFC 9110 §9.2.2: only these may be sent again when a kept connection turns out dead."""
SURPLUS_BYTES_MAX = 65_536
_LINGER_ZERO = struct.pack("ii", 1, 0)  # close sends RST at once and drops what is unsent


class Answer(msgspec.Struct, frozen=True, gc=False):
    """How an answer is to be read."""

    method: bytes
    """Of the request: it tells how the answer is framed."""
    body_bytes_max: int
    """Of a longer body this much is kept."""
    bytes_max: int
    """It is cut after so many."""

    @property
    def may_be_plain(self) -> bool:
        """Whether the fields of the answer alone tell how it is framed."""
        return self.method not in (b"HEAD", b"CONNECT")


class Connection(Dialled):
    """One TCP or TLS connection, for one exchange at a time. Its user parks or aborts it afterwards."""

    __slots__ = (
        "_answer",
        "_drained",
        "_is_whole",
        "_lost",
        "_open",
        "_reader",
        "_room",
        "_sock",
        "_transport",
        "_waiter",
        "first_byte_at",
        "has_ended",
        "idle_since",
        "is_open",
        "loop",
        "loss",
        "response",
        "surplus",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, open_connections: set["Connection"]
    ) -> None:
        self.loop = loop
        self.is_open = False
        self.loss: Exception | None = None
        """What the connection was lost to; None while it is open and after a clean close."""
        self.response: Response | None = None
        self.surplus = b""
        self.first_byte_at = 0.0
        """Monotonic time of the answer's first byte; 0.0 before it."""
        self.has_ended = False
        """Whether our side was closed before any answer came."""
        self.idle_since = 0.0
        self._open = open_connections
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._answer: Answer | None = None
        """How the answer under way is read; None between two."""
        self._reader: ResponseReader | None = None
        """Made where the answer does not come in one plain piece."""
        self._is_whole: bool | None = None
        """Of an answer in one plain piece: whether the connection stays open; None of any other."""
        self._room = 0
        """How many more bytes of the answer are read before it is cut."""
        self._waiter: asyncio.Future[bool] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._lost: asyncio.Future[None] = loop.create_future()

    async def ask(self, payload: bytes, answer: Answer, seconds: float) -> bool:
        """Write `payload` and return when its answer is complete, malformed or can no longer come: True; or
        False, after `seconds`."""
        self.expect(answer)
        if self._is_settled():
            return True
        assert self._transport is not None
        self._transport.write(payload)
        waiter: asyncio.Future[bool] = self.loop.create_future()
        self._waiter = waiter
        # a timer is a fifth of what a time limit around the wait would cost
        timer = self.loop.call_later(seconds, self._settle, False)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def put(self, text: bytes) -> None:
        """Write `text`, unless the connection is gone."""
        if self.is_open and self._transport is not None:
            self._transport.write(text)

    def expect(self, answer: Answer) -> None:
        """From now on what comes in is the answer that `answer` tells how to read."""
        self._answer = answer
        self._reader = None
        self._is_whole = None
        self._room = answer.bytes_max
        self.response = None
        self.surplus = b""
        self.first_byte_at = 0.0

    @property
    def reader(self) -> ResponseReader:
        """What reads the answer that is expected, or was last."""
        if self._reader is None:
            answer = self._answer or Answer(b"GET", 0, 0)
            self._reader = ResponseReader(answer.method, max_body_bytes=answer.body_bytes_max)
        return self._reader

    @property
    def stays_open(self) -> bool:
        """Whether the connection may carry another exchange, as far as a complete answer says."""
        return self.reader.keeps_open if self._is_whole is None else self._is_whole

    async def answered(self) -> None:
        """Return when the answer that is expected is complete, malformed or can no longer come."""
        if self._is_settled():
            return
        self._waiter = self.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    async def answered_or_ended(self, patience_seconds: float) -> None:
        """As `answered`; where no byte of an answer comes in `patience_seconds` our side is closed first."""
        try:
            async with asyncio.timeout(patience_seconds):
                await self.answered()
        except TimeoutError:
            if not self.first_byte_at:
                self.has_ended = self._end()
            await self.answered()

    async def write(self, wire: Wire) -> None:
        """Write the segments, each handed to the network before the next, and do what the ending says.

        Returns early when the connection is lost.
        """
        transport = self._transport
        assert transport is not None
        transport.set_write_buffer_limits(high=0)
        for position, segment in enumerate(wire.segments):
            if position and wire.pause_seconds:
                await self._pause(wire.pause_seconds)
            if not self.is_open or transport.is_closing():
                return
            transport.write(segment)
            await self._flushed()
        if not self.is_open:
            return
        if wire.ending is Ending.HALF_CLOSE:
            transport.write_eof()
        elif wire.ending is Ending.RESET:
            self.reset()

    async def rest(self, seconds: float) -> None:
        """Collect what follows a complete answer as surplus, until the peer closes or `seconds` are over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._lost)

    async def rest_until_quiet(self, seconds: float, patience_seconds: float) -> None:
        """As `rest`, until nothing more came for `seconds`. Then our side is closed, so that the peer closes
        when it has answered all that it took; `patience_seconds` are waited for that, at the most."""
        ends_at = monotonic() + patience_seconds
        seen = -1
        while self.is_open and len(self.surplus) > seen and monotonic() < ends_at:
            seen = len(self.surplus)
            await self.rest(seconds)
        if self.is_open and self._end():
            await self.rest(max(ends_at - monotonic(), 0.0))

    def has_unread(self) -> bool:
        """Whether the peer closed, or sent what nobody asked for, and the loop has not yet told us."""
        try:
            self._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def park(self) -> None:
        """The exchange is over and the connection is kept; bytes that come now are nobody's and close it."""
        self._answer = self._reader = None
        self.idle_since = monotonic()

    def reset(self) -> None:
        """Close with RST."""
        with contextlib.suppress(OSError):  # lost already
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.abort()

    def abort(self) -> None:
        """Close at once. The socket is gone one turn of the loop later."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Return when the socket is gone."""
        await asyncio.shield(self._lost)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # which uvloop's does not inherit from
        self.is_open = True
        self._open.add(self)

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            self.abort()
            return
        if self.response is not None:
            self.surplus += data[: SURPLUS_BYTES_MAX - len(self.surplus)]
            return
        if not self.first_byte_at:
            self.first_byte_at = monotonic()
            if self._reader is None and answer.may_be_plain:
                found = whole_response(data, answer.body_bytes_max)
                if found is not None:
                    self.response, self._is_whole = found
                    self._settle()
                    return
        self._read(self.reader, data)

    def _read(self, reader: ResponseReader, data: bytes) -> None:
        if reader.error is not None:
            return
        self.response = reader.feed(data)
        if self.response is not None:
            self.surplus = reader.surplus[:SURPLUS_BYTES_MAX]
            self._settle()
        elif reader.error is not None:
            self._settle()
        else:
            self._room -= len(data)
            if self._room < 0 and reader.head is not None:
                self.response = reader.cut()
                self.abort()
                self._settle()

    def eof_received(self) -> None:
        """Nothing can follow, so nothing is waited for: not even that the rest of a request is taken.

        What uvloop reports as an end may be a reset that followed the last bytes at once.
        """
        self.loss = self._reset_seen()
        self.abort()
        self._settle()

    def pause_writing(self) -> None:
        if self._drained is None:
            self._drained = self.loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self.loss = self.loss or exc
        self._open.discard(self)
        self.resume_writing()
        if not self._lost.done():
            self._lost.set_result(None)
        self._settle()

    def _reset_seen(self) -> OSError | None:
        """What the socket failed with, where the loop has not told it."""
        try:
            number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        except OSError as error:
            return error
        return OSError(number, os.strerror(number)) if number else None

    def _end(self) -> bool:
        """Close our side with FIN. False where that is not to be had: over TLS, or when all is over."""
        if not self.is_open or self._transport is None or not self._transport.can_write_eof():
            return False
        self._transport.write_eof()
        return True

    def _is_settled(self) -> bool:
        if self.response is not None or not self.is_open or self._answer is None:
            return True
        return self._reader is not None and self._reader.error is not None

    def _settle(self, is_heard: bool = True) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(is_heard)

    async def _flushed(self) -> None:
        if self._drained is not None:
            await self._drained

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.shield(self._lost)


async def connect(
    addresses: Sequence[Address],
    open_connections: set[Connection],
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "",
) -> Connection:
    """A connection to the first of `addresses` that takes one; see `dial`."""
    loop = asyncio.get_running_loop()
    return await dial_any(
        addresses, lambda sock: Connection(loop, sock, open_connections), tls=tls, host=host
    )


def tls_context(*, verify: bool) -> ssl.SSLContext:
    """A client's context; without `verify` any certificate will do, for shadow hosts with made-up ones."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
