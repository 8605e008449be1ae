"""Both transports against loopback servers that do everything a server must not."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shadow.model import Ending, NoReply, Outcome, Reply, Request, Response, Silence, Wire
from shadow.replay._contract import Sending, Target, Transport
from shadow.replay.guard import Guard, GuardSettings
from shadow.replay.http import HttpSettings, HttpTransport
from shadow.replay.raw import RawSettings, RawTransport, is_self_contained
from shadow.replay.sayable import is_sayable
from shadow.wire.http1 import RequestReader, serialise_request

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
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
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.server.peers.append(self)

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
        self.transport.write(text)

    def reset(self) -> None:
        """Close with RST."""
        import socket
        import struct

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
            transport = RawTransport(target, guard, RawSettings(**settings))  # type: ignore[arg-type]
        else:
            transport = HttpTransport(target, guard, HttpSettings(**settings))  # type: ignore[arg-type]
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


# What comes back


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("method", "answer", "status", "body"),
    [
        pytest.param(b"GET", OK, 200, b"hi", id="length"),
        pytest.param(b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", id="204"),
        pytest.param(b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b"", id="304"),
        pytest.param(b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 200, b"", id="HEAD"),
        pytest.param(
            b"GET",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
            200,
            b"abcde",
            id="chunked",
        ),
        pytest.param(b"GET", b"HTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"hi", id="100 first"),
        pytest.param(
            b"GET", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" * 2 + OK, 200, b"hi", id="103 twice"
        ),
        pytest.param(
            b"GET", b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n", 302, b"", id="302"
        ),
    ],
)
async def test_the_answer_is_what_the_server_said(
    serve: Serve, transports: Open, kind: str, method: bytes, answer: bytes, status: int, body: bytes
) -> None:
    server = await serve(answering(answer))
    outcome = await transports(kind, server.target).send(sending(request(method)))
    response = response_of(outcome)
    assert (response.status, response.body, response.is_complete) == (status, body, True)
    assert len(server.peers) == 1


@pytest.mark.parametrize("kind", BOTH)
async def test_an_answer_up_to_the_close_is_complete(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(answering_and_closing(b"HTTP/1.1 200 Fine\r\nX: a\r\nx:  b \r\n\r\nto the end"))
    response = response_of(await transports(kind, server.target).send(sending()))
    assert response == Response(200, b"Fine", b"HTTP/1.1", ((b"X", b"a"), (b"x", b"b")), b"to the end")


async def test_trailers_are_kept(serve: Serve, transports: Open) -> None:
    server = await serve(
        answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n")
    )
    response = response_of(await transports("raw", server.target).send(sending()))
    assert response.trailers == ((b"X-Sum", b"1"),)


@pytest.mark.parametrize("kind", BOTH)
async def test_encoded_content_is_left_encoded(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(
        answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b!")
    )
    assert response_of(await transports(kind, server.target).send(sending())).body == b"\x1f\x8b!"


@pytest.mark.parametrize("kind", BOTH)
async def test_cookies_are_not_kept(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    transport = transports(kind, server.target)
    await transport.send(sending())
    await transport.send(sending())
    assert b"Cookie" not in server.peers[0].got
    assert server.peers[0].got.count(b"GET /x") == 2


@pytest.mark.parametrize("kind", BOTH)
async def test_a_longer_body_than_allowed_is_cut_and_says_so(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000))
    response = response_of(await transports(kind, server.target, body_bytes_max=1000).send(sending()))
    assert (response.body, response.is_complete) == (b"x" * 1000, False)


async def test_timing_counts_from_the_start_and_a_kept_connection_needs_no_connect(
    serve: Serve, transports: Open
) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    first, second = await transport.send(sending()), await transport.send(sending())
    assert 0 < first.timing.connect_seconds <= first.timing.first_byte_seconds <= first.timing.total_seconds
    assert second.timing.connect_seconds == 0 < second.timing.first_byte_seconds


# What goes wrong


ANSWER = b"HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Length: 5\r\n\r\nhello"
HEAD_SIZE = len(ANSWER) - 5


@pytest.mark.parametrize("kind", BOTH)
async def test_a_close_at_every_byte_of_the_answer_is_a_value(
    serve: Serve, transports: Open, kind: str
) -> None:
    offsets = iter(range(len(ANSWER) + 1))
    server = await serve(lambda peer, _: answering_and_closing(ANSWER[: next(offsets)])(peer, request()))
    transport = transports(kind, server.target)
    for offset in range(len(ANSWER) + 1):
        # POST: aiohttp would try a GET again, and a new connection must meet the next offset
        outcome = await transport.send(sending(request(b"POST", b"/x", b"{}"), lane=str(offset)))
        if offset >= HEAD_SIZE:
            response = response_of(outcome)
            assert response.body == ANSWER[HEAD_SIZE:offset]
            assert response.is_complete == (offset == len(ANSWER))
        elif offset == 0:
            assert why(outcome) is Silence.CLOSED
        elif kind == "raw":
            assert why(outcome) is Silence.MALFORMED
        else:
            assert why(outcome) in (Silence.CLOSED, Silence.MALFORMED)


async def test_a_reset_at_every_byte_of_the_answer_is_a_value(serve: Serve, transports: Open) -> None:
    state = {"offset": 0}

    def behave(peer: Peer, _: Request) -> None:
        peer.write(ANSWER[: state["offset"]])
        peer.reset()

    server = await serve(behave)
    transport = transports("raw", server.target)
    for offset in range(len(ANSWER) + 1):
        state["offset"] = offset
        outcome = await transport.send(sending(lane=str(offset)))
        if offset < HEAD_SIZE:
            assert why(outcome) is Silence.RESET
        elif isinstance(outcome, Reply):  # the kernel may drop what the reset overtakes
            assert outcome.response.is_complete == (outcome.response.body == b"hello")
            assert ANSWER[HEAD_SIZE:offset].startswith(outcome.response.body)
        else:
            assert outcome.why is Silence.RESET


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"HTTP/1.1\r\n\r\n",
    ],
    ids=["ssh", "status", "tls alert", "no status"],
)
async def test_bytes_that_are_no_http_are_malformed(
    serve: Serve, transports: Open, kind: str, answer: bytes
) -> None:
    server = await serve(answering(answer))
    assert why(await transports(kind, server.target).send(sending())) is Silence.MALFORMED


@pytest.mark.parametrize("kind", BOTH)
async def test_a_broken_chunk_is_malformed(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"))
    assert why(await transports(kind, server.target).send(sending())) is Silence.MALFORMED


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 O", ANSWER[:-1]], ids=["nothing", "half a head", "half a body"]
)
async def test_a_server_that_stops_is_timed_out(
    serve: Serve, transports: Open, kind: str, answer: bytes
) -> None:
    server = await serve(answering(answer))
    outcome = await transports(kind, server.target).send(sending(timeout=0.05))
    assert why(outcome) is Silence.TIMED_OUT
    await server.peers[0].closed.wait()


@pytest.mark.parametrize("kind", BOTH)
async def test_an_event_stream_that_goes_on_is_an_answer_cut_at_the_time_limit(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve(answering(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"))
    response = response_of(await transports(kind, server.target).send(sending(timeout=0.05)))
    assert (response.body, response.is_complete) == (b"data: 1\n\n", False)


@pytest.mark.parametrize("kind", BOTH)
async def test_a_body_without_end_is_cut_at_its_limit(serve: Serve, transports: Open, kind: str) -> None:
    def pour(peer: Peer, _: Request) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 8_000_000)

    server = await serve(pour)
    response = response_of(await transports(kind, server.target, body_bytes_max=1000).send(sending()))
    assert (response.body, response.is_complete) == (b"x" * 1000, False)
    await server.peers[0].closed.wait()


@pytest.mark.parametrize("kind", BOTH)
async def test_a_tls_handshake_that_never_ends_is_refused(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(on_bytes=lambda _: None)
    transport = transports(kind, tls_target(server), connect_timeout_seconds=0.05)
    assert why(await transport.send(sending())) is Silence.REFUSED
    await server.peers[0].closed.wait()


@pytest.mark.parametrize("kind", BOTH)
async def test_a_closed_port_is_refused(transports: Open, kind: str, unused_tcp_port: int) -> None:
    target = Target("candidate", "http", "127.0.0.1", unused_tcp_port)
    outcome = await transports(kind, target).send(sending())
    assert why(outcome) is Silence.REFUSED
    assert outcome.timing.connect_seconds == 0


@pytest.mark.parametrize("kind", BOTH)
async def test_a_connect_that_takes_too_long_is_refused(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve()
    guard = Guard(GuardSettings(), [server.target], resolve=never_resolves)
    transport = transports(kind, server.target, guard=guard, connect_timeout_seconds=0.02)
    assert why(await transport.send(sending(timeout=0.2))) is Silence.REFUSED


@pytest.mark.parametrize("kind", BOTH)
async def test_a_slow_server_is_waited_for(serve: Serve, transports: Open, kind: str) -> None:
    def drip(peer: Peer, _: Request) -> None:
        loop = asyncio.get_running_loop()
        for position in range(len(ANSWER)):
            loop.call_later(0.001 * position, peer.write, ANSWER[position : position + 1])

    server = await serve(drip)
    assert response_of(await transports(kind, server.target).send(sending())).body == b"hello"


async def never_resolves(host: str, port: int) -> list[str]:
    await asyncio.Event().wait()
    return []


# What was cancelled


async def cancelled_once(server: Server, transport: Transport, what: Sending) -> None:
    """Cancels `what` as soon as the server has heard of it, and waits until its connection is gone."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(transport.send(what), name="sending")
        await server.arrived.wait()
        task.cancel()
    assert task.cancelled()
    await server.peers[-1].closed.wait()


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("answer", [b"", ANSWER[:-1]], ids=["before the answer", "inside the answer"])
async def test_cancelling_closes_the_connection(
    serve: Serve, transports: Open, kind: str, answer: bytes
) -> None:
    server = await serve(answering(answer))
    await cancelled_once(server, transports(kind, server.target), sending())


