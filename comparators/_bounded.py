"""Values as they may stand in a difference: JSON-able and of limited size, however large the answers were."""

from typing import Any

import orjson

MAX_TEXT_CHARS = 2048
"""A signed token of usual size fits whole, so that it can still be recognised as one."""
_WINDOW_CHARS = 512
_LEAD_CHARS = 64
_INT64 = 1 << 63


def bounded(value: Any) -> Any:
    """`value` itself where it is small and JSON-able, else a shortened or textual stand-in."""
    match value:
        case bool() | None:
            return value
        case str():
            return _text(value)
        case int():
            return value if -_INT64 <= value < _INT64 else str(value)
        case float():
            return value if value - value == 0 else str(value)
        case _:
            return _tree(value)


def bounded_pair(left: str, right: str) -> tuple[str, str]:
    """Both texts, cut to a window that starts shortly before their first difference where they are long."""
    if len(left) <= MAX_TEXT_CHARS and len(right) <= MAX_TEXT_CHARS:
        return _text(left), _text(right)
    start = max(0, first_difference(left, right) - _LEAD_CHARS)
    return _text(_cut(left, start)), _text(_cut(right, start))


def first_difference(left: str, right: str) -> int:
    """Length of the common prefix. Halves the distance each step, so that long texts cost little."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _cut(text: str, start: int) -> str:
    end = start + _WINDOW_CHARS
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")


def _text(text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        text = text[:MAX_TEXT_CHARS] + "…"
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _tree(value: Any) -> Any:
    """Arrays and objects whole while they are small; else the beginning of their JSON text."""
    try:
        packed = orjson.dumps(value)
    except (TypeError, RecursionError):  # integers over 64 bits, lone surrogates, extreme nesting
        return _text(_shallow(value))
    return value if len(packed) <= MAX_TEXT_CHARS else _text(packed.decode())


def _shallow(value: Any) -> str:
    try:
        return repr(value)
    except RecursionError:
        return f"{type(value).__name__} of {len(value)}"
