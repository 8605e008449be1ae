"""One exchange put to the test: its original and its mutants are sent, judged, confirmed and reported."""

from collections.abc import Callable

import msgspec

from mutators import Mutator
from shadow.content.redaction import is_masked
from shadow.judge import classify
from shadow.model import (
    AnswerClass,
    Event,
    Expect,
    Fate,
    Judged,
    Judgement,
    Kind,
    Level,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Settled,
    Trial,
    Verdict,
)
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.confirmation import Confirmation, Confirmed
from shadow.pipeline.dealing import Dealing, TrialSettings
from shadow.pipeline.environment import Answers, Environment, Pair
from shadow.pipeline.judging import Judging
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.link import Ready
from shadow.pipeline.order import Turn, may_write
from shadow.pipeline.reporting import Report
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.ways import HTTP2
from shadow.wire.http1 import serialise_request

_HARMFUL = frozenset({AnswerClass.BROKEN, AnswerClass.HUNG})


class Later(msgspec.Struct, frozen=True):
    """What is still to be tried of a case."""

    case: Case
    mutants: tuple[Mutant, ...]
    original: Answers
    via: str = "raw"
    """The transport that carries them."""


class Trials:
    """Conducts the trials of single exchanges."""

    def __init__(
        self,
        environment: Environment,
        scheduler: Scheduler[Mutator],
        judging: Judging,
        confirmation: Confirmation,
        knowledge: Knowledge,
        settings: TrialSettings,
        *,
        hear: Callable[[Event], None],
        report: Report,
    ) -> None:
        self._environment = environment
        self._dealing = Dealing(environment, scheduler, settings)
        self._judging = judging
        self._confirmation = confirmation
        self._knowledge = knowledge
        self._settings = settings
        self._hear = hear
        self._report = report
        self._harmful: dict[int, tuple[Mutant, Answers]] = {}
        """The latest mutant of an exchange under work that was answered badly."""

    async def conduct(self, case: Case, turn: Turn) -> Later | None:
        """Try the exchange and its mutants; `turn` is told when the original has been sent. None where the
        targets do not speak what it was seen in.

        For requests that write, mutants that must be rejected go first: afterwards the state often forbids
        the request whoever asks. All others follow the original. What takes long by itself is given back,
        for `conduct_slow`.
        """
        originals = self._environment.prepare(case.exchange, case.session)
        way = await self._environment.ways.of(
            case.exchange, is_sayable=lambda: self._environment.carries(originals, HTTP2)
        )
        if way.refusal:
            turn.original_sent()
            turn.is_settled = True
            self._hear(Settled(case.exchange.tap, Fate.FILTERED, 1, way.refusal, case.exchange))
            return None
        mutants = self._dealing.mutants(case, originals.candidate, via=way.via)
        via = way.via or self._environment.carrier([originals, *(each.readies for each in mutants)]) or "raw"
        early = [each for each in mutants if case.is_write and each.mutator.expect is Expect.REJECT]
        slow = [each for each in mutants if each.is_slow and each not in early]
        early_answers = [(each, await self._send_early(case, each, originals, via)) for each in early]
        answers = await self._send(case, originals, via, Parcel.ORIGINAL)
        self._environment.learn(case.exchange, answers, case.session)
        turn.original_sent()
        self._learn(case, originals, answers)
        if not self._settle(case, turn, answers):
            return Later(case, (), answers)
        await self._judge_original(
            case, originals, answers, via, doubt=self._doubt(case, originals, early_answers)
        )
        if case.is_write:
            self._judging.note_write(answers, live=case.exchange.response)
        for mutant, answer in early_answers:
            await self._judge_mutant(case, mutant, _control(case, answer, answers), answer, via)
        for mutant in mutants:
            if mutant not in early and mutant not in slow:
                await self._try_late(case, mutant, answers, via)
        if not case.is_write:
            await self._look_after(case, answers, via)
        return Later(case, tuple(slow), answers, via if via == HTTP2 else "raw")

    async def conduct_slow(self, later: Later) -> None:
        """Try the mutants that take long to send, where nobody waits for them: those that read after a
        control of their own, for the state has gone on."""
        case, control = later.case, later.original
        for mutant in later.mutants:
            if not case.is_write:
                salt = f"{case.exchange.index}:{mutant.mutator.name}:control"
                controls = self._environment.prepare(case.exchange, case.session, salt)
                control = await self._send(case, controls, later.via, Parcel.REPEAT)
            await self._try_late(case, mutant, control, later.via)
        if not case.is_write:
            await self._look_after(case, control, later.via)

    def _doubt(self, case: Case, originals: Pair[Ready], early: list[tuple[Mutant, Answers]]) -> str:
        """Why the answers tell nothing of the original; empty where they do."""
        if is_masked(case.exchange.request):
            return "its secrets were masked when it was recorded"
        if any(_is_accepted(answers) for _, answers in early):
            return "a mutant of it had been accepted before"
        if self._environment.names_untold(originals):
            return "it names what the candidate was never seen to have, though the baseline was"
        return ""

    async def _send(self, case: Case, readies: Pair[Ready], via: str, parcel: Parcel) -> Answers:
        return await self._environment.send(readies, via=via, parcel=parcel, session=case.session)

    async def _send_early(self, case: Case, mutant: Mutant, originals: Pair[Ready], via: str) -> Answers:
        """Send a mutant before its original. Where only one target accepts it, the other is given the
        unedited request in its place, so that both have done the same and go on alike."""
        answers = await self._send(case, mutant.readies, via, Parcel.MUTANT)
        if answers.baseline is not None and originals.baseline is not None:
            ours, theirs = _succeeded(answers.candidate), _succeeded(answers.baseline)
            if ours != theirs:
                behind = self._environment.baseline if ours else self._environment.candidate
                assert behind is not None
                salt = f"{case.exchange.index}:{mutant.mutator.name}:level"
                ready = behind.prepare(case.exchange, case.session, salt=salt)
                await behind.send(ready, via=via, parcel=Parcel.REPEAT, session=case.session)
                if not mutant.readies.candidate.is_same_act(mutant.plain):
                    self._judging.note_write(answers)
        return answers

    def _learn(self, case: Case, originals: Pair[Ready], answers: Answers) -> None:
        """Remember the exchange as each target saw it."""
        seen = {}
        for name, ready, outcome in (
            ("candidate", originals.candidate, answers.candidate),
            ("baseline", originals.baseline, answers.baseline),
        ):
            if ready is not None and isinstance(outcome, Reply):
                seen[name] = msgspec.structs.replace(
                    case.exchange, request=ready.request, response=outcome.response
                )
        self._knowledge.learn(case.exchange, seen)

    def _settle(self, case: Case, turn: Turn, answers: Answers) -> bool:
        """Tell the exchange's fate; False when the candidate was not reached."""
        exchange = case.exchange
        turn.is_settled = True
        if classify(answers.candidate) is AnswerClass.DOWN:
            assert isinstance(answers.candidate, NoReply)
            why = f"candidate {answers.candidate.why}"
            self._hear(Settled(exchange.tap, Fate.DROPPED, 1, why, exchange))
            return False
        self._hear(Settled(exchange.tap, Fate.REPLAYED, 1, "", exchange))
        return True

    async def _judge_original(
        self, case: Case, originals: Pair[Ready], answers: Answers, via: str, *, doubt: str
    ) -> None:
        """`doubt` says why the answers tell nothing of the original; empty where they do."""
        if doubt:
            judgement = Judgement(Verdict.UNDECIDED, doubt)
            self._conclude(
                self._original_trial(case, originals, answers, judgement), originals.candidate, None, via
            )
            return
        self._judging.learn(case, answers)
        judgement = self._judging.original(case, answers)
        confirmed = None
        if judgement.verdict is Verdict.FAILED:
            confirmed = await self._confirmation.original(case, answers, judgement, via)
        trial = self._original_trial(case, originals, answers, judgement)
        self._conclude(trial, originals.candidate, confirmed, via)

    async def _try_late(self, case: Case, mutant: Mutant, original: Answers, via: str) -> None:
        """Send a mutant after its original. One that writes and must have the same answer gets a control
        of its own, in the state that the original left."""
        control = original
        if case.is_write and mutant.mutator.expect is Expect.SAME:
            salt = f"{case.exchange.index}:{mutant.mutator.name}:control"
            again = self._environment.prepare(case.exchange, case.session, salt)
            control = await self._send(case, again, via, Parcel.REPEAT)
        answer = await self._send(case, mutant.readies, via, Parcel.MUTANT)
        if may_write(mutant.readies.candidate.request):
            self._judging.note_write(answer)
        await self._judge_mutant(case, mutant, control, answer, via)

    async def _judge_mutant(
        self, case: Case, mutant: Mutant, control: Answers, answer: Answers, via: str
    ) -> None:
        judgement = self._judging.mutant(case, mutant, control, answer)
        confirmed = None
        if judgement.verdict is Verdict.FAILED:
            confirmed = await self._confirmation.mutant(case, mutant, judgement, via)
        if not case.is_write and classify(answer.candidate) in _HARMFUL:
            self._harmful[case.exchange.index] = mutant, answer
        trial = _mutant_trial(case, mutant, control, answer, judgement)
        self._conclude(trial, mutant.readies.candidate, confirmed, via)

    async def _look_after(self, case: Case, before: Answers, via: str) -> None:
        """Where mutants of a reading request did harm, ask it once more: is the service still well?"""
        culprit = self._harmful.pop(case.exchange.index, None)
        if culprit is None:
            return
        mutant, answer = culprit
        judgement = await self._confirmation.aftermath(case, before, via)
        if judgement.verdict is not Verdict.PASSED:
            trial = _mutant_trial(case, mutant, before, answer, judgement)
            times = Confirmed(judgement, self._confirmation.all_times)
            self._conclude(trial, mutant.readies.candidate, times, via)

    def _original_trial(
        self, case: Case, originals: Pair[Ready], answers: Answers, judgement: Judgement
    ) -> Trial:
        return Trial(
            case.exchange.index,
            case.endpoint,
            Kind.REGRESSION,
            None,
            judgement,
            answer=answers.candidate,
            baseline=answers.baseline,
            sent=_wire_bytes(originals.candidate) if judgement.verdict is Verdict.FAILED else b"",
            seed=self._settings.seed,
            has_live=case.exchange.response is not None,
        )

    def _conclude(self, trial: Trial, ready: Ready, confirmed: Confirmed | None, via: str) -> None:
        """Tell the trial's verdict, and report it where it failed for good."""
        if via == HTTP2:
            trial = msgspec.structs.replace(trial, is_http2=True)
        if confirmed is not None:
            trial = msgspec.structs.replace(trial, judgement=confirmed.judgement)
        elif trial.judgement.verdict is Verdict.FAILED:
            doubtful = msgspec.structs.replace(
                trial.judgement, verdict=Verdict.UNDECIDED, why=f"not seen again: {trial.judgement.why}"
            )
            trial = msgspec.structs.replace(trial, judgement=doubtful)
        self._hear(Judged(trial))
        if confirmed is not None:
            self._report(trial, confirmed.times, ready)


