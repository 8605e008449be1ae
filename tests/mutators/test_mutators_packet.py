"""Every packet mutator, on every kind of seed, over both versions of IP."""

from ipaddress import IPv4Network, IPv6Network
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from mutators import _packet_catalog
from mutators._packet import Ends, PacketMutator, Seed, Stream, singular
from mutators._packet_catalog import PACKET_CATALOG
from mutators.packet_dns import base_of
from shadow.model import Expect, Level
from shadow.packets.craft import Crafting
from shadow.wire.dns_message import parse

QUERY = bytes.fromhex("abcd0100000100000000000003777777076578616d706c65036f72670000010001")
SEEDS = {
    "dns": Seed("dns", QUERY),
    "udp": Seed("udp", b"hello"),
    "empty": Seed("udp", b""),
    "tcp": Seed("tcp", b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"),
}
STREAM = Stream(40_000, 0xFFFF_FFF0, 77)
"""Its numbers turn over within the request."""
ENDS4 = Ends("127.0.0.1", "127.0.0.2", 5300, (IPv4Network("10.0.0.0/29"),), stream=STREAM)
ENDS6 = Ends("::1", "fe80::2", 5300, (IPv6Network("fd00::/120"),), stream=STREAM)
BY_NAME = {each.name: each for each in PACKET_CATALOG}
everyone = pytest.mark.parametrize("mutator", PACKET_CATALOG, ids=lambda each: each.name)


@everyone
def test_each_states_what_must_come_of_it_and_why(mutator: PacketMutator) -> None:
    assert (mutator.level, mutator.expect) == (Level.PACKET, Expect.SURVIVE)
    assert "RFC" in mutator.reason or "CWE" in mutator.reason


@everyone
@settings(max_examples=6, deadline=None)
@given(payload=st.binary(max_size=200), run=st.integers(0, 10_000))
def test_each_makes_the_same_of_the_same_and_raises_for_nothing(
    mutator: PacketMutator, payload: bytes, run: int
) -> None:
    ends = ENDS6 if mutator.version == 6 else ENDS4
    for protocol in sorted(mutator.over):
        crafting = Crafting([mutator], [Seed(protocol, payload)], ends, seed=run)
        made = crafting.make(0)
        assert made == Crafting([mutator], [Seed(protocol, payload)], ends, seed=run).make(0)
        assert made.packets
        assert sum(map(len, made.packets)) < 200_000


@everyone
@pytest.mark.parametrize("kind", SEEDS)
@pytest.mark.parametrize("ends", [ENDS4, ENDS6], ids=["ip4", "ip6"])
def test_each_goes_to_the_target_alone(mutator: PacketMutator, kind: str, ends: Ends) -> None:
    if not mutator.fits(SEEDS[kind], ends):
        return
    for number in range(4):
        for packet in Crafting([mutator], [SEEDS[kind]], ends, seed=1).make(number).packets:
            whole = 40 if ends.is_ip6 else 20
            if len(packet) >= whole:
                addresses = packet[8:40] if ends.is_ip6 else packet[12:20]
                source, target = addresses[: len(addresses) // 2], addresses[len(addresses) // 2 :]
                header = bytes((IPv6 if ends.is_ip6 else IP)(src=ends.source, dst=ends.target))
                expected = header[8:40] if ends.is_ip6 else header[12:20]
                assert target == expected[len(expected) // 2 :]
                assert mutator.spoofs or source == expected[: len(expected) // 2]


def test_nothing_fits_the_other_version_or_what_the_system_would_mend() -> None:
    fitting = {each.name for each in PACKET_CATALOG if each.fits(SEEDS["udp"], ENDS6)}
    assert "ip6_field" in fitting
    assert fitting.isdisjoint({"ip_field", "ip_checksum", "icmp", "tcp_fuzz"})
    mended = Ends("127.0.0.1", "127.0.0.2", 5300, is_mended=True)
    assert not BY_NAME["ip_checksum"].fits(SEEDS["udp"], mended)
    said = {
        Crafting([BY_NAME["ip_field"]], [SEEDS["udp"]], mended, seed=1).make(number).what
        for number in range(200)
    }
    assert not any(each.startswith("IP len") for each in said)


def test_sources_are_made_up_only_where_that_is_allowed() -> None:
    assert not BY_NAME["spoofed_source"].fits(SEEDS["udp"], Ends("127.0.0.1", "127.0.0.2", 5300))
    crafting = Crafting([BY_NAME["spoofed_source"]], [SEEDS["udp"]], ENDS4, seed=1)
    for number in range(40):
        source = int.from_bytes(crafting.make(number).packets[0][12:16])
        assert source - int.from_bytes(bytes([10, 0, 0, 0])) in range(8)


@pytest.mark.parametrize("ends", [ENDS4, ENDS6], ids=["ip4", "ip6"])
def test_overlapping_fragments_differ_where_they_overlap(ends: Ends) -> None:
    mutator = BY_NAME["ip6_fragments" if ends.is_ip6 else "fragments"]
    crafting = Crafting([mutator], [SEEDS["udp"]], ends, seed=1)
    overlapping = [made for number in range(100) if "overlapping" in (made := crafting.make(number)).what]
    assert overlapping
    for each in overlapping:
        places: dict[int, set[int]] = {}
        for packet in each.packets:
            head, offset = (48, packet[42:44]) if ends.is_ip6 else (20, packet[6:8])
            at = int.from_bytes(offset) & 0xFFF8 if ends.is_ip6 else (int.from_bytes(offset) & 0x1FFF) * 8
            for place, byte in enumerate(packet[head:]):
                places.setdefault(at + place, set()).add(byte)
        assert max(map(len, places.values())) > 1


SAYS_ALL = ("stream_out_of_order", "stream_repeated", "stream_byte_by_byte", "stream_bad_checksum")


@pytest.mark.parametrize("name", SAYS_ALL)
@settings(max_examples=40, deadline=None)
@given(payload=st.binary(min_size=1, max_size=300), number=st.integers(0, 1000))
def test_what_stays_whole_is_the_request_once_it_is_put_together(
    name: str, payload: bytes, number: int
) -> None:
    """Put together by number, the last word counting, which is more than any service does."""
    made = Crafting([BY_NAME[name]], [Seed("tcp", payload)], ENDS4, seed=1).make(number)
    stream = bytearray(len(payload))
    for packet in made.packets:
        tcp = IP(packet)[TCP]
        at = (tcp.seq - STREAM.seq) & 0xFFFF_FFFF
        text = bytes(tcp.payload)
        stream[at : at + len(text)] = text
        assert (tcp.sport, tcp.ack) == (STREAM.port, STREAM.ack)
    assert bytes(stream) == payload


@given(st.integers(0, 1000))
def test_a_compression_loop_leads_back_into_itself(number: int) -> None:
    made = Crafting([BY_NAME["dns_compression_loop"]], [SEEDS["dns"]], ENDS4, seed=1).make(number)
    message, seen, at = made.packets[0][28:], set(), 12
    while at not in seen:
        seen.add(at)
        length = message[at]
        assert length
        at = int.from_bytes(message[at : at + 2]) & 0x3FFF if length & 0xC0 else at + 1 + length
    assert at in seen


def test_the_recorded_query_is_what_is_malformed() -> None:
    base = base_of(QUERY)
    assert (base.id, base.kind, base.text) == (0xABCD, 1, QUERY)
    assert QUERY[12:].startswith(base.name)
    message = parse(base_of(b"no dns").text)
    assert not isinstance(message, str)
    assert message.questions


@pytest.mark.parametrize(
    ("bits", "expected"), [(1, {0, 1}), (3, {0, 1, 3, 4, 6, 7}), (16, {0, 1, 32767, 32768, 65534, 65535})]
)
def test_singular_values_are_those_at_the_ends_and_the_middle(bits: int, expected: set[int]) -> None:
    assert {singular(bits, Random(seed)) for seed in range(200)} == expected


def test_every_packet_mutator_is_in_the_catalogue_once() -> None:
    names = [each.name for each in PACKET_CATALOG]
    assert len(names) == len(set(names))
    assert all(module.__name__.startswith("mutators.packet_") for module in _packet_catalog._MODULES)
