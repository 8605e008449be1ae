"""Whether the state that a target holds has drifted from what the traffic tells of: judged by originals.

Where it has, what a mutant is answered tells of that state, and not of the mutant. A regression that shows
every time, or was told, is no drift: state is statuses, elements of lists, and values of resources that
differ now and then.
"""

from collections import OrderedDict
from collections.abc import Iterable

import msgspec

from shadow.judge.classes import classify
from shadow.judge.places import template
from shadow.model import AnswerClass, Change, Difference, Outcome

_HALF_LIFE = 50
"""After so many originals of an endpoint one counts half."""
_KEEP = 0.5 ** (1 / _HALF_LIFE)
_STABLE_SHARE = 0.9
"""A place that differs in so many of an endpoint's originals differs for another reason than state."""
_SAY_NOTHING = frozenset({AnswerClass.DOWN, AnswerClass.HUNG})
_ENDPOINTS_MAX = 2000
_PLACES_MAX = 200
_SESSIONS_MAX = 65_536
_CLASS = "class"

type _Key = tuple[str, str]


class DriftLimits(msgspec.Struct, frozen=True):
    """When an endpoint's mutants tell nothing any more."""

    share: float = 0.5
    """Of the endpoint's latest originals that diverged."""
    samples_min: int = 10
    """Originals before anything is concluded from them."""


class _Tally:
    """Decaying counts of one endpoint."""

    __slots__ = ("diverged", "explained", "places", "seen", "total")

    def __init__(self) -> None:
        self.total = 0
        self.seen = 0.0
        self.diverged = 0.0
        self.places: dict[_Key, float] = {}
        self.explained: set[_Key] = set()


class Drifting:
    """One for a run."""

    def __init__(self, limits: DriftLimits | None = None) -> None:
        self._limits = limits or DriftLimits()
        self._endpoints: dict[str, _Tally] = {}
        self._sessions: OrderedDict[str, None] = OrderedDict()

    def note(self, endpoint: str, ours: Outcome, theirs: Outcome, differences: Iterable[Difference]) -> bool:
        """Take in an original's answers; whether they are of different classes. `theirs` is the baseline's,
        or live's where there is none; `differences` are those of the two, less what is noise."""
        mine, other = classify(ours), classify(theirs)
        tally = self._of(endpoint)
        if tally is None or mine in _SAY_NOTHING or other in _SAY_NOTHING:
            return False
        is_other_class = mine is not other
        keys = {_CLASS_KEY} if is_other_class else {_key(each) for each in differences if _is_of_state(each)}
        unstable = [each for each in keys if not self._is_stable(tally, each)]
        _decay(tally)
        tally.diverged += bool(unstable)
        for each in keys:
            if each in tally.places or len(tally.places) < _PLACES_MAX:
                tally.places[each] = tally.places.get(each, 0.0) + 1
        return is_other_class

    def explain(self, endpoint: str, differences: Iterable[Difference]) -> None:
        """These were confirmed and told as regressions: they are no drift."""
        tally = self._of(endpoint)
        if tally is not None and len(tally.explained) < _PLACES_MAX:
            tally.explained |= {_key(each) for each in differences if each.where != "status"}

    def leave(self, session: str) -> None:
        """An exchange of `session` went another way here: from now on its state is another."""
        self._sessions[session] = None
        if len(self._sessions) > _SESSIONS_MAX:
            self._sessions.popitem(last=False)

    def has_left(self, session: str) -> bool:
        """Whether an earlier exchange of the session went another way."""
        return session in self._sessions

    def share(self, endpoint: str) -> float:
        """Of the endpoint's latest originals, those that diverged; 0.0 while too few were seen."""
        tally = self._endpoints.get(endpoint)
        if tally is None or tally.total < self._limits.samples_min:
            return 0.0
        return tally.diverged / tally.seen

    def is_adrift(self, endpoint: str) -> bool:
        """Whether too many of the endpoint's latest originals diverged."""
        return self.share(endpoint) > self._limits.share

    def forget(self) -> None:
        """The state was put back."""
        self._sessions.clear()
        for tally in self._endpoints.values():
            tally.total, tally.seen, tally.diverged = 0, 0.0, 0.0
            tally.places.clear()

    def _of(self, endpoint: str) -> _Tally | None:
        known = self._endpoints.get(endpoint)
        if known is None and len(self._endpoints) < _ENDPOINTS_MAX:
            known = self._endpoints[endpoint] = _Tally()
        return known

    def _is_stable(self, tally: _Tally, key: _Key) -> bool:
        if key in tally.explained:
            return True
        if key == _CLASS_KEY or tally.total < self._limits.samples_min // 2:
            return False
        return tally.places.get(key, 0.0) >= _STABLE_SHARE * tally.seen


_CLASS_KEY: _Key = (_CLASS, "")


def _decay(tally: _Tally) -> None:
    tally.total += 1
    tally.seen = tally.seen * _KEEP + 1
    tally.diverged *= _KEEP
    for key in tally.places:
        tally.places[key] *= _KEEP


def _key(difference: Difference) -> _Key:
    return template(difference.where), difference.change.value


def _is_of_state(difference: Difference) -> bool:
    """Whether another state may explain it: other elements, or other values of the same fields."""
    where = difference.where
    if where == "status":
        return True
    if not where.startswith("body"):
        return False
    if difference.change in (Change.LENGTH, Change.VALUE):
        return True
    return where.endswith("]") and difference.change in (Change.MISSING, Change.ADDED)
