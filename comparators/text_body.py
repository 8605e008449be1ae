"""Plain text, HTML and whatever else reads as lines."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from comparators._body import Content, unequal
from comparators._bounded import bounded, bounded_pair, first_difference
from comparators._contract import comparator
from shadow.model import Change, Difference, Response

_MAX_WINDOW = 400
"""Longest unequal middle, in lines, for which the fewest edits are sought: the cost is quadratic."""
_WORD = re.compile(r"[A-Za-z_][A-Za-z_-]*")
_MAX_NAME_CHARS = 40


@comparator
def text_body(control: Response, other: Response) -> Iterator[Difference]:
    """Text is compared line by line; line ends and space at the end of a line show nowhere."""
    if bodies := unequal(control, other, Content.TEXT):
        yield from compared(*bodies)


def compared(left: bytes, right: bytes) -> Iterator[Difference]:
    """Differences at ``body:line[n]``, with the words that lead to the changed spot as a name."""
    ours, theirs = _lines(left), _lines(right)
    head, tail = _common_ends(ours, theirs)
    mine, other = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    for tag, start, end, from_, to in _edits(mine, other):
        if tag == "equal":
            continue
        shorter = min(end - start, to - from_)
        for at in range(shorter):
            yield _changed(head + start + at, mine[start + at], other[from_ + at])
        for at in range(start + shorter, end):
            yield Difference(f"body:line[{head + at}]", Change.MISSING, bounded(mine[at]), None)
        for at in range(from_ + shorter, to):
            yield Difference(f"body:line[{head + at}]", Change.ADDED, None, bounded(other[at]))


def _lines(body: bytes) -> list[str]:
    return [line.rstrip() for line in body.decode("utf-8", "backslashreplace").rstrip().split("\n")]


def _common_ends(ours: Sequence[str], theirs: Sequence[str]) -> tuple[int, int]:
    shorter = min(len(ours), len(theirs))
    head = 0
    while head < shorter and ours[head] == theirs[head]:
        head += 1
    tail = 0
    while tail < shorter - head and ours[-1 - tail] == theirs[-1 - tail]:
        tail += 1
    return head, tail


def _edits(mine: list[str], other: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if max(len(mine), len(other)) > _MAX_WINDOW:
        return [("replace", 0, len(mine), 0, len(other))]
    return SequenceMatcher(None, mine, other, autojunk=False).get_opcodes()


def _changed(at: int, left: str, right: str) -> Difference:
    words = _WORD.findall(left[: first_difference(left, right)])
    name = "-".join(words[-2:])[-_MAX_NAME_CHARS:].lower()
    where = f"body:line[{at}].{name}" if name else f"body:line[{at}]"
    return Difference(where, Change.VALUE, *bounded_pair(left, right))
