"""A suspicion is sent again before anyone hears of it; what does not show every time is not reported."""

import re

import msgspec

from shadow.judge import aftermath, classify, is_at_least, is_breakage, template
from shadow.model import (
    AnswerClass,
    Change,
    Difference,
    Judgement,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Severity,
    Silence,
    Verdict,
)
from shadow.pipeline.blame import Blame, is_doubtful
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Answers, Environment, Pair
from shadow.pipeline.judging import Judging
from shadow.pipeline.other_dice import OtherDice
from shadow.pipeline.resending import Again, Resending
from shadow.pipeline.scripts import Scripts

_MAX_REFUTED = 3
"""A suspicion that was refuted so often is hardly tried again: it is noise of a kind nobody knows yet."""
_RETRIES = (10, 30, 100, 300)
"""Of an original's suspicion: at these further sightings it is tried all the same, as another cause may show
in the same place."""
_NEEDS_NO_SECOND = frozenset({Change.MISSING, Change.TYPE, Change.ADDED})
"""Changes that chance does not make."""

_NUMBERS = re.compile(r"\d+")
_SEVERAL = 3
"""Endpoints at which a field must have changed before it is taken to have changed everywhere."""
_REFUSED = 400
_COUNTED = frozenset({401, 403, 407, 423, 429})
"""Refusals that services may count, and lock out who has too many of them."""


class Confirmed(msgspec.Struct, frozen=True):
    """A suspicion that showed again, every time."""

    judgement: Judgement
    times: str
    """``"3/3"``"""
    fresh: tuple[Difference, ...] = ()
    """Of an original's: what was never confirmed at its endpoint before."""


_UNWELL_MAX = 3
"""So often an original is sent once more because a target was unwell meanwhile."""
_UNASKED = NoReply(Silence.UNSENT)
_OF_HARM = frozenset({"crash", "hang"})
"""Faults that others may suffer from while one does the harm."""

type _Key = tuple[object, ...]