@pytest.mark.parametrize(
    "wire",
    [
        Wire((b"GET / HTTP/1.1\r\n", b"\r\n"), pause_seconds=60),
        Wire((b"POST / HTTP/1.1\r\n\r\n" + b"x" * 20_000_000, b"y")),
        Wire((b"GET / HTTP/1.1\r\n\r\n",), ending=Ending.HALF_CLOSE),
    ],
    ids=["in a pause", "in a write", "after half a close"],
)
async def test_cancelling_a_wire_sending_closes_the_connection(
    serve: Serve, transports: Open, wire: Wire
) -> None:
    server = await serve(on_bytes=lambda peer: peer.transport.pause_reading(), stays_half_open=True)
    transport = transports("raw", server.target)
    assert isinstance(transport, RawTransport)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(transport.send(sending(wire=wire)), name="sending")
        await server.arrived.wait()
        task.cancel()
    assert task.cancelled()
    await asyncio.sleep(0)  # the turn of the loop in which an aborted connection lets go of its socket
    assert transport.open_connections == 0


async def test_a_write_that_nobody_reads_is_timed_out(serve: Serve, transports: Open) -> None:
    server = await serve(on_bytes=lambda peer: peer.transport.pause_reading())
    wire = Wire((b"POST / HTTP/1.1\r\n\r\n" + b"x" * 20_000_000, b"y"))
    outcome = await transports("raw", server.target).send(sending(wire=wire, timeout=0.03))
    assert why(outcome) is Silence.TIMED_OUT


