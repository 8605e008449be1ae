"""Single bits, bytes and numbers of any body, whatever it holds (radamsa, AFL++, honggfuzz). The content
coding stays intact around them.
"""

import re
from random import Random
from typing import Literal

from mutators._bytes import block_of, bytes_edit, put
from mutators._contract import mutator
from shadow.model import Edit, Expect, Level, Request

_INTERESTING = {
    1: (0, 1, 16, 32, 64, 100, 127, 128, 255),
    2: (0, 128, 255, 256, 512, 1_000, 1_024, 4_096, 32_767, 32_768, 65_535),
    4: (0, 1, 32_768, 65_535, 65_536, 100_663_045, 2_147_483_647, 2_147_483_648, 4_294_967_295),
    8: (0, 1, 4_294_967_295, 4_294_967_296, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1),
}
"""Boundaries by width in bytes, as AFL++ has them."""
_NUMBER = re.compile(rb"-?\d{1,30}")
_NUMBERS = (
    0,
    -1,
    1,
    127,
    128,
    255,
    256,
    32_768,
    65_536,
    2_147_483_648,
    4_294_967_296,
    1 << 63,
    1 << 64,
    10**30,
)
_ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def flip_bit(request: Request, rng: Random) -> Edit | None:
    """One bit the other way is data that nobody expected (radamsa bf): any clean answer."""

    def change(text: bytes) -> bytes:
        at = rng.randrange(len(text))
        return put(text, at, bytes([text[at] ^ (1 << rng.randrange(8))]))

    return bytes_edit(request, change, "flipped a bit")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def change_byte(request: Request, rng: Random) -> Edit | None:
    """Another byte, one more, one less, or its complement (AFL++ rand8, byteadd, flip8): any clean answer."""

    def change(text: bytes) -> bytes:
        at = rng.randrange(len(text))
        old = text[at]
        return put(
            text, at, bytes([rng.choice((rng.randrange(256), (old + 1) & 255, (old - 1) & 255, old ^ 255))])
        )

    return bytes_edit(request, change, "changed a byte")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def insert_bytes(request: Request, rng: Random) -> Edit | None:
    """Random bytes where none were (radamsa bi): any clean answer."""

    def change(text: bytes) -> bytes:
        at = rng.randint(0, len(text))
        return text[:at] + rng.randbytes(rng.choice((1, 1, 2, 8, 64))) + text[at:]

    return bytes_edit(request, change, "inserted bytes")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def delete_bytes(request: Request, rng: Random) -> Edit | None:
    """A byte or a block gone (radamsa bd, sd): any clean answer."""

    def change(text: bytes) -> bytes:
        start, end = block_of(text, rng)
        return text[:start] + text[end:]

    return bytes_edit(request, change, "deleted bytes")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def truncate_body(request: Request, rng: Random) -> Edit | None:
    """A body cut short, its length stated rightly: incomplete content is 400 or taken as it is, never a
    crash.
    """
    return bytes_edit(
        request,
        lambda text: text[: rng.choice((0, 1, 4, len(text) // 2, len(text) - 1))],
        "cut the body short",
    )


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_interesting_integer(request: Request, rng: Random) -> Edit | None:
    """Boundary values of 8 to 64 bits in both byte orders (AFL++ interesting): any clean answer (CWE-190)."""

    def change(text: bytes) -> bytes:
        width = rng.choice([width for width in _INTERESTING if width <= len(text)])
        value = rng.choice(_INTERESTING[width]).to_bytes(width, rng.choice(_ORDERS))
        return put(text, rng.randint(0, len(text) - width), value)

    return bytes_edit(request, change, "put in a boundary integer")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def add_to_integer(request: Request, rng: Random) -> Edit | None:
    """A little more or less in 8 to 64 bits, in both byte orders (AFL++ arith, up to 35): any clean
    answer.
    """

    def change(text: bytes) -> bytes:
        width = rng.choice([width for width in _INTERESTING if width <= len(text)])
        at = rng.randint(0, len(text) - width)
        order = rng.choice(_ORDERS)
        delta = rng.choice((-1, 1)) * rng.randint(1, 35)
        value = int.from_bytes(text[at : at + width], order) + delta
        return put(text, at, (value % (1 << 8 * width)).to_bytes(width, order))

    return bytes_edit(request, change, "added to an integer")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def change_text_number(request: Request, rng: Random) -> Edit | None:
    """Another number where digits stand (radamsa num, AFL++ asciinum): any clean answer (CWE-190)."""

    def change(text: bytes) -> bytes | None:
        found = list(_NUMBER.finditer(text))
        if not found:
            return None
        chosen = rng.choice(found)
        old = int(chosen[0])
        new = rng.choice((rng.choice(_NUMBERS), old + 1, old - 1, old * 2, -old, rng.getrandbits(64)))
        return text[: chosen.start()] + b"%d" % new + text[chosen.end() :]

    return bytes_edit(request, change, "changed a number")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def turn_integer(request: Request, rng: Random) -> Edit | None:
    """A number of 16 to 64 bits negated, or in the other byte order (honggfuzz, AFL++): any clean answer."""

    def change(text: bytes) -> bytes | None:
        widths = [width for width in (2, 4, 8) if width <= len(text)]
        if not widths:
            return None
        width = rng.choice(widths)
        at = rng.randint(0, len(text) - width)
        word = text[at : at + width]
        order = rng.choice(_ORDERS)
        negated = (-int.from_bytes(word, order) % (1 << 8 * width)).to_bytes(width, order)
        return put(text, at, rng.choice((negated, word[::-1])))

    return bytes_edit(request, change, "turned an integer")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def insert_text_number(request: Request, rng: Random) -> Edit | None:
    """Digits where none stood, up to thousands of them (AFL++ insertasciinum): any clean answer (CWE-190)."""
    number = rng.choice((*_NUMBERS, rng.getrandbits(64)))
    digits = rng.choice((b"%d" % number, b"9" * 5_000, b"0" * 300 + b"1"))

    def change(text: bytes) -> bytes:
        at = rng.randint(0, len(text))
        return text[:at] + digits + text[at:]

    return bytes_edit(request, change, "inserted digits")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def change_many_bytes(request: Request, rng: Random) -> Edit | None:
    """A hundredth to a tenth of all bytes at random (scapy's corrupt_bytes, honggfuzz): any clean answer."""

    def change(text: bytes) -> bytes:
        changed = bytearray(text)
        for _ in range(max(2, min(1_000, len(text) // rng.choice((10, 100))))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        return bytes(changed)

    return bytes_edit(request, change, "changed many bytes")
