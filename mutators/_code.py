"""What injection probes share: numbers to compute, names to look for, and signs that tell."""

from random import Random

from shadow.model import Shows, Sign


def product(rng: Random) -> tuple[int, int, bytes]:
    """(one factor, the other, their product): ten digits that stand in no answer by chance."""
    left, right = rng.randrange(40_001, 99_999, 2), rng.randrange(40_001, 99_999, 2)
    return left, right, b"%d" % (left * right)


def name(rng: Random) -> str:
    """A name that stands in no answer by chance: lower case, a letter first."""
    return f"sh{rng.getrandbits(48):012x}"


def computed(word: bytes, how: str, place: str) -> Sign:
    """That a product is in the answer shows that `how` put into `place` was run."""
    return Sign(
        Shows.NUMBER, "code-injection", f"{how} put into {place} was run: its result is in the answer", word
    )
