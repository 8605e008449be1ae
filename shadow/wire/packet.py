"""From a captured frame to the TCP segment in it, through link layers, tags and tunnels."""

import struct
from collections.abc import Container
from ipaddress import ip_address

from shadow.wire.fragments import Fragments
from shadow.wire.link import Layer, network_layer
from shadow.wire.tunnel import through_ether_type, through_gre, through_udp

type FlowKey = tuple[bytes, bytes]
"""One direction of a flow: source address, destination address, source port, destination port as on the
wire, one after the other; and the tags (VLAN ids, VXLAN and Geneve network ids) that it travels under."""

type Segment = tuple[FlowKey, int, int, int, bytes, int]
"""Flow key, sequence number, acknowledgement number, TCP flags, payload as captured, and how many more bytes
of payload were on the wire than were captured."""

FIN, SYN, RST, ACK = 1, 2, 4, 16

type Datagram = tuple[FlowKey, bytes, int]
"""Flow key, payload of a UDP datagram as captured, and how many more bytes of it were on the wire."""

ETHERNET = 1
TCP_OVER_IPV4 = struct.Struct("!HBxHxxHxBxx12sIIBB")
"""From byte 12 of an Ethernet frame: type, version and header length, total length, fragment, protocol,
addresses and ports, sequence, acknowledgement, data offset, flags."""
LEAST_BYTES = 54
"""Of an Ethernet frame with IPv4 and TCP headers."""
_TCP = struct.Struct("!HHIIBB")
_MAX_LAYERS = 16
"""Deeper nesting is an attack."""
_NO_TAGS = b""


class Dissector:
    """Finds TCP segments in frames. Keeps unfinished IP fragments, and counts what it could not read."""

    def __init__(
        self, ports: Container[int] | None = None, datagram_ports: Container[int] = frozenset()
    ) -> None:
        """With `ports`, only segments from or to one of them are returned; datagrams are those from or to
        one of `datagram_ports`, which then must be among `ports`."""
        self._ports = ports
        self._datagram_ports = datagram_ports
        self.datagram: Datagram | None = None
        """What was found in place of a segment; whoever takes it sets it to None."""
        self._fragments = Fragments()
        self.unknown_links: set[int] = set()
        self.malformed_count = 0

    def segment(self, link: int, frame: bytes) -> Segment | None:
        """The TCP segment in `frame`, or None. Checksums are often bad, and not looked at."""
        if link == ETHERNET and len(frame) >= LEAST_BYTES:
            # Most frames by far; every step of the general way would cost more than all of this.
            kind, version, total, fragment, protocol, ends, seq, ack, offset, flags = (
                TCP_OVER_IPV4.unpack_from(frame, 12)
            )
            if (
                kind == 0x0800
                and version == 0x45
                and protocol == 6
                and not fragment & 0x3FFF
                and total > 39
                and offset >= 0x50
            ):
                if self._ports is not None and not self._is_wanted(ends[8:]):
                    return None
                start, end, size = 34 + (offset >> 4) * 4, 14 + total, len(frame)
                lost = 0 if end <= size else max(end - max(size, start), 0)
                return (ends, _NO_TAGS), seq, ack, flags, frame[start:end], lost
        try:
            return self._walk(link, frame)
        except (IndexError, struct.error):
            self.malformed_count += 1
            return None

    def _walk(self, link: int, frame: bytes) -> Segment | None:
        layer = network_layer(link, frame)
        if layer is None:
            self.unknown_links.add(link)
            return None
        tags = _NO_TAGS
        for _ in range(_MAX_LAYERS):
            if layer is None:
                return None
            ether_type, at = layer
            if ether_type == 0x0800:
                found = self._ipv4(frame, at)
            elif ether_type == 0x86DD:
                found = self._ipv6(frame, at)
            else:
                layer, tag = through_ether_type(ether_type, frame, at)
                tags += tag
                continue
            if found is None:
                return None
            protocol, addresses, frame, at, end = found
            if protocol == 51:  # IPv4's authentication header (RFC 4302); IPv6's was read over
                protocol, at = frame[at], at + (frame[at + 1] + 2) * 4
            if protocol == 6:
                return self._tcp(frame, at, end, addresses, tags)
            if protocol == 17 and self._is_datagram(frame[at : at + 4]):
                self.datagram = _udp(frame, at, end, addresses, tags)
                return None
            layer, tag = _through_protocol(protocol, frame, at)
            tags += tag
        return None

    def _ipv4(self, frame: bytes, at: int) -> tuple[int, bytes, bytes, int, int] | None:
        """Protocol, addresses, the bytes that hold the payload, its start and its end as the header says."""
        total, _, fragment, _, protocol = struct.unpack_from("!HHHBB", frame, at + 2)
        header = (frame[at] & 15) * 4
        if frame[at] >> 4 != 4 or header < 20:
            return None
        addresses = frame[at + 12 : at + 20]
        # Segmentation offload leaves the length empty: the frame's own then counts.
        end = at + total if total else len(frame)
        if not fragment & 0x3FFF:
            return protocol, addresses, frame, at + header, end
        key = addresses + frame[at + 4 : at + 6] + bytes([protocol])
        whole = self._fragments.add(
            key, (fragment & 0x1FFF) * 8, frame[at + header : end], is_last=not fragment & 0x2000
        )
        return None if whole is None else (protocol, addresses, whole, 0, len(whole))

    def _ipv6(self, frame: bytes, at: int) -> tuple[int, bytes, bytes, int, int] | None:
        """Likewise, with extension headers read over (RFC 8200 §4)."""
        if frame[at] >> 4 != 6:
            return None
        length, protocol = struct.unpack_from("!HB", frame, at + 4)
        addresses = frame[at + 8 : at + 40]
        end = at + 40 + length if length else len(frame)
        at += 40
        for _ in range(_MAX_LAYERS):
            if protocol in (0, 43, 60, 135, 139, 140):
                protocol, at = frame[at], at + (frame[at + 1] + 1) * 8
            elif protocol == 51:
                protocol, at = frame[at], at + (frame[at + 1] + 2) * 4
            elif protocol == 44:
                protocol, _, offset = struct.unpack_from("!BBH", frame, at)
                key = addresses + frame[at + 4 : at + 8]
                whole = self._fragments.add(key, offset & 0xFFF8, frame[at + 8 : end], is_last=not offset & 1)
                if whole is None:
                    return None
                frame, at, end = whole, 0, len(whole)
            else:
                break
        return protocol, addresses, frame, at, end

    def _tcp(self, frame: bytes, at: int, end: int, addresses: bytes, tags: bytes) -> Segment | None:
        _, _, seq, ack, offset, flags = _TCP.unpack_from(frame, at)
        ports = frame[at : at + 4]
        if self._ports is not None and not self._is_wanted(ports):
            return None
        start = at + max(offset >> 4, 5) * 4
        lost = max(end - max(len(frame), start), 0)
        return (addresses + ports, tags), seq, ack, flags, frame[start:end], lost

    def _is_datagram(self, ports: bytes) -> bool:
        """Whether what a datagram from and to these ports holds is read, as anything but a tunnel."""
        return int.from_bytes(ports[:2]) in self._datagram_ports or (
            int.from_bytes(ports[2:]) in self._datagram_ports
        )

    def _is_wanted(self, ports: bytes) -> bool:
        assert self._ports is not None
        return int.from_bytes(ports[:2]) in self._ports or int.from_bytes(ports[2:]) in self._ports