class Confirmation:
    """Remembers which suspicions were confirmed, so that each is sent again only once."""

    def __init__(
        self,
        environment: Environment,
        scripts: Scripts,
        judging: Judging,
        *,
        times: int,
        may_write: bool,
        blame: Blame | None = None,
    ) -> None:
        """`blame` gives suspects the targets to themselves; without it nobody does."""
        self._blame = blame
        self._environment = environment
        self._scripts = scripts
        self._resending = Resending(environment, scripts)
        self._other_dice = OtherDice(self._resending, judging)
        self._judging = judging
        self._times = times
        self._may_write = may_write
        self._confirmed: dict[_Key, str] = {}
        self._worst: dict[_Key, Severity] = {}
        """Of confirmed mutants: what is worse, as the live release does not share it, is another claim."""
        self._severities: dict[_Key, Severity] = {}
        """Of confirmed mutants that the live release fails with too, once the dice fall otherwise."""
        self._refuted: dict[_Key, int] = {}
        self._passed_over: dict[_Key, int] = {}
        """How often what had been refuted so often was seen again."""
        self._seen: dict[_Key, int] = {}
        """How often writes that are not sent again showed a place to differ, at whatever endpoint."""
        self._lasting_places: dict[_Key, set[str]] = {}
        """Places that differed each time, and the endpoints at which they did."""
        self.held: dict[str, None] = {}
        self._is_over = False

    async def original(self, case: Case, first: Answers, judgement: Judgement, via: str) -> Confirmed | None:
        """What is left of a failed original's differences; None when none shows every time."""
        known, rest = self._split(case, judgement)
        rest = tuple(each for each in rest if not self._is_held(case, each))
        given = _given(case, first)
        is_refused = _is_refused(given)
        if self._judging.is_drifted:
            beyond = beyond_drift(case, rest)
            rest = tuple(
                each
                for each in rest
                if each in beyond or self._is_known_elsewhere(each) or (is_refused and _is_reworded(each))
            )
        if case.is_write and not self._may_write and not _left_nothing(given):
            seen = [each for each in rest if self._is_seen_enough(case, each)]
            lasting = tuple(each for each in rest if each in seen or _is_length_of(each, seen))
            times = self._as_often_as_seen(lasting)
        else:
            again = await self._lasting(case, first, rest, via) if rest else ()
            lasting = tuple(each for each in rest if each in again or self._is_of_all_answers(each))
            times = self.all_times
            for each in again:
                self._lasting_places.setdefault(_place(each), set()).add(case.endpoint)
            for each in rest:
                if each not in lasting and not self._judging.noise.forgives(case.endpoint, each):
                    self._refute(_place_key(case, each))
        for each in lasting:
            self._confirmed[_place_key(case, each)] = times
        if not known and not lasting:
            return None
        left = (*known, *lasting)
        return Confirmed(
            msgspec.structs.replace(judgement, differences=left),
            self._confirmed[_place_key(case, left[0])],
            lasting,
        )

    def unknown(self, case: Case, judgement: Judgement) -> tuple[Difference, ...]:
        """Of a failed original's differences those that were not confirmed."""
        return tuple(each for each in judgement.differences if _place_key(case, each) not in self._confirmed)

    def looked_back(
        self, case: Case, answers: Answers, judgement: Judgement, fresh: tuple[Difference, ...]
    ) -> Confirmed | None:
        """What an original that was not told shows of the `fresh` differences, which are confirmed now."""
        differences = judgement.differences
        if self._judging.is_drifted:
            differences = (
                tuple(filter(_is_reworded, differences)) if _is_refused(_given(case, answers)) else ()
            )
        places = {_place(each) for each in fresh}
        status = tuple(each for each in judgement.differences if each.where == "status")
        if status and self._judging.is_drifted:
            return None
        found = tuple(
            each
            for each in status or differences  # what comes with another status follows from it
            if _place(each) in places
            and (_place_key(case, each) in self._confirmed or each.where != "status")
        )
        if not found:
            return None
        seen = self._as_often_as_seen(tuple(each for each in found if _place(each) in self._seen))
        times = self._confirmed.get(_place_key(case, found[0]), seen)
        return Confirmed(msgspec.structs.replace(judgement, differences=found), times)

    async def repeat(self, case: Case, first: Answers, via: str, attempt: int) -> None:
        """Send an original that reads once more, to learn what changes by itself."""
        answers = await self._original_again(case, via, attempt, Parcel.REPEAT)
        self._judging.learn_repeat(case, first, answers)

    async def mutant(self, case: Case, mutant: Mutant, judgement: Judgement, via: str) -> Confirmed | None:
        """The judgement with how often it showed again; None when it did not every time."""
        key = (case.endpoint, mutant.mutator.name, judgement.fault, judgement.expect)
        if key in self._worst and is_at_least(self._worst[key], judgement.severity):
            return Confirmed(self._as_weighed(key, judgement), self._confirmed[key])
        if self._refuted.get(key, 0) >= _MAX_REFUTED:
            return None
        shown = await self._every_time(case, mutant, judgement, via)
        if shown is None:
            self._refute(key)
            return None
        judgement = shown
        weighed = await self._other_dice.weighed(case, mutant, judgement, via)
        if weighed is None:
            self._refute(key)
            return None
        if weighed.severity is not judgement.severity:
            self._severities[key] = weighed.severity
        self._confirmed[key], self._worst[key] = self.all_times, judgement.severity
        return Confirmed(self._as_weighed(key, judgement), self._confirmed[key])

    async def _every_time(
        self, case: Case, mutant: Mutant, judgement: Judgement, via: str
    ) -> Judgement | None:
        """The judgement as last seen, where it shows each time; None where not. What may be another's fault
        is tried alone."""
        if self._blame is None or judgement.fault not in _OF_HARM:
            return await self._each_time(case, mutant, judgement, via)
        async with self._blame.alone():
            return await self._each_time(case, mutant, judgement, via, is_alone=True)

    async def _each_time(
        self, case: Case, mutant: Mutant, judgement: Judgement, via: str, *, is_alone: bool = False
    ) -> Judgement | None:
        for attempt in range(self._times):
            if is_alone and self._blame is not None and not await self._blame.recovers():
                return None
            control, answer = await self._again(case, mutant, via, attempt)
            again = self._judging.mutant(case, mutant, control, answer)
            if (again.verdict, again.fault) != (Verdict.FAILED, judgement.fault):
                return None
            judgement = again
        return judgement

    def _as_weighed(self, key: _Key, judgement: Judgement) -> Judgement:
        """`judgement` with what is known of the live release."""
        severity = self._severities.get(key)
        if severity is None or is_at_least(severity, judgement.severity):
            return judgement
        why = f"{judgement.why}; the live release does so too with another draw of the same edit"
        return msgspec.structs.replace(judgement, severity=severity, why=why)

    @property
    def times(self) -> int:
        """How often a suspicion must show again."""
        return self._times

    @property
    def all_times(self) -> str:
        """What is said of a suspicion that showed each time."""
        return f"{self._times}/{self._times}"

    async def aftermath(self, case: Case, before: Answers, via: str) -> Judgement:
        """Whether the unedited request is still answered as `before`; FAILED where it never was again."""
        judgement = Judgement(Verdict.PASSED)
        for attempt in range(self._times):
            salt = f"{case.exchange.index}:after:{attempt}"
            readies = self._environment.prepare(case.exchange, case.session, salt)
            after = await self._environment.send(readies, via=via, parcel=Parcel.PROBE, session=case.session)
            judgement = aftermath(before.candidate, after.candidate, after.baseline)
            if judgement.verdict is Verdict.PASSED:
                break
        return judgement

    async def _lasting(
        self, case: Case, first: Answers, suspected: tuple[Difference, ...], via: str
    ) -> tuple[Difference, ...]:
        """Those of the suspected differences that show each time the original is sent again."""
        is_retold = self._may_write and (case.is_write or self._judging.is_drifted)
        lasting = await self._lasting_so(case, first, suspected, via, is_retold=is_retold)
        if not lasting and not is_retold and self._may_write and case.follows_write:
            # it may only be there for a moment: an effect that comes late, or that is undone
            lasting = await self._lasting_so(case, first, suspected, via, is_retold=True)
        return lasting

    async def _lasting_so(
        self,
        case: Case,
        first: Answers,
        suspected: tuple[Difference, ...],
        via: str,
        *,
        is_retold: bool,
    ) -> tuple[Difference, ...]:
        """`is_retold` says that its session is told anew each time, else it is asked alone."""
        lasting, said = suspected, dict[tuple[str, Change], set[str]]()
        attempt, attempts = 0, self._times
        while lasting and attempt < attempts:
            if is_retold:
                answers = await self._retold(case)
            else:
                answers = await self._original_again(case, via, attempt)
                self._judging.learn_repeat(case, first, answers)
            again = {_place(each): each for each in self._judging.original(case, answers).differences}
            lasting = tuple(each for each in lasting if _place(each) in again)
            for each in lasting:
                said.setdefault(_place(each), {repr(each.right)}).add(repr(again[_place(each)].right))
            attempt += 1
            if attempt == self._times and not is_retold and any(_is_fickle(each, said) for each in lasting):
                attempts *= 2
        return lasting

    async def _retold(self, case: Case) -> Answers:
        script, told = case.retelling()
        return (await self._scripts.run(script, told, parcel=Parcel.CONFIRMATION))[-1]

    async def _original_again(
        self, case: Case, via: str, attempt: int, parcel: Parcel = Parcel.CONFIRMATION
    ) -> Answers:
        salt = f"{case.exchange.index}:{'again' if parcel is Parcel.CONFIRMATION else 'repeat'}:{attempt}"
        answers = Pair[Outcome](_UNASKED, None)
        for again in range(_UNWELL_MAX):
            readies = self._environment.prepare(case.exchange, case.session, f"{salt}{'+' * again}")
            answers = await self._environment.send(readies, via=via, parcel=parcel, session=case.session)
            if not is_doubtful(answers):
                break
        return answers

    async def _again(self, case: Case, mutant: Mutant, via: str, attempt: int) -> tuple[Answers, Answers]:
        """Control and mutant once more; those that write at the end of their session, told anew."""
        salt = f"{case.exchange.index}:{mutant.mutator.name}:again:{attempt}"
        return await self._resending.pair(Again(case, mutant.mutate, via, salt, Parcel.CONFIRMATION))

    def _split(
        self, case: Case, judgement: Judgement
    ) -> tuple[tuple[Difference, ...], tuple[Difference, ...]]:
        """The differences that were confirmed before, and those to be tried."""
        known, rest = [], []
        for each in judgement.differences:
            key = _place_key(case, each)
            if key in self._confirmed:
                known.append(each)
            elif self._is_worth_trying(key):
                rest.append(each)
        return tuple(known), tuple(rest)

    def _is_worth_trying(self, key: _Key) -> bool:
        if self._refuted.get(key, 0) < _MAX_REFUTED:
            return True
        self._passed_over[key] = self._passed_over.get(key, 0) + 1
        return self._passed_over[key] in _RETRIES

    def _is_seen_enough(self, case: Case, difference: Difference) -> bool:
        """Whether a write's difference, which is not to be sent again, was seen often enough by itself."""
        place = _place(difference)
        self._seen[place] = self._seen.get(place, 0) + (not self._is_over)
        is_lasting_kind = difference.change in _NEEDS_NO_SECOND or difference.where == "status"
        if not is_lasting_kind and self._seen[place] == 1:
            self.held[case.endpoint] = None
        is_sure = self._is_over and self._judging.has_baseline
        is_seen = self._seen[place] > 1 or self._is_known_elsewhere(difference)
        return is_lasting_kind or is_seen or is_sure

    def _is_held(self, case: Case, difference: Difference) -> bool:
        """Whether it is better told once more was seen, or nothing more will be."""
        if not self._judging.noise.is_counting(difference, is_over=self._is_over):
            return False
        self.held[case.endpoint] = None
        return True

    def end(self) -> tuple[str, ...]:
        """Endpoints of which something was held back. Nothing is from now on: nothing more will be seen."""
        self._is_over = True
        held, self.held = tuple(self.held), {}
        return held

    def _is_known_elsewhere(self, difference: Difference) -> bool:
        """Whether the same place differed each time at another endpoint: a part that several share."""
        return difference.where != "status" and _place(difference) in self._lasting_places

    def _is_of_all_answers(self, difference: Difference) -> bool:
        """Whether it is a field that changed at several endpoints, so that one answer that is no more to be
        had, as its resource is gone by now, has changed with them."""
        endpoints = self._lasting_places.get(_place(difference), ())
        return difference.where.startswith("header:") and len(endpoints) >= _SEVERAL

    def _as_often_as_seen(self, differences: tuple[Difference, ...]) -> str:
        """How often differences showed that are not asked for again, because asking writes."""
        seen = max((self._seen.get(_place(each), 0) for each in differences), default=0) or 1
        return f"{seen}/{seen}"

    def _refute(self, key: _Key) -> None:
        self._refuted[key] = self._refuted.get(key, 0) + 1


