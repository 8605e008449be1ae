"""Whether an array is a list or a set, by who reorders it."""

from itertools import pairwise
from math import lgamma, log

from shadow.model import Difference

_MAX_ELEMENTS = 256
_MIN_TURNED = 2
"""Neighbours of a list of scalars that must stand the other way round: one pair may be a tie."""

_ROUNDING = 1e-6


class Orders:
    """How arrays of one name were reordered, over all endpoints: what is a set is one everywhere."""

    __slots__ = ("_elements", "bits", "inversions", "teachers")

    def __init__(self) -> None:
        self.teachers: set[str] = set()
        """Who gave the same elements in another order, and so showed that they have none."""
        self.inversions: set[int] = set()
        """Hashes of neighbours that the candidate has the other way round than live."""
        self.bits = 0.0
        """How little likely it is that two processes had sets of these elements in one order by chance."""
        self._elements: set[str] = set()

    def add(self, difference: Difference, max_inversions: int) -> None:
        """Take in an array that the candidate alone has in another order."""
        if len(self.inversions) < max_inversions:
            self.inversions.update(_inversions(difference))
        if isinstance(difference.left, list) and len(self._elements) < _MAX_ELEMENTS:
            elements = {repr(item) for item in difference.left}
            new = len(elements - self._elements)
            self.bits += (lgamma(len(elements) + 1) - lgamma(len(elements) - new + 1)) / log(2)
            self._elements |= elements

    def is_list_of_scalars(self, min_bits: float) -> bool:
        """Whether the live release keeps an order that no two processes would share by chance."""
        return self.bits > min_bits - _ROUNDING and len(self.inversions) >= min(_MIN_TURNED, min_bits)


def holds_scalars(value: object) -> bool:
    """Whether an array, or the beginning of its text where it is long, holds neither objects nor arrays."""
    if isinstance(value, str):
        return "{" not in value and "[" not in value.removeprefix("[")
    return isinstance(value, list) and not any(isinstance(item, dict | list) for item in value)


def _inversions(difference: Difference) -> set[int]:
    """Neighbours on the left that stand the other way round on the right."""
    if not isinstance(difference.left, list) or not isinstance(difference.right, list):
        return {hash(repr(difference.left))}
    places = {repr(item): at for at, item in enumerate(difference.right)}
    labels = [repr(item) for item in difference.left if repr(item) in places]
    return {hash(frozenset(pair)) for pair in pairwise(labels) if places[pair[0]] > places[pair[1]]}
