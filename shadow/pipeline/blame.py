"""Who made a target unwell: what was under way then is sent again alone, one after the other."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count

import msgspec

from shadow.judge import classify, is_unwell
from shadow.judge.evidence import failed
from shadow.judge.fingerprint import READ_FOR_ALL
from shadow.model import (
    AnswerClass,
    Event,
    Expect,
    Judgement,
    NoReply,
    Parcel,
    Silence,
    StateChanged,
)
from shadow.pipeline.calm import Calm
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Answers, Environment
from shadow.pipeline.gate import Gate
from shadow.pipeline.hindsight import Done, Hindsight, culprits
from shadow.pipeline.judging import Judging
from shadow.pipeline.ready import Ready
from shadow.pipeline.resending import Again, Resending
from shadow.pipeline.vigil import Lost, Vigil

_AGAIN_MAX = 200
"""Suspects that are sent again in a run; each may cost a recovery."""
_SUSPECTS_MAX = 64
_LOOKS = 6
"""Harm that is done after the answer takes a while to show, and what died may soon be there again."""
_PAUSE_SECONDS = 0.1
"""A process takes a moment to die."""
_SICK = frozenset({AnswerClass.HUNG, AnswerClass.BROKEN})


class Anew(msgspec.Struct, frozen=True):
    """What came of a suspect that had the targets to itself."""

    control: Answers
    answer: Answers
    judgement: Judgement | None = None
    """Where it made the candidate unwell every time."""
    times: str = ""
    """``"3/3"``, where it did."""


class Verdicts(msgspec.Struct, frozen=True):
    """Who was to blame, in hindsight."""

    done: tuple[Done, ...]
    """One alone, or several that do it in this order."""
    judgement: Judgement
    times: str


class Blame:
    """One for a run."""

    def __init__(
        self,
        environment: Environment,
        resending: Resending,
        judging: Judging,
        gate: Gate,
        calm: Calm,
        *,
        times: int,
        hear: Callable[[Event], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hear = hear
        self._sleep = sleep
        self._environment = environment
        self._resending = resending
        self._judging = judging
        self._gate = gate
        self._calm = calm
        self._times = times
        self._again_count = 0
        self._hindsight = Hindsight(clock)
        self._tries = count()
        self._suspects: list[Done] = []
        self._guilty: set[tuple[str, str]] = set()
        self._explained = 0
        """Of the candidate's incidents: those of which is known what made them, or that nothing did."""
        self._told: set[int] = set()

    @property
    def lost(self) -> Lost | None:
        """What is known of a target that did not come back."""
        return next((each.lost for each in self._vigils if each.lost is not None), None)

    def is_guilty(self, case: Case, mutant: Mutant) -> bool:
        """Whether it is known to make the candidate unwell: once is enough."""
        return _key(case, mutant) in self._guilty

    def is_prime(self, ready: Ready) -> bool:
        """Whether `ready` is the likeliest of those that may have killed a target. True once."""
        lost = self.lost
        if lost is None or id(lost) in self._told or lost.suspects[0].ready is not ready:
            return False
        self._told.add(id(lost))
        return True

    def last_words(self, times: str = "1/1") -> tuple[Judgement, str]:
        """What is told of the likeliest of those."""
        lost = self.lost
        assert lost is not None
        fault = "hang" if "in time" in lost.sign else "crash"
        return failed(fault, lost.why, Expect.SURVIVE), times

    def note(self, case: Case, mutant: Mutant | None, via: str) -> None:
        """Take in that a mutant, or None for the original, was sent and answered: it may have done harm all
        the same."""
        self._hindsight.note(Done(case, mutant, via))

    def suspect(self, case: Case, mutant: Mutant | None, via: str) -> None:
        """Take in what was under way when a target was unwell: together with what came before it may have
        been why."""
        if len(self._suspects) < _SUSPECTS_MAX:
            self._suspects.append(Done(case, mutant, via))

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Around what must have the targets to itself; nobody's writes are held up half-way."""
        if self._calm.is_mine:
            yield
            return
        async with self._gate.holds(), self._calm.holds():
            yield

    async def recovers(self) -> bool:
        """Whether all targets are well, at once or after a while. For whoever has them alone."""
        for each in self._vigils:
            if not await each.recovers():
                return False
        return True

    async def anew(self, case: Case, mutant: Mutant, via: str) -> Anew | None:
        """Send a suspect again, alone: as often as a suspicion needs where it makes the candidate unwell,
        else once. None where that cannot be done."""
        if self._again_count >= _AGAIN_MAX or self.lost is not None:
            return None
        self._again_count += 1
        self.suspect(case, mutant, via)
        async with self.alone():
            return await self._tried(Done(case, mutant, via), mutant)

    async def look_back(self) -> Verdicts | None:
        """Where the candidate was unwell and none of those under way was to blame: who was, of what had been
        answered before."""
        vigil = self._vigils[0] if self._vigils else None
        if vigil is None or vigil.incidents <= self._explained:
            return None
        async with self.alone():
            if vigil.lost is not None or self._is_explained(vigil):
                return None
            self._explained = vigil.incidents
            suspects, self._suspects = self._suspects, []
            done = [*self._hindsight.between(vigil.unwell_at, vigil.seen_at), *suspects]
            found = await culprits(done, self._makes_ill, times=self._times)
            if not found:
                why = f"none of {len(done)} requests makes the candidate unwell when they are sent again"
                self._hear(StateChanged("unexplained", why))
                return None
            await self._recovers_or_is_lost(found[-1])
            self._guilty |= {
                _key(each.case, each.mutant) for each in found if each.mutant and len(found) == 1
            }
            self._explained = vigil.incidents
        why = "; then ".join(each.label for each in found)
        judgement = failed("unhealthy", f"the candidate is unwell as a whole after {why}", Expect.SURVIVE)
        return Verdicts(found, judgement, f"{self._times}/{self._times}")

    def _is_explained(self, vigil: Vigil) -> bool:
        return vigil.incidents <= self._explained

    async def _makes_ill(self, done: Sequence[Done]) -> bool:
        if not await self.recovers():
            return False
        for at, each in enumerate(done):
            await self._send_again(each, f"{each.case.exchange.index}:hindsight:{next(self._tries)}:{at}")
        vigils = self._vigils
        for _ in range(_LOOKS):
            await self._sleep(_PAUSE_SECONDS)
            if not await vigils[0].is_well():
                return len(vigils) == 1 or await vigils[1].is_well()
        return False

    async def _send_again(self, done: Done, salt: str) -> None:
        case = done.case
        if done.mutant is not None:
            again = Again(case, done.mutant.mutate, done.via, salt, Parcel.CONFIRMATION)
            await self._resending.mutant(again)
        elif not case.is_write:
            readies = self._environment.prepare(case.exchange, case.session, salt)
            await self._environment.send(
                readies, via=done.via, parcel=Parcel.CONFIRMATION, session=case.session
            )

    async def _tried(self, sent: Done, mutant: Mutant) -> Anew | None:
        worst: Judgement | None = None
        anew: Anew | None = None
        for attempt in range(self._times):
            if not await self.recovers():
                await self._abandon(sent)
                times = f"{attempt}/{attempt}"
                return msgspec.structs.replace(anew, judgement=worst, times=times) if anew and worst else None
            salt = f"{sent.case.exchange.index}:{mutant.mutator.name}:alone:{attempt}"
            again = Again(sent.case, mutant.mutate, sent.via, salt, Parcel.CONFIRMATION)
            control, answer = await self._resending.pair(again)
            harm = await self._harm(control, answer)
            if harm is None:
                return Anew(control, answer) if anew is None else anew
            worst = harm if worst is None else worst
            anew = anew or Anew(control, answer)
        if worst is None or anew is None:
            return anew
        await self._recovers_or_is_lost(sent)
        self._guilty.add(_key(sent.case, mutant))
        self._explained = self._vigils[0].incidents
        return msgspec.structs.replace(anew, judgement=worst, times=f"{self._times}/{self._times}")

    async def _recovers_or_is_lost(self, sent: Done) -> None:
        if not await self.recovers():
            await self._abandon(sent)

    async def _abandon(self, sent: Done) -> None:
        """A target did not come back after it had met one request alone."""
        if sent.mutant is None:
            return
        readies = sent.mutant.readies
        for each, ready in zip(self._vigils, (readies.candidate, readies.baseline), strict=False):
            if ready is not None and not await each.is_well():
                each.abandon(ready)
                self._told.add(id(each.lost))

    async def _harm(self, control: Answers, answer: Answers) -> Judgement | None:
        """How unwell the candidate is after a mutant that had it to itself; None where it is not, or was so
        before."""
        if classify(control.candidate) in _SICK or classify(control.candidate) is AnswerClass.DOWN:
            return None
        ill = [not await each.is_well() for each in self._vigils]
        if ill and not ill[0] and isinstance(answer.candidate, NoReply):
            await self._sleep(_PAUSE_SECONDS)
            ill[0] = not await self._vigils[0].is_well()
        if not ill or not ill[0]:
            return None
        return failed(_fault(answer), _why(answer), Expect.SURVIVE, is_on_both=len(ill) > 1 and ill[1])

    def learn(self, case: Case, answers: Answers, via: str) -> None:
        """Take in an original's answers: what is read may be asked again to see how a target is."""
        self.note(case, None, via)
        for each, outcome in zip(self._vigils, (answers.candidate, answers.baseline), strict=False):
            if outcome is not None:
                each.pulse.learn(case.endpoint, case.exchange, outcome)

    @property
    def _vigils(self) -> Sequence[Vigil]:
        return [link.vigil for link in self._environment.links if link.vigil is not None]


def _key(case: Case, mutant: Mutant) -> tuple[str, str]:
    """What one piece of code reads for all endpoints, is guilty at all of them."""
    is_for_all = mutant.mutator.level in READ_FOR_ALL
    return "" if is_for_all else case.endpoint, mutant.mutator.name


def is_doubtful(answers: Answers) -> bool:
    """Whether either target was unwell meanwhile."""
    return is_unwell(answers.candidate) or is_unwell(answers.baseline)


def _fault(answer: Answers) -> str:
    ours = answer.candidate
    if not isinstance(ours, NoReply):
        return "unhealthy"
    return "hang" if ours.why is Silence.TIMED_OUT else "crash"


def _why(answer: Answers) -> str:
    ours = answer.candidate
    said = ours.why.replace("_", " ") if isinstance(ours, NoReply) else f"{ours.response.status}"
    return f"{said}, and afterwards the candidate was unwell as a whole; sent alone each time"
