"""Live traffic passes the inline tap as it would without it, and all of it is captured or counted."""

import asyncio
import os
import socket
import ssl
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import h2.connection
import h2.events
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shadow.errors import TapError
from shadow.feed.frames import Hello
from shadow.feed.receiver import Listener, receiving
from shadow.feed.sender import PIPELINE_GONE, QUEUE_FULL, Sender, SenderSettings
from shadow.model import Exchange

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.test import tflow

    from shadow.taps.mitm import MitmTap, ProxySettings, TakesExchanges, run_proxy

_PATIENCE_SECONDS = 10
_MIB = 1 << 20

type Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Taken:
    """What a tap handed on, in order."""

    def __init__(self) -> None:
        self.all: asyncio.Queue[Exchange | str] = asyncio.Queue()
        self.seconds: list[float] = []

    def offer(self, exchange: Exchange) -> bool:
        self.all.put_nowait(exchange)
        return True

    def skip(self, why: str) -> None:
        self.all.put_nowait(why)

    def time(self, seconds: float) -> None:
        self.seconds.append(seconds)

    async def exchange(self) -> Exchange:
        taken = await self.next()
        assert isinstance(taken, Exchange), taken
        return taken

    async def next(self) -> Exchange | str:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self.all.get()


class _Broken:
    """Raises wherever it can."""

    def offer(self, exchange: Exchange) -> bool:
        raise RuntimeError("offer")

    def skip(self, why: str) -> None:
        raise RuntimeError("skip")

    def time(self, seconds: float) -> None:
        raise RuntimeError("time")


class _Proxy:
    """A running proxy."""

    def __init__(self, host: str, port: int, stop: asyncio.Event) -> None:
        self.host, self.port, self.stop = host, port, stop

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)

    async def ask(self, request: bytes) -> bytes:
        """All that comes back on a connection of its own, which `request` must ask to be closed."""
        reader, writer = await self.connect()
        writer.write(request)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await reader.read(-1)
            writer.close()
            await writer.wait_closed()
        return answer


