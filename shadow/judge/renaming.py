"""Members that an answer still has, under another name: what is gone and what came are one change."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from shadow.judge.places import is_json, name, parent
from shadow.model import Change, Difference

RENAMED = "renamed"
_MAX_MEMBERS = 64
"""Of one object that lacks more than this, or gained more, no names are compared."""
_MAX_LEAVES = 256
_NO_LETTER = re.compile(r"[\W_]+")
_ELEMENT = re.compile(r"(?:\[\d*\]|\})$")
"""Elements of arrays, and entries of maps, have no names that a programmer gave."""
_CUT = re.compile(r"[\[{].*…", re.DOTALL)
"""A value that is too long to be told whole."""


class Renaming(msgspec.Struct, frozen=True):
    """One member, by the places under which both answers have it."""

    old: str
    new: str


def renamings(differences: Iterable[Difference]) -> dict[str, Renaming]:
    """The renaming that each place belongs to: of two members of one object, one gone and one that came,
    whose names are spelt alike or that hold the same values."""
    missing: dict[str, list[Difference]] = {}
    added: dict[str, list[Difference]] = {}
    for each in differences:
        side = {Change.MISSING: missing, Change.ADDED: added}.get(each.change)
        if side is not None and is_json(each.where) and _ELEMENT.search(each.where) is None:
            side.setdefault(parent(each.where), []).append(each)
    found: dict[str, Renaming] = {}
    for holder in missing.keys() & added.keys():
        if max(len(missing[holder]), len(added[holder])) <= _MAX_MEMBERS:
            for old, new in _paired(missing[holder], added[holder]):
                found[old.where] = found[new.where] = Renaming(old.where, new.where)
    return found


def _paired(
    missing: Sequence[Difference], added: Sequence[Difference]
) -> Iterable[tuple[Difference, Difference]]:
    left = sorted(added, key=lambda each: each.where)
    for old in sorted(missing, key=lambda each: each.where):
        new = next((each for each in left if _is_one(old, each)), None)
        if new is not None:
            left.remove(new)
            yield old, new


def _is_one(old: Difference, new: Difference) -> bool:
    if _spelt(old) == _spelt(new) and type(old.left) is type(new.right):
        return True
    ours, theirs = _leaves(old.left), _leaves(new.right)
    return ours == theirs and any(map(_is_telling, ours))


def _spelt(difference: Difference) -> str:
    return _NO_LETTER.sub("", name(difference.where).casefold())


def _leaves(value: Any) -> list[Any]:
    """The scalars in `value`, in order; none where it is not known whole."""
    if isinstance(value, str) and _CUT.fullmatch(value):
        return []
    found: list[Any] = []
    pending = [value]
    while pending and len(found) <= _MAX_LEAVES:
        at = pending.pop()
        if isinstance(at, dict | list):
            pending.extend(reversed(list(at.values() if isinstance(at, dict) else at)))
        else:
            found.append(at)
    return [] if pending else found


def _is_telling(leaf: Any) -> bool:
    """Whether a value is seldom that of another member by chance."""
    return leaf not in (None, True, False, 0, 1, "")
