"""A DNS query as its parts on the wire (RFC 1035 §4), and queries put together of other parts."""

import struct
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from shadow.model import Exchange, Message, Request, TalkEdit
from shadow.wire.dns_message import HEADER_BYTES, parse, read_name

OPT, TSIG = 41, 250
IN = 1
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_POINTER = 0xC0


class Record(NamedTuple):
    """One record: it is ``rest[start:end]`` of its query, its data begin at `data`."""

    kind: int
    start: int
    data: int
    end: int


class Query(NamedTuple):
    """One plain question, as sent."""

    id: int
    flags: int
    name: bytes
    """As on the wire, uncompressed, with the root's label."""
    kind: int
    group: int
    rest: bytes
    """All after the question: additional records."""
    additions: int
    records: tuple[Record, ...]

    @property
    def opt(self) -> Record | None:
        return next((each for each in self.records if each.kind == OPT), None)

    @property
    def is_signed(self) -> bool:
        """Whether a signature covers all of it (RFC 8945): no other spelling is the same then."""
        return any(each.kind == TSIG for each in self.records)

    @property
    def question(self) -> bytes:
        return asking(self.name, self.kind, self.group)

    @property
    def text(self) -> bytes:
        return written(self)


def query_of(text: bytes) -> Query | None:
    """The query that `text` is; None where it asks anything but one question, or holds more than that."""
    message = parse(text)
    if isinstance(message, str) or message.is_answer or len(message.questions) != 1:
        return None
    if message.sections.answers or message.sections.authorities:
        return None
    at = HEADER_BYTES
    while text[at]:
        if text[at] >= _POINTER:
            return None
        at += text[at] + 1
    name = text[HEADER_BYTES : at + 1]
    kind, group = struct.unpack_from("!HH", text, at + 1)
    rest = text[at + 5 :]
    records = _records(text, at + 5, message.sections.additions)
    if records is None:
        return None
    return Query(message.id, message.flags, name, kind, group, rest, message.sections.additions, records)


def asked(talk: Exchange) -> Query | None:
    """What the client of a conversation asks first; None where it is no plain query."""
    first = next((each for each in talk.messages if each.is_from_client), None)
    return None if first is None else query_of(first.body)


def asking(name: bytes, kind: int, group: int = IN) -> bytes:
    """A question."""
    return name + struct.pack("!HH", kind, group)


def written(
    query: Query,
    *,
    flags: int | None = None,
    questions: bytes | None = None,
    counts: tuple[int, int, int, int] | None = None,
    rest: bytes | None = None,
) -> bytes:
    """The query's text, but for what is given; counts are those of questions, answers, authorities and
    additions."""
    stated = (1, 0, 0, query.additions) if counts is None else counts
    head = _HEADER.pack(query.id, query.flags if flags is None else flags, *stated)
    asks = query.question if questions is None else questions
    return head + asks + (query.rest if rest is None else rest)


def record(
    kind: int, group: int, ttl: int, data: bytes, *, name: bytes = b"\0", length: int | None = None
) -> bytes:
    """A record; `length` is what is stated in place of the data's own."""
    return name + _RECORD.pack(kind, group, ttl, len(data) if length is None else length) + data


def option(code: int, data: bytes) -> bytes:
    """One option of an OPT record (RFC 6891 §6.1.2)."""
    return struct.pack("!HH", code, len(data)) + data


def sent(talk: Exchange, text: bytes, what: str) -> TalkEdit | None:
    """The conversation with `text` in place of its query; None where that is the same."""
    at = next(at for at, each in enumerate(talk.messages) if each.is_from_client)
    query = talk.messages[at]
    if text == query.body:
        return None
    rest = tuple(each for each in talk.messages[at + 1 :] if not each.is_from_client)
    return TalkEdit((replace(query, body=text), *rest), what)


def drawn(talk: Exchange, rng: Random, ways: tuple[tuple[str, bytes], ...]) -> TalkEdit | None:
    """One of several queries, each with what is odd about it."""
    what, text = rng.choice(ways)
    return sent(talk, text, what)


def talk_of(query: bytes) -> Exchange:
    """A conversation that consists of nothing but this query."""
    asks = (Message(True, query, 0.0),)
    return Exchange(0, "", "", 0.0, Request(b"", b""), protocol="dns", messages=asks)


def _records(text: bytes, start: int, count: int) -> tuple[Record, ...] | None:
    found: list[Record] = []
    at = start
    for _ in range(min(count, 64)):
        name = read_name(text, at)
        if name is None or name[1] + _RECORD.size > len(text):
            return None
        kind, _, _, size = _RECORD.unpack_from(text, name[1])
        data = name[1] + _RECORD.size
        if data + size > len(text):
            return None
        found.append(Record(kind, at - start, data - start, data + size - start))
        at = data + size
    return tuple(found)
