"""One connection of a mirroring proxy: request after request, each answered as soon as all of it is there.

Not sooner, though only its body may be missing: nginx sends no more of a body once it has an answer.
"""

import asyncio
from contextlib import suppress
from time import perf_counter, time

import msgspec

from shadow.model import Exchange, Headers, Request, authority, field, fields
from shadow.taps.mirrored import client_of, without_suffix
from shadow.taps.serving import Crowd
from shadow.taps.session import CREDENTIALS, session_by
from shadow.taps.taker import TakesExchanges
from shadow.wire.http1 import RequestReader

TAP = "mirror"
_MARK = b"shadow-run"
_PIECE_BYTES = 16_384
"""At a time: what follows each of many small requests is copied for each of them."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_TAKEN_AND_KEPT = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
"""For HTTP/1.0, which else ends its connections."""
_TAKEN_AND_CLOSED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_MALFORMED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Mirror:
    """What the connections of one receiver share."""

    def __init__(
        self,
        taker: TakesExchanges,
        *,
        live: str,
        max_connections: int,
        max_head_bytes: int,
        max_body_bytes: int,
        max_held_bytes: int,
    ) -> None:
        self.connections = Crowd[MirrorConnection]()
        self.taker = taker
        self.live = live
        self.max_connections = max_connections
        self.max_head_bytes = max_head_bytes
        self.max_body_bytes = max_body_bytes
        self.room_bytes = max_held_bytes
        self.connection_count = 0
        self._host = live.encode()
        self._request_count = 0

    def begin(self) -> int:
        """The index of the request that begins now."""
        self._request_count += 1
        return self._request_count - 1

    def offer(self, request: Request, index: int, seen_at: float, connection: str) -> None:
        """Hand on a request, unless it is Shadow's own."""
        headers = request.headers
        if field(headers, _MARK) is not None:
            return
        headers = without_suffix(headers, self._host)
        if headers is not request.headers:
            request = msgspec.structs.replace(request, headers=headers)
        live = self.live or (field(headers, b"host") or b"").decode("latin-1")
        session = _session(headers) or connection
        self.taker.offer(Exchange(index, TAP, session, seen_at, request, live=live))


class MirrorConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, mirror: Mirror) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        """When it said something last, by the loop's clock."""
        self.is_over = False
        """It was told that nothing more is read, and should go."""
        self._mirror = mirror
        self._name = ""
        self._transport: asyncio.Transport
        self._reader: RequestReader | None = None
        """Of the request that is not complete."""
        self._index = 0
        self._seen_at = 0.0
        self._held_bytes = 0
        self._has_head = self._is_answered = self._is_counted = self._ends_when_idle = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        mirror, self._transport = self._mirror, transport
        mirror.connection_count += 1
        peer = transport.get_extra_info("peername") or ("", 0)
        self._name = f"{authority(peer[0], peer[1])}#{mirror.connection_count}"
        if len(mirror.connections) < mirror.max_connections:
            mirror.connections.add(self)
            return
        mirror.taker.skip("too_many_connections")
        self.is_over = True
        transport.write(_FULL)
        transport.close()

    def data_received(self, data: bytes) -> None:
        if self.is_over:
            return
        self.heard_at = asyncio.get_running_loop().time()
        answers: list[bytes] = []
        for at in range(0, len(data), _PIECE_BYTES):
            self._take(data[at : at + _PIECE_BYTES], answers)
        self._transport.write(b"".join(answers))
        if self.is_over:
            self._end()
        elif self._ends_when_idle and self._reader is None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # however it ended
        if self._reader is not None and self._reader.has_begun:
            self._count("incomplete_request")
        self._forget()
        self._mirror.connections.leave(self)

    def pause_writing(self) -> None:
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def end_when_idle(self) -> None:
        """Close, as soon as no request is under way."""
        self._ends_when_idle = True
        if self._reader is None:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _take(self, piece: bytes, answers: list[bytes]) -> None:
        """Read on, and add to `answers` what is to be said."""
        while piece and not self.is_over:
            began = perf_counter()
            reader = self._reader or self._begin()
            request = reader.feed(piece)
            if request is None:
                answers.append(self._wait(reader, len(piece)))
                return
            piece = reader.surplus
            answers.append(self._complete(reader, request))
            self._mirror.taker.time(perf_counter() - began)

    def _begin(self) -> RequestReader:
        mirror = self._mirror
        self._reader = RequestReader(
            max_head_bytes=mirror.max_head_bytes, max_body_bytes=mirror.max_body_bytes
        )
        self._index, self._seen_at = mirror.begin(), time()
        self._has_head = self._is_answered = self._is_counted = False
        return self._reader

    def _wait(self, reader: RequestReader, count: int) -> bytes:
        """What to say to `count` bytes that do not complete a request."""
        if reader.error is not None:
            return self._refuse("malformed_request", _MALFORMED)
        if not self._hold(count) and not self._pass_over(reader):
            return self._refuse("too_large", _FULL)
        head = reader.head
        if head is None or self._has_head:
            return b""
        self._has_head = True
        if any(value.lower() == b"100-continue" for value in fields(head.headers, b"expect")):
            return _CONTINUE
        if head.length > self._mirror.max_body_bytes:
            self._is_answered = self._pass_over(reader)
            return _TAKEN
        return b""

    def _complete(self, reader: RequestReader, request: Request) -> bytes:
        """The answer to a request, or what is left to say of it."""
        if reader.is_cut:
            self._count("too_large")
        elif not self._is_counted:
            self._mirror.offer(request, self._index, self._seen_at, self._name)
        self._forget()
        options = b",".join(fields(request.headers, b"connection")).lower()
        if b"close" in options or (request.version == b"HTTP/1.0" and b"keep-alive" not in options):
            self.is_over = True
            return b"" if self._is_answered else _TAKEN_AND_CLOSED
        if self._is_answered:
            return b""
        return _TAKEN if request.version != b"HTTP/1.0" else _TAKEN_AND_KEPT

    def _hold(self, count: int) -> bool:
        """Count bytes as held, as many as a request may be long; False where all hold too much."""
        mirror = self._mirror
        if self._is_counted:
            return True
        count = min(count, mirror.max_head_bytes + mirror.max_body_bytes - self._held_bytes)
        self._held_bytes += count
        mirror.room_bytes -= count
        return mirror.room_bytes >= 0

    def _pass_over(self, reader: RequestReader) -> bool:
        """Keep no more of the body; whether it is a body that is being read."""
        if not reader.skip(0):
            return False
        self._count("too_large")
        return True

    def _refuse(self, why: str, answer: bytes) -> bytes:
        self._count(why)
        self._forget()
        self.is_over = True
        return b"" if self._is_answered else answer

    def _end(self) -> None:
        """Say no more. It is closed when the other side has gone, so that what we said is read."""
        self.is_over = True
        with suppress(OSError):  # it was reset, and will be told so
            self._transport.write_eof()

    def _count(self, why: str) -> None:
        """Count the request as none, once."""
        if not self._is_counted:
            self._is_counted = True
            self._mirror.taker.skip(why)

    def _forget(self) -> None:
        """Hold nothing of the request any more."""
        self._reader = None
        self._mirror.room_bytes += self._held_bytes
        self._held_bytes = 0


def _session(headers: Headers) -> str | None:
    """By the client that the mirror names, or else by its credentials."""
    client = client_of(headers)
    return f"{TAP}:{client}" if client is not None else session_by(TAP, headers, CREDENTIALS)
