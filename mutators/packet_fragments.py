"""Fragments of IP packets: out of order, over each other, missing, too long, too many."""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

from collections.abc import Callable, Sequence

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.packet import Raw

from mutators._packet import Job, Made, checksummed, packet_mutator

_PAYLOAD_BYTES = 1200
_FRAGMENTS_MAX = 64
_WAYS = ("in reverse", "overlapping with other bytes", "without the first", "without the last", "twice")

type _Cut = Callable[[Job, int, bytes, bool], bytes]


@packet_mutator(version=4)
def fragments(job: Job) -> Made:
    """Fragments come in any order and are put together by offset (RFC 791 §3.2); those that lie over each
    other have broken stacks before (CVE-1997-0014)."""
    return _disarranged(job, _fragment4, header_bytes=20)


@packet_mutator(version=6)
def ip6_fragments(job: Job) -> Made:
    """Fragments come in any order; where two lie over each other, all are to be discarded (RFC 5722)."""
    return _disarranged(job, _fragment6, header_bytes=40)


@packet_mutator(version=4)
def huge_fragment(job: Job) -> Made:
    """A last fragment that ends beyond 65,535 bytes has to be discarded (RFC 791 §3.1; the ping of death,
    CVE-1999-0128)."""
    return "a fragment that ends beyond 65535 bytes", [_fragment4(job, 65_528, b"x" * 1000, True)]


@packet_mutator(version=6)
def ip6_lone_fragments(job: Job) -> Made:
    """A fragment that is the whole packet is taken by itself (RFC 6946); one that is never followed is
    forgotten (RFC 8200 §4.5)."""
    body = bytes(job.transport / Raw(job.seed.payload))
    is_whole = job.dice.random() < 0.5
    if is_whole:
        return "a fragment that is the whole packet", [_fragment6(job, 0, body, True)]
    starts = [_fragment6(job, 0, job.dice.randbytes(16), False) for _ in range(32)]
    return "32 first fragments of what is never sent", starts


def _disarranged(job: Job, cut: _Cut, *, header_bytes: int) -> Made:
    payload = (job.payload * 40)[:_PAYLOAD_BYTES]
    body = bytes(job.ip / job.transport / Raw(payload))[header_bytes:]  # lengths and sums are the whole's
    size = job.dice.choice((8, 16, 64))
    pieces = [(at, body[at : at + size]) for at in range(0, len(body), size)][:_FRAGMENTS_MAX]
    last = pieces[-1][0]
    frames = [cut(job, at, data, at == last) for at, data in pieces]
    way = job.dice.choice(_WAYS)
    if way == "overlapping with other bytes":
        at, data = pieces[len(pieces) // 2]
        other = cut(job, max(at - 8, 0), bytes(byte ^ 0xFF for byte in data), False)
        frames.insert(job.dice.randrange(len(frames)), other)
    return f"fragments of {size} bytes, {way}", _arranged(frames, way)


def _arranged(frames: list[bytes], way: str) -> Sequence[bytes]:
    match way:
        case "in reverse":
            return frames[::-1]
        case "without the first":
            return frames[1:] or frames
        case "without the last":
            return frames[:-1] or frames
        case "twice":
            return frames * 2
    return frames


def _fragment4(job: Job, at: int, data: bytes, is_last: bool) -> bytes:
    header = bytearray(bytes(IP(src=job.ends.source, dst=job.ends.target)))
    header[2:4] = min(20 + len(data), 0xFFFF).to_bytes(2)
    header[4:6] = job.port.to_bytes(2)  # the same for all, and for no others
    header[6:8] = ((at >> 3) | (0 if is_last else 0x2000)).to_bytes(2)
    header[9] = _next(job)
    return checksummed(bytes(header)) + data


def _fragment6(job: Job, at: int, data: bytes, is_last: bool) -> bytes:
    # cut at multiples of eight; the number is the same for all, and for no others
    extension = IPv6ExtHdrFragment(nh=_next(job), offset=at >> 3, m=0 if is_last else 1, id=job.port)
    return bytes(IPv6(src=job.ends.source, dst=job.ends.target) / extension / Raw(data))


def _next(job: Job) -> int:
    return 6 if job.seed.protocol == "tcp" else 17
