"""DNS messages at odds with RFC 1035 §4 and RFC 6891, as bytes: no library would write them."""

# mypy: allow-untyped-calls
# (scapy's fields have no types)

import struct
from collections.abc import Callable
from functools import wraps
from random import Random
from typing import NamedTuple

from scapy.packet import Raw

from mutators._packet import Job, Made, PacketMutator, packet_mutator
from shadow.wire.dns_message import parse

_HEADER = struct.Struct("!HHHHHH")
_FLAGS = 0x0100
"""A query that asks for recursion."""
_NAME = b"\x07example\x04test\x00"
_TYPE_AND_CLASS = b"\x00\x01\x00\x01"
_OPT = 41


class _Message(NamedTuple):
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


def _dns(write: Callable[[Base, Random], _Message]) -> PacketMutator:
    """A packet mutator of what writes a message."""

    @packet_mutator("dns")
    @wraps(write)
    def make(job: Job) -> Made:
        what, message = write(base_of(job.seed.payload), job.dice)
        return what, [job.ip / job.datagram / Raw(message)]

    return make


def _query(base: Base, name: bytes, rest: bytes = _TYPE_AND_CLASS, *, flags: int = _FLAGS) -> bytes:
    return _HEADER.pack(base.id, flags, 1, 0, 0, 0) + name + rest


@_dns
def dns_compression_loop(base: Base, dice: Random) -> _Message:
    """Pointers must lead back, and never in a circle (RFC 1035 §4.1.4, CVE-2000-0333):
    whoever follows them has to notice."""
    label = b"\x01a"
    ways = (
        ("a name that points to itself", b"\xc0\x0c"),
        ("a label before a pointer back to it", label + b"\xc0\x0c"),
        ("two pointers to each other", b"\xc0\x0e\xc0\x0c"),
        ("a long label before a pointer back to it", b"\x3f" + b"b" * 63 + b"\xc0\x0c"),
    )
    what, name = dice.choice(ways)
    return _Message(what, _query(base, name))


@_dns
def dns_wild_pointer(base: Base, dice: Random) -> _Message:
    """Pointers ahead, into the header, and beyond the end lead to no name (RFC 1035 §4.1.4): FORMERR or
    silence."""
    place = dice.choice((0, 2, 11, 13, 16, 40, 0x0FFF, 0x3FFF))
    return _Message(f"a pointer to byte {place}", _query(base, (0xC000 | place).to_bytes(2)))


@_dns
def dns_long_name(base: Base, dice: Random) -> _Message:
    """Names end at 255 bytes (RFC 1035 §2.3.4): longer ones are refused."""
    labels = dice.choice((3, 4, 5, 16, 100))
    return _Message(
        f"a name of {labels * 64 + 1} bytes", _query(base, (b"\x3f" + b"n" * 63) * labels + b"\x00")
    )


@_dns
def dns_odd_label(base: Base, dice: Random) -> _Message:
    """Labels are of 63 bytes at most, their two other kinds reserved (RFC 1035 §4.1.4, RFC 6891 §5), and
    any byte may stand in them (RFC 2181 §11)."""
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
    return _Message(what, _query(base, name))


@_dns
def dns_wrong_counts(base: Base, dice: Random) -> _Message:
    """Counts that the sections do not bear out are the sender's word (RFC 9267 §6): FORMERR or silence."""
    counts = [1, 0, 0, 0]
    which = dice.randrange(4)
    counts[which] = dice.choice((0, 2, 255, 0x7FFF, 0x8000, 0xFFFF))
    section = ("questions", "answers", "authorities", "additions")[which]
    text = _HEADER.pack(base.id, _FLAGS, *counts) + base.text[12:]
    return _Message(f"{counts[which]} {section} stated", text)


@_dns
def dns_odd_type(base: Base, dice: Random) -> _Message:
    """Types and classes that are not known are data like any other (RFC 3597): NOTIMP, REFUSED or an
    answer."""
    kind = dice.choice((0, 10, _OPT, 249, 250, 251, 252, 253, 254, 255, 256, 0x7FFF, 0x8000, 0xFFFF))
    group = dice.choice((0, 1, 2, 3, 4, 254, 255, 0x8001, 0xFFFF))
    return _Message(f"type {kind}, class {group}", _query(base, base.name, struct.pack("!HH", kind, group)))


@_dns
def dns_odd_flags(base: Base, dice: Random) -> _Message:
    """Opcodes that are not known get NOTIMP, answers nothing, and bits that must be zero are ignored
    (RFC 1035 §4.1.1)."""
    flags = dice.choice((dice.randrange(16) << 11, 0x8000, 0x8180, 0x0070, 0xFFFF, 0x0200, 0x000F))
    return _Message(f"flags {flags:#06x}", _query(base, base.name, flags=flags))


@_dns
def dns_edns(base: Base, dice: Random) -> _Message:
    """OPT records may be of versions to come (BADVERS), twice (FORMERR), and their lengths lie (RFC 6891
    §6.1)."""

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
    return _Message(
        f"EDNS with {what}", head + base.name + struct.pack("!HH", base.kind, 1) + b"".join(records)
    )


@_dns
def dns_odd_record(base: Base, dice: Random) -> _Message:
    """A record's length is the sender's word, and so is what is inside (RFC 9267 §3)."""
    data, length = dice.choice(
        ((b"", 0xFFFF), (b"\xc0\x0c", 2), (b"abcd", 0), (b"\xc0\x1c", 2), (b"x" * 400, 400))
    )
    record = (
        b"\xc0\x0c" + struct.pack("!HHIH", dice.choice((1, 2, 5, 6, 12, 16, 28, 33, 46)), 1, 0, length) + data
    )
    text = _HEADER.pack(base.id, _FLAGS | 0x2800, 1, 1, 0, 0) + base.name + _TYPE_AND_CLASS + record
    return _Message(f"a record that states {length} bytes and has {len(data)}", text)


@_dns
def dns_cut_message(base: Base, dice: Random) -> _Message:
    """A message may end anywhere (RFC 9267 §6): FORMERR or silence."""
    size = dice.randrange(len(base.text))
    return _Message(f"{size} of {len(base.text)} bytes", base.text[:size])


@_dns
def dns_long_message(base: Base, dice: Random) -> _Message:
    """Bytes after the end belong to no section (RFC 1035 §4.1): refused or ignored."""
    count = dice.choice((1, 512, 4096, 40_000))
    return _Message(f"{count} bytes after the end", base.text + dice.randbytes(count))
