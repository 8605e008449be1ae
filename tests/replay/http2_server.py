"""A loopback server of HTTP/2 that does as it is told; the h2 library keeps its state, where it has any."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    PingReceived,
    RequestReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from shadow.model import Headers
from shadow.replay._contract import Target
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.http2 import Http2Settings, Http2Transport

PATIENCE_SECONDS = 5.0
"""Within this all that a test does has ended, or it fails."""
_CONFIGURATION = H2Configuration(
    client_side=False,
    header_encoding=None,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)


class Asked:
    """One request as the server has it."""

    def __init__(self, number: int, fields: Headers) -> None:
        self.number = number
        self.fields = fields
        self.body = b""
        self.trailers: Headers = ()
        self.is_ended = False

    def __getitem__(self, name: bytes) -> bytes:
        return dict(self.fields)[name]


class Peer(asyncio.Protocol):
    """One connection at the server's side."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.asked: dict[int, Asked] = {}
        self.resets: list[tuple[int, int]] = []
        """Stream and code of each stream that the client ended."""
        self.reads: list[list[str]] = []
        """What each read from the network brought, by the names of events."""
        self.pings = 0
        self.closed = asyncio.Event()
        self.h2 = H2Connection(_CONFIGURATION)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # which uvloop's does not inherit from
        self.server.peers.append(self)
        if self.server.greeting is not None:
            self.write(self.server.greeting)
            return
        self.h2.local_settings = Settings(client=False, initial_values=self.server.settings)
        self.h2.initiate_connection()
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.server.arrived.set()
        if self.server.greeting is not None:
            return
        try:
            events = self.h2.receive_data(data)
        except ProtocolError:
            self.flush()  # GOAWAY
            self.transport.close()
            return
        self.reads.append([type(event).__name__ for event in events])
        for event in events:
            self._hear(event)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    def write(self, text: bytes) -> None:
        """Bytes of which the library knows nothing."""
        self.transport.write(text)

    def answer(
        self,
        number: int,
        status: int = 200,
        body: bytes = b"",
        *more: tuple[bytes, bytes],
        trailers: Headers = (),
    ) -> None:
        if self.h2.streams[number].closed:
            return  # the library has reset it meanwhile
        fields = [(b":status", b"%d" % status), *more]
        self.h2.send_headers(number, fields, end_stream=not body and not trailers)
        if body:
            self.h2.send_data(number, body, end_stream=not trailers)
        if trailers:
            self.h2.send_headers(number, list(trailers), end_stream=True)
        self.flush()

    def flush(self) -> None:
        if said := self.h2.data_to_send():
            self.transport.write(said)

    def _hear(self, event: Event) -> None:
        match event:
            case RequestReceived():
                fields = tuple((bytes(name), bytes(value)) for name, value in event.headers)
                self.asked[event.stream_id] = Asked(event.stream_id, fields)
                self.server.asking.set()
                self.server.on_head(self, self.asked[event.stream_id])
            case DataReceived():
                asked = self.asked[event.stream_id]
                asked.body += event.data or b""
                if self.server.reads_on and event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case TrailersReceived():
                self.asked[event.stream_id].trailers = tuple(
                    (bytes(name), bytes(value)) for name, value in event.headers
                )
            case StreamEnded():
                self.asked[event.stream_id].is_ended = True
                self.server.on_request(self, self.asked[event.stream_id])
            case StreamReset():
                self.resets.append((event.stream_id, int(event.error_code or 0)))
                self.server.reset.set()
            case PingReceived():
                self.pings += 1
            case _:
                pass


type OnRequest = Callable[[Peer, Asked], None]


def hello(peer: Peer, asked: Asked) -> None:
    peer.answer(asked.number, 200, b"hello", (b"x-y", b"z"))


def silent(peer: Peer, asked: Asked) -> None:
    """Takes the request and never answers."""


class Server:
    """Runs `on_request` for every whole request; with a `greeting` it says only that, and reads nothing."""

    def __init__(
        self,
        on_request: OnRequest,
        on_head: OnRequest,
        greeting: bytes | None,
        settings: dict[SettingCodes, int],
        *,
        reads_on: bool,
    ) -> None:
        self.on_request = on_request
        self.on_head = on_head
        self.greeting = greeting
        self.settings = settings
        self.reads_on = reads_on
        self.peers: list[Peer] = []
        self.arrived = asyncio.Event()
        self.reset = asyncio.Event()
        self.asking = asyncio.Event()
        """A request has begun."""
        self.port = 0
        self.scheme = "http"

    @property
    def target(self) -> Target:
        return Target("candidate", self.scheme, "127.0.0.1", self.port)

    @property
    def asked(self) -> list[Asked]:
        return [each for peer in self.peers for each in peer.asked.values()]


@asynccontextmanager
async def serving(
    on_request: OnRequest = hello,
    *,
    on_head: OnRequest = silent,
    greeting: bytes | None = None,
    settings: dict[SettingCodes, int] | None = None,
    reads_on: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Server]:
    server = Server(on_request, on_head, greeting, settings or {}, reads_on=reads_on)
    server.scheme = "https" if tls else "http"
    listening = await asyncio.get_running_loop().create_server(lambda: Peer(server), "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield server
    finally:
        listening.close()
        for peer in server.peers:
            peer.transport.abort()
            await peer.closed.wait()


@asynccontextmanager
async def sending_to(
    target: Target, *, guard: Guard | None = None, **settings: object
) -> AsyncIterator[Http2Transport]:
    """A transport, of which no socket is left open."""
    chosen = Http2Settings(**settings)  # type: ignore[arg-type]  # as they are
    transport = Http2Transport(target, guard or Guard(GuardSettings(), [target]), chosen)
    try:
        yield transport
    finally:
        await transport.close()
        assert transport.open_connections == 0
