"""Two parsed JSON values walked side by side; only where they differ is anything yielded."""

import json
import re
from collections.abc import Iterator
from typing import Any

import orjson

from comparators._alignment import Pairs, aligned, order
from comparators._bounded import bounded, bounded_pair
from comparators._renaming import renamed_ids
from shadow.model import Change, Difference

MAP_MIN_KEYS = 51
"""An object with more members than this holds entries, not fields; its keys are written in braces."""
_MAX_DEPTH = 200
"""Deeper values are compared as a whole: no service nests its fields so far."""
_MAX_SHOWN = 40
"""Elements of a reordered array that are told."""
_MAX_KEY_CHARS = 80
_PLAIN_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
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
        yield from _scalars(left, right, where)


def _scalars(left: Any, right: Any, where: str) -> Iterator[Difference]:
    if isinstance(left, str):
        yield Difference(where, Change.VALUE, *bounded_pair(left, right))
    elif not (left != left and right != right):  # noqa: PLR0124 - NaN, the only value unequal to itself
        yield Difference(where, Change.VALUE, bounded(left), bounded(right))


def _orders(left: list[Any], right: list[Any], pairs: Pairs) -> tuple[Any, Any]:
    """The order of the elements that both arrays hold, from the first that moved on."""
    moved = next((at for at, (ours, theirs) in enumerate(pairs.both) if ours != theirs), 0)
    shown = pairs.both[moved : moved + _MAX_SHOWN]
    partners = sorted(theirs for _, theirs in shown)
    return (
        bounded(order(left, (ours for ours, _ in shown), pairs.named_by)),
        bounded(order(right, partners, pairs.named_by)),
    )


def _objects(
    left: dict[str, Any], right: dict[str, Any], where: str, depth: int, *, is_exact: bool
) -> Iterator[Difference]:
    is_map = max(len(left), len(right)) >= MAP_MIN_KEYS
    renamed = {} if left.keys() == right.keys() else renamed_ids(left, right)
    for key, ours in left.items():
        partner = renamed.get(key, key)
        if partner not in right:
            yield Difference(_member(where, key, is_map=is_map), Change.MISSING, bounded(ours), None)
            continue
        theirs = right[partner]
        if ours is not theirs and (is_exact or ours != theirs or type(ours) is not type(theirs)):
            place = _member(where, key, is_map=is_map)
            yield from _walk(ours, theirs, place, depth + 1, is_exact=is_exact)
    partners = set(renamed.values())
    for key, theirs in right.items():
        if key not in left and key not in partners:
            yield Difference(_member(where, key, is_map=is_map), Change.ADDED, None, bounded(theirs))


def _member(where: str, key: str, *, is_map: bool) -> str:
    key = key[:_MAX_KEY_CHARS]
    if is_map:
        return f"{where}{{{key}}}"
    return f"{where}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{where}[{json.dumps(key)}]"


def _arrays(
    left: list[Any], right: list[Any], where: str, depth: int, *, is_exact: bool
) -> Iterator[Difference]:
    if len(left) != len(right):
        yield Difference(where, Change.LENGTH, len(left), len(right))
    pairs = aligned(left, right, canonical)
    if pairs.is_reordered:
        yield Difference(where, Change.ORDER, *_orders(left, right, pairs))
    for ours, theirs in pairs.both:
        yield from _walk(left[ours], right[theirs], f"{where}[{ours}]", depth + 1, is_exact=is_exact)
    for at in pairs.missing:
        yield Difference(f"{where}[{at}]", Change.MISSING, bounded(left[at]), None)
    for at in pairs.added:
        yield Difference(f"{where}[{at}]", Change.ADDED, None, bounded(right[at]))
