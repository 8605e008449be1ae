"""Compares answers, has the oracle judge them, and learns on the way what is noise."""

from collections import deque

from comparators import Compare, compare
from shadow.judge import (
    Evidence,
    Noise,
    Witness,
    Witnesses,
    classify,
    further_answers,
    judge,
    judge_original,
    template,
)
from shadow.judge.drifting import Drifting, DriftLimits
from shadow.judge.evidence import undecided
from shadow.judge.fingerprint import BREAKAGES
from shadow.judge.latency import Latencies
from shadow.judge.leak_shapes import Leak
from shadow.judge.leaking import difference_of, leak_between, with_leak
from shadow.judge.oracle import STRICT_LEVELS
from shadow.judge.readings import Readings
from shadow.judge.regression import Same
from shadow.judge.renamed import without_renamed
from shadow.model import (
    AnswerClass,
    Difference,
    Doubt,
    Ending,
    Exchange,
    Expect,
    Judgement,
    Outcome,
    Reply,
    Response,
    Verdict,
)
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Answers, Pair
from shadow.pipeline.ready import Ready
from shadow.pipeline.recorded_twice import RecordedTwice
from shadow.pipeline.tenants import Foreign, Tenants


class Judging:
    """One for a run. `same` tells whether a candidate's value stands for a live one."""

    def __init__(
        self,
        noise: Noise,
        same: Same,
        compare: Compare = compare,
        limits: DriftLimits | None = None,
        *,
        readings: Readings | None = None,
        tenants: Tenants | None = None,
    ) -> None:
        """`compare` lists the differences of two answers; `limits` say when an endpoint has drifted;
        `readings` tells what answers amount to, `tenants` whose things are whose."""
        self.drifting = Drifting(limits)
        self.tenants = tenants or Tenants()
        self.latencies = Latencies()
        self.noise = noise
        self.readings = readings or Readings()
        self.refused_count = 0
        """Originals that the live service took and every target refused."""
        self.taken_count = 0
        """Originals that the live service took."""
        self._same = same

        def comparing(control: Response, other: Response) -> tuple[Difference, ...]:
            return without_renamed(compare(control, other), noise.own)

        self._compare_anew = comparing
        self._compare = _Remembering(comparing)
        self._recorded_twice = RecordedTwice()
        self.is_drifted = False
        """Whether candidate and baseline (or live) hold different state: only one took a request that
        writes."""

    def live(self, exchange: Exchange) -> Reply | None:
        """The live answer, with what it is read as; None where none was seen."""
        if exchange.response is None:
            return None
        read = self.readings.read(exchange.request, Reply(exchange.response))
        return read if isinstance(read, Reply) else None

    def hear(self, exchange: Exchange) -> None:
        """Learn from an exchange, before anything is sent for it, how the service says that all went well."""
        if exchange.response is not None:
            self.readings.hear(exchange.response)
            self.tenants.learn(exchange.request, exchange.response, teaches=True)

    def held(self, control: Answers, answer: Answers) -> Answers:
        """`answer`, with what it amounts to, held against the answers to the unedited request."""
        ours = self.readings.against(control.candidate, answer.candidate)
        theirs = answer.baseline
        if theirs is not None:
            theirs = self.readings.against(control.baseline, theirs)
        is_same = ours is answer.candidate and theirs is answer.baseline
        return answer if is_same else Pair(ours, theirs)

    def note_write(self, answers: Answers, *, live: Reply | None = None) -> None:
        """Take notice of what became of a request that writes: one that only one side took makes their
        states differ.

        Without a baseline the candidate is held against `live`.
        """
        other = answers.baseline or live
        if other is not None:
            ours, theirs = classify(answers.candidate), classify(other)
            self.is_drifted |= (ours is AnswerClass.SUCCESS) != (theirs is AnswerClass.SUCCESS)

    def note_drift(self, case: Case, answers: Answers, differences: tuple[Difference, ...]) -> bool:
        """Take notice of how far the original was answered as by the baseline, or by live without one;
        whether even the classes of the answers differ. `differences` are the candidate's own."""
        other = answers.baseline or self.live(case.exchange)
        return other is not None and self.drifting.note(case.endpoint, answers.candidate, other, differences)

    def settled(self, judgement: Judgement, endpoint: str, session: str = "") -> Judgement:
        """A mutant's judgement, UNDECIDED where the state that it met is not what the traffic tells of.

        A server error, a crash or a hang needs no state to be one: its own control, in the same state, had
        none.
        """
        if judgement.verdict is not Verdict.FAILED or judgement.fault in BREAKAGES:
            return judgement
        if self.drifting.is_adrift(endpoint):
            share = self.drifting.share(endpoint)
            why = f"{share:.0%} of the latest originals of the endpoint are answered otherwise"
            return undecided(why, Doubt.DRIFT)
        if session and self.drifting.has_left(session):
            return undecided("an earlier request of its session was answered otherwise", Doubt.SESSION)
        return judgement

    def learn(self, case: Case, answers: Answers) -> None:
        """Take in what the original's answers show of noise."""
        live = self.live(case.exchange)
        if live is None:
            self._learn_from_baseline(case, answers)
            return
        self._count(live, answers)
        if isinstance(answers.baseline, Reply):
            self.readings.hear(answers.baseline.response)
        before = self._recorded_twice.before(case.exchange.request, live.response)
        if before is not None and _is_comparable(Reply(before), live):
            self.noise.observe(case.endpoint, self._compare_anew(before, live.response), Witness.LIVE_REPEAT)
        for outcome, witness in (
            (answers.baseline, Witness.LIVE_RELEASE),
            (answers.candidate, Witness.CANDIDATE),
        ):
            if isinstance(outcome, Reply) and _is_comparable(live, outcome):
                self.noise.observe(case.endpoint, self._compare(live.response, outcome.response), witness)

    def _learn_from_baseline(self, case: Case, answers: Answers) -> None:
        """The baseline stands for the live service where no answer of that was seen."""
        ours, theirs = answers.candidate, answers.baseline
        if isinstance(theirs, Reply) and isinstance(ours, Reply) and _is_comparable(theirs, ours):
            differences = self._compare(theirs.response, ours.response)
            self.noise.observe(case.endpoint, differences, Witness.CANDIDATE)

    def count_refusal(self, case: Case, answers: Answers) -> None:
        """Take in that nobody took what live did, where the answers tell nothing else."""
        if (live := self.live(case.exchange)) is not None:
            self._count(live, answers)

    def _count(self, live: Reply, answers: Answers) -> None:
        if classify(live) is AnswerClass.SUCCESS:
            self.taken_count += 1
            outcomes = [each for each in (answers.candidate, answers.baseline) if each is not None]
            self.refused_count += all(classify(each) is AnswerClass.REJECTED for each in outcomes)

    def learn_repeat(self, case: Case, first: Answers, second: Answers) -> None:
        """Take in what the same request, sent twice, shows of noise."""
        for one, other, witness in (
            (first.baseline, second.baseline, Witness.LIVE_RELEASE),
            (first.candidate, second.candidate, Witness.CANDIDATE_REPEAT),
        ):
            if isinstance(one, Reply) and isinstance(other, Reply) and _is_comparable(one, other):
                self.noise.observe(case.endpoint, self._compare_anew(one.response, other.response), witness)

    @property
    def has_baseline(self) -> bool:
        return self.noise.has_baseline

    def wants_repeat(self, case: Case, answers: Answers) -> bool:
        """Whether sending the original once more would teach what is noise."""
        differences = self.apart(case, answers)
        return bool(differences) and self.noise.wants_repeat(case.endpoint, differences)

    def apart(self, case: Case, answers: Answers) -> tuple[Difference, ...]:
        """Where the candidate differs from live, or from the baseline where live is unseen; noise too."""
        live = case.exchange.response
        if live is None and isinstance(answers.baseline, Reply):
            live = answers.baseline.response
        if live is None or not isinstance(answers.candidate, Reply):
            return ()
        return self._compare(live, answers.candidate.response)

    def original(self, case: Case, answers: Answers) -> Judgement:
        """The original's verdict, by the live answer, the baseline's and the candidate's."""

        def forgives(difference: Difference, *, window_seconds: float | None = None) -> bool:
            if self.noise.is_another_number(case.endpoint, difference):
                return False
            return self.noise.forgives(case.endpoint, difference, window_seconds=window_seconds)

        def insists(difference: Difference) -> bool:
            return self.noise.insists(case.endpoint, difference) or self.noise.is_another_number(
                case.endpoint, difference
            )

        witnesses = Witnesses(self.live(case.exchange), answers.candidate, answers.baseline)
        judgement = judge_original(
            witnesses, compare=self._compare, forgives=forgives, same=self._same, insists=insists
        )
        return self._with_leak(case, answers, judgement)

    def _with_leak(self, case: Case, answers: Answers, judgement: Judgement) -> Judgement:
        """`judgement` of an original, with what the candidate's answer shows that is meant for no one, or for
        another."""
        live = self.live(case.exchange)
        if judgement.verdict is Verdict.UNDECIDED:
            return judgement
        expected = live.response if live is not None else None
        leaked = leak_between(expected, answers.baseline, answers.candidate, case.exchange.request)
        if leaked is None:
            others = self.tenants.foreign(case.exchange.request, answers.candidate, live, answers.baseline)
            leaked = None if others is None else (Leak.OTHERS, str(others), others.text)
        difference = difference_of(leaked)
        if difference is None or self.noise.forgives(case.endpoint, difference):
            return judgement
        return with_leak(judgement, leaked, difference)

    def mutant(
        self,
        case: Case,
        mutant: Mutant,
        control: Answers,
        answer: Answers,
        trace: tuple[Difference, ...] = (),
    ) -> Judgement:
        """A mutant's verdict, by what its mutator expects and by the baseline.

        `trace` is what it left behind, as confirmed.
        """
        mutator = mutant.mutator
        answer = self.held(control, answer)
        if mutator.expect is Expect.REJECT and mutator.level in STRICT_LEVELS:
            self.readings.hear_pair(control.baseline, answer.baseline)
        is_same = mutator.expect is Expect.SAME
        others = self._others(case, mutant.readies.candidate, control.candidate, answer.candidate)
        evidence = Evidence(
            mutator.expect,
            mutator.level,
            answer.candidate,
            control.candidate,
            answer.baseline,
            control.baseline,
            differences=self.between(case.endpoint, control.candidate, answer.candidate) if is_same else (),
            baseline_differences=self.between(case.endpoint, control.baseline, answer.baseline)
            if is_same
            else None,
            across=() if mutant.is_elsewhere else self._across(case, control, answer),
            trace=trace,
            is_read=not case.is_write,
            request=mutant.readies.candidate.request,
            others="" if others is None else str(others),
            others_on_both=self._others(case, mutant.readies.baseline, control.baseline, answer.baseline)
            is not None,
            is_stated=mutator.is_stated and mutant.readies.candidate.is_stated,
            sign=mutant.readies.candidate.sign,
            further_answers=_further_answers(mutant, answer),
            usual_seconds=self.latencies.usual(case.endpoint),
        )
        return judge(evidence)

    def _others(
        self, case: Case, ready: Ready | None, control: Outcome | None, answer: Outcome | None
    ) -> Foreign | None:
        """What of another's a target's answer to a mutant shows, that it does not show unedited."""
        if ready is None or answer is None:
            return None
        return self.tenants.foreign(ready.request, answer, control, self.live(case.exchange))

    def between(self, endpoint: str, one: Outcome | None, other: Outcome | None) -> tuple[Difference, ...]:
        """The differences of two answers of an endpoint that are no noise; none where either is missing."""
        return self.noise.without(endpoint, self._differences(one, other))

    def _across(self, case: Case, control: Answers, answer: Answers) -> tuple[Difference, ...]:
        """Where candidate and baseline answer the mutant differently, less where they do so for the
        control."""
        # a write on what its session made is confirmed on such a thing made anew, whatever else has drifted
        is_own = case.is_write and case.is_about_own and not self.drifting.has_left(case.session)
        if answer.baseline is None or (self.is_drifted and not is_own):
            return ()
        if any(
            classify(each) is not AnswerClass.SUCCESS
            for each in (answer.candidate, answer.baseline, control.candidate)
        ):
            return ()
        usual = {template(each.where) for each in self._differences(control.baseline, control.candidate)}
        found = self.between(case.endpoint, answer.baseline, answer.candidate)
        return tuple(each for each in found if template(each.where) not in usual)

    def _differences(self, one: Outcome | None, other: Outcome | None) -> tuple[Difference, ...]:
        if not isinstance(one, Reply) or not isinstance(other, Reply):
            return ()
        return self._compare_anew(one.response, other.response)


def _is_comparable(one: Reply, other: Reply) -> bool:
    """Whether what differs may be noise: the one is no refusal where the other is an answer."""
    return one.response.status != other.response.status or classify(one) is classify(other)


def _further_answers(mutant: Mutant, answer: Answers) -> tuple[int, int] | None:
    """How many answers followed the mutant's on each side, where they were listened for."""
    sent = mutant.readies.candidate
    if sent.wire is None or sent.wire.ending is not Ending.LISTEN or answer.baseline is None:
        return None
    method = sent.request.method
    return further_answers(answer.candidate, method), further_answers(answer.baseline, method)


class _Remembering:
    """`compare`, which remembers its latest results: learning and judging ask for the same pairs."""

    def __init__(self, compare: Compare) -> None:
        self._compare = compare
        self._latest: deque[tuple[Response, Response, tuple[Difference, ...]]] = deque(maxlen=8)

    def __call__(self, control: Response, other: Response) -> tuple[Difference, ...]:
        for one, two, differences in self._latest:
            if one is control and two is other:
                return differences
        differences = self._compare(control, other)
        self._latest.append((control, other, differences))
        return differences
