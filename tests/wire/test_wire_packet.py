"""Every link layer, tag and tunnel leads to the same TCP segment."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.capture import ethernet, ip, tcp
from shadow.wire.link import _READERS
from shadow.wire.packet import Dissector, flow_ends, reverse

TCP = tcp(1234, 80, 7, 9, 24, b"payload")
IP4 = ip("10.1.2.3", "10.4.5.6", 6, TCP)
IP6 = ip("2001:db8::1", "2001:db8::2", 6, TCP)
FRAME = ethernet(IP4)


def udp(port: int, payload: bytes) -> bytes:
    return ip("1.1.1.1", "2.2.2.2", 17, struct.pack("!HHHH", 5555, port, 8 + len(payload), 0) + payload)


def gre(flags: int, kind: int, payload: bytes) -> bytes:
    return ethernet(ip("1.1.1.1", "2.2.2.2", 47, struct.pack("!HH", flags, kind) + payload))


LINKS = {
    "ethernet": (1, FRAME),
    "null little": (0, b"\x02\0\0\0" + IP4),
    "null big": (0, b"\0\0\0\x02" + IP4),
    "null IPv6": (0, b"\x1e\0\0\0" + IP6),
    "loop": (108, b"\0\0\0\x02" + IP4),
    "raw": (101, IP4),
    "raw 12": (12, IP6),
    "IPv4": (228, IP4),
    "IPv6": (229, IP6),
    "cooked": (113, b"\0" * 14 + b"\x08\0" + IP4),
    "cooked 2": (276, b"\x86\xdd" + b"\0" * 18 + IP6),
    "FDDI": (10, b"\0" * 13 + b"\xaa\xaa\x03\0\0\0\x08\0" + IP4),
    "PPP": (9, b"\xff\x03\x00\x21" + IP4),
    "wireless": (105, b"\x08\x01" + b"\0" * 22 + b"\xaa\xaa\x03\0\0\0\x08\0" + IP4),
    "radiotap": (
        127,
        b"\0\0\x08\0" + b"\0" * 4 + b"\x88\x01" + b"\0" * 24 + b"\xaa\xaa\x03\0\0\0\x08\0" + IP4,
    ),
    "netfilter log": (239, b"\x02\0\0\0" + struct.pack("<HH", 4 + len(IP4), 9) + IP4),
    "SNAP": (1, b"\0" * 12 + struct.pack("!H", 8 + len(IP4)) + b"\xaa\xaa\x03\0\0\0\x08\0" + IP4),
    "MPLS": (1, b"\0" * 12 + b"\x88\x47" + b"\0\x01\x00\x40" + b"\0\x01\x01\x40" + IP4),
    "MPLS pseudowire": (1, b"\0" * 12 + b"\x88\x47" + b"\0\x01\x01\x40" + b"\0\0\0\0" + FRAME),
    "PPPoE": (1, b"\0" * 12 + b"\x88\x64\x11\0\0\x01" + struct.pack("!H", 2 + len(IP4)) + b"\0\x21" + IP4),
    "backbone bridge": (1, b"\0" * 12 + b"\x88\xe7" + b"\0" * 4 + FRAME),
    "GRE": (1, gre(0, 0x0800, IP4)),
    "GRE with everything": (1, gre(0xB000, 0x86DD, b"\0" * 12 + IP6)),
    "GRE Ethernet": (1, gre(0, 0x6558, FRAME)),
    "PPTP": (1, gre(0x3081, 0x880B, b"\0" * 12 + b"\xff\x03\x00\x21" + IP4)),
    "ERSPAN I": (1, gre(0, 0x88BE, FRAME)),
    "ERSPAN II": (1, gre(0x1000, 0x88BE, b"\0" * 12 + FRAME)),
    "ERSPAN III": (1, gre(0x1000, 0x22EB, b"\0" * 16 + FRAME)),
    "ERSPAN III platform": (1, gre(0x1000, 0x22EB, b"\0" * 15 + b"\x01" + b"\0" * 8 + FRAME)),
    "IP in IP": (1, ethernet(ip("1.1.1.1", "2.2.2.2", 4, IP4))),
    "IPv6 in IPv4": (1, ethernet(ip("1.1.1.1", "2.2.2.2", 41, IP6))),
    "IPv4 in IPv6": (1, ethernet(ip("::1", "::2", 4, IP4), is_ipv6=True)),
    "GTP": (1, ethernet(udp(2152, b"\x30\xff" + b"\0" * 6 + IP4))),
    "GRE over UDP": (1, ethernet(udp(4754, b"\0\0\x08\0" + IP4))),
    "hop-by-hop options": (
        1,
        ethernet(ip("2001:db8::1", "2001:db8::2", 0, b"\x06\0" + b"\0" * 6 + TCP), b"", True),
    ),
    "IP options": (1, ethernet(b"\x46\0" + struct.pack("!H", 24 + len(TCP)) + IP4[4:20] + b"\x01" * 4 + TCP)),
    "padding": (1, FRAME + b"padding"),
    "no length (offload)": (101, IP4[:2] + b"\0\0" + IP4[4:]),
}
TAGGED = {
    "VLAN": (ethernet(IP4, b"\x81\x00\x20\x05"), b"v5"),
    "QinQ": (ethernet(IP4, b"\x88\xa8\x00\x07\x81\x00\x00\x09"), b"v7v9"),
    "VXLAN": (ethernet(udp(4789, b"\x08\0\0\0\0\0\x2a\0" + FRAME)), b"x\0\0\x2a"),
    "VXLAN GPE": (ethernet(udp(4790, b"\x0c\0\0\x03\0\0\x2a\0" + FRAME)), b"x\0\0\x2a"),
    "Geneve": (ethernet(udp(6081, b"\x01\0\x65\x58\0\0\x07\0" + b"\0" * 4 + FRAME)), b"g\0\0\x07"),
}


@pytest.mark.parametrize(("link", "frame"), LINKS.values(), ids=LINKS)
def test_segment_is_found_under_every_layer(link: int, frame: bytes) -> None:
    segment = Dissector().segment(link, frame)
    assert segment is not None
    (ends, tags), *rest = segment
    assert rest == [7, 9, 24, b"payload", 0]
    assert tags == b""
    assert flow_ends((ends, tags)) in (
        ("10.1.2.3", 1234, "10.4.5.6", 80),
        ("2001:db8::1", 1234, "2001:db8::2", 80),
    )


@pytest.mark.parametrize(("frame", "tags"), TAGGED.values(), ids=TAGGED)
def test_tags_are_part_of_the_flow(frame: bytes, tags: bytes) -> None:
    segment = Dissector().segment(1, frame)
    assert segment is not None
    assert segment[0][1] == tags
    assert segment[4] == b"payload"


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(FRAME[:-4], id="fast way"),
        pytest.param(ethernet(IP4, b"\x81\x00\x00\x05")[:61], id="general way"),
    ],
)
def test_bytes_that_were_not_captured_are_counted(frame: bytes) -> None:
    frame = frame[: frame.index(b"pay") + 3]
    segment = Dissector().segment(1, frame)
    assert segment is not None
    assert segment[4:] == (b"pay", 4)


def test_headers_beyond_the_packets_end_are_no_lost_bytes() -> None:
    head = bytearray(FRAME[:54])
    head[17], head[46] = 64, 0xF0  # a packet of 64 bytes, whose TCP header claims 60 of them
    segment = Dissector().segment(1, bytes(head))
    assert segment is not None
    assert segment[4:] == (b"", 0)


@pytest.mark.parametrize("size", range(0, 48, 3))
def test_frame_cut_inside_its_headers_is_no_segment(size: int) -> None:
    assert Dissector().segment(1, FRAME[:size]) is None


def test_unknown_link_types_are_told() -> None:
    dissector = Dissector()
    assert dissector.segment(999, FRAME) is None
    assert dissector.unknown_links == {999}


def test_nesting_without_end_is_given_up() -> None:
    frame = b"\0" * 12 + b"\x81\x00\0\x01" * 500 + b"\x08\0" + IP4
    assert Dissector().segment(1, frame) is None


DATA = b"\x04\xd2\x00\x35\x00\x0d\x00\x00query"
DATAGRAM4 = ip("10.1.2.3", "10.4.5.6", 17, DATA)
DATAGRAM6 = ip("2001:db8::1", "2001:db8::2", 17, DATA)


def fragment(at: int, payload: bytes, *, is_last: bool) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 9, at // 8 | (not is_last) << 13, 64, 17, 0)
    return ethernet(head + DATAGRAM4[12:20] + payload)


@pytest.mark.parametrize(
    ("link", "frames", "tags"),
    [
        (1, [ethernet(DATAGRAM4)], b""),
        (1, [ethernet(DATAGRAM6, is_ipv6=True)], b""),
        (101, [DATAGRAM6], b""),
        (1, [ethernet(DATAGRAM4, b"\x81\x00\x20\x05")], b"v5"),
        (1, [ethernet(udp(4789, b"\x08\0\0\0\0\0\x2a\0" + ethernet(DATAGRAM4)))], b"x\0\0\x2a"),
        (1, [ethernet(ip("1.1.1.1", "2.2.2.2", 4, DATAGRAM4))], b""),
        (1, [fragment(8, DATA[8:], is_last=True), fragment(0, DATA[:8], is_last=False)], b""),
        (1, [ethernet(ip("10.1.2.3", "10.4.5.6", 17, DATA + b"trailer"))], b""),
        (1, [ethernet(ip("10.1.2.3", "10.4.5.6", 17, DATA[:4] + b"\0\0" + DATA[6:]))], b""),
    ],
    ids=["IPv4", "IPv6", "raw", "VLAN", "VXLAN", "IP in IP", "fragments", "trailer", "no length"],
)
def test_datagram_is_found_under_every_layer(link: int, frames: list[bytes], tags: bytes) -> None:
    dissector = Dissector(datagram_ports={53})
    for frame in frames:
        assert dissector.datagram is None
        assert dissector.segment(link, frame) is None
    assert dissector.datagram is not None
    key, payload, lost = dissector.datagram
    assert (key[1], payload, lost) == (tags, b"query", 0)
    assert flow_ends(key) in (
        ("10.1.2.3", 1234, "10.4.5.6", 53),
        ("2001:db8::1", 1234, "2001:db8::2", 53),
    )


def test_datagrams_of_other_ports_are_left_alone() -> None:
    dissector = Dissector(datagram_ports={54})
    assert dissector.segment(1, ethernet(DATAGRAM4)) is None
    assert dissector.datagram is None


def test_port_that_is_read_is_no_tunnel() -> None:
    dissector = Dissector(datagram_ports={4789})
    assert dissector.segment(1, ethernet(udp(4789, b"\x08\0\0\0\0\0\x2a\0" + FRAME))) is None
    assert dissector.datagram is not None


def test_bytes_of_a_datagram_that_were_not_captured_are_counted() -> None:
    dissector = Dissector(datagram_ports={53})
    frame = ethernet(DATAGRAM4)
    dissector.segment(1, frame[: frame.index(b"query") + 2])
    assert dissector.datagram is not None
    assert dissector.datagram[1:] == (b"qu", 3)


@pytest.mark.parametrize("size", range(30, 42))
def test_frame_cut_inside_the_header_of_a_datagram_is_malformed_at_most(size: int) -> None:
    dissector = Dissector(datagram_ports={53})
    assert dissector.segment(1, ethernet(DATAGRAM4)[:size]) is None
    assert dissector.datagram is None or dissector.datagram[1] == b""


def test_reverse_of_a_key_is_the_other_direction() -> None:
    segment = Dissector().segment(1, FRAME)
    assert segment is not None
    assert flow_ends(reverse(segment[0])) == ("10.4.5.6", 80, "10.1.2.3", 1234)
    assert reverse(reverse(segment[0])) == segment[0]


def test_fragments_are_forgotten_when_there_are_too_many() -> None:
    dissector = Dissector()
    for number in range(3000):
        head = (
            struct.pack("!BBHHHBBH", 0x45, 0, 28, number, 0x2000, 64, 6, 0)
            + b"\x01\x01\x01\x01\x02\x02\x02\x02"
        )
        assert dissector.segment(101, head + b"fragment") is None
    assert len(dissector._fragments._waiting) <= 1024


TUNNEL_PORTS = [4789, 8472, 4790, 6081, 4754, 2152, 6635, 3544, 5072, 1701]


@given(
    st.sampled_from(sorted(_READERS)),
    st.binary(max_size=120),
    st.sampled_from([b"", FRAME, IP4, IP6, ethernet(udp(0, b""))[:-30]]),
    st.integers(0, 60),
)
def test_no_frame_of_any_link_raises(link: int, text: bytes, real: bytes, at: int) -> None:
    Dissector().segment(link, real[:at] + text + real[at:])


@given(st.sampled_from(TUNNEL_PORTS), st.booleans(), st.binary(max_size=60))
def test_no_datagram_at_a_tunnels_port_raises(port: int, is_answer: bool, text: bytes) -> None:
    packet = bytearray(udp(port, text))
    if is_answer:
        packet[20:24] = packet[22:24] + packet[20:22]
    Dissector().segment(101, bytes(packet))


@given(st.sampled_from([4, 41, 47, 51, 97, 137]), st.binary(max_size=60), st.booleans())
def test_no_packet_of_a_tunnels_protocol_raises(protocol: int, text: bytes, is_ipv6: bool) -> None:
    ends = ("::1", "::2") if is_ipv6 else ("1.1.1.1", "2.2.2.2")
    Dissector().segment(101, ip(*ends, protocol, text))
