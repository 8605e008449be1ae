"""How long something lives that is told as a moment: ``Expires`` of answers and of cookies."""

from email.utils import parsedate_to_datetime

_ROUGHLY = 0.02
_STEP_SECONDS = 5.0
"""Lifetimes this close are one: the moment is taken by another clock than the Date, a little before it."""
_GONE = ("0", "-1")
"""Read as a moment in the past (RFC 9111 §5.3)."""


def lifetime(expires: str, date: str) -> float | None:
    """Seconds from `date` to `expires`, 0.0 for what is gone; None where either is no date."""
    if expires.strip() in _GONE:
        return 0.0
    end, start = _seconds(expires), _seconds(date)
    return None if end is None or start is None else max(0.0, end - start)


def are_one(left: float, right: float) -> bool:
    return abs(left - right) <= max(_STEP_SECONDS, _ROUGHLY * max(left, right))


def words(seconds: float) -> str:
    """As it is told: ``"3600 seconds"``."""
    return "gone at once" if not seconds else f"for {round(seconds)} seconds"


def _seconds(text: str) -> float | None:
    """Of an HTTP date, or of one as cookies have it, with hyphens (RFC 6265 §5.1.1)."""
    if not 8 <= len(text) <= 48:
        return None
    try:
        return parsedate_to_datetime(text.replace("-", " ")).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
