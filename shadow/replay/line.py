"""One TCP or TLS connection for a conversation: bytes out, and bytes in as they come."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterable
from time import monotonic
from typing import cast

from shadow.model import Silence
from shadow.replay._contract import Target
from shadow.replay.conversing import Progress
from shadow.replay.dialling import Dialled, dial
from shadow.replay.guard import Guard

_LINGER_ZERO = struct.pack("ii", 1, 0)  # close sends RST at once and drops what is unsent

type OnBytes = Callable[[bytes], None]
type OnEnd = Callable[[Silence, str], None]


class Line(Dialled):
    """Its user closes it; `lines` holds it while it is open."""

    def __init__(self, on_bytes: OnBytes, on_end: OnEnd, lines: set["Line"]) -> None:
        self._on_bytes = on_bytes
        self._on_end = on_end
        self._lines = lines
        self._transport: asyncio.Transport | None = None
        self._room = asyncio.Event()
        self._room.set()
        self._lost = asyncio.Event()

    async def say(self, text: bytes) -> None:
        """Write `text`, and return when it was handed to the network or the connection is lost."""
        self.write(text)
        await self._room.wait()

    def write(self, text: bytes) -> None:
        """As `say`, without waiting."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(text)

    @property
    def unsent_bytes(self) -> int:
        """What was written and the network has not taken."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def finish(self) -> bool:
        """Tell the peer that no more is said; False where that cannot be told, as over TLS."""
        if self._transport is None or self._transport.is_closing() or not self._transport.can_write_eof():
            return False
        self._transport.write_eof()
        return True

    def leave(self) -> None:
        """Close as a client does, so that a server has nothing to complain of; at once where it takes no
        more."""
        if self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()

    def reset(self) -> None:
        """Close at once, so that the peer is told that the connection broke."""
        sock = None if self._transport is None else self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # lost already
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    async def closed(self) -> None:
        """Return when the socket is gone."""
        await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by name
        self._lines.add(self)

    def data_received(self, data: bytes) -> None:
        self._on_bytes(data)

    def eof_received(self) -> bool:
        """The peer says no more; what we have still to say may matter to it, but nobody would answer."""
        self._on_end(Silence.CLOSED, "closed by the peer")
        return False

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lines.discard(self)
        self._room.set()
        self._lost.set()
        if exc is None:
            self._on_end(Silence.CLOSED, "closed by the peer")
        else:
            self._on_end(Silence.RESET, str(exc) or type(exc).__name__)


async def connect(
    guard: Guard,
    target: Target,
    line: Callable[[], Line],
    progress: Progress,
    *,
    tls: ssl.SSLContext | None = None,
    timeout_seconds: float,
) -> Line:
    """A line to `target`, at addresses that the guard gave. Raises OSError, TargetError, UnsafeError."""
    try:
        async with asyncio.timeout(timeout_seconds):
            addresses = await guard.addresses(target)
            found = await dial(addresses, line, tls=tls, host=target.host)
    except TimeoutError as error:
        raise ConnectionRefusedError("no connection within the time limit") from error
    progress.connected_at = monotonic()
    return found


async def abort_all(lines: Iterable[Line]) -> None:
    """Close every line, and return when their sockets are gone."""
    for each in tuple(lines):
        each.abort()
        await each.closed()
