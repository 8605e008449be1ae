"""One client's connection and its twin to the live service: bytes pass unchanged, and are read afterwards."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import msgspec

from shadow.model import authority
from shadow.taps.front_reading import Reading
from shadow.wire.direction import End
from shadow.wire.http1_head import head_end, looks_like_request

_MAX_HELD_BYTES = 65_536
"""Of what a client says before its twin is there; also the longest head that is answered in its place."""
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, for no time."""
_BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Patience(msgspec.Struct, frozen=True):
    """How long is waited for what may never come."""

    refused_seconds: float = 10.0
    """For the request of a client that live does not take."""
    linger_seconds: float = 2.0
    """For the rest of a request that was answered in live's place, and for the answer to be read."""
    client_ended_seconds: float = 300.0
    """For anything to be said once the client has ended: live may still be at work for it."""
    live_ended_seconds: float = 30.0


class Connects(Protocol):
    """What a relay asks of the front."""

    buffer: memoryview
    """What is read into before it is passed on."""

    def connect(self, relay: "Relay") -> Callable[[], object]:
        """Begin to connect `relay.live`, or else to tell `relay.refuse`; what is returned gives that up."""
        ...

    def leave(self, relay: "Relay") -> None:
        """Both connections are closed. May be called twice."""
        ...


