"""Bytes of any body, whatever it holds (radamsa, AFL++, honggfuzz). The content coding stays intact
around them.
"""

import re
from collections.abc import Callable
from random import Random
from typing import Literal

from mutators import _strings as strings
from mutators._contract import mutator
from shadow.content.entity import entity, replace_body
from shadow.model import Edit, Expect, Known, Level, Request

_MAX_BLOCK = 4_096
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
_ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")
_BRACKETS = {0x28: 0x29, 0x5B: 0x5D, 0x7B: 0x7D, 0x3C: 0x3E}


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def flip_bit(request: Request, rng: Random) -> Edit | None:
    """One bit the other way is data that nobody expected (radamsa bf): any clean answer."""

    def change(text: bytes) -> bytes:
        at = rng.randrange(len(text))
        return _put(text, at, bytes([text[at] ^ (1 << rng.randrange(8))]))

    return _edit(request, change, "flipped a bit")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def change_byte(request: Request, rng: Random) -> Edit | None:
    """Another byte, one more, one less, or its complement (AFL++ rand8, byteadd, flip8): any clean answer."""

    def change(text: bytes) -> bytes:
        at = rng.randrange(len(text))
        old = text[at]
        return _put(
            text, at, bytes([rng.choice((rng.randrange(256), (old + 1) & 255, (old - 1) & 255, old ^ 255))])
        )

    return _edit(request, change, "changed a byte")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def insert_bytes(request: Request, rng: Random) -> Edit | None:
    """Random bytes where none were (radamsa bi): any clean answer."""

    def change(text: bytes) -> bytes:
        at = rng.randint(0, len(text))
        return text[:at] + rng.randbytes(rng.choice((1, 1, 2, 8, 64))) + text[at:]

    return _edit(request, change, "inserted bytes")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def delete_bytes(request: Request, rng: Random) -> Edit | None:
    """A byte or a block gone (radamsa bd, sd): any clean answer."""

    def change(text: bytes) -> bytes:
        start, end = _block(text, rng)
        return text[:start] + text[end:]

    return _edit(request, change, "deleted bytes")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def repeat_bytes(request: Request, rng: Random) -> Edit | None:
    """A block many times over (radamsa sr): lengths and counts grow beyond what was planned (CWE-120)."""

    def change(text: bytes) -> bytes:
        start, end = _block(text, rng)
        count = min(rng.choice((2, 10, 1_000)), 200_000 // (end - start) + 1)
        return text[:end] + text[start:end] * count + text[end:]

    return _edit(request, change, "repeated a block")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def shuffle_bytes(request: Request, rng: Random) -> Edit | None:
    """A block in another order (radamsa bp, AFL++ shuffle): any clean answer."""

    def change(text: bytes) -> bytes:
        start, end = _block(text, rng)
        block = bytearray(text[start:end])
        rng.shuffle(block)
        return _put(text, start, bytes(block))

    return _edit(request, change, "shuffled a block")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def move_block(request: Request, rng: Random) -> Edit | None:
    """A block copied, moved or written over another (AFL++ clone and overwrite): any clean answer."""

    def change(text: bytes) -> bytes:
        start, end = _block(text, rng)
        block = text[start:end]
        rest = text[:start] + text[end:]
        at, to = rng.randint(0, len(rest)), rng.randint(0, len(text))
        moved = rest[:at] + block + rest[at:]
        return rng.choice((moved, text[:to] + block + text[to:], _put(text, to, block)))

    return _edit(request, change, "moved a block")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def truncate_body(request: Request, rng: Random) -> Edit | None:
    """A body cut short, its length stated rightly: incomplete content is 400 or taken as it is, never a
    crash.
    """
    return _edit(
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
        return _put(text, rng.randint(0, len(text) - width), value)

    return _edit(request, change, "put in a boundary integer")


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
        return _put(text, at, (value % (1 << 8 * width)).to_bytes(width, order))

    return _edit(request, change, "added to an integer")


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

    return _edit(request, change, "changed a number")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def rearrange_lines(request: Request, rng: Random) -> Edit | None:
    """A line dropped, repeated, or exchanged with another (radamsa ld, lr, ls): any clean answer."""

    def change(text: bytes) -> bytes | None:
        lines = text.splitlines(keepends=True)
        if len(lines) < 2:
            return None
        left, right = rng.sample(range(len(lines)), 2)
        swapped = lines.copy()
        swapped[left], swapped[right] = swapped[right], swapped[left]
        dropped = lines[:left] + lines[left + 1 :]
        repeated = lines[:left] + [lines[left]] * rng.choice((2, 100)) + lines[left + 1 :]
        return b"".join(rng.choice((swapped, dropped, repeated)))

    return _edit(request, change, "rearranged lines")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def rearrange_brackets(request: Request, rng: Random) -> Edit | None:
    """A bracketed part dropped, doubled, or nested in itself (radamsa td, tr2, tr): any clean answer
    (CWE-674).
    """

    def change(text: bytes) -> bytes | None:
        opens = [at for at, byte in enumerate(text[:20_000]) if byte in _BRACKETS]
        start = rng.choice(opens) if opens else -1
        end = _closing(text, start) if opens else None
        if end is None:
            return None
        part = text[start:end]
        depth = rng.choice((10, 1_000))
        nested = part[:1] * depth + part + part[-1:] * depth
        return text[:start] + rng.choice((b"", part + part, nested, part[1:-1])) + text[end:]

    return _edit(request, change, "rearranged a bracketed part")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_odd_utf8(request: Request, rng: Random) -> Edit | None:
    """Overlong and impossible UTF-8 is invalid (RFC 3629 §3): refused or replaced, never a crash
    (CWE-176).
    """
    return _insert(request, rng, rng.choice(_OVERLONG), "inserted odd UTF-8")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_odd_unicode(request: Request, rng: Random) -> Edit | None:
    """Text that looks or behaves oddly (radamsa ui): taken or refused, never a crash (Unicode TR 36)."""
    pieces = strings.INVISIBLE + strings.BIDI + strings.EMOJI + strings.ODD
    return _insert(request, rng, strings.raw(rng.choice(pieces)), "inserted odd Unicode")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_bad_ascii(request: Request, rng: Random) -> Edit | None:
    """Bytes that mean something to shells, printf, paths and terminals (radamsa ab): data here, never
    obeyed.
    """
    return _insert(request, rng, rng.choice(_BAD_ASCII), "inserted bad ASCII")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def splice_recorded_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """The head of this body and the tail of another recorded one (AFL++ splice): any clean answer."""
    others = [body for other in known.others if (body := entity(other.request)) and body != request.body]
    if not others:
        return None
    other = rng.choice(others)

    def change(text: bytes) -> bytes:
        return text[: rng.randint(0, len(text))] + other[rng.randint(0, len(other)) :]

    return _edit(request, change, "spliced in another recorded body")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def put_recorded_value(request: Request, rng: Random, known: Known) -> Edit | None:
    """A word that traffic showed, anywhere (AFL++ dictionary, fed by the traffic itself): any clean
    answer.
    """
    kinds = list(known.kinds)
    if not kinds:
        return None
    place, value = rng.choice(known.kinds[rng.choice(kinds)])
    word = value[:_MAX_BLOCK].encode("utf-8", "surrogatepass")
    return _insert(request, rng, word, f"inserted a value of {place}")


def _edit(request: Request, change: Callable[[bytes], bytes | None], what: str) -> Edit | None:
    """An edit of the body with its coding undone; None without a body, or where nothing would change."""
    text = entity(request) if request.body else None
    new = change(text) if text else None
    return None if new is None or new == text else Edit(replace_body(request, new), what)


def _insert(request: Request, rng: Random, piece: bytes, what: str) -> Edit | None:
    def change(text: bytes) -> bytes:
        at = rng.randint(0, len(text))
        return text[:at] + piece + text[at:] if rng.random() < 0.7 else _put(text, at, piece)

    return _edit(request, change, what)


def _put(text: bytes, at: int, piece: bytes) -> bytes:
    """`text` with `piece` written over what stands at `at`."""
    return text[:at] + piece + text[at + len(piece) :]


def _block(text: bytes, rng: Random) -> tuple[int, int]:
    """(start, end) of a block of at least one byte, mostly short."""
    size = min(len(text), rng.choice((1, 1, 2, 4, 16, 256, _MAX_BLOCK)))
    start = rng.randint(0, len(text) - size)
    return start, start + size


def _closing(text: bytes, start: int) -> int | None:
    """The end of the bracketed part that begins at `start`; None where it is not closed."""
    opening, closing = text[start], _BRACKETS[text[start]]
    depth = 0
    for at in range(start, min(len(text), start + 20_000)):
        depth += (text[at] == opening) - (text[at] == closing)
        if depth == 0:
            return at + 1
    return None
