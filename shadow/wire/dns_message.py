"""DNS messages (RFC 1035 §4), as far as a query and its answer must be told apart and matched.

Nothing here raises. What is not DNS is said to be so, in one of a few ways.
"""

import struct
from typing import NamedTuple

_HEADER = struct.Struct("!HHHHHH")
HEADER_BYTES = 12
_MAX_NAME_BYTES = 255
_MAX_JUMPS = 127
"""A name of 255 bytes has no more labels; pointers may stand between any two of them."""
_MAX_QUESTIONS = 256
"""Only multicast DNS asks more than one (RFC 9619); many more are an attack on whoever reads them."""
_POINTER = 0xC0
_ESCAPED = b'.\\"();@$'
"""RFC 1035 §5.1."""

_TOO_SHORT = "no DNS message: shorter than its header"
_NO_QUESTION = "no DNS message: its question cannot be read"


class Question(NamedTuple):
    """What is asked."""

    name: str
    kind: int
    """The type, such as 1 for A."""
    group: int
    """The class, such as 1 for IN; in multicast DNS without the bit that asks for a unicast answer."""


class Sections(NamedTuple):
    """How many records there are."""

    answers: int
    authorities: int
    additions: int


class DnsMessage(NamedTuple):
    """One message, whose records are still to be read."""

    id: int
    flags: int
    questions: tuple[Question, ...]
    sections: Sections
    records_at: int
    """Where the first record begins."""

    @property
    def is_answer(self) -> bool:
        return bool(self.flags & 0x8000)

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 15


def parse(text: bytes) -> DnsMessage | str:
    """The message `text`, or why it is none."""
    if len(text) < HEADER_BYTES:
        return _TOO_SHORT
    ident, flags, count, *sections = _HEADER.unpack_from(text)
    if count > _MAX_QUESTIONS:
        return _NO_QUESTION
    questions: list[Question] = []
    at = HEADER_BYTES
    for _ in range(count):
        found = read_name(text, at)
        if found is None or found[1] + 4 > len(text):
            return _NO_QUESTION
        name, at = found
        kind, group = struct.unpack_from("!HH", text, at)
        questions.append(Question(name, kind, group & 0x7FFF))
        at += 4
    return DnsMessage(ident, flags, tuple(questions), Sections(*sections), at)


def read_name(text: bytes, at: int) -> tuple[str, int] | None:
    """The name at `at` and the position after it; None where there is none. The root is ``"."``."""
    labels: list[bytes] = []
    size = jumps = 0
    end = -1
    while at < len(text):
        length = text[at]
        if not length:
            name = ".".join(map(_label, labels)) or "."
            return name, at + 1 if end < 0 else end
        if length >= _POINTER:
            jumps += 1
            if at + 2 > len(text) or jumps > _MAX_JUMPS:
                return None
            end = at + 2 if end < 0 else end
            at = int.from_bytes(text[at : at + 2]) & 0x3FFF
            continue
        size += length + 1
        if length > 63 or size >= _MAX_NAME_BYTES or at + 1 + length > len(text):
            return None
        labels.append(text[at + 1 : at + 1 + length])
        at += 1 + length
    return None


def _label(label: bytes) -> str:
    if label.isalnum():
        return label.decode("ascii")
    return "".join(_character(each) for each in label)


def _character(each: int) -> str:
    if each in _ESCAPED:
        return "\\" + chr(each)
    return chr(each) if 0x21 <= each <= 0x7E else f"\\{each:03d}"