class Side(asyncio.BufferedProtocol):
    """One of the two connections; 0 is the client's, 1 the one to live.

    Both read into the front's one buffer, since nothing stays there; its size keeps one connection from
    holding up all others for long.
    """

    def __init__(self, relay: "Relay", number: int) -> None:
        self.number = number
        self.peer: Side
        self.transport: asyncio.Transport | None = None
        """None until it is connected."""
        self.has_ended = False
        """It says nothing more."""
        self.is_lost = False
        """It is closed, or never will be open."""
        self._relay = relay
        self._socket: socket.socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._socket = transport.get_extra_info("socket")
        # Else who vanished is waited for for ever.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._relay.begin(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  # as asyncio has it
        return self._relay.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._relay.take(self, bytes(self._relay.buffer[:nbytes]))

    def eof_received(self) -> bool:
        return self._relay.end(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._relay.lose(self, exc)

    def pause_writing(self) -> None:
        self.peer.pause()

    def resume_writing(self) -> None:
        self.peer.resume()

    def pause(self) -> None:
        """Take no more for now."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None:
            self.transport.resume_reading()

    def can_half_close(self) -> bool:
        """Whether one direction can end alone: in TLS it cannot."""
        return self.transport is None or self.transport.can_write_eof()

    def end_writing(self) -> None:
        if self.transport is not None:
            with suppress(OSError):  # it was reset, and will be told so
                self.transport.write_eof()

    def close(self) -> None:
        """In order, once all was sent."""
        if self.transport is not None:
            self.transport.close()

    def reset(self) -> None:
        """At once, so that nobody takes what was sent for the whole."""
        if self.transport is not None and not self.is_lost:
            with suppress(OSError):  # it is closed already, below its TLS
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            self.transport.abort()


class Relay:
    """Passes bytes between `client` and `live`."""

    def __init__(
        self, front: Connects, read: Callable[[str], Reading], patience: Patience | None = None
    ) -> None:
        """`read` is given the client's address once that is known."""
        self.buffer = front.buffer
        self._patience = patience or Patience()
        self.client, self.live = Side(self, 0), Side(self, 1)
        self.client.peer, self.live.peer = self.live, self.client
        self._front = front
        self._read = read
        self._reading: Reading
        self._stop_connecting: Callable[[], object] = _nothing
        self._held: list[bytes] = []
        """What the client said while its twin was not there."""
        self._held_bytes = 0
        self._is_refused = self._is_answered = self._ends_when_idle = False
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, side: Side) -> None:
        """`side` is connected: first the client, then live."""
        assert side.transport is not None
        if side is self.live:
            self._meet_live(side.transport)
            return
        peer = side.transport.get_extra_info("peername") or ("", 0)
        self._reading = self._read(authority(peer[0], peer[1]))
        self._stop_connecting = self._front.connect(self)

    def take(self, side: Side, payload: bytes) -> None:
        """Pass on what `side` said, then read it."""
        transport = side.peer.transport
        if transport is None:
            self._hold(payload)
            return
        transport.write(payload)
        self._reading.hear(side.number, payload)
        if self._ends_when_idle and self._reading.is_idle:
            self._close()

    def end(self, side: Side) -> bool:
        """`side` says nothing more, which its peer is told; whether it may still hear."""
        side.has_ended = True
        peer = side.peer
        if peer.has_ended or self._is_refused or not side.can_half_close():
            return False
        if peer.transport is None:
            return True
        self._reading.end(side.number, End.CLOSED)
        patience = self._patience
        self._cut_in_silence(
            patience.client_ended_seconds if side is self.client else patience.live_ended_seconds
        )
        if peer.can_half_close():
            peer.end_writing()
        else:
            self.end_when_idle()
        return True

    def lose(self, side: Side, error: Exception | None) -> None:
        """The connection of `side` is closed. Its peer goes the same way: in order, or by a reset."""
        peer = side.peer
        side.is_lost = True
        if not self._is_refused:  # otherwise it was heard as it came
            for payload in self._held:
                self._reading.hear(0, payload)
            self._held = []
        self._reading.end(side.number, End.CLOSED if error is None else End.RESET)
        # What the peer has not said yet is missing, it is not that it has nothing to say.
        self._reading.end(peer.number, End.LOST if error is None else End.RESET)
        self._stop_connecting()
        if error is None:
            peer.close()
        else:
            peer.reset()
        if peer.is_lost or peer.transport is None:
            self._leave()

    def refuse(self) -> None:
        """The live service takes no connection: who asks it something is answered in its place."""
        if self.client.is_lost:
            return
        self._is_refused = self.live.is_lost = True
        self._time(self._patience.refused_seconds, self._close)
        for payload in self._held:
            self._reading.hear(0, payload)
        self.client.resume()
        self._answer()

    def end_when_idle(self) -> None:
        """Close both connections as soon as no request is under way."""
        self._ends_when_idle = True
        if self._reading.is_idle and not self._held:
            self._close()

    def cut(self) -> None:
        """Reset both connections."""
        self._stop_connecting()
        self.client.reset()
        self.live.reset()

    def _meet_live(self, transport: asyncio.Transport) -> None:
        client = self.client
        if client.is_lost:
            transport.abort()
            return
        held, self._held = self._held, []
        client.resume()
        for payload in held:
            transport.write(payload)
            self._reading.hear(0, payload)
        if client.has_ended:
            self.end(client)

    def _hold(self, payload: bytes) -> None:
        """Take what the client says while its twin is not there, or after it was refused one."""
        if self._is_refused:
            self._reading.hear(0, payload)
            if self._is_answered:
                return
        self._held.append(payload)
        self._held_bytes += len(payload)
        if self._is_refused:
            self._answer()
        elif self._held_bytes > _MAX_HELD_BYTES:
            self.client.pause()

    def _answer(self) -> None:
        """Answer once there is the head of a request. The rest of it may follow, and is read."""
        said = b"".join(self._held).lstrip(b"\r\n")
        is_request = looks_like_request(said)
        has_head = is_request is True and head_end(said) >= 0
        if has_head and self.client.transport is not None:
            self._is_answered = True
            self._held = []
            self.client.transport.write(_BAD_GATEWAY)
            if not self.client.has_ended and self.client.can_half_close():
                self.client.end_writing()
            self._time(self._patience.linger_seconds, self._close)
        if is_request is False or self.client.has_ended or self._held_bytes > 2 * _MAX_HELD_BYTES:
            self._close()

    def _cut_in_silence(self, seconds: float, said_bytes: int = -1) -> None:
        """Look now and then whether anything was said since there were `said_bytes`."""
        now = self._reading.said_bytes
        if now == said_bytes:
            self.cut()
        else:
            self._time(seconds, lambda: self._cut_in_silence(seconds, now))

    def _time(self, seconds: float, act: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, act)

    def _close(self) -> None:
        """Close both once they were sent all."""
        self._stop_connecting()
        self.live.close()
        self.client.close()

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._front.leave(self)


def _nothing() -> None:
    pass