@pytest.mark.parametrize("kind", BOTH)
async def test_cancelling_while_the_name_is_resolved_leaves_nothing_open(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    asked = asyncio.Event()

    async def resolve(host: str, port: int) -> list[str]:
        asked.set()
        return await never_resolves(host, port)

    transport = transports(
        kind, server.target, guard=Guard(GuardSettings(), [server.target], resolve=resolve)
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(transport.send(sending()), name="sending")
        await asked.wait()
        task.cancel()
    assert task.cancelled()
    assert server.peers == []


async def test_cancelling_while_more_bytes_are_looked_for_closes_the_connection(
    serve: Serve, transports: Open
) -> None:
    server = await serve()
    transport = transports("raw", server.target, surplus_wait_seconds=60)
    await cancelled_once(server, transport, sending(request(b"HEAD")))


@pytest.mark.parametrize("kind", BOTH)
async def test_cancelling_while_waiting_for_the_rate_sends_nothing(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    guard = Guard(GuardSettings(requests_per_second_max=0.01), [server.target])
    transport = transports(kind, server.target, guard=guard)
    await transport.send(sending())
    async with asyncio.TaskGroup() as group:
        task = group.create_task(transport.send(sending()), name="sending")
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert server.peers[0].count == 1


@pytest.mark.parametrize("kind", BOTH)
async def test_cancelling_a_tls_handshake_closes_the_connection(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve(on_bytes=lambda _: None)
    await cancelled_once(server, transports(kind, tls_target(server)), sending())


# Kept connections


async def test_a_lane_uses_its_connection_again_and_lanes_do_not_share(
    serve: Serve, transports: Open
) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    for lane in "aabab":
        response_of(await transport.send(sending(lane=lane)))
    assert [peer.count for peer in server.peers] == [3, 2]


async def test_sendings_of_a_lane_at_the_same_time_get_connections_of_their_own(
    serve: Serve, transports: Open
) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    async with asyncio.TaskGroup() as group:
        for number in range(3):
            group.create_task(transport.send(sending()), name=f"sending {number}")
    assert [peer.count for peer in server.peers] == [1, 1, 1]


async def test_the_connection_unused_for_longest_makes_room(serve: Serve, transports: Open) -> None:
    server = await serve()
    transport = transports("raw", server.target, idle_connections_max=2)
    for lane in "abc":
        await transport.send(sending(lane=lane))
    await server.peers[0].closed.wait()
    assert isinstance(transport, RawTransport)
    assert transport.open_connections == 2
    await transport.send(sending(lane="b"))
    assert [peer.count for peer in server.peers] == [1, 2, 1]


async def test_a_connection_idle_for_too_long_is_not_used_again(serve: Serve, transports: Open) -> None:
    server = await serve()
    transport = transports("raw", server.target, idle_seconds_max=-1.0)
    await transport.send(sending())
    await transport.send(sending())
    assert [peer.count for peer in server.peers] == [1, 1]


@pytest.mark.parametrize("kind", BOTH)
async def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    transport = transports(kind, server.target)
    await transport.send(sending())
    server.peers[0].transport.close()
    await server.peers[0].closed.wait()
    outcome = await transport.send(sending(request(b"POST", b"/x", b"body")))
    assert response_of(outcome).status == 200
    assert [peer.count for peer in server.peers] == [1, 1]


def closes_on_the_second(peer: Peer, _: Request) -> None:
    if peer.count == 1:
        peer.write(OK)
    else:
        peer.transport.abort()


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS"])
async def test_an_idempotent_request_on_a_dead_kept_connection_is_sent_once_more(
    serve: Serve, transports: Open, method: bytes
) -> None:
    server = await serve(closes_on_the_second)
    transport = transports("raw", server.target)
    await transport.send(sending())
    assert response_of(await transport.send(sending(request(method)))).status == 200
    assert [peer.count for peer in server.peers] == [2, 1]


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"FROB"])
async def test_any_other_request_is_never_sent_twice(serve: Serve, transports: Open, method: bytes) -> None:
    server = await serve(closes_on_the_second)
    transport = transports("raw", server.target)
    await transport.send(sending())
    outcome = await transport.send(sending(request(method)))
    assert why(outcome) in (Silence.CLOSED, Silence.RESET)
    assert "kept connection" in str(outcome)
    assert [peer.count for peer in server.peers] == [2]


async def test_a_first_connection_that_dies_is_not_tried_again(serve: Serve, transports: Open) -> None:
    server = await serve(lambda peer, _: peer.transport.abort())
    assert why(await transports("raw", server.target).send(sending())) in (Silence.CLOSED, Silence.RESET)
    assert len(server.peers) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        OK + b"more than was announced",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ],
    ids=["close", "1.0", "surplus", "101"],
)
async def test_a_connection_that_cannot_serve_another_is_closed(
    serve: Serve, transports: Open, answer: bytes
) -> None:
    server = await serve(answering(answer))
    await transports("raw", server.target).send(sending())
    await server.peers[0].closed.wait()


