"""The mirror tap: it answers every copy of a request at once, and hands it on as it was."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.errors import TapError
from shadow.feed.frames import Hello
from shadow.feed.sender import PIPELINE_GONE, Sender, SenderSettings
from shadow.model import Request
from shadow.taps.mirror import MirrorSettings, run_mirror
from shadow.taps.mirror_connection import Mirror, MirrorConnection
from shadow.taps.taker import TakesExchanges
from tests.taps.proxies import PATIENCE_SECONDS, Proxy, Taken

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
CLOSED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
KEPT = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MALFORMED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
GET = b"GET /a?b=1 HTTP/1.1\r\nHost: api.test\r\n\r\n"


@asynccontextmanager
async def mirrored(taker: TakesExchanges, **settings: Any) -> AsyncIterator[Proxy]:
    """A running receiver."""
    chosen = MirrorSettings(listen_port=0, **settings)
    stop = asyncio.Event()
    listening: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    def ready(host: str, port: int) -> None:
        listening.set_result((host, port))

    async with asyncio.timeout(3 * PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(run_mirror(chosen, taker, ready=ready, stop=stop))
        try:
            yield Proxy(*await listening, stop)
        finally:
            stop.set()


async def say(receiver: Proxy, *turns: tuple[bytes, bytes], ends: bool = False) -> None:
    """Say the first of each pair and hear exactly the second; where it `ends`, nothing follows."""
    reader, writer = await receiver.connect()
    async with asyncio.timeout(PATIENCE_SECONDS):
        for said, heard in turns:
            writer.write(said)
            assert await reader.readexactly(len(heard)) == heard
        if ends:
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_request_is_taken_as_it_is_and_has_no_answer() -> None:
    fields = b"host: a\r\nX-A: 1\r\nx-a: 2\r\nX-Name: J\xf6rg\r\nContent-Length: 5\r\n"
    said = b"post /x%2fy HTTP/1.1\r\n" + fields + b"\r\nhello"
    taken = Taken()
    async with mirrored(taken, live="api.test") as receiver:
        await say(receiver, (said, ACCEPTED))
        exchange = await taken.exchange()
    assert exchange.request == Request(
        b"post",
        b"/x%2fy",
        headers=(
            (b"host", b"a"),
            (b"X-A", b"1"),
            (b"x-a", b"2"),
            (b"X-Name", b"J\xf6rg"),
            (b"Content-Length", b"5"),
        ),
        body=b"hello",
    )
    assert (exchange.response, exchange.latency_seconds) == (None, None)
    assert (exchange.index, exchange.tap, exchange.live) == (0, "mirror", "api.test")
    assert len(taken.seconds) == 1


@pytest.mark.parametrize(
    ("turns", "bodies", "ends"),
    [
        pytest.param([(GET, ACCEPTED), (GET, ACCEPTED)], [b"", b""], False, id="kept alive"),
        pytest.param([(GET * 3, ACCEPTED * 3)], [b"", b"", b""], False, id="pipelined"),
        pytest.param(
            [
                (
                    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + GET,
                    ACCEPTED * 2,
                )
            ],
            [b"abc", b""],
            False,
            id="chunked",
        ),
        pytest.param(
            [
                (b"PUT / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n", CONTINUE),
                (b"abc" + GET, ACCEPTED * 2),
            ],
            [b"abc", b""],
            False,
            id="asks before the body",
        ),
        pytest.param(
            [(b"PUT / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc", ACCEPTED)],
            [b"abc"],
            False,
            id="asks and does not wait",
        ),
        pytest.param([(b"HEAD / HTTP/1.1\r\n\r\n" + GET, ACCEPTED * 2)], [b"", b""], False, id="HEAD"),
        pytest.param([(b"\r\n" + GET, ACCEPTED)], [b""], False, id="after an empty line"),
        pytest.param([(b"GET / HTTP/1.1\r\nConnection: a, Close\r\n\r\n", CLOSED)], [b""], True, id="closed"),
        pytest.param([(b"GET / HTTP/1.0\r\n\r\n", CLOSED)], [b""], True, id="HTTP/1.0"),
        pytest.param(
            [(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", KEPT), (GET, ACCEPTED)],
            [b"", b""],
            False,
            id="HTTP/1.0 kept alive",
        ),
        pytest.param(
            [(b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + GET, ACCEPTED * 2)],
            [b"", b""],
            False,
            id="another protocol is not begun",
        ),
    ],
)
async def test_every_request_is_answered_once_it_is_whole(
    turns: list[tuple[bytes, bytes]], bodies: list[bytes], *, ends: bool
) -> None:
    taken = Taken()
    async with mirrored(taken, linger_seconds=99.0) as receiver:
        await say(receiver, *turns, ends=ends)
        found = [await taken.exchange() for _ in bodies]
    assert [each.request.body for each in found] == bodies
    assert [each.index for each in found] == list(range(len(bodies)))


MALFORMED_REQUESTS = {
    "no request line": b"BAD\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "chunk size": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "head without end": b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
}


@pytest.mark.parametrize("said", MALFORMED_REQUESTS.values(), ids=MALFORMED_REQUESTS)
async def test_malformed_request_is_refused_counted_and_costs_its_connection_alone(said: bytes) -> None:
    taken = Taken()
    async with mirrored(taken) as receiver:
        await say(receiver, (GET + said, ACCEPTED + MALFORMED), ends=True)
        await say(receiver, (GET, ACCEPTED))
        assert [await taken.next() for _ in range(3)][1] == "malformed_request"


@pytest.mark.parametrize(
    ("said", "early"),
    [
        pytest.param(b"Content-Length: 3000\r\n\r\n", ACCEPTED, id="of known length"),
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nbb8\r\n", b"", id="chunked"),
        pytest.param(b"Content-Length: 3000\r\nExpect: 100-continue\r\n\r\n", CONTINUE, id="asks before"),
    ],
)
async def test_body_over_the_limit_is_answered_counted_and_read_to_its_end(said: bytes, early: bytes) -> None:
    taken = Taken()
    end = b"\r\n0\r\n\r\n" if b"chunked" in said else b""
    async with mirrored(taken, max_body_bytes=1000) as receiver:
        late = b"" if early == ACCEPTED else ACCEPTED
        await say(
            receiver, (b"POST / HTTP/1.1\r\n" + said, early), (b"x" * 3000 + end + GET, late + ACCEPTED)
        )
        assert await taken.next() == "too_large"
        assert (await taken.exchange()).index == 1
    assert taken.all.empty()


async def test_head_for_which_there_is_no_room_is_refused() -> None:
    taken = Taken()
    async with mirrored(taken, max_held_bytes=10) as receiver:
        await say(receiver, (b"GET / HTTP/1.1\r\n", FULL), ends=True)
        assert await taken.next() == "too_large"


async def test_who_connects_beyond_the_limit_is_refused_at_once_until_others_go() -> None:
    taken = Taken()
    async with mirrored(taken, max_connections=1) as receiver:
        reader, writer = await receiver.connect()
        writer.write(GET)
        assert await reader.readexactly(len(ACCEPTED)) == ACCEPTED
        await say(receiver, (b"", FULL), ends=True)
        writer.write(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert await reader.read() == CLOSED
        writer.close()
        assert [type(await taken.next()).__name__ for _ in range(3)] == ["Exchange", "str", "Exchange"]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await receiver.ask(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) == FULL:
                pass


async def test_who_is_silent_for_too_long_is_cut_off_and_what_it_began_is_counted() -> None:
    taken = Taken()
    async with mirrored(taken, idle_seconds=0.05) as receiver:
        reader, writer = await receiver.connect()
        writer.write(GET + b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == ACCEPTED
        writer.close()
        await taken.exchange()
        assert await taken.next() == "incomplete_request"


async def test_who_was_refused_and_does_not_go_is_cut_off() -> None:
    async with mirrored(Taken(), linger_seconds=0.05) as receiver:
        reader, writer = await receiver.connect()
        writer.write(b"BAD\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await reader.read() == MALFORMED
            with pytest.raises(ConnectionError):
                await _write_on(writer)


async def _write_on(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"more" * 10_000)
        await writer.drain()


async def test_request_whose_client_disappears_is_counted() -> None:
    taken = Taken()
    async with mirrored(taken) as receiver:
        _, writer = await receiver.connect()
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf")
        writer.close()
        assert await taken.next() == "incomplete_request"


async def test_requests_that_are_shadows_own_are_answered_and_not_taken() -> None:
    taken = Taken()
    async with mirrored(taken) as receiver:
        await say(receiver, (GET.replace(b"Host", b"Shadow-Run: 1\r\nHost") + GET, ACCEPTED * 2))
        assert (await taken.exchange()).index == 1
    assert taken.all.empty()


@pytest.mark.parametrize(
    ("fields", "session"),
    [
        pytest.param(b"X-Forwarded-For: 203.0.113.7, 10.0.0.1\r\n", "mirror:203.0.113.7", id="client"),
        pytest.param(b"X-Real-IP: 10.1.1.1\r\nCookie: sid=1\r\n", "mirror:10.1.1.1", id="client first"),
        pytest.param(b"Cookie: sid=1\r\n", "mirror:", id="cookie"),
        pytest.param(b"", "127.0.0.1:", id="connection"),
    ],
)
async def test_session_is_the_client_or_its_credentials_or_the_connection(
    fields: bytes, session: str
) -> None:
    taken = Taken()
    async with mirrored(taken) as receiver:
        for _ in range(2):
            await say(receiver, (GET.replace(b"\r\n\r\n", b"\r\n" + fields + b"\r\n"), ACCEPTED))
        first, second = await taken.exchange(), await taken.exchange()
    assert first.session.startswith(session)
    assert (first.session == second.session) is bool(fields)


async def test_suffix_that_envoy_adds_is_taken_off_the_host() -> None:
    taken = Taken()
    async with mirrored(taken, live="api.test:80") as receiver:
        await say(receiver, (GET.replace(b"api.test", b"api.test-shadow"), ACCEPTED))
        exchange = await taken.exchange()
    assert exchange.request.headers == ((b"Host", b"api.test"),)


async def test_receiver_answers_whatever_becomes_of_the_pipeline(tmp_path: Path) -> None:
    settings = SenderSettings(max_queue_items=2, close_seconds=0.1)
    sender = Sender(tmp_path / "nobody.sock", Hello("mirror"), settings)
    async with mirrored(sender) as receiver:
        await say(receiver, (GET * 10, ACCEPTED * 10))
    ledger = await asyncio.to_thread(sender.close)
    assert (ledger.captured, ledger.dropped) == (10, {PIPELINE_GONE: 10})


async def test_requests_under_way_end_when_the_receiver_stops_and_idle_mirrors_are_let_go() -> None:
    taken = Taken()
    async with mirrored(taken) as receiver:
        idle, idle_writer = await receiver.connect()
        reader, writer = await receiver.connect()
        writer.write(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            await reader.readexactly(len(CONTINUE))
            receiver.stop.set()
            assert await idle.read() == b""
            writer.write(b"abc")
            assert await reader.read() == ACCEPTED
        idle_writer.close()
        writer.close()
        assert (await taken.exchange()).request.body == b"abc"


async def test_request_that_never_ends_is_cut_when_grace_is_over() -> None:
    taken = Taken()
    async with mirrored(taken, grace_seconds=0.05) as receiver:
        reader, writer = await receiver.connect()
        writer.write(GET + b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n")
        await reader.readexactly(len(ACCEPTED))
        receiver.stop.set()
        assert await reader.read() == b""
        writer.close()
    await taken.exchange()
    assert await taken.next() == "incomplete_request"


async def test_a_port_in_use_is_told_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
        settings = MirrorSettings(listen_port=port)
        with pytest.raises(TapError, match=rf"cannot listen on '127.0.0.1:{port}': .*--listen"):
            await run_mirror(settings, Taken(), ready=print, stop=asyncio.Event())


class FakeTransport(asyncio.Transport):
    """Remembers what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_paused = self.is_closed = False

    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.written += data

    def write_eof(self) -> None:
        self.is_closed = True

    def close(self) -> None:
        self.is_closed = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


