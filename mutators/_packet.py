"""The contract of a mutator of packets, and what it works with. Only `shadow packets` imports it: scapy is
under the GPL, and takes seconds.

scapy throws its dice by the module `random`; whoever calls a mutator seeds it before, so that the same dice
make the same packets.
"""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import getdoc
from ipaddress import IPv4Network, IPv6Network
from random import Random
from typing import NamedTuple

import msgspec
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Packet, Raw

from shadow.model import Expect, Level

type Network = IPv4Network | IPv6Network
type Made = tuple[str, Sequence[Packet | bytes]]
"""What was changed, for a person, and the packets from the IP header on, in the order in which they leave."""

TRANSPORTS = frozenset({"tcp", "udp", "dns"})


class Seed(msgspec.Struct, frozen=True):
    """One payload that a client sent."""

    protocol: str
    """``"tcp"``, ``"udp"`` or ``"dns"``, which is over UDP."""
    payload: bytes


class Stream(NamedTuple):
    """A connection that the target has taken and on which nobody has said anything."""

    port: int
    """Ours."""
    seq: int
    """Of the first byte that we may say."""
    ack: int
    """Of the first byte that the target may say."""


class Ends(msgspec.Struct, frozen=True):
    """From where to where packets go."""

    source: str
    target: str
    port: int
    spoofed: tuple[Network, ...] = ()
    """Networks that sources may be made up from; empty: never."""
    is_mended: bool = False
    """Whether what leaves has its IP length and checksum put right on the way."""
    stream: Stream | None = None
    """The connection that packets are part of; None where there is none."""

    @property
    def is_ip6(self) -> bool:
        """Whether they are addresses of IPv6."""
        return ":" in self.target


class Job(msgspec.Struct, frozen=True):
    """What a mutator of packets works with."""

    seed: Seed
    ends: Ends
    dice: Random
    stream: Stream
    """The connection that packets are part of; where there is none, made up numbers."""

    @property
    def port(self) -> int:
        """Ours."""
        return self.stream.port

    @property
    def ip(self) -> Packet:
        """A well-formed header."""
        if self.ends.is_ip6:
            return IPv6(src=self.ends.source, dst=self.ends.target)
        return IP(src=self.ends.source, dst=self.ends.target, id=self.dice.getrandbits(16))

    @property
    def transport(self) -> Packet:
        """A well-formed header of TCP, part of the connection where there is one, or of UDP."""
        if self.seed.protocol == "tcp":
            return self.segment(0)
        return self.datagram

    @property
    def datagram(self) -> Packet:
        """A well-formed header of UDP."""
        return UDP(sport=self.port, dport=self.ends.port)

    def segment(self, offset: int, flags: str = "PA") -> Packet:
        """A well-formed header of TCP, `offset` bytes into what we say."""
        seq, ack = self.stream.seq + offset, self.stream.ack
        return TCP(sport=self.port, dport=self.ends.port, flags=flags, seq=seq & 0xFFFF_FFFF, ack=ack)

    @property
    def payload(self) -> bytes:
        """What the client said, never nothing."""
        return self.seed.payload or b"x"

    @property
    def whole(self) -> Packet:
        """A well-formed packet."""
        return self.ip / self.transport / Raw(self.seed.payload)


@dataclass(frozen=True, slots=True)
class PacketMutator:
    """A mutator of packets. Call `make` with a job."""

    name: str
    reason: str
    """Why the expectation holds, with its source: the function's docstring."""
    make: Callable[[Job], Made]
    over: frozenset[str]
    """Of seeds of which protocols it is made."""
    version: int
    """Of IP: 4, 6, or 0 for either."""
    is_in_stream: bool
    """Whether its packets are part of a connection that the target has taken."""
    spoofs: bool
    """Whether it makes sources up."""
    edits_sum: bool
    """Whether it lives by a length or checksum of the IP header, which some systems put right."""
    level: Level = Level.PACKET
    expect: Expect = Expect.SURVIVE

    def fits(self, seed: Seed, ends: Ends) -> bool:
        """Whether there is something for it to edit."""
        return (
            seed.protocol in self.over
            and self.version in (0, 6 if ends.is_ip6 else 4)
            and (not self.spoofs or bool(ends.spoofed))
            and not (self.edits_sum and ends.is_mended)
        )


def packet_mutator(
    *over: str,
    version: int = 0,
    is_in_stream: bool = False,
    spoofs: bool = False,
    edits_sum: bool = False,
) -> Callable[[Callable[[Job], Made]], PacketMutator]:
    """Make a `PacketMutator` of ``make(job)``; its name is the function's. `over` nothing means any."""

    def wrap(make: Callable[[Job], Made]) -> PacketMutator:
        protocols = frozenset(over) or TRANSPORTS
        reason = getdoc(make) or ""
        return PacketMutator(make.__name__, reason, make, protocols, version, is_in_stream, spoofs, edits_sum)

    return wrap


def singular(bits: int, dice: Random) -> int:
    """A value at an end of a field of so many bits, or at its middle, where signs turn."""
    top = (1 << bits) - 1
    return dice.choice((0, 1, top >> 1, (top >> 1) + 1, max(top - 1, 0), top))


def checksummed(header: bytes) -> bytes:
    """An IPv4 `header` with its checksum (RFC 1071)."""
    blank = header[:10] + b"\x00\x00" + header[12:]
    total = sum(int.from_bytes(blank[at : at + 2]) for at in range(0, len(blank), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return header[:10] + (~total & 0xFFFF).to_bytes(2) + header[12:]
