"""What differs between two answers of the same release, and so says nothing about the candidate.

Known from the first request on: values of one volatile kind (timestamps in one form, ids, tokens, own
addresses). Learned: places whose scalar value, or array order, drifted between answers of the live release.
Nothing that is learned ever forgives a missing or added field, a changed type or an array's length.
"""

from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import pairwise
from math import comb

import msgspec

from shadow.errors import ConfigError
from shadow.judge.places import is_text, is_within, name, template
from shadow.judge.roots import FORMS, words
from shadow.judge.shapes import is_alike
from shadow.model import Change, Difference


class Witness(StrEnum):
    """Which two answers were compared."""

    LIVE_RELEASE = "live release"
    """Baseline against live, or against its own repeat: what differs here is noise."""
    CANDIDATE_REPEAT = "candidate repeat"
    """Candidate against its own repeat: counts as noise only where no baseline is known."""
    CANDIDATE = "candidate"
    """Candidate against live: how often a place differs that is under suspicion."""


class NoiseSettings(msgspec.Struct, frozen=True):
    """How noise is told from regressions."""

    ignore: tuple[str, ...] = ()
    """Places that never count, as ``"body:$.items[].seen_at"`` or ``"header:x-node"``; ``*`` is any text."""
    own: tuple[str, ...] = ()
    """Addresses of live, candidate and baseline, as ``host:port``."""
    window_seconds: float | None = None
    """How far timestamps of live and shadow may lie apart; None for any distance, as captures need."""
    significance: float = 0.01
    """How unlikely chance must be before a drifting place counts as a regression nevertheless.

    Shared out over an endpoint's drifting places: many raise no more false alarms than one.
    """
    half_life_comparisons: int = 500
    """After so many comparisons of an endpoint an observation counts half."""
    min_inversions: int = 5
    """Different pairs of an array of scalars that the candidate alone turns round, before that counts."""
    min_object_inversions: int = 3
    """The same for arrays of objects; one pair may have been created at the same moment."""
    max_places: int = 20_000
    """Places remembered; beyond, new ones are not learned."""


class Forgiven(msgspec.Struct, frozen=True):
    """One place whose differences were not counted, and why."""

    endpoint: str
    where: str
    why: str
    count: int


class _Tally:
    """Decaying counts of one endpoint: comparisons, and values that differed by pattern of place."""

    __slots__ = ("compared", "differed")

    def __init__(self) -> None:
        self.compared = 0.0
        self.differed: dict[str, float] = {}

    def add_equal(self, count: int, keep: float) -> None:
        """Count comparisons without any difference."""
        kept = keep**count
        self.compared = self.compared * kept + (1 - kept) / (1 - keep)
        for place in self.differed:
            self.differed[place] *= kept

    def add(self, places: Collection[str], keep: float, room: int) -> int:
        """Count one comparison; the number of places that are new."""
        before = len(self.differed)
        self.compared = self.compared * keep + 1
        for place in self.differed:
            self.differed[place] *= keep
        for place in places:
            if place in self.differed or len(self.differed) - before < room:
                self.differed[place] = self.differed.get(place, 0.0) + 1
        return len(self.differed) - before

    def seen(self, place: str) -> float:
        return self.differed.get(place, 0.0)


class _Orders:
    """How arrays of one name were reordered, over all endpoints: what is a set is one everywhere."""

    __slots__ = ("has_none", "inversions")

    def __init__(self) -> None:
        self.has_none: set[Witness] = set()
        """Who gave the same elements in another order."""
        self.inversions: set[int] = set()
        """Hashes of neighbours that the candidate has the other way round than live."""


