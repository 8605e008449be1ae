"""DNS passes the inline tap, and each query is captured with its answer."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from shadow.model import Exchange, Request

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.test import tflow

    from shadow.taps.mitm import MitmTap

from tests.taps.datagrams import Datagrams, udp_client, udp_service
from tests.taps.proxies import PATIENCE_SECONDS, Proxy, Taken, proxied, serving

type Ask = Callable[[bytes], Awaitable[bytes]]


def _query(number: int, name: bytes = b"live") -> bytes:
    head = number.to_bytes(2) + b"\x01\x00" + b"\0\1" + bytes(6)
    return head + bytes([len(name)]) + name + b"\0" + b"\0\1\0\1"


def _answer(query: bytes, address: bytes = b"\x7f\0\0\1") -> bytes:
    record = b"\xc0\x0c" + b"\0\1\0\1" + (60).to_bytes(4) + b"\0\4" + address
    return query[:2] + b"\x81\x80" + b"\0\1\0\1" + bytes(4) + query[12:] + record


def _messages(exchange: Exchange) -> list[tuple[bool, bytes]]:
    return [(each.is_from_client, each.body[:2] + each.body[-4:]) for each in exchange.messages]


@asynccontextmanager
async def _over_udp(proxy: Proxy) -> AsyncIterator[Ask]:
    async with udp_client(proxy) as client:
        yield client.ask


@asynccontextmanager
async def _over_tcp(proxy: Proxy) -> AsyncIterator[Ask]:
    reader, writer = await proxy.connect()

    async def ask(query: bytes) -> bytes:
        writer.write(len(query).to_bytes(2) + query)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))

    yield ask
    writer.close()


@asynccontextmanager
async def _serving(answer: Callable[[bytes], bytes], *, over: str) -> AsyncIterator[int]:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while size := await reader.read(2):
            said = answer(await reader.readexactly(int.from_bytes(size)))
            writer.write(len(said).to_bytes(2) + said)

    async with udp_service(answer) if over == "udp" else serving(respond) as port:
        yield port


_OVER = {"udp": _over_udp, "tcp": _over_tcp}


@pytest.mark.parametrize("over", ["udp", "tcp"])
async def test_a_query_is_captured_with_its_answer(over: str) -> None:
    taken = Taken()
    async with (
        _serving(_answer, over=over) as port,
        proxied(taken, port, scheme="dns") as proxy,
        _OVER[over](proxy) as ask,
    ):
        for number in (1, 2):
            said = await ask(_query(number))
            assert (said[:2], said[-4:]) == (number.to_bytes(2), b"\x7f\0\0\1")
        first, second = [await taken.exchange() for _ in range(2)]
    assert (first.protocol, first.request, first.is_complete) == ("dns", Request(b"", b"", b""), True)
    assert _messages(first) == [(True, b"\0\1\0\1\0\1"), (False, b"\0\1\x7f\0\0\1")]
    assert _messages(second) == [(True, b"\0\2\0\1\0\1"), (False, b"\0\2\x7f\0\0\1")]
    assert first.messages[0].body == _query(1)
    assert first.latency_seconds is not None
    assert first.session == second.session
    assert first.live == f"127.0.0.1:{port}"


@pytest.mark.parametrize("over", ["udp", "tcp"])
async def test_a_number_that_is_used_again_gets_a_fresh_answer(over: str) -> None:
    addresses = iter([b"\1\1\1\1", b"\2\2\2\2", b"\3\3\3\3"])
    taken = Taken()
    async with (
        _serving(lambda query: _answer(query, next(addresses)), over=over) as port,
        proxied(taken, port, scheme="dns") as proxy,
        _OVER[over](proxy) as ask,
    ):
        for name, expected in ((b"live", b"\1\1\1\1"), (b"live", b"\2\2\2\2"), (b"other", b"\3\3\3\3")):
            said = await ask(_query(7, name))
            assert said[-4:] == expected
            assert name in said
        assert [_messages(await taken.exchange())[1][1][2:] for _ in range(3)] == [
            b"\1\1\1\1", b"\2\2\2\2", b"\3\3\3\3",
        ]  # fmt: skip


async def test_a_query_without_an_answer_is_captured_when_the_proxy_stops() -> None:
    transport, silent = await asyncio.get_running_loop().create_datagram_endpoint(Datagrams, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    taken = Taken()
    async with proxied(taken, port, scheme="dns") as proxy, udp_client(proxy) as client:
        client.transport.sendto(_query(1))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await silent.heard.get()
    transport.close()
    exchange = await taken.exchange()
    assert _messages(exchange) == [(True, b"\0\1\0\1\0\1")]


async def test_a_live_service_that_is_down_gives_a_failure_and_a_query_without_answer() -> None:
    async with serving(lambda *_: asyncio.sleep(0)) as port:
        pass
    taken = Taken()
    async with proxied(taken, port, scheme="dns") as proxy, _over_tcp(proxy) as ask:
        said = await ask(_query(1))
        assert said[3] & 0x0F == 2  # SERVFAIL
        assert _messages(await taken.exchange()) == [(True, b"\0\1\0\1\0\1")]


async def test_what_is_no_dns_is_counted() -> None:
    taken = Taken()
    async with (
        _serving(_answer, over="tcp") as port,
        proxied(taken, port, scheme="dns") as proxy,
    ):
        reader, writer = await proxy.connect()
        writer.write(b"\0\3abc")
        assert await reader.read(-1) == b""
        writer.close()
        assert await taken.next() == "malformed_request"


def _reversed(query: bytes) -> bytes:
    return query[:2] + b"\x81\x80" + query[4:]


async def test_names_of_any_bytes_pass_and_what_the_same_client_asks_next_does_too() -> None:
    taken = Taken()
    names = [b"live", b"caf\xc3\xa9 x", b"xn--zz-9", b"live"]
    async with (
        _serving(_reversed, over="udp") as port,
        proxied(taken, port, scheme="dns") as proxy,
        _over_udp(proxy) as ask,
    ):
        for number, name in enumerate(names):
            query = _query(number, name)
            said = await ask(query)
            assert (said[:2], name in said) == (query[:2], True)
    told = [await taken.next() for _ in names]
    assert [each for each in told if isinstance(each, str)] == ["malformed_request"] * 2


async def test_an_answer_that_is_no_dns_is_no_second_query() -> None:
    taken = Taken()
    async with (
        _serving(lambda query: query[:2] + b"junk", over="udp") as port,
        proxied(taken, port, scheme="dns") as proxy,
        _over_udp(proxy) as ask,
    ):
        assert await ask(_query(1)) == b"\0\1junk"
        assert await ask(_query(2)) == b"\0\2junk"
    assert {(await taken.exchange()).protocol for _ in range(2)} == {"dns"}


def test_an_answer_that_another_addon_gave_stays() -> None:
    tap, flow = MitmTap(Taken(), is_alone=False), tflow.tdnsflow(resp=True)
    answer = flow.response
    tap.dns_request(flow)
    tap.dns_response(flow)
    other = tflow.tdnsflow(resp=True).response
    assert other is not answer
    flow.response = other
    tap.dns_request(flow)
    assert flow.response is other
