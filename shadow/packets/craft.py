"""Malformed IP packets, made with scapy. Only `shadow packets`, a process of its own, imports this.

scapy throws its dice by the module `random`, which is therefore seeded for each packet: the same run's seed
and number make the same packet.
"""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

import random
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from random import Random

import msgspec
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet, Raw, fuzz

from shadow.packets import dns_craft
from shadow.packets.seeds import Seed

_PORT_MIN = 20_000
"""Our ports are drawn from here on: below are services."""


class Ends(msgspec.Struct, frozen=True):
    """From where to where packets go."""

    source: str
    target: str
    port: int
    spoofed: tuple[IPv4Network, ...] = ()
    """Networks that sources may be made up from; empty: never."""
    is_mended: bool = False
    """Whether what leaves has its IP length and checksum put right on the way."""


class Crafted(msgspec.Struct, frozen=True):
    """One malformed packet, or several that belong together."""

    number: int
    recipe: str
    what: str
    packets: tuple[bytes, ...]
    """From the IP header on."""


class _Job(msgspec.Struct, frozen=True):
    """What a recipe works with."""

    seed: Seed
    ends: Ends
    dice: Random
    port: int
    """Ours."""

    @property
    def ip(self) -> Packet:
        return IP(src=self.ends.source, dst=self.ends.target, id=self.dice.getrandbits(16))

    @property
    def transport(self) -> Packet:
        if self.seed.protocol == "tcp":
            seq, ack = self.dice.getrandbits(32), self.dice.getrandbits(32)
            return TCP(sport=self.port, dport=self.ends.port, flags="PA", seq=seq, ack=ack)
        return UDP(sport=self.port, dport=self.ends.port)

    @property
    def whole(self) -> Packet:
        """A well-formed packet."""
        return self.ip / self.transport / Raw(self.seed.payload)


type _Made = tuple[str, Sequence[Packet | bytes]]
type _Recipe = Callable[[_Job], _Made]


def craft(
    seeds: Sequence[Seed],
    ends: Ends,
    number: int,
    *,
    run_seed: int,
    without: frozenset[str] = frozenset(),
    recipe: str = "",
) -> Crafted:
    """The malformed packet called `number`, by `recipe` where one is named.

    Else by one that the dice choose; if that is in `without`, by another, where there is one. Which packet it
    is otherwise does not depend on either, so that the same can be made for other `ends`.
    """
    dice = Random(f"{run_seed}:packet:{number}")
    seed = dice.choice(seeds)
    port = dice.randint(_PORT_MIN, 65_535)
    recipes = recipes_for(seed, ends)
    name = dice.choice(list(recipes))
    if name in without:
        rest = [each for each in recipes if each not in without]
        name = Random(f"{run_seed}:other:{number}").choice(rest or [name])
    name = recipe or name
    random.seed(f"{run_seed}:scapy:{number}")
    what, packets = recipes[name](_Job(seed, ends, dice, port))
    return Crafted(number, name, what, tuple(bytes(each) for each in packets))


def recipes_for(seed: Seed, ends: Ends) -> dict[str, _Recipe]:
    """The recipes that apply, by name."""
    found: dict[str, _Recipe] = {**_IP}
    if ends.is_mended:
        del found["ip_checksum"]
    if ends.spoofed:
        found |= {"spoofed_source": _spoofed_source}
    if seed.protocol == "tcp":
        return {**found, **_TCP}
    found |= _UDP
    if seed.protocol == "dns":
        found |= {f"dns_{recipe.__name__}": _dns(recipe) for recipe in dns_craft.RECIPES}
    return found


def singular(bits: int, dice: Random) -> int:
    """A value at an end of a field of so many bits, or at its middle, where signs turn."""
    top = (1 << bits) - 1
    return dice.choice((0, 1, top >> 1, (top >> 1) + 1, max(top - 1, 0), top))


def _ip_fuzz(job: _Job) -> _Made:
    ip = fuzz(job.ip)
    ip.proto = 6 if job.seed.protocol == "tcp" else 17
    return "every other field of the IP header at random", [ip / job.transport / Raw(job.seed.payload)]


def _ip_field(job: _Job) -> _Made:
    bits = {
        "version": 4,
        "ihl": 4,
        "tos": 8,
        "len": 16,
        "id": 16,
        "flags": 3,
        "frag": 13,
        "ttl": 8,
        "proto": 8,
    }
    if job.ends.is_mended:
        del bits["len"]
    name = job.dice.choice(list(bits))
    value = singular(bits[name], job.dice)
    packet = job.whole
    setattr(packet, name, value)
    return f"IP {name} = {value}", [packet]


