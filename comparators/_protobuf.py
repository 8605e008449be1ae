"""Messages of Protocol Buffers as values, read without a schema: member ``f3`` is the field 3."""

from collections.abc import Sequence
from math import isfinite
from struct import unpack
from typing import Any

from shadow.content.protobuf import FIXED32, FIXED64, LENGTH, Field, parse

_READ_BYTES_MAX = 1 << 20
"""Larger bodies are compared by their messages' bytes."""
_DEPTH_MAX = 32
_TEXT_CONTROLS = "\t\n\r"
_LEAST, _MOST = 1e-9, 1e15
"""Between these a fixed field is rather a fraction than an integer, whose bits make no such fraction."""


def values_of(messages: Sequence[bytes]) -> list[Any]:
    """All messages read alike, so that what differs is a value and not a guess; bytes as ``"0x..."``."""
    if sum(map(len, messages)) > _READ_BYTES_MAX:
        return [hexadecimal(each) for each in messages]
    return _as_messages(messages, 0) or [hexadecimal(each) for each in messages]


def hexadecimal(content: bytes) -> str:
    return f"0x{content.hex()}"


def _as_messages(texts: Sequence[bytes], depth: int) -> list[Any] | None:
    """None where not all of `texts` are messages."""
    if depth > _DEPTH_MAX:
        return None
    parsed: list[dict[int, list[tuple[Field, bytes]]]] = []
    for text in texts:
        fields = parse(text)
        if fields is None:
            return None
        numbered: dict[int, list[tuple[Field, bytes]]] = {}
        for each in fields:
            numbered.setdefault(each.number, []).append((each, text[each.content : each.end]))
        parsed.append(numbered)
    out: list[dict[str, Any]] = [{} for _ in texts]
    for number in sorted({number for each in parsed for number in each}):
        _put(f"f{number}", [each.get(number, []) for each in parsed], out, depth)
    return list(out)


def _put(name: str, columns: list[list[tuple[Field, bytes]]], out: list[dict[str, Any]], depth: int) -> None:
    """Puts one field into each of the objects `out`; `columns` are its occurrences in each message."""
    kinds = {each.kind for column in columns for each, _ in column}
    contents = [content for column in columns for _, content in column]
    values: list[Any]
    default: Any
    if kinds == {LENGTH}:
        values, default = _lengths(contents, depth)
    elif LENGTH in kinds:
        values, default = [hexadecimal(content) for content in contents], None
    elif fractions := _fractions(kinds, contents):
        values, default = fractions, 0
    else:
        values, default = [_number(each, content) for column in columns for each, content in column], 0
    is_repeated = any(len(column) > 1 for column in columns)
    rest = iter(values)
    for column, into in zip(columns, out, strict=True):
        mine = [next(rest) for _ in column]
        if is_repeated:
            into[name] = _as_map(mine)
        elif mine or default is not None:
            into[name] = mine[0] if mine else default


def _lengths(contents: list[bytes], depth: int) -> tuple[list[Any], Any]:
    """Texts, messages, or bytes, all of one kind; and the default of that kind, where it has one."""
    if all(_is_text(content) for content in contents):
        return [content.decode() for content in contents], ""
    messages = _as_messages(contents, depth + 1)
    if messages is not None:
        return messages, None
    return [hexadecimal(content) for content in contents], None


def _as_map(values: list[Any]) -> Any:
    """Entries of a map, which have no order, by their keys; other values as they are."""
    if not all(isinstance(each, dict) and each.keys() == {"f1", "f2"} for each in values):
        return values
    keys = [each["f1"] for each in values]
    if not all(isinstance(key, str | int) for key in keys) or len(set(keys)) < len(keys):
        return values
    return {str(each["f1"]): each["f2"] for each in values}


def _is_text(content: bytes) -> bool:
    """Whether it is rather a text than a message, whose first byte, for a first field, is a line end."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return False
    if not all(char.isprintable() or char in _TEXT_CONTROLS for char in text):
        return False
    return text[:1] not in ("\n", "\r", "\t", " ", '"') or parse(content) is None


def _fractions(kinds: set[int], contents: list[bytes]) -> list[float] | None:
    """Fixed fields as ``double`` or ``float``, where all of them are likely numbers of that kind."""
    if kinds not in ({FIXED64}, {FIXED32}):
        return None
    form = "<d" if kinds == {FIXED64} else "<f"
    found: list[float] = [unpack(form, content)[0] for content in contents]
    is_likely = all(not each or (isfinite(each) and _LEAST < abs(each) < _MOST) for each in found)
    return found if is_likely and any(found) else None


def _number(each: Field, content: bytes) -> int:
    """A varint, or fixed bytes as an integer: what they mean only the schema tells."""
    if each.kind:
        return int.from_bytes(content, "little")
    return sum((byte & 0x7F) << 7 * at for at, byte in enumerate(content))
