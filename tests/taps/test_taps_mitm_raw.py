"""TCP and UDP pass the inline tap untouched, and are captured as conversations."""

import asyncio
import os
import warnings
from pathlib import Path
from typing import Any

import pytest

from shadow.model import Exchange, Request
from tests.certificates import client_tls, server_tls, write_certificate
from tests.taps.datagrams import udp_client, udp_service
from tests.taps.proxies import Taken, proxied, serving

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from mitmproxy.test import tflow

    from shadow.taps.mitm import MitmTap


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_certificate(tmp_path_factory.mktemp("tls") / "live.pem")


def _said(exchange: Exchange) -> list[tuple[bool, bytes]]:
    return [(each.is_from_client, each.body) for each in exchange.messages]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(1 << 16):
        writer.write(said.upper())


async def test_what_each_side_says_until_the_other_speaks_is_one_message() -> None:
    taken = Taken()
    async with serving(_echo) as port, proxied(taken, port, scheme="tcp") as proxy:
        reader, writer = await proxy.connect()
        client = writer.get_extra_info("sockname")
        for word in (b"one", b"two"):
            writer.write(word[:1])
            assert await reader.readexactly(1) == word[:1].upper()
            writer.write(word[1:])
            assert await reader.readexactly(2) == word[1:].upper()
        writer.close()
        exchange = await taken.exchange()
    said = [b"o", b"O", b"ne", b"NE", b"t", b"T", b"wo", b"WO"]
    assert _said(exchange) == [(body.islower(), body) for body in said]
    assert (exchange.protocol, exchange.is_complete, exchange.response) == ("tcp", True, None)
    assert exchange.request == Request(b"", b"", b"")
    assert exchange.session == f"127.0.0.1:{client[1]}"
    assert exchange.live == f"127.0.0.1:{port}"


async def test_many_parts_of_one_turn_are_one_message() -> None:
    body = os.urandom(300_000)

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(body))
        writer.write(body[::-1])
        await writer.drain()

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port, scheme="tcp") as proxy:
        reader, writer = await proxy.connect()
        writer.write(body)
        assert await reader.read(-1) == body[::-1]
        writer.close()
        exchange = await taken.exchange()
    assert _said(exchange) == [(True, body), (False, body[::-1])]


async def test_a_server_may_speak_first() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.readline()

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port, scheme="tcp") as proxy:
        reader, writer = await proxy.connect()
        assert await reader.readline() == b"220 ready\r\n"
        writer.write(b"QUIT\r\n")
        assert await reader.read(-1) == b""
        writer.close()
        exchange = await taken.exchange()
    assert _said(exchange) == [(False, b"220 ready\r\n"), (True, b"QUIT\r\n")]


async def test_a_client_that_says_no_more_still_gets_its_answer() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read(-1)).upper())
        await writer.drain()

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port, scheme="tcp") as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"all of it")
        writer.write_eof()
        assert await reader.read(-1) == b"ALL OF IT"
        writer.close()
        exchange = await taken.exchange()
    assert _said(exchange) == [(True, b"all of it"), (False, b"ALL OF IT")]


async def test_a_server_that_leaves_at_once_takes_its_client_along() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port, scheme="tcp") as proxy:
        reader, writer = await proxy.connect()
        assert await reader.read(-1) == b""
        writer.close()
    assert taken.all.empty()


async def test_a_live_service_that_is_down_closes_its_clients() -> None:
    async with serving(_echo) as port:
        pass
    async with proxied(Taken(), port, scheme="tcp") as proxy:
        reader, writer = await proxy.connect()
        assert await reader.read(-1) == b""
        writer.close()


@pytest.mark.parametrize(
    "speaks",
    [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01", b"\0"],
    ids=["HTTP/1", "HTTP/2", "TLS", "binary"],
)
async def test_bytes_of_other_protocols_pass_untouched(speaks: bytes) -> None:
    taken = Taken()
    async with serving(_echo) as port, proxied(taken, port, scheme="tcp") as proxy:
        reader, writer = await proxy.connect()
        writer.write(speaks)
        assert await reader.readexactly(len(speaks)) == speaks.upper()
        writer.close()
        assert _said(await taken.exchange()) == [(True, speaks), (False, speaks.upper())]


async def test_tls_inside_passes_from_end_to_end(certificate: Path) -> None:
    taken = Taken()
    async with (
        serving(_echo, tls=server_tls(certificate)) as port,
        proxied(taken, port, scheme="tcp") as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=client_tls(certificate))
        writer.write(b"secret")
        assert await reader.readexactly(6) == b"SECRET"
        writer.close()
        exchange = await taken.exchange()
    assert exchange.messages[0].body.startswith(b"\x16\x03")


@pytest.mark.parametrize(("scheme", "front"), [("tcp", True), ("tls", False), ("tls", True)])
async def test_tls_ends_at_the_proxy_where_it_has_the_means(
    certificate: Path, scheme: str, *, front: bool
) -> None:
    """With a certificate towards clients, with ``tls://`` towards the live service."""
    taken = Taken()
    settings: dict[str, Any] = {"live_ca_path": str(certificate)}
    settings |= {"certificate_path": str(certificate)} if front else {}
    tls = client_tls(certificate) if front else None
    async with (
        serving(_echo, tls=server_tls(certificate) if scheme == "tls" else None) as port,
        proxied(taken, port, scheme=scheme, **settings) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=tls)
        writer.write(b"secret")
        assert await reader.readexactly(6) == b"SECRET"
        writer.close()
        exchange = await taken.exchange()
    assert _said(exchange) == [(True, b"secret"), (False, b"SECRET")]


@pytest.mark.parametrize(("scheme", "front"), [("tcp", True), ("tls", False), ("tls", True)])
async def test_a_server_may_speak_first_on_tls(certificate: Path, scheme: str, *, front: bool) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read(1)

    settings: dict[str, Any] = {"certificate_path": str(certificate)} if front else {}
    tls = client_tls(certificate) if front else None
    async with (
        serving(respond, tls=server_tls(certificate) if scheme == "tls" else None) as port,
        proxied(Taken(), port, scheme=scheme, live_ca_path=str(certificate), **settings) as proxy,
    ):
        reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=tls)
        assert await reader.readline() == b"220 ready\r\n"
        writer.close()