class Noise:
    """What is known of noise, by endpoint and place. One for a run; not for use by several threads."""

    def __init__(self, settings: NoiseSettings | None = None) -> None:
        self._settings = settings or NoiseSettings()
        self._tallies: dict[tuple[str, Witness], _Tally] = {}
        self._orders: dict[str, _Orders] = {}
        self._forgiven: dict[tuple[str, str, str], int] = {}
        self._keep = 0.5 ** (1 / self._settings.half_life_comparisons)
        self._places = 0
        self._has_baseline = False
        self.on_observed: Callable[[str, tuple[Difference, ...], Witness], None] | None = None
        """Told of what was learned here, for others to `take_over`."""
        self._ignored = tuple(_pattern(text) for text in self._settings.ignore)

    def observe(self, endpoint: str, differences: Iterable[Difference], witness: Witness) -> None:
        """Learn from one comparison, be there differences or not; these come unfiltered.

        Answers of different status tell nothing of noise and are passed over.
        """
        differences = tuple(differences)
        if not differences:
            if self.on_observed is not None:
                self.on_observed(endpoint, (), witness)
            self._has_baseline |= witness is Witness.LIVE_RELEASE
            self._tally(endpoint, witness).add((), self._keep, 0)
            return
        if any(each.where == "status" for each in differences):
            return
        if self.on_observed is not None:
            self.on_observed(endpoint, differences, witness)
        self._learn(endpoint, differences, witness)

    def take_over(
        self, endpoint: str, differences: tuple[Difference, ...], witness: Witness, *, count: int = 1
    ) -> None:
        """Learn from `count` comparisons that another process made; several had no differences."""
        if differences:
            self._learn(endpoint, differences, witness)
            return
        self._has_baseline |= witness is Witness.LIVE_RELEASE
        self._tally(endpoint, witness).add_equal(count, self._keep)

    def _learn(self, endpoint: str, differences: tuple[Difference, ...], witness: Witness) -> None:
        self._has_baseline |= witness is Witness.LIVE_RELEASE
        drifted = {
            template(each.where)
            for each in differences
            if each.change is Change.VALUE and not self._is_volatile(each, None) and words(each) not in FORMS
        }
        room = self._settings.max_places - self._places
        self._places += self._tally(endpoint, witness).add(drifted, self._keep, room)
        for each in differences:
            if each.change is Change.ORDER:
                self._observe_order(each, witness)

    def _tally(self, endpoint: str, witness: Witness) -> _Tally:
        tally = self._tallies.get((endpoint, witness))
        if tally is None:
            tally = self._tallies[endpoint, witness] = _Tally()
        return tally

    def forgives(self, endpoint: str, difference: Difference, *, window_seconds: float | None = None) -> bool:
        """Whether `difference` is noise. `window_seconds` stands in for the settings' where it is given."""
        why = self._reason(endpoint, difference, window_seconds)
        if why is None:
            return False
        key = (endpoint, template(difference.where), why)
        if key in self._forgiven or len(self._forgiven) < self._settings.max_places:
            self._forgiven[key] = self._forgiven.get(key, 0) + 1
        return True

    def without(
        self, endpoint: str, differences: Iterable[Difference], *, window_seconds: float | None = None
    ) -> tuple[Difference, ...]:
        """`differences` that are no noise."""
        return tuple(
            each for each in differences if not self.forgives(endpoint, each, window_seconds=window_seconds)
        )

    def forgiven(self) -> tuple[Forgiven, ...]:
        """Everything that was not counted, most frequent first."""
        found = (Forgiven(*key, count) for key, count in self._forgiven.items())
        return tuple(sorted(found, key=lambda each: (-each.count, each.endpoint, each.where)))

    def _reason(self, endpoint: str, difference: Difference, window_seconds: float | None) -> str | None:
        where = template(difference.where)
        if _is_own_mark(difference):
            return "what Shadow itself sent"
        if any(_matches(where, pattern) for pattern in self._ignored):
            return "ignored by the settings"
        if difference.change is Change.VALUE and difference.where != "status":
            if self._is_volatile(difference, window_seconds):
                return "volatile kind of value"
            if words(difference) not in FORMS and self._is_drifting(endpoint, where):
                return "drifts at the live release"
        if difference.change is Change.ORDER and self._is_unordered(difference):
            return "array without order"
        return None

    def _is_volatile(self, difference: Difference, window_seconds: float | None) -> bool:
        if _is_opaque_cookie(difference) or _is_own_origin(difference, self._settings.own):
            return True
        window = self._settings.window_seconds if window_seconds is None else window_seconds
        return is_alike(
            difference.left,
            difference.right,
            name(difference.where),
            window_seconds=window,
            own=self._settings.own,
        )

    def _is_drifting(self, endpoint: str, place: str) -> bool:
        """Whether the place drifts at the live release, and hardly more often at the candidate."""
        witness = Witness.LIVE_RELEASE if self._has_baseline else Witness.CANDIDATE_REPEAT
        noise = self._tallies.get((endpoint, witness))
        if noise is None or noise.seen(place) < _MIN_DRIFT:
            return False
        suspect = self._tallies.get((endpoint, Witness.CANDIDATE))
        if suspect is None or not self._has_baseline:
            return (
                True  # a candidate that differs from live at any rate is no news without a second live answer
            )
        places = sum(1 for drifted in noise.differed.values() if drifted >= _MIN_DRIFT)
        chance = _fisher(suspect.seen(place), suspect.compared, noise.seen(place), noise.compared)
        return chance >= self._settings.significance / places

    def _observe_order(self, difference: Difference, witness: Witness) -> None:
        orders = self._orders.get(name(difference.where))
        if orders is None:
            if len(self._orders) >= self._settings.max_places:
                return
            orders = self._orders[name(difference.where)] = _Orders()
        if witness is not Witness.CANDIDATE:
            orders.has_none.add(witness)
        elif len(orders.inversions) < self._settings.min_inversions:
            orders.inversions.update(_inversions(difference))

    def _is_unordered(self, difference: Difference) -> bool:
        """Whether the array is a set: the live release shows it or, for scalars, nothing shows otherwise."""
        orders = self._orders.get(name(difference.where)) or _Orders()
        judge = Witness.LIVE_RELEASE if self._has_baseline else Witness.CANDIDATE_REPEAT
        if judge in orders.has_none:
            return True
        if difference.where.endswith(":sequence"):
            return False  # of parts of different names, which is written out in code
        if not _holds_scalars(difference.left):
            return len(orders.inversions) < self._settings.min_object_inversions
        return not self._has_baseline or len(orders.inversions) < self._settings.min_inversions


