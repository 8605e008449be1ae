"""Fractions that may lie apart by a share of themselves, where the settings say so."""

from math import isfinite
from typing import Any

_MONEY_DECIMALS = 2


def are_near(left: Any, right: Any, tolerance: float) -> bool:
    """Whether two numbers, of which one is a fraction at least, differ by no more than `tolerance` of the
    larger. Numbers of two decimals or fewer are counts and money, and are never near.
    """
    if not tolerance or not (_is_number(left) and _is_number(right)):
        return False
    if _is_exact(left) and _is_exact(right):
        return False
    apart = abs(left - right)
    return isfinite(apart) and bool(apart <= tolerance * max(abs(left), abs(right)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_exact(number: float) -> bool:
    return isinstance(number, int) or round(number, _MONEY_DECIMALS) == number
