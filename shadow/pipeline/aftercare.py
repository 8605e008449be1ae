"""Whether the candidate is still well after a mutant did harm, or a network condition of ours cut it off."""

from shadow.judge import classify, is_cut
from shadow.model import AnswerClass, Expect, Kind, Level, NoReply, Outcome, Trial, Verdict
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.conclusions import Conclusions
from shadow.pipeline.confirmation import Confirmation, Confirmed
from shadow.pipeline.cuts import Cuts
from shadow.pipeline.environment import Answers, Environment
from shadow.pipeline.ready import Ready
from shadow.pipeline.telling import mutant_trial, wire_bytes

_HARMFUL = frozenset({AnswerClass.BROKEN, AnswerClass.HUNG})


class Aftercare:
    """One for a run."""

    def __init__(
        self, environment: Environment, confirmation: Confirmation, conclusions: Conclusions, *, seed: int
    ) -> None:
        self.cuts = Cuts(environment)
        self._confirmation = confirmation
        self._conclusions = conclusions
        self._seed = seed
        self._harmful: dict[int, tuple[Mutant, Answers]] = {}
        """The latest mutant of an exchange under work that was answered badly."""

    def note(self, case: Case, mutant: Mutant, answer: Answers) -> None:
        """Take in how a mutant was answered."""
        if not case.is_write and classify(answer.candidate) in _HARMFUL:
            self._harmful[case.exchange.index] = mutant, answer

    async def look(self, case: Case, before: Answers, via: str) -> None:
        """Where mutants of a reading request did harm, ask it once more: is the service still well?"""
        culprit = self._harmful.pop(case.exchange.index, None)
        if culprit is None:
            return
        mutant, answer = culprit
        judgement = await self._confirmation.aftermath(case, before, via)
        if judgement.verdict is not Verdict.PASSED:
            trial = mutant_trial(case, mutant, before, answer, judgement)
            times = Confirmed(judgement, self._confirmation.all_times)
            self._conclusions.conclude(trial, mutant.readies.candidate, times, via)

    async def look_after_cut(self, case: Case, mutator: str | None, ready: Ready, cut: Outcome) -> None:
        """Where a network condition of ours broke the candidate's connection: is it still well?"""
        if not isinstance(cut, NoReply) or not is_cut(cut):
            return
        judgement, after = await self.cuts.aftermath(case.exchange, case.session, cut)
        if judgement.verdict is Verdict.PASSED or after is None:
            return
        trial = Trial(
            case.exchange.index,
            case.endpoint,
            Kind.NETWORK,
            mutator,
            judgement,
            edits=(*((ready.what,) if ready.what else ()), cut.detail),
            expect=Expect.SURVIVE,
            level=Level.NETWORK,
            sent=wire_bytes(ready),
            answer=after.candidate,
            baseline=after.baseline,
            seed=self._seed,
        )
        is_failed = judgement.verdict is Verdict.FAILED
        confirmed = Confirmed(judgement, self.cuts.all_times) if is_failed else None
        self._conclusions.conclude(trial, ready, confirmed, "")
