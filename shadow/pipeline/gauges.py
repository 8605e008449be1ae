"""Watches what the targets tell of themselves, such as the memory they hold, and finds what makes it grow.

Now and then the configured page of each target is read. Where the candidate rises as the baseline does not,
requests of the latest kinds are sent again many times, one kind after the other, while nothing else is sent.
"""

from collections.abc import Callable, Mapping

import msgspec

from shadow.content.entity import undone
from shadow.content.exposition import samples
from shadow.errors import ConfigError
from shadow.judge import classify
from shadow.judge.growth import Reading, Rise, copies, growth, is_growth, is_suspect
from shadow.model import (
    AnswerClass,
    Event,
    Judgement,
    Kind,
    Outcome,
    Parcel,
    Reply,
    Request,
    StateChanged,
    Trial,
)
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.conclusions import Conclusions
from shadow.pipeline.confirmation import Confirmed
from shadow.pipeline.environment import Answers, Environment, Pair
from shadow.pipeline.gate import Gate
from shadow.pipeline.ready import Ready
from shadow.pipeline.telling import mutant_trial, wire_bytes

_EVERY = 200
"""Both targets are asked so much between two readings."""
_KINDS_MAX = 12
_KINDS_TRIED = 6
_TRIALS_MAX = 5
"""Of one gauge, in vain: what rises for a reason that is not found is told, and then left alone."""
_LANE = "shadow-gauges"


class GaugeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each target tells of itself, as `[gauges]`."""

    path: str = ""
    """Where each target tells its metrics as Prometheus text: ``"/metrics"``. Empty: nothing is watched."""
    names: tuple[str, ...] = (
        "process_resident_memory_bytes",
        "process_open_fds",
        "go_goroutines",
        "jvm_memory_used_bytes",
        "nodejs_heap_size_used_bytes",
    )
    """Which of them must not grow with every request; those of one name are added up over its labels."""


def watched(settings: GaugeSettings) -> GaugeSettings | None:
    """`settings` where anything is to be watched. Raises ConfigError for a path that is none."""
    path = settings.path
    if path and (not path.startswith("/") or not path.isascii() or " " in path):
        raise ConfigError(f"gauges.path {path!r} is none; write it as '/metrics'")
    return settings if path else None


class _Kind(msgspec.Struct, frozen=True):
    """A request that left the state alone, of those that were answered alike."""

    case: Case
    mutant: Mutant | None
    control: Answers
    answer: Answers
    via: str


type _Readings = Mapping[str, Reading]


class Gauges:
    """One for a run that sends alone."""

    def __init__(
        self,
        environment: Environment,
        gate: Gate,
        conclusions: Conclusions,
        settings: GaugeSettings,
        *,
        times: int,
        seed: int,
        hear: Callable[[Event], None],
    ) -> None:
        self._environment = environment
        self._gate = gate
        self._conclusions = conclusions
        self._settings = settings
        self._times = times
        self._seed = seed
        self._hear = hear
        self._kinds: dict[object, _Kind] = {}
        """The latest of each kind, the oldest first."""
        self._counts: dict[object, int] = {}
        self._first: dict[str, Reading] = {}
        self._in_vain: dict[str, int] = {}
        self._found: set[str] = set()
        """Gauges that a finding tells of."""
        self._untold: set[str] = set()
        """Targets of which nothing can be read, once that was told."""
        self._due = 0
        self._is_trying = False

    def note(self, case: Case, mutant: Mutant | None, control: Answers, answer: Answers, via: str) -> None:
        """Take in what was sent, where sending it again changes nothing."""
        if not _is_harmless(case, mutant, answer):
            return
        key = (mutant is None, _said(answer.candidate))
        self._kinds.pop(key, None)
        self._kinds[key] = _Kind(case, mutant, control, answer, via)
        self._counts[key] = self._counts.get(key, 0) + 1
        if len(self._kinds) > _KINDS_MAX:
            del self._kinds[next(iter(self._kinds))]

    async def look(self) -> None:
        """Read the gauges where it is time to, and try what may have raised one."""
        if self._is_trying or self._environment.sent_count < self._due:
            return
        self._is_trying = True
        try:
            await self._look()
        finally:
            self._is_trying = False
            self._due = self._environment.sent_count + _EVERY

    async def _look(self) -> None:
        for gauge, last in (await self._read()).items():
            first = self._first.setdefault(gauge, last)
            is_over = gauge in self._found or self._in_vain.get(gauge, 0) >= _TRIALS_MAX
            if is_over or not is_suspect(gauge, Rise.between(first, last)):
                continue
            async with self._gate.holds(for_all=True):
                await self._try_all(gauge, first, last)

    async def _try_all(self, gauge: str, first: Reading, last: Reading) -> None:
        """Find the kind of request that raises the gauge, and report it; else tell that none was found."""
        count = copies(gauge, first, last)
        often = sorted(self._kinds, key=lambda key: self._counts[key], reverse=True)[:_KINDS_TRIED]
        for key in often:
            if await self._tried(gauge, self._kinds[key], count):
                self._found.add(gauge)
                return
        self._in_vain[gauge] = self._in_vain.get(gauge, 0) + 1
        if now := (await self._read()).get(gauge):
            self._first[gauge] = now
        rise = Rise.between(first, last)
        theirs = "" if rise.theirs is None else f", the baseline's by {rise.theirs:.0f}"
        rose = f"the candidate's {gauge} rose by {rise.ours:.0f} over {last.sent - first.sent} requests"
        why = f"{rose}{theirs}; none of {len(often)} kinds of requests that were sent again raises it"
        self._hear(StateChanged("grown", why))

    async def _tried(self, gauge: str, kind: _Kind, count: int) -> bool:
        """Whether `count` copies of one kind raise the gauge in each round; then it is reported."""
        readings = [await self._read()]
        rises: list[Rise] = []
        ready: Ready | None = None
        for number in range(self._times):
            for copy in range(count):
                ready = await self._send(kind, f"{number}:{copy}") or ready
            readings.append(await self._read())
            if gauge not in readings[-1] or gauge not in readings[-2]:
                return False
            rises.append(Rise.between(readings[-2][gauge], readings[-1][gauge]))
            if not is_growth(gauge, rises, count):
                return False
        if ready is None:
            return False
        verdict = growth(gauge, readings[0][gauge], readings[-1][gauge], self._times * count)
        trial = self._trial(kind, ready, verdict)
        times = Confirmed(verdict, f"{self._times}/{self._times}")
        self._conclusions.conclude(trial, ready, times, kind.via)
        return True

    async def _send(self, kind: _Kind, number: str) -> Ready | None:
        """What the candidate was sent: the request of this kind, made anew."""
        case = kind.case
        salt = f"{case.exchange.index}:gauge:{number}"
        readies = self._environment.prepare(case.exchange, case.session, salt)
        if kind.mutant is not None:
            mutated = self._environment.mutate(readies, kind.mutant.mutate, case.session, salt)
            if mutated is None:
                return None
            readies = mutated
        await self._environment.send(readies, via=kind.via, parcel=Parcel.CONFIRMATION, session=case.session)
        return readies.candidate

    def _trial(self, kind: _Kind, ready: Ready, judgement: Judgement) -> Trial:
        if kind.mutant is not None:
            return mutant_trial(kind.case, kind.mutant, kind.control, kind.answer, judgement)
        return Trial(
            kind.case.exchange.index,
            kind.case.endpoint,
            Kind.REGRESSION,
            None,
            judgement,
            answer=kind.answer.candidate,
            baseline=kind.answer.baseline,
            sent=wire_bytes(ready),
            seed=self._seed,
            has_live=kind.case.exchange.response is not None,
        )

    async def _read(self) -> _Readings:
        """What the gauges show now."""
        request = Request(b"GET", self._settings.path.encode())
        readies = [link.own(request) for link in self._environment.links]
        pair = Pair(readies[0], readies[1] if len(readies) > 1 else None)
        answers = await self._environment.send(pair, via="raw", parcel=Parcel.PROBE, session=_LANE)
        ours = self._samples("candidate", answers.candidate)
        theirs = None if answers.baseline is None else self._samples("baseline", answers.baseline)
        sent = self._environment.sent_count
        return {
            name: Reading(sent, value, None if theirs is None else theirs.get(name))
            for name, value in ours.items()
            if theirs is None or name in theirs
        }

    def _samples(self, target: str, outcome: Outcome) -> dict[str, float]:
        response = outcome.response if isinstance(outcome, Reply) and outcome.response.status == 200 else None
        found = {} if response is None else samples(undone(response).body, self._settings.names)
        if not found and target not in self._untold:
            self._untold.add(target)
            said = "has none of the gauges" if response else f"is not shown ({classify(outcome).value})"
            self._hear(StateChanged("unprobed", f"{self._settings.path} of the {target} {said}"))
        return found


def _is_harmless(case: Case, mutant: Mutant | None, answer: Answers) -> bool:
    """Whether sending it again has no effect: it only reads, or neither target took it."""
    outcomes = [each for each in (answer.candidate, answer.baseline) if each is not None]
    classes = {classify(each) for each in outcomes}
    if not classes <= {AnswerClass.SUCCESS, AnswerClass.REDIRECT, AnswerClass.REJECTED}:
        return False
    if mutant is not None and mutant.is_slow:
        return False
    may_write = case.is_write if mutant is None else mutant.readies.candidate.may_write
    return not may_write or classes == {AnswerClass.REJECTED}


def _said(outcome: Outcome) -> object:
    return outcome.response.status if isinstance(outcome, Reply) else outcome.why