async def test_bytes_on_an_idle_connection_close_it(serve: Serve, transports: Open) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    await transport.send(sending())
    server.peers[0].write(OK)
    await server.peers[0].closed.wait()
    await transport.send(sending())
    assert [peer.count for peer in server.peers] == [1, 1]


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (request(), True),
        (request(b"POST", b"/", b"abc"), True),
        (request(b"GET", b"/", b"", (b"Transfer-Encoding", b"chunked")), True),
        (Request(b"POST", b"/", headers=((b"Content-Length", b"5"),), body=b"abc"), False),
        (Request(b"POST", b"/", headers=((b"Content-Length", b"+3"),), body=b"abc"), False),
        (Request(b"POST", b"/", headers=((b"Content-Length", b"3"),) * 2, body=b"abc"), False),
        (Request(b"POST", b"/", body=b"GET / HTTP/1.1"), False),
        (Request(b"POST", b"/", headers=((b"Transfer-Encoding", b"x, chunked"),), body=b"abc"), False),
        (request(b"POST", b"/", b"abc", (b"transfer-encoding", b"chunked")), False),
        (request(b"GET", b"/ HTTP/1.1\r\nX: y"), False),
        (request(b"GET", b"/", b"", (b"X", b"a\nContent-Length: 3")), False),
        (request(b"GET", b"/", b"", (b"Content-Length ", b"3")), False),
        (request(b"GET", b"/", b"", (b"X\r\n\r\nGET", b"3")), False),
        (request(b"CONNECT", b"a:1"), False),
        (request(b"GET", b"/", b"", (b"Connection", b"close")), False),
        (Request(b"GET", b"/", b"HTTP/1.0"), False),
        (Request(b"", b"/"), False),
    ],
)
def test_only_a_request_that_nobody_reads_otherwise_shares_a_connection(ask: Request, expected: bool) -> None:
    assert is_self_contained(ask, serialise_request(ask)) is expected


