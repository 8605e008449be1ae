"""Recorded WebSocket conversations said again (RFC 6455). Home of wsproto."""

import ssl
from collections.abc import Iterator

import msgspec
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, Opcode, RsvBits
from wsproto.utilities import LocalProtocolError

from shadow.model import (
    FRAMES,
    NO_RESPONSE,
    STILL_THERE,
    Headers,
    Message,
    Request,
    Silence,
    fields,
)
from shadow.replay._contract import Sending, Target
from shadow.replay.connection import tls_context
from shadow.replay.conversing import Progress, TalkSettings, TalkTransport, UnsayableError, converse
from shadow.replay.cues import cues
from shadow.replay.guard import Guard
from shadow.replay.hearing import Hearing
from shadow.replay.line import Line, abort_all, connect
from shadow.wire.http1 import ResponseReader, serialise_request

_EXTENSIONS = b"sec-websocket-extensions"
_WINDOWS = frozenset(map(str, range(9, 16)))
_PIECE_BYTES = 4096
"""Compressed bytes that are inflated at once: a thousand times as much may come of them."""
_UNREAD_BYTES_MAX = 1 << 18
"""More answers to pings wait for no peer that reads."""
_COUNTED = ("text", "binary", "close")
"""Kinds of the server's messages that are waited for and compared; pings and pongs come as they like."""