def _is_fickle(difference: Difference, said: dict[tuple[str, Change], set[str]]) -> bool:
    """Whether the candidate said something else each time, so that two others may agree by chance."""
    return difference.change is Change.VALUE and len(said[_place(difference)]) > 1


def _given(case: Case, answers: Answers) -> tuple[Outcome, ...]:
    """What all who were asked answered, the live release too."""
    live = case.exchange.response
    given = (answers.candidate, answers.baseline, None if live is None else Reply(live))
    return tuple(each for each in given if each is not None)


def _is_refused(given: tuple[Outcome, ...]) -> bool:
    """Whether everybody refused the request, be it in the body alone."""
    return all(classify(each) is AnswerClass.REJECTED for each in given)


def _left_nothing(given: tuple[Outcome, ...]) -> bool:
    """Whether everybody refused the request, so that it left nothing behind and may be sent again. Where it
    was for who asked, services count how often that happens. What a body alone says is not enough for that.
    """
    return all(
        isinstance(each, Reply)
        and classify(each) is AnswerClass.REJECTED
        and each.response.status >= _REFUSED
        and each.response.status not in _COUNTED
        for each in given
    )


def _is_reworded(difference: Difference) -> bool:
    """Whether a text has other words, whatever its numbers: of a refusal, no state does that."""
    left, right = difference.left, difference.right
    if difference.change is not Change.VALUE or not isinstance(left, str) or not isinstance(right, str):
        return False
    return _NUMBERS.sub("", left) != _NUMBERS.sub("", right)