# Exact bytes


@pytest.mark.parametrize(
    "ask",
    [
        Request(
            b"gEt",
            b"/a/../%7e?x=%41&&y",
            headers=((b"hOST", b"h"), (b"X", b"\xe9"), (b"x", b""), (b"X", b"2")),
        ),
        Request(b"FROB*", b"*", b"HTTP/1.0", headers=((b"Host", b"a"), (b"HOST", b"b"))),
        Request(b"POST", b"http://h/", headers=((b"Content-Length", b"3"),), body=b"\x00\r\n"),
        Request(b"POST", b"/", headers=((b"Host", b"h"), (b"Transfer-Encoding", b"chunked")), body=b"abc"),
    ],
    ids=["odd case", "odd method", "binary body", "chunked"],
)
async def test_raw_sends_a_request_byte_for_byte(serve: Serve, transports: Open, ask: Request) -> None:
    expected = serialise_request(ask)

    def behave(peer: Peer) -> None:
        if len(peer.got) == len(expected):
            peer.write(OK)

    server = await serve(on_bytes=behave)
    assert response_of(await transports("raw", server.target).send(sending(ask))).status == 200
    assert server.peers[0].got == expected


@pytest.mark.parametrize(
    "ask",
    [
        request(b"GET", b"/a/../%7e?x=%41&&y", b"", (b"x-B", b"1"), (b"A", b""), (b"x-B", b"2")),
        request(b"POST", b"/", b"\x00\xff", (b"X", "é".encode())),
        Request(b"DELETE", b"//x;y", headers=((b"Host", b"h"), (b"content-length", b"0"))),
        request(b"FROB*", b"/", b"abc", (b"Cookie", b"a=b; c"), (b"Accept-Encoding", b"gzip")),
    ],
    ids=["target", "body", "empty", "method"],
)
async def test_aiohttp_sends_what_it_says_it_can_byte_for_byte(
    serve: Serve, transports: Open, ask: Request
) -> None:
    server = await serve()
    transport = transports("aiohttp", server.target)
    assert transport.can_send(sending(ask))
    response_of(await transport.send(sending(ask)))
    assert server.peers[0].got == serialise_request(ask)


