"""Values as they may stand in a difference: JSON-able and of limited size, however large the answers were."""

from typing import Any

import orjson

MAX_TEXT_CHARS = 2048
"""A signed token of usual size fits whole, so that it can still be recognised as one."""
_WINDOW_CHARS = 512
_LEAD_CHARS = 64
_INT64 = 1 << 63
_MAX_PARTS = 40
"""Elements and members of a large value that are shown."""
_MAX_SHOWN_DEPTH = 4
_MAX_PART_CHARS = 120
_MORE = "…"


def bounded(value: Any) -> Any:
    """`value` itself where it is small and JSON-able, else a shortened or textual stand-in.

    What is large keeps its kind: an object stays an object and an array an array, with the first of its parts
    and, under ``"…"`` or at its end, how many more there are.
    """
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
    return (_MORE if start else "") + text[start:end] + (_MORE if end < len(text) else "")


def _text(text: str, limit: int = MAX_TEXT_CHARS) -> str:
    if len(text) > limit:
        text = text[:limit] + _MORE
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _tree(value: Any) -> Any:
    """Arrays and objects whole while they are small."""
    try:
        packed = orjson.dumps(value) if len(value) <= MAX_TEXT_CHARS else None
    except (TypeError, RecursionError):  # integers over 64 bits, lone surrogates, extreme nesting
        packed = None
    return value if packed is not None and len(packed) <= MAX_TEXT_CHARS else _shortened(value, 0)


def _shortened(value: Any, depth: int) -> Any:
    """The first parts of an array or object, and of these in turn, the fewer the deeper."""
    match value:
        case str():
            return _text(value, _MAX_PART_CHARS)
        case dict() if depth < _MAX_SHOWN_DEPTH:
            kept = list(value.items())[: _parts(depth)]
            shown = {_text(str(key), _MAX_PART_CHARS): _shortened(part, depth + 1) for key, part in kept}
            return shown | ({_MORE: f"{len(value) - len(kept)} more"} if len(value) > len(kept) else {})
        case list() if depth < _MAX_SHOWN_DEPTH:
            items = [_shortened(part, depth + 1) for part in value[: _parts(depth)]]
            return [*items, *([_MORE] if len(value) > len(items) else [])]
        case dict():
            return {_MORE: f"{len(value)} more"} if value else {}
        case list():
            return [_MORE] if value else []
    return bounded(value)


def _parts(depth: int) -> int:
    return max(2, _MAX_PARTS >> 2 * depth)