def receiving(taken: Taken) -> Mirror:
    """A receiver without a network."""
    return Mirror(
        taken, live="", max_connections=9, max_head_bytes=200, max_body_bytes=50, max_held_bytes=400
    )


def connected(mirror: Mirror) -> tuple[MirrorConnection, FakeTransport]:
    connection, transport = MirrorConnection(mirror), FakeTransport()
    connection.connection_made(transport)
    return connection, transport


async def test_what_all_requests_hold_together_is_bounded_and_comes_back() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 50\r\n" + b"X-A: %b\r\n\r\n" % (b"x" * 80)
    taken = Taken()
    mirror = receiving(taken)
    connections = [connected(mirror) for _ in range(3)]
    for connection, _ in connections:
        connection.data_received(head + b"x" * 40)
    assert mirror.room_bytes < 0
    for connection, transport in connections:
        connection.data_received(b"x" * 10)
        assert transport.written == ACCEPTED
    found = [taken.all.get_nowait() for _ in range(taken.all.qsize())]
    assert ["too_large" if isinstance(each, str) else each.request.body for each in found] == [
        "too_large",
        b"x" * 50,
        b"x" * 50,
    ]
    assert mirror.room_bytes == 400


async def test_body_without_end_counts_for_no_more_than_may_be_kept_of_it() -> None:
    mirror = receiving(Taken())
    connection, _ = connected(mirror)
    connection.data_received(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n")
    for _ in range(100):
        connection.data_received(b"x" * 100)
    assert mirror.room_bytes == 400 - 250


async def test_body_that_is_announced_too_long_holds_nothing() -> None:
    mirror = receiving(Taken())
    connection, transport = connected(mirror)
    connection.data_received(b"POST / HTTP/1.1\r\nContent-Length: 300\r\n\r\n")
    held = mirror.room_bytes
    connection.data_received(b"x" * 200)
    assert (transport.written, mirror.room_bytes) == (ACCEPTED, held)


PIECES = st.lists(
    st.sampled_from(
        [
            GET,
            b"POST / HTTP/1.1\r\n",
            b"Content-Length: 3\r\n",
            b"Content-Length: 99\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"\r\n",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
            b"x" * 60,
        ]
    )
    | st.binary(max_size=20),
    max_size=30,
)


@given(pieces=PIECES)
async def test_no_bytes_make_it_raise_hold_on_or_answer_too_often(pieces: list[bytes]) -> None:
    taken = Taken()
    mirror = receiving(taken)
    connection, transport = connected(mirror)
    for piece in pieces:
        connection.data_received(piece)
    connection.connection_lost(None)
    answers = transport.written.count(b"HTTP/1.1 202") + transport.written.count(b"HTTP/1.1 400")
    answers += transport.written.count(b"HTTP/1.1 503")
    counted = [taken.all.get_nowait() for _ in range(taken.all.qsize())]
    assert len(counted) - 1 <= answers <= len(counted)
    assert "incomplete_request" not in counted[:-1]
    assert mirror.room_bytes == 400
    assert len(mirror.connections) == 0


async def test_mirror_that_does_not_read_its_answers_is_not_read_either() -> None:
    connection, transport = connected(receiving(Taken()))
    connection.pause_writing()
    assert transport.is_paused
    connection.resume_writing()
    assert not transport.is_paused
