"""Which element of one list is which of another, when order and identifiers may differ."""

from collections.abc import Callable, Iterator
from typing import Any

from shadow.replay.token import is_id_key, is_token

type Known = Callable[[str], str | None]
"""A live value to the shadow value that it is already known to stand for."""

_ELEMENTS_MAX = 2000
_LEAVES_MAX = 64


def aligned(live: list[Any], shadow: list[Any], known: Known) -> Iterator[tuple[Any, Any, bool]]:
    """Pairs of elements, with whether that is certain.

    Certain are those that share an identifier already known, those whose other values are all equal and
    occur once in either list, and the single elements of lists of one. Of the rest, alike ones are paired in
    their order, then what is left in its order where the lists are equally long; that is a guess.
    """
    if max(len(live), len(shadow)) > _ELEMENTS_MAX:
        return
    if len(live) == len(shadow) == 1:
        yield live[0], shadow[0], True
        return
    mine, its = dict(enumerate(live)), dict(enumerate(shadow))
    for match in (_by_identifier(mine, its, known), _by_likeness(mine, its)):
        for at, other_at, is_certain in match:
            yield mine.pop(at), its.pop(other_at), is_certain
    if len(live) == len(shadow):
        for one, other in zip(mine.values(), its.values(), strict=True):
            yield one, other, False


def _by_identifier(live: dict[int, Any], shadow: dict[int, Any], known: Known) -> list[tuple[int, int, bool]]:
    holders: dict[str, int] = {}
    for at, element in shadow.items():
        for value in _identifiers(element):
            holders[value] = -1 if value in holders else at
    matches: list[tuple[int, int, bool]] = []
    taken: set[int] = set()
    for at, element in live.items():
        for value in _identifiers(element):
            other_at = holders.get(known(value) or value, -1)
            if other_at >= 0 and other_at not in taken:
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
                yield at, other_at, len(mine) == 1


def _identifiers(element: Any) -> Iterator[str]:
    """The values of `element` that may name it."""
    if isinstance(element, dict):
        for key, value in list(element.items())[:_LEAVES_MAX]:
            if isinstance(value, str) and is_token(value, has_id_key=is_id_key(key)):
                yield value
    elif isinstance(element, str) and is_token(element):
        yield element


def _likeness(element: Any) -> object:
    """What of `element` should be equal on both sides: its scalars that name nothing; falsy where none do."""
    if not isinstance(element, dict):
        return None
    return tuple(
        (key, repr(value))
        for key, value in sorted(element.items())[:_LEAVES_MAX]
        if isinstance(value, str | int | float | None) and not is_id_key(key) and not _may_drift(key, value)
    )


def _may_drift(key: str, value: object) -> bool:
    """Times differ between two environments, and so does whatever looks made up."""
    if isinstance(value, str):
        return is_token(value) or value[4:5] == "-" or value[10:11] == "T"
    return key.endswith(("_at", "At", "time", "Time", "timestamp"))
