"""Link layers: where in a captured frame the network layer begins. Numbers are those of LINKTYPE_ values."""

import struct
from collections.abc import Callable

type Layer = tuple[int, int]
"""The Ethernet type of a layer, and the position at which it begins."""

_SNAP_HEADER = b"\xaa\xaa\x03"
_PPP_TYPES = {0x0021: 0x0800, 0x0057: 0x86DD, 0x0281: 0x8847}
_IPV6_FAMILIES = {10, 24, 28, 30}
"""AF_INET6 on Linux, the BSDs, FreeBSD and macOS."""
_NLPIDS = {0xCC: 0x0800, 0x8E: 0x86DD}
"""What frame relay calls IP (RFC 2427)."""
_ARCNET_IP = {240: 1, 212: 4}
"""Old and new numbers of IP (RFC 1051, RFC 1201), and how long the header is from that number on."""
NOT_NETWORK = (-1, 0)
"""A frame that was understood but carries no network layer that could hold TCP."""


def network_layer(link: int, frame: bytes, at: int = 0) -> Layer | None:
    """The layer inside `frame`, which begins at position `at`; None for a link type that is not known."""
    read = _READERS.get(link)
    return None if read is None else read(frame, at)


def ethernet(frame: bytes, at: int) -> Layer:
    """The layer inside an Ethernet frame, which may be of the older kind with a length (IEEE 802.3)."""
    return _llc_or_type(frame, at + 12, at + 14)


def by_version(frame: bytes, at: int) -> Layer:
    """An IP packet without anything before it: its first four bits tell."""
    return {4: (0x0800, at), 6: (0x86DD, at)}.get(frame[at] >> 4, NOT_NETWORK)


def ppp(frame: bytes, at: int) -> Layer:
    """The layer inside a PPP frame (RFC 1661), its address and control bytes given or not."""
    if frame[at : at + 2] == b"\xff\x03":
        at += 2
    if frame[at] & 1:
        return _PPP_TYPES.get(frame[at], -1), at + 1
    return _PPP_TYPES.get(int.from_bytes(frame[at : at + 2]), -1), at + 2


def _llc_or_type(frame: bytes, at: int, inner: int) -> Layer:
    """What begins at `inner`: the two bytes at `at` are its Ethernet type, or a length, then it is LLC."""
    value = int.from_bytes(frame[at : at + 2])
    return (value, inner) if value >= 0x0600 else _llc(frame, inner)


def _llc(frame: bytes, at: int) -> Layer:
    if frame[at : at + 3] == _SNAP_HEADER:
        return int.from_bytes(frame[at + 6 : at + 8]), at + 8
    return NOT_NETWORK


def _of_family(family: int, at: int) -> Layer:
    if family == 2:
        return 0x0800, at
    return (0x86DD, at) if family in _IPV6_FAMILIES else NOT_NETWORK


def _loopback(frame: bytes, at: int) -> Layer:
    """BSD loopback: the address family, in the byte order of whoever captured."""
    return _of_family(frame[at] or frame[at + 3], at + 4)


def _wireless(frame: bytes, at: int) -> Layer:
    """An IEEE 802.11 data frame that is not encrypted; of an aggregate (A-MSDU) the first part."""
    control, flags = frame[at], frame[at + 1]
    if control & 0x0C != 0x08 or control & 0x40 or flags & 0x40:
        return NOT_NETWORK
    at += 24 + (6 if flags & 3 == 3 else 0)
    if control & 0x80:  # quality of service; HT control may follow
        is_aggregate = frame[at] & 0x80
        at += 2 + (4 if flags & 0x80 else 0) + (14 if is_aggregate else 0)
    return _llc(frame, at)


def _prism(frame: bytes, at: int) -> Layer:
    """802.11 after a Prism header, in the byte order of whoever captured, or after an AVS one."""
    size = int.from_bytes(frame[at + 4 : at + 8], "little")
    return _wireless(frame, at + size) if size < 0x10000 else _avs(frame, at)


