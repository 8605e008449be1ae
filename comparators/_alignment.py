"""Which elements of two unequal arrays belong together, so that one insertion is one difference.

DeepDiff finds the edits, but is handed only what is left once equal ends are cut off and elements are
numbered by content: on whole documents it costs a hundred times the parsing.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from operator import ne
from typing import Any

import msgspec

_MAX_WINDOW = 200
"""Longest unequal middle that is handed to DeepDiff, whose cost grows with its square."""
_IDENTITY_NAMES = ("id", "uuid", "_id", "key", "name", "code", "slug", "email", "address", "path", "title")
_MAX_IDENTITY_NAMES = 24
_MAY_DIFFER = re.compile(r"(?i:_id|_at|date|time|token|hash|etag|url|href|link|uuid)$|Id$|At$|^id$")


class Pairs(msgspec.Struct, frozen=True):
    """Positions that belong together but may differ, and those without a partner."""

    both: tuple[tuple[int, int], ...] = ()
    missing: tuple[int, ...] = ()
    """Positions in the left array."""
    added: tuple[int, ...] = ()
    """Positions in the right array."""
    is_reordered: bool = False
    named_by: str = ""
    """The member by which objects were matched."""


def aligned(left: list[Any], right: list[Any], canonical: Callable[[Any], bytes]) -> Pairs:
    """How two arrays match; elements of equal `canonical` text are the same."""
    if len(left) == len(right) and sum(map(ne, left, right)) <= 1:  # nothing can have moved
        return Pairs(both=tuple((at, at) for at in range(len(left))))
    ours, theirs = [canonical(item) for item in left], [canonical(item) for item in right]
    if len(left) == len(right) and ours != theirs and sorted(ours) == sorted(theirs):
        return _permuted(left, ours, theirs)
    return _by_identity(left, right) or _by_content(ours, theirs)


def order(items: list[Any], positions: Iterable[int], named_by: str) -> list[Any]:
    """The elements at `positions`, objects with nothing but the member that names them."""
    return [_label(items[at], named_by) for at in positions]


def _label(item: Any, named_by: str) -> Any:
    if isinstance(item, dict):
        return {named_by: item[named_by]} if named_by in item else item
    return item


def _permuted(left: list[Any], ours: list[bytes], theirs: list[bytes]) -> Pairs:
    """Equal elements in another order; equal ones among each other are matched in turn."""
    places: dict[bytes, list[int]] = {}
    for at in range(len(theirs) - 1, -1, -1):
        places.setdefault(theirs[at], []).append(at)
    both = tuple((at, places[text].pop()) for at, text in enumerate(ours))
    named_by = ""
    if _are_objects(left):
        named_by = next((name for name in _candidates(left[0]) if _positions(left, name) is not None), "")
    return Pairs(both=both, is_reordered=True, named_by=named_by)


def _by_identity(left: list[Any], right: list[Any]) -> Pairs | None:
    """Objects matched by the member that names them best; None where no member does."""
    if not (_are_objects(left) and _are_objects(right)):
        return None
    best: Pairs | None = None
    for name in _candidates(left[0]):
        found = _matched(left, right, name)
        if found is not None and (best is None or len(found.both) > len(best.both)):
            best = found
        if best is not None and len(best.both) == min(len(left), len(right)):
            break
    return best


def _are_objects(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) for item in items)


def _candidates(item: dict[str, Any]) -> list[str]:
    named = [name for name in _IDENTITY_NAMES if name in item]
    others = [name for name, value in item.items() if isinstance(value, str) and name not in named]
    return (named + others)[:_MAX_IDENTITY_NAMES]


def _matched(left: list[Any], right: list[Any], name: str) -> Pairs | None:
    ours, theirs = _positions(left, name), _positions(right, name)
    if ours is None or theirs is None:
        return None
    both = tuple((at, theirs[value]) for value, at in ours.items() if value in theirs)
    if 2 * len(both) < min(len(left), len(right)) or not both:
        return None
    missing = [at for value, at in ours.items() if value not in theirs]
    added = [at for value, at in theirs.items() if value not in ours]
    partners = [partner for _, partner in both]
    renamed = _renamed(left, right, missing, added, name)
    return Pairs(
        both=both + renamed,
        missing=tuple(sorted(set(missing) - {at for at, _ in renamed})),
        added=tuple(sorted(set(added) - {at for _, at in renamed})),
        is_reordered=partners != sorted(partners),
        named_by=name,
    )


def _renamed(
    left: list[Any], right: list[Any], missing: list[int], added: list[int], name: str
) -> tuple[tuple[int, int], ...]:
    """Objects that only their name tells apart, in their order: a service gave them names of its own."""
    others: dict[frozenset[str], list[int]] = {}
    for at in reversed(added):
        others.setdefault(_rest(right[at], name), []).append(at)
    found = []
    for at in missing:
        rest = _rest(left[at], name)
        if rest and others.get(rest):
            found.append((at, others[rest].pop()))
    return tuple(found)


def _rest(item: dict[str, Any], name: str) -> frozenset[str]:
    """Members and values by which an object is known besides its name: nothing that may be id or time."""
    return frozenset(
        f"{key}={value!r}"
        for key, value in item.items()
        if key != name and isinstance(value, str | int | float | bool) and not _MAY_DIFFER.search(key)
    )


def _positions(items: list[Any], name: str) -> dict[str | int, int] | None:
    """Position by the value of member `name`; None where not all have one of their own."""
    found: dict[str | int, int] = {}
    for at, item in enumerate(items):
        value = item.get(name)
        if not isinstance(value, str | int) or isinstance(value, bool) or value in found:
            return None
        found[value] = at
    return found


def _by_content(ours: list[bytes], theirs: list[bytes]) -> Pairs:
    """Equal elements matched in order; what stands between them, position by position."""
    head, tail = common_ends(ours, theirs)
    mine, other = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    if mine and other and set(mine) & set(other) and max(len(mine), len(other)) <= _MAX_WINDOW:
        return _edits(mine, other, head)
    shorter = min(len(mine), len(other))
    return Pairs(
        both=tuple((head + at, head + at) for at in range(shorter)),
        missing=tuple(range(head + shorter, head + len(mine))),
        added=tuple(range(head + shorter, head + len(other))),
    )


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


def _edits(mine: Sequence[bytes], other: Sequence[bytes], offset: int) -> Pairs:
    """The fewest edits that turn `mine` into `other`, by DeepDiff over one small integer per element."""
    from deepdiff import DeepDiff  # noqa: PLC0415 - takes 0.8 s to import, and equal answers never need it

    numbers = {text: number for number, text in enumerate(dict.fromkeys([*mine, *other]))}
    tree = DeepDiff([numbers[text] for text in mine], [numbers[text] for text in other], view="tree")
    return Pairs(
        both=tuple(
            sorted((_left(node, offset), _right(node, offset)) for node in tree.get("values_changed", ()))
        ),
        missing=tuple(sorted(_left(node, offset) for node in tree.get("iterable_item_removed", ()))),
        added=tuple(sorted(_right(node, offset) for node in tree.get("iterable_item_added", ()))),
    )


def _left(node: Any, offset: int) -> int:
    return offset + int(node.path(output_format="list")[-1])


def _right(node: Any, offset: int) -> int:
    return offset + int(node.path(output_format="list", use_t2=True)[-1])
