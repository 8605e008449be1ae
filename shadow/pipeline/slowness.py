"""Whether the candidate is slow: at an endpoint beside the baseline, or for a mutant beside its control.

Times are suspicions only. They are confirmed with nothing else under way, one target after the other.
"""

from math import log2
from statistics import median

import msgspec

from shadow.judge import classify
from shadow.judge.evidence import failed
from shadow.judge.latency import Key, is_apart, is_slower
from shadow.judge.resized import resized
from shadow.model import (
    AnswerClass,
    Change,
    Difference,
    Edit,
    Expect,
    Judgement,
    Outcome,
    Parcel,
    Reply,
    Request,
    Severity,
)
from shadow.pipeline.blame import Blame
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Answers, Environment
from shadow.pipeline.judging import Judging
from shadow.pipeline.ready import Mutate, MutateFor
from shadow.pipeline.resending import Again, Resending

_ROUNDS = 12
"""Of an original, confirmed beside the baseline."""
_TIMES_MIN = 5
"""Of a mutant, each beside its control."""
_FACTOR = 3.0
_SECONDS = 0.03
"""A mutant that costs less than this more is nobody's concern."""
_LATER_SECONDS = 0.05
"""Worth telling of as more than a small matter."""
_TRIED_MAX = 2
"""So often an endpoint is confirmed in vain."""
_REFUTED_MAX = 3
_GROWS_POWER = 1.5
"""What grows faster than this power of a length is told so."""
_HINT_FACTOR, _HINT_SECONDS = 3.0, 0.008
"""A mutant that cost so much more may cost far more once its edit is longer."""
_HINTS_MAX = 40
_LONGER = 4


class Slow(msgspec.Struct, frozen=True):
    """What was confirmed."""

    judgement: Judgement
    times: str


