"""Rarer link layers and tunnels: what scapy builds inside them is read.

Where it knows no such header, that is written out here byte by byte from its specification.
"""

import struct
from pathlib import Path

import pytest
from scapy.contrib.erspan import ERSPAN_I, ERSPAN_III, ERSPAN_PlatformSpecific
from scapy.contrib.etherip import EtherIP
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, Dot11QoS
from scapy.layers.inet import UDP
from scapy.layers.ipsec import AH
from scapy.layers.l2 import GRE, LLC, SNAP, Dot1AH
from scapy.layers.l2tp import L2TP
from scapy.layers.pflog import PFLog
from scapy.layers.ppi import PPI, PPI_Hdr
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet, Raw

from bench.capture import pcap
from shadow.model import Exchange
from shadow.taps.files import Recording
from tests.wire.test_wire_scapy_witness import (
    AT,
    ETHERNET,
    INNER,
    INNER_6,
    REQUEST,
    Wrap,
    assert_is_the_exchange,
    ether,
    ip,
    ip6,
    outer,
    segments,
    wireless,
)


def udp(side: int, port: int, answers_from_it: bool = False) -> Packet:
    """A datagram to a tunnel's port, or between two of them where answers come from it."""
    return outer(side) / UDP(sport=port if answers_from_it else 5000 + side, dport=port)


def quality(side: int, control: int = 0) -> Packet:
    """An 802.11 data frame with quality of service."""
    return Dot11(type=2, subtype=8, FCfield=1 + side) / Dot11QoS(A_MSDU_Present=control >> 7)


def teredo(side: int, header: bytes) -> Packet:
    ports = (40000, 3544)
    return outer(side) / UDP(sport=ports[side], dport=ports[1 - side]) / Raw(header)


AYIYA = b"\x41\x52\x11\x29" + b"\0" * 4 + b"i" * 16 + b"s" * 20
AVS = struct.pack("!II", 0x80211001, 64) + b"\0" * 56
PRISM = struct.pack("<II", 0x41, 144) + b"wlan0".ljust(136, b"\0")
PACKET_TAP = struct.pack("<III", 108, 1, 1) + b"en0".ljust(96, b"\0")
NETFILTER = struct.pack("<HH", 8, 1) + b"\x08\0\0\0" + struct.pack("<HH", 10, 10) + b"prefix\0\0"


