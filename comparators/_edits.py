"""The fewest edits between two sequences, as near as time allows.

DeepDiff finds them, but is handed only what is left once equal ends are cut off and elements are numbered by
content: on whole documents it costs a hundred times the parsing. Longer sequences are cut at elements that
both hold once.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import msgspec

_MAX_WINDOW = 200
"""Longest unequal middle that is handed to DeepDiff, whose cost grows with its square."""


class Pairs(msgspec.Struct, frozen=True):
    """Positions that belong together but may differ, and those without a partner."""

    both: tuple[tuple[int, int], ...] = ()
    missing: tuple[int, ...] = ()
    """Positions in the left array."""
    added: tuple[int, ...] = ()
    """Positions in the right array."""
    is_reordered: bool = False
    named_by: tuple[str, ...] = ()
    """The members by which objects were matched."""


def common_ends[Item](ours: Sequence[Item], theirs: Sequence[Item]) -> tuple[int, int]:
    """How many first and, of the rest, how many last items are equal."""
    shorter = min(len(ours), len(theirs))
    head = 0
    while head < shorter and ours[head] == theirs[head]:
        head += 1
    tail = 0
    while tail < shorter - head and ours[-1 - tail] == theirs[-1 - tail]:
        tail += 1
    return head, tail


def fewest_edits(ours: Sequence[Hashable], theirs: Sequence[Hashable]) -> Pairs:
    """Equal elements matched in order; what stands between them, position by position."""
    head, tail = common_ends(ours, theirs)
    mine, other = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    both = [(at, at) for at in range(head)]
    missing: list[int] = []
    added: list[int] = []
    for found in _middle(mine, other):
        both.extend((head + at, head + to) for at, to in found.both)
        missing.extend(head + at for at in found.missing)
        added.extend(head + at for at in found.added)
    both.extend((len(ours) - at, len(theirs) - at) for at in range(tail, 0, -1))
    return Pairs(tuple(both), tuple(missing), tuple(added))


def _middle(mine: Sequence[Hashable], other: Sequence[Hashable]) -> Iterator[Pairs]:
    if not (mine and other and set(mine) & set(other)):
        yield _side_by_side(0, len(mine), 0, len(other))
    elif max(len(mine), len(other)) <= _MAX_WINDOW:
        yield _by_deepdiff(mine, other)
    else:
        anchors = _anchors(mine, other)
        yield Pairs(tuple(anchors))
        start = from_ = 0
        for end, to in (*anchors, (len(mine), len(other))):
            if start < end or from_ < to:
                yield from _between(mine, other, (start, end), (from_, to))
            start, from_ = end + 1, to + 1


def _between(
    mine: Sequence[Hashable], other: Sequence[Hashable], ours: tuple[int, int], theirs: tuple[int, int]
) -> Iterator[Pairs]:
    """What stands between two anchors: equal ends, and the rest side by side."""
    (start, end), (from_, to) = ours, theirs
    head, tail = common_ends(mine[start:end], other[from_:to])
    yield Pairs(tuple((start + at, from_ + at) for at in range(head)))
    yield _side_by_side(start + head, end - tail, from_ + head, to - tail)
    yield Pairs(tuple((end - at, to - at) for at in range(tail, 0, -1)))


def _side_by_side(start: int, end: int, from_: int, to: int) -> Pairs:
    shorter = min(end - start, to - from_)
    return Pairs(
        both=tuple((start + at, from_ + at) for at in range(shorter)),
        missing=tuple(range(start + shorter, end)),
        added=tuple(range(from_ + shorter, to)),
    )


def _anchors(mine: Sequence[Hashable], other: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Elements that both hold once, as many as stand in one order: the longest increasing subsequence."""
    counts = Counter(other)
    places = {text: at for at, text in enumerate(other) if counts[text] == 1}
    ours = Counter(mine)
    points = [(at, places[text]) for at, text in enumerate(mine) if text in places and ours[text] == 1]
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for number, (_, to) in enumerate(points):
        length = bisect_left(ends, to)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(to)
            last.append(number)
        else:
            ends[length], last[length] = to, number
    found = []
    at = last[-1] if last else -1
    while at >= 0:
        found.append(points[at])
        at = before[at]
    return found[::-1]


def _by_deepdiff(mine: Sequence[Hashable], other: Sequence[Hashable]) -> Pairs:
    """The fewest edits that turn `mine` into `other`, by DeepDiff over one small integer per element."""
    from deepdiff import DeepDiff  # noqa: PLC0415 - takes 0.8 s to import, and equal answers never need it

    numbers = {text: number for number, text in enumerate(dict.fromkeys([*mine, *other]))}
    tree = DeepDiff([numbers[text] for text in mine], [numbers[text] for text in other], view="tree")
    changed = [(_left(node), _right(node)) for node in tree.get("values_changed", ())]
    missing = {_left(node) for node in tree.get("iterable_item_removed", ())}
    added = {_right(node) for node in tree.get("iterable_item_added", ())}
    gone, came = missing | {at for at, _ in changed}, added | {to for _, to in changed}
    kept = zip(
        (at for at in range(len(mine)) if at not in gone),
        (to for to in range(len(other)) if to not in came),
        strict=True,
    )
    return Pairs(tuple(sorted((*changed, *kept))), tuple(sorted(missing)), tuple(sorted(added)))


def _left(node: Any) -> int:
    return int(node.path(output_format="list")[-1])


def _right(node: Any) -> int:
    return int(node.path(output_format="list", use_t2=True)[-1])