class Slowness:
    """One for a run."""

    def __init__(
        self,
        environment: Environment,
        resending: Resending,
        judging: Judging,
        blame: Blame,
        *,
        times: int,
        may_write: bool,
    ) -> None:
        self._environment = environment
        self._resending = resending
        self._judging = judging
        self._blame = blame
        self._times = max(times, _TIMES_MIN)
        self._may_write = may_write
        self._told: set[Key] = set()
        self._in_vain: dict[Key, int] = {}
        self._hints: set[tuple[str, str]] = set()
        self._mutants: dict[tuple[str, str], Slow] = {}
        self._refuted: dict[tuple[str, str], int] = {}

    async def look(self, case: Case, answers: Answers, via: str) -> Slow | None:
        """Take in an original's answers; what is to be told of its endpoint."""
        ours, theirs = seconds_of(answers.candidate), seconds_of(answers.baseline)
        if ours is None:
            return None
        latencies = self._judging.latencies
        latencies.note(case.endpoint, ours)
        answer = classify(answers.candidate)
        if theirs is None or answers.baseline is None or classify(answers.baseline) is not answer:
            return None
        key = (case.endpoint, answer)
        is_due = latencies.note_pair(case.endpoint, answer, ours, theirs)
        if not is_due or key in self._told or self._in_vain.get(key, 0) >= _TRIED_MAX:
            return None
        if key not in latencies.suspects():
            return None
        found = await self._confirmed(case, key, via)
        if found is None:
            self._in_vain[key] = self._in_vain.get(key, 0) + 1
        else:
            self._told.add(key)
        return found

    async def _confirmed(self, case: Case, key: Key, via: str) -> Slow | None:
        latencies = self._judging.latencies
        if case.is_write and not self._may_write:
            # it cannot be asked again: then it is told where nothing else can have held it up
            count = latencies.spreads(key)[0].count
            return None if latencies.others_are_slower(key) else self._regression(key, f"{count}")
        ours, theirs = await self._alone(case, key[1], via)
        if len(ours) < _ROUNDS or not is_slower(ours, theirs):
            return None
        return self._regression(
            key, f"{len(ours)}", f"; alone {_shown(median(ours))} to {_shown(median(theirs))}"
        )

    async def _alone(self, case: Case, answer: AnswerClass, via: str) -> tuple[list[float], list[float]]:
        """Times of candidate and baseline, asked by turns with nothing else under way."""
        ours: list[float] = []
        theirs: list[float] = []
        async with self._blame.alone():
            for attempt in range(_ROUNDS):
                salt = f"{case.exchange.index}:pace:{attempt}"
                if case.is_write:
                    again = Again(case, _unedited, via, salt, Parcel.CONFIRMATION)
                    told = await self._resending.retold(again, None)
                    outcomes: list[Outcome | None] = [told.candidate, told.baseline]
                else:
                    outcomes = await self._by_turns(case, via, salt, is_ours_first=attempt % 2 == 0)
                if any(each is None or classify(each) is not answer for each in outcomes):
                    return [], []
                for times, outcome in zip((ours, theirs), outcomes, strict=True):
                    times.append(seconds_of(outcome) or 0.0)
        return ours, theirs

    async def _by_turns(
        self, case: Case, via: str, salt: str, *, is_ours_first: bool
    ) -> list[Outcome | None]:
        readies = self._environment.prepare(case.exchange, case.session, salt)
        found: dict[int, Outcome | None] = {0: None, 1: None}
        sides = list(
            zip((0, 1), self._environment.links, (readies.candidate, readies.baseline), strict=False)
        )
        for at, link, ready in sides if is_ours_first else reversed(sides):
            if ready is not None:
                found[at] = await link.send(ready, via=via, parcel=Parcel.CONFIRMATION, session=case.session)
        return [found[0], found[1]]

    def _regression(self, key: Key, count: str, more: str = "") -> Slow:
        mine, other = self._judging.latencies.spreads(key)
        place = Difference("latency", Change.VALUE, str(other), str(mine))
        why = f"of {mine.count} answers the candidate's take {mine}, the baseline's {other}{more}"
        found = failed("slow", why, Expect.AGREE, (place,))
        is_much = mine.p50 - other.p50 >= _LATER_SECONDS
        severity = Severity.MEDIUM if is_much else Severity.LOW
        return Slow(msgspec.structs.replace(found, severity=severity), f"{count}/{count}")

    async def mutant(self, case: Case, mutant: Mutant, judgement: Judgement, via: str) -> Slow | None:
        """A mutant that seemed to cost too much, each time beside its control; None where it does not, or at
        the live release as well."""
        key = (case.endpoint, mutant.mutator.name)
        if key in self._mutants:
            return self._mutants[key]
        if self._refuted.get(key, 0) >= _REFUTED_MAX:
            return None
        async with self._blame.alone():
            costs = await self._costs(case, mutant.mutate, via, f"{mutant.mutator.name}:cost", self._times)
            if costs is None or not costs.is_too_much:
                self._refuted[key] = self._refuted.get(key, 0) + 1
                return None
            how = await self._growth(case, mutant, via, median(costs.ours))
        why = (
            f"answered after {_shown(median(costs.ours))}, while {_shown(median(costs.usual))} is usual{how}"
        )
        found = Slow(msgspec.structs.replace(judgement, why=why), f"{self._times}/{self._times}")
        self._mutants[key] = found
        return found

    async def longer(
        self, case: Case, mutant: Mutant, control: Answers, answer: Answers, via: str
    ) -> Slow | None:
        """Where a mutant cost somewhat more: what it costs with its edit made longer, if that is far more
        than in proportion."""
        ours, usual = seconds_of(answer.candidate), seconds_of(control.candidate)
        known = self._judging.latencies.usual(case.endpoint)
        key = (case.endpoint, mutant.mutator.name)
        if ours is None or usual is None or not known or key in self._hints or len(self._hints) >= _HINTS_MAX:
            return None
        usual = max(usual, known)
        if ours < _HINT_FACTOR * usual or ours - usual < _HINT_SECONDS or not _has_run(mutant):
            return None
        self._hints.add(key)
        async with self._blame.alone():
            costs = await self._costs(
                case, _resizing(mutant.mutate, _LONGER), via, f"{mutant.mutator.name}:longer", self._times
            )
            if costs is None or not costs.is_too_much or median(costs.ours) < _LONGER**_GROWS_POWER * ours:
                return None
        why = (
            f"answered after {_shown(median(costs.ours))} with the edit {_LONGER} times as long, which took"
            f" {_shown(ours)}; {_shown(median(costs.usual))} is usual"
        )
        return Slow(failed("slow", why, Expect.SURVIVE), f"{self._times}/{self._times}")

    async def _growth(self, case: Case, mutant: Mutant, via: str, whole: float) -> str:
        """How the cost grows with the edit, in words; empty where that cannot be told."""
        if not _has_run(mutant):
            return ""
        half = await self._costs(case, _resizing(mutant.mutate, 0.5), via, f"{mutant.mutator.name}:half", 2)
        if half is None:
            return ""
        less = max(min(half.ours), 1e-4)
        power = log2(max(whole / less, 1.0))
        if power < _GROWS_POWER:
            return ""
        return f"; half the edit takes {_shown(less)}: it grows as the length to the power of {power:.1f}"

    async def _costs(self, case: Case, mutate: MutateFor, via: str, salt: str, times: int) -> "_Costs | None":
        found = _Costs()
        for attempt in range(times):
            if not await self._blame.recovers():
                return None
            again = Again(case, mutate, via, f"{case.exchange.index}:{salt}:{attempt}", Parcel.CONFIRMATION)
            control, answer = await self._resending.pair(again)
            if not found.add(control, answer):
                return None
        return found


