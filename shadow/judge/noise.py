"""What differs between two answers of the same release, and so says nothing about the candidate.

Known from the first request on: values of one volatile kind (timestamps in one form, ids, tokens, own
addresses). Learned: places whose scalar value, or array order, drifted between answers of the live release.
Nothing that is learned ever forgives a missing or added field, a changed type or an array's length.
"""

import re
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum

import msgspec

from shadow.judge.chosen_places import ChosenPlaces
from shadow.judge.counters import Counters
from shadow.judge.drift import MIN_DRIFT, Looks, Tally, drifts_more, fisher, totals
from shadow.judge.lengths import Lengths
from shadow.judge.nearness import are_near
from shadow.judge.numbers import Numbers
from shadow.judge.orders import Orders, holds_scalars
from shadow.judge.places import is_text, name, template
from shadow.judge.roots import FORMS, words
from shadow.judge.shapes import is_alike, is_fixed_in_length, moment
from shadow.model import Change, Difference, Forgiven


class Witness(StrEnum):
    """Which two answers were compared."""

    LIVE_RELEASE = "live release"
    """Baseline against live, or against its own repeat: what differs here is noise."""
    LIVE_REPEAT = "live repeat"
    """Live against live, where one request was recorded twice: what never differs here is no noise."""
    CANDIDATE_REPEAT = "candidate repeat"
    """Candidate against its own repeat: counts as noise only where no baseline is known."""
    CANDIDATE = "candidate"
    """Candidate against live: how often a place differs that is under suspicion."""


class NoiseSettings(msgspec.Struct, frozen=True):
    """How noise is told from regressions."""

    ignore: tuple[str, ...] = ()
    """Places that never count, as ``"body:$.items[].seen_at"`` or ``"header:x-node"``; ``*`` is any text."""
    pin: tuple[str, ...] = ()
    """Places, written likewise, that are never forgiven, whatever kind of value they hold."""
    own: tuple[str, ...] = ()
    """Addresses of live, candidate and baseline, as ``host:port``."""
    window_seconds: float | None = None
    """How far timestamps of live and shadow may lie apart; None for any distance, as captures need."""
    significance: float = 0.01
    """How unlikely chance must be before a drifting place counts as a regression nevertheless.

    Of an endpoint's places that count so, at most this share is expected to be false, over the whole run.
    """
    half_life_comparisons: int = 500
    """After so many comparisons of an endpoint an observation counts half."""
    min_inversions: int = 5
    """For arrays of scalars: bits, by which it is unlikely that the live release keeps their order by chance,
    before another order of the candidate's counts. Two strings in hash order are one bit."""
    min_object_inversions: int = 3
    """For arrays of objects: different pairs that the candidate alone turns round; one pair may have been
    created at the same moment."""
    float_tolerance: float = 0.0
    """How far two fractions may lie apart, as a share of the larger. Never what money looks like."""
    max_places: int = 20_000
    """Places remembered; beyond, new ones are not learned."""


