"""Numbers of ids that are others without a reason: no target gave anything anew that would explain it."""

import re
from collections.abc import Collection
from typing import Any

from shadow.judge.shapes import is_id_name, masked
from shadow.model import Change, Difference

_NUMBER = re.compile(r"(\d+)")
_MAX_DIGITS = 9
"""Longer numbers are drawn, not counted."""
_MAX_GIVEN = 10_000
_REDIRECT = "header:location"


class Numbers:
    """What requests that make something were given at live and at the candidate. One for a run."""

    __slots__ = ("_given",)

    def __init__(self) -> None:
        self._given: set[tuple[str, str]] = set()

    def add(self, difference: Difference, name: str) -> None:
        """Take in how an answer to a request that makes something differs."""
        pair = number_of(difference, name)
        if pair is not None and len(self._given) < _MAX_GIVEN:
            self._given.add(pair)

    def explain(self, difference: Difference, name: str, own: Collection[str]) -> bool:
        """Whether another number may be that of a thing made anew: of a redirect where this very pair was
        given, elsewhere once any was, as what hangs on a thing has numbers of its own. So is all that differs
        by more than one number."""
        pair = number_of(difference, name, own)
        if pair is None:
            return True
        return pair in self._given if difference.where == _REDIRECT else bool(self._given)


def number_of(difference: Difference, name: str, own: Collection[str] = ()) -> tuple[str, str] | None:
    """The one number in which two ids differ, at live and at the candidate; None for all else."""
    if difference.change is not Change.VALUE or not is_id_name(name):
        return None
    ours, theirs = (_parts(each, own) for each in (difference.left, difference.right))
    if ours is None or theirs is None or len(ours) != len(theirs):
        return None
    apart = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    if len(apart) != 1 or not all(each.isdigit() and len(each) <= _MAX_DIGITS for each in apart[0]):
        return None
    return apart[0]


def _parts(value: Any, own: Collection[str]) -> list[str] | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = masked(value, own) if isinstance(value, str) else str(value)
    return _NUMBER.split(text)
