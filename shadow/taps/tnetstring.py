"""Tnetstrings, as mitmproxy writes them: a length, a colon, the value, and a mark of its type.

Besides the common types there is ``;`` for text, which is UTF-8.
"""

import re
from typing import Any

START = re.compile(rb"(\d{1,12}):")
_MAX_DEPTH = 32

type Value = bool | int | float | bytes | str | list[Any] | dict[str, Any] | None


def encode(value: object) -> bytes:
    """`value` as a tnetstring; tuples are lists. Raises TypeError for what has no type there."""
    match value:
        case None:
            kind, text = b"~", b""
        case bool():
            kind, text = b"!", b"true" if value else b"false"
        case int():
            kind, text = b"#", b"%d" % value
        case float():
            kind, text = b"^", repr(value).encode()
        case bytes():
            kind, text = b",", value
        case str():
            kind, text = b";", value.encode("utf-8", "replace")
        case list() | tuple():
            kind, text = b"]", b"".join(encode(each) for each in value)
        case dict():
            kind, text = b"}", b"".join(encode(key) + encode(each) for key, each in value.items())
        case _:
            raise TypeError(f"{value!r} cannot be a tnetstring")
    return b"%d:%b%b" % (len(text), text, kind)


def decode(text: bytes) -> Value:
    """The value of one tnetstring. Raises ValueError where `text` is none."""
    value, end = _value(text, 0, _MAX_DEPTH)
    if end != len(text):
        raise ValueError("bytes after its end")
    return value


def _value(text: bytes, at: int, depth: int) -> tuple[Value, int]:
    match = START.match(text, at)
    if match is None or not depth:
        raise ValueError(f"no length at byte {at}")
    start, end = match.end(), match.end() + int(match[1])
    kind = text[end : end + 1]
    if kind == b"}":
        return _pairs(_values(text, start, end, depth)), end + 1
    if kind == b"]":
        return _values(text, start, end, depth), end + 1
    return _scalar(kind, text[start:end]), end + 1


_MAX_ELEMENTS = 1_000_000
"""Of one list; an empty one in it takes three bytes here and many more in memory."""


def _values(text: bytes, at: int, end: int, depth: int) -> list[Value]:
    found: list[Value] = []
    while at < end:
        value, at = _value(text, at, depth - 1)
        if len(found) >= _MAX_ELEMENTS:
            raise ValueError("a list that is too long")
        found.append(value)
    if at != end:
        raise ValueError("an element reaches beyond its list")
    return found


def _pairs(values: list[Value]) -> dict[str, Value]:
    keys = [key.decode("latin-1") if isinstance(key, bytes) else str(key) for key in values[::2]]
    if len(values) % 2:
        raise ValueError("a key without a value")
    return dict(zip(keys, values[1::2], strict=True))


def _scalar(kind: bytes, inside: bytes) -> Value:
    match kind:
        case b",":
            return inside
        case b";":
            return inside.decode("utf-8", "replace")
        case b"#":
            return int(inside)
        case b"^":
            return float(inside)
        case b"!":
            return inside == b"true"
        case b"~":
            return None
        case _:
            raise ValueError(f"unknown type {kind!r}")
