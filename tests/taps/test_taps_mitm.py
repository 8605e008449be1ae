"""Live traffic passes the inline tap as it would without it, and is captured as it was said."""

import asyncio

import pytest

from tests.taps.proxies import GET, OK, PATIENCE_SECONDS, Taken, answering, proxied, serving


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
    taken = Taken()
    async with serving(answering(answer, seen)) as port, proxied(taken, port) as proxy:
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
    assert 0 < exchange.latency_seconds < PATIENCE_SECONDS
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
    taken = Taken()
    async with serving(answering(answer)) as port, proxied(taken, port) as proxy:
        await proxy.ask(GET)
        exchange = await taken.exchange()
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (body, True)


async def test_a_chunked_request_is_captured_without_its_framing() -> None:
    seen: list[bytes] = []
    taken = Taken()
    async with serving(answering(OK, seen)) as port, proxied(taken, port) as proxy:
        await proxy.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
            b"2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n"
        )
        exchange = await taken.exchange()
    assert seen[0].endswith(b"0\r\n\r\n")
    assert exchange.request.body == b"abcde"


async def test_trailers_do_not_stop_live_traffic() -> None:
    seen: list[bytes] = []
    taken = Taken()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    async with serving(answering(head + b"X-Sum: 1\r\n\r\n", seen)) as port, proxied(taken, port) as proxy:
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
    taken = Taken()
    async with serving(answering(OK, seen)) as port, proxied(taken, port) as proxy:
        await proxy.ask(b"OPTIONS %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
        exchange = await taken.exchange()
    assert seen[0].startswith(b"OPTIONS %s HTTP/1.1\r\nHost: a\r\n" % target)
    assert (exchange.request.target, exchange.request.headers[0]) == (target, (b"Host", b"a"))


async def test_fields_that_the_proxy_consumes_are_still_captured() -> None:
    taken = Taken()
    async with serving(answering(OK)) as port, proxied(taken, port) as proxy:
        answer = await proxy.ask(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n"
            b"Content-Length: 1\r\n\r\nx"
        )
        exchange = await taken.exchange()
    assert answer == b"HTTP/1.1 100 Continue\r\n\r\n" + OK
    assert (b"Expect", b"100-continue") in exchange.request.headers


async def test_requests_are_counted_in_the_order_in_which_they_began() -> None:
    hold = asyncio.Event()
    begun = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if b"/slow" in await reader.readuntil(b"\r\n\r\n"):
            begun.set()
            await hold.wait()
        writer.write(OK)

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port) as proxy, asyncio.TaskGroup() as tasks:
        tasks.create_task(proxy.ask(GET.replace(b"/ ", b"/slow ", 1)))
        await begun.wait()
        await proxy.ask(GET)
        fast = await taken.exchange()
        hold.set()
        slow = await taken.exchange()
    assert (slow.index, fast.index) == (0, 1)
    assert slow.seen_at < fast.seen_at
    assert slow.session != fast.session


_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([_HINTS, OK], id="apart"),
        pytest.param([_HINTS + OK], id="together"),
        pytest.param([_HINTS[:5], _HINTS[5:20], _HINTS[20:] + OK[:9], OK[9:]], id="in pieces"),
        pytest.param([b"HTTP/1.1 102 Processing\r\n\r\n", _HINTS, OK], id="two"),
    ],
)
async def test_informational_answers_pass_and_the_last_one_is_captured(
    pieces: list[bytes], version: bytes
) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            for _ in range(20):  # let it arrive by itself
                await asyncio.sleep(0)

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port) as proxy:
        answer = await proxy.ask(GET.replace(b"HTTP/1.1", version))
        exchange = await taken.exchange()
    assert answer == (b"".join(pieces) if version == b"HTTP/1.1" else OK)
    assert exchange.response is not None
    assert (exchange.response.status, exchange.response.body) == (200, b"ok")