@pytest.mark.parametrize(
    "ask",
    [
        request(b"get"),
        request(b"G T"),
        request(b"GET", b"x"),
        request(b"GET", b"/#a"),
        request(b"GET", b"/?"),
        request(b"GET", b"/\xe9"),
        request(b"GET", b"/ x"),
        request(b"GET", b"/", b"", (b"X", b"1"), (b"x", b"2")),
        request(b"GET", b"/", b"", (b"X", b"\xe9")),
        request(b"GET", b"/", b"", (b"X", b"a\x00b")),
        request(b"GET", b"/", b"", (b"X", b"a\nb")),
        request(b"GET", b"/", b"", (b"X y", b"a")),
        request(b"GET", b"/", b"", (b"Host", b"second")),
        request(b"GET", b"/", b"", (b"Expect", b"100-continue")),
        request(b"GET", b"/", b"", (b"Transfer-Encoding", b"chunked")),
        request(b"POST"),
        Request(b"GET", b"/"),
        Request(b"GET", b"/", headers=((b"A", b"b"), (b"Host", b"h"))),
        Request(b"GET", b"/", b"HTTP/1.0", headers=((b"Host", b"h"),)),
        Request(b"POST", b"/", headers=((b"Host", b"h"), (b"Content-Length", b"1")), body=b"ab"),
        Request(b"POST", b"/", headers=((b"Host", b"h"),), body=b"ab"),
    ],
    ids=lambda ask: repr(serialise_request(ask))[:60],
)
async def test_aiohttp_refuses_what_it_cannot_say(serve: Serve, transports: Open, ask: Request) -> None:
    server = await serve()
    assert not is_sayable(ask)
    assert why(await transports("aiohttp", server.target).send(sending(ask))) is Silence.UNSENT
    assert server.peers == []


async def test_aiohttp_cannot_send_a_wire(serve: Serve, transports: Open) -> None:
    server = await serve()
    assert not transports("aiohttp", server.target).can_send(sending(wire=Wire((b"x",))))


async def test_wire_segments_arrive_one_by_one_in_order(serve: Serve, transports: Open) -> None:
    pieces: list[bytes] = []
    segments = (b"GE", b"T / HT", b"TP/1.1\r\nA: b\r", b"\n\r\n")

    def behave(peer: Peer) -> None:
        pieces.append(peer.got)
        if peer.got.endswith(b"\r\n\r\n"):
            peer.write(OK)

    server = await serve(on_bytes=behave)
    outcome = await transports("raw", server.target).send(sending(wire=Wire(segments, pause_seconds=0.01)))
    assert response_of(outcome).status == 200
    assert pieces == [b"".join(segments[: count + 1]) for count in range(len(segments))]


