"""Bodies of gRPC: their messages, read without a schema."""

from collections.abc import Iterator, Sequence
from typing import Any

from comparators import _tree, json_body
from comparators._body import Content, plain, unequal
from comparators._contract import comparator
from shadow.content.coding import undo_one
from shadow.content.entity import media_type
from shadow.content.protobuf import LENGTH, Field, parse
from shadow.model import Change, Difference, Response, field
from shadow.wire.grpc import messages_in

_READ_BYTES_MAX = 1 << 20
"""Larger bodies are compared by their messages' bytes."""
_DEPTH_MAX = 32
_TEXT_CONTROLS = "\t\n\r"


@comparator
def grpc_body(control: Response, other: Response) -> Iterator[Difference]:
    """Fields may come in any order, and an absent one has its default (protobuf.dev, Encoding); how messages
    are cut into frames means nothing. Without a schema a field is known by its number: ``body:$.f3``, and of
    a stream ``body:$[2].f3``.
    """
    if unequal(control, other, Content.GRPC) is None:
        return
    left, right = _messages(control), _messages(other)
    if left is None or right is None:
        if left is not right:
            yield Difference("body", Change.TYPE, _kind(left), _kind(right))
        return
    if media_type(control.headers).endswith(b"+json"):
        yield from _json(left, right)
        return
    values = _read([*left, *right])
    ours, theirs = values[: len(left)], values[len(left) :]
    if len(ours) == len(theirs) == 1:
        yield from _tree.walk(ours[0], theirs[0], "body:$")
    else:
        yield from _tree.walk(ours, theirs, "body:$")


def _messages(response: Response) -> list[bytes] | None:
    """The messages, their compression undone; None where the body does not consist of messages."""
    found, is_whole = messages_in(plain(response), lambda _: 0.0, is_from_client=False)
    if not is_whole:
        return None
    coding = (field(response.headers, b"grpc-encoding") or b"identity").lower()
    return [undo_one(each.body, coding).body if each.kind == "compressed" else each.body for each in found]


def _kind(messages: list[bytes] | None) -> str:
    return "no gRPC messages" if messages is None else "gRPC messages"


def _json(left: list[bytes], right: list[bytes]) -> Iterator[Difference]:
    if len(left) != len(right):
        yield Difference("body:$", Change.LENGTH, len(left), len(right))
    for ours, theirs in zip(left, right, strict=False):
        yield from json_body.compared(ours, theirs)


def _read(messages: Sequence[bytes]) -> list[Any]:
    """All messages read alike, so that what differs is a value and not a guess."""
    if sum(map(len, messages)) > _READ_BYTES_MAX:
        return [_hex(each) for each in messages]
    return _as_messages(messages, 0) or [_hex(each) for each in messages]


def _as_messages(texts: Sequence[bytes], depth: int) -> list[Any] | None:
    """Objects with a member ``f3`` for the field 3; None where not all of `texts` are messages."""
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
    if kinds == {LENGTH}:
        values, default = _lengths(contents, depth)
    elif LENGTH in kinds:
        values, default = [_hex(content) for content in contents], None
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
    return (messages, None) if messages is not None else ([_hex(content) for content in contents], None)


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


def _number(each: Field, content: bytes) -> int:
    """A varint, or fixed bytes as an integer: what they mean only the schema tells."""
    if each.kind:
        return int.from_bytes(content, "little")
    return sum((byte & 0x7F) << 7 * at for at, byte in enumerate(content))


def _hex(content: bytes) -> str:
    return f"0x{content.hex()}"
