"""HTTP/2 without TLS, and the calls of gRPC over it, pass the inline tap and are captured."""

import asyncio
from pathlib import Path

import pytest

from shadow.model import Exchange
from tests.certificates import client_tls, server_tls, write_certificate
from tests.taps.http2 import GRPC, TRAILERS, Peer, Stream, calling, echo, serving_http2
from tests.taps.proxies import OK, Taken, answering, proxied, serving


def _said(exchange: Exchange) -> list[tuple[bool, bytes]]:
    return [(each.is_from_client, each.body) for each in exchange.messages]


@pytest.mark.parametrize("speaks_first", [True, False], ids=["server first", "client first"])
@pytest.mark.parametrize("run", range(25))
async def test_calls_pass_time_and_again(run: int, *, speaks_first: bool) -> None:
    taken = Taken()
    async with (
        serving_http2(echo, speaks_first=speaks_first) as port,
        proxied(taken, port) as proxy,
        calling(proxy.host, proxy.port) as client,
    ):
        unary, count = client.call(b"/echo/unary"), client.call(b"/echo/count")
        count.message(b"3", ends=True)
        unary.message(b"hello", ends=True)
        assert dict(await unary.begun())[b":status"] == b"200"
        assert await unary.rest() == b"\0\0\0\0\x08re:hello"
        assert unary.trailers == TRAILERS
        assert [await count.heard() for _ in range(3)] == [b"0", b"1", b"2"]
        assert await count.rest() == b""
        assert count.trailers == TRAILERS
        found = {exchange.request.target: exchange for exchange in [await taken.exchange() for _ in range(2)]}
    assert _said(found[b"/echo/unary"]) == [(True, b"hello"), (False, b"re:hello")]
    assert _said(found[b"/echo/count"]) == [(True, b"3"), (False, b"0"), (False, b"1"), (False, b"2")]


async def test_a_call_is_captured_with_its_messages_and_trailers() -> None:
    taken = Taken()
    async with (
        serving_http2(echo) as port,
        proxied(taken, port) as proxy,
        calling(proxy.host, proxy.port) as client,
    ):
        call = client.call(b"/echo/unary", (b"x-id", b"1"))
        call.message(b"squeezed", flag=1, ends=True)
        await call.rest()
        exchange = await taken.exchange()
    assert (exchange.protocol, exchange.is_complete) == ("grpc", True)
    assert exchange.live == f"127.0.0.1:{port}"
    request, response = exchange.request, exchange.response
    assert (request.method, request.target, request.version) == (b"POST", b"/echo/unary", b"HTTP/2")
    assert request.headers == ((b"host", b"live.example"), (b"te", b"trailers"), GRPC, (b"x-id", b"1"))
    assert request.body == b"\1\0\0\0\x08squeezed"
    assert response is not None
    assert (response.status, response.version, response.trailers) == (200, b"HTTP/2", TRAILERS)
    assert response.body == b"\0\0\0\0\x0bre:squeezed"
    assert [(each.is_from_client, each.body, each.kind) for each in exchange.messages] == [
        (True, b"squeezed", "compressed"),
        (False, b"re:squeezed", ""),
    ]


async def test_both_sides_of_a_call_may_talk_in_turn() -> None:
    taken = Taken()
    async with (
        serving_http2(echo) as port,
        proxied(taken, port) as proxy,
        calling(proxy.host, proxy.port) as client,
    ):
        call = client.call(b"/echo/talk", (b"content-length", b"16"))
        for word in (b"one", b"two"):
            call.message(word)
            assert await call.heard() == b"re:" + word
        call.say(b"", ends=True)
        await call.rest()
        exchange = await taken.exchange()
    assert _said(exchange) == [(True, b"one"), (False, b"re:one"), (True, b"two"), (False, b"re:two")]
    assert exchange.is_complete
    times = [each.seen_at for each in exchange.messages]
    assert times == sorted(times)
    assert times[0] < times[-1]


async def test_a_call_that_the_server_ends_early_is_captured_at_once() -> None:
    taken = Taken()
    async with (
        serving_http2(echo) as port,
        proxied(taken, port) as proxy,
        calling(proxy.host, proxy.port) as client,
    ):
        call = client.call(b"/echo/leave")
        call.message(b"this")
        await call.rest()
        exchange = await taken.exchange()
        assert _said(exchange) == [(True, b"this"), (False, b"enough of this")]
        assert not exchange.is_complete
        call.say(b"", ends=True)
    assert taken.all.empty()


async def test_a_call_beyond_the_limit_passes_and_is_captured_up_to_it() -> None:
    taken = Taken()
    async with (
        serving_http2(echo) as port,
        proxied(taken, port, max_body_bytes=1000) as proxy,
        calling(proxy.host, proxy.port) as client,
    ):
        call = client.call(b"/echo/talk")
        for _ in range(10):
            call.message(b"x" * 200)
            assert await call.heard() == b"re:" + b"x" * 200
        call.say(b"", ends=True)
        await call.rest()
        exchange = await taken.exchange()
    assert not exchange.is_complete
    assert len(exchange.messages) == 8


