"""Inputs made of others: bytes changed, parts repeated, moved, left out and taken from elsewhere."""

from collections.abc import Sequence
from random import Random

_ODD = (
    b"",
    b"\0",
    b"\xff\xff\xff\xff",
    b"\r\n",
    b"\r\n\r\n",
    b"0",
    b"-1",
    b"99999999999",
    b'"',
    b"\\",
    b"{[",
    b"\x80",
)


def mutated(rng: Random, seeds: Sequence[bytes]) -> bytes:
    """One of `seeds`, changed in one to six places."""
    text = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 6)):
        at, size = rng.randint(0, len(text)), rng.choice([1, 1, 2, 4, 8, 40, 400])
        match rng.randrange(7):
            case 0 if text:
                text[min(at, len(text) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                text[at : at + size] = rng.randbytes(size)
            case 2:
                del text[at : at + size]
            case 3:
                text[at:at] = text[at : at + size] * rng.choice([1, 2, 30])
            case 4:
                text[at : at + rng.choice([0, size])] = rng.choice(_ODD)
            case 5:
                other = rng.choice(seeds)
                start = rng.randint(0, len(other))
                text[at : at + rng.choice([0, size])] = other[start : start + 10 * size]
            case _:
                del text[at + 1000 * size :]
    return bytes(text)
