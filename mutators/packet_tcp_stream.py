"""Segments of a connection that the service has taken: a request comes by odd ways, or not whole."""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

from scapy.layers.inet import TCP
from scapy.packet import Packet, Raw, fuzz

from mutators._packet import Job, Made, packet_mutator, singular
from mutators.packet_tcp import BITS

_PIECES_MAX = 40
_WINDOW = 65_535


@packet_mutator("tcp", is_in_stream=True)
def stream_out_of_order(job: Job) -> Made:
    """Segments are put in order by their numbers (RFC 9293 §3.4): the service reads what was said."""
    pieces = _pieces(job)
    job.dice.shuffle(pieces)
    return f"{len(pieces)} segments out of order", [_say(job, at, text) for at, text in pieces]


@packet_mutator("tcp", is_in_stream=True)
def stream_repeated(job: Job) -> Made:
    """What was received already is acknowledged again and dropped (RFC 9293 §3.10.7.4)."""
    pieces = [_say(job, at, text) for at, text in _pieces(job)]
    return f"{len(pieces)} segments, each three times", [each for each in pieces for _ in range(3)]


@packet_mutator("tcp", is_in_stream=True)
def stream_overlap(job: Job) -> Made:
    """Other bytes for numbers that were said, before or after the true ones: which counts is not stated
    (RFC 9293 §3.10.7.4), and the service reads one of them."""
    whole = _say(job, 0, job.payload)
    start = job.dice.randrange(len(job.payload))
    size = job.dice.randint(1, len(job.payload) - start)
    other = _say(job, start, bytes(byte ^ 0x20 for byte in job.payload[start : start + size]))
    is_before = start > 0 and job.dice.random() < 0.5
    when = "before" if is_before else "after"
    return f"{size} other bytes at {start}, {when} the true ones", [other, whole] if is_before else [
        whole,
        other,
    ]


@packet_mutator("tcp", is_in_stream=True)
def stream_byte_by_byte(job: Job) -> Made:
    """TCP is a stream of bytes, whose segments mean nothing (RFC 9293 §2.2)."""
    text = job.payload
    singles = [_say(job, at, text[at : at + 1]) for at in range(min(len(text), _PIECES_MAX))]
    rest = [_say(job, _PIECES_MAX, text[_PIECES_MAX:])] if len(text) > _PIECES_MAX else []
    return f"{len(singles)} segments of one byte", [*singles, *rest]


