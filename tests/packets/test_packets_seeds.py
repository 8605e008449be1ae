import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet, Raw

from mutators._packet import Seed
from shadow.packets.seeds import made_up, seeds_in

ETHERNET = 1
TO = IP(src="10.0.0.1", dst="10.0.0.2")


def record(packet: Packet) -> tuple[float, int, bytes]:
    return 0.0, ETHERNET, bytes(packet)


@pytest.mark.parametrize(
    ("packet", "ports", "expected"),
    [
        (Ether() / TO / TCP(sport=40000, dport=80) / Raw(b"GET"), {80}, [Seed("tcp", b"GET")]),
        (
            Ether() / TO / TCP(sport=40000, dport=80, options=[("MSS", 9)]) / Raw(b"x"),
            set(),
            [Seed("tcp", b"x")],
        ),
        (Ether() / TO / TCP(sport=40000, dport=80), {80}, []),
        (Ether() / TO / TCP(sport=80, dport=40000) / Raw(b"HTTP"), set(), []),
        (Ether() / TO / TCP(sport=40000, dport=81) / Raw(b"GET"), {80}, []),
        (
            Ether() / Dot1Q(vlan=5) / TO / UDP(sport=40000, dport=9000) / Raw(b"hi"),
            {9000},
            [Seed("udp", b"hi")],
        ),
        (Ether() / TO / UDP(sport=40000, dport=53) / Raw(b"ask"), set(), [Seed("dns", b"ask")]),
        (Ether() / IP(frag=3) / Raw(b"rest of a fragment"), set(), []),
    ],
    ids=["tcp", "options", "empty", "answer", "other port", "vlan", "dns", "fragment"],
)
def test_what_clients_said_is_taken(packet: Packet, ports: set[int], expected: list[Seed]) -> None:
    assert seeds_in([record(packet), record(packet)], frozenset(ports)) == expected


@given(st.sampled_from([0, 1, 101, 113, 276]), st.binary(max_size=80))
def test_no_frame_raises(link: int, frame: bytes) -> None:
    assert len(seeds_in([(0.0, link, frame)], frozenset())) <= 1


@pytest.mark.parametrize(
    ("scheme", "protocol"), [("http", "tcp"), ("tls", "tcp"), ("udp", "udp"), ("dns", "dns")]
)
def test_something_is_said_where_nothing_was_recorded(scheme: str, protocol: str) -> None:
    assert [each.protocol for each in made_up(scheme, "h")] == [protocol]
