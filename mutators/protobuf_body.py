"""Protocol Buffers bodies, edited without a schema (protobuf.dev, Encoding)."""

from collections import Counter
from functools import lru_cache
from itertools import groupby
from random import Random

from mutators import _strings as strings
from mutators._bytes import repeats
from mutators._contract import mutator
from mutators._protobuf import drawn_field_edit, message_edit
from shadow.content.protobuf import (
    FIXED32,
    FIXED64,
    LENGTH,
    VARINT,
    Field,
    Message,
    field_bytes,
    varint,
    varints,
)
from shadow.model import Edit, Expect, Level, Request

_VARINTS = (0, 1, 127, 128, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
_UNKNOWN_NUMBERS = (18_999, 536_870_911, 123_456)
_MAX_PACKED_BYTES = 4_096
"""Of a field that is unpacked; a longer one is seldom numbers."""
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

    return message_edit(request, change, "reordered the fields")


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
    return message_edit(request, lambda message: message.text + extra, f"added the field {number}")


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

    return message_edit(request, change, "padded a varint")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """Any field may be absent and then has its default (Language Guide, Default Values): any clean answer."""
    return drawn_field_edit(request, rng, lambda _, __: b"", "dropped the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def repeat_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """Of a field twice the last counts, or both, or they are merged (Encoding, Last One Wins): any clean
    answer.
    """
    count = rng.choice((2, 2, 1_000))
    return drawn_field_edit(
        request,
        rng,
        lambda message, field: message.raw(field) * repeats(message.raw(field), count),
        "repeated the field",
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def retype_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """A field of another wire type, the groups' and the two unused among them, is skipped or refused, no
    crash.
    """

    def change(message: Message, field: Field) -> bytes:
        kind = rng.choice([kind for kind in range(8) if kind != field.kind])
        return varint(field.number << 3 | kind) + message.text[field.value : field.end]

    return drawn_field_edit(request, rng, change, "changed the wire type of the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def misstate_protobuf_length(request: Request, rng: Random) -> Edit | None:
    """A length beyond the end, or short of it, makes the message unreadable: refused, no crash (CWE-130)."""

    def change(message: Message, field: Field) -> bytes | None:
        if field.kind != LENGTH:
            return None
        size = field.end - field.content
        wrong = rng.choice((size + 1, max(0, size - 1), 1 << 31, (1 << 63) - 1, (1 << 64) - 1))
        return message.text[field.start : field.value] + varint(wrong) + message.content(field)

    return drawn_field_edit(request, rng, change, "misstated the length of the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_protobuf_value(request: Request, rng: Random) -> Edit | None:
    """Boundary numbers, odd and long text, bytes that are no UTF-8: taken or refused (Encoding), no crash."""

    def change(message: Message, field: Field) -> bytes:
        if field.kind == VARINT:
            return field_bytes(field.number, VARINT, varint(rng.choice(_VARINTS)))
        if field.kind in {FIXED32, FIXED64}:
            return field_bytes(field.number, field.kind, rng.choice(_FIXED)[-(field.end - field.value) :])
        odd = strings.raw(strings.hostile(rng))
        long = strings.stretched(message.content(field) or b"a", rng.choice(strings.LONG_SIZES))
        return field_bytes(
            field.number, LENGTH, rng.choice((b"", odd, long, b"\xff\xfe", message.content(field) + odd))
        )

    return drawn_field_edit(request, rng, change, "changed the value of the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def nest_protobuf(request: Request, rng: Random) -> Edit | None:
    """Messages nested beyond a parser's limit (100 by default) are refused, and exhaust no stack
    (CWE-674).
    """
    depth = rng.choice((101, 1_000, 10_000))

    def change(_: Message, field: Field) -> bytes:
        if depth > 1_000:
            return varint(field.number << 3 | 3) * depth  # start-group tags, never ended
        return _nested(field.number, depth)

    return drawn_field_edit(request, rng, change, f"nested {depth} messages in the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def truncate_protobuf(request: Request, rng: Random) -> Edit | None:
    """A message cut inside a field is malformed (Encoding): refused, no crash."""

    def change(message: Message) -> bytes | None:
        return message.text[: rng.randrange(len(message.text))]

    return message_edit(request, change, "cut the message short")


@mutator(level=Level.BODY, expect=Expect.SAME)
def pack_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """Parsers must read a repeated number packed as if it were not, and the reverse (protobuf.dev, Encoding,
    Packed Repeated Fields). A varint that stands more than once side by side is such a field.
    """

    def change(message: Message) -> bytes | None:
        runs = _runs(message)
        if not runs:
            return None
        run = rng.choice(runs)
        values = b"".join(message.text[field.value : field.end] for field in run)
        packed = field_bytes(run[0].number, LENGTH, values)
        return message.text[: run[0].start] + packed + message.text[run[-1].end :]

    return message_edit(request, change, "packed a repeated field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def unpack_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """What may be packed numbers, one by one: the same to a repeated field (protobuf.dev, Encoding, Packed
    Repeated Fields), skipped or refused where it was text. Only a schema tells them apart.
    """

    def change(message: Message, field: Field) -> bytes | None:
        content = message.content(field)
        values = varints(content) if field.kind == LENGTH and len(content) <= _MAX_PACKED_BYTES else None
        if not values:
            return None
        return b"".join(field_bytes(field.number, VARINT, value) for value in values)

    return drawn_field_edit(request, rng, change, "unpacked the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def number_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """Field numbers go from 1 to 2^29-1 (protobuf.dev, Encoding): 0 and larger ones are malformed, those from
    19 000 reserved; another one is another field, or unknown.
    """
    number = rng.choice((0, (1 << 29), (1 << 61) - 1, (1 << 29) - 1, 19_000, 1, 2, 3))

    def change(message: Message, field: Field) -> bytes:
        return varint(number << 3 | field.kind) + message.text[field.value : field.end]

    return drawn_field_edit(request, rng, change, f"gave the number {number} to the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def group_protobuf_field(request: Request, rng: Random) -> Edit | None:
    """Groups, which nobody uses any more, are skipped whole where they are unknown; without an end, or with
    another's, the message is malformed (protobuf.dev, Encoding, Groups).
    """
    pairs = rng.choice(((True, True), (True, False), (False, True)))
    other = rng.choice((0, 0, 1))

    def change(message: Message, field: Field) -> bytes:
        begins = varint(field.number << 3 | 3) if pairs[0] else b""
        ends = varint(field.number + other << 3 | 4) if pairs[1] else b""
        return begins + message.raw(field) + ends

    return drawn_field_edit(request, rng, change, "put a group around the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def spoil_protobuf_text(request: Request, rng: Random) -> Edit | None:
    """Text must be UTF-8 (protobuf.dev, Language Guide, Scalar Types): parsers of proto3 refuse other bytes,
    those of older releases let them pass to where they do harm (CWE-176).
    """
    bad = rng.choice((b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\x80"))

    def change(message: Message, field: Field) -> bytes | None:
        return (
            field_bytes(field.number, LENGTH, message.content(field) + bad) if field.kind == LENGTH else None
        )

    return drawn_field_edit(request, rng, change, "put bytes that are no UTF-8 into the field")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def lengthen_protobuf_varint(request: Request, rng: Random) -> Edit | None:
    """A varint has ten bytes at most (protobuf.dev, Encoding, Base 128 Varints): a longer one, and one that
    never ends, is malformed.
    """
    raw = rng.choice((b"\x80" * 10 + b"\x01", b"\xff" * 11, b"\x80" * 1_000 + b"\x00", b"\xff" * 9 + b"\x7f"))

    def change(message: Message, field: Field) -> bytes | None:
        return message.text[field.start : field.value] + raw if field.kind == VARINT else None

    return drawn_field_edit(request, rng, change, "made an endless varint of the field")


@lru_cache(maxsize=16)
def _nested(number: int, depth: int) -> bytes:
    """So many messages within each other, each in the field of that number."""
    value = b""
    for _ in range(depth):
        value = field_bytes(number, LENGTH, value)
    return value


def _runs(message: Message) -> list[list[Field]]:
    """Varints of one number that stand side by side, all of that number together."""
    counts = Counter(field.number for field in message.fields)
    runs = []
    for (number, kind), group in groupby(message.fields, key=lambda field: (field.number, field.kind)):
        run = list(group)
        if kind == VARINT and len(run) > 1 and len(run) == counts[number]:
            runs.append(run)
    return runs