def _has_run(mutant: Mutant) -> bool:
    """Whether its edit brought in something that can be made longer."""
    ready = mutant.readies.candidate
    return ready.wire is None and resized(ready.request, mutant.plain.request, _LONGER) is not None


class _Costs:
    """Times of mutants and of their controls."""

    def __init__(self) -> None:
        self.ours: list[float] = []
        self.usual: list[float] = []
        self._theirs: list[float] = []
        self._size_ratio = 1.0
        self._has_baseline = False

    def add(self, control: Answers, answer: Answers) -> bool:
        """Take in one pair; False where it was not answered."""
        ours, usual = seconds_of(answer.candidate), seconds_of(control.candidate)
        if ours is None or usual is None:
            return False
        self.ours.append(ours)
        self.usual.append(usual)
        theirs = seconds_of(answer.baseline)
        if theirs is not None:
            self._theirs.append(theirs)
        self._size_ratio = max(
            self._size_ratio, _size(answer.candidate) / max(_size(control.candidate), 1024)
        )
        return True

    @property
    def is_too_much(self) -> bool:
        """Whether it costs many times the usual, and what it costs the live release."""
        if self._theirs:
            return is_apart(self.ours, self.usual, factor=_FACTOR, seconds=_SECONDS) and is_apart(
                self.ours, self._theirs, factor=2.0, seconds=_SECONDS / 2
            )
        # a longer answer may take longer
        return is_apart(self.ours, self.usual, factor=_FACTOR * self._size_ratio, seconds=_SECONDS)


def seconds_of(outcome: Outcome | None) -> float | None:
    """What an answer took by itself; None for none."""
    if not isinstance(outcome, Reply):
        return None
    return outcome.timing.total_seconds - outcome.timing.held_seconds


def _size(outcome: Outcome) -> int:
    return len(outcome.response.body) if isinstance(outcome, Reply) else 0


def _unedited(_: str) -> Mutate:
    return lambda _: None


def _resizing(mutate: MutateFor, factor: float) -> MutateFor:
    """The mutator, with the run that it brings in so many times as long."""

    def for_target(target: str) -> Mutate:
        edit_of = mutate(target)

        def longer(request: Request) -> Edit | None:
            edit = edit_of(request)
            if edit is None or edit.wire is not None:
                return None
            made = resized(edit.request, request, factor)
            return None if made is None else msgspec.structs.replace(edit, request=made)

        return longer

    return for_target


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