async def test_a_call_under_way_when_the_proxy_stops_is_captured_as_far_as_it_came() -> None:
    taken = Taken()
    async with serving_http2(echo) as port, asyncio.TaskGroup() as tasks:
        async with proxied(taken, port, grace_seconds=0.05) as proxy:
            client = Peer(*await proxy.connect())
            tasks.create_task(client.run())
            client.begin()
            call = client.call(b"/echo/talk")
            call.message(b"one")
            assert await call.heard() == b"re:one"
        client.writer.close()
    exchange = await taken.exchange()
    assert _said(exchange) == [(True, b"one"), (False, b"re:one")]
    assert not exchange.is_complete


async def test_many_streams_of_one_connection_pass_at_once() -> None:
    taken = Taken()
    async with (
        serving_http2(echo) as port,
        proxied(taken, port) as proxy,
        calling(proxy.host, proxy.port) as client,
    ):
        calls = [client.call(b"/echo/talk") for _ in range(50)]
        for number, call in enumerate(calls):
            call.message(b"%d" % number)
        for number, call in enumerate(calls):
            assert await call.heard() == b"re:%d" % number
        for call in calls:
            call.say(b"", ends=True)
            await call.rest()
        found = [await taken.exchange() for _ in range(50)]
    assert sorted(each.index for each in found) == list(range(50))
    assert {each.session for each in found} == {found[0].session}
    assert all(each.messages[1].body == b"re:" + each.messages[0].body for each in found)


async def test_a_preface_in_pieces_is_waited_for() -> None:
    taken = Taken()
    async with serving_http2(echo) as port, proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        client = Peer(reader, writer)
        client.connection.initiate_connection()
        first = client.connection.data_to_send()
        for piece in (first[:1], first[1:3], first[3:20]):
            writer.write(piece)
            await writer.drain()
            await _turns()
        writer.write(first[20:])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(client.run())
            call = client.call(b"/echo/unary")
            call.message(b"a", ends=True)
            assert await call.rest() == b"\0\0\0\0\x04re:a"
            writer.close()


async def _turns() -> None:
    """Let what is on its way through the loopback arrive."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("method", [b"P", b"PR", b"PRI", b"POST"])
async def test_http1_requests_that_begin_like_the_preface_pass(method: bytes) -> None:
    seen: list[bytes] = []
    request = method + b" / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(OK, seen)) as port, proxied(Taken(), port) as proxy:
        assert await proxy.ask(request) == OK
    assert seen == [request]


async def test_plain_http2_that_is_no_grpc_is_captured_as_http() -> None:
    async def serve(stream: Stream) -> None:
        await stream.rest()
        stream.head((b":status", b"203"), (b"x", b"1"))
        stream.say(b"body", ends=True)

    taken = Taken()
    async with (
        serving_http2(serve) as port,
        proxied(taken, port) as proxy,
        calling(proxy.host, proxy.port) as client,
    ):
        stream = client.stream()
        head = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/x?y"))
        stream.head(*head, (b"a", b"1"), (b"a", b"2"), ends=True)
        assert await stream.rest() == b"body"
        exchange = await taken.exchange()
    assert (exchange.protocol, exchange.messages, exchange.request.version) == ("http", (), b"HTTP/2")
    assert exchange.request.target == b"/x?y"
    assert exchange.request.headers == ((b"host", b"a"), (b"a", b"1"), (b"a", b"2"))
    assert exchange.response is not None
    assert (exchange.response.status, exchange.response.body) == (203, b"body")


async def test_a_client_that_breaks_http2_is_counted() -> None:
    taken = Taken()
    async with serving_http2(echo) as port, proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\x01\x01\x05\0\0\0\x01\xff")
        await reader.read(-1)
        writer.close()
        assert await taken.next() == "malformed_request"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "live.pem")


@pytest.mark.parametrize(("front", "live"), [(False, True), (True, False), (True, True)], ids=str)
async def test_calls_pass_where_one_side_or_both_are_on_tls(
    certificate: Path, *, front: bool, live: bool
) -> None:
    taken = Taken()
    settings = {"certificate_path": str(certificate)} if front else {}
    async with (
        serving_http2(echo, tls=server_tls(certificate, "h2") if live else None) as port,
        proxied(
            taken, port, scheme="https" if live else "http", live_ca_path=str(certificate), **settings
        ) as proxy,
        calling(
            proxy.host, proxy.port, tls=client_tls(certificate, "h2", "http/1.1") if front else None
        ) as client,
    ):
        call = client.call(b"/echo/talk")
        call.message(b"one")
        assert await call.heard() == b"re:one"
        call.say(b"", ends=True)
        await call.rest()
        assert call.trailers == TRAILERS
        exchange = await taken.exchange()
    assert _said(exchange) == [(True, b"one"), (False, b"re:one")]