def _avs(frame: bytes, at: int) -> Layer:
    return _wireless(frame, at + int.from_bytes(frame[at + 4 : at + 8]))


def _wrapped(frame: bytes, at: int, size: int, link: int) -> Layer:
    """A frame of another link type after a header of `size` bytes."""
    if link in (_PER_PACKET, _PACKET_TAP) or at + size >= len(frame):
        return NOT_NETWORK
    return network_layer(link, frame, at + size) or NOT_NETWORK


def _per_packet(frame: bytes, at: int) -> Layer:
    """PPI: the length of its header, and the link type of what follows."""
    size, link = struct.unpack_from("<HI", frame, at + 2)
    return _wrapped(frame, at, size, link)


def _packet_tap(frame: bytes, at: int) -> Layer:
    """What macOS captures of several interfaces at once."""
    size, _, link = struct.unpack_from("<III", frame, at)
    return _wrapped(frame, at, size, link)


def _frame_relay(frame: bytes, at: int) -> Layer:
    """RFC 2427, or Cisco's own: an Ethernet type after the address."""
    while not frame[at] & 1:
        at += 1
    at += 1
    if frame[at] != 3:
        return int.from_bytes(frame[at : at + 2]), at + 2
    at += 2 if frame[at + 1] == 0 else 1
    if frame[at] == 0x80:
        return int.from_bytes(frame[at + 4 : at + 6]), at + 6
    return _NLPIDS.get(frame[at], -1), at + 1


def _arcnet(frame: bytes, at: int) -> Layer:
    """An ARCNET frame whose type is at `at`; parts of a packet that was split are not put together."""
    size = _ARCNET_IP.get(frame[at])
    if size is None or (size > 1 and frame[at + 1]):
        return NOT_NETWORK
    return 0x0800, at + size


def _netfilter_log(frame: bytes, at: int) -> Layer:
    """Linux NFLOG: a list of typed values in host byte order, one of which is the packet."""
    ether_type = {2: 0x0800, 10: 0x86DD}.get(frame[at], -1)
    at += 4
    while at + 4 <= len(frame):
        length, kind = struct.unpack_from("<HH", frame, at)
        if kind & 0x7FFF == 9:
            return ether_type, at + 4
        if length < 4:
            break
        at += (length + 3) & ~3
    return NOT_NETWORK


_PER_PACKET, _PACKET_TAP = 192, 258

_READERS: dict[int, Callable[[bytes, int], Layer]] = {
    0: _loopback,
    1: ethernet,
    7: lambda frame, at: _arcnet(frame, at + 2),
    9: ppp,
    10: lambda frame, at: _llc(frame, at + 13),  # FDDI
    12: by_version,  # raw IP as some systems number it
    14: by_version,
    50: ppp,
    51: lambda frame, at: ppp(frame, at + 6),  # PPPoE without Ethernet
    101: by_version,
    104: lambda frame, at: (int.from_bytes(frame[at + 2 : at + 4]), at + 4),  # Cisco's HDLC
    105: _wireless,
    107: _frame_relay,
    108: _loopback,
    109: lambda frame, at: _of_family(frame[at] or frame[at + 3], at + 12),  # IPsec's interface of the BSDs
    113: lambda frame, at: _llc_or_type(frame, at + 14, at + 16),  # Linux "any"
    117: lambda frame, at: _of_family(frame[at + 1], at + ((frame[at] + 3) & ~3)),  # the log of OpenBSD's pf
    119: _prism,
    127: lambda frame, at: _wireless(
        frame, at + int.from_bytes(frame[at + 2 : at + 4], "little")
    ),  # radiotap
    129: lambda frame, at: _arcnet(frame, at + 4),
    163: _avs,
    166: lambda frame, at: ppp(frame, at + 2),  # pppd: the direction in place of the address
    _PER_PACKET: _per_packet,
    228: lambda _, at: (0x0800, at),
    229: lambda _, at: (0x86DD, at),
    239: _netfilter_log,
    _PACKET_TAP: _packet_tap,
    276: lambda frame, at: _llc_or_type(frame, at, at + 20),  # Linux "any", version 2
}
