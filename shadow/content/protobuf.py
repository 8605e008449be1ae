"""Protocol Buffers on the wire, read without a schema: which bytes are which field."""

from collections.abc import Iterator
from functools import lru_cache

import msgspec

from shadow.content.entity import entity, media_type
from shadow.model import Request

VARINT = 0
FIXED64 = 1
LENGTH = 2
FIXED32 = 5

_MAX_FIELDS = 10_000
_MAX_KEPT_BYTES = 256 * 1024
_MAX_VARINT_BYTES = 10
_MAX_FIELD_NUMBER = (1 << 29) - 1
_MEDIA_TYPES = (
    b"application/x-protobuf",
    b"application/protobuf",
    b"application/vnd.google.protobuf",
)
_GRPC_WEB = (
    b"application/grpc-web",
    b"application/grpc-web+proto",
    b"application/grpc",
    b"application/grpc+proto",
)
_FRAME_HEAD_BYTES = 5


class Field(msgspec.Struct, frozen=True, gc=False):
    """One field: its tag is ``text[start:value]``, its value, with the length where it has one,
    ``text[value:end]``.
    """

    number: int
    kind: int
    """The wire type: VARINT, FIXED64, LENGTH or FIXED32."""
    start: int
    value: int
    content: int
    """Where the value's content begins: after its length for LENGTH, else the same as `value`."""
    end: int


class Message(msgspec.Struct, frozen=True):
    """A body that is one message, or gRPC's, which may have several. `frame` is gRPC's prefix, whose length
    must follow the text; else empty."""

    frame: bytes
    text: bytes
    fields: tuple[Field, ...]
    before: bytes = b""
    """Other messages, with their prefixes."""
    after: bytes = b""

    def raw(self, field: Field) -> bytes:
        """The field's bytes, tag included."""
        return self.text[field.start : field.end]

    def content(self, field: Field) -> bytes:
        """The value without its length."""
        return self.text[field.content : field.end]

    def body(self, text: bytes) -> bytes:
        """The body for another text of the message: with its frame where there was one."""
        if not self.frame:
            return text
        return self.before + self.frame[:1] + len(text).to_bytes(4, "big") + text + self.after


def message_of(request: Request) -> Message | None:
    """The request's message; None where it does not say that it bears one, or bears none that can be read."""
    kind = media_type(request.headers)
    body = entity(request) if request.body and kind in (*_MEDIA_TYPES, *_GRPC_WEB) else None
    if not body:
        return None
    if kind in _GRPC_WEB:
        return _framed(body)
    fields = _fields(body)
    return Message(b"", body, fields) if fields else None


def _framed(body: bytes) -> Message | None:
    """The first of gRPC's messages that can be read and has fields; None where the body is not all
    messages."""
    found: Message | None = None
    at = 0
    while at < len(body):
        start = at + _FRAME_HEAD_BYTES
        end = start + int.from_bytes(body[at + 1 : start], "big")
        if start > len(body) or end > len(body) or body[at] > 1:
            return None
        if found is None and not body[at] and (fields := _fields(body[start:end])):
            found = Message(body[at:start], body[start:end], fields, body[:at], body[end:])
        at = end
    return found


def parse(text: bytes) -> tuple[Field, ...] | None:
    """The fields of a message, in order; None where the bytes are no message (groups are not read)."""
    fields: list[Field] = []
    at = 0
    while at < len(text):
        field = _field(text, at)
        if field is None or len(fields) >= _MAX_FIELDS:
            return None
        fields.append(field)
        at = field.end
    return tuple(fields)


def _fields(body: bytes) -> tuple[Field, ...] | None:
    return _parsed(body) if len(body) <= _MAX_KEPT_BYTES else parse(body)


_parsed = lru_cache(maxsize=16)(parse)
"""One body is mutated many times over."""


def varint(value: int, pad: int = 0) -> bytes:
    """`value` (not negative) as a varint, with `pad` needless bytes more."""
    groups = list(_groups(value))
    groups += [0] * pad
    return bytes(group | 0x80 for group in groups[:-1]) + bytes([groups[-1]])


def varints(text: bytes) -> list[bytes] | None:
    """The varints that `text` consists of, as written; None where it does not."""
    found = []
    at = 0
    while at < len(text):
        value = _read_varint(text, at)
        if value is None:
            return None
        found.append(text[at : value[1]])
        at = value[1]
    return found


def field_bytes(number: int, kind: int, value: bytes) -> bytes:
    """A field's bytes; `value` as it stands on the wire, save that LENGTH gets its length put before it."""
    return varint(number << 3 | kind) + (varint(len(value)) if kind == LENGTH else b"") + value


def _field(text: bytes, start: int) -> Field | None:
    tag = _read_varint(text, start)
    if tag is None or not 1 <= tag[0] >> 3 <= _MAX_FIELD_NUMBER:
        return None
    kind, value = tag[0] & 7, tag[1]
    content = value
    if kind == VARINT:
        found = _read_varint(text, value)
        end = found[1] if found else -1
    elif kind == LENGTH:
        found = _read_varint(text, value)
        content, end = (found[1], found[1] + found[0]) if found else (-1, -1)
    elif kind in {FIXED64, FIXED32}:
        end = value + (8 if kind == FIXED64 else 4)
    else:
        return None
    return Field(tag[0] >> 3, kind, start, value, content, end) if 0 <= end <= len(text) else None


def _read_varint(text: bytes, at: int) -> tuple[int, int] | None:
    """(value, where it ends); None where it is cut short or too long."""
    value = 0
    for turn, byte in enumerate(text[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * turn
        if byte < 0x80:
            return value, at + turn + 1
    return None


def _groups(value: int) -> Iterator[int]:
    while True:
        yield value & 0x7F
        value >>= 7
        if not value:
            return
