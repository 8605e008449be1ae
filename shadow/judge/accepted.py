"""Findings that were looked at and accepted: which of a run's are among them, and whether they show yet."""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from shadow.judge.severity import is_at_least
from shadow.model import Finding, Severity

TRIALS_ENOUGH = 3
"""So many trials that came to a verdict, and did not show it, are needed to say that it is gone."""


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[known]]` of a file of known findings."""

    reason: str
    """Why it is accepted."""
    endpoint: str
    """``"GET /v1/x/{id}"``; without an `id` a pattern, which all endpoints of the finding must match."""
    id: str = ""
    """The finding's fingerprint; empty where the entry goes by the patterns."""
    fault: str = ""
    """``"F100"``; without an `id` it is needed, and a pattern."""
    where: tuple[str, ...] = ()
    """Patterns without an `id`: each place of the finding must match one of them; empty for any place."""
    title: str = ""
    mutator: str = ""
    """Which showed it; empty for plain traffic. Tells whether it was tried."""
    severity: Severity | None = None
    """How bad it was when it was accepted: what has become worse is told."""
    by: str = ""
    on: date | None = None
    until: date | None = None
    """The last day on which it is accepted; None for ever."""

    @property
    def label(self) -> str:
        """What it is called for a person."""
        return self.id or f"{self.fault} {self.endpoint}"

    def is_of(self, finding: Finding) -> bool:
        """Whether it speaks of `finding`, whatever day it is."""
        if self.id:
            return self.id == finding.id or self.id in finding.also
        endpoints = finding.endpoints or (finding.endpoint,)
        return (
            fnmatchcase(finding.fault, self.fault)
            and all(_fits(each, self.endpoint) for each in endpoints)
            and (
                not self.where
                or all(any(_fits(place, like) for like in self.where) for place in finding.where)
            )
        )


class State(StrEnum):
    """What came of one entry in a run."""

    SEEN = "seen"
    """It showed, and was silent."""
    WORSE = "worse"
    """It showed, worse than it was accepted: it counts."""
    EXPIRED = "expired"
    """It showed after its last day: it counts."""
    GONE = "gone"
    """Its endpoint was tried enough, and it did not show."""
    NOT_TRIED = "not tried"
    """Too little was tried to say anything."""


class Acceptance:
    """All entries of a file. `today` decides which of them have expired."""

    def __init__(self, entries: Sequence[Accepted], today: date) -> None:
        self.entries = tuple(entries)
        self._today = today
        self._by_id = {each.id: each for each in self.entries if each.id}
        self._patterns = tuple(each for each in entries if not each.id)

    def of(self, finding: Finding) -> Accepted | None:
        """The entry that speaks of `finding`, one that still holds before one that does not."""
        named = [self._by_id[each] for each in (finding.id, *finding.also) if each in self._by_id]
        speaking = [*named, *(each for each in self._patterns if each.is_of(finding))]
        holding = (each for each in speaking if self.state_of(each, finding) is State.SEEN)
        return next(holding, speaking[0] if speaking else None)

    def state_of(self, entry: Accepted, finding: Finding) -> State:
        """What an entry that speaks of `finding` means for it."""
        if entry.until is not None and entry.until < self._today:
            return State.EXPIRED
        if entry.severity is not None and not is_at_least(entry.severity, Severity(finding.severity)):
            return State.WORSE
        return State.SEEN

    def marked(self, finding: Finding) -> Finding:
        """`finding`, with the entry that accepts it where one does."""
        entry = self.of(finding)
        is_accepted = entry is not None and self.state_of(entry, finding) is State.SEEN
        return msgspec.structs.replace(finding, known=_note(entry) if entry and is_accepted else None)

    def states(
        self, findings: Sequence[Finding], trials: Mapping[tuple[str, str], int]
    ) -> list[tuple[Accepted, State, int]]:
        """What came of each entry, and how many trials say so. `trials` are those that came to a verdict, by
        endpoint and mutator, which is empty for originals."""
        shown: dict[int, State] = {}
        for each in findings:
            entry = self.of(each)
            if entry is not None:
                state = self.state_of(entry, each)
                shown[id(entry)] = state if state is not State.SEEN else shown.get(id(entry), state)
        told = []
        for entry in self.entries:
            count = sum(number for key, number in trials.items() if _is_tried(entry, *key))
            is_gone = count >= TRIALS_ENOUGH
            told.append((entry, shown.get(id(entry), State.GONE if is_gone else State.NOT_TRIED), count))
        return told


def _note(entry: Accepted) -> dict[str, Any]:
    """What a finding says of the entry that accepts it."""
    note = {"reason": entry.reason}
    if entry.by:
        note["by"] = entry.by
    if entry.until is not None:
        note["until"] = entry.until.isoformat()
    return note


def _is_tried(entry: Accepted, endpoint: str, mutator: str) -> bool:
    """Whether a trial of `endpoint` by `mutator` might have shown what the entry speaks of."""
    if not (entry.endpoint == endpoint if entry.id else _fits(endpoint, entry.endpoint)):
        return False
    return bool(mutator) == bool(entry.mutator) and entry.mutator in ("", mutator) if entry.id else True


def _fits(text: str, pattern: str) -> bool:
    """Brackets and braces in endpoints and places are themselves; ``*`` is any text."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))
