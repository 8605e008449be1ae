"""Whether a smaller form of a confirmed mutant shows the cause of the first.

It is sent with a control of its own, and judged as the first was.
"""

import time
from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta

from shadow.judge import Less, likeness
from shadow.model import Expect, Origin, Outcome, Parcel, Reply, Trial, Verdict
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Answers, Environment, Readies
from shadow.pipeline.judging import Judging
from shadow.pipeline.order import may_write
from shadow.pipeline.ready import Ready
from shadow.pipeline.resending import Again, Resending
from shadow.pipeline.telling import mutant_trial, origin_of
from shadow.pipeline.ways import HTTP2

_NOTHING = Less()


class MinimiseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much may be spent on making findings of mutants smaller, as `[minimise]`."""

    sends: Annotated[int, Meta(ge=0)] = 200
    """Requests to each target for one finding, at most; 0 leaves findings as they were found."""
    seconds: Annotated[float, Meta(gt=0)] = 20.0
    """The longest that one finding is worked on."""


class Purse:
    """What may still be spent on one finding."""

    def __init__(self, settings: MinimiseSettings, is_held_up: Callable[[], bool]) -> None:
        self._sends = settings.sends
        self._until = time.monotonic() + settings.seconds
        self._is_held_up = is_held_up
        self.tries = 0

    def pays(self, sends: int, *, reserve: int = 0) -> bool:
        """Whether one more try may be made, which sends so many requests to each target; with a `reserve`
        only where so many are left afterwards, and time is."""
        if self._is_held_up() or sends + reserve > self._sends:
            return False
        if reserve and time.monotonic() >= self._until:
            return False
        self._sends -= sends
        self.tries += 1
        return True


class Suspect(msgspec.Struct, frozen=True):
    """A mutant that was confirmed, and told."""

    case: Case
    mutant: Mutant
    trial: Trial
    via: str


class Shown(msgspec.Struct, frozen=True):
    """A form that failed as the first did."""

    trial: Trial
    ready: Ready
    control: Answers


class Reshowing:
    """Sends smaller forms of suspects."""

    def __init__(
        self, environment: Environment, resending: Resending, judging: Judging, *, times: int
    ) -> None:
        """`times` is how often what is smallest must show the cause again."""
        self._environment = environment
        self._resending = resending
        self._judging = judging
        self.times = times

    @property
    def all_times(self) -> str:
        return f"{self.times}/{self.times}"

    def begins(self, case: Case, purse: Purse) -> bool:
        """Whether one more form may be tried, and enough is left to see what is smallest again."""
        return purse.pays(_cost(case), reserve=self.times * _cost(case))

    def again(self, suspect: Suspect, attempt: int, less: Less = _NOTHING) -> Again:
        mutant, case = suspect.mutant, suspect.case
        edit = mutant.mutate("candidate")(mutant.plain.request)
        is_settled = edit is not None and (edit.wire is not None or not edit.signs_again)
        salt = f"{case.exchange.index}:{mutant.mutator.name}:less:{attempt}"
        return Again(case, mutant.mutate, suspect.via, salt, Parcel.MINIMISATION, less, is_settled)

    def made(self, again: Again) -> tuple[Readies, Readies] | None:
        """The mutant as it would be sent, and what it is made of; None for no mutant."""
        return self._resending.readies(again)

    async def shown(
        self, suspect: Suspect, mutant: Mutant, again: Again, control: Answers | None
    ) -> Shown | None:
        """What a form of `mutant` shows, where that is the suspect's cause and the smaller control has the
        answers of `control`, where there is one."""
        made = self._resending.readies(again)
        if made is None or not self._may_be_sent(suspect, again, made[0]):
            return None
        readies, plain = made
        if not self._environment.carries(readies, again.via):
            return None
        held, answer = await self._resending.pair(again)
        form = msgspec.structs.replace(mutant, mutate=again.edits, readies=readies, plain=plain.candidate)
        answer = self._judging.held(held, answer)
        judgement = self._judging.mutant(suspect.case, form, held, answer)
        if judgement.verdict is not Verdict.FAILED:
            return None
        trial = mutant_trial(suspect.case, form, held, answer, judgement)
        if suspect.via == HTTP2:
            trial = msgspec.structs.replace(trial, is_http2=True)
        if likeness(trial) != likeness(suspect.trial):
            return None
        trial = msgspec.structs.replace(trial, origin=self._origin(suspect.case, again))
        if control is not None and not self._is_held(suspect, control, held):
            return None
        return Shown(trial, readies.candidate, held)

    def _origin(self, case: Case, again: Again) -> Origin:
        """What the smaller form was made of."""
        plain = self._environment.prepare(case.exchange, case.session, again.salt, again.plain).candidate
        less = None if again.less == _NOTHING else again.less.as_json()
        return msgspec.structs.replace(origin_of(case, plain), less=less)

    def _may_be_sent(self, suspect: Suspect, again: Again, made: Readies) -> bool:
        """Whether what is left is still the edit that it was, and writes no more than the first did."""
        case, ready = suspect.case, suspect.mutant.readies.candidate
        if may_write(again.plain) and not case.is_write:
            return False
        anew = self._resending.readies(msgspec.structs.replace(again, is_made_anew=True))
        if anew is None and suspect.trial.judgement.expect is Expect.REJECT:
            return False  # nothing is left that would make it invalid
        smaller = made.candidate
        return not smaller.may_write or case.is_write or ready.may_write

    def _is_held(self, suspect: Suspect, first: Answers, now: Answers) -> bool:
        """Whether the smaller control was answered as the whole one was: with the same status, and where the
        edit must not change the meaning with the same answer."""
        is_same = suspect.trial.judgement.expect is Expect.SAME
        for one, other in ((first.candidate, now.candidate), (first.baseline, now.baseline)):
            if _status(one) != _status(other):
                return False
            if is_same and self._judging.between(suspect.case.endpoint, one, other):
                return False
        return True

    async def lasts(
        self, suspect: Suspect, again: Again, purse: Purse, control: Answers | None = None
    ) -> bool:
        """Whether the smaller form shows the cause as often as the first had to."""
        for attempt in range(self.times):
            if not purse.pays(_cost(suspect.case)):
                return False
            once = msgspec.structs.replace(again, salt=f"{again.salt}:{attempt}")
            if await self.shown(suspect, suspect.mutant, once, control) is None:
                return False
        return True


def _cost(case: Case) -> int:
    """How much one try sends to each target."""
    return 2 * (len(case.past) + 1 if case.is_write else 1)


def _status(outcome: Outcome | None) -> object:
    """The status, or why there is none."""
    if outcome is None:
        return None
    return outcome.response.status if isinstance(outcome, Reply) else outcome.why
