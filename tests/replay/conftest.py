"""Loopback servers that do everything a server must not, and transports to send to them with."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from shadow.model import NoReply, Outcome, Reply, Request, Response, Silence, Wire
from shadow.replay._contract import Sending, Target, Transport
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.http import HttpSettings, HttpTransport
from shadow.replay.raw import RawSettings, RawTransport
from shadow.run.loop import LOOP
from shadow.wire.http1 import RequestReader

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
ANSWER = b"HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Length: 5\r\n\r\nhello"
HEAD_SIZE = len(ANSWER) - 5
BOTH = ("raw", "aiohttp")


class Peer(asyncio.Protocol):
    """One connection at the server's side."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.got = b""
        self.loss: Exception | None = None
        self.saw_eof = False
        self.closed = asyncio.Event()
        self.reader = RequestReader()
        self.count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.server.peers.append(self)
        self.server.joined.set()

    def data_received(self, data: bytes) -> None:
        self.got += data
        self.server.arrived.set()
        if self.server.on_bytes is not None:
            self.server.on_bytes(self)
            return
        request = self.reader.feed(data)
        while request is not None:
            self.count += 1
            rest, self.reader = self.reader.surplus, RequestReader()
            self.server.on_request(self, request)
            request = self.reader.feed(rest)

    def eof_received(self) -> bool:
        self.saw_eof = True
        self.server.on_eof(self)
        return self.server.stays_half_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.loss = exc
        self.closed.set()

    def write(self, text: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(text)

    def reset(self) -> None:
        """Close with RST."""
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


class Server:
    """A loopback server that runs a behaviour for every whole request, or for every arrival of bytes."""

    def __init__(
        self,
        on_request: Callable[[Peer, Request], None],
        on_bytes: Callable[[Peer], None] | None,
        on_eof: Callable[[Peer], None],
        *,
        stays_half_open: bool,
    ) -> None:
        self.on_request = on_request
        self.on_bytes = on_bytes
        self.on_eof = on_eof
        self.stays_half_open = stays_half_open
        self.peers: list[Peer] = []
        self.arrived = asyncio.Event()
        self.joined = asyncio.Event()
        self.port = 0

    @property
    def target(self) -> Target:
        return Target("candidate", "http", "127.0.0.1", self.port)


def answering(text: bytes) -> Callable[[Peer, Request], None]:
    return lambda peer, _: peer.write(text)


def answering_ok(peer: Peer, _: Request) -> None:
    peer.write(OK)


def answering_and_closing(text: bytes) -> Callable[[Peer, Request], None]:
    def behave(peer: Peer, _: Request) -> None:
        peer.write(text)
        peer.transport.close()

    return behave


def silent(peer: Peer, _: Request) -> None:
    """Takes the request and never answers."""


type Serve = Callable[..., Awaitable[Server]]
type Open = Callable[..., Transport]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    running: list[tuple[asyncio.Server, Server]] = []

    async def start(
        on_request: Callable[[Peer, Request], None] = answering_ok,
        *,
        on_bytes: Callable[[Peer], None] | None = None,
        on_eof: Callable[[Peer], None] = lambda _: None,
        stays_half_open: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> Server:
        server = Server(on_request, on_bytes, on_eof, stays_half_open=stays_half_open)
        listening = await asyncio.get_running_loop().create_server(
            lambda: Peer(server), "127.0.0.1", 0, ssl=tls
        )
        server.port = listening.sockets[0].getsockname()[1]
        running.append((listening, server))
        return server

    yield start
    for listening, server in running:
        listening.close()
        for peer in server.peers:
            peer.transport.abort()
            await peer.closed.wait()


@pytest.fixture
async def transports() -> AsyncIterator[Open]:
    """Opens transports, and sees to it that none of them leaves a socket open."""
    opened: list[Transport] = []

    def start(kind: str, target: Target, *, guard: Guard | None = None, **settings: object) -> Transport:
        guard = guard or Guard(GuardSettings(), [target])
        transport: Transport
        if kind == "raw":
            transport = RawTransport(target, guard, RawSettings(**settings))  # type: ignore[arg-type]  # as they are
        else:
            transport = HttpTransport(target, guard, HttpSettings(**settings))  # type: ignore[arg-type]  # as they are
        opened.append(transport)
        return transport

    yield start
    for transport in opened:
        await transport.close()
        if isinstance(transport, RawTransport):
            assert transport.open_connections == 0


def open_sockets() -> list[str]:
    """What the process's socket descriptors point to."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            link = str(entry.readlink())
        except FileNotFoundError:
            continue  # the descriptor of the listing itself
        if link.startswith("socket:"):
            found.append(link)
    return found


def request(
    method: bytes = b"GET", target: bytes = b"/x", body: bytes = b"", *more: tuple[bytes, bytes]
) -> Request:
    length = ((b"Content-Length", b"%d" % len(body)),) if body else ()
    return Request(method, target, headers=((b"Host", b"shadow"), *length, *more), body=body)


def sending(
    ask: Request | None = None, *, wire: Wire | None = None, timeout: float = 5.0, lane: str = "a"
) -> Sending:
    return Sending(ask or request(), wire, timeout, lane)


def response_of(outcome: Outcome) -> Response:
    assert isinstance(outcome, Reply), outcome
    return outcome.response


def why(outcome: Outcome) -> Silence:
    assert isinstance(outcome, NoReply), outcome
    return outcome.why


def tls_target(server: Server) -> Target:
    return Target("candidate", "https", "127.0.0.1", server.port)


async def never_resolves(host: str, port: int) -> list[str]:
    await asyncio.Event().wait()
    return []


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """What is sent is sent alike on every loop that a replay may run on."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": LOOP}