def _udp(frame: bytes, at: int, end: int, addresses: bytes, tags: bytes) -> Datagram:
    length = struct.unpack_from("!HHH", frame, at)[2]
    if length >= 8:  # 0 where segmentation offload, or a jumbogram (RFC 2675), leaves it empty
        end = min(end, at + length)
    start = at + 8
    lost = max(end - max(len(frame), start), 0)
    return (addresses + frame[at : at + 4], tags), frame[start:end], lost


def flow_ends(key: FlowKey) -> tuple[str, int, str, int]:
    """Source address and port, destination address and port, readable."""
    ends = key[0]
    size = (len(ends) - 4) // 2
    source, target = ip_address(ends[:size]), ip_address(ends[size : 2 * size])
    return str(source), int.from_bytes(ends[-4:-2]), str(target), int.from_bytes(ends[-2:])


def reverse(key: FlowKey) -> FlowKey:
    """The key of the other direction."""
    ends, tags = key
    size = (len(ends) - 4) // 2
    return ends[size : 2 * size] + ends[:size] + ends[-2:] + ends[-4:-2], tags


def _through_protocol(protocol: int, frame: bytes, at: int) -> tuple[Layer | None, bytes]:
    """The layer inside an IP payload that is no TCP, and the tag it adds."""
    if protocol == 4:
        return (0x0800, at), b""
    if protocol == 41:
        return (0x86DD, at), b""
    if protocol == 47:
        return through_gre(frame, at)
    if protocol == 17:
        return through_udp(frame, at)
    if protocol == 137:
        return (0x8847, at), b""
    if protocol == 97:  # EtherIP (RFC 3378)
        return (0x6558, at + 2), b""
    return None, b""
