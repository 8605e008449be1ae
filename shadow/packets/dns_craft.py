"""Malformed DNS messages (RFC 1035 §4, RFC 6891), as bytes: no library would write them."""

import struct
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from shadow.wire.dns_message import parse

_HEADER = struct.Struct("!HHHHHH")
_FLAGS = 0x0100
"""A query that asks for recursion."""
_NAME = b"\x07example\x04test\x00"
_TYPE_AND_CLASS = b"\x00\x01\x00\x01"
_OPT = 41


class Made(NamedTuple):
    """One message, and what is wrong with it."""

    what: str
    message: bytes


class Base(NamedTuple):
    """What a malformed message is made of."""

    id: int
    name: bytes
    """As on the wire, with its root label."""
    kind: int
    text: bytes
    """The whole query."""


def base_of(payload: bytes) -> Base:
    """The query in `payload`; one of our own where there is none."""
    message = parse(payload)
    if isinstance(message, str) or message.is_answer or not message.questions:
        text = _HEADER.pack(1, _FLAGS, 1, 0, 0, 0) + _NAME + _TYPE_AND_CLASS
        return Base(1, _NAME, 1, text)
    end = 12
    while payload[end] and not payload[end] & 0xC0:
        end += payload[end] + 1
    return Base(message.id, payload[12 : end + 1], message.questions[0].kind, payload)


def _query(base: Base, name: bytes, rest: bytes = _TYPE_AND_CLASS, *, flags: int = _FLAGS) -> bytes:
    return _HEADER.pack(base.id, flags, 1, 0, 0, 0) + name + rest


def compression_loop(base: Base, dice: Random) -> Made:
    """Pointers that lead back to themselves, at once or by a detour (RFC 1035 §4.1.4)."""
    label = b"\x01a"
    ways = (
        ("a name that points to itself", b"\xc0\x0c"),
        ("a label before a pointer back to it", label + b"\xc0\x0c"),
        ("two pointers to each other", b"\xc0\x0e\xc0\x0c"),
        ("a long label before a pointer back to it", b"\x3f" + b"b" * 63 + b"\xc0\x0c"),
    )
    what, name = dice.choice(ways)
    return Made(what, _query(base, name))


def wild_pointer(base: Base, dice: Random) -> Made:
    """Pointers ahead, into the header, and beyond the end."""
    place = dice.choice((0, 2, 11, 13, 16, 40, 0x0FFF, 0x3FFF))
    return Made(f"a pointer to byte {place}", _query(base, (0xC000 | place).to_bytes(2)))


def long_name(base: Base, dice: Random) -> Made:
    """Names around and beyond 255 bytes (RFC 1035 §2.3.4)."""
    labels = dice.choice((3, 4, 5, 16, 100))
    return Made(f"a name of {labels * 64 + 1} bytes", _query(base, (b"\x3f" + b"n" * 63) * labels + b"\x00"))


def odd_label(base: Base, dice: Random) -> Made:
    """Label lengths that overrun, kinds of labels that are reserved, and octets that are no host name's."""
    ways = (
        ("a label of reserved kind 01", b"\x41" + b"x" * 8 + b"\x00"),
        ("a label of reserved kind 10", b"\x81" + b"x" * 8 + b"\x00"),
        ("a label that is longer than the message", b"\x3fabc"),
        ("a name without an end", b"\x03abc"),
        ("NUL, dots and bytes above 127 in a label", b"\x06\x00.\xff\xfe\\\x00\x00"),
        ("an empty name", b"\x00"),
        ("128 labels", b"\x01a" * 128 + b"\x00"),
        ("a format string", b"\x08%n%n%s%s\x00"),
    )
    what, name = dice.choice(ways)
    return Made(what, _query(base, name))


def wrong_counts(base: Base, dice: Random) -> Made:
    """Counts that the sections do not bear out."""
    counts = [1, 0, 0, 0]
    which = dice.randrange(4)
    counts[which] = dice.choice((0, 2, 255, 0x7FFF, 0x8000, 0xFFFF))
    section = ("questions", "answers", "authorities", "additions")[which]
    text = _HEADER.pack(base.id, _FLAGS, *counts) + base.text[12:]
    return Made(f"{counts[which]} {section} stated", text)


