"""Every cause seen in a run, each once, with all that showed it."""

from collections.abc import Iterable, Iterator

import msgspec

from shadow.judge.fingerprint import Cause, causes_of
from shadow.judge.gathering import (
    MAX_TOLD_APART,
    groups,
    is_line,
    is_nameless_line,
    is_of_error,
    joined,
    sort,
)
from shadow.model import Trial

MAX_CAUSES = 5000
"""Beyond, a run has gone wrong in a way that more findings do not explain."""
MAX_EXCHANGES = 10_000
"""Listed of one cause, the first; `docs/output.md` says so."""
MAX_ENDPOINTS = 200
MAX_PLACES = 50


class Record(msgspec.Struct):
    """What has shown one cause so far; lists are bounded, the count is not."""

    cause: Cause
    count: int = 0
    exchanges: dict[int, None] = {}
    endpoints: dict[str, None] = {}
    mutators: dict[str, None] = {}
    where: dict[str, None] = {}
    indexes: tuple[int, ...] = ()
    """The exchanges in order, as far as they were asked for."""
    also: dict[str, None] = {}
    """Ids of causes that are told as part of this one."""

    def add(self, trial: Trial, cause: Cause, ids: Iterable[str] = (), *, is_counted: bool = True) -> None:
        self.count += is_counted
        _keep(self.exchanges, trial.exchange, MAX_EXCHANGES)
        _keep(self.endpoints, trial.endpoint, MAX_ENDPOINTS)
        if trial.mutator is not None:
            _keep(self.mutators, trial.mutator, MAX_ENDPOINTS)
        for place in cause.where:
            _keep(self.where, place, MAX_PLACES)
        if len(self.indexes) != len(self.exchanges):  # at the limit it stays as it is
            self.indexes = tuple(sorted(self.exchanges))
        for each in ids:
            if each != self.cause.id:
                _keep(self.also, each, MAX_PLACES)


class Sighting(msgspec.Struct, frozen=True):
    """One cause that a trial showed."""

    cause: Cause
    record: Record
    is_new: bool
    is_again: bool = False
    """Whether this was counted before: an original that showed it was told of once more, with what else it
    had shown."""


class Causes:
    """Merges occurrences of one cause. One for a run."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._aliases: dict[str, str] = {}
        """Of causes that are told as part of another: its id."""
        self.overflowed = 0
        """Occurrences of causes that were beyond the limit."""

    def __len__(self) -> int:
        return len(self._records)

    def add(self, trial: Trial) -> tuple[Sighting, ...]:
        """The causes that `trial`, a failed one, shows, with what is known of each, this time included."""
        return tuple(self._sightings(trial))

    def again(self, trial: Trial) -> tuple[Sighting, ...]:
        """Those of the causes that `trial` shows which are known, without counting it: it was seen before, in
        another form."""
        records = (self.record(cause.id) for cause in causes_of(trial))
        return tuple(Sighting(each.cause, each, is_new=False) for each in records if each is not None)

    def record(self, cause_id: str) -> Record | None:
        return self._records.get(self._aliases.get(cause_id, cause_id))

    def forget(self, cause_id: str) -> None:
        """Take a cause back that could not be confirmed; when it is seen again it is new again."""
        self._records.pop(cause_id, None)
        self._aliases = {alias: known for alias, known in self._aliases.items() if known != cause_id}

    def _sightings(self, trial: Trial) -> Iterator[Sighting]:
        for cause, ids in self._gathered(causes_of(trial)):
            record = self._records.get(cause.id)
            is_new = record is None
            if record is None:
                if len(self._records) >= MAX_CAUSES:
                    self.overflowed += 1
                    continue
                record = self._records[cause.id] = Record(cause)
            is_again = trial.is_late and trial.exchange in record.exchanges
            record.add(trial, cause, ids, is_counted=not is_again)
            yield Sighting(cause, record, is_new, is_again)

    def _is_home(self, cause: Cause) -> bool:
        """Whether what is new of the same sort in the same answer is part of this known one."""
        record = self.record(cause.id)
        if record is None or is_of_error(cause):
            return record is not None
        return sort(cause) == "line" and len(record.also) >= MAX_TOLD_APART

    def _gathered(self, causes: tuple[Cause, ...]) -> Iterator[tuple[Cause, list[str]]]:
        """`causes`, each under the name by which it is known, with the ids of all that is told under it.
        Those that are new and one are told as one, under the least of their ids, whichever came first. What
        is new of an error, or of the markup of a page that was made anew, is told with what is known of it.

        A line without a word in it goes with the other lines of its page.
        """
        page = next((each for each in causes if is_line(each) and not is_nameless_line(each)), None)
        lost = [each for each in causes if page is not None and is_nameless_line(each)]
        rest = [each for each in causes if each not in lost]
        homes = {sort(each): each.id for each in reversed(rest) if self._is_home(each)}
        for group in groups(each for each in rest if self.record(each.id) is None):
            home = homes.get(sort(group[0]), min(each.id for each in group))
            home = self._aliases.get(home, home)
            if len(self._aliases) < MAX_CAUSES:
                self._aliases |= {each.id: home for each in group if each.id != home}
        found: dict[str, list[Cause]] = {}
        for cause in rest:
            found.setdefault(self._aliases.get(cause.id, cause.id), []).append(cause)
        if page is not None:
            found[self._aliases.get(page.id, page.id)].extend(lost)
        for known, parts in found.items():
            record = self._records.get(known)
            named = next((each for each in parts if each.id == known), parts[0])
            yield joined(record.cause if record else named, parts), [each.id for each in parts]


def _keep[T](kept: dict[T, None], item: T, limit: int) -> None:
    if len(kept) < limit:
        kept[item] = None
