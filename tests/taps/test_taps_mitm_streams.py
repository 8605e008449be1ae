"""Streams pass the inline tap as they come, and are captured up to their limits."""

import asyncio
import os
import warnings
from typing import Any

import pytest

from shadow.model import Exchange

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.test import tflow

    from shadow.taps.mitm import MitmTap

from tests.taps.proxies import GET, MIB, OK, Taken, answering, proxied, serving


async def _streamed(head: bytes, first: bytes, rest: bytes, **settings: Any) -> tuple[bytes, Exchange]:
    """What a client gets, and the capture, of an answer whose rest comes only once its first part arrived."""
    first_arrived = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + first)
        await first_arrived.wait()
        writer.write(rest)
        await writer.drain()

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port, **settings) as proxy:
        reader, writer = await proxy.connect()
        writer.write(GET)
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
    body = os.urandom(3 * MIB)
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

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port, max_held_bytes=100_000) as proxy:
        reader, writer = await proxy.connect()
        writer.write(GET.replace(b"/ ", b"/slow ", 1))
        await reader.readexactly(len(answer) - 1)
        second_began.set()
        assert await proxy.ask(GET) == answer
        squeezed = (await taken.exchange()).response
        second_may_end.set()
        await reader.read(-1)
        writer.close()
        slow = (await taken.exchange()).response
        assert await proxy.ask(GET) == answer
        after = (await taken.exchange()).response
    assert squeezed is not None
    assert slow is not None
    assert after is not None
    assert (squeezed.is_complete, squeezed.body) == (False, body[: len(squeezed.body)])
    assert len(squeezed.body) <= 20_001
    assert (slow.is_complete, after.is_complete) == (True, True)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
async def test_a_large_upload_passes_and_is_counted_as_unparsed(*, is_chunked: bool) -> None:
    body = os.urandom(2 * MIB)
    seen: list[bytes] = []
    if is_chunked:
        framing, sent = b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    else:
        framing, sent = b"Content-Length: %d" % len(body), body
    taken = Taken()
    async with serving(answering(OK, seen)) as port, proxied(taken, port, max_body_bytes=MIB) as proxy:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + framing + b"\r\n\r\n"
        assert await proxy.ask(head + sent) == OK
        assert await taken.next() == "too_large"
    assert len(seen[0]) >= len(head + body)


@pytest.mark.parametrize("client_stays", [True, False], ids=["sends the rest", "leaves"])
async def test_an_answer_that_overtakes_its_request_waits_for_the_rest_of_it(*, client_stays: bool) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK)
        await reader.read()

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        assert await reader.readexactly(len(OK)) == OK
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

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port) as proxy:
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
    tap = MitmTap(Taken())
    web, raw = tflow.twebsocketflow(), tflow.ttcpflow()
    assert web.websocket is not None
    assert web.websocket.messages
    assert raw.messages
    tap.websocket_message(web)
    tap.tcp_message(raw)
    assert web.websocket.messages == []
    assert raw.messages == []
