"""JSON bodies."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import orjson

from comparators import _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from shadow.model import Change, Difference, Response

_DIGITS = b"0" * 17
"""orjson reads an integer over 64 bits as a float and loses digits; such bodies take the slow parser."""
_DIGITS_TO_ZERO = bytes(ord("0") if chr(char).isdigit() and char < 128 else ord(" ") for char in range(256))
_LONG_INTEGER = re.compile(rb"(?:^|[\s:,\[\x1e-])[0-9]{17}")
"""As it stands in JSON; not the fraction of a number, nor digits that begin a text."""
_MAX_INTEGER_DIGITS = 4000
"""Python refuses to read integers of over 4300 digits; those are compared as text."""


class Parsed(msgspec.Struct, frozen=True):
    """A JSON document; `is_strict` is False where it is not valid (NaN, lone surrogates, and the like)."""

    value: Any
    is_strict: bool = True


@comparator
def json_body(control: Response, other: Response) -> Iterator[Difference]:
    """Member order, white space and escapes mean nothing, nor does 1 against 1.0 (RFC 8259 §4, §6), nor how
    the last digits of a sum were rounded. Texts that hold JSON or signed tokens are compared by what they
    hold.
    """
    if bodies := unequal(control, other, Content.JSON):
        yield from compared(*bodies)


def compared(left: bytes, right: bytes, where: str = "body") -> Iterator[Difference]:
    """Differences between two JSON texts; a text that is no JSON differs in type from one that is."""
    is_exact = has_long_number(left) or has_long_number(right)
    ours, theirs = parse(left, is_exact=is_exact), parse(right, is_exact=is_exact)
    if ours is None or theirs is None:
        if ours is not theirs:
            yield Difference(where, Change.TYPE, _kind(ours), _kind(theirs))
        else:
            yield Difference(where, Change.VALUE, *_texts(left, right))
        return
    if ours.is_strict != theirs.is_strict:
        yield Difference(f"{where}:syntax", Change.TYPE, _kind(ours), _kind(theirs))
    yield from _values(ours, theirs, left, right, where)


def parse(body: bytes, *, is_exact: bool = False) -> Parsed | None:
    """`body` as JSON, or None. With `is_exact` no digit of long numbers and no duplicate member is lost."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parsed_slowly(body, is_strict=False)
    return _parsed_slowly(body, is_strict=True) if is_exact else Parsed(value)


def _values(ours: Parsed, theirs: Parsed, left: bytes, right: bytes, where: str) -> Iterator[Difference]:
    value, other = ours.value, theirs.value
    mixes = left.count(b"true") != right.count(b"true") or left.count(b"false") != right.count(b"false")
    if value != other or mixes:
        yield from _tree.walk(value, in_order_of(value, other), f"{where}:$", is_exact=mixes)
    elif left.count(b'":') != right.count(b'":'):  # equal as parsed, yet perhaps one has a member twice
        slow, exact = _parsed_slowly(left, is_strict=True), _parsed_slowly(right, is_strict=True)
        if slow is not None and exact is not None:
            yield from _tree.walk(slow.value, exact.value, f"{where}:$")
    elif (b"true" in left or b"false" in left) and _tree.canonical(value) != _tree.canonical(other):
        yield from _tree.walk(value, other, f"{where}:$", is_exact=True)  # true for 1, and 1 for true


def in_order_of(value: Any, other: Any) -> Any:
    """`other`, where both are answers to a batch of JSON-RPC, in the order of `value`: they are known by
    their ids and may come in any order (JSON-RPC 2.0 §6).
    """
    if not (_is_batch(value) and _is_batch(other)):
        return other
    places = {_call(each): at for at, each in reversed(list(enumerate(value)))}
    return sorted(other, key=lambda each: places.get(_call(each), len(places)))


def _is_batch(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(each, dict) and "jsonrpc" in each and "id" in each for each in value)
    )


def _call(answer: dict[str, Any]) -> str:
    return repr(answer["id"])


def has_long_number(body: bytes) -> bool:
    """Whether an integer of 17 digits stands anywhere; looking for digits first is ten times faster."""
    return _DIGITS in body.translate(_DIGITS_TO_ZERO) and _LONG_INTEGER.search(body) is not None


def _parsed_slowly(body: bytes, *, is_strict: bool) -> Parsed | None:
    """By the standard library: exact integers, NaN, lone surrogates, and duplicate members kept apart."""
    try:
        value = json.loads(body, object_pairs_hook=_members, parse_int=_integer)
    except (ValueError, RecursionError):
        return None
    return Parsed(value, is_strict)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) < _MAX_INTEGER_DIGITS else digits


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Members by name; a name's second value stands under ``name#2``, so that duplicates are seen."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    found, copies = {}, dict[str, int]()
    for name, value in pairs:
        copies[name] = copies.get(name, 0) + 1
        found[name if copies[name] == 1 else f"{name}#{copies[name]}"] = value
    return found


def _kind(parsed: Parsed | None) -> str:
    if parsed is None:
        return "not json"
    return "json" if parsed.is_strict else "json with errors"


def _texts(left: bytes, right: bytes) -> tuple[str, str]:
    return left[:256].decode("utf-8", "backslashreplace"), right[:256].decode("utf-8", "backslashreplace")
