"""Which elements of two unequal arrays belong together, so that one insertion is one difference."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from operator import ne
from typing import Any

from comparators._edits import Pairs, common_ends, fewest_edits
from comparators._identity import by_identity, label, named_by

__all__ = ["Pairs", "aligned", "common_ends", "order"]

_PLAIN = (str, int, float)
"""Not the constants, as Python holds True equal to 1."""


def aligned(left: list[Any], right: list[Any], canonical: Callable[[Any], bytes]) -> Pairs:
    """How two arrays match; elements of equal `canonical` text are the same."""
    if len(left) == len(right) and sum(map(ne, left, right)) <= 1:  # nothing can have moved
        return Pairs(both=tuple((at, at) for at in range(len(left))))
    head, tail = common_ends(left, right)
    if len(left) != len(right) and head + tail == min(len(left), len(right)):
        return _in_one_place(len(left), len(right), head)
    if len(left) != len(right) and (found := by_identity(left, right)) is not None:
        return found
    ours, theirs = _keys(left, canonical), _keys(right, canonical)
    if len(left) == len(right):
        if ours != theirs and Counter(ours) == Counter(theirs):
            return _permuted(left, ours, theirs)
        if (found := by_identity(left, right)) is not None:
            return found
    return _by_content(left, right, ours, theirs)


def _keys(items: list[Any], canonical: Callable[[Any], bytes]) -> list[Hashable]:
    """What elements are known by; most scalars stand for themselves."""
    return [item if type(item) in _PLAIN else canonical(item) for item in items]


def order(items: list[Any], positions: Iterable[int], name: tuple[str, ...]) -> list[Any]:
    """The elements at `positions`, objects with nothing but the members that name them."""
    return [label(items[at], name) for at in positions]


def _in_one_place(ours: int, theirs: int, head: int) -> Pairs:
    """All that came, or went, stands together after the first `head` elements."""
    shift = theirs - ours
    both = [(at, at) for at in range(head)]
    if shift > 0:
        both.extend((at, at + shift) for at in range(head, ours))
        return Pairs(both=tuple(both), added=tuple(range(head, head + shift)))
    both.extend((at - shift, at) for at in range(head, theirs))
    return Pairs(both=tuple(both), missing=tuple(range(head, head - shift)))


def _permuted(left: list[Any], ours: list[Hashable], theirs: list[Hashable]) -> Pairs:
    """Equal elements in another order; equal ones among each other are matched in turn."""
    places = _places(theirs, range(len(theirs)))
    both = tuple((at, places[text].pop()) for at, text in enumerate(ours))
    return Pairs(both=both, is_reordered=True, named_by=named_by(left))


def _places(texts: list[Hashable], positions: Iterable[int]) -> dict[Hashable, list[int]]:
    """The positions of each text, the last first."""
    found: dict[Hashable, list[int]] = {}
    for at in reversed(list(positions)):
        found.setdefault(texts[at], []).append(at)
    return found


def _by_content(left: list[Any], right: list[Any], ours: list[Hashable], theirs: list[Hashable]) -> Pairs:
    """Equal elements matched in order; then those that moved; what is left, position by position.

    Of arrays of scalars of one length nothing came or went: there other values stand.
    """
    found = _with_moved(fewest_edits(ours, theirs), ours, theirs)
    if len(left) != len(right) or any(
        isinstance(item, dict | list) for side in (left, right) for item in side
    ):
        return found
    return Pairs(
        both=tuple(sorted((*found.both, *zip(found.missing, found.added, strict=True)))),
        is_reordered=found.is_reordered,
    )


def _with_moved(pairs: Pairs, ours: list[Hashable], theirs: list[Hashable]) -> Pairs:
    """`pairs`, in which elements without an equal partner get one that stands elsewhere, if there is one."""
    changed = [(at, to) for at, to in pairs.both if ours[at] != theirs[to]]
    mine = sorted((*pairs.missing, *(at for at, _ in changed)))
    its = sorted((*pairs.added, *(to for _, to in changed)))
    places = _places(theirs, its)
    moved = [(at, places[ours[at]].pop()) for at in mine if places.get(ours[at])]
    if not moved:
        return pairs
    gone, taken = {at for at, _ in moved}, {to for _, to in moved}
    kept = [(at, to) for at, to in pairs.both if at not in gone and to not in taken]
    partners = gone | {at for at, _ in kept}
    targets = taken | {to for _, to in kept}
    return Pairs(
        both=tuple(sorted((*kept, *moved))),
        missing=tuple(at for at in mine if at not in partners),
        added=tuple(to for to in its if to not in targets),
        is_reordered=True,
    )