def _control(case: Case, early: Answers, original: Answers) -> Answers:
    """What a mutant that went before its original is held against.

    One that was accepted has done already what the original asks for, which may be refused a second time:
    then the live answer tells what the original would have got.
    """
    live = case.exchange.response
    if live is None or _succeeded(original.candidate) or not _succeeded(early.candidate):
        return original
    return Pair(Reply(live), Reply(live) if original.baseline is not None else None)


def _succeeded(outcome: Outcome) -> bool:
    return classify(outcome) is AnswerClass.SUCCESS


def _is_accepted(answers: Answers) -> bool:
    return _succeeded(answers.candidate) or (answers.baseline is not None and _succeeded(answers.baseline))


def _mutant_trial(
    case: Case, mutant: Mutant, control: Answers, answer: Answers, judgement: Judgement
) -> Trial:
    ready = mutant.readies.candidate
    return Trial(
        case.exchange.index,
        case.endpoint,
        Kind.NETWORK if mutant.mutator.level is Level.NETWORK else Kind.MUTANT,
        mutant.mutator.name,
        judgement,
        edits=(ready.what,),
        expect=mutant.mutator.expect,
        level=mutant.mutator.level,
        sent=_wire_bytes(ready) if judgement.verdict is Verdict.FAILED else b"",
        control=control.candidate,
        answer=answer.candidate,
        baseline=answer.baseline,
        seed=mutant.seed,
    )


def _wire_bytes(ready: Ready) -> bytes:
    return b"".join(ready.wire.segments) if ready.wire else serialise_request(ready.request)
