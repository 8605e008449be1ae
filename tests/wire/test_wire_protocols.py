"""Who reads which connection."""

import pytest

from shadow.model import Request, Response
from shadow.wire.dns_stream import DnsStream
from shadow.wire.listener import Link
from shadow.wire.pairing import Pairing
from shadow.wire.protocols import Protocols, Spoken, datagram_protocols
from shadow.wire.talk import Talk
from shadow.wire.websocket import WebSocket
from tests.wire.listening import LINK, Heard


def link(*ports: int) -> Link:
    one, other = (f"[::{port}]:{port}" for port in ports)
    return Link("pcap", (one, other), 1)


@pytest.mark.parametrize(
    ("ports", "named", "kind"),
    [
        ((40000, 80), {}, Pairing),
        ((40000, 53), {}, DnsStream),
        ((53, 40000), {}, DnsStream),
        ((40000, 5353), {}, Pairing),
        ((40000, 9000), {9000: "tcp"}, Talk),
        ((9000, 40000), {9000: "tcp"}, Talk),
        ((40000, 9000), {9000: "udp"}, Pairing),
        ((40000, 9000), {9000: "dns"}, DnsStream),
        ((40000, 53), {53: "tcp"}, Talk),
        ((40000, 53), {53: "udp"}, DnsStream),
    ],
)
def test_port_tells_who_reads(ports: tuple[int, int], named: dict[int, Spoken], kind: type) -> None:
    assert isinstance(Protocols(Heard(), None, named).open(link(*ports)), kind)


@pytest.mark.parametrize(
    ("named", "wanted", "expected"),
    [
        ({}, None, {53: "dns", 5353: "dns", 5355: "dns"}),
        ({}, {80}, {}),
        ({53: "udp", 9000: "tcp"}, None, {53: "udp", 5353: "dns", 5355: "dns"}),
        ({5000: "udp", 5300: "dns"}, {53, 5000}, {53: "dns", 5000: "udp"}),
    ],
)
def test_datagrams_of_which_ports_are_read(
    named: dict[int, Spoken], wanted: set[int] | None, expected: dict[int, Spoken]
) -> None:
    assert datagram_protocols(named, wanted) == expected


@pytest.mark.parametrize(
    ("upgrade", "headers", "is_read"),
    [
        (b"websocket", ((b"Sec-WebSocket-Key", b"x"),), True),
        (b"websocket", ((b"Sec-WebSocket-Key1", b"x"),), False),
        (b"h2c", ((b"Sec-WebSocket-Key", b"x"),), False),
    ],
    ids=["websocket", "an old draft", "something else"],
)
def test_only_the_websockets_of_the_standard_are_read(
    upgrade: bytes, headers: tuple[tuple[bytes, bytes], ...], is_read: bool
) -> None:
    handshake = LINK.exchange(0, 0, 1.0, Request(b"GET", b"/", headers=headers), Response(101))
    assert isinstance(Protocols(Heard()).switch(upgrade, LINK, 0, handshake), WebSocket) is is_read