def _is_length_of(difference: Difference, others: list[Difference]) -> bool:
    """Whether it is the length of an array of which the others name elements that came or went."""
    return difference.change is Change.LENGTH and any(
        each.where.startswith(f"{difference.where}[") for each in others
    )


def beyond_drift(case: Case, differences: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """Those that no drift of state explains. What explains a status explains all that comes with it."""
    if any(each.where == "status" and _may_be_drift(case, each) for each in differences):
        return ()
    return tuple(each for each in differences if not _may_be_drift(case, each))


def _may_be_drift(case: Case, difference: Difference) -> bool:
    """Whether it may come of state that only one target has: of a resource more or less in a list, or of
    another state of a resource that this session did not make, so that telling it anew makes no fresh
    one."""
    if difference.where == "status":
        is_broken = is_breakage(difference.right)
        return not is_broken and not case.is_about_own
    if difference.change in (Change.LENGTH, Change.ORDER) or difference.where.endswith("]"):
        return True
    is_value = difference.change not in _NEEDS_NO_SECOND
    return is_value and ("[" in difference.where or not case.is_about_own)


def _place(difference: Difference) -> tuple[str, Change]:
    """Where and how it differs. In XML a list of one is no list, so that the place must not say which it is:
    what is sent again may find one more."""
    return template(difference.where).replace("[]", ""), difference.change


def _place_key(case: Case, difference: Difference) -> _Key:
    """A status is what it became: a refuted 503 says nothing of a 404."""
    if difference.where == "status":
        return (case.endpoint, *_place(difference), difference.left, difference.right)
    return (case.endpoint, *_place(difference))
