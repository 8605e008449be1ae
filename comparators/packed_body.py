"""Bodies that are JSON in fewer bytes: MessagePack and CBOR."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from comparators import _cbor, _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from shadow.content.entity import media_type
from shadow.model import Change, Difference, Response

_MAX_DEPTH = 500


@comparator
def packed_body(control: Response, other: Response) -> Iterator[Difference]:
    """Compared as the JSON that they stand for: how short a number or a length is written, and the order of
    members, mean nothing (RFC 8949 §4.2; MessagePack specification, Serialization).
    """
    bodies = unequal(control, other, Content.PACKED)
    if bodies is None:
        return
    left, right = _read(control, bodies[0]), _read(other, bodies[1])
    if left is not None and right is not None:
        yield from _tree.walk(left[0], right[0], "body:$", is_exact=True)
    elif left is right:
        yield Difference("body", Change.VALUE, *(f"0x{body[:256].hex()}" for body in bodies))
    else:
        yield Difference("body", Change.TYPE, _kind(left), _kind(right))


def _read(response: Response, body: bytes) -> tuple[Any] | None:
    try:
        if media_type(response.headers).endswith(b"cbor"):
            return (_cbor.loads(body),)
        return (_as_json(msgspec.msgpack.decode(body, strict=False), 0),)
    except (ValueError, msgspec.MsgspecError, RecursionError, TypeError):
        return None


def _as_json(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deep")
    match value:
        case dict():
            return {
                key if isinstance(key, str) else repr(key): _as_json(part, depth + 1)
                for key, part in value.items()
            }
        case list() | tuple():
            return [_as_json(part, depth + 1) for part in value]
        case bytes():
            return f"0x{value.hex()}"
        case datetime():
            return value.isoformat()
        case msgspec.msgpack.Ext():
            return {f"type {value.code}": f"0x{bytes(value.data).hex()}"}
    return value


def _kind(read: tuple[Any] | None) -> str:
    return "not readable" if read is None else "readable"