class Noise:
    """What is known of noise, by endpoint and place. One for a run; not for use by several threads."""

    def __init__(self, settings: NoiseSettings | None = None) -> None:
        self._settings = settings or NoiseSettings()
        self.own = self._settings.own
        """The targets' own addresses."""
        self._tallies: dict[tuple[str, Witness], Tally] = {}
        self._looks = Looks()
        self._orders: dict[str, Orders] = {}
        self._lengths = Lengths()
        self._counters = Counters()
        self._numbers = Numbers()
        self._forgiven: dict[tuple[str, str, str], tuple[int, Difference]] = {}
        self._keep = 0.5 ** (1 / self._settings.half_life_comparisons)
        self._places = 0
        self.has_baseline = False
        """Whether a baseline has answered."""
        self.on_observed: Callable[[str, tuple[Difference, ...], Witness], None] | None = None
        """Told of what was learned here, for others to `take_over`."""
        self._ignored = ChosenPlaces(self._settings.ignore, "ignore")
        self._pinned = ChosenPlaces(self._settings.pin, "pin")

    def observe(self, endpoint: str, differences: Iterable[Difference], witness: Witness) -> None:
        """Learn from one comparison, be there differences or not; these come unfiltered.

        Answers of different status tell nothing of noise and are passed over.
        """
        differences = tuple(differences)
        if any(each.where == "status" for each in differences):
            return
        if self.on_observed is not None:
            self.on_observed(endpoint, differences, witness)
        self.take_over(endpoint, differences, witness)

    def take_over(
        self, endpoint: str, differences: tuple[Difference, ...], witness: Witness, *, count: int = 1
    ) -> None:
        """Learn from `count` comparisons that another process made; several had no differences."""
        self.has_baseline |= witness is Witness.LIVE_RELEASE
        if differences:
            self._learn(endpoint, differences, witness)
            return
        for scope in (endpoint, _EVERYWHERE):
            self._tally(scope, witness).add_equal(count, self._keep)

    def forgives(self, endpoint: str, difference: Difference, *, window_seconds: float | None = None) -> bool:
        """Whether `difference` is noise. `window_seconds` stands in for the settings' where it is given."""
        why = self._reason(endpoint, difference, window_seconds)
        if why is None:
            return False
        key = (endpoint, template(difference.where), why)
        if key in self._forgiven or len(self._forgiven) < self._settings.max_places:
            count, first = self._forgiven.get(key) or (0, _example(difference))
            self._forgiven[key] = (count + 1, first)
        return True

    def without(
        self, endpoint: str, differences: Iterable[Difference], *, window_seconds: float | None = None
    ) -> tuple[Difference, ...]:
        """`differences` that are no noise."""
        return tuple(
            each for each in differences if not self.forgives(endpoint, each, window_seconds=window_seconds)
        )

    def insists(self, endpoint: str, difference: Difference) -> bool:
        """Whether what differs here counts, even if it looks like an id that was given anew."""
        place = template(difference.where)
        return (
            self._pinned.holds(endpoint, place)
            or self._became_random(endpoint, place)
            or not self._is_usual_length(endpoint, place, difference)
            or self._is_present(endpoint, place, difference)
        )

    def is_another_number(self, endpoint: str, difference: Difference) -> bool:
        """Whether an id is another number at the candidate, though the baseline always has live's and nothing
        that was made explains it; of requests that read."""
        place = template(difference.where)
        if endpoint.startswith(_MAKING) or self._ignored.holds(endpoint, place):
            return False
        live = self._tallies.get((endpoint, Witness.LIVE_RELEASE))
        if live is None or live.compared < _MIN_STEADY or live.seen(place) or live.kinds.get(place):
            return False
        return not self._numbers.explain(difference, name(difference.where), self._settings.own)

    def is_counting(self, difference: Difference, *, is_over: bool = False) -> bool:
        """Whether this may be a number that each release counts up by itself, which further answers will
        tell; `is_over` where none will come. A baseline tells at once."""
        left, right = difference.left, difference.right
        is_value = difference.change is Change.VALUE and not self.has_baseline
        asked = self._counters.is_likely if is_over else self._counters.is_counting
        return is_value and asked(name(difference.where), left, right)

    def wants_repeat(self, endpoint: str, differences: Iterable[Difference]) -> bool:
        """Whether asking once more would teach: a value differs that would be forgiven, while at the live
        release the place never changed, so that it may have become random.

        `differences` are the candidate's from live.
        """
        asked = self._tallies.get((endpoint, Witness.CANDIDATE_REPEAT))
        if asked is not None and asked.total >= (_REPEATS if self.has_baseline else _LONE_REPEATS):
            return False
        if not self.has_baseline:
            return any(self._is_steady_alone(endpoint, each) for each in differences)
        steady = [
            each
            for each in differences
            if each.change is Change.VALUE and not self._was_volatile(endpoint, template(each.where))
        ]
        return any(self._is_volatile(each, None) for each in steady if each.where != "status")

    def _is_steady_alone(self, endpoint: str, difference: Difference) -> bool:
        """Whether the candidate's repeats drift where what was recorded several times did not."""
        live = self._tallies.get((endpoint, Witness.LIVE_REPEAT))
        place = template(difference.where)
        is_steady = live is not None and live.compared >= _MIN_LONE and live.seen(place) < MIN_DRIFT
        return is_steady and self._is_drifting_alone(endpoint, place)

    def forgiven(self) -> tuple[Forgiven, ...]:
        """Everything that was not counted, most frequent first."""
        found = (
            Forgiven(*key, count, first.left, first.right, self._evidence(*key[:2]))
            for key, (count, first) in self._forgiven.items()
        )
        return tuple(sorted(found, key=lambda each: (-each.count, each.endpoint, each.where)))

    # what is learned

    def _learn(self, endpoint: str, differences: tuple[Difference, ...], witness: Witness) -> None:
        drifted, kinds = set(), set()
        for each in differences:
            if each.change is Change.ORDER:
                self._observe_order(each, witness)
            if each.change is not Change.VALUE:
                continue
            place = template(each.where)
            if self._is_volatile(each, None):
                kinds.add(place)
                if witness is Witness.CANDIDATE and endpoint.startswith(_MAKING):
                    self._numbers.add(each, name(each.where))
                self._learn_length(endpoint, place, each, witness)
            elif words(each) not in FORMS:
                drifted.add(place)
                if witness is Witness.CANDIDATE and endpoint.startswith(_MAKING):
                    self._counters.add(name(each.where), each.left, each.right)
        room = self._settings.max_places - self._places
        self._places += self._tally(endpoint, witness).add(drifted, kinds, self._keep, room)
        fields = {each for each in drifted if _is_shared(each)}
        room = self._settings.max_places - self._places
        self._places += self._tally(_EVERYWHERE, witness).add(fields, (), self._keep, room)

    def _learn_length(self, endpoint: str, place: str, difference: Difference, witness: Witness) -> None:
        left, right = difference.left, difference.right
        if witness is not Witness.CANDIDATE_REPEAT and isinstance(left, str):
            self._lengths.add(endpoint, place, left)
        if witness in (Witness.LIVE_RELEASE, Witness.LIVE_REPEAT) and isinstance(right, str):
            self._lengths.add(endpoint, place, right)

    def _observe_order(self, difference: Difference, witness: Witness) -> None:
        orders = self._orders.get(name(difference.where))
        if orders is None:
            if len(self._orders) >= self._settings.max_places:
                return
            orders = self._orders[name(difference.where)] = Orders()
        if witness is Witness.CANDIDATE:
            orders.add(difference, max(self._settings.min_inversions, self._settings.min_object_inversions))
        else:
            orders.teachers.add(witness)

    def _tally(self, endpoint: str, witness: Witness) -> Tally:
        tally = self._tallies.get((endpoint, witness))
        if tally is None:
            tally = self._tallies[endpoint, witness] = Tally()
        return tally

    # what follows

    def _reason(self, endpoint: str, difference: Difference, window_seconds: float | None) -> str | None:
        where = template(difference.where)
        if _is_own_mark(difference):
            return "what Shadow itself sent"
        if self._ignored.holds(endpoint, where):
            return "ignored by the settings"
        if self._pinned.holds(endpoint, where):
            return None
        if difference.change is Change.VALUE and difference.where != "status":
            return self._reason_of_value(endpoint, where, difference, window_seconds)
        if difference.change is Change.ORDER and self._is_unordered(difference):
            return "array without order"
        return None

    def _reason_of_value(
        self, endpoint: str, place: str, difference: Difference, window_seconds: float | None
    ) -> str | None:
        if are_near(difference.left, difference.right, self._settings.float_tolerance):
            return "within the tolerance of fractions"
        if self._is_volatile(difference, window_seconds):
            is_usual = self._is_usual_length(endpoint, place, difference)
            return "volatile kind of value" if is_usual and not self._became_random(endpoint, place) else None
        if words(difference) in FORMS:
            return None
        if self._is_drifting(endpoint, place):
            return "drifts at the live release" if self.has_baseline else "drifts at the candidate"
        if _is_shared(place) and self._is_drifting_everywhere(endpoint, place):
            return "drifts at other endpoints"
        is_counted = self._counters.is_counter(name(place), difference.left, difference.right)
        return "counted up" if is_counted and not self.has_baseline else None

    def _is_volatile(self, difference: Difference, window_seconds: float | None) -> bool:
        if (
            _is_in_cursor(difference.where)
            or _is_opaque_cookie(difference)
            or _is_own_origin(difference, self._settings.own)
        ):
            return True
        window = self._settings.window_seconds if window_seconds is None else window_seconds
        return is_alike(
            difference.left,
            difference.right,
            name(difference.where),
            window_seconds=window,
            own=self._settings.own,
        )

    def _is_usual_length(self, endpoint: str, place: str, difference: Difference) -> bool:
        left, right = difference.left, difference.right
        if not isinstance(left, str) or not isinstance(right, str) or len(left) == len(right):
            return True
        if not is_fixed_in_length(left, name(place), has_baseline=self.has_baseline):
            return True
        return self._lengths.is_usual(endpoint, place, right)

    def _became_random(self, endpoint: str, place: str) -> bool:
        """Whether the place never changed at the live release, but does with each answer of the candidate."""
        repeats = self._tallies.get((endpoint, Witness.CANDIDATE_REPEAT))
        if not self.has_baseline or repeats is None or repeats.kinds.get(place, 0.0) < _MIN_RANDOM:
            return False
        changed, compared = totals(self._of_live(endpoint), place)
        if changed >= MIN_DRIFT:
            return False
        chance = fisher(repeats.kinds[place], repeats.compared, 0, compared)
        return chance < self._settings.significance

    def _is_present(self, endpoint: str, place: str, difference: Difference) -> bool:
        """Whether the place told live's present time: another moment in almost all answers to one request."""
        live = self._tallies.get((endpoint, Witness.LIVE_REPEAT))
        if live is None or live.compared < _MIN_LONE or moment(difference.left, name(place)) is None:
            return False
        return live.kinds.get(place, 0.0) >= _PRESENT_SHARE * live.compared

    def _was_volatile(self, endpoint: str, place: str) -> bool:
        return totals(self._of_live(endpoint), place)[0] >= MIN_DRIFT

    def _of_live(self, endpoint: str) -> tuple[Tally | None, ...]:
        witnesses = (Witness.LIVE_RELEASE, Witness.LIVE_REPEAT)
        return tuple(self._tallies.get((endpoint, each)) for each in witnesses)

    def _is_drifting(self, endpoint: str, place: str) -> bool:
        """Whether the place drifts at the live release, and hardly more often at the candidate."""
        if not self.has_baseline:
            return self._is_drifting_alone(endpoint, place)
        noise = self._tallies.get((endpoint, Witness.LIVE_RELEASE))
        if noise is None or noise.seen(place) < MIN_DRIFT:
            return False
        suspect = self._tallies.get((endpoint, Witness.CANDIDATE))
        if suspect is None:
            return True

        def test(significance: float) -> bool:
            return drifts_more(suspect, noise, place, significance)

        return not self._looks.at(endpoint, place, suspect.total, test, self._settings.significance)

    def _is_drifting_alone(self, endpoint: str, place: str) -> bool:
        """Whether the candidate's repeats drift, and nothing that was recorded shows that live did not.

        How often the candidate differs from live is no news without a second live answer.
        """
        repeats = self._tallies.get((endpoint, Witness.CANDIDATE_REPEAT))
        if repeats is None or repeats.seen(place) < MIN_DRIFT:
            return False
        live = self._tallies.get((endpoint, Witness.LIVE_REPEAT))
        if live is None or live.seen(place) >= MIN_DRIFT:
            return True
        chance = fisher(repeats.seen(place), repeats.compared, 0, live.compared)
        return chance >= self._settings.significance

    def _is_drifting_everywhere(self, endpoint: str, place: str) -> bool:
        """Whether a header field drifts at other endpoints, while little is known of this one: what one piece
        of code writes for all of them changes at all of them."""
        witness = Witness.LIVE_RELEASE if self.has_baseline else Witness.CANDIDATE_REPEAT
        here = self._tallies.get((endpoint, witness))
        if here is not None and here.compared >= _MUCH_KNOWN:
            return False
        known = self._tallies.get((_EVERYWHERE, witness))
        if known is None or known.seen(place) < max(MIN_DRIFT, _MIN_SHARE * known.compared):
            return False
        return self.has_baseline or not self._is_steady(place)

    def _is_steady(self, place: str) -> bool:
        live = self._tallies.get((_EVERYWHERE, Witness.LIVE_REPEAT))
        return live is not None and live.compared >= _MUCH_KNOWN and live.seen(place) < MIN_DRIFT

    def _is_unordered(self, difference: Difference) -> bool:
        """Whether the array is a set: the live release shows it or, for scalars, nothing shows otherwise."""
        orders = self._orders.get(name(difference.where)) or Orders()
        judge = Witness.LIVE_RELEASE if self.has_baseline else Witness.CANDIDATE_REPEAT
        if judge in orders.teachers or Witness.LIVE_REPEAT in orders.teachers:
            return True
        if difference.where.endswith(":sequence"):
            return False  # of parts of different names, which is written out in code
        if not holds_scalars(difference.left):
            return len(orders.inversions) < self._settings.min_object_inversions
        return not self.has_baseline or not orders.is_list_of_scalars(self._settings.min_inversions)

    def _evidence(self, endpoint: str, place: str) -> dict[str, tuple[int, int]]:
        found = {}
        for witness in Witness:
            tally = self._tallies.get((endpoint, witness))
            if tally is not None:
                seen = tally.seen(place) + tally.kinds.get(place, 0.0)
                found[witness.value] = (round(seen), round(tally.compared))
        return found


