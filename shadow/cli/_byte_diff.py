"""Where two messages differ, short enough for a terminal, with hostile bytes escaped."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest

import msgspec

from shadow.judge import new_text

_CONTEXT_BYTES = 16
_MAX_CHANGED_BYTES = 48
_MAX_CHANGES = 4
_MAX_LINES = 300
"""Of a head that are compared; the rest are as in the other, or far too many to be read."""

_SHORT = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r", 0x5C: "\\\\"}
_ESCAPES = tuple(
    _SHORT.get(value, chr(value) if 0x20 <= value < 0x7F else f"\\x{value:02x}") for value in range(256)
)


class Piece(msgspec.Struct, frozen=True):
    """A part of a message: the edit, and a little of what stands around it. All is printable."""

    before: str
    edit: str
    after: str


class Change(msgspec.Struct, frozen=True):
    """The same place in both messages; None where one has nothing there."""

    left: Piece | None
    right: Piece | None


def changes(left: bytes, right: bytes) -> tuple[list[Change], int]:
    """The first few places in which two messages differ, and how many more there are.

    Lines of the head are told one by one, save for a length that only follows the body; of the body the part
    between what both begin and what both end with.
    """
    ours, _, our_body = left.partition(b"\r\n\r\n")
    theirs, _, their_body = right.partition(b"\r\n\r\n")
    found = [] if our_body == their_body else [_change(our_body, their_body)]
    pairs = _pairs_of_lines(ours.split(b"\r\n"), theirs.split(b"\r\n"))
    heads = [
        _change(one, other) for one, other in pairs if not (found and _is_length(one) and _is_length(other))
    ]
    every = [*heads, *found]
    return every[:_MAX_CHANGES], max(0, len(every) - _MAX_CHANGES)


def escaped(data: bytes) -> str:
    """`data` as printable ASCII: other bytes and the backslash as in a Python literal."""
    return "".join([_ESCAPES[value] for value in data])


def _is_length(line: bytes | None) -> bool:
    return line is not None and line[:15].lower() == b"content-length:"


def _pairs_of_lines(ours: list[bytes], theirs: list[bytes]) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Lines that differ, side by side."""
    ours, theirs = ours[:_MAX_LINES], theirs[:_MAX_LINES]
    for tag, i, j, k, m in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from zip_longest(ours[i:j], theirs[k:m])


def _change(left: bytes | None, right: bytes | None) -> Change:
    if left is None or right is None:
        return Change(
            None if left is None else Piece("", _cut(left), ""),
            None if right is None else Piece("", _cut(right), ""),
        )
    start, end = new_text(left, right)
    from_end = len(right) - end
    return Change(_piece(left, start, from_end), _piece(right, start, from_end))


def _piece(text: bytes, start: int, from_end: int) -> Piece:
    end = len(text) - from_end
    before = text[max(0, start - _CONTEXT_BYTES) : start]
    after = text[end : end + _CONTEXT_BYTES]
    return Piece(
        ("..." if start > _CONTEXT_BYTES else "") + escaped(before),
        _cut(text[start:end]),
        escaped(after) + ("..." if from_end > _CONTEXT_BYTES else ""),
    )


def _cut(text: bytes) -> str:
    """`text`, with its middle left out where it is long."""
    if len(text) <= _MAX_CHANGED_BYTES:
        return escaped(text)
    half = _MAX_CHANGED_BYTES // 2
    return f"{escaped(text[:half])}...{len(text) - 2 * half} bytes...{escaped(text[-half:])}"