async def test_a_wire_always_gets_a_connection_of_its_own(serve: Serve, transports: Open) -> None:
    server = await serve()
    transport = transports("raw", server.target)
    wire = Wire((serialise_request(request()),))
    for what in (sending(), sending(wire=wire), sending()):
        response_of(await transport.send(what))
    assert [peer.count for peer in server.peers] == [2, 1]
    await server.peers[1].closed.wait()


async def test_half_a_close_is_seen_before_the_answer(serve: Serve, transports: Open) -> None:
    server = await serve(on_bytes=lambda _: None, on_eof=lambda peer: peer.write(OK), stays_half_open=True)
    wire = Wire((b"GET / HTTP/1.0\r\n",), ending=Ending.HALF_CLOSE)
    assert response_of(await transports("raw", server.target).send(sending(wire=wire))).body == b"hi"
    assert server.peers[0].saw_eof


async def test_a_reset_is_seen_as_such(serve: Serve, transports: Open) -> None:
    server = await serve(on_bytes=lambda _: None)
    wire = Wire((b"GET / HTTP/1.1\r\n",), ending=Ending.RESET)
    assert why(await transports("raw", server.target).send(sending(wire=wire))) is Silence.RESET
    await server.arrived.wait()
    await server.peers[0].closed.wait()
    assert isinstance(server.peers[0].loss, ConnectionResetError)
    assert server.peers[0].got == b"GET / HTTP/1.1\r\n"


async def test_half_a_close_over_tls_is_unsent() -> None:
    target = Target("candidate", "https", "127.0.0.1", 1)
    transport = RawTransport(target, Guard(GuardSettings(), [target]))
    what = sending(wire=Wire((b"x",), ending=Ending.HALF_CLOSE))
    assert not transport.can_send(what)
    assert why(await transport.send(what)) is Silence.UNSENT


# Surplus


async def test_the_answer_to_a_smuggled_request_is_surplus(serve: Serve, transports: Open) -> None:
    server = await serve()
    wire = Wire((serialise_request(request()) * 2,))
    outcome = await transports("raw", server.target).send(sending(wire=wire))
    assert isinstance(outcome, Reply)
    assert outcome.surplus == OK


async def test_surplus_that_comes_later_is_waited_for(serve: Serve, transports: Open) -> None:
    def behave(peer: Peer, _: Request) -> None:
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        asyncio.get_running_loop().call_later(0.01, peer.write, b"body")
        asyncio.get_running_loop().call_later(0.02, peer.transport.close)

    server = await serve(behave)
    transport = transports("raw", server.target, surplus_wait_seconds=30)
    outcome = await transport.send(sending(request(b"HEAD")))
    assert isinstance(outcome, Reply)
    assert (outcome.response.body, outcome.surplus) == (b"", b"body")


async def test_surplus_is_bounded(serve: Serve, transports: Open) -> None:
    server = await serve(answering_and_closing(OK + b"x" * 200_000))
    transport = transports("raw", server.target, surplus_wait_seconds=30)
    outcome = await transport.send(sending(wire=Wire((b"GET / HTTP/1.1\r\n\r\n",))))
    assert isinstance(outcome, Reply)
    assert outcome.surplus == b"x" * 65_536


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shadow")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path


