"""What rejected requests leave behind: the state is looked at before and after them.

A difference is a suspicion only. It is confirmed on a session told anew, which has the state to itself: the
state is looked at twice with nothing between, then the mutant is sent, then it is looked at again; on
candidate and baseline. What changes by itself, or at the live release too, is no trace.
"""

from collections.abc import Sequence

import msgspec

from shadow.judge import classify, template
from shadow.model import AnswerClass, Difference, Exchange, Level, Outcome, Parcel, Reply, Script, Step, field
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.environment import Answers, Environment, Pair
from shadow.pipeline.gate import Gate
from shadow.pipeline.judging import Judging
from shadow.pipeline.looking import Look, beyond, changed, look_at, probe_look
from shadow.pipeline.order import may_write
from shadow.pipeline.probes import Probe
from shadow.pipeline.ready import MutateFor
from shadow.pipeline.scripts import Own, Scripts

_SHARE = 0.25
"""Of all that is sent, so much at most looks at the state."""
_FREE = 40
"""So many looks are made whatever their share."""
_REFUTED_MAX = 3
_TRIES_MAX = 4
"""Mutants of one exchange that are tried for one suspicion."""
_IN_VAIN_MAX = 12
"""After so many suspicions in vain an endpoint's state is taken to change by itself."""
_BLIND_MAX = 6
"""Mutants of one endpoint that are tried without a suspicion."""

type Trace = tuple[Difference, ...]
type State = list[tuple[Look, Answers]]
"""What each look was answered."""


