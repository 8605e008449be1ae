"""Words, signs and parts of other bodies put into any body: Unicode, bad ASCII, magic, values of traffic."""

from random import Random

from mutators import _strings as strings
from mutators._bytes import MAX_BLOCK_BYTES, bytes_edit, insert_edit
from mutators._contract import mutator
from shadow.content.entity import entity
from shadow.model import Edit, Expect, Known, Level, Request

_OVERLONG = (
    b"\xc0\xaf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xc0\x80",
    b"\xf8\x80\x80\x80\xaf",
    b"\xed\xa0\x80\xed\xb0\x80",
)
_BAD_ASCII = (
    b"%n%n%n",
    b"%s%s%s",
    b"../../../",
    b"\x00",
    b"\r\n",
    b"';--",
    b'"',
    b"`id`",
    b"$(id)",
    b"a" * 5_000,
    b"\x1b[2J",
    b"\x08" * 8,
)
_MAGIC = (
    *(
        b"\x1f\x8b\x08\x00",
        b"PK\x03\x04",
        b"%PDF-1.7",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"MZ",
    ),
    *(
        b"\x7fELF",
        b"\xca\xfe\xba\xbe",
        b"RIFF\x00\x00\x00\x00WEBP",
        b"BZh9",
        b"\xfd7zXZ\x00",
        b"\x28\xb5\x2f\xfd",
    ),
    *(
        b"\xac\xed\x00\x05",
        b"\x80\x04\x95",
        b"\x04\x08",
        b"#!/bin/sh\n",
        b"<?xml version='1.0'?>",
        b"OggS",
        b"bplist00",
    ),
)
"""How files begin: archives, images, programs, serialised objects of Java, Python and Ruby."""
_SIGNS = b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_odd_utf8(request: Request, rng: Random) -> Edit | None:
    """Overlong and impossible UTF-8 is invalid (RFC 3629 §3): refused or replaced, never a crash
    (CWE-176).
    """
    return insert_edit(request, rng, rng.choice(_OVERLONG), "inserted odd UTF-8")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_odd_unicode(request: Request, rng: Random) -> Edit | None:
    """Text that looks or behaves oddly (radamsa ui): taken or refused, never a crash (Unicode TR 36)."""
    pieces = strings.INVISIBLE + strings.BIDI + strings.EMOJI + strings.ODD
    return insert_edit(request, rng, strings.raw(rng.choice(pieces)), "inserted odd Unicode")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_bad_ascii(request: Request, rng: Random) -> Edit | None:
    """Bytes that mean something to shells, printf, paths and terminals (radamsa ab): data here, never
    obeyed.
    """
    return insert_edit(request, rng, rng.choice(_BAD_ASCII), "inserted bad ASCII")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def splice_recorded_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """The head of this body and the tail of another recorded one (AFL++ splice): any clean answer."""
    other = _other(request, rng, known)
    if other is None:
        return None

    def change(text: bytes) -> bytes:
        return text[: rng.randint(0, len(text))] + other[rng.randint(0, len(other)) :]

    return bytes_edit(request, change, "spliced in another recorded body")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_recorded_value(request: Request, rng: Random, known: Known) -> Edit | None:
    """A word that traffic showed, anywhere (AFL++ dictionary, fed by the traffic itself): any clean
    answer.
    """
    kinds = list(known.kinds)
    if not kinds:
        return None
    place, value = rng.choice(known.kinds[rng.choice(kinds)])
    word = value[:MAX_BLOCK_BYTES].encode("utf-8", "surrogatepass")
    return insert_edit(request, rng, word, f"inserted a value of {place}")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def cross_recorded_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """Parts of this body and of another recorded one in turn (honggfuzz, libFuzzer crossover): any clean
    answer.
    """
    other = _other(request, rng, known)
    if other is None:
        return None

    def change(text: bytes) -> bytes:
        pieces: list[bytes] = []
        at = 0
        while at < len(text) and len(pieces) < 16:
            size = rng.randint(1, max(1, len(text) // 3))
            source = text if len(pieces) % 2 == 0 else other
            pieces.append(source[at : at + size])
            at += size
        return b"".join(pieces)

    return bytes_edit(request, change, "crossed with another recorded body")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_recorded_part(request: Request, rng: Random, known: Known) -> Edit | None:
    """A part of another recorded body, put in or written over (AFL++ splice overwrite and insert): any clean
    answer.
    """
    other = _other(request, rng, known)
    if other is None:
        return None
    start = rng.randrange(len(other))
    piece = other[start : start + rng.choice((4, 16, 256, MAX_BLOCK_BYTES))]
    return insert_edit(request, rng, piece, "put in a part of another recorded body")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_magic(request: Request, rng: Random) -> Edit | None:
    """The body begins as a file of another kind does (honggfuzz magic): whoever sniffs is misled, nobody
    crashes or unpacks it (CWE-434, CWE-502).
    """
    magic = rng.choice(_MAGIC)
    is_over = rng.random() < 0.5
    return bytes_edit(
        request,
        lambda text: magic + text[len(magic) if is_over else 0 :],
        f"began the body with {magic[:8]!r}",
    )


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_length_and_value(request: Request, rng: Random) -> Edit | None:
    """A type, a length that may lie, and a value (honggfuzz tlv): formats of records misread it (CWE-130)."""
    value = rng.randbytes(rng.choice((0, 1, 8, 64)))
    width, order = rng.choice(((1, "big"), (2, "big"), (2, "little"), (4, "big"), (4, "little")))
    length = rng.choice((len(value), len(value) + 1, (1 << 8 * width) - 1, 0))
    record = rng.randbytes(1) + length.to_bytes(width, "big" if order == "big" else "little") + value
    return insert_edit(request, rng, record, "inserted a record with its length")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_punctuation(request: Request, rng: Random) -> Edit | None:
    """A sign of punctuation, or a run of them (honggfuzz punctuation): any clean answer."""
    sign = rng.choice(_SIGNS)
    return insert_edit(request, rng, bytes([sign]) * rng.choice((1, 1, 2, 16)), "inserted punctuation")


def _other(request: Request, rng: Random, known: Known) -> bytes | None:
    """Another recorded body, its coding undone; None where none is known."""
    others = [body for each in known.others if (body := entity(each.request)) and body != request.body]
    return rng.choice(others) if others else None
