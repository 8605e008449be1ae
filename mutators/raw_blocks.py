"""Blocks, lines, words and bracketed parts of any body, moved, repeated, filled and dropped (radamsa, AFL++,
honggfuzz).
"""

import re
from itertools import pairwise
from random import Random

from mutators._bytes import block_of, bytes_edit, put, repeats
from mutators._contract import mutator
from shadow.model import Edit, Expect, Level, Request

_BRACKETS = {0x28: 0x29, 0x5B: 0x5D, 0x7B: 0x7D, 0x3C: 0x3E}
_WORD = re.compile(rb"[A-Za-z0-9_]+")
_MAX_SCANNED_BYTES = 20_000


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def repeat_bytes(request: Request, rng: Random) -> Edit | None:
    """A block many times over (radamsa sr): lengths and counts grow beyond what was planned (CWE-120)."""

    def change(text: bytes) -> bytes:
        start, end = block_of(text, rng)
        block = text[start:end]
        return text[:end] + block * repeats(block, rng.choice((2, 10, 1_000))) + text[end:]

    return bytes_edit(request, change, "repeated a block")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def shuffle_bytes(request: Request, rng: Random) -> Edit | None:
    """A block in another order (radamsa bp, AFL++ shuffle): any clean answer."""

    def change(text: bytes) -> bytes:
        start, end = block_of(text, rng)
        block = bytearray(text[start:end])
        rng.shuffle(block)
        return put(text, start, bytes(block))

    return bytes_edit(request, change, "shuffled a block")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def move_block(request: Request, rng: Random) -> Edit | None:
    """A block copied, moved or written over another (AFL++ clone and overwrite): any clean answer."""

    def change(text: bytes) -> bytes:
        start, end = block_of(text, rng)
        block = text[start:end]
        rest = text[:start] + text[end:]
        at, to = rng.randint(0, len(rest)), rng.randint(0, len(text))
        moved = rest[:at] + block + rest[at:]
        return rng.choice((moved, text[:to] + block + text[to:], put(text, to, block)))

    return bytes_edit(request, change, "moved a block")


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
        repeated = (
            lines[:left] + [lines[left]] * repeats(lines[left], rng.choice((2, 100))) + lines[left + 1 :]
        )
        return b"".join(rng.choice((swapped, dropped, repeated)))

    return bytes_edit(request, change, "rearranged lines")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def rearrange_brackets(request: Request, rng: Random) -> Edit | None:
    """A bracketed part dropped, doubled, or nested in itself (radamsa td, tr2, tr): any clean answer
    (CWE-674).
    """

    def change(text: bytes) -> bytes | None:
        opens = [at for at, byte in enumerate(text[:_MAX_SCANNED_BYTES]) if byte in _BRACKETS]
        start = rng.choice(opens) if opens else -1
        end = _closing(text, start) if opens else None
        if end is None:
            return None
        part = text[start:end]
        depth = rng.choice((10, 1_000))
        nested = part[:1] * depth + part + part[-1:] * depth
        return text[:start] + rng.choice((b"", part + part, nested, part[1:-1])) + text[end:]

    return bytes_edit(request, change, "rearranged a bracketed part")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def swap_blocks(request: Request, rng: Random) -> Edit | None:
    """Two blocks in each other's place (AFL++ switch, honggfuzz swap): any clean answer."""

    def change(text: bytes) -> bytes | None:
        if len(text) < 2:
            return None
        size = min(rng.choice((1, 2, 4, 16, 256)), len(text) // 2)
        left = rng.randint(0, len(text) - 2 * size)
        right = rng.randint(left + size, len(text) - size)
        one, other = text[left : left + size], text[right : right + size]
        return text[:left] + other + text[left + size : right] + one + text[right + size :]

    return bytes_edit(request, change, "swapped two blocks")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def fill_block(request: Request, rng: Random) -> Edit | None:
    """One byte all through a block, or a block of one byte more (honggfuzz memset, AFL++ clone fixed): any
    clean answer.
    """
    byte = bytes([rng.choice((0, 255, 32, 65, rng.randrange(256)))])

    def change(text: bytes) -> bytes:
        start, end = block_of(text, rng)
        filled = byte * (end - start)
        return text[:start] + filled + text[start if rng.random() < 0.3 else end :]

    return bytes_edit(request, change, f"filled a block with {byte.hex()}")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def shuffle_words(request: Request, rng: Random) -> Edit | None:
    """Words in another order, the signs between them in place (honggfuzz token_shuffle): any clean answer."""

    def change(text: bytes) -> bytes | None:
        spans = [found.span() for found in _WORD.finditer(text[:_MAX_SCANNED_BYTES])]
        if len(spans) < 2:
            return None
        first = rng.randrange(len(spans) - 1)
        chosen = spans[first : first + rng.choice((2, 3, 8))]
        words = [text[start:end] for start, end in chosen]
        rng.shuffle(words)
        gaps = [text[one[1] : other[0]] for one, other in pairwise(chosen)]
        inner = b"".join(word + gap for word, gap in zip(words, [*gaps, b""], strict=True))
        return text[: chosen[0][0]] + inner + text[chosen[-1][1] :]

    return bytes_edit(request, change, "shuffled words")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def insert_line_elsewhere(request: Request, rng: Random) -> Edit | None:
    """A line copied to another place, or all of them in another order (radamsa lis, lp): any clean answer."""

    def change(text: bytes) -> bytes | None:
        lines = text.splitlines(keepends=True)
        if len(lines) < 2:
            return None
        if rng.random() < 0.5:
            return b"".join(rng.sample(lines, len(lines)))
        lines.insert(rng.randint(0, len(lines)), rng.choice(lines))
        return b"".join(lines)

    return bytes_edit(request, change, "moved lines about")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def swap_brackets(request: Request, rng: Random) -> Edit | None:
    """Two bracketed parts in each other's place, or one in the place of both (radamsa ts1, ts2): any clean
    answer.
    """

    def change(text: bytes) -> bytes | None:
        parts = _parts(text, rng)
        if len(parts) < 2:
            return None
        (start, end), (other, last) = sorted(rng.sample(parts, 2))
        if end > other:  # one within the other: the outer one gives way
            return text[:start] + text[other:last] + text[end:]
        second = text[start:end] if rng.random() < 0.7 else text[other:last]
        return text[:start] + text[other:last] + text[end:other] + second + text[last:]

    return bytes_edit(request, change, "swapped bracketed parts")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def rearrange_quotes(request: Request, rng: Random) -> Edit | None:
    """A quoted part dropped, doubled, emptied, or left open (radamsa's trees hold quotes too): any clean
    answer.
    """

    def change(text: bytes) -> bytes | None:
        found = list(re.finditer(rb"\"[^\"\n]{0,400}\"|'[^'\n]{0,400}'", text[:_MAX_SCANNED_BYTES]))
        if not found:
            return None
        part = rng.choice(found)
        quote = part[0][:1]
        other = rng.choice((b"", part[0] * 2, quote * 2, part[0][:-1], quote + part[0] + quote))
        return text[: part.start()] + other + text[part.end() :]

    return bytes_edit(request, change, "rearranged a quoted part")


@mutator(level=Level.BYTES, expect=Expect.SURVIVE)
def fuse_body(request: Request, rng: Random) -> Edit | None:
    """The beginning of the body, and from another place on its end: a jump to a like context (radamsa fn, ft,
    fo).
    """

    def change(text: bytes) -> bytes | None:
        at = rng.randrange(len(text))
        places = [
            found.start() for found in re.finditer(re.escape(text[at : at + 1]), text[:_MAX_SCANNED_BYTES])
        ]
        others = [place for place in places if place != at]
        return text[:at] + text[rng.choice(others) :] if others else None

    return bytes_edit(request, change, "fused the body with itself")


def _parts(text: bytes, rng: Random) -> list[tuple[int, int]]:
    """Some (start, end) of bracketed parts."""
    opens = [at for at, byte in enumerate(text[:_MAX_SCANNED_BYTES]) if byte in _BRACKETS]
    chosen = rng.sample(opens, min(4, len(opens)))
    return [(at, end) for at in chosen if (end := _closing(text, at)) is not None]


def _closing(text: bytes, start: int) -> int | None:
    """The end of the bracketed part that begins at `start`; None where it is not closed."""
    opening, closing = text[start], _BRACKETS[text[start]]
    depth = 0
    for at in range(start, min(len(text), start + _MAX_SCANNED_BYTES)):
        depth += (text[at] == opening) - (text[at] == closing)
        if depth == 0:
            return at + 1
    return None
