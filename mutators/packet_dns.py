"""The mutators of DNS conversations, as mutators of packets: each of their messages in one of UDP."""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

from functools import wraps
from typing import NamedTuple

from scapy.packet import Raw

from mutators import TALK_CATALOG
from mutators._contract import TalkMutator
from mutators._dns import IN, Query, query_of, talk_of
from mutators._packet import Job, Made, PacketMutator, packet_mutator
from shadow.model import Known

_OURS = Query(1, 0x0100, b"\x07example\x04test\x00", 1, IN, b"", 0, ())
"""Asked where the seed is no query; it wants recursion."""


class Base(NamedTuple):
    """What a malformed message is made of."""

    id: int
    name: bytes
    """As on the wire, with its root label."""
    kind: int
    text: bytes
    """The whole query."""


def base_of(payload: bytes) -> Base:
    """The query in `payload`; one of our own where there is none."""
    query = query_of(payload) or _OURS
    return Base(query.id, query.name, query.kind, query.text)


def _of_packets(one: TalkMutator) -> PacketMutator:
    @wraps(one.edit)
    def make(job: Job) -> Made:
        talk = talk_of(base_of(job.seed.payload).text)
        edit = one(talk, job.dice, Known())
        what, messages = ("as it was", talk.messages) if edit is None else (edit.what, edit.messages)
        texts = [each.body for each in messages if each.is_from_client]
        return what, [job.ip / job.datagram / Raw(text) for text in texts]

    return packet_mutator("dns")(make)


DNS_PACKETS: tuple[PacketMutator, ...] = tuple(
    _of_packets(each) for each in TALK_CATALOG if each.of == ("dns",)
)
"""Under the names of the conversations' mutators."""
