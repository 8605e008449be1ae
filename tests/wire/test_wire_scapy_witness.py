"""Scapy as a second witness: frames that it builds hold, for us too, the exchange that was put into them."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.contrib.erspan import ERSPAN_II
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, RadioTap
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    fragment6,
)
from scapy.layers.ipsec import AH
from scapy.layers.l2 import GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Dot3, Ether, Loopback
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Padding
from scapy.utils import PcapWriter

from shadow.model import Exchange, Request, Response
from shadow.taps.files import Recording

cut: Callable[[Packet, int], list[Packet]] = fragment
cut6: Callable[[Packet, int], list[Packet]] = fragment6

type Wrap = Callable[[int, Packet], Packet]
"""What a TCP segment from side 0 (client) or 1 (server) travels in."""

AT = 1_700_000_000.0
ETHERNET, NULL, PPP_LINK, RAW, WIRELESS, LOOP, COOKED, RADIOTAP, COOKED_2 = (
    1,
    0,
    9,
    101,
    105,
    108,
    113,
    127,
    276,
)
PORTS = (40000, 8080)
MACS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
OUTER, INNER = ("192.0.2.1", "192.0.2.2"), ("10.1.2.3", "10.4.5.6")
OUTER_6, INNER_6 = ("2001:db8::1", "2001:db8::2"), ("2001:db8:1::3", "2001:db8:1::4")

ORDER = b"\x00\xff\r\n\r\n" + bytes(range(256)) * 8
CHUNKS = (b"HTTP/1.1 200 no\r\n", b"\r\n0\r\n\r\n" * 300, b"end")
REQUEST = Request(
    b"POST",
    b"/orders/7?dry=1&x=%2F",
    headers=(
        (b"Host", b"shop.example:8080"),
        (b"X-Twice", b"a"),
        (b"x-twice", b"b"),
        (b"Content-Length", b"%d" % len(ORDER)),
    ),
    body=ORDER,
)
RESPONSE = Response(
    201,
    b"Created Now",
    headers=((b"Set-Cookie", b"s=1; Path=/"), (b"Set-Cookie", b"t=2"), (b"Transfer-Encoding", b"chunked")),
    body=b"".join(CHUNKS),
    trailers=((b"X-Sum", b"9"),),
)
ASKED = (
    b"POST /orders/7?dry=1&x=%2F HTTP/1.1\r\nHost: shop.example:8080\r\nX-Twice:a\r\nx-twice: b \r\n"
    b"Content-Length: 2054\r\n\r\n"
) + ORDER
ANSWERED = (
    b"HTTP/1.1 201 Created Now\r\nSet-Cookie: s=1; Path=/\r\nSet-Cookie: t=2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
    + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in CHUNKS)
    + b"0\r\nX-Sum: 9\r\n\r\n"
)


def segments() -> Iterator[tuple[int, Packet]]:
    """One conversation: each way three segments, the last two swapped and the first sent again.

    The client's sequence numbers wrap around inside its request.
    """
    starts = [2**32 - 100, 5000]
    texts = (ASKED, ANSWERED)

    def segment(side: int, flags: str, at: int, ack: int, payload: bytes = b"") -> tuple[int, Packet]:
        seq, ack = (starts[side] + at) % 2**32, (starts[1 - side] + ack) % 2**32 if "A" in flags else 0
        header = TCP(sport=PORTS[side], dport=PORTS[1 - side], flags=flags, seq=seq, ack=ack)
        return side, header / payload if payload else header

    yield segment(0, "S", 0, 0)
    yield segment(1, "SA", 0, 1)
    yield segment(0, "A", 1, 1)
    for side, text in enumerate(texts):
        heard = 1 + len(ASKED) if side else 1
        for begin, end in ((0, 60), (900, len(text)), (60, 900), (0, 60)):
            yield segment(side, "PA", 1 + begin, heard, text[begin:end])
        yield segment(1 - side, "A", heard, 1 + len(text))
    yield segment(1, "FA", 1 + len(ANSWERED), 1 + len(ASKED))
    yield segment(0, "FA", 1 + len(ASKED), 2 + len(ANSWERED))
    yield segment(1, "A", 2 + len(ANSWERED), 2 + len(ASKED))


def ether(side: int, **more: Any) -> Packet:
    return Ether(src=MACS[side], dst=MACS[1 - side], **more)


def ip(side: int, ends: tuple[str, str] = INNER, **more: Any) -> Packet:
    return IP(src=ends[side], dst=ends[1 - side], **more)


def ip6(side: int, ends: tuple[str, str] = INNER_6) -> Packet:
    return IPv6(src=ends[side], dst=ends[1 - side])


def outer(side: int) -> Packet:
    return ether(side) / ip(side, OUTER)


def wireless(side: int) -> Packet:
    """A data frame from a station, or to one."""
    return Dot11(type=2, subtype=8 * side, FCfield=1 + side) / (b"\0\0" if side else b"") / LLC() / SNAP()


WRAPS: dict[str, tuple[int, Wrap]] = {
    "Ethernet": (ETHERNET, lambda side, tcp: ether(side) / ip(side) / tcp),
    "Ethernet with a trailer": (
        ETHERNET,
        lambda side, tcp: ether(side) / ip(side) / tcp / Padding(b"GET / HTTP/1.1"),
    ),
    "IPv6": (ETHERNET, lambda side, tcp: ether(side) / ip6(side) / tcp),
    "IPv4 options": (
        ETHERNET,
        lambda side, tcp: ether(side) / ip(side, options=b"\x94\x04\0\0\x01\x01\x01\0") / tcp,
    ),
    "IPv6 extension headers": (
        ETHERNET,
        lambda side, tcp: (
            ether(side)
            / ip6(side)
            / IPv6ExtHdrHopByHop()
            / IPv6ExtHdrRouting(addresses=["::9"], segleft=0)
            / IPv6ExtHdrDestOpt()
            / tcp
        ),
    ),
    "SNAP": (
        ETHERNET,
        lambda side, tcp: (
            Dot3(src=MACS[side], dst=MACS[1 - side]) / LLC() / SNAP(code=0x0800) / ip(side) / tcp
        ),
    ),
    "VLAN": (ETHERNET, lambda side, tcp: ether(side) / Dot1Q(vlan=7, prio=3) / ip(side) / tcp),
    "QinQ": (ETHERNET, lambda side, tcp: ether(side) / Dot1AD(vlan=5) / Dot1Q(vlan=7) / ip6(side) / tcp),
    "QinQ of two 8100": (
        ETHERNET,
        lambda side, tcp: ether(side) / Dot1Q(vlan=5) / Dot1Q(vlan=7) / ip(side) / tcp,
    ),
    "MPLS": (
        ETHERNET,
        lambda side, tcp: (
            ether(side, type=0x8847) / MPLS(label=16, s=0) / MPLS(label=17, s=1) / ip(side) / tcp
        ),
    ),
    "PPPoE": (
        ETHERNET,
        lambda side, tcp: ether(side, type=0x8864) / PPPoE(sessionid=9) / PPP() / ip(side) / tcp,
    ),
    "GRE": (ETHERNET, lambda side, tcp: outer(side) / GRE() / ip(side) / tcp),
    "GRE with key, sequence and checksum": (
        ETHERNET,
        lambda side, tcp: (
            outer(side)
            / GRE(chksum_present=1, key_present=1, seqnum_present=1, key=4, sequence_number=8)
            / ip6(side)
            / tcp
        ),
    ),
    "GRE Ethernet": (
        ETHERNET,
        lambda side, tcp: outer(side) / GRE(proto=0x6558) / ether(side) / ip(side) / tcp,
    ),
    "ERSPAN II": (
        ETHERNET,
        lambda side, tcp: (
            outer(side) / GRE(seqnum_present=1, proto=0x88BE) / ERSPAN_II() / ether(side) / ip(side) / tcp
        ),
    ),
    "VXLAN": (
        ETHERNET,
        lambda side, tcp: (
            outer(side) / UDP(sport=5000 + side, dport=4789) / VXLAN(vni=42) / ether(side) / ip(side) / tcp
        ),
    ),
    "VXLAN over IPv6 of VLAN": (
        ETHERNET,
        lambda side, tcp: (
            ether(side)
            / ip6(side, OUTER_6)
            / UDP(sport=5000 + side, dport=4789)
            / VXLAN(vni=42)
            / ether(side)
            / Dot1Q(vlan=7)
            / ip6(side)
            / tcp
        ),
    ),
    "Geneve": (
        ETHERNET,
        lambda side, tcp: (
            outer(side) / UDP(sport=5, dport=6081) / GENEVE(vni=42) / ether(side) / ip(side) / tcp
        ),
    ),
    "GTP": (
        ETHERNET,
        lambda side, tcp: (
            outer(side) / UDP(sport=5, dport=2152) / GTP_U_Header(teid=9, gtp_type=255) / ip(side) / tcp
        ),
    ),
    "IP in IP": (ETHERNET, lambda side, tcp: outer(side) / ip(side) / tcp),
    "IPv6 in IPv4": (ETHERNET, lambda side, tcp: outer(side) / ip6(side) / tcp),
    "IPv4 in IPv6": (ETHERNET, lambda side, tcp: ether(side) / ip6(side, OUTER_6) / ip(side) / tcp),
    "authentication header": (
        ETHERNET,
        lambda side, tcp: ether(side) / ip(side, proto=51) / AH(nh=6, icv=b"\0" * 12, payloadlen=4) / tcp,
    ),
    "authentication header of a tunnel": (
        ETHERNET,
        lambda side, tcp: (
            ether(side) / ip(side, OUTER, proto=51) / AH(nh=4, icv=b"\0" * 12, payloadlen=4) / ip(side) / tcp
        ),
    ),
    "loopback": (NULL, lambda side, tcp: Loopback(type=2) / ip(side) / tcp),
    "loopback IPv6": (NULL, lambda side, tcp: Loopback(type=30) / ip6(side) / tcp),
    "loop of OpenBSD": (LOOP, lambda side, tcp: Loopback(type=2) / ip(side) / tcp),
    "raw": (RAW, lambda side, tcp: ip(side) / tcp),
    "raw IPv6": (RAW, lambda side, tcp: ip6(side) / tcp),
    "cooked": (COOKED, lambda side, tcp: CookedLinux(pkttype=4 * side) / ip(side) / tcp),
    "cooked IPv6": (COOKED, lambda side, tcp: CookedLinux(proto=0x86DD) / ip6(side) / tcp),
    "cooked VLAN": (COOKED, lambda side, tcp: CookedLinux(proto=0x8100) / Dot1Q(vlan=7) / ip(side) / tcp),
    "cooked 2": (COOKED_2, lambda side, tcp: CookedLinuxV2(proto=0x0800) / ip(side) / tcp),
    "PPP": (PPP_LINK, lambda side, tcp: HDLC() / PPP() / ip(side) / tcp),
    "wireless": (WIRELESS, lambda side, tcp: wireless(side) / ip(side) / tcp),
    "radiotap": (RADIOTAP, lambda side, tcp: RadioTap() / wireless(side) / ip(side) / tcp),
}


def read(path: Path, link: int, packets: list[Packet]) -> list[object]:
    """What a capture with `packets`, a millisecond apart, holds for us."""
    with PcapWriter(str(path), linktype=link) as writer:
        for number, packet in enumerate(packets):
            packet.time = AT + number / 1000
            writer.write(packet)
    recording = Recording([path])
    found: list[object] = list(recording)
    assert recording.notices == []
    return found


def assert_is_the_exchange(found: list[object], live: str) -> None:
    (exchange,) = found
    assert isinstance(exchange, Exchange)
    assert (exchange.request, exchange.response) == (REQUEST, RESPONSE)
    assert exchange.live == live


@pytest.mark.parametrize(("link", "wrap"), WRAPS.values(), ids=WRAPS)
def test_frames_that_scapy_builds_hold_the_exchange(tmp_path: Path, link: int, wrap: Wrap) -> None:
    packets = [wrap(side, tcp) for side, tcp in segments()]
    is_ipv6 = packets[0][TCP].underlayer.name.startswith("IPv6")
    found = read(tmp_path / "capture.pcap", link, packets)
    assert_is_the_exchange(found, f"[{INNER_6[1]}]:8080" if is_ipv6 else f"{INNER[1]}:8080")


@pytest.mark.parametrize("order", ["in order", "reversed", "shuffled"])
@pytest.mark.parametrize("size", [16, 24, 520], ids=["inside the TCP header", "after it", "usual"])
def test_fragments_that_scapy_cuts_hold_the_exchange(tmp_path: Path, size: int, order: str) -> None:
    packets: list[Packet] = []
    for number, (side, tcp) in enumerate(segments()):
        pieces = cut(ether(side) / ip(side, id=number) / tcp, size)
        packets += _ordered(pieces, order)
    assert len(packets) > 15
    assert_is_the_exchange(read(tmp_path / "capture.pcap", ETHERNET, packets), f"{INNER[1]}:8080")


@pytest.mark.parametrize("order", ["in order", "reversed"])
def test_ipv6_fragments_that_scapy_cuts_hold_the_exchange(tmp_path: Path, order: str) -> None:
    packets: list[Packet] = []
    for number, (side, tcp) in enumerate(segments()):
        pieces = cut6(ip6(side) / IPv6ExtHdrFragment(id=number) / tcp, 1280)
        packets += [ether(side) / piece for piece in _ordered(pieces, order)]
    assert len(packets) > 15
    assert_is_the_exchange(read(tmp_path / "capture.pcap", ETHERNET, packets), f"[{INNER_6[1]}]:8080")


def test_fragments_of_a_tunnel_hold_the_exchange(tmp_path: Path) -> None:
    packets: list[Packet] = []
    for number, (side, tcp) in enumerate(segments()):
        tunnel = UDP(sport=5000, dport=4789) / VXLAN(vni=42) / ether(side) / ip(side) / tcp
        packets += cut(ether(side) / ip(side, OUTER, id=number) / tunnel, 400)
    assert_is_the_exchange(read(tmp_path / "capture.pcap", ETHERNET, packets), f"{INNER[1]}:8080")


def _ordered(pieces: list[Packet], order: str) -> list[Packet]:
    if order == "shuffled":
        return random.Random(1).sample(pieces, len(pieces))
    return pieces[::-1] if order == "reversed" else pieces