async def test_the_protocol_that_the_live_service_negotiates_in_tls_is_the_clients(certificate: Path) -> None:
    path = str(certificate)
    async with (
        serving(_echo, tls=server_tls(certificate, "odd", "other")) as port,
        proxied(Taken(), port, scheme="tls", live_ca_path=path, certificate_path=path) as proxy,
    ):
        tls = client_tls(certificate, "even", "other", "http/1.1")
        _, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=tls)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "other"
        writer.close()


@pytest.mark.parametrize("settings", [{"max_body_bytes": 100_000}, {"max_held_bytes": 100_000}], ids=str)
async def test_a_conversation_beyond_its_limit_passes_and_is_captured_up_to_it(
    settings: dict[str, Any],
) -> None:
    taken = Taken()
    async with serving(_echo) as port, proxied(taken, port, scheme="tcp", **settings) as proxy:
        reader, writer = await proxy.connect()
        for _ in range(4):
            body = os.urandom(30_000)
            writer.write(body)
            assert await reader.readexactly(len(body)) == body.upper()
        exchange = await taken.exchange()
        writer.close()
        assert taken.all.empty()
    assert not exchange.is_complete
    assert 60_000 < sum(len(each.body) for each in exchange.messages) <= 100_000


async def test_a_connection_that_is_open_when_the_proxy_stops_is_captured_as_far_as_it_came() -> None:
    taken = Taken()
    async with serving(_echo) as port:
        async with proxied(taken, port, scheme="tcp", grace_seconds=1) as proxy:
            reader, writer = await proxy.connect()
            writer.write(b"a")
            assert await reader.read(1) == b"A"
        exchange = await taken.exchange()
        assert await reader.read(-1) == b""
        writer.close()
    assert (_said(exchange), exchange.is_complete) == ([(True, b"a"), (False, b"A")], False)
    assert taken.all.empty()


async def test_a_connection_that_changed_its_protocol_is_captured_as_a_conversation_too() -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\n")
        await _echo(reader, writer)

    taken = Taken()
    async with serving(respond) as port, proxied(taken, port) as proxy:
        reader, writer = await proxy.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: odd\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        handshake = await taken.exchange()
        writer.write(b"one")
        assert await reader.readexactly(3) == b"ONE"
        writer.close()
        exchange = await taken.exchange()
    assert (handshake.protocol, exchange.protocol) == ("http", "tcp")
    assert _said(exchange) == [(True, b"one"), (False, b"ONE")]
    assert exchange.session == handshake.session


@pytest.mark.parametrize("first", [b"one", b"\x16\xfe\xff" + bytes(22)], ids=["plain", "like DTLS"])
async def test_each_datagram_is_one_message(first: bytes) -> None:
    taken = Taken()
    async with udp_service(bytes.upper) as port:
        async with proxied(taken, port, scheme="udp") as proxy, udp_client(proxy) as client:
            for word in (first, b"two", b""):
                if word:
                    assert await client.ask(word) == word.upper()
        exchange = await taken.exchange()
    assert _said(exchange) == [(True, first), (False, first.upper()), (True, b"two"), (False, b"TWO")]
    assert (exchange.protocol, exchange.request) == ("udp", Request(b"", b"", b""))


async def test_clients_of_udp_are_told_apart() -> None:
    taken = Taken()
    async with udp_service(bytes.upper) as port:
        async with (
            proxied(taken, port, scheme="udp") as proxy,
            udp_client(proxy) as first,
            udp_client(proxy) as second,
        ):
            assert await first.ask(b"a") == b"A"
            assert await second.ask(b"b") == b"B"
        found = [await taken.exchange() for _ in range(2)]
    assert {exchange.messages[0].body for exchange in found} == {b"a", b"b"}
    assert len({exchange.session for exchange in found}) == 2


def test_messages_stay_where_other_addons_may_want_them() -> None:
    tap, flow = MitmTap(Taken(), is_alone=False), tflow.ttcpflow()
    said = list(flow.messages)
    tap.tcp_start(flow)
    tap.tcp_message(flow)
    tap.tcp_end(flow)
    assert flow.messages == said
