"""Protocol Buffers bodies, edited without a schema (protobuf.dev, Encoding)."""

from collections.abc import Callable
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from shadow.content.entity import replace_body
from shadow.content.protobuf import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    Field,
    Message,
    field_bytes,
    message_of,
    varint,
)
from shadow.model import Edit, Expect, Level, Request

_VARINTS = (0, 1, 127, 128, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_UNKNOWN_NUMBERS = (18_999, 536_870_911, 123_456)
_FIXED = (
    b"\x00" * 8,
    b"\xff" * 8,
    b"\x00\x00\x00\x00\x00\x00\xf0\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf8\x7f",
    b"\x00" * 7 + b"\x80",
)


@mutator(level=Level.BODY, expect=Expect.SAME)
def reorder_protobuf_fields(request: Request, rng: Random) -> Edit | None:
    """Fields may come in any order, and parsers must take each (protobuf.dev, Encoding, Field Order).
    Those of
    one number keep theirs.
    """

    def change(message: Message) -> bytes | None:
        numbers = list(dict.fromkeys(field.number for field in message.fields))
        order = rng.sample(numbers, len(numbers))
        if order == numbers:
            order.reverse()
        return b"".join(
            message.raw(field) for number in order for field in message.fields if field.number == number
        )

    return _edit(request, change, "reordered the fields")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def unknown_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """A field that the schema lacks is kept or skipped (Language Guide, Unknown Fields), or a strict
    service's 400.
    """
    number = rng.choice(_UNKNOWN_NUMBERS)
    kind, value = rng.choice(
        ((VARINT, b"\x01"), (LENGTH, b"shadow"), (FIXED32, b"\x00" * 4), (FIXED64, b"\x00" * 8))
    )
    extra = field_bytes(number, kind, value)
    return _edit(request, lambda message: message.text + extra, f"added the field {number}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def pad_protobuf_varint(request: Request, rng: Random) -> Edit | None:
    """A varint with needless bytes has the same value to most parsers (Encoding, Base 128 Varints): no
    crash.
    """

    def change(message: Message) -> bytes | None:
        found = [field for field in message.fields if field.kind == VARINT]
        if not found:
            return None
        field = rng.choice(found)
        raw = message.text[field.value : field.end]
        pad = rng.choice((1, 2, 10 - len(raw), 11 - len(raw)))
        padded = raw[:-1] + bytes([raw[-1] | 0x80]) + b"\x80" * (pad - 1) + b"\x00" if pad > 0 else raw
        return message.text[: field.value] + padded + message.text[field.end :]

    return _edit(request, change, "padded a varint")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """Any field may be absent and then has its default (Language Guide, Default Values): any clean answer."""
    return _with_field(request, rng, lambda _, __: b"", "dropped the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def repeat_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """Of a field twice the last counts, or both, or they are merged (Encoding, Last One Wins): any clean
    answer.
    """
    count = rng.choice((2, 2, 1_000))
    return _with_field(request, rng, lambda message, field: message.raw(field) * count, "repeated the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def retype_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """A field of another wire type, the groups' and the two unused among them, is skipped or refused, no
    crash.
    """

    def change(message: Message, field: Field) -> bytes:
        kind = rng.choice([kind for kind in range(8) if kind != field.kind])
        return varint(field.number << 3 | kind) + message.text[field.value : field.end]

    return _with_field(request, rng, change, "changed the wire type of the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def misstate_protobuf_length(request: Request, rng: Random) -> Edit | None:
    """A length beyond the end, or short of it, makes the message unreadable: refused, no crash (CWE-130)."""

    def change(message: Message, field: Field) -> bytes | None:
        if field.kind != LENGTH:
            return None
        size = field.end - field.content
        wrong = rng.choice((size + 1, max(0, size - 1), 1 << 31, (1 << 63) - 1, (1 << 64) - 1))
        return message.text[field.start : field.value] + varint(wrong) + message.content(field)

    return _with_field(request, rng, change, "misstated the length of the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_protobuf_value(request: Request, rng: Random) -> Edit | None:
    """Boundary numbers, odd and long text, bytes that are no UTF-8: taken or refused (Encoding), no crash."""

    def change(message: Message, field: Field) -> bytes:
        if field.kind == VARINT:
            return field_bytes(field.number, VARINT, varint(rng.choice(_VARINTS)))
        if field.kind in {FIXED32, FIXED64}:
            return field_bytes(field.number, field.kind, rng.choice(_FIXED)[-(field.end - field.value) :])
        odd = strings.raw(strings.hostile(rng))
        long = ((message.content(field) or b"a") * 65_536)[: rng.choice(strings.LONG_SIZES)]
        return field_bytes(
            field.number, LENGTH, rng.choice((b"", odd, long, b"\xff\xfe", message.content(field) + odd))
        )

    return _with_field(request, rng, change, "changed the value of the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def nest_protobuf(request: Request, rng: Random) -> Edit | None:
    """Messages nested beyond a parser's limit (100 by default) are refused, and exhaust no stack
    (CWE-674).
    """
    depth = rng.choice((101, 1_000, 10_000))

    def change(_: Message, field: Field) -> bytes:
        value = b""
        for _level in range(min(depth, 1_000)):
            value = field_bytes(field.number, LENGTH, value)
        return (
            value if depth <= 1_000 else varint(field.number << 3 | 3) * depth
        )  # start-group tags, never ended

    return _with_field(request, rng, change, f"nested {depth} messages in the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def truncate_protobuf(request: Request, rng: Random) -> Edit | None:
    """A message cut inside a field is malformed (Encoding): refused, no crash."""

    def change(message: Message) -> bytes | None:
        return message.text[: rng.randrange(len(message.text))]

    return _edit(request, change, "cut the message short")


def _with_field(
    request: Request, rng: Random, change: Callable[[Message, Field], bytes | None], what: str
) -> Edit | None:
    message = message_of(request)
    if message is None:
        return None
    field = rng.choice(message.fields)
    new = change(message, field)
    if new is None:
        return None
    text = message.text[: field.start] + new + message.text[field.end :]
    return _edit(request, lambda _: text, f"{what} {field.number}")


def _edit(request: Request, change: Callable[[Message], bytes | None], what: str) -> Edit | None:
    message = message_of(request)
    text = change(message) if message else None
    if message is None or text is None or text == message.text:
        return None
    return Edit(replace_body(request, message.body(text)), what)