@packet_mutator("tcp", is_in_stream=True)
def stream_hole(job: Job) -> Made:
    """What is said after a hole waits until it is filled (RFC 9293 §3.4): a client that never does may not
    hold more than its own connection (CVE-2018-5390)."""
    size = min(len(job.payload) // 2 + 1, len(job.payload))
    after = [_say(job, size + 2 * at, b"x") for at in range(job.dice.choice((1, 20, 40)))]
    return f"{len(after)} segments after a hole", [*after, _say(job, 0, job.payload[: size - 1])]


@packet_mutator("tcp", is_in_stream=True)
def stream_bad_checksum(job: Job) -> Made:
    """A segment with a wrong checksum is dropped, and the right one that follows is taken (RFC 9293 §3.1)."""
    wrong = _say(job, 0, bytes(byte ^ 0x01 for byte in job.payload))
    wrong[TCP].chksum = value = singular(16, job.dice)
    return f"other bytes with checksum {value:#06x} first", [wrong, _say(job, 0, job.payload)]


@packet_mutator("tcp", is_in_stream=True)
def stream_urgent(job: Job) -> Made:
    """Urgent data stays in the stream or is taken out of it (RFC 6093): the service reads either."""
    packet = _say(job, 0, job.payload, "UPA")
    packet[TCP].urgptr = value = job.dice.choice((0, 1, len(job.payload) // 2, len(job.payload), 0xFFFF))
    return f"urgent up to {value}", [packet]


@packet_mutator("tcp", is_in_stream=True)
def stream_reset(job: Job) -> Made:
    """A reset at the expected number ends the connection at once, and one beside it does not (RFC 5961 §3):
    either way the service loses one client, and no more."""
    said = job.dice.randint(0, len(job.payload))
    offset = job.dice.choice((0, 1, -1, 1000, _WINDOW + 1))
    reset = job.ip / job.segment(said + offset, "R")
    return f"a reset {offset:+d} from its place after {said} bytes", [_say(job, 0, job.payload[:said]), reset]


@packet_mutator("tcp", is_in_stream=True)
def stream_early_end(job: Job) -> Made:
    """A client may end its side at any time (RFC 9293 §3.6): half a request is then all there is."""
    said = job.dice.randint(0, len(job.payload))
    end = job.ip / job.segment(said, "FA")
    late = _say(job, said + 1, job.payload[said:] or b"x")
    packets = [_say(job, 0, job.payload[:said]), end] if said else [end]
    if job.dice.random() < 0.5:
        return f"the end after {said} bytes, and more behind it", [*packets, late]
    return f"the end after {said} bytes", packets


@packet_mutator("tcp", is_in_stream=True)
def stream_no_window(job: Job) -> Made:
    """A client may take nothing for as long as it likes (RFC 9293 §3.8.6.1): the service may wait with one
    answer, and not with all (CVE-2008-4609)."""
    window = job.dice.choice((0, 1))
    packet = _say(job, 0, job.payload)
    packet[TCP].window = window
    return f"a window of {window}", [packet]


@packet_mutator("tcp", is_in_stream=True)
def stream_field(job: Job) -> Made:
    """Within a connection, too, each field has ends where arithmetic turns (RFC 9293 §3.1)."""
    name = job.dice.choice(list(BITS))
    value = singular(BITS[name], job.dice)
    packet = _say(job, 0, job.payload)
    setattr(packet[TCP], name, value)
    return f"TCP {name} = {value} in a connection", [packet]


@packet_mutator("tcp", is_in_stream=True)
def stream_flags(job: Job) -> Made:
    """A SYN within a connection is answered and ignored (RFC 5961 §4), as is what has no meaning."""
    flags = job.dice.choice(("", "S", "SA", "SF", "FPU", "SAFRPUEC", "P", "U", "EC"))
    packet = _say(job, 0, job.payload, flags)
    return f"TCP flags {flags or 'none'} in a connection", [packet, _say(job, 0, job.payload)]


@packet_mutator("tcp", is_in_stream=True)
def stream_options(job: Job) -> Made:
    """Options within a connection are checked against what was agreed (RFC 9293 §3.1, RFC 2018 §8)."""
    wild = job.stream.ack + job.dice.choice((-1000, 1000, 1 << 31))
    ways: dict[str, list[tuple[str | int, object]]] = {
        "acknowledgements of what was never said": [
            ("SAck", (wild & 0xFFFF_FFFF, (wild + 10) & 0xFFFF_FFFF))
        ],
        "acknowledgements that end before they begin": [("SAck", (job.stream.ack + 9, job.stream.ack))],
        "a timestamp of long ago": [("Timestamp", (0, 0))],
        "a window scale": [("WScale", 14)],
        "a signature": [(19, job.dice.randbytes(16))],
        "an unknown option": [(job.dice.randrange(100, 250), job.dice.randbytes(8))],
    }
    what = job.dice.choice(list(ways))
    packet = _say(job, 0, job.payload)
    packet[TCP].options = ways[what]
    return f"{what} in a connection", [packet]


@packet_mutator("tcp", is_in_stream=True)
def stream_fuzz(job: Job) -> Made:
    """Whatever else a segment in its place says, the service reads its bytes, or loses this client
    (RFC 9293 §3.10.7.4)."""
    here = job.segment(0)
    tcp = fuzz(TCP(sport=here.sport, dport=here.dport, seq=here.seq, ack=here.ack, dataofs=5, options=[]))
    return "every other field of a segment in a connection at random", [job.ip / tcp / Raw(job.payload)]


def _say(job: Job, offset: int, text: bytes, flags: str = "PA") -> Packet:
    return job.ip / job.segment(offset, flags) / Raw(text)


def _pieces(job: Job) -> list[tuple[int, bytes]]:
    size = max(len(job.payload) // job.dice.randint(2, 10), 1, len(job.payload) // _PIECES_MAX + 1)
    return [(at, job.payload[at : at + size]) for at in range(0, len(job.payload), size)]
