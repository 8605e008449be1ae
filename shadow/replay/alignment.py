"""Which element of one list is which of another, when order and identifiers may differ."""

from collections.abc import Callable, Iterator
from typing import Any

from shadow.replay.token import is_id_key, is_token

type Known = Callable[[str], str | None]
"""A live value to the shadow value that it is already known to stand for."""

_ELEMENTS_MAX = 2000
_LEAVES_MAX = 64
_OWN_KEYS = frozenset({"id", "_id", "uuid", "guid", "uid", "arn", "href", "self"})
_SAME_SHARE = 0.75
"""Of its values, so many at least an element has in common with its counterpart in another release."""
_COMPARED_MAX = 10_000
"""Pairs of elements that are compared value by value; longer lists are only paired where they are equal."""


def aligned(live: list[Any], shadow: list[Any], known: Known) -> Iterator[tuple[Any, Any, bool]]:
    """Pairs of elements, with whether that is certain.

    Certain are those that share an identifier already known, and the single elements of lists of one that
    are alike. The rest are guesses: those whose other values are all equal, in their order; then those that
    have most values in common, as a new release may have changed a field of every element, or left one out;
    then what is left, in its order, where the lists are equally long and nothing speaks against it.
    """
    if max(len(live), len(shadow)) > _ELEMENTS_MAX:
        return
    if len(live) == len(shadow) == 1:
        if not _are_strangers(live[0], shadow[0]):
            yield live[0], shadow[0], _are_alike(live[0], shadow[0])
        return
    mine, its = dict(enumerate(live)), dict(enumerate(shadow))
    for match in (_by_identifier(mine, its, known), _by_likeness(mine, its), _by_overlap(mine, its)):
        for at, other_at, is_certain in match:
            yield mine.pop(at), its.pop(other_at), is_certain
    if len(live) == len(shadow):
        for one, other in zip(mine.values(), its.values(), strict=True):
            if not _are_strangers(one, other):
                yield one, other, False


def _are_strangers(live: Any, shadow: Any) -> bool:
    """Whether two elements have values by which they could be known, and hardly one in common."""
    mine, its = frozenset(_features(live)), frozenset(_features(shadow))
    return len(mine & its) * 2 < min(len(mine), len(its))


def _are_alike(live: Any, shadow: Any) -> bool:
    """Whether nearly all values by which two elements could be known are equal."""
    mine, its = frozenset(_features(live)), frozenset(_features(shadow))
    return len(mine & its) >= _SAME_SHARE * len(mine)


def _by_identifier(live: dict[int, Any], shadow: dict[int, Any], known: Known) -> list[tuple[int, int, bool]]:
    holders = _holders(shadow)
    owners = _holders(live)
    matches: list[tuple[int, int, bool]] = []
    taken: set[int] = set()
    for at, element in live.items():
        for value in _identifiers(element):
            other_at = holders.get(known(value) or value, -1)
            if other_at >= 0 and other_at not in taken and owners[value] == at:
                taken.add(other_at)
                matches.append((at, other_at, True))
                break
    return matches


def _by_likeness(live: dict[int, Any], shadow: dict[int, Any]) -> Iterator[tuple[int, int, bool]]:
    """Generates lazily: what `_by_identifier` paired is out of the way by the time this looks."""
    groups: dict[object, tuple[list[int], list[int]]] = {}
    for side, elements in enumerate((live, shadow)):
        for at, element in elements.items():
            groups.setdefault(_likeness(element), ([], []))[side].append(at)
    for likeness, (mine, its) in groups.items():
        if len(mine) == len(its) and likeness:
            for at, other_at in zip(mine, its, strict=True):
                yield at, other_at, False


def _by_overlap(live: dict[int, Any], shadow: dict[int, Any]) -> Iterator[tuple[int, int, bool]]:
    """Generates lazily too. Only where one other element is clearly the most alike."""
    if not live or len(live) * len(shadow) > _COMPARED_MAX:
        return
    its = {at: frozenset(_features(element)) for at, element in shadow.items()}
    for at, element in list(live.items()):
        mine = frozenset(_features(element))
        shares = sorted(((len(mine & other), -other_at) for other_at, other in its.items()), reverse=True)
        if not mine or not shares or shares[0][0] < _SAME_SHARE * len(mine):
            continue
        if len(shares) > 1 and shares[1][0] == shares[0][0]:
            continue
        best = -shares[0][1]
        del its[best]
        yield at, best, False


def _holders(elements: dict[int, Any]) -> dict[str, int]:
    """Which element each identifier names; -1 for those that stand in several, as an owner's does."""
    holders: dict[str, int] = {}
    for at, element in elements.items():
        for value in _identifiers(element):
            holders[value] = -1 if value in holders else at
    return holders


def _identifiers(element: Any) -> Iterator[str]:
    """The values of `element` that may name it: its own id where it says which that is, else any."""
    if isinstance(element, dict):
        own = [value for key, value in element.items() if key.lower() in _OWN_KEYS]
        if own:
            yield from (value for value in own if isinstance(value, str) and is_token(value, has_id_key=True))
            return
        for key, value in list(element.items())[:_LEAVES_MAX]:
            if isinstance(value, str) and is_token(value, has_id_key=is_id_key(key)):
                yield value
    elif isinstance(element, str) and is_token(element):
        yield element


def _likeness(element: Any) -> object:
    """What of `element` should be equal on both sides: its scalars that name nothing; falsy where none do."""
    return tuple(_features(element)) if isinstance(element, dict) else None


def _features(element: Any) -> Iterator[tuple[str, str]]:
    """The scalars of an object that neither name it nor drift, by key."""
    if isinstance(element, dict):
        for key, value in sorted(element.items())[:_LEAVES_MAX]:
            is_scalar = isinstance(value, str | int | float | None)
            if is_scalar and not is_id_key(key) and not _may_drift(key, value):
                yield key, repr(value)


def _may_drift(key: str, value: object) -> bool:
    """Times differ between two environments, and so does whatever looks made up."""
    if isinstance(value, str):
        return is_token(value) or value[4:5] == "-" or value[10:11] == "T"
    return key.endswith(("_at", "At", "time", "Time", "timestamp"))