@asynccontextmanager
async def _live(respond: Respond, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a live service that lets `respond` have each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await respond(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side has gone, as some tests want it to
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=16 * _MIB, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def _proxied(
    taker: TakesExchanges, live_port: int, *, scheme: str = "http", **settings: Any
) -> AsyncIterator[_Proxy]:
    chosen = ProxySettings(f"{scheme}://127.0.0.1:{live_port}", listen_port=0, **settings)
    stop = asyncio.Event()
    listening: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    def ready(host: str, port: int) -> None:
        listening.set_result((host, port))

    async with asyncio.timeout(3 * _PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(run_proxy(chosen, taker, ready=ready, stop=stop))
        yield _Proxy(*await listening, stop)
        stop.set()


def _answers(answer: bytes, seen: list[bytes] | None = None) -> Respond:
    """Reads one request's head and declared body, writes it down, and sends `answer`."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await _body_of(head, reader)
        if seen is not None:
            seen.append(head + body)
        writer.write(answer)
        await writer.drain()

    return respond


async def _body_of(head: bytes, reader: asyncio.StreamReader) -> bytes:
    if b"chunked" in head:
        return await reader.readuntil(b"0\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.split(b":")[1]))
    return b""


_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


async def test_bytes_pass_and_are_captured_exactly() -> None:
    seen: list[bytes] = []
    request = (
        b"pOsT /a/../b//%7e?x=%zz&x=1;y&\xe9 HTTP/1.1\r\nhOST: Live.Example:1\r\n"
        b"X-Twice: 1\r\nx-tWICE: 2\r\nX-Latin: \xe4\xff\r\nX-Empty:\r\nContent-Encoding: br\r\n"
        b"Content-Length: 6\r\nConnection: close\r\n\r\n\x00\xffbody"
    )
    answer = (
        b"HTTP/1.1 299 Very \xe4 Fine\r\nset-COOKIE: a\r\nSet-Cookie: b\r\nx: \xff\r\n"
        b"Content-Length: 3\r\n\r\n\x00\xffx"
    )
    taken = _Taken()
    async with _live(_answers(answer, seen)) as port, _proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        writer.write(request)
        client = writer.get_extra_info("sockname")
        assert await reader.read(-1) == answer
        writer.close()
        exchange = await taken.exchange()
    assert seen == [request.replace(b"X-Empty:\r\n", b"X-Empty: \r\n")]
    assert exchange.request.method == b"pOsT"
    assert exchange.request.target == b"/a/../b//%7e?x=%zz&x=1;y&\xe9"
    assert exchange.request.version == b"HTTP/1.1"
    assert exchange.request.headers == (
        (b"hOST", b"Live.Example:1"),
        (b"X-Twice", b"1"),
        (b"x-tWICE", b"2"),
        (b"X-Latin", b"\xe4\xff"),
        (b"X-Empty", b""),
        (b"Content-Encoding", b"br"),
        (b"Content-Length", b"6"),
        (b"Connection", b"close"),
    )
    assert exchange.request.body == b"\x00\xffbody"
    assert exchange.response is not None
    assert exchange.response.status == 299
    assert exchange.response.reason == b"Very \xe4 Fine"
    assert exchange.response.headers == (
        (b"set-COOKIE", b"a"),
        (b"Set-Cookie", b"b"),
        (b"x", b"\xff"),
        (b"Content-Length", b"3"),
    )
    assert exchange.response.body == b"\x00\xffx"
    assert exchange.response.is_complete
    assert exchange.session == f"127.0.0.1:{client[1]}"
    assert exchange.live == f"127.0.0.1:{port}"
    assert exchange.tap == "mitm"
    assert exchange.latency_seconds is not None
    assert 0 < exchange.latency_seconds < _PATIENCE_SECONDS
    assert taken.seconds[0] > 0


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
            b"abcde",
            id="chunked",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end", b"until the end", id="to EOF"
        ),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", b"", id="204"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b"", id="304"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"", id="empty"),
    ],
)
async def test_each_framing_of_an_answer_is_undone_in_the_capture(answer: bytes, body: bytes) -> None:
    taken = _Taken()
    async with _live(_answers(answer)) as port, _proxied(taken, port) as proxy:
        await proxy.ask(_GET)
        exchange = await taken.exchange()
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (body, True)


async def test_a_chunked_request_is_captured_without_its_framing() -> None:
    seen: list[bytes] = []
    taken = _Taken()
    async with _live(_answers(_OK, seen)) as port, _proxied(taken, port) as proxy:
        await proxy.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
        )
        exchange = await taken.exchange()
    assert seen[0].endswith(b"0\r\n\r\n")
    assert exchange.request.body == b"abcde"


async def test_trailers_do_not_stop_live_traffic() -> None:
    seen: list[bytes] = []
    taken = _Taken()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    async with _live(_answers(head + b"X-Sum: 1\r\n\r\n", seen)) as port, _proxied(taken, port) as proxy:
        answer = await proxy.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            b"2\r\nhi\r\n0\r\nX-Sum: 2\r\n\r\n"
        )
        exchange = await taken.exchange()
    assert answer == head + b"\r\n"
    assert seen[0].endswith(b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n")
    assert exchange.request.body == b"hi"
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"ok", True)


@pytest.mark.parametrize(
    "target", [b"http://other.example:81/p?q", b"*", b"//double", b"/?", b"/a%2Fb;c"], ids=repr
)
async def test_a_target_is_passed_and_captured_as_sent(target: bytes) -> None:
    seen: list[bytes] = []
    taken = _Taken()
    async with _live(_answers(_OK, seen)) as port, _proxied(taken, port) as proxy:
        await proxy.ask(b"OPTIONS %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
        exchange = await taken.exchange()
    assert seen[0].startswith(b"OPTIONS %s HTTP/1.1\r\nHost: a\r\n" % target)
    assert (exchange.request.target, exchange.request.headers[0]) == (target, (b"Host", b"a"))


async def test_fields_that_the_proxy_consumes_are_still_captured() -> None:
    taken = _Taken()
    async with _live(_answers(_OK)) as port, _proxied(taken, port) as proxy:
        answer = await proxy.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n"
            b"Content-Length: 1\r\n\r\nx"
        )
        exchange = await taken.exchange()
    assert answer == b"HTTP/1.1 100 Continue\r\n\r\n" + _OK
    assert (b"Expect", b"100-continue") in exchange.request.headers


async def test_requests_are_counted_in_the_order_in_which_they_began() -> None:
    hold = asyncio.Event()
    begun = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/slow" in await reader.readuntil(b"\r\n\r\n"):
            begun.set()
            await hold.wait()
        writer.write(_OK)

    taken = _Taken()
    async with _live(respond) as port, _proxied(taken, port) as proxy, asyncio.TaskGroup() as tasks:
        tasks.create_task(proxy.ask(_GET.replace(b"/ ", b"/slow ", 1)))
        await begun.wait()
        await proxy.ask(_GET)
        fast = await taken.exchange()
        hold.set()
        slow = await taken.exchange()
    assert (slow.index, fast.index) == (0, 1)
    assert slow.seen_at < fast.seen_at
    assert slow.session != fast.session


async def test_what_bears_our_mark_passes_but_is_not_captured() -> None:
    seen: list[bytes] = []
    marked = (
        b"POST / HTTP/1.1\r\nHost: a\r\nsHADOW-run: r1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
    )
    taken = _Taken()
    async with _live(_answers(_OK, seen)) as port, _proxied(taken, port) as proxy:
        assert await proxy.ask(marked) == _OK
        assert await proxy.ask(_GET) == _OK
        exchange = await taken.exchange()
    assert seen == [marked, _GET]
    assert (exchange.index, exchange.request.method) == (0, b"GET")
    assert taken.all.empty()


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(_GET, id="GET"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", id="POST"
        ),
    ],
)
async def test_a_live_service_that_is_down_gives_502_and_an_exchange_without_response(
    request_bytes: bytes,
) -> None:
    async with _live(_answers(_OK)) as port:
        pass
    taken = _Taken()
    async with _proxied(taken, port) as proxy:
        answer = await proxy.ask(request_bytes)
        exchange = await taken.exchange()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert (exchange.response, exchange.latency_seconds) == (None, None)
    assert exchange.request.body == request_bytes.partition(b"\r\n\r\n")[2]


async def test_an_answer_that_the_live_service_cut_is_captured_as_incomplete() -> None:
    taken = _Taken()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
    async with _live(_answers(answer)) as port, _proxied(taken, port) as proxy:
        assert await proxy.ask(_GET) == answer
        exchange = await taken.exchange()
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"only this", False)


async def test_a_client_that_leaves_before_the_answer_gives_an_exchange_without_response() -> None:
    asked = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    taken = _Taken()
    async with _live(respond) as port, _proxied(taken, port) as proxy:
        _, writer = await proxy.connect()
        writer.write(_GET)
        await asked.wait()
        writer.close()
        exchange = await taken.exchange()
    assert (exchange.request.method, exchange.response) == (b"GET", None)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"], ids=["length", "chunked"]
)
async def test_a_client_that_leaves_while_it_sends_is_counted_as_unparsed(framing: bytes) -> None:
    taken = _Taken()
    async with _live(_answers(_OK)) as port, _proxied(taken, port) as proxy:
        _, writer = await proxy.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n2\r\nhi\r\n")
        await writer.drain()
        writer.close()
        assert await taken.next() == "incomplete_request"


_SMUGGLING = (
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)


async def test_a_request_that_smuggles_is_refused_and_counted() -> None:
    taken, seen = _Taken(), list[bytes]()
    async with _live(_answers(_OK, seen)) as port, _proxied(taken, port) as proxy:
        assert (await proxy.ask(_SMUGGLING)).startswith(b"HTTP/1.1 400 ")
        assert await taken.next() == "malformed_request"
    assert seen == []


async def test_a_request_that_smuggles_passes_where_that_is_wanted() -> None:
    taken = _Taken()
    async with _live(_answers(_OK)) as port, _proxied(taken, port, refuses_malformed=False) as proxy:
        assert await proxy.ask(_SMUGGLING) == _OK
        assert (b"Content-Length", b"5") in (await taken.exchange()).request.headers


async def _streamed(head: bytes, first: bytes, rest: bytes, **settings: Any) -> tuple[bytes, Exchange]:
    """What a client gets, and the capture, of an answer whose rest comes only once its first part arrived."""
    first_arrived = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + first)
        await first_arrived.wait()
        writer.write(rest)
        await writer.drain()

    taken = _Taken()
    async with _live(respond) as port, _proxied(taken, port, **settings) as proxy:
        reader, writer = await proxy.connect()
        writer.write(_GET)
        got = await reader.readexactly(len(head + first))
        first_arrived.set()
        got += await reader.read(-1)
        writer.close()
        return got, await taken.exchange()


async def test_the_first_event_of_a_stream_arrives_before_its_end() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    first, rest = b"9\r\ndata: 1\n\n\r\n", b"9\r\ndata: 2\n\n\r\n0\r\n\r\n"
    got, exchange = await _streamed(head, first, rest)
    assert got == head + first + rest
    assert exchange.response is not None
    assert exchange.response.body == b"data: 1\n\ndata: 2\n\n"


async def test_a_large_download_passes_at_once_and_is_captured_up_to_the_limit() -> None:
    body = os.urandom(3 * _MIB)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    got, exchange = await _streamed(head, body[:9], body[9:], max_body_bytes=100_000)
    assert got == head + body
    assert exchange.response is not None
    assert not exchange.response.is_complete
    assert exchange.response.body == body[:100_000]


async def test_a_body_at_the_limit_is_captured_whole() -> None:
    body = os.urandom(200_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    _, exchange = await _streamed(head, body[:9], body[9:], max_body_bytes=200_000)
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (body, True)


async def test_copies_of_all_bodies_together_stay_within_their_allowance_and_give_it_back() -> None:
    body = os.urandom(80_000)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 80000\r\n\r\n" + body
    second_may_end, second_began = asyncio.Event(), asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_slow = b"/slow" in await reader.readuntil(b"\r\n\r\n")
        writer.write(answer[:-1])
        if is_slow:
            await second_may_end.wait()
        writer.write(answer[-1:])

    taken = _Taken()
    async with _live(respond) as port, _proxied(taken, port, max_held_bytes=100_000) as proxy:
        reader, writer = await proxy.connect()
        writer.write(_GET.replace(b"/ ", b"/slow ", 1))
        await reader.readexactly(len(answer) - 1)
        second_began.set()
        assert await proxy.ask(_GET) == answer
        squeezed = (await taken.exchange()).response
        second_may_end.set()
        await reader.read(-1)
        writer.close()
        slow = (await taken.exchange()).response
        assert await proxy.ask(_GET) == answer
        after = (await taken.exchange()).response
    assert squeezed is not None
    assert slow is not None
    assert after is not None
    assert (squeezed.is_complete, squeezed.body) == (False, body[: len(squeezed.body)])
    assert len(squeezed.body) <= 20_001
    assert (slow.is_complete, after.is_complete) == (True, True)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
async def test_a_large_upload_passes_and_is_counted_as_unparsed(*, is_chunked: bool) -> None:
    body = os.urandom(2 * _MIB)
    seen: list[bytes] = []
    if is_chunked:
        framing, sent = b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        framing, sent = b"Content-Length: %d" % len(body), body
    taken = _Taken()
    async with _live(_answers(_OK, seen)) as port, _proxied(taken, port, max_body_bytes=_MIB) as proxy:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + framing + b"\r\n\r\n"
        assert await proxy.ask(head + sent) == _OK
        assert await taken.next() == "too_large"
    assert len(seen[0]) >= len(head + body)


@pytest.mark.parametrize("client_stays", [True, False], ids=["sends the rest", "leaves"])
async def test_an_answer_that_overtakes_its_request_waits_for_the_rest_of_it(*, client_stays: bool) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_OK)
        await reader.read()

    taken = _Taken()
    async with _live(respond) as port, _proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        assert await reader.readexactly(len(_OK)) == _OK
        assert taken.all.empty()
        if client_stays:
            writer.write(b"2\r\ncd\r\n0\r\n\r\n")
            exchange = await taken.exchange()
            assert exchange.request.body == b"abcd"
            assert exchange.response is not None
            assert exchange.response.body == b"ok"
        writer.close()
        if not client_stays:
            assert await taken.next() == "incomplete_request"
        assert taken.all.empty()


async def test_a_connection_that_changes_its_protocol_passes_and_its_handshake_is_captured() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\n")
        while received := await reader.read(100):
            writer.write(received.upper())

    taken = _Taken()
    async with _live(respond) as port, _proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        for word in (b"one", b"two"):
            writer.write(word)
            assert await reader.readexactly(3) == word.upper()
        exchange = await taken.exchange()
        writer.close()
    assert exchange.response is not None
    assert exchange.response.status == 101


def test_messages_of_long_connections_are_not_kept() -> None:
    tap = MitmTap(_Taken())
    web, raw = tflow.twebsocketflow(), tflow.ttcpflow()
    assert web.websocket is not None
    assert web.websocket.messages
    assert raw.messages
    tap.websocket_message(web)
    tap.tcp_message(raw)
    assert web.websocket.messages == []
    assert raw.messages == []


async def test_a_tap_that_fails_at_every_step_leaves_live_traffic_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with _live(_answers(_OK)) as port, _proxied(_Broken(), port) as proxy:
        assert [await proxy.ask(_GET) for _ in range(3)] == [_OK] * 3
    told = [record for record in caplog.records if record.name.startswith("shadow.")]
    assert len(told) == 1


@pytest.mark.parametrize(
    "live", ["ftp://a", "http://", "http://a/path", "http://a:99999", "http://u:p@a", "a:80", "http://[::1"]
)
async def test_a_live_url_that_is_none_is_told(live: str) -> None:
    with pytest.raises(TapError, match="the live service must be"):
        await run_proxy(ProxySettings(live), _Taken(), ready=print, stop=asyncio.Event())


async def test_a_port_in_use_is_told_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken_port:
        port = taken_port.getsockname()[1]
        settings = ProxySettings("http://127.0.0.1:1", listen_port=port)
        with pytest.raises(TapError, match=rf"cannot listen on '127.0.0.1:{port}': .*--listen"):
            await run_proxy(settings, _Taken(), ready=print, stop=asyncio.Event())


async def test_requests_under_way_end_when_the_proxy_stops() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await may_answer.wait()
        writer.write(_OK)

    taken = _Taken()
    async with _live(respond) as port, _proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asked.wait()
        proxy.stop.set()
        await _until_refused(proxy)
        may_answer.set()
        assert await reader.read(-1) == _OK
        writer.close()
        assert (await taken.exchange()).response is not None


async def _until_refused(proxy: _Proxy) -> None:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                _, writer = await proxy.connect()
            except ConnectionError:
                return
            writer.close()
            await writer.wait_closed()


async def test_a_request_that_never_ends_is_cut_when_grace_is_over() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        gone.set()

    taken = _Taken()
    async with _live(respond) as port:
        async with _proxied(taken, port, grace_seconds=0.05) as proxy:
            reader, writer = await proxy.connect()
            writer.write(_GET)
            await asked.wait()
        assert await reader.read(-1) == b""
        await gone.wait()
        writer.close()
    assert (await taken.exchange()).response is None


async def test_a_cancelled_proxy_frees_its_port() -> None:
    address: list[tuple[str, int]] = []
    settings = ProxySettings("http://127.0.0.1:1", listen_port=0)

    async def run_until_cancelled() -> None:
        async with asyncio.timeout(None) as soon:

            def ready(host: str, port: int) -> None:
                address.append((host, port))
                soon.reschedule(asyncio.get_running_loop().time())

            await run_proxy(settings, _Taken(), ready=ready, stop=asyncio.Event())

    with pytest.raises(TimeoutError):
        await run_until_cancelled()
    with socket.create_server(address[0]):
        pass


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file of a key and its own certificate, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "live.pem"
    path.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + signed.public_bytes(Encoding.PEM)
    )
    return path


def _tls_of_server(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        pytest.param({}, False, id="unknown authority"),
        pytest.param({"verifies_live": False}, True, id="unknown authority, not verified"),
        pytest.param({"live_ca_path": None}, True, id="known authority"),
    ],
)
async def test_a_live_service_on_https_is_verified_unless_told_otherwise(
    certificate: Path, settings: dict[str, bool | None], *, passes: bool
) -> None:
    chosen = {name: str(certificate) if value is None else value for name, value in settings.items()}
    taken = _Taken()
    async with (
        _live(_answers(_OK), tls=_tls_of_server(certificate)) as port,
        _proxied(taken, port, scheme="https", **chosen) as proxy,
    ):
        answer = await proxy.ask(_GET)
        exchange = await taken.exchange()
    assert (answer == _OK) is passes
    assert answer.startswith(b"HTTP/1.1 200" if passes else b"HTTP/1.1 502")
    assert (exchange.response is not None) is passes
    assert exchange.live == f"127.0.0.1:{port}"


async def test_clients_on_https_and_http2_are_served_with_the_given_certificate(certificate: Path) -> None:
    seen: list[bytes] = []
    taken = _Taken()
    tls = ssl.create_default_context(cafile=str(certificate))
    tls.set_alpn_protocols(["h2"])
    async with (
        _live(_answers(_OK, seen)) as port,
        _proxied(taken, port, certificate_path=str(certificate)) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=tls)
        assert await _ask_http2(reader, writer) == b"ok"
        writer.close()
        exchange = await taken.exchange()
    assert exchange.request.version == b"HTTP/2.0"
    assert exchange.request.target == b"/v1/x?y=1"
    assert exchange.request.headers == ((b"host", b"live.example"), (b"x-a", b"1"))
    assert exchange.response is not None
    assert exchange.response.body == b"ok"


async def _ask_http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """The body of the answer to one GET."""
    connection = h2.connection.H2Connection()
    connection.initiate_connection()
    fields = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "live.example"),
        (":path", "/v1/x?y=1"),
    ]
    connection.send_headers(1, [*fields, ("x-a", "1")], end_stream=True)
    body = b""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            writer.write(connection.data_to_send())
            for event in connection.receive_data(await reader.read(1 << 16)):
                match event:
                    case h2.events.DataReceived():
                        body += event.data
                    case h2.events.StreamEnded():
                        return body


@pytest.mark.parametrize("content", [None, b"no certificate"], ids=["missing", "not PEM"])
@pytest.mark.parametrize(
    "at",
    [
        lambda path: ProxySettings(_SECURE, certificate_path=path),
        lambda path: ProxySettings(_SECURE, live_ca_path=path),
    ],
    ids=["for clients", "of the live service"],
)
async def test_a_certificate_that_cannot_be_read_is_told(
    tmp_path: Path, at: Callable[[str], ProxySettings], content: bytes | None
) -> None:
    path = tmp_path / "odd.pem"
    if content is not None:
        _write(path, content)
    with pytest.raises(TapError, match=r"no usable certificate in .*odd\.pem"):
        await run_proxy(at(str(path)), _Taken(), ready=print, stop=asyncio.Event())


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


_SECURE = "https://127.0.0.1:1"

_RECEIVER = """
import asyncio, sys
from pathlib import Path
from shadow.feed.receiver import Listener, receive
def tell(exchange):
    print(exchange.request.target.decode(), flush=True)
def ready():
    print("ready", flush=True)
asyncio.run(receive(Path(sys.argv[1]), Listener(tell), stop=asyncio.Event(), ready=ready))
"""


@asynccontextmanager
async def _receiver_process(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RECEIVER, str(path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert await _line(process) == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _line(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    async with asyncio.timeout(_PATIENCE_SECONDS):
        return await process.stdout.readline()


async def test_live_traffic_does_not_feel_a_killed_pipeline_and_the_next_one_is_found(tmp_path: Path) -> None:
    path = tmp_path / "feed.sock"
    sender = Sender(path, Hello("mitm"), SenderSettings(max_queue_items=2, max_backoff_seconds=0.05))

    def at(target: bytes) -> bytes:
        return _GET.replace(b"/ ", target + b" ", 1)

    async with _live(_answers(_OK)) as port, _proxied(sender, port) as proxy:
        async with _receiver_process(path) as first:
            assert await proxy.ask(at(b"/first")) == _OK
            assert await _line(first) == b"/first\n"
            first.kill()
            await first.wait()
        for _ in range(5):
            assert await proxy.ask(at(b"/lost")) == _OK
        async with _receiver_process(path) as second:
            while await _line(second) != b"/second\n":
                assert await proxy.ask(at(b"/second")) == _OK
    ledger = await asyncio.to_thread(sender.close)
    assert ledger.captured == ledger.acknowledged + sum(ledger.dropped.values())
    assert ledger.dropped[PIPELINE_GONE] >= 3
    assert ledger.acknowledged >= 1


async def test_live_traffic_does_not_feel_a_stalled_pipeline(tmp_path: Path) -> None:
    body = os.urandom(_MIB - 100)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    path = tmp_path / "feed.sock"
    settings = SenderSettings(max_queue_bytes=3 * _MIB, close_seconds=0.1)

    async with _live(_answers(answer)) as port, _stalled(path) as connected:
        sender = Sender(path, Hello("mitm"), settings)
        await connected.wait()
        async with _proxied(sender, port) as proxy:
            for _ in range(10):
                assert await proxy.ask(_GET) == answer
        ledger = await asyncio.to_thread(sender.close)
    assert ledger.captured == 10
    assert ledger.acknowledged == 0
    assert ledger.dropped.get(QUEUE_FULL, 0) >= 4


@asynccontextmanager
async def _stalled(path: Path) -> AsyncIterator[asyncio.Event]:
    """A pipeline that takes a tap's first bytes and then nothing more; the event tells when it has them."""
    connected, over = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        connected.set()
        await over.wait()
        writer.close()

    server = await asyncio.start_unix_server(serve, path, limit=1024)
    try:
        yield connected
    finally:
        over.set()
        server.close()


async def test_exchanges_reach_the_pipeline_through_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "private" / "feed.sock"
    sender = Sender(path, Hello("mitm"))
    heard: asyncio.Queue[Exchange] = asyncio.Queue()
    async with _live(_answers(_OK)) as port, receiving(path, Listener(heard.put_nowait)):
        async with _proxied(sender, port) as proxy:
            for _ in range(20):
                await proxy.ask(_GET)
        ledger = await asyncio.to_thread(sender.close)
    indexes = [heard.get_nowait().index for _ in range(20)]
    assert sorted(indexes) == list(range(20))
    assert (ledger.captured, ledger.acknowledged, ledger.dropped) == (20, 20, {})
    assert ledger.tap_seconds.count == 20
