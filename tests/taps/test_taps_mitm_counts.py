"""What passes the inline tap and cannot be captured whole is counted, or captured as far as it came."""

import asyncio

import pytest

from tests.taps.proxies import GET, OK, Taken, answering, proxied, serving


async def test_what_bears_our_mark_passes_but_is_not_captured() -> None:
    seen: list[bytes] = []
    marked = (
        b"POST / HTTP/1.1\r\nHost: a\r\nsHADOW-run: r1\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
    )
    taken = Taken()
    async with serving(answering(OK, seen)) as port, proxied(taken, port) as proxy:
        assert await proxy.ask(marked) == OK
        assert await proxy.ask(GET) == OK
        exchange = await taken.exchange()
    assert seen == [marked, GET]
    assert (exchange.index, exchange.request.method) == (0, b"GET")
    assert taken.all.empty()


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(GET, id="GET"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", id="POST"
        ),
    ],
)
async def test_a_live_service_that_is_down_gives_502_and_an_exchange_without_response(
    request_bytes: bytes,
) -> None:
    async with serving(answering(OK)) as port:
        pass
    taken = Taken()
    async with proxied(taken, port) as proxy:
        answer = await proxy.ask(request_bytes)
        exchange = await taken.exchange()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert (exchange.response, exchange.latency_seconds) == (None, None)
    assert exchange.request.body == request_bytes.partition(b"\r\n\r\n")[2]


async def test_an_answer_that_the_live_service_cut_is_captured_as_incomplete() -> None:
    taken = Taken()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"
    async with serving(answering(answer)) as port, proxied(taken, port) as proxy:
        assert await proxy.ask(GET) == answer
        exchange = await taken.exchange()
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.is_complete) == (b"only this", False)


async def test_a_client_that_leaves_before_the_answer_gives_an_exchange_without_response() -> None:
    asked = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port) as proxy:
        _, writer = await proxy.connect()
        writer.write(GET)
        await asked.wait()
        writer.close()
        exchange = await taken.exchange()
    assert (exchange.request.method, exchange.response) == (b"GET", None)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 9", b"Transfer-Encoding: chunked"], ids=["length", "chunked"]
)
async def test_a_client_that_leaves_while_it_sends_is_counted_as_unparsed(framing: bytes) -> None:
    taken = Taken()
    async with serving(answering(OK)) as port, proxied(taken, port) as proxy:
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
    taken, seen = Taken(), list[bytes]()
    async with serving(answering(OK, seen)) as port, proxied(taken, port) as proxy:
        assert (await proxy.ask(_SMUGGLING)).startswith(b"HTTP/1.1 400 ")
        assert await taken.next() == "malformed_request"
    assert seen == []


async def test_a_request_that_smuggles_passes_where_that_is_wanted() -> None:
    taken = Taken()
    async with serving(answering(OK)) as port, proxied(taken, port, refuses_malformed=False) as proxy:
        assert await proxy.ask(_SMUGGLING) == OK
        assert (b"Content-Length", b"5") in (await taken.exchange()).request.headers


@pytest.mark.parametrize(
    "head",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/x.y\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ],
    ids=repr,
)
async def test_a_request_whose_head_cannot_be_read_is_counted(head: bytes) -> None:
    taken, seen = Taken(), list[bytes]()
    async with serving(answering(OK, seen)) as port, proxied(taken, port) as proxy:
        assert (await proxy.ask(head)).startswith(b"HTTP/1.1 400 ")
        assert await taken.next() == "malformed_request"
        assert await proxy.ask(GET) == OK
        await taken.exchange()
    assert taken.all.empty()
    assert seen == [GET]