class WebSocketTransport(TalkTransport):
    """Each conversation on a connection of its own, after its recorded handshake; that alone where the server
    refuses it."""

    name = "websocket"

    def __init__(
        self,
        target: Target,
        guard: Guard,
        settings: TalkSettings | None = None,
        *,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(target, guard, settings)
        self._tls: ssl.SSLContext | None = None
        if target.scheme == "https":
            self._tls = tls or tls_context(verify=self.settings.verify_tls)
        self._lines: set[Line] = set()

    @property
    def open_connections(self) -> int:
        return len(self._lines)

    async def close(self) -> None:
        """Close every connection, and return when their sockets are gone."""
        await abort_all(self._lines)

    async def _talk(self, sending: Sending, progress: Progress) -> None:
        hearing = Hearing(joins=False, bytes_max=self.settings.bytes_max)
        client = _Client(_request(sending), hearing, self.settings.bytes_max)
        line = await connect(
            self._guard,
            self.target,
            lambda: Line(client.take, client.end, self._lines),
            progress,
            tls=self._tls,
            timeout_seconds=self.settings.connect_timeout_seconds,
        )
        client.line = line
        progress.hearing = hearing
        messages = tuple(each for each in sending.messages if _counts(each))
        script = cues(messages, by_bytes=False, patience_seconds_max=sending.timeout_seconds)
        try:
            await line.say(serialise_request(client.request))
            await client.opening.until(1, sending.timeout_seconds)
            if client.opening.messages:
                progress.response = client.response
            elif client.opening.ending is not None:
                hearing.end(client.opening.ending, client.opening.detail)
            if client.is_open:
                await converse(client.say, script, sending, progress, settings=self.settings)
                await client.leave()
        except BaseException:
            line.abort()
            raise
        line.leave()


class _Client:
    """Our end of one connection: the handshake, then frames."""

    def __init__(self, request: Request, hearing: Hearing, bytes_max: int) -> None:
        self.request = request
        self.line: Line | None = None
        self.opening = Hearing(joins=False, bytes_max=bytes_max)
        """Hears the answer to the handshake, as one empty message."""
        self.response = NO_RESPONSE
        self._reader = ResponseReader(request.method, max_body_bytes=bytes_max)
        self._hearing = hearing
        self._frames: Connection | None = None
        self._parts: list[str | bytes] = []
        self._held_bytes = 0
        self._unread_bytes = 0
        """Answers to pings since the peer had last taken all that was said."""
        self._bytes_max = bytes_max

    @property
    def is_open(self) -> bool:
        """Whether the server agreed to speak WebSocket."""
        return self._frames is not None

    def take(self, data: bytes) -> None:
        """Bytes have come."""
        if self.opening.ending is not None:
            return
        if self._frames is not None:
            self._read(data)
            return
        if self.opening.messages:
            return
        response = self._reader.feed(data)
        if response is not None:
            self.response = response
            self._answered()
        elif self._reader.error is not None:
            self.opening.end(Silence.MALFORMED, self._reader.error)

    def end(self, why: Silence, detail: str) -> None:
        """No more can come."""
        if not self.opening.messages and why is Silence.CLOSED:
            response = self._reader.finish()
            if response is not None:
                self.response = response
                self.opening.hear(b"")
        self.opening.end(why, detail)
        self._hearing.end(why, detail)

    async def say(self, message: Message) -> None:
        """Raises UnsayableError for what is no message of a WebSocket."""
        assert self._frames is not None
        assert self.line is not None
        if self._frames.state is not ConnectionState.OPEN:
            return
        if message.kind == FRAMES:
            await self.line.say(message.body)
            return
        try:
            text = self._frames.send(_event(message))
        except (LocalProtocolError, ValueError) as error:
            raise UnsayableError(f"a message of kind {message.kind!r} cannot be said: {error}") from error
        await self.line.say(text)

    async def leave(self) -> None:
        """Say goodbye as a client does, where nobody has yet."""
        await self.say(Message(True, (1000).to_bytes(2), 0.0, "close"))

    def _answered(self) -> None:
        """The server's Sec-WebSocket-Accept is not looked at: the handshake's own exchange compares it."""
        response = self.response
        if response.status == 101:
            try:
                self._frames = Connection(ConnectionType.CLIENT, _extensions(response.headers))
            except UnsayableError as error:
                self.opening.end(Silence.UNSENT, str(error))
                return
            except ValueError as error:
                self.opening.end(Silence.MALFORMED, f"the handshake's extension cannot be used: {error}")
                return
        self.opening.hear(b"")
        if self._frames is not None and self._reader.surplus:
            self._read(self._reader.surplus)

    def _read(self, data: bytes) -> None:
        for at in range(0, len(data), _PIECE_BYTES):
            if self._hearing.ending is not None:
                return
            self._read_piece(data[at : at + _PIECE_BYTES])

    def _read_piece(self, data: bytes) -> None:
        assert self._frames is not None
        try:
            self._frames.receive_data(data)
            for event in self._frames.events():
                self._hear(event)
        except LocalProtocolError:
            self._hearing.end(Silence.CLOSED, "closed")

    def _hear(self, event: Event) -> None:
        match event:
            case TextMessage() | BytesMessage():
                self._hear_part(event)
            case Ping():
                self._answer(event.response())
            case Pong() if bytes(event.payload) == STILL_THERE:
                self._hearing.hear(STILL_THERE, "pong")
            case CloseConnection():
                self._hear_close(event)

    def _hear_part(self, event: TextMessage | BytesMessage) -> None:
        if event.data:  # empty ones, of which there may be many, are not kept
            self._parts.append(bytes(event.data) if isinstance(event, BytesMessage) else event.data)
        self._held_bytes += len(event.data)
        if self._held_bytes > self._bytes_max:
            self._hearing.is_full = True
            self._hearing.end(Silence.CLOSED, "it said more than is kept")
        elif event.message_finished:
            parts = [part.encode() if isinstance(part, str) else part for part in self._parts]
            self._parts, self._held_bytes = [], 0
            self._hearing.hear(b"".join(parts), "text" if isinstance(event, TextMessage) else "binary")

    def _hear_close(self, event: CloseConnection) -> None:
        assert self._frames is not None
        if self._frames.state not in (ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED):
            self._hearing.end(Silence.MALFORMED, f"no WebSocket frames: {event.reason}")
            return
        code = int(event.code)
        body = b"" if code == 1005 else code.to_bytes(2) + (event.reason or "").encode()
        self._hearing.hear(body, "close")
        if self._frames.state is ConnectionState.REMOTE_CLOSING:
            self._answer(event.response())
        self._hearing.end(Silence.CLOSED, f"closed by the peer with code {code}")

    def _answer(self, event: Event) -> None:
        assert self._frames is not None
        assert self.line is not None
        if self._frames.state not in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            return
        text = self._frames.send(event)
        self._unread_bytes = self._unread_bytes + len(text) if self.line.unsent_bytes else 0
        if self._unread_bytes > _UNREAD_BYTES_MAX:
            self._hearing.end(Silence.RESET, "the peer asks much and reads nothing")
            self.line.abort()
            return
        self.line.write(text)


class _Deflate(PerMessageDeflate):
    """wsproto's, which forgets with a ping between two fragments that these are compressed."""

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        before = self._inbound_compressed
        found = super().frame_inbound_header(proto, opcode, rsv, payload_length)
        self._of_message = before if opcode.iscontrol() else self._inbound_compressed
        return found

    def frame_inbound_complete(
        self, proto: FrameDecoder | FrameProtocol, fin: bool
    ) -> bytes | CloseReason | None:
        is_control = not self._inbound_is_compressible
        found = super().frame_inbound_complete(proto, fin)
        if is_control:
            self._inbound_compressed = self._of_message
        return found


def _event(message: Message) -> Event:
    try:
        match message.kind:
            case "text":
                return TextMessage(data=message.body.decode())
            case "binary":
                return BytesMessage(data=message.body)
            case "ping":
                return Ping(payload=message.body)
            case "close" if len(message.body) >= 2:
                return CloseConnection(int.from_bytes(message.body[:2]), message.body[2:].decode())
            case "close":
                return CloseConnection(CloseReason.NO_STATUS_RCVD)
    except UnicodeDecodeError as error:
        raise UnsayableError(f"a text that is no UTF-8 cannot be said: {error}") from error
    raise UnsayableError(f"a message of kind {message.kind!r} cannot be said")


def _counts(message: Message) -> bool:
    if message.is_from_client:
        return message.kind in _COUNTED or message.kind in ("ping", FRAMES)
    return message.kind in _COUNTED or (message.kind == "pong" and message.body == STILL_THERE)


def _request(sending: Sending) -> Request:
    """The handshake; a mutant's as it is, for what it offers may be the point."""
    return sending.request if sending.manner is not None else _with_known_extensions(sending.request)


def _offers(headers: Headers) -> Iterator[bytes]:
    for line in fields(headers, _EXTENSIONS):
        yield from (offer.strip() for offer in line.split(b",") if offer.strip())


def _is_deflate(offer: bytes) -> bool:
    return offer.split(b";")[0].strip().lower() == b"permessage-deflate"


def _with_known_extensions(request: Request) -> Request:
    """`request` without the offer of what could not be read if it were agreed on."""
    offers = list(_offers(request.headers))
    known = [offer for offer in offers if _is_deflate(offer)]
    if known == offers:
        return request
    rest = tuple((name, value) for name, value in request.headers if name.lower() != _EXTENSIONS)
    agreed = ((b"Sec-WebSocket-Extensions", b", ".join(known)),) if known else ()
    return msgspec.structs.replace(request, headers=(*rest, *agreed))


def _extensions(headers: Headers) -> list[Extension]:
    """What the response agreed on. Raises ValueError for what cannot be used."""
    found: list[Extension] = []
    for offer in _offers(headers):
        if not _is_deflate(offer):
            raise ValueError(f"{offer.decode('latin-1')!r} was not offered")
        found.append(_deflate(offer))
    return found


def _deflate(offer: bytes) -> PerMessageDeflate:
    """Raises ValueError for parameters that are none, UnsayableError for a window that zlib does not have.

    The server's window is not looked at: the largest reads them all.
    """
    pairs = (part.strip().partition("=") for part in offer.decode("latin-1").lower().split(";")[1:])
    given = {name.strip(): value.strip(' "') for name, _, value in pairs}
    bits = given.get("client_max_window_bits", "15")
    if bits == "8":
        raise UnsayableError("the server asks for a window of 8 bits, which zlib cannot write")
    if bits not in _WINDOWS:
        raise ValueError(f"{bits!r} is no size of a window")
    found = _Deflate(
        client_no_context_takeover="client_no_context_takeover" in given,
        server_no_context_takeover="server_no_context_takeover" in given,
        client_max_window_bits=int(bits),
    )
    found.finalize("permessage-deflate")
    return found