_MAKING = ("POST ", "PUT ", "PATCH ")
_EVERYWHERE = ""
"""In place of an endpoint: header fields at all of them."""
_REPEATS = 4
"""So many repeats tell what became random from what never changed, at the significance there is."""
_LONE_REPEATS = 8
_MIN_STEADY = 2.5
"""Three answers of the baseline that were live's."""
_MIN_LONE = 2.5
"""Without a baseline: three answers that were recorded of one request, and eight of the candidate's."""
_PRESENT_SHARE = 0.9
"""Of answers to one request: two may be given in the same second."""
_MIN_RANDOM = 2.0
_MUCH_KNOWN = 20.0
"""Comparisons after which an endpoint speaks for itself."""
_MIN_SHARE = 0.2
"""Of comparisons: a field that drifts less often at other endpoints need not do so at this one."""
_CURSOR = re.compile(r"(?i)cursor|continuation|marker|page_?token|next|prev")
_OWN_MARKS = ("shadow-run", "shadow-trial")
_MIN_OPAQUE_CHARS = 16
_MAX_EXAMPLE_CHARS = 400


def _example(difference: Difference) -> Difference:
    """`difference` as it is kept, which may be long."""
    left, right = (
        each[:_MAX_EXAMPLE_CHARS] if isinstance(each, str) else each
        for each in (difference.left, difference.right)
    )
    return msgspec.structs.replace(difference, left=left, right=right)


def _is_shared(place: str) -> bool:
    return place.startswith(("header:", "trailer:")) and not place.startswith("header:set-cookie")


def _is_in_cursor(where: str) -> bool:
    """Whether it is a value packed into a cursor, which means something to the server that made it alone."""
    holder, packed, _ = where.partition("<base64>")
    return bool(packed) and _CURSOR.search(name(holder)) is not None


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
