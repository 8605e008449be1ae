"""Tags and tunnels: from one layer to the one inside it, and the network id that it travels under."""

import struct
from collections.abc import Callable

from shadow.wire.link import NOT_NETWORK, Layer, by_version, ethernet, ppp

type Inside = tuple[Layer | None, bytes]
"""The layer inside, None where nothing is known to be, and the tag that this layer adds to the flow's key."""

_VLAN_TYPES = (0x8100, 0x88A8, 0x9100, 0x9200)
_VXLAN_PORTS = (4789, 8472)
"""The registered port, and Linux' older one."""
_VXLAN_GPE_PORT = 4790
_GPE_TYPES = {1: 0x0800, 2: 0x86DD, 3: 0x6558, 5: 0x8847}
_GENEVE_PORT = 6081
_GRE_PORT = 4754
"""RFC 8086."""
_GTP_PORT = 2152
_MPLS_PORT = 6635
"""RFC 7510."""
_TEREDO_PORT = 3544
_AYIYA_PORT = 5072
_L2TP_PORT = 1701


def through_ether_type(ether_type: int, frame: bytes, at: int) -> Inside:
    """What is inside a layer that is not IP."""
    if ether_type in _VLAN_TYPES:
        tag, inner = struct.unpack_from("!HH", frame, at)
        return (inner, at + 4), b"v%d" % (tag & 0xFFF)
    read = _READERS.get(ether_type)
    return (None if read is None else read(frame, at)), b""


def through_gre(frame: bytes, at: int) -> Inside:
    """What is inside GRE (RFC 2784, RFC 2890; version 1 is PPTP's, RFC 2637)."""
    flags, ether_type = struct.unpack_from("!HH", frame, at)
    at += 4
    at += 4 * bool(flags & 0xC000) + 4 * bool(flags & 0x2000) + 4 * bool(flags & 0x1000)
    if flags & 7 == 1:
        if not flags & 0x1000:
            return None, b""  # an acknowledgement, which carries nothing
        at += 4 * bool(flags & 0x0080)
    if ether_type == 0x88BE and not flags & 0x1000:
        return ethernet(frame, at), b""  # ERSPAN type I has no header of its own
    return (ether_type, at), b""


def through_udp(frame: bytes, at: int) -> Inside:
    """What is inside a datagram to a tunnel's port, or from one where tunnels answer from it."""
    source, port = struct.unpack_from("!HH", frame, at)
    at += 8
    if port in _VXLAN_PORTS:
        return ethernet(frame, at + 8), b"x" + frame[at + 4 : at + 7]
    if port == _VXLAN_GPE_PORT:
        return (_GPE_TYPES.get(frame[at + 3], -1), at + 8), b"x" + frame[at + 4 : at + 7]
    if port == _GRE_PORT:
        return through_gre(frame, at)
    if port == _GENEVE_PORT:
        ether_type = int.from_bytes(frame[at + 2 : at + 4])
        return (ether_type, at + 8 + (frame[at] & 0x3F) * 4), b"g" + frame[at + 4 : at + 7]
    if port == _GTP_PORT and frame[at] >> 4 == 3 and frame[at + 1] == 0xFF:
        return by_version(frame, _after_gtp_header(frame, at)), b""
    if port == _MPLS_PORT:
        return (0x8847, at), b""
    for either in (port, source):
        read = _ANSWERED_FROM.get(either)
        if read is not None:
            return read(frame, at), b""
    return None, b""


def _mpls(frame: bytes, at: int) -> Layer:
    """The layer under a label stack (RFC 3032); four zero bits are a pseudowire's control word (RFC 4385)."""
    while not frame[at + 2] & 1:
        at += 4
    at += 4
    if frame[at] >> 4 == 0:
        return ethernet(frame, at + 4)
    return by_version(frame, at) if frame[at] >> 4 in (4, 6) else ethernet(frame, at)


def _after_gtp_header(frame: bytes, at: int) -> int:
    """The position after a GTP-U header and its extensions (3GPP TS 29.281 §5)."""
    if not frame[at] & 7:
        return at + 8
    following, at = frame[at + 11] if frame[at] & 4 else 0, at + 12
    while following:
        size = frame[at] * 4 or 4
        following, at = frame[at + size - 1], at + size
    return at


def _teredo(frame: bytes, at: int) -> Layer:
    """IPv6, after an authentication and an origin indication where these are given (RFC 4380 §5.1.1)."""
    if frame[at : at + 2] == b"\0\1":
        at += 13 + frame[at + 2] + frame[at + 3]
    if frame[at : at + 2] == b"\0\0":
        at += 8
    return (0x86DD, at) if frame[at] >> 4 == 6 else NOT_NETWORK


def _ayiya(frame: bytes, at: int) -> Layer:
    """IP, after an identity and a signature (draft-massar-v6ops-ayiya)."""
    identity, signature, operation, protocol = struct.unpack_from("!BBBB", frame, at)
    if operation & 15 != 1:
        return NOT_NETWORK
    return {4: 0x0800, 41: 0x86DD}.get(protocol, -1), at + 8 + (1 << (identity >> 4)) + (signature >> 4) * 4


def _l2tp(frame: bytes, at: int) -> Layer:
    """PPP in a data message (RFC 2661 §3.1)."""
    (flags,) = struct.unpack_from("!H", frame, at)
    if flags & 0x8000 or flags & 15 != 2:
        return NOT_NETWORK
    at += 6 + 2 * bool(flags & 0x4000) + 4 * bool(flags & 0x0800)
    if flags & 0x0200:
        at += 2 + int.from_bytes(frame[at : at + 2])
    return ppp(frame, at)


def _redirected(frame: bytes, at: int) -> Layer:
    """IP that a router hands to a proxy (WCCP), after a header in version 2."""
    return by_version(frame, at if frame[at] >> 4 == 4 else at + 4)


def _erspan3(frame: bytes, at: int) -> Layer:
    """An optional platform header follows where the last bit of the header is set."""
    return ethernet(frame, at + (20 if frame[at + 11] & 1 else 12))


_READERS: dict[int, Callable[[bytes, int], Layer]] = {
    0x22EB: _erspan3,
    0x6558: ethernet,
    0x883E: _redirected,
    0x8847: _mpls,
    0x8848: _mpls,
    0x880B: ppp,
    0x8864: lambda frame, at: ppp(frame, at + 6),  # PPPoE session
    0x88BE: lambda frame, at: ethernet(frame, at + 8),  # ERSPAN type II
    0x88E7: lambda frame, at: ethernet(frame, at + 4),  # provider backbone bridge: instance tag, whole frame
    0x8926: lambda frame, at: (int.from_bytes(frame[at + 4 : at + 6]), at + 6),  # VN-Tag
}

_ANSWERED_FROM: dict[int, Callable[[bytes, int], Layer]] = {
    _TEREDO_PORT: _teredo,
    _AYIYA_PORT: _ayiya,
    _L2TP_PORT: _l2tp,
}