class Traces:
    """One for a run."""

    def __init__(
        self,
        environment: Environment,
        scripts: Scripts,
        judging: Judging,
        endpoints: Endpoints,
        gate: Gate,
        *,
        probes: Sequence[Probe] = (),
        times: int = 3,
        is_alone: bool = True,
    ) -> None:
        """Where others send to the targets too, and not `is_alone`, only what a session made for itself can
        be watched: nobody holds them back."""
        self._is_alone = is_alone
        self._environment = environment
        self._scripts = scripts
        self._judging = judging
        self._endpoints = endpoints
        self._gate = gate
        self._probes = [probe_look(each, endpoints) for each in probes] if is_alone else []
        self._times = times
        self._looked = 0
        self._confirmed: dict[tuple[str, str], Trace] = {}
        self._refuted: dict[tuple[str, str], int] = {}
        self._tried: dict[str, int] = {}
        self._in_vain: dict[str, int] = {}
        """Suspicions that were refuted, by endpoint."""

    def watch(self, case: Case) -> "Watch | None":
        """What looks at the state around the mutants of a write; None where there is nothing to look at, or
        enough was looked."""
        if not case.is_write or not self.may_look or self._in_vain.get(case.endpoint, 0) >= _IN_VAIN_MAX:
            return None
        if not self._is_alone and not case.is_about_own:
            return None
        looks = self._looks(case.exchange, case.past)
        return Watch(self, case, looks) if looks else None

    @property
    def may_look(self) -> bool:
        """Whether the looks' share of all that is sent allows one more."""
        return self._looked <= _FREE + _SHARE * self._environment.sent_count

    async def state(self, case: Case, looks: Sequence[Look], salt: str) -> State:
        """What candidate and baseline answer to each look now."""
        found: State = []
        for at, look in enumerate(looks):
            self._looked += 1
            of_look = f"{case.exchange.index}:{salt}:{at}"
            readies = [look.ready(link, case.session, of_look) for link in self._environment.links]
            answers = await self._environment.send(
                Pair(readies[0], readies[1] if len(readies) > 1 else None),
                via="raw",
                parcel=Parcel.PROBE,
                session=case.session,
            )
            found.append((look, answers))
        return found

    def looks_at(self, case: Case) -> list[Look]:
        """What tells of the state that a write of the case is about, and of nothing else."""
        if not case.is_write or (not self._is_alone and not case.is_about_own):
            return []
        return [
            each
            for each in self._looks(case.exchange, case.past)
            if each.exchange is not None and not each.is_shared
        ]

    async def retold_around(self, case: Case) -> tuple[State, Answers, State] | None:
        """The state before and after the original, told anew at the end of its session, which has the state
        to itself; and how it was answered."""
        looks = self.looks_at(case)
        if not looks:
            return None
        _, told = case.retelling()
        last = len(told) - 1
        before = [Step(each.request, at) for at, each in enumerate(told[:last])]
        framed = _framed(before, Step(case.exchange.request, last), last, looks)
        async with self._gate.holds():
            answers = await self._scripts.run(framed.script, told, parcel=Parcel.CONFIRMATION, own=framed.own)
        at, count = framed.script.judged[0], len(looks)
        then = list(zip(looks, answers[at - count : at], strict=True))
        return then, answers[at], list(zip(looks, answers[at + 1 : at + 1 + count], strict=True))

    def note_drift(self) -> None:
        """Take notice that the candidate's state has changed as the baseline's has not."""
        self._judging.is_drifted = True

    def between(self, before: State, after: State) -> Trace:
        """Where the candidate's state changed, as the baseline's did not."""
        found: list[Difference] = []
        for (look, then), (_, now) in zip(before, after, strict=True):
            ours = changed(look, then.candidate, now.candidate, self._judging)
            theirs = changed(look, then.baseline, now.baseline, self._judging)
            found += beyond(ours, theirs)
        return tuple(found)

    async def confirmed(self, case: Case, mutant: Mutant, *, is_late: bool) -> Trace:
        """What the mutant leaves behind every time; nothing where it does not. `is_late` says that it
        follows its original."""
        key = (case.endpoint, mutant.mutator.name)
        if key in self._confirmed:
            return self._confirmed[key]
        if self._refuted.get(key, 0) >= _REFUTED_MAX:
            return ()
        return await self._every_time(case, mutant, key, is_late=is_late)

    async def tried(self, case: Case, mutant: Mutant) -> Trace:
        """What the mutant leaves behind in the state before its original, looked for without a suspicion.

        A write that is done in part may do what its original did already: that shows only before it. A few
        mutants of bodies are tried at each endpoint, each once.
        """
        key = (case.endpoint, mutant.mutator.name)
        count = self._tried.get(case.endpoint, 0)
        is_new = key not in self._refuted and key not in self._confirmed
        if mutant.mutator.level is not Level.BODY or count >= _BLIND_MAX or not is_new or not self.may_look:
            return self._confirmed.get(key, ())
        self._tried[case.endpoint] = count + 1
        if not await self._once(case, mutant, is_late=False):
            self._refuted[key] = 1
            return ()
        return await self._every_time(case, mutant, key, is_late=False)

    async def _every_time(self, case: Case, mutant: Mutant, key: tuple[str, str], *, is_late: bool) -> Trace:
        trace: Trace = ()
        async with self._gate.holds():
            for attempt in range(self._times):
                found = await self._once(case, mutant, is_late=is_late)
                places = {template(each.where) for each in found}
                trace = tuple(each for each in trace if template(each.where) in places) if attempt else found
                if not trace:
                    self._in_vain[case.endpoint] = self._in_vain.get(case.endpoint, 0) + 1
                    self._refuted[key] = self._refuted.get(key, 0) + 1
                    return ()
        self._confirmed[key] = trace
        return trace

    def framed(self, script: Script, past: Sequence[Exchange]) -> "Framed | None":
        """A script with looks around its judged step, where it has one, at its end; else None."""
        if (
            not self._is_alone
            or len(script.judged) != 1
            or script.is_burst
            or script.judged[0] != len(script.steps) - 1
        ):
            return None
        step = script.steps[-1]
        if not may_write(step.request) or step.same_as is not None:
            return None
        origin = past[step.origin]
        looks = self._looks(msgspec.structs.replace(origin, request=step.request), tuple(past[: step.origin]))
        return _framed(script.steps[:-1], step, step.origin, looks) if looks else None

    async def run(
        self, framed: "Framed", past: Sequence[Exchange], *, parcel: Parcel, mutate: MutateFor | None = None
    ) -> tuple[list[Answers], Trace]:
        """The answers to a framed script's own steps, and what the last one left behind."""
        answers = await self._scripts.run(framed.script, past, parcel=parcel, mutate=mutate, own=framed.own)
        at = framed.script.judged[0]
        count = len(framed.looks)
        told = [*answers[: at - 2 * count], answers[at]]
        if classify(answers[at].candidate) is not AnswerClass.REJECTED:
            return told, ()
        first, second, third = (
            list(zip(framed.looks, answers[start : start + count], strict=True))
            for start in (at - 2 * count, at - count, at + 1)
        )
        by_itself = self.between(first, second)
        return told, beyond(self.between(second, third), by_itself)

    async def _once(self, case: Case, mutant: Mutant, *, is_late: bool) -> Trace:
        _, told = case.retelling()
        last = len(told) - 1
        if is_conditional(case.exchange):  # afterwards its condition does not hold any more
            is_late = False
        before = [Step(each.request, at) for at, each in enumerate(told[: last + is_late])]
        looks = self._looks(case.exchange, case.past)
        framed = _framed(before, Step(case.exchange.request, last), last, looks)
        _, trace = await self.run(framed, told, parcel=Parcel.CONFIRMATION, mutate=mutant.mutate)
        return trace

    def _looks(self, exchange: Exchange, past: tuple[Exchange, ...]) -> list[Look]:
        derived = look_at(exchange, past, self._endpoints)
        return [*([derived] if derived else []), *self._probes]