LINKS: dict[str, tuple[int, Wrap]] = {
    "loopback, big-endian": (0, lambda side, tcp: Raw(b"\0\0\0\x02") / ip(side) / tcp),
    "loopback of Linux' IPv6": (0, lambda side, tcp: Raw(b"\x0a\0\0\0") / ip6(side) / tcp),
    "loop, little-endian": (108, lambda side, tcp: Raw(b"\x02\0\0\0") / ip(side) / tcp),
    "raw 12": (12, lambda side, tcp: ip(side) / tcp),
    "raw 14": (14, lambda side, tcp: ip6(side) / tcp),
    "IPv4": (228, lambda side, tcp: ip(side) / tcp),
    "IPv6": (229, lambda side, tcp: ip6(side) / tcp),
    "PPP without address": (9, lambda side, tcp: PPP() / ip(side) / tcp),
    "PPP in HDLC": (50, lambda side, tcp: HDLC() / PPP() / ip6(side) / tcp),
    "PPPoE": (51, lambda side, tcp: PPPoE(sessionid=7) / PPP() / ip(side) / tcp),
    "pppd": (166, lambda side, tcp: Raw(bytes([side, 3])) / PPP() / ip(side) / tcp),
    "Cisco HDLC": (104, lambda side, tcp: Raw(b"\x0f\0\x08\0") / ip(side) / tcp),
    "frame relay": (107, lambda side, tcp: Raw(b"\x18\x41\x03\xcc") / ip(side) / tcp),
    "frame relay IPv6": (107, lambda side, tcp: Raw(b"\x18\x41\x03\x8e") / ip6(side) / tcp),
    "frame relay SNAP": (107, lambda side, tcp: Raw(b"\x18\x41\x03\0\x80\0\0\0\x08\0") / ip(side) / tcp),
    "frame relay of Cisco": (107, lambda side, tcp: Raw(b"\x18\x41\x08\0") / ip(side) / tcp),
    "FDDI": (10, lambda side, tcp: Raw(b"\x50" + b"\x02" * 12) / LLC() / SNAP() / ip(side) / tcp),
    "ARCNET": (129, lambda side, tcp: Raw(b"\x01\x02\0\0\xf0") / ip(side) / tcp),
    "ARCNET, newer": (129, lambda side, tcp: Raw(b"\x01\x02\0\0\xd4\0\0\x07") / ip(side) / tcp),
    "ARCNET of the BSDs": (7, lambda side, tcp: Raw(b"\x01\x02\xd4\0\0\x07") / ip(side) / tcp),
    "IPsec's interface": (109, lambda side, tcp: Raw(b"\x02\0\0\0" + b"\0" * 8) / ip(side) / tcp),
    "pf's log": (117, lambda side, tcp: PFLog(addrfamily=2) / ip(side) / tcp),
    "netfilter log": (
        239,
        lambda side, tcp: (
            Raw(b"\x02\0\0\0" + NETFILTER + struct.pack("<HH", 4 + 20 + len(tcp), 9)) / ip(side) / tcp
        ),
    ),
    "packet tap of macOS": (258, lambda side, tcp: Raw(PACKET_TAP) / ether(side) / ip(side) / tcp),
    "wireless with quality of service": (
        105,
        lambda side, tcp: quality(side) / LLC() / SNAP() / ip(side) / tcp,
    ),
    "wireless, aggregated": (
        105,
        lambda side, tcp: quality(side, 0x80) / Raw(b"\x02" * 14) / LLC() / SNAP() / ip(side) / tcp,
    ),
    "wireless between access points": (
        105,
        lambda side, tcp: (
            Dot11(type=2, FCfield=3, addr4="02:00:00:00:00:09") / LLC() / SNAP() / ip(side) / tcp
        ),
    ),
    "PPI": (192, lambda side, tcp: Raw(b"\0\0\x08\0\x69\0\0\0") / wireless(side) / ip(side) / tcp),
    "PPI with fields": (
        192,
        lambda side, tcp: (
            PPI(dlt=1, headers=[PPI_Hdr(pfh_type=2) / Raw(b"12345678")]) / ether(side) / ip(side) / tcp
        ),
    ),
    "Prism": (119, lambda side, tcp: Raw(PRISM) / wireless(side) / ip(side) / tcp),
    "Prism, but AVS": (119, lambda side, tcp: Raw(AVS) / wireless(side) / ip(side) / tcp),
    "AVS": (163, lambda side, tcp: Raw(AVS) / wireless(side) / ip(side) / tcp),
}
TUNNELS: dict[str, Wrap] = {
    "backbone bridge": lambda side, tcp: ether(side) / Dot1AH(isid=7) / ether(side) / ip(side) / tcp,
    "MPLS pseudowire": lambda side, tcp: (
        ether(side, type=0x8847) / MPLS(label=16, s=1) / Raw(b"\0\0\0\0") / ether(side) / ip(side) / tcp
    ),
    "MPLS in IP": lambda side, tcp: ether(side) / ip(side, proto=137) / MPLS(label=16, s=1) / ip(side) / tcp,
    "MPLS in UDP": lambda side, tcp: udp(side, 6635) / MPLS(label=16, s=1) / ip(side) / tcp,
    "Ethernet in IP": lambda side, tcp: outer(side) / EtherIP() / ether(side) / ip(side) / tcp,
    "GRE with PPP": lambda side, tcp: (
        outer(side)
        / GRE(key_present=1, seqnum_present=1, version=1, proto=0x880B, key=5, sequence_number=8)
        / HDLC()
        / PPP()
        / ip(side)
        / tcp
    ),
    "GRE in UDP": lambda side, tcp: udp(side, 4754) / GRE() / ip6(side) / tcp,
    "ERSPAN I": lambda side, tcp: outer(side) / GRE(proto=0x88BE) / ERSPAN_I() / ether(side) / ip(side) / tcp,
    "ERSPAN III": lambda side, tcp: (
        outer(side) / GRE(seqnum_present=1, proto=0x22EB) / ERSPAN_III(o=0) / ether(side) / ip(side) / tcp
    ),
    "ERSPAN III with a platform's header": lambda side, tcp: (
        outer(side)
        / GRE(seqnum_present=1, proto=0x22EB)
        / ERSPAN_III(o=1)
        / ERSPAN_PlatformSpecific()
        / ether(side)
        / ip(side)
        / tcp
    ),
    "WCCP": lambda side, tcp: outer(side) / GRE(proto=0x883E) / Raw(b"\0\0\0\0") / ip(side) / tcp,
    "WCCP, first version": lambda side, tcp: outer(side) / GRE(proto=0x883E) / ip(side) / tcp,
    "VXLAN, older port": lambda side, tcp: udp(side, 8472) / VXLAN(vni=42) / ether(side) / ip(side) / tcp,
    "VXLAN GPE": lambda side, tcp: (
        udp(side, 4790) / VXLAN(flags=0xC, vni=42, NextProtocol=1) / ip(side) / tcp
    ),
    "Geneve with options": lambda side, tcp: (
        udp(side, 6081)
        / GENEVE(vni=42, options=[GeneveOptions(data=b"12345678")])
        / ether(side)
        / ip(side)
        / tcp
    ),
    "Geneve with IP": lambda side, tcp: udp(side, 6081) / GENEVE(vni=42, proto=0x0800) / ip(side) / tcp,
    "GTP with a sequence number": lambda side, tcp: (
        udp(side, 2152) / GTP_U_Header(teid=9, gtp_type=255, S=1, seq=5) / ip(side) / tcp
    ),
    "GTP with an extension": lambda side, tcp: (
        udp(side, 2152)
        / Raw(b"\x34\xff\0\0\0\0\0\x09\0\0\0\x85" + b"\x01\x10\x01\0")  # a session container
        / ip6(side)
        / tcp
    ),
    "Teredo": lambda side, tcp: teredo(side, b"") / ip6(side) / tcp,
    "Teredo with an origin": lambda side, tcp: teredo(side, b"\0\0" + b"\xff" * 6) / ip6(side) / tcp,
    "Teredo with an authentication": lambda side, tcp: (
        teredo(side, b"\0\1\x02\x03" + b"idkey" + b"\0" * 9 + b"\0\0" + b"\xff" * 6) / ip6(side) / tcp
    ),
    "AYIYA": lambda side, tcp: udp(side, 5072, answers_from_it=True) / Raw(AYIYA) / ip6(side) / tcp,
    "L2TP": lambda side, tcp: (
        udp(side, 1701, answers_from_it=True)
        / L2TP(hdr=["length", "sequence"], version=2, tunnel_id=1, session_id=2)
        / HDLC()
        / PPP()
        / ip(side)
        / tcp
    ),
    "L2TP with an offset": lambda side, tcp: (
        udp(side, 1701, answers_from_it=True)
        / Raw(b"\x02\x02\0\x01\0\x02\0\x03abc\xff\x03")
        / PPP()
        / ip(side)
        / tcp
    ),
    "authentication header of IPv6": lambda side, tcp: (
        ether(side) / ip6(side) / AH(nh=6, icv=b"\0" * 12, payloadlen=4) / tcp
    ),
    "tunnel in tunnel in tunnel": lambda side, tcp: (
        udp(side, 4789) / VXLAN(vni=1) / outer(side) / GRE() / ip(side) / ip6(side) / tcp
    ),
}


