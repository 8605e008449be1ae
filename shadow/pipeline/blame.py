"""Who made a target unwell: what was under way then is sent again alone, one after the other."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import msgspec

from shadow.judge import classify, is_unwell
from shadow.judge.evidence import failed
from shadow.model import AnswerClass, Expect, Judgement, NoReply, Parcel, Silence
from shadow.pipeline.calm import Calm
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Answers, Environment
from shadow.pipeline.gate import Gate
from shadow.pipeline.judging import Judging
from shadow.pipeline.ready import Ready
from shadow.pipeline.resending import Again, Resending
from shadow.pipeline.vigil import Lost, Vigil

_AGAIN_MAX = 200
"""Suspects that are sent again in a run; each may cost a recovery."""
_LATEST = 16
"""So many of the latest mutants are looked at where none of those under way was to blame."""
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


class Sent(msgspec.Struct, frozen=True):
    """A mutant that was sent, so that it can be sent again."""

    case: Case
    mutant: Mutant
    via: str


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
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sleep = sleep
        self._environment = environment
        self._resending = resending
        self._judging = judging
        self._gate = gate
        self._calm = calm
        self._times = times
        self._again_count = 0
        self._latest: deque[Sent] = deque(maxlen=_LATEST)
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
        return (case.endpoint, mutant.mutator.name) in self._guilty

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

    def note(self, case: Case, mutant: Mutant, via: str) -> None:
        """Take in that a mutant was sent and answered: it may have done harm all the same."""
        self._latest.append(Sent(case, mutant, via))

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
        async with self.alone():
            return await self._tried(Sent(case, mutant, via))

    async def look_back(self) -> list[tuple[Sent, Anew]]:
        """Where the candidate was unwell and none of those under way was to blame: which of the mutants sent
        before it was."""
        vigil = self._vigils[0] if self._vigils else None
        if vigil is None or vigil.incidents <= self._explained or vigil.lost is not None:
            return []
        self._explained = vigil.incidents
        found: list[tuple[Sent, Anew]] = []
        async with self.alone():
            for each in reversed(list(self._latest)):
                if self.is_guilty(each.case, each.mutant) or self._again_count >= _AGAIN_MAX:
                    continue
                self._again_count += 1
                anew = await self._tried(each)
                if anew is None:
                    break
                if anew.judgement is not None:
                    found.append((each, anew))
                    break
        self._latest.clear()
        return found

    async def _tried(self, sent: Sent) -> Anew | None:
        worst: Judgement | None = None
        anew: Anew | None = None
        for attempt in range(self._times):
            if not await self.recovers():
                await self._abandon(sent)
                times = f"{attempt}/{attempt}"
                return msgspec.structs.replace(anew, judgement=worst, times=times) if anew and worst else None
            salt = f"{sent.case.exchange.index}:{sent.mutant.mutator.name}:alone:{attempt}"
            again = Again(sent.case, sent.mutant.mutate, sent.via, salt, Parcel.CONFIRMATION)
            control, answer = await self._resending.pair(again)
            harm = await self._harm(control, answer)
            if harm is None:
                return Anew(control, answer) if anew is None else anew
            worst = harm if worst is None else worst
            anew = anew or Anew(control, answer)
        if worst is None or anew is None:
            return anew
        if not await self.recovers():
            await self._abandon(sent)
        self._guilty.add((sent.case.endpoint, sent.mutant.mutator.name))
        if self._vigils:
            self._explained = self._vigils[0].incidents
        return msgspec.structs.replace(anew, judgement=worst, times=f"{self._times}/{self._times}")

    async def _abandon(self, sent: Sent) -> None:
        """A target did not come back after it had met one request alone."""
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

    def learn(self, case: Case, answers: Answers) -> None:
        """Take in an original's answers: what is read may be asked again to see how a target is."""
        for each, outcome in zip(self._vigils, (answers.candidate, answers.baseline), strict=False):
            if outcome is not None:
                each.pulse.learn(case.endpoint, case.exchange, outcome)

    @property
    def _vigils(self) -> Sequence[Vigil]:
        return [link.vigil for link in self._environment.links if link.vigil is not None]


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
