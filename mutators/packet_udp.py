"""UDP datagrams at odds with RFC 768, and payloads that no client would send."""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

from scapy.layers.inet import UDP
from scapy.packet import Raw, fuzz

from mutators._packet import Job, Made, packet_mutator, singular

_PAYLOAD_BYTES_MAX = 1400
"""More would not fit into one packet of an ordinary network."""


@packet_mutator("udp", "dns")
def udp_fuzz(job: Job) -> Made:
    """A datagram that is malformed is dropped (RFC 1122 §4.1), whatever the header's fields."""
    udp = fuzz(UDP(sport=job.port, dport=job.ends.port))
    return "every other field of the UDP header at random", [job.ip / udp / Raw(job.seed.payload)]


@packet_mutator("udp", "dns")
def udp_length(job: Job) -> Made:
    """A length below 8, or beyond the packet, is the sender's word and no more (RFC 768)."""
    packet = job.whole
    packet[UDP].len = value = job.dice.choice((0, 1, 7, 8, 9, len(job.seed.payload) + 9, 0x7FFF, 0xFFFF))
    return f"UDP length {value} for {len(job.seed.payload) + 8}", [packet]


@packet_mutator("udp", "dns")
def udp_checksum(job: Job) -> Made:
    """A wrong checksum has the datagram discarded silently; 0 means none over IPv4 (RFC 1122 §4.1.3.4)."""
    packet = job.whole
    packet[UDP].chksum = value = singular(16, job.dice)
    return f"UDP checksum {value:#06x}", [packet]


@packet_mutator("udp", "dns")
def udp_payload(job: Job) -> Made:
    """A datagram may hold anything from nothing on (RFC 768): a service denies what it cannot read, and does
    not die of it (CWE-20)."""
    payload = bytearray(job.payload)
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
    return f"a payload {way}", [job.ip / job.datagram / Raw(bytes(payload[:_PAYLOAD_BYTES_MAX]))]


@packet_mutator("udp", "dns")
def udp_burst(job: Job) -> Made:
    """Datagrams may come twice, and in any order (RFC 768): many at once may be lost, and no more than lost
    (CWE-400)."""
    count = job.dice.choice((2, 16, 64))
    return f"the same datagram {count} times", [job.whole] * count
