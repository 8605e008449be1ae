"""Captures made from nothing: TCP conversations as frames, frames as pcap and pcapng files."""

import struct
from collections.abc import Iterable
from ipaddress import ip_address

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MASK = 0xFFFF_FFFF

type Packet = tuple[float, bytes]
"""Unix time in seconds, and an Ethernet frame."""


class Talk:
    """One TCP connection, as the frames that both sides send. Side 0 is the client.

    `packets` may be reordered, dropped and repeated before they are written to a file.
    """

    def __init__(
        self,
        client: tuple[str, int] = ("10.0.0.1", 40000),
        server: tuple[str, int] = ("10.0.0.2", 80),
        *,
        isn: tuple[int, int] = (1000, 5000),
        at: float = 1_700_000_000.0,
        tags: bytes = b"",
    ) -> None:
        """`tags` stands between the Ethernet addresses and the IP header's type: VLAN tags."""
        self.packets: list[Packet] = []
        self.time = at
        self.seq = list(isn)
        self._ends = (client, server)
        self._tags = tags

    def open(self) -> "Talk":
        """The handshake."""
        self.packet(0, SYN)
        self.packet(1, SYN | ACK)
        self.packet(0, ACK)
        return self

    def say(self, side: int, text: bytes, *, mss: int = 1448) -> "Talk":
        """Sends `text`, in segments of `mss` bytes, and has it acknowledged."""
        for at in range(0, len(text), mss):
            self.packet(side, PSH | ACK, text[at : at + mss])
        self.packet(1 - side, ACK)
        return self

    def close(self) -> "Talk":
        """FIN from both sides."""
        self.packet(0, FIN | ACK)
        self.packet(1, FIN | ACK)
        self.packet(0, ACK)
        return self

    def packet(self, side: int, flags: int, payload: bytes = b"", *, seq: int | None = None) -> Packet:
        """One frame of `side`, appended to `packets`; `seq` in place of the number that is due."""
        source, target = self._ends[side], self._ends[1 - side]
        number = self.seq[side] if seq is None else seq
        ack = self.seq[1 - side] if flags & ACK else 0
        segment = tcp(source[1], target[1], number, ack, flags, payload)
        packet = self.time, ethernet(ip(source[0], target[0], 6, segment), self._tags, ":" in source[0])
        if seq is None:
            self.seq[side] = (number + len(payload) + bool(flags & (SYN | FIN))) & MASK
        self.time += 0.001
        self.packets.append(packet)
        return packet


def tcp(source: int, target: int, seq: int, ack: int, flags: int, payload: bytes) -> bytes:
    """A TCP segment without options; its checksum is left empty, as offloading leaves it."""
    return (
        struct.pack("!HHIIBBHHH", source, target, seq & MASK, ack & MASK, 0x50, flags, 65535, 0, 0) + payload
    )


def udp(source: int, target: int, payload: bytes) -> bytes:
    """A UDP datagram; its checksum is left empty."""
    return struct.pack("!HHHH", source, target, 8 + len(payload), 0) + payload


def ip(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    """An IPv4 or IPv6 packet."""
    ends = ip_address(source).packed + ip_address(target).packed
    if len(ends) == 32:
        return struct.pack("!IHBB", 0x60000000, len(payload), protocol, 64) + ends + payload
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + ends + payload


def ethernet(packet: bytes, tags: bytes = b"", is_ipv6: bool = False) -> bytes:
    """An Ethernet frame, padded to its least length."""
    kind = b"\x86\xdd" if is_ipv6 else b"\x08\x00"
    return (b"\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01" + tags + kind + packet).ljust(60, b"\0")


def pcap(packets: Iterable[Packet], *, order: str = "<", nano: bool = False, link: int = 1) -> bytes:
    """A pcap file."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    unit = 1_000_000_000 if nano else 1_000_000
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262144, link)]
    for time, frame in packets:
        seconds, ticks = int(time), min(round(time % 1 * unit), unit - 1)
        parts += [struct.pack(order + "IIII", seconds, ticks, len(frame), len(frame)), frame]
    return b"".join(parts)


def pcapng(packets: Iterable[Packet], *, order: str = "<", link: int = 1, resolution: int = 9) -> bytes:
    """A pcapng file with one section, one interface and enhanced packet blocks."""
    options = struct.pack(order + "HHB3xHH", 9, 1, resolution, 0, 0)
    parts = [
        block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options),
    ]
    for time, frame in packets:
        ticks = round(time * 10**resolution)
        head = struct.pack(order + "IIIII", 0, ticks >> 32, ticks & MASK, len(frame), len(frame))
        parts.append(block(order, 6, head + frame))
    return b"".join(parts)


def block(order: str, kind: int, body: bytes) -> bytes:
    """A pcapng block."""
    body += b"\0" * (-len(body) % 4)
    length = len(body) + 12
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)