def tls_target(server: Server) -> Target:
    return Target("candidate", "https", "127.0.0.1", server.port)


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_without_verification_takes_any_certificate(
    serve: Serve, transports: Open, kind: str, certificate: Path
) -> None:
    server = await serve(tls=server_context(certificate))
    transport = transports(kind, tls_target(server), verify_tls=False)
    assert response_of(await transport.send(sending())).body == b"hi"
    assert response_of(await transport.send(sending(request(b"POST", b"/", b"x")))).body == b"hi"
    assert sum(peer.count for peer in server.peers) == 2


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_with_an_unknown_issuer_is_refused(
    serve: Serve, transports: Open, kind: str, certificate: Path
) -> None:
    server = await serve(tls=server_context(certificate))
    outcome = await transports(kind, tls_target(server)).send(sending())
    assert why(outcome) is Silence.REFUSED
    assert "certificate" in str(outcome)


@pytest.mark.parametrize("kind", BOTH)
async def test_tls_to_a_plain_server_is_refused(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve(on_bytes=lambda peer: peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert why(await transports(kind, tls_target(server)).send(sending())) is Silence.REFUSED


# Safety


@pytest.mark.parametrize("kind", BOTH)
async def test_a_name_that_changes_to_the_live_service_after_the_check_gets_nothing(
    serve: Serve, transports: Open, kind: str
) -> None:
    live, candidate = await serve(), await serve()
    answers = iter([["127.0.0.1"], ["192.0.2.1"], ["127.0.0.1"], ["127.0.0.1"]])

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    target = Target("candidate", "http", "candidate.test", live.port)
    guard = Guard(
        GuardSettings(live=(f"live.test:{live.port}",)), [target], resolve=resolve, is_local=lambda ip: False
    )
    await guard.check()
    transport = transports(kind, target, guard=guard)
    assert why(await transport.send(sending())) is Silence.UNSENT
    assert "is the live" in guard.halted
    assert why(await transport.send(sending())) is Silence.UNSENT
    assert live.peers == candidate.peers == []


@pytest.mark.parametrize("kind", BOTH)
async def test_the_address_that_was_checked_is_the_one_connected_to(
    serve: Serve, transports: Open, kind: str
) -> None:
    server = await serve()
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    target = Target("candidate", "http", "name.that.no.resolver.knows.test", server.port)
    transport = transports(kind, target, guard=Guard(GuardSettings(), [target], resolve=resolve))
    assert response_of(await transport.send(sending())).status == 200
    assert asked == [target.host]


@pytest.mark.parametrize("kind", BOTH)
async def test_every_address_is_tried(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve()

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.9.9.9", "127.0.0.1"]

    transport = transports(
        kind, server.target, guard=Guard(GuardSettings(), [server.target], resolve=resolve)
    )
    assert response_of(await transport.send(sending())).status == 200


@pytest.mark.parametrize("kind", BOTH)
async def test_a_name_without_address_is_refused(transports: Open, kind: str) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    target = Target("candidate", "http", "gone.test", 80)
    transport = transports(kind, target, guard=Guard(GuardSettings(), [target], resolve=resolve))
    assert why(await transport.send(sending())) is Silence.REFUSED


@pytest.mark.parametrize("kind", BOTH)
async def test_nothing_is_sent_once_the_budget_is_spent(serve: Serve, transports: Open, kind: str) -> None:
    server = await serve()
    guard = Guard(GuardSettings(requests_max=2), [server.target])
    transport = transports(kind, server.target, guard=guard)
    outcomes = [await transport.send(sending()) for _ in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Reply, Reply, NoReply]
    assert why(outcomes[2]) is Silence.UNSENT
    assert sum(peer.count for peer in server.peers) == 2


async def test_closing_leaves_no_socket_open(serve: Serve) -> None:
    server = await serve(silent)
    before = set(open_sockets())
    transport = RawTransport(server.target, Guard(GuardSettings(), [server.target]))
    for lane in range(3):
        server.on_request = answering(OK)
        await transport.send(sending(lane=str(lane)))
        server.on_request = silent
        await transport.send(sending(timeout=0.01, lane=str(lane)))
    await transport.close()
    for peer in server.peers:
        await peer.closed.wait()
    assert set(open_sockets()) == before