def is_conditional(exchange: Exchange) -> bool:
    """Whether a write asks for a state that it changes itself (RFC 9110 §13.1.1)."""
    tag = field(exchange.request.headers, b"if-match")
    return tag is not None and tag != b"*"


class Tags:
    """The entity tags that the answers to a write, and to mutants of it, told last."""

    def __init__(self) -> None:
        self.latest: Pair[bytes | None] = Pair(None, None)

    def note(self, answers: Answers) -> None:
        """Take in how the write, or a mutant of it, was answered; a refusal changes no state."""
        ours, theirs = _tag_taken(answers.candidate), _tag_taken(answers.baseline)
        self.latest = Pair(ours or self.latest.candidate, theirs or self.latest.baseline)


class Framed(msgspec.Struct, frozen=True):
    """A script whose last own step stands between looks: all, all again, the step, all."""

    script: Script
    looks: tuple[Look, ...]
    own: dict[int, Own]
    """How the steps that are looks are made ready, by position."""


class Watch:
    """Looks at the state around the mutants of one case."""

    def __init__(self, traces: Traces, case: Case, looks: list[Look]) -> None:
        self._traces = traces
        self._case = case
        self._looks = looks
        self._turn = 0
        self._state: State | None = None
        self.is_stale = False
        """Set where something else was sent meanwhile that may have changed the state."""

    async def begin(self) -> None:
        """Look, where it is not known how things stand."""
        if self.is_stale:
            self._state, self.is_stale = None, False
        if self._state is None and self._looks and self._traces.may_look:
            self._state = await self._look()
            seen = [(look, answers) for look, answers in self._state if _is_success(answers)]
            self._state, self._looks = seen, [look for look, _ in seen]

    @property
    def tags(self) -> Pair[bytes | None] | None:
        """The entity tags that the write's subject bears now, as far as was looked."""
        for look, answers in self._state or ():
            if look.exchange is not None:
                return Pair(_tag(answers.candidate), _tag(answers.baseline))
        return None

    async def end(self, mutants: Sequence[tuple[Mutant, Answers]], *, is_late: bool) -> dict[str, Trace]:
        """What the mutants that were sent since `begin` left behind, by the mutator's name."""
        before, self._state = self._state, None
        refused = [mutant for mutant, answers in mutants if _is_rejected(answers)]
        if not before or len(refused) < len(mutants):
            return {}
        self._state = await self._look()
        if not self._traces.between(before, self._state):
            trace = await self._traces.tried(self._case, refused[0]) if is_late and refused else ()
            return {refused[0].mutator.name: trace} if trace else {}
        if self._traces.between(_own(before), _own(self._state)):
            self._traces.note_drift()
        for mutant in refused[:_TRIES_MAX]:
            if trace := await self._traces.confirmed(self._case, mutant, is_late=is_late):
                self._traces.note_drift()
                return {mutant.mutator.name: trace}
        return {}

    async def _look(self) -> State:
        self._turn += 1
        return await self._traces.state(self._case, self._looks, f"look:{self._turn}")


def _own(state: State) -> State:
    """Of a state, what nobody else changes."""
    return [(look, answers) for look, answers in state if not look.is_shared]


def _framed(before: Sequence[Step], step: Step, origin: int, looks: Sequence[Look]) -> Framed:
    at, count = len(before), len(looks)
    asked = [Step(look.request, origin) for look in looks]
    steps = (*before, *asked, *asked, step, *asked)
    positions = (*range(at, at + 2 * count), *range(at + 2 * count + 1, len(steps)))
    own: dict[int, Own] = {
        position: looks[(position - at - (position > at + 2 * count)) % count].ready for position in positions
    }
    return Framed(Script(steps, (at + 2 * count,), "as recorded"), tuple(looks), own)


def _tag(outcome: Outcome | None) -> bytes | None:
    return field(outcome.response.headers, b"etag") if isinstance(outcome, Reply) else None


def _tag_taken(outcome: Outcome | None) -> bytes | None:
    is_taken = outcome is not None and classify(outcome) is AnswerClass.SUCCESS
    return _tag(outcome) if is_taken else None


def _is_success(answers: Answers) -> bool:
    both = (answers.candidate, answers.baseline)
    return all(each is None or classify(each) is AnswerClass.SUCCESS for each in both)


def _is_rejected(answers: Answers) -> bool:
    """Whether the candidate refused, and the baseline did not take it either."""
    is_taken = answers.baseline is not None and classify(answers.baseline) is AnswerClass.SUCCESS
    return classify(answers.candidate) is AnswerClass.REJECTED and not is_taken
