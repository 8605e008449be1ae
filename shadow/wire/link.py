"""Link layers: where in a captured frame the network layer begins. Numbers are those of LINKTYPE_ values."""

import struct
from collections.abc import Callable

type Layer = tuple[int, int]
"""The Ethernet type of a layer, and the position at which it begins."""

_SNAP_HEADER = b"\xaa\xaa\x03"
_PPP_TYPES = {0x0021: 0x0800, 0x0057: 0x86DD, 0x0281: 0x8847}
_IPV6_FAMILIES = {10, 24, 28, 30}
"""AF_INET6 on Linux, the BSDs, FreeBSD and macOS."""
NOT_NETWORK = (-1, 0)
"""A frame that was understood but carries no network layer that could hold TCP."""


def network_layer(link: int, frame: bytes) -> Layer | None:
    """The layer inside `frame`; None for a link type that is not known."""
    read = _READERS.get(link)
    return None if read is None else read(frame)


def ethernet(frame: bytes, at: int) -> Layer:
    """The layer inside an Ethernet frame, which may be of the older kind with a length (IEEE 802.3)."""
    return _llc_or_type(int.from_bytes(frame[at + 12 : at + 14]), frame, at + 14)


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


def _llc_or_type(value: int, frame: bytes, at: int) -> Layer:
    if value >= 0x0600:
        return value, at
    if frame[at : at + 3] == _SNAP_HEADER:
        return int.from_bytes(frame[at + 6 : at + 8]), at + 8
    return NOT_NETWORK


def _loopback(frame: bytes) -> Layer:
    """BSD loopback: the address family, in the byte order of whoever captured."""
    family = frame[0] or frame[3]
    if family == 2:
        return 0x0800, 4
    return (0x86DD, 4) if family in _IPV6_FAMILIES else NOT_NETWORK


def _wireless(frame: bytes, at: int) -> Layer:
    """An IEEE 802.11 data frame that is not encrypted."""
    control, flags = frame[at], frame[at + 1]
    if control & 0x0C != 0x08 or control & 0x40 or flags & 0x40:
        return NOT_NETWORK
    at += 24 + (6 if flags & 3 == 3 else 0) + (2 if control & 0x80 else 0)
    return _llc_or_type(0, frame, at)


def _netfilter_log(frame: bytes) -> Layer:
    """Linux NFLOG: a list of typed values in host byte order, one of which is the packet."""
    ether_type = {2: 0x0800, 10: 0x86DD}.get(frame[0], -1)
    at = 4
    while at + 4 <= len(frame):
        length, kind = struct.unpack_from("<HH", frame, at)
        if kind & 0x7FFF == 9:
            return ether_type, at + 4
        if length < 4:
            break
        at += (length + 3) & ~3
    return NOT_NETWORK


_READERS: dict[int, Callable[[bytes], Layer]] = {
    0: _loopback,
    1: lambda frame: ethernet(frame, 0),
    9: lambda frame: ppp(frame, 0),
    10: lambda frame: _llc_or_type(0, frame, 13),  # FDDI
    12: lambda frame: by_version(frame, 0),  # raw IP as some systems number it
    14: lambda frame: by_version(frame, 0),
    50: lambda frame: ppp(frame, 0),
    101: lambda frame: by_version(frame, 0),
    105: lambda frame: _wireless(frame, 0),
    108: _loopback,
    113: lambda frame: _llc_or_type(int.from_bytes(frame[14:16]), frame, 16),  # Linux "any"
    127: lambda frame: _wireless(frame, int.from_bytes(frame[2:4], "little")),  # after a radiotap header
    228: lambda _: (0x0800, 0),
    229: lambda _: (0x86DD, 0),
    239: _netfilter_log,
    276: lambda frame: _llc_or_type(int.from_bytes(frame[:2]), frame, 20),  # Linux "any", version 2
}
