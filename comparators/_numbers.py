"""When two numbers are one: as values, and as far as the binary fractions that carry them can tell."""

from math import isfinite

NOISE = 1e-14
"""Relative: 45 steps of a double, what a sum of a few terms loses in another order."""
_EXACT_DIGITS = 15
"""A double holds every decimal of so many digits (DBL_DIG): two such that differ were written so."""


def are_one(left: float, right: float) -> bool:
    """Whether two unequal numbers differ by nothing but how sums are rounded: 0.1 + 0.2 and 0.3.

    Never two integers, nor two decimals that a person could have written, however large: those are counts
    and money. NaN is itself.
    """
    if isinstance(left, int) and isinstance(right, int):
        return False
    if left != left or right != right:  # noqa: PLR0124 - NaN, the only value unequal to itself
        return left != left and right != right  # noqa: PLR0124 - so too
    try:
        is_near = abs(left - right) <= NOISE * max(abs(left), abs(right))
    except OverflowError:  # an integer beyond all doubles
        return False
    # of infinity every number is near
    return is_near and isfinite(left) and isfinite(right) and (_is_ragged(left) or _is_ragged(right))


def _is_ragged(number: float) -> bool:
    """Whether it takes more digits to write than anybody writes."""
    if not isinstance(number, float):
        return False
    digits = repr(number).partition("e")[0].replace(".", "").lstrip("-0")
    return len(digits) > _EXACT_DIGITS
