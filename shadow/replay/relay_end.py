"""One side of a relayed connection: a socket that reads in one direction and writes in the other."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Protocol, cast

from shadow.replay.conditions import Direction
from shadow.replay.dialling import Dialled

_LINGER_ZERO = struct.pack("ii", 1, 0)  # close sends RST at once and drops what is unsent
OTHER = {Direction.UP: Direction.DOWN, Direction.DOWN: Direction.UP}


class Joins(Protocol):
    """What an end tells of itself."""

    def made(self, end: "End") -> None: ...

    def carry(self, direction: Direction, data: bytes) -> None: ...

    def ended(self, direction: Direction) -> None: ...

    def broken(self, direction: Direction) -> None: ...

    def lost(self, end: "End", exc: Exception | None) -> None: ...

    def throttle(self, direction: Direction, *, is_full: bool) -> None: ...


class End(Dialled):
    """One of the two connections. What it reads goes in `direction`. All it is asked to do, it may be asked
    when its connection has gone."""

    def __init__(self, line: Joins, direction: Direction) -> None:
        self.direction = direction
        self.transport: asyncio.Transport | None = None
        self.has_ended = False
        """Whether the stream that it reads is over."""
        self._line = line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # which uvloop's does not inherit from
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line.made(self)

    def data_received(self, data: bytes) -> None:
        self._line.carry(self.direction, data)

    def eof_received(self) -> bool:
        """What uvloop reports as an end may be a reset that followed the last bytes at once."""
        self.has_ended = True
        if self._is_reset():
            self._line.broken(self.direction)
        else:
            self._line.ended(self.direction)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._line.lost(self, exc)

    def pause_writing(self) -> None:
        self._line.throttle(OTHER[self.direction], is_full=True)

    def resume_writing(self) -> None:
        self._line.throttle(OTHER[self.direction], is_full=False)

    def _is_reset(self) -> bool:
        if self.transport is None:
            return False
        sock = self.transport.get_extra_info("socket")
        try:
            return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
        except OSError:
            return True

    def write(self, data: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def write_eof(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            with suppress(OSError):  # the peer has gone, which is told elsewhere
                self.transport.write_eof()

    def read(self, *, is_wanted: bool) -> None:
        transport = self.transport
        if transport is None or transport.is_closing() or transport.is_reading() is is_wanted:
            return
        if is_wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def close(self) -> None:
        """After what is written has left."""
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()

    def reset(self) -> None:
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            with suppress(OSError):  # lost already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            self.transport.abort()
