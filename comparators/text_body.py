"""Plain text and whatever else reads as lines."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from comparators._alignment import common_ends
from comparators._body import Content, decoded, unequal
from comparators._bounded import bounded, bounded_pair
from comparators._contract import comparator
from comparators._line import Effort, label, runs
from shadow.model import Change, Difference, Response

_MAX_WINDOW = 400
"""Longest unequal middle, in lines, for which the fewest edits are sought: the cost is quadratic."""


@comparator
def text_body(control: Response, other: Response) -> Iterator[Difference]:
    """Text is compared line by line; the charset, line ends and space at the end of a line show nowhere."""
    if bodies := unequal(control, other, Content.TEXT):
        left, right = decoded(control, bodies[0]), decoded(other, bodies[1])
        yield from compared(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))


def compared(left: bytes, right: bytes) -> Iterator[Difference]:
    """Differences at ``body:line[n].words``.

    The words are those that lead to the changed spot, or that begin a line that came or went, so that places
    of one kind have one name wherever they stand.
    """
    ours, theirs = _lines(left), _lines(right)
    head, tail = common_ends(ours, theirs)
    mine, other = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    effort = Effort()
    for tag, start, end, from_, to in _edits(mine, other):
        if tag == "equal":
            continue
        shorter = min(end - start, to - from_)
        for at in range(shorter):
            yield from _changed(head + start + at, mine[start + at], other[from_ + at], effort)
        for at in range(start + shorter, end):
            yield Difference(_place(head + at, label(mine[at])), Change.MISSING, bounded(mine[at]), None)
        for at in range(from_ + shorter, to):
            yield Difference(_place(head + at, label(other[at])), Change.ADDED, None, bounded(other[at]))


def _lines(body: bytes) -> list[str]:
    text = body.decode("utf-8", "backslashreplace").rstrip()
    return [line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]


def _edits(mine: list[str], other: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if max(len(mine), len(other)) > _MAX_WINDOW:
        return [("replace", 0, len(mine), 0, len(other))]
    return SequenceMatcher(None, mine, other, autojunk=False).get_opcodes()


def _changed(at: int, left: str, right: str, effort: Effort) -> Iterator[Difference]:
    """One difference for each stretch that changed; one for the line where hardly anything is left of it."""
    found = runs(left, right, effort)
    if found is None:
        yield Difference(_place(at, label(left)), Change.VALUE, *bounded_pair(left, right))
        return
    for run in found:
        yield Difference(_place(at, run.name), Change.VALUE, *bounded_pair(run.left, run.right))


def _place(at: int, name: str) -> str:
    return f"body:line[{at}].{name}" if name else f"body:line[{at}]"