_MIN_DRIFT = 0.25
"""An observation counts until it has decayed to this: two half-lives."""
_OWN_MARKS = ("shadow-run", "shadow-trial")
_MIN_OPAQUE_CHARS = 16
_MAX_FISHER = 100
_WHOLE_PARTS = ("status", "surplus", "messages", "close")
_PARTS = ("body", "header", "trailer", "message[]", "dns", *_WHOLE_PARTS)


def _pattern(text: str) -> str:
    """`text` as a pattern of places. One that would silence a whole kind of finding is refused."""
    pattern = (f"body:{text}" if text.startswith("$") else text).replace("[*]", "[]")
    part, colon, rest = pattern.partition(":")
    is_broad = not rest.strip("*?$.[]{}") if colon else part not in _WHOLE_PARTS
    if part not in _PARTS or is_broad:
        raise ConfigError(
            f"ignore = {text!r} is no place or covers too much;"
            " name one such as 'header:x-node' or 'body:$.items[].seen_at'"
        )
    return pattern.lower() if part in ("header", "trailer") else pattern


def _matches(where: str, pattern: str) -> bool:
    """The place itself, or one below it. Brackets are literal, as ``[]`` stands for array positions."""
    return is_within(where, pattern) or ("*" in pattern and fnmatchcase(where, pattern.replace("[", "[[]")))


def _is_opaque_cookie(difference: Difference) -> bool:
    where = difference.where
    if not where.startswith("header:set-cookie[") or not where.endswith("]"):
        return False
    values = (difference.left, difference.right)
    return all(isinstance(value, str) and len(value) >= _MIN_OPAQUE_CHARS for value in values)


def _is_own_origin(difference: Difference, own: Collection[str]) -> bool:
    """Whether an address names the target that was asked on each side, or leaves that out."""
    if not difference.where.endswith(".origin"):
        return False
    found = [str(each).partition("://") for each in (difference.left, difference.right) if each]
    if len({scheme for scheme, _, _ in found}) > 1:
        return False
    return all(host in own or f"{host}:80" in own or f"{host}:443" in own for _, _, host in found)


def _is_own_mark(difference: Difference) -> bool:
    """Whether the answer repeats the fields with which everything that is sent is marked."""
    own = name(difference.where).lower().replace("_", "-").removeprefix("http-")
    if own in _OWN_MARKS:
        return True
    is_line = is_text(difference.where) and difference.left is None
    return is_line and any(mark in str(difference.right).lower() for mark in _OWN_MARKS)


def _holds_scalars(value: object) -> bool:
    return isinstance(value, list | str) and not any(isinstance(item, dict | list) for item in value)


def _inversions(difference: Difference) -> set[int]:
    """Neighbours on the left that stand the other way round on the right."""
    if not isinstance(difference.left, list) or not isinstance(difference.right, list):
        return {hash(repr(difference.left))}
    places = {repr(item): at for at, item in enumerate(difference.right)}
    labels = [repr(item) for item in difference.left if repr(item) in places]
    return {hash(frozenset(pair)) for pair in pairwise(labels) if places[pair[0]] > places[pair[1]]}


def _fisher(hits: float, tries: float, noise_hits: float, noise_tries: float) -> float:
    """Fisher's exact test, one-sided: the chance of so many hits or more if both sides drift alike."""
    scale = min(1.0, _MAX_FISHER / max(tries, noise_tries, 1.0))
    ours, all_ours = round(hits * scale), max(1, round(tries * scale))
    theirs, all_theirs = max(1, round(noise_hits * scale)), max(1, round(noise_tries * scale))
    ours, theirs = min(ours, all_ours), min(theirs, all_theirs)
    total = ours + theirs
    ways = comb(all_ours + all_theirs, total)
    most = min(total, all_ours)
    return sum(comb(all_ours, k) * comb(all_theirs, total - k) for k in range(ours, most + 1)) / ways
