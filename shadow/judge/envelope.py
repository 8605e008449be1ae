"""The envelope of a JSON answer: the members that say how it went, by the conventions of many services."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec

from shadow.judge.envelope_words import (
    ALARMS,
    ASIDE,
    CODES,
    COMPLAINTS,
    FINE_CODES,
    FINE_WORDS,
    FLAGS,
    HEADS,
    POOR_WORDS,
    ROOMS,
    STATED,
    WORDS,
    WORDS_ALONE,
)

_MAX_MEMBERS = 40
"""An object with more members is no envelope."""
_MAX_WRAPPINGS = 2


class Sort(StrEnum):
    """What a member that says how it went holds."""

    FLAG = "flag"
    """True where it went well."""
    ALARM = "alarm"
    """True, or an error, where it did not."""
    WORD = "word"
    CODE = "code"
    """A number or a text that is always the same where it went well, and one of many where it did not."""


_SORTS: dict[str, Sort] = {
    name: sort
    for sort, names in ((Sort.FLAG, FLAGS), (Sort.ALARM, ALARMS), (Sort.WORD, WORDS), (Sort.CODE, CODES))
    for name in names
}
_ZEROS = re.compile(r"0{1,8}")
_NOT_LETTERS = re.compile(r"[^a-z0-9]")


class Said(msgspec.Struct, frozen=True):
    """One member that says how it went."""

    place: str
    """``"$.meta.code"``."""
    name: str
    """Lower case, letters and digits alone."""
    sort: Sort
    value: Any
    """A scalar, or the object or list of an error."""

    @property
    def is_fine(self) -> bool:
        """Whether the value is one by which services say that all went well."""
        return _is_fine(self.name, self.sort, self.value)

    @property
    def is_poor(self) -> bool:
        """Whether the value is one by which services say that it did not."""
        return _is_poor(self)

    @property
    def is_stated(self) -> bool:
        """Whether the name alone leaves no doubt that a value that is not fine is an error."""
        return self.name in STATED

    @property
    def text(self) -> str:
        """The value as text, to be held against others: letter case does not matter."""
        return shown(self.value).lower()

    def __str__(self) -> str:
        """``"success=false"``."""
        key = self.place.removeprefix("$.")
        return f"{key}={shown(self.value)}"


class Envelope(msgspec.Struct, frozen=True):
    """What of a JSON answer says how it went, and what else it holds."""

    said: tuple[Said, ...]
    complaint: str
    """What it says in words; empty for nothing."""
    payload: frozenset[str]
    """Names of the other members that are not empty."""
    others: frozenset[str] = frozenset()
    """Names of the other members that are not null."""
    has_room: bool = False
    """Whether there is a member for what was asked for, and nothing in it."""
    is_object: bool = True

    @property
    def is_bare(self) -> bool:
        """Whether it holds nothing besides how it went."""
        return not self.payload and not self.others

    def at(self, place: str) -> Said | None:
        """What it says in that place."""
        return next((each for each in self.said if each.place == place), None)


def envelope_of(tree: Any) -> Envelope:
    """The envelope of a parsed document; of what is no object, one that says nothing."""
    place = "$"
    for _ in range(_MAX_WRAPPINGS):
        if not (isinstance(tree, dict) and len(tree) == 1):
            break
        ((key, inner),) = tree.items()
        if not isinstance(inner, dict) or _plain(key) in COMPLAINTS or not inner:
            break
        place, tree = f"{place}.{key}", inner
    if not isinstance(tree, dict):
        return Envelope((), "", frozenset({"$"}) if tree else frozenset(), is_object=False)
    if len(tree) > _MAX_MEMBERS:
        return Envelope((), "", frozenset({"$"}))
    return _read(tree, place)


def shown(value: Any) -> str:
    """A value of an envelope in a few words, as JSON writes it."""
    if isinstance(value, dict | list):
        return "{…}" if isinstance(value, dict) else "[…]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


_MAX_SHOWN = 40


def _read(tree: dict[str, Any], place: str) -> Envelope:
    said: list[Said] = []
    words: list[str] = []
    payload: set[str] = set()
    others: set[str] = set()
    for key, value in tree.items():
        name, at = _plain(key), f"{place}.{key}"
        held = tuple(_of_head(value, at)) if name in HEADS and isinstance(value, dict) else ()
        said += held
        words += (_words(value.get(each)) for each in value if _is_complaint(_plain(each))) if held else ()
        sort = _sort_of(name, value)
        if sort is not None:
            said.append(Said(at, name, sort, value))
        if _is_complaint(name):
            words.append(_words(value))
        elif sort is None and not held and name not in ASIDE and not _is_empty(value):
            payload.add(key)
        elif sort is None and value is not None and name not in ASIDE | ROOMS:
            others.add(key)
    has_room = any(_plain(key) in ROOMS and _is_empty(tree[key]) for key in tree)
    complaint = " ".join(filter(None, words))
    return Envelope(tuple(said), complaint, frozenset(payload), frozenset(others), has_room)


def _of_head(head: dict[str, Any], place: str) -> Iterator[Said]:
    """What an inner object says, where it is about how it went and nothing else."""
    if len(head) > _MAX_MEMBERS:
        return
    names = {key: _plain(key) for key in head}
    if not all(
        each in _SORTS or each in ASIDE or _is_complaint(each) or _is_code(each) for each in names.values()
    ):
        return
    for key, value in head.items():
        name = names[key]
        sort = _sort_of(name, value) or (_sort_of("code", value) if _is_code(name) else None)
        if sort is not None and sort is not Sort.ALARM:
            yield Said(f"{place}.{key}", name, sort, value)


def _is_complaint(name: str) -> bool:
    return name in COMPLAINTS or name.endswith(("msg", "message"))


def _is_code(name: str) -> bool:
    """Whether it may be a code, where it stands among what says how it went."""
    return name.endswith(("code", "cd"))


def _sort_of(name: str, value: Any) -> Sort | None:
    """What a member of that name with that value says; None for nothing."""
    sort = _SORTS.get(name)
    match sort, value:
        case None, _:
            return None
        case Sort.ALARM, _:
            return sort
        case _, bool():
            return Sort.FLAG
        case Sort.FLAG, str() | int():
            is_flag = str(value).lower() in ("true", "false", "0", "1", "yes", "no", "ok")
            return Sort.FLAG if is_flag else Sort.WORD if isinstance(value, str) else Sort.CODE
        case _, int():
            return None if name in WORDS_ALONE else Sort.CODE
        case ((Sort.WORD | Sort.CODE), str()) if len(value) <= _MAX_WORD:
            return sort
    return None


_MAX_WORD = 64


def _is_fine(name: str, sort: Sort, value: Any) -> bool:
    match sort:
        case Sort.FLAG:
            return str(value).lower() in ("true", "1", "yes", "ok")
        case Sort.ALARM:
            return _is_empty(value)
        case Sort.WORD:
            return isinstance(value, str) and _plain(value) in FINE_WORDS
    text = str(value).lower()
    return (text in FINE_CODES and (text != "1" or name not in STATED)) or _ZEROS.fullmatch(text) is not None


def _is_poor(said: Said) -> bool:
    match said.sort:
        case Sort.FLAG:
            return not said.is_fine
        case Sort.ALARM:
            return not _is_empty(said.value)
        case Sort.WORD:
            return _plain(str(said.value)) in POOR_WORDS
    is_poor_word = isinstance(said.value, str) and _plain(said.value) in POOR_WORDS
    return is_poor_word or (said.is_stated and not said.is_fine)


def _is_empty(value: Any) -> bool:
    """Whether it is nothing: null, false, nought, an empty text, list or object, or one of nothing else."""
    if isinstance(value, dict):
        return len(value) <= _MAX_MEMBERS and not any(map(bool, value.values()))
    return not value


def _words(value: Any, depth: int = 3) -> str:
    """The first words of a complaint, whatever holds them."""
    match value:
        case str():
            return value[:200].strip()
        case dict() if value and depth:
            found = (_words(each, depth - 1) for each in list(value.values())[:8])
            return next(filter(None, found), "?")
        case [first, *_] if depth:
            return _words(first, depth - 1) or "?"
    return "?" if isinstance(value, dict | list) and value else ""


def _plain(name: str) -> str:
    return _NOT_LETTERS.sub("", name.lower()) if len(name) <= _MAX_WORD else ""
