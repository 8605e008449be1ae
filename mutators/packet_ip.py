"""IPv4 headers at odds with RFC 791, and messages of ICMP about packets of ours."""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

from scapy.layers.inet import ICMP
from scapy.packet import Raw, fuzz

from mutators._packet import Job, Made, checksummed, packet_mutator, singular

_BITS = {"version": 4, "ihl": 4, "tos": 8, "len": 16, "id": 16, "flags": 3, "frag": 13, "ttl": 8, "proto": 8}


@packet_mutator(version=4)
def ip_fuzz(job: Job) -> Made:
    """A host drops what it cannot read and goes on (RFC 1122 §3.2.1), whatever the header's fields."""
    ip = fuzz(job.ip)
    ip.proto = 6 if job.seed.protocol == "tcp" else 17
    return "every other field of the IP header at random", [ip / job.transport / Raw(job.seed.payload)]


@packet_mutator(version=4)
def ip_field(job: Job) -> Made:
    """Each field has ends where arithmetic turns (RFC 791 §3.1): dropped or taken, never a crash."""
    bits = {name: size for name, size in _BITS.items() if name != "len" or not job.ends.is_mended}
    name = job.dice.choice(list(bits))
    value = singular(bits[name], job.dice)
    packet = job.whole
    setattr(packet, name, value)
    return f"IP {name} = {value}", [packet]


@packet_mutator(version=4, edits_sum=True)
def ip_checksum(job: Job) -> Made:
    """A wrong checksum has the packet discarded silently (RFC 1122 §3.2.1.2)."""
    packet = job.whole
    packet.chksum = value = singular(16, job.dice)
    return f"IP checksum {value:#06x}", [packet]


@packet_mutator(version=4)
def ip_options(job: Job) -> Made:
    """Options may be ignored or refused (RFC 7126), and their lengths are the sender's word (RFC 791
    §3.1)."""
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
    return what, [checksummed(bytes(header)) + whole[20:]]


@packet_mutator()
def truncated(job: Job) -> Made:
    """A packet that ends before its length says so is discarded (RFC 1122 §3.2.1.1, RFC 8200 §3)."""
    whole = bytes(job.whole)
    size = job.dice.randint(1, len(whole) - 1)
    return f"{size} of {len(whole)} bytes", [whole[:size]]


@packet_mutator(version=4)
def ttl(job: Job) -> Made:
    """A host must not discard a packet for a TTL below 2 (RFC 1122 §3.2.1.7); those on the way do."""
    packet = job.whole
    packet.ttl = value = job.dice.choice((0, 1, 255))
    return f"TTL {value}", [packet]


@packet_mutator(version=4)
def icmp(job: Job) -> Made:
    """What ICMP says of a connection is to be checked before it is believed (RFC 5927)."""
    packet = job.ip / fuzz(ICMP()) / Raw(bytes(job.whole)[:28])
    return "an ICMP message at random about a packet of ours", [packet]


@packet_mutator(spoofs=True)
def spoofed_source(job: Job) -> Made:
    """Sources may be anybody's (RFC 2827): no service may rest on them, or die of one that is nowhere."""
    version = 6 if job.ends.is_ip6 else 4
    networks = [each for each in job.ends.spoofed if each.version == version] or job.ends.spoofed
    network = job.dice.choice(networks)
    packet = job.whole
    if network.version == version:
        packet.src = str(network[job.dice.randrange(network.num_addresses)])
    return f"from {packet.src}", [packet]


def _octets(address: str) -> bytes:
    return bytes(map(int, address.split(".")))
