"""IPv6 headers and extension headers at odds with RFC 8200."""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

from scapy.layers.inet6 import (
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.packet import Packet, Raw, fuzz

from mutators._packet import Job, Made, packet_mutator, singular

_BITS = {"version": 4, "tc": 8, "fl": 20, "plen": 16, "nh": 8, "hlim": 8}
_HOP_BY_HOP, _ROUTING, _DESTINATION = 0, 43, 60


@packet_mutator(version=6)
def ip6_field(job: Job) -> Made:
    """Each field has ends where arithmetic turns (RFC 8200 §3): dropped, answered by ICMPv6 or taken."""
    name = job.dice.choice(list(_BITS))
    value = singular(_BITS[name], job.dice)
    packet = job.whole
    setattr(packet, name, value)
    return f"IPv6 {name} = {value}", [packet]


@packet_mutator(version=6)
def ip6_extension(job: Job) -> Made:
    """A header's length and type are the sender's word (RFC 8200 §4); routing headers of type 0 are to be
    refused (RFC 5095)."""
    ways = {
        "hop-by-hop options that run beyond the packet": (_HOP_BY_HOP, b"\xff" + b"\x01\x04" + bytes(4)),
        "an unknown option that is to be refused": (_DESTINATION, b"\x00" + b"\xff\x04" + bytes(4)),
        "an option longer than its header": (_DESTINATION, b"\x00" + b"\x1e\xff" + bytes(4)),
        "a jumbo payload that is small": (_HOP_BY_HOP, b"\x00" + b"\xc2\x04\x00\x00\x00\x10"),
        "a routing header of type 0": (_ROUTING, b"\x02\x00\x01" + bytes(20)),
        "a routing header with 255 segments left": (_ROUTING, b"\x00\x04\xff" + bytes(4)),
        "options at random": (_DESTINATION, b"\x01" + job.dice.randbytes(14)),
    }
    what = job.dice.choice(list(ways))
    kind, text = ways[what]
    ip, rest = job.ip, job.transport / Raw(job.seed.payload)
    ip.nh = kind
    after = 6 if job.seed.protocol == "tcp" else 17
    # the checksum covers addresses and not what stands between, so it is made as without the extension
    body = bytes(job.ip / rest)[40:]
    return what, [ip / Raw(bytes([after]) + text + body)]


@packet_mutator(version=6)
def ip6_many_extensions(job: Job) -> Made:
    """A chain of extension headers may be as long as the packet; who follows it has to have a limit
    (RFC 8883 §1.1, RFC 9098)."""
    header: Packet = job.ip
    for kind in job.dice.choices((IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrRouting), k=100):
        header = header / kind()
    return "100 extension headers", [header / job.transport / Raw(job.seed.payload[:200])]


@packet_mutator(version=6)
def icmp6(job: Job) -> Made:
    """What ICMPv6 says of a connection is to be checked before it is believed (RFC 4443 §5.2)."""
    kinds = (ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, ICMPv6ParamProblem)
    packet = job.ip / fuzz(job.dice.choice(kinds)()) / Raw(bytes(job.whole)[:48])
    return "an ICMPv6 error at random about a packet of ours", [packet]
