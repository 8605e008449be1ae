"""A session that has gone quiet put to the test: scripts over its requests are run, judged and reported."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from mutators import SessionMutator, dice
from shadow.judge import Evidence, classify, is_cut, judge
from shadow.judge.evidence import failed
from shadow.model import (
    AnswerClass,
    Doubt,
    Event,
    Exchange,
    Expect,
    Judged,
    Judgement,
    Kind,
    Level,
    Origin,
    Outcome,
    Parcel,
    Reply,
    Script,
    SentStep,
    Step,
    Trial,
    Verdict,
    field,
)
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.environment import Answers
from shadow.pipeline.fewer_steps import FewerSteps, makers
from shadow.pipeline.judging import Judging
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.order import may_write
from shadow.pipeline.reporting import Report
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.scripts import Scripts
from shadow.pipeline.serial_orders import SerialOrders, is_made_anew
from shadow.pipeline.sessions import Earlier
from shadow.pipeline.telling import MAX_BEFORE
from shadow.pipeline.told_anew import ToldAnew
from shadow.pipeline.traces import Trace, Traces
from shadow.wire.http1 import serialise_request

_RACE_SHARE = 3
"""A race must be lost again in one of so many runs."""
NOT_AGAIN = "not seen again: "
"""Begins the reason of what failed once."""
type Past = Sequence[Exchange]


class Told(NamedTuple):
    """A finding of a session, as it was told."""

    mutator: SessionMutator
    script: Script
    at: int
    """The step that failed."""
    past: Past
    trial: Trial


class SessionTrials:
    """Conducts the trials of whole sessions."""

    def __init__(  # noqa: PLR0913  # the parts of a run
        self,
        scripts: Scripts,
        scheduler: Scheduler[SessionMutator],
        judging: Judging,
        knowledge: Knowledge,
        endpoints: Endpoints,
        *,
        seed: int,
        budget: int,
        confirmations: int,
        may_write: bool,
        hear: Callable[[Event], None],
        report: Report,
        traces: Traces | None = None,
        fewer_steps: FewerSteps | None = None,
        told_anew: ToldAnew | None = None,
    ) -> None:
        """Without `traces` nobody looks at what rejected steps leave behind; without `fewer_steps` what is
        found is told as it was found; without `told_anew` sessions are only sent with changes."""
        self._told_anew = told_anew
        self._fewer_steps = fewer_steps
        self._traces = traces
        self._scripts = scripts
        self._scheduler = scheduler
        self._judging = judging
        self._knowledge = knowledge
        self._endpoints = endpoints
        self._seed = seed
        self._budget = budget
        self._confirmations = confirmations
        self._may_write = may_write
        self._hear = hear
        self._report = report
        self._confirmed: dict[tuple[str, str, str], str] = {}
        self._earlier = Earlier()
        self._orders = SerialOrders(scripts, endpoints) if traces is not None else None

    async def conduct(self, past: Past) -> list[Told]:
        """Try as many mutants of the session as the budget allows; what may be made smaller of it."""
        shape = " ".join(sorted({self._endpoints.name(each.request) for each in past}))

        def made(mutator: SessionMutator) -> Script | None:
            rng = dice(self._seed, past[0].index, mutator.name)
            known = self._knowledge.snapshot(past[0].request, "candidate")
            script = mutator(past, rng, msgspec.structs.replace(known, sessions=self._earlier.all))
            return script if script is not None and self._is_allowed(script) else None

        if self._told_anew is not None and self._budget and self._may_write:
            await self._told_anew.conduct(past, shape)
        told = []
        for mutator, script in self._scheduler.deal(shape, past[0].index, self._budget, made):
            found = await self._try(mutator, script, (*past, *script.others))
            trial = found.trial
            fault = trial.judgement.fault if trial.judgement.verdict is Verdict.FAILED else ""
            self._scheduler.learn(shape, mutator.name, trial.answer, fault)
            if fault and self._fewer_steps and self._fewer_steps.wants(script, found.at, trial):
                told.append(found)
        self._earlier.add(past)
        return told

    async def minimise(self, told: Told) -> None:
        """Tell a finding again with the fewest steps that show it."""
        mutator, past = told.mutator, told.past

        async def shows(script: Script) -> Trial | None:
            is_agreed = told.trial.judgement.expect is Expect.AGREE
            if is_agreed and not await self._agree_as_recorded(script, past):
                return None
            at, judgement, answers = await self._run(mutator, script, past, Parcel.MINIMISATION)
            is_failed = judgement.verdict is Verdict.FAILED
            return self._trial(mutator, script, past, at, judgement, answers) if is_failed else None

        if self._fewer_steps is None:
            return
        # a race is held against its copies sent in a row, what both must agree on against the recorded order
        has_control = Expect.ONCE is mutator.expect or told.trial.judgement.expect is Expect.AGREE
        smaller = await self._fewer_steps.smallest(
            told.script,
            told.at,
            told.trial,
            shows,
            made_by=makers(told.script, past),
            sends_per_step=2 if has_control else 1,
        )
        if smaller is not None:
            self._report(*smaller, None)

    async def _try(self, mutator: SessionMutator, script: Script, past: Past) -> Told:
        """A script that was tried; told where it failed, and that was confirmed."""
        at, judgement, answers = await self._run(mutator, script, past, Parcel.MUTANT)
        times = None
        endpoint = self._endpoints.name(script.steps[at].request)
        judgement = self._judging.settled(judgement, endpoint)
        if judgement.verdict is Verdict.FAILED:
            times = await self._confirm(mutator, script, past, judgement, endpoint)
        if times is None and judgement.verdict is Verdict.FAILED:
            why = NOT_AGAIN + judgement.why
            judgement = msgspec.structs.replace(
                judgement, verdict=Verdict.UNDECIDED, why=why, doubt=Doubt.UNSEEN
            )
        trial = self._trial(mutator, script, past, at, judgement, answers)
        self._hear(Judged(trial))
        if times is not None:
            self._report(trial, times, None)
        return Told(mutator, script, at, past, trial)

    async def _confirm(
        self, mutator: SessionMutator, script: Script, past: Past, first: Judgement, endpoint: str
    ) -> str | None:
        """How often the failure showed again, once it did every time; None otherwise."""
        key = (endpoint, mutator.name, first.fault)
        if key in self._confirmed:
            return self._confirmed[key]
        if first.expect is Expect.AGREE and not await self._agree_as_recorded(script, past):
            return None
        count = 0
        for _ in range(self._confirmations):
            _, again, _ = await self._run(mutator, script, past, Parcel.CONFIRMATION)
            is_again = (again.verdict, again.fault) == (Verdict.FAILED, first.fault)
            if not is_again and mutator.level is not Level.RACE:
                return None
            count += is_again
        if count * _RACE_SHARE < self._confirmations:  # a race is not lost every time
            return None
        self._confirmed[key] = f"{count}/{self._confirmations}"
        return self._confirmed[key]

    async def _agree_as_recorded(self, script: Script, past: Past) -> bool:
        """Whether candidate and baseline agree on the script's requests in their recorded order.

        Where they do not, they hold different state already, as resources do that other sessions share.
        """
        origins = sorted({step.origin for step in script.steps})
        steps = tuple(Step(past[origin].request, origin) for origin in origins)
        control = Script(steps, judged=(), what="as recorded")
        answers = await self._scripts.run(control, past, parcel=Parcel.REPEAT)
        return all(
            each.baseline is None or classify(each.candidate) is classify(each.baseline) for each in answers
        )

    async def _run(
        self, mutator: SessionMutator, script: Script, past: Past, parcel: Parcel
    ) -> tuple[int, Judgement, Answers | None]:
        """The first judged step that failed, or else the last one, with its judgement and its answers."""
        look = self._orders.look(script, past) if self._orders is not None else None
        is_once = mutator.expect is Expect.ONCE
        if is_once and not await self._is_refused_in_a_row(script, past):
            why = "sent one after the other, more than one copy succeeds"
            if look is None:
                return script.judged[0], Judgement(Verdict.UNDECIDED, why), None
            is_once = False
        trace: Trace = ()
        framed = None
        if self._traces is not None and mutator.expect is Expect.REJECT:
            framed = self._traces.framed(script, past)
        unlike = ""
        if self._traces is not None and framed is not None:
            answers, trace = await self._traces.run(framed, past, parcel=parcel)
        elif self._orders is not None and look is not None:
            answers, unlike = await self._orders.run(script, past, look, parcel=parcel)
        else:
            answers = await self._scripts.run(script, past, parcel=parcel)
        if not all(_has_succeeded(answers[at]) for at in script.needs):
            why = "a step that it builds on did not succeed"
            return script.judged[0], Judgement(Verdict.UNDECIDED, why), answers[script.judged[0]]
        if not all(classify(answers[at].candidate) is AnswerClass.REJECTED for at in script.refused):
            why = "a step that should have been refused was not, so it tells nothing"
            return script.judged[0], Judgement(Verdict.UNDECIDED, why), answers[script.judged[0]]
        if mutator.expect is Expect.ONCE:
            at, judgement = script.judged[0], self._judge_burst(mutator, script, answers, is_once=is_once)
            is_race = judgement.verdict is Verdict.FAILED and judgement.fault == "race"
            if is_race and not await self._is_still_refused(script, past):
                why = "what it is about was changed by others meanwhile"
                judgement = Judgement(Verdict.UNDECIDED, why, doubt=Doubt.SESSION)
        else:
            at, judgement = self._judge_steps(mutator, script, past, answers, trace)
        if unlike and judgement.verdict is not Verdict.FAILED:
            judgement = failed("race", unlike, Expect.ONCE)
        return at, judgement, answers[at]

    def _judge_steps(
        self,
        mutator: SessionMutator,
        script: Script,
        past: Past,
        answers: list[Answers],
        trace: Trace,
    ) -> tuple[int, Judgement]:
        """The first judged step that failed, or else the last one."""
        at, judgement = script.judged[-1], Judgement(Verdict.PASSED)
        for at in script.judged:
            judgement = self._judge_step(mutator, script, past, at, answers, trace)
            if judgement.verdict is Verdict.FAILED:
                break
        return at, judgement

    async def _is_refused_in_a_row(self, script: Script, past: Past) -> bool:
        """Whether of copies sent one by one exactly one succeeds, or all tell of the same effect, at the
        candidate and at the baseline."""
        answers = await self._scripts.run(script, past, parcel=Parcel.REPEAT, is_serial=True)
        ours = [answers[at].candidate for at in script.judged]
        theirs = [each for at in script.judged if (each := answers[at].baseline) is not None]
        return _is_one(ours, has_key=_has_key(script)) and (
            not theirs or _is_one(theirs, has_key=_has_key(script))
        )

    async def _is_still_refused(self, script: Script, past: Past) -> bool:
        """Whether it is the burst that let more than one pass, or none: on what the script did not make, that
        others did something to meanwhile may be the reason just as well."""
        if is_made_anew(script, past, self._endpoints):
            return True
        return await self._is_refused_in_a_row(script, past)

    def _judge_burst(
        self, mutator: SessionMutator, script: Script, answers: list[Answers], *, is_once: bool
    ) -> Judgement:
        """Whether one copy succeeded; where not `is_once`, whether none broke."""
        ours = tuple(answers[at].candidate for at in script.judged)
        theirs = tuple(each for at in script.judged if (each := answers[at].baseline) is not None)
        if not is_once and all(classify(each) is not AnswerClass.BROKEN for each in ours):
            return Judgement(Verdict.UNDECIDED, "sent one after the other, more than one copy succeeds")
        return judge(
            Evidence(
                mutator.expect,
                mutator.level,
                answer=ours[0],
                control=ours[0],
                burst=ours,
                baseline_burst=theirs or None,
                same_answer_is_one=_has_key(script),
            )
        )

    def _judge_step(
        self,
        mutator: SessionMutator,
        script: Script,
        past: Past,
        at: int,
        answers: list[Answers],
        trace: Trace,
    ) -> Judgement:
        """One step's verdict; its control is the same request earlier in the script, or else the live
        answer."""
        origin = script.steps[at].origin
        earlier = next(
            (
                each
                for each in range(at)
                if script.steps[each].origin == origin
                and each not in script.refused
                and script.steps[each].edit is None
            ),
            None,
        )
        live = past[origin].response
        answer = answers[at]
        control = answers[earlier] if earlier is not None else None
        if control is None:
            if live is None:
                return Judgement(Verdict.UNDECIDED, "no live answer was seen")
            witness: Outcome = self._judging.live(past[origin]) or Reply(live)
            control = msgspec.structs.replace(answer, candidate=witness, baseline=witness)
        answer = self._judging.held(control, answer)
        endpoint = self._endpoints.name(script.steps[at].request)
        is_same = mutator.expect is Expect.SAME and earlier is not None
        has_order = mutator.level is not Level.RACE  # who came first differs from target to target
        return judge(
            Evidence(
                mutator.expect,
                mutator.level,
                answer.candidate,
                control.candidate,
                answer.baseline if has_order else None,
                control.baseline if has_order and answer.baseline is not None else None,
                self._judging.between(endpoint, control.candidate, answer.candidate) if is_same else (),
                self._judging.between(endpoint, control.baseline, answer.baseline) if is_same else None,
                trace=trace,
                is_stated=mutator.is_stated,
            )
        )

    def _is_allowed(self, script: Script) -> bool:
        return self._may_write or not any(may_write(step.request) for step in script.steps)

    def _trial(
        self,
        mutator: SessionMutator,
        script: Script,
        past: Past,
        at: int,
        judgement: Judgement,
        answers: Answers | None,
    ) -> Trial:
        live = past[script.steps[at].origin].response
        is_failed = judgement.verdict is Verdict.FAILED
        return Trial(
            past[script.steps[at].origin].index,
            self._endpoints.name(script.steps[at].request),
            Kind.RACE if mutator.level is Level.RACE else Kind.SEQUENCE,
            mutator.name,
            judgement,
            edits=_edits(script, at),
            expect=mutator.expect,
            level=mutator.level,
            sent=b"".join(serialise_request(step.request) for step in script.steps) if is_failed else b"",
            control=Reply(live) if live is not None else None,
            answer=answers.candidate if answers else None,
            baseline=answers.baseline if answers else None,
            seed=self._seed,
            origin=self._origin(script, past) if is_failed else None,
        )

    def _origin(self, script: Script, past: Past) -> Origin:
        """What a failed script was made of."""
        owner = self._knowledge.snapshot(past[0].request, "candidate").owner
        steps = tuple(
            SentStep(past[step.origin].index, serialise_request(step.request), at in script.judged)
            for at, step in enumerate(script.steps)
        )
        own = len(past) - len(script.others)
        indexes = tuple(each.index for each in past)
        return Origin(
            indexes[:own][:MAX_BEFORE],
            indexes[own:][:MAX_BEFORE],
            owner.name if owner else "",
            steps=steps,
            is_burst=script.is_burst,
        )


def _has_succeeded(answers: Answers) -> bool:
    return classify(answers.candidate) is AnswerClass.SUCCESS and (
        answers.baseline is None or classify(answers.baseline) is AnswerClass.SUCCESS
    )


def _is_one(outcomes: Sequence[Outcome], *, has_key: bool) -> bool:
    """Whether one succeeded, or all that did tell of the same effect."""
    if any(map(is_cut, outcomes)):
        return False
    bodies = [
        each.response.body
        for each in outcomes
        if isinstance(each, Reply) and classify(each) is AnswerClass.SUCCESS
    ]
    return len(bodies) == 1 or (has_key and len(set(bodies)) == 1)


def _edits(script: Script, at: int) -> tuple[str, ...]:
    """What was done, for a person: all of it, or the one step that spoils a credential alone."""
    if script.steps[at].edit is not None:
        return script.what, script.steps[at].what
    return script.what, *(step.what for step in script.steps if step.what)


def _has_key(script: Script) -> bool:
    return field(script.steps[script.judged[0]].request.headers, b"idempotency-key") is not None
