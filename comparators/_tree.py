"""Two parsed JSON values walked side by side; only where they differ is anything yielded."""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from comparators._alignment import Pairs, aligned, order
from comparators._bounded import bounded, bounded_pair
from comparators._inside import inside
from comparators._keys import MAP_MIN_KEYS, member
from comparators._numbers import are_one
from comparators._renaming import renamed_ids
from shadow.model import Change, Difference

_MAX_DEPTH = 200
"""Deeper values are compared as a whole: no service nests its fields so far."""
_TEXT_DEPTH = 40
"""What a text holds counts as so many levels, so that texts within texts are opened a few times at most."""
_MAX_SHOWN = 40
"""Elements of a reordered array that are told."""
_KINDS = {
    dict: "object",
    list: "array",
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
}


def walk(left: Any, right: Any, where: str, *, is_exact: bool = False) -> Iterator[Difference]:
    """The places below `where` in which `left` and `right` differ. 1 and 1.0 are the same number.

    Python holds True equal to 1, so equal-looking parts are skipped only unless `is_exact`.
    """
    yield from _walk(left, right, where, 0, is_exact=is_exact)


def canonical(value: Any) -> bytes:
    """`value` as JSON text with sorted keys: equal texts mean equal values, save that NaN reads as null."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return _canonical_slowly(value)


def texts(left: str, right: str, where: str) -> Iterator[Difference]:
    """The differences of two unequal texts: within what they hold, where that can be read."""
    yield from _texts(left, right, where, 0)


def _canonical_slowly(value: Any) -> bytes:
    """For integers over 64 bits, lone surrogates and extreme nesting, which orjson refuses."""
    try:
        return json.dumps(value, sort_keys=True).encode()
    except RecursionError:
        return b"too deep"


def _walk(left: Any, right: Any, where: str, depth: int, *, is_exact: bool) -> Iterator[Difference]:
    kind = _KINDS[type(left)]
    if kind != _KINDS[type(right)]:
        yield Difference(where, Change.TYPE, bounded(left), bounded(right))
    elif left == right and not (is_exact and canonical(left) != canonical(right)):
        return
    elif depth > _MAX_DEPTH:
        if canonical(left) != canonical(right):
            yield Difference(where, Change.VALUE, bounded(left), bounded(right))
    elif kind == "object":
        yield from _objects(left, right, where, depth, is_exact=is_exact)
    elif kind == "array":
        yield from _arrays(left, right, where, depth, is_exact=is_exact)
    elif left != right:
        yield from _scalars(left, right, where, depth)


def _scalars(left: Any, right: Any, where: str, depth: int) -> Iterator[Difference]:
    if isinstance(left, str):
        yield from _texts(left, right, where, depth)
    elif not are_one(left, right):
        yield Difference(where, Change.VALUE, bounded(left), bounded(right))


def _texts(left: str, right: str, where: str, depth: int) -> Iterator[Difference]:
    held = inside(left, right, where) if depth + _TEXT_DEPTH <= _MAX_DEPTH else None
    if held is None:
        yield Difference(where, Change.VALUE, *bounded_pair(left, right))
    else:
        place = f"{where}<{held.kind}>"
        yield from _walk(held.left, held.right, place, depth + _TEXT_DEPTH, is_exact=True)


def _orders(left: list[Any], right: list[Any], pairs: Pairs) -> tuple[list[Any], list[Any]]:
    """The order of the elements that both arrays hold, from the first that moved on."""
    moved = next((at for at, (ours, theirs) in enumerate(pairs.both) if ours != theirs), 0)
    shown = pairs.both[moved : moved + _MAX_SHOWN]
    partners = sorted(theirs for _, theirs in shown)
    return (
        [bounded(item) for item in order(left, (ours for ours, _ in shown), pairs.named_by)],
        [bounded(item) for item in order(right, partners, pairs.named_by)],
    )


def _objects(
    left: dict[str, Any], right: dict[str, Any], where: str, depth: int, *, is_exact: bool
) -> Iterator[Difference]:
    is_map = max(len(left), len(right)) >= MAP_MIN_KEYS
    renamed = {} if left.keys() == right.keys() else renamed_ids(left, right)
    for key, ours in left.items():
        partner = renamed.get(key, key)
        if partner not in right:
            yield Difference(member(where, key, is_map=is_map), Change.MISSING, bounded(ours), None)
            continue
        theirs = right[partner]
        if ours is not theirs and (is_exact or ours != theirs or type(ours) is not type(theirs)):
            place = member(where, key, is_map=is_map)
            yield from _walk(ours, theirs, place, depth + 1, is_exact=is_exact)
    partners = set(renamed.values())
    for key, theirs in right.items():
        if key not in left and key not in partners:
            yield Difference(member(where, key, is_map=is_map), Change.ADDED, None, bounded(theirs))


def _arrays(
    left: list[Any], right: list[Any], where: str, depth: int, *, is_exact: bool
) -> Iterator[Difference]:
    if len(left) != len(right):
        yield Difference(where, Change.LENGTH, len(left), len(right))
    pairs = aligned(left, right, canonical)
    if pairs.is_reordered:
        yield Difference(where, Change.ORDER, *_orders(left, right, pairs))
    for ours, theirs in pairs.both:
        one, other = left[ours], right[theirs]
        if is_exact or one != other:
            yield from _walk(one, other, f"{where}[{ours}]", depth + 1, is_exact=is_exact)
    for at in pairs.missing:
        yield Difference(f"{where}[{at}]", Change.MISSING, bounded(left[at]), None)
    for at in pairs.added:
        yield Difference(f"{where}[{at}]", Change.ADDED, None, bounded(right[at]))
