"""Objects of an array matched by the members that name them, found by how well they match."""

import re
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Any

from comparators._edits import Pairs

type Name = tuple[str, ...]
"""Members that together name an object, each as ``"id"`` or, of an object within it, as ``"node.id"``."""
type _Key = str | int | tuple[str | int, ...]

_NAMES = ("id", "uuid", "_id", "key", "name", "code", "slug", "email", "address", "path", "title")
_MAX_NAMES = 24
_MAX_WITHIN = 8
"""Members of an element in which a name is looked for one level down."""
_MAX_TOGETHER = 6
"""Members of which two are tried together."""
_MAX_TRIED_TOGETHER = 4000
"""Elements of an array for which pairs of members are tried: each pair costs a pass."""
_MAY_DIFFER = re.compile(r"(?i:_id|_at|date|time|token|hash|etag|url|href|link|uuid)$|Id$|At$|^id$")


def by_identity(left: list[Any], right: list[Any]) -> Pairs | None:
    """Objects matched by the members that name them best; None where none do."""
    if not (_are_objects(left) and _are_objects(right)):
        return None
    best: Pairs | None = None
    for name in _candidates(left[0]):
        best = _better(best, _matched(left, right, (name,)))
        if best is not None and len(best.both) == min(len(left), len(right)):
            return best
    if best is None and max(len(left), len(right)) <= _MAX_TRIED_TOGETHER:
        for pair in combinations(_together(left[0]), 2):
            best = _better(best, _matched(left, right, pair))
    return best


def named_by(items: list[Any]) -> Name:
    """The member of which no two of `items` have the same value; empty where there is none."""
    if not _are_objects(items):
        return ()
    names = ((name,) for name in _candidates(items[0]))
    return next((name for name in names if _positions(items, name) is not None), ())


def label(item: Any, name: Name) -> Any:
    """`item`, an object with nothing but what names it."""
    if not isinstance(item, dict) or not name:
        return item
    named = {part: _value(item, part) for part in name}
    return item if None in named.values() else named


def _better(best: Pairs | None, found: Pairs | None) -> Pairs | None:
    if found is not None and (best is None or len(found.both) > len(best.both)):
        return found
    return best


def _are_objects(items: Sequence[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) for item in items)


def _candidates(item: dict[str, Any]) -> list[str]:
    named = [name for name in _NAMES if name in item]
    others = [name for name, value in item.items() if isinstance(value, str) and name not in named]
    within = [
        f"{outer}.{name}"
        for outer, inner in list(item.items())[:_MAX_WITHIN]
        if isinstance(inner, dict) and "." not in outer
        for name in _NAMES[:5]
        if name in inner
    ]
    return (named + others)[:_MAX_NAMES] + within[:_MAX_WITHIN]


def _together(item: dict[str, Any]) -> list[str]:
    """Members that may name an object with another one: words and whole numbers, but no times."""
    fit = [
        name
        for name, value in item.items()
        if isinstance(value, str | int) and not isinstance(value, bool) and "." not in name
    ]
    return sorted(fit, key=lambda name: name not in _NAMES)[:_MAX_TOGETHER]


def _value(item: dict[str, Any], name: str) -> Any:
    if name in item:
        return item[name]
    outer, _, inner = name.partition(".")
    holder = item.get(outer)
    return holder.get(inner) if inner and isinstance(holder, dict) else None


def _matched(left: list[Any], right: list[Any], name: Name) -> Pairs | None:
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
        missing=_rest_of(missing, (at for at, _ in renamed)),
        added=_rest_of(added, (to for _, to in renamed)),
        is_reordered=partners != sorted(partners),
        named_by=name,
    )


def _rest_of(positions: list[int], taken: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(positions) - set(taken)))


def _renamed(
    left: list[Any], right: list[Any], missing: list[int], added: list[int], name: Name
) -> tuple[tuple[int, int], ...]:
    """Objects that only their name tells apart, in their order: a service gave them names of its own."""
    if not missing or not added:
        return ()
    others: dict[frozenset[str], list[int]] = {}
    for at in reversed(added):
        others.setdefault(_rest(right[at], name), []).append(at)
    found = []
    for at in missing:
        rest = _rest(left[at], name)
        if rest and others.get(rest):
            found.append((at, others[rest].pop()))
    return tuple(found)


def _rest(item: dict[str, Any], name: Name) -> frozenset[str]:
    """Members and values by which an object is known besides its name: nothing that may be id or time. Where
    the name stands one level down, the members beside it count too."""
    within = {part.partition(".")[0] for part in name if part not in item}
    members = list(item.items())
    for outer in within:
        members += [(f"{outer}.{key}", value) for key, value in item[outer].items()]
    return frozenset(
        f"{key}={value!r}"
        for key, value in members
        if key not in name and isinstance(value, str | int | float | bool) and not _may_differ(key)
    )


def _may_differ(key: str) -> bool:
    return _MAY_DIFFER.search(key.rpartition(".")[2]) is not None


def _positions(items: list[Any], name: Name) -> dict[_Key, int] | None:
    """Position by the value of the members `name`; None where not all have one of their own."""
    if len(name) == 1 and "." not in name[0]:
        return _plain_positions(items, name[0])
    found: dict[_Key, int] = {}
    for at, item in enumerate(items):
        value = tuple(_value(item, part) for part in name)
        if value in found or not all(type(part) in _KEYS for part in value):
            return None
        found[value] = at
    return found


def _plain_positions(items: list[Any], name: str) -> dict[_Key, int] | None:
    found: dict[_Key, int] = {}
    for at, item in enumerate(items):
        value = item.get(name)
        if type(value) not in _KEYS or value in found:
            return None
        found[value] = at
    return found


_KEYS = (str, int)