def _ip_checksum(job: _Job) -> _Made:
    packet = job.whole
    packet.chksum = value = singular(16, job.dice)
    return f"IP checksum {value:#06x}", [packet]


def _ip_options(job: _Job) -> _Made:
    ways = {
        "an option of length 0": b"\x07\x00\x04\x00",
        "an option longer than the header": b"\x07\xff\x04\x00",
        "record route": b"\x07\x27\x04" + b"\x00" * 37,
        "a loose source route to the target itself": b"\x83\x07\x04" + _octets(job.ends.target) + b"\x00",
        "timestamps that overflow": b"\x44\x0c\x05\xf1" + b"\x00" * 8,
        "no end of options": b"\x01" * 40,
        "an unknown option": b"\xde\x04\x00\x00",
        "random options": job.dice.randbytes(4 * job.dice.randint(1, 10)),
    }
    what = job.dice.choice(list(ways))
    whole = bytes(job.whole)
    options = ways[what].ljust(-(-len(ways[what]) // 4) * 4, b"\x00")
    header = bytearray(whole[:20] + options)
    header[0] = 0x40 | (len(header) // 4)
    header[2:4] = (len(header) + len(whole) - 20).to_bytes(2)
    return what, [_checksummed(bytes(header)) + whole[20:]]


def _truncated(job: _Job) -> _Made:
    whole = bytes(job.whole)
    size = job.dice.randint(1, len(whole) - 1)
    return f"{size} of {len(whole)} bytes", [whole[:size]]


def _ttl(job: _Job) -> _Made:
    packet = job.whole
    packet.ttl = value = job.dice.choice((0, 1, 255))
    return f"TTL {value}", [packet]


def _fragments(job: _Job) -> _Made:
    """Cut into fragments; those may come in any order, lie over each other, or be missing."""
    payload = ((job.seed.payload or b"x") * 40)[:1200]
    body = bytes(job.ip / job.transport / Raw(payload))[20:]  # lengths and checksums are those of the whole
    size = job.dice.choice((8, 16, 64))
    pieces = [(at, body[at : at + size]) for at in range(0, len(body), size)][:64]
    way = job.dice.choice(
        ("in reverse", "overlapping with other bytes", "without the first", "without the last", "twice")
    )
    last = pieces[-1][0]
    frames = [_fragment(job, at, data, is_last=at == last) for at, data in pieces]
    match way:
        case "in reverse":
            frames.reverse()
        case "overlapping with other bytes":
            other = bytes(byte ^ 0xFF for byte in pieces[len(pieces) // 2][1])
            at = max(pieces[len(pieces) // 2][0] - 8, 0)
            frames.insert(job.dice.randrange(len(frames)), _fragment(job, at, other, is_last=False))
        case "without the first":
            frames = frames[1:] or frames
        case "without the last":
            frames = frames[:-1] or frames
        case _:
            frames += frames
    return f"fragments of {size} bytes, {way}", frames


def _huge_fragment(job: _Job) -> _Made:
    """A last fragment that ends beyond 65 535 bytes (the ping of death, CVE-1999-0128)."""
    return "a fragment that ends beyond 65535 bytes", [_fragment(job, 65_528, b"x" * 1000, is_last=True)]


def _icmp(job: _Job) -> _Made:
    packet = job.ip / fuzz(ICMP()) / Raw(bytes(job.whole)[:28])
    return "an ICMP message at random about a packet of ours", [packet]


def _spoofed_source(job: _Job) -> _Made:
    network = job.dice.choice(job.ends.spoofed)
    packet = job.whole
    packet.src = str(network[job.dice.randrange(network.num_addresses)])
    return f"from {packet.src}", [packet]


def _tcp_fuzz(job: _Job) -> _Made:
    tcp = fuzz(TCP(sport=job.port, dport=job.ends.port, dataofs=5, options=[]))
    return "every other field of the TCP header at random", [job.ip / tcp / Raw(job.seed.payload)]


def _tcp_field(job: _Job) -> _Made:
    bits = {"seq": 32, "ack": 32, "dataofs": 4, "reserved": 3, "window": 16, "chksum": 16, "urgptr": 16}
    name = job.dice.choice(list(bits))
    value = singular(bits[name], job.dice)
    packet = job.whole
    setattr(packet[TCP], name, value)
    return f"TCP {name} = {value}", [packet]


def _tcp_flags(job: _Job) -> _Made:
    flags = job.dice.choice(("", "S", "SF", "SR", "FPU", "SAFRPUEC", "A", "FA", "RA", "U"))
    packet = job.whole
    packet[TCP].flags = flags
    return f"TCP flags {flags or 'none'}", [packet]


def _tcp_options(job: _Job) -> _Made:
    options = job.dice.choice(
        (
            [("MSS", 0)],
            [("MSS", 1)],
            [("WScale", 255)],
            [("SAck", (0xFFFFFFFF, 0))],
            [("Timestamp", (0xFFFFFFFF, 0xFFFFFFFF))] * 3,
            [(job.dice.randrange(9, 254), job.dice.randbytes(10))],
        )
    )
    packet = job.whole
    packet[TCP].flags = "S"
    packet[TCP].options = options
    return f"TCP options {options[0][0]}", [packet]


def _tcp_overlap(job: _Job) -> _Made:
    """Segments that state other bytes for the same sequence numbers."""
    first, second = job.whole, job.whole
    second[TCP].seq = first[TCP].seq
    second[Raw].load = bytes(byte ^ 0x20 for byte in job.seed.payload) or b"x"
    return "two segments with different bytes in one place", [first, second]


def _udp_fuzz(job: _Job) -> _Made:
    udp = fuzz(UDP(sport=job.port, dport=job.ends.port))
    return "every other field of the UDP header at random", [job.ip / udp / Raw(job.seed.payload)]


def _udp_length(job: _Job) -> _Made:
    packet = job.whole
    packet[UDP].len = value = job.dice.choice((0, 1, 7, 8, 9, len(job.seed.payload) + 9, 0x7FFF, 0xFFFF))
    return f"UDP length {value} for {len(job.seed.payload) + 8}", [packet]


def _udp_checksum(job: _Job) -> _Made:
    packet = job.whole
    packet[UDP].chksum = value = singular(16, job.dice)
    return f"UDP checksum {value:#06x}", [packet]


def _udp_payload(job: _Job) -> _Made:
    """The payload itself, cut, stretched or with bytes turned."""
    payload = bytearray(job.seed.payload or b"x")
    way = job.dice.choice(("empty", "cut", "stretched", "with bytes turned", "at random"))
    match way:
        case "empty":
            payload = bytearray()
        case "cut":
            del payload[job.dice.randrange(len(payload)) :]
        case "stretched":
            payload *= job.dice.choice((2, 16, 64))
        case "with bytes turned":
            for _ in range(job.dice.randint(1, 4)):
                payload[job.dice.randrange(len(payload))] ^= 1 << job.dice.randrange(8)
        case _:
            payload = bytearray(job.dice.randbytes(job.dice.choice((1, 16, 512, 1400))))
    return f"a payload {way}", [
        job.ip / UDP(sport=job.port, dport=job.ends.port) / Raw(bytes(payload[:1400]))
    ]


def _dns(recipe: Callable[[dns_craft.Base, Random], dns_craft.Made]) -> _Recipe:
    def make(job: _Job) -> _Made:
        what, message = recipe(dns_craft.base_of(job.seed.payload), job.dice)
        return what, [job.ip / UDP(sport=job.port, dport=job.ends.port) / Raw(message)]

    return make


def _fragment(job: _Job, at: int, data: bytes, *, is_last: bool) -> bytes:
    header = bytearray(bytes(IP(src=job.ends.source, dst=job.ends.target)))
    header[2:4] = min(20 + len(data), 0xFFFF).to_bytes(2)
    header[4:6] = job.port.to_bytes(2)  # the same for all, and for no others
    header[6:8] = ((at >> 3) | (0 if is_last else 0x2000)).to_bytes(2)
    header[9] = 6 if job.seed.protocol == "tcp" else 17
    return _checksummed(bytes(header)) + data


def _checksummed(header: bytes) -> bytes:
    """`header` with its checksum (RFC 1071)."""
    blank = header[:10] + b"\x00\x00" + header[12:]
    total = sum(int.from_bytes(blank[at : at + 2]) for at in range(0, len(blank), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return header[:10] + (~total & 0xFFFF).to_bytes(2) + header[12:]


def _octets(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


_IP: dict[str, _Recipe] = {
    "ip_fuzz": _ip_fuzz,
    "ip_field": _ip_field,
    "ip_checksum": _ip_checksum,
    "ip_options": _ip_options,
    "truncated": _truncated,
    "ttl": _ttl,
    "fragments": _fragments,
    "huge_fragment": _huge_fragment,
    "icmp": _icmp,
}
_TCP: dict[str, _Recipe] = {
    "tcp_fuzz": _tcp_fuzz,
    "tcp_field": _tcp_field,
    "tcp_flags": _tcp_flags,
    "tcp_options": _tcp_options,
    "tcp_overlap": _tcp_overlap,
}
_UDP: dict[str, _Recipe] = {
    "udp_fuzz": _udp_fuzz,
    "udp_length": _udp_length,
    "udp_checksum": _udp_checksum,
    "udp_payload": _udp_payload,
}