def read(path: Path, link: int, packets: list[Packet]) -> list[object]:
    """What a capture of the packets, a millisecond apart, holds for us."""
    path.write_bytes(pcap([(AT + at / 1000, bytes(each)) for at, each in enumerate(packets)], link=link))
    with Recording([path]) as recording:
        found: list[object] = list(recording)
    assert recording.notices == []
    return found


def live(packet: Packet) -> str:
    """Where the innermost packet goes."""
    names = [layer.__name__ for layer in packet.layers()]
    innermost = [name for name in names if name in ("IP", "IPv6")][-1]
    return f"[{INNER_6[1]}]:8080" if innermost == "IPv6" else f"{INNER[1]}:8080"


@pytest.mark.parametrize(("link", "wrap"), LINKS.values(), ids=LINKS)
def test_rarer_links_hold_the_exchange(tmp_path: Path, link: int, wrap: Wrap) -> None:
    packets = [wrap(side, tcp) for side, tcp in segments()]
    assert_is_the_exchange(read(tmp_path / "capture.pcap", link, packets), live(packets[0]))


@pytest.mark.parametrize("wrap", TUNNELS.values(), ids=TUNNELS)
def test_rarer_tunnels_hold_the_exchange(tmp_path: Path, wrap: Wrap) -> None:
    packets = [wrap(side, tcp) for side, tcp in segments()]
    assert_is_the_exchange(read(tmp_path / "capture.pcap", ETHERNET, packets), live(packets[0]))


@pytest.mark.parametrize("most", [300, 1400])
def test_mirrored_packets_that_were_cut_leave_a_gap_that_is_told(tmp_path: Path, most: int) -> None:
    """As clouds mirror: what does not fit after the tunnel's headers is cut off."""
    path = tmp_path / "capture.pcap"
    packets = [
        bytes(udp(side, 4789) / VXLAN(vni=42) / ether(side) / ip(side) / tcp)[:most]
        for side, tcp in segments()
    ]
    path.write_bytes(pcap([(AT + at / 1000, packet) for at, packet in enumerate(packets)]))
    with Recording([path]) as recording:
        items = list(recording)
    found = [each for each in items if isinstance(each, Exchange)]
    assert all(each.request == REQUEST for each in found)
    assert len(items) == 1
    assert any("were not captured" in notice for notice in recording.notices)
