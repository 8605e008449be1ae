"""TCP segments outside any connection, at odds with RFC 9293."""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

from scapy.layers.inet import TCP
from scapy.packet import Raw, fuzz

from mutators._packet import Job, Made, packet_mutator, singular

BITS = {"seq": 32, "ack": 32, "dataofs": 4, "reserved": 3, "window": 16, "chksum": 16, "urgptr": 16}
"""Fields of the header, and how long they are."""


@packet_mutator("tcp")
def tcp_fuzz(job: Job) -> Made:
    """What belongs to no connection is answered by a reset or dropped (RFC 9293 §3.10.7.1), whatever its
    fields."""
    tcp = fuzz(TCP(sport=job.port, dport=job.ends.port, dataofs=5, options=[]))
    return "every other field of the TCP header at random", [job.ip / tcp / Raw(job.seed.payload)]


@packet_mutator("tcp")
def tcp_field(job: Job) -> Made:
    """Each field has ends where arithmetic turns (RFC 9293 §3.1): dropped or reset, never a crash."""
    name = job.dice.choice(list(BITS))
    value = singular(BITS[name], job.dice)
    packet = job.whole
    setattr(packet[TCP], name, value)
    return f"TCP {name} = {value}", [packet]


@packet_mutator("tcp")
def tcp_flags(job: Job) -> Made:
    """Flags that contradict each other have no meaning (RFC 9293 §3.10.7): dropped or reset."""
    flags = job.dice.choice(("", "S", "SF", "SR", "FPU", "SAFRPUEC", "A", "FA", "RA", "U"))
    packet = job.whole
    packet[TCP].flags = flags
    return f"TCP flags {flags or 'none'}", [packet]


@packet_mutator("tcp")
def tcp_options(job: Job) -> Made:
    """Options of a SYN are offers (RFC 9293 §3.1): an absurd one is ignored or bounded (CVE-2019-11477 was
    a tiny MSS)."""
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


@packet_mutator("tcp")
def tcp_half_open(job: Job) -> Made:
    """Connections that are begun and never taken up wait in a queue of their own (RFC 4987): those who come
    after must still get in."""
    count = job.dice.choice((8, 32))
    ports = job.dice.sample(range(20_000, 65_536), count)
    syns = []
    for port in ports:
        segment = job.segment(0, "S")
        segment.sport, segment.seq, segment.ack = port, job.dice.getrandbits(32), 0
        syns.append(job.ip / segment)
    return f"{count} connections begun and left", syns