def odd_type(base: Base, dice: Random) -> Made:
    """Types and classes at the ends of their ranges, and those that are asked with meaning of their own."""
    kind = dice.choice((0, 10, _OPT, 249, 250, 251, 252, 253, 254, 255, 256, 0x7FFF, 0x8000, 0xFFFF))
    group = dice.choice((0, 1, 2, 3, 4, 254, 255, 0x8001, 0xFFFF))
    return Made(f"type {kind}, class {group}", _query(base, base.name, struct.pack("!HH", kind, group)))


def odd_flags(base: Base, dice: Random) -> Made:
    """Every opcode, answers where queries are due, and bits that must be zero."""
    flags = dice.choice((dice.randrange(16) << 11, 0x8000, 0x8180, 0x0070, 0xFFFF, 0x0200, 0x000F))
    return Made(f"flags {flags:#06x}", _query(base, base.name, flags=flags))


def edns(base: Base, dice: Random) -> Made:
    """OPT records that are twice there, lie about their lengths, or are of versions to come (RFC 6891)."""

    def opt(
        *,
        name: bytes = b"\x00",
        size: int = 1232,
        ttl: int = 0,
        length: int | None = None,
        options: bytes = b"",
    ) -> bytes:
        stated = len(options) if length is None else length
        return name + struct.pack("!HHIH", _OPT, size, ttl, stated) + options

    ways = (
        ("version 255", [opt(ttl=255 << 16)]),
        ("a payload size of 0", [opt(size=0)]),
        ("a payload size of 65535", [opt(size=0xFFFF)]),
        ("two OPT records", [opt(), opt()]),
        ("an OPT record with a name", [opt(name=b"\xc0\x0c")]),
        ("options longer than the message", [opt(length=0xFFFF)]),
        ("an option longer than its record", [opt(options=b"\x00\x0a\xff\xffabcd")]),
        ("a cookie of one byte", [opt(options=b"\x00\x0a\x00\x01a")]),
        ("a client subnet of 255 bits", [opt(options=b"\x00\x08\x00\x05\x00\x01\xff\xff\x01")]),
        ("every flag set", [opt(ttl=0xFFFFFFFF)]),
        ("100 empty options", [opt(options=b"\xff\xfe\x00\x00" * 100)]),
    )
    what, records = dice.choice(ways)
    head = _HEADER.pack(base.id, _FLAGS, 1, 0, 0, len(records))
    return Made(f"EDNS with {what}", head + base.name + struct.pack("!HH", base.kind, 1) + b"".join(records))


def odd_record(base: Base, dice: Random) -> Made:
    """Records in a query whose data lie: lengths, and compression inside."""
    data, length = dice.choice(
        ((b"", 0xFFFF), (b"\xc0\x0c", 2), (b"abcd", 0), (b"\xc0\x1c", 2), (b"x" * 400, 400))
    )
    record = (
        b"\xc0\x0c" + struct.pack("!HHIH", dice.choice((1, 2, 5, 6, 12, 16, 28, 33, 46)), 1, 0, length) + data
    )
    text = _HEADER.pack(base.id, _FLAGS | 0x2800, 1, 1, 0, 0) + base.name + _TYPE_AND_CLASS + record
    return Made(f"a record that states {length} bytes and has {len(data)}", text)


def cut_message(base: Base, dice: Random) -> Made:
    """Messages that end early."""
    size = dice.randrange(len(base.text))
    return Made(f"{size} of {len(base.text)} bytes", base.text[:size])


def long_message(base: Base, dice: Random) -> Made:
    """Bytes after the end."""
    count = dice.choice((1, 512, 4096, 40_000))
    return Made(f"{count} bytes after the end", base.text + dice.randbytes(count))


RECIPES: tuple[Callable[[Base, Random], Made], ...] = (
    compression_loop,
    wild_pointer,
    long_name,
    odd_label,
    wrong_counts,
    odd_type,
    odd_flags,
    edns,
    odd_record,
    cut_message,
    long_message,
)
