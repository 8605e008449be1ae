"""One exchange put to the test: its original and its mutants are sent, judged, confirmed and reported."""

from collections.abc import Callable, Sequence

import msgspec

from mutators import Mutator
from shadow.content.redaction import is_masked
from shadow.judge import classify, is_cut
from shadow.model import (
    AnswerClass,
    Change,
    Difference,
    Doubt,
    Event,
    Exchange,
    Expect,
    Fate,
    Judgement,
    Kind,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Settled,
    Silence,
    Trial,
    Verdict,
)
from shadow.pipeline.aftercare import Aftercare
from shadow.pipeline.blame import Anew, Blame, is_doubtful
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.conclusions import Conclusions
from shadow.pipeline.confirmation import Confirmation, Confirmed
from shadow.pipeline.dealing import Dealing, TrialSettings
from shadow.pipeline.effects import Effects
from shadow.pipeline.environment import Answers, Environment, Pair
from shadow.pipeline.gate import Gate
from shadow.pipeline.gauges import Gauges, GaugeSettings
from shadow.pipeline.governor import Governor
from shadow.pipeline.judging import Judging
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.minimising import Minimising
from shadow.pipeline.order import Turn
from shadow.pipeline.questions import Questions
from shadow.pipeline.ready import Ready
from shadow.pipeline.reporting import Report
from shadow.pipeline.reshowing import Suspect
from shadow.pipeline.retrospect import Past, Retrospect
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.slowness import Slow, Slowness
from shadow.pipeline.standing import why_dropped
from shadow.pipeline.telling import mutant_trial, origin_of, wire_bytes
from shadow.pipeline.traces import State, Tags, Traces, Watch, is_conditional
from shadow.pipeline.ways import HTTP2, Way

_MAX_REPEATS = 8
"""Of one original, to learn from them."""


class Later(msgspec.Struct, frozen=True):
    """What is still to be tried of a case."""

    case: Case
    mutants: tuple[Mutant, ...]
    original: Answers
    via: str = "raw"
    """The transport that carries them."""
    is_suspect: bool = False
    """Whether a mutant of it was confirmed, and may be made smaller."""

    @property
    def is_left(self) -> bool:
        """Whether there is anything to try."""
        return bool(self.mutants) or self.is_suspect


class Trials:
    """Conducts the trials of single exchanges."""

    def __init__(  # noqa: PLR0913  # the parts of a run
        self,
        environment: Environment,
        scheduler: Scheduler[Mutator],
        judging: Judging,
        confirmation: Confirmation,
        knowledge: Knowledge,
        settings: TrialSettings,
        *,
        governor: Governor,
        hear: Callable[[Event], None],
        report: Report,
        traces: Traces | None = None,
        minimising: Minimising | None = None,
        blame: Blame | None = None,
        slowness: Slowness | None = None,
        gauges: tuple[GaugeSettings, Gate] | None = None,
    ) -> None:
        """Without `traces` nobody looks at what rejected mutants leave behind; without `minimising` what is
        found is told as it was found; without `blame` nobody looks for who made a target unwell; without
        `gauges` nobody watches what the targets tell of themselves.
        """
        self._slowness = slowness
        self._effects = (
            None
            if traces is None or not settings.mutants
            else Effects(traces, judging, times=confirmation.times, may_write=settings.may_write)
        )
        self._blame = blame
        self._traces = traces
        self._environment = environment
        self._dealing = Dealing(environment, scheduler, settings, governor)
        self._judging = judging
        self._confirmation = confirmation
        self._knowledge = knowledge
        self._settings = settings
        self._governor = governor
        self._hear = hear
        self._conclusions = Conclusions(minimising, learn=self._dealing.learn, hear=hear, report=report)
        self._aftercare = Aftercare(environment, confirmation, self._conclusions, seed=settings.seed)
        self._questions = Questions(environment, judging, times=confirmation.times)
        self._gauges: Gauges | None = None
        if gauges is not None:
            watched, gate = gauges
            self._gauges = Gauges(
                environment,
                gate,
                self._conclusions,
                watched,
                times=confirmation.times,
                seed=settings.seed,
                hear=hear,
            )
        self._retrospect = Retrospect()

    def hear(self, exchange: Exchange) -> None:
        """Learn from an exchange that is in scope, as early as may be: later ones tell of earlier ones."""
        self._judging.hear(exchange)

    def begin_pass(self, number: int) -> None:
        """Have both targets meet the same recorded traffic afresh."""
        for link in self._environment.links:
            link.begin_pass(number)

    async def conduct(self, case: Case, turn: Turn) -> Later | None:
        """Try the exchange and its mutants; `turn` is told when the original has been sent. None where the
        targets do not speak what it was seen in.

        For requests that write, mutants that must be rejected go first: afterwards the state often forbids
        the request whoever asks. All others follow the original. What takes long by itself is given back,
        for `conduct_slow`.
        """
        originals = self._environment.prepare(case.exchange, case.session)
        way = await self._way(case.exchange, originals)
        if way.refusal:
            turn.original_sent()
            turn.is_settled = True
            self._hear(Settled(case.exchange.tap, Fate.FILTERED, 1, way.refusal, case.exchange))
            return None
        mutants = self._dealing.mutants(case, originals.candidate, via=way.via)
        mutants = [each for each in mutants if self._blame is None or not self._blame.is_guilty(case, each)]
        via = way.via or self._environment.carrier([originals, *(each.readies for each in mutants)]) or "raw"
        early = [each for each in mutants if case.is_write and each.mutator.expect is Expect.REJECT]
        slow = [each for each in mutants if each.is_slow and each not in early]
        watch = self._traces.watch(case) if self._traces is not None and mutants else None
        if watch is not None and early:
            await watch.begin()
        early_answers = [(each, await self._send_early(case, each, originals, via)) for each in early]
        traces = await watch.end(early_answers, is_late=False) if watch is not None and early else {}
        before = None if self._effects is None or self._governor.doubt else await self._effects.before(case)
        originals, answers = await self._send_original(case, originals, via)
        self._environment.learn(case.exchange, answers, case.session)
        turn.original_sent()
        self._note(case, answers, via)
        self._learn(case, originals, answers)
        if not self._settle(case, turn, answers):
            return Later(case, (), answers)
        doubt = self._doubt(case, originals, early_answers)
        if not doubt and self._environment.is_estranged(case.exchange, answers):
            doubt = "it is signed, by a key or in a way that is not known here"
            self._judging.count_refusal(case, answers)
        await self._judge_original(case, originals, answers, via, doubt=doubt)
        await self._look_at_pace(case, originals, answers, via)
        await self._look_at_effect(case, originals, answers, before, via)
        self._aftercare.cuts.note(case.session, answers)
        await self._aftercare.look_after_cut(case, None, originals.candidate, answers.candidate)
        if case.is_write:
            self._judging.note_write(answers, live=self._judging.live(case.exchange))
        for mutant, answer in early_answers:
            trace = traces.get(mutant.mutator.name, ())
            control = _control(self._judging.live(case.exchange), answer, answers)
            await self._judge_mutant(case, mutant, control, answer, via, trace)
        if watch is not None:
            watch.is_stale = True
        tags = Tags()
        tags.note(answers)
        for mutant in mutants:
            if mutant not in early and mutant not in slow:
                await self._try_late(case, mutant, answers, via, watch, tags)
        if not case.is_write:
            await self._aftercare.look(case, answers, via)
        await self._blame_the_past()
        await self._look_at_gauges(case, answers, via)
        is_suspect = self._conclusions.has_suspect(case.exchange.index)
        return Later(case, tuple(slow), answers, via if via == HTTP2 else "raw", is_suspect)

    async def _look_at_pace(self, case: Case, originals: Pair[Ready], answers: Answers, via: str) -> None:
        """Tell where the candidate has become slower than the baseline."""
        slow = None if self._slowness is None else await self._slowness.look(case, answers, via)
        if (confirmed := _as_confirmed(slow)) is not None:
            trial = self._original_trial(case, originals, answers, confirmed.judgement)
            self._conclusions.conclude(trial, originals.candidate, confirmed, via)

    async def _look_at_effect(
        self, case: Case, originals: Pair[Ready], answers: Answers, before: State | None, via: str
    ) -> None:
        """Tell where a write was accepted and not done. `before` is how things stood."""
        if self._effects is None or before is None:
            return
        found = await self._effects.after(case, before, answers)
        if found is not None:
            trial = self._original_trial(case, originals, answers, found[0])
            self._conclusions.conclude(trial, originals.candidate, Confirmed(*found), via)

    async def _look_at_gauges(self, case: Case, answers: Answers, via: str) -> None:
        if self._gauges is not None:
            self._gauges.note(case, None, answers, answers, via)
            await self._gauges.look()

    async def retell(self, exchange: Exchange, session: str, past: Sequence[Exchange]) -> None:
        """Send what the `session` of `exchange` had asked before it, as a fresh environment has not heard
        it."""
        for each in past:
            readies = self._environment.prepare(each, session, f"{each.index}:retold:{exchange.index}")
            way = await self._way(each, readies)
            if way.refusal:
                continue
            via = way.via or self._environment.carrier([readies]) or "raw"
            answers = await self._environment.send(readies, via=via, parcel=Parcel.REPEAT, session=session)
            self._environment.learn(each, answers, session)

    async def conduct_slow(self, later: Later) -> None:
        """Try the mutants that take long to send, where nobody waits for them: those that read after a
        control of their own, for the state has gone on. Then make smaller what was confirmed."""
        case, control = later.case, later.original
        for mutant in later.mutants:
            if not case.is_write:
                salt = f"{case.exchange.index}:{mutant.mutator.name}:control"
                controls = self._environment.prepare(case.exchange, case.session, salt)
                control = await self._send(case, controls, later.via, Parcel.REPEAT)
            await self._try_late(case, mutant, control, later.via)
        if not case.is_write:
            await self._aftercare.look(case, control, later.via)
        await self._blame_the_past()
        await self._conclusions.minimise(case.exchange.index)

    def _doubt(self, case: Case, originals: Pair[Ready], early: list[tuple[Mutant, Answers]]) -> str:
        """Why the answers tell nothing of the original; empty where they do."""
        if why := self._governor.doubt:
            return why
        if is_masked(case.exchange.request):
            return "its secrets were masked when it was recorded"
        if any(_is_accepted(answers) for _, answers in early):
            return "a mutant of it had been accepted before"
        if name := self._environment.lacks(originals):
            return f"nobody could log in as {name!r}"
        if doubt := self._aftercare.cuts.doubt(case.session):
            return doubt
        if any(is_cut(answers.candidate) or is_cut(answers.baseline) for _, answers in early):
            return "a mutant of it may have been accepted before: its answer was cut short by us"
        if self._environment.names_untold(originals):
            return "it names what the candidate was never seen to have, though the baseline was"
        return ""

    async def _way(self, exchange: Exchange, readies: Pair[Ready]) -> Way:
        return await self._environment.ways.of(
            exchange, is_sayable=lambda: self._environment.carries(readies, HTTP2)
        )

    async def _send(self, case: Case, readies: Pair[Ready], via: str, parcel: Parcel) -> Answers:
        return await self._environment.send(readies, via=via, parcel=parcel, session=case.session)

    async def _send_early(self, case: Case, mutant: Mutant, originals: Pair[Ready], via: str) -> Answers:
        """Send a mutant before its original. Where only one target accepts it, the other is given the
        unedited request in its place, so that both have done the same and go on alike."""
        answers = await self._send(case, mutant.readies, via, Parcel.MUTANT)
        if is_cut(answers.candidate) or is_cut(answers.baseline):
            return answers  # what took effect is unknown, and nothing may take effect twice because of us
        if answers.baseline is not None and originals.baseline is not None:
            ours, theirs = _succeeded(answers.candidate), _succeeded(answers.baseline)
            if ours != theirs:
                behind = self._environment.baseline if ours else self._environment.candidate
                assert behind is not None
                salt = f"{case.exchange.index}:{mutant.mutator.name}:level"
                ready = behind.prepare(case.exchange, case.session, salt=salt)
                level = await behind.send(ready, via=via, parcel=Parcel.REPEAT, session=case.session)
                if not _succeeded(level) or not mutant.readies.candidate.is_same_act(mutant.plain):
                    self._judging.note_write(answers)
        return answers

    async def _send_original(
        self, case: Case, originals: Pair[Ready], via: str
    ) -> tuple[Pair[Ready], Answers]:
        """The original as it was sent, with its answers; one that reads is sent again where a target was
        unwell meanwhile."""
        answers = await self._send(case, originals, via, Parcel.ORIGINAL)
        if self._blame is None or not is_doubtful(answers):
            return originals, answers
        if self._blame.is_prime(originals.candidate):
            judgement, times = self._blame.last_words()
            live = case.exchange.response
            place = Difference("status", Change.VALUE, live and live.status, "no answer")
            judgement = msgspec.structs.replace(judgement, differences=(place,))
            trial = self._original_trial(case, originals, answers, judgement)
            self._conclusions.conclude(trial, originals.candidate, Confirmed(judgement, times), via)
        self._blame.suspect(case, None, via)
        if not case.is_write and self._blame.lost is None:
            originals = self._environment.prepare(case.exchange, case.session, f"{case.exchange.index}:anew")
            answers = await self._send(case, originals, via, Parcel.ORIGINAL)
        return originals, answers

    async def _blame_the_past(self) -> None:
        """Where a target was unwell and nobody of those under way was to blame: who was, of those before."""
        found = None if self._blame is None else await self._blame.look_back()
        if found is None:
            return
        last = found.done[-1]
        if len(found.done) == 1 and last.mutant is not None:
            nothing = Pair[Outcome](NoReply(Silence.UNWELL), None)
            self._convict(
                last.case, last.mutant, Anew(nothing, nothing, found.judgement, found.times), last.via
            )
            return
        trial = Trial(
            last.case.exchange.index,
            last.case.endpoint,
            Kind.SEQUENCE,
            None,
            found.judgement,
            edits=tuple(each.label for each in found.done),
            expect=Expect.SURVIVE,
            seed=self._settings.seed,
        )
        ready = self._environment.prepare(last.case.exchange, last.case.session).candidate
        self._conclusions.conclude(trial, ready, Confirmed(found.judgement, found.times), last.via)

    def _convict(self, case: Case, mutant: Mutant, anew: Anew, via: str) -> None:
        """Tell of a mutant that made the candidate unwell each time it had that to itself."""
        assert anew.judgement is not None
        trial = mutant_trial(case, mutant, anew.control, anew.answer, anew.judgement)
        confirmed = Confirmed(anew.judgement, anew.times)
        self._conclusions.conclude(trial, mutant.readies.candidate, confirmed, via)

    def _note(self, case: Case, answers: Answers, via: str) -> None:
        """Tell the governor how the shadow environment does."""
        if self._blame is not None:
            self._blame.learn(case, answers, via)
        for name, outcome in (("candidate", answers.candidate), ("baseline", answers.baseline)):
            if outcome is not None:
                self._governor.note(name, case.endpoint, outcome, case.exchange.response)

    def _learn(self, case: Case, originals: Pair[Ready], answers: Answers) -> None:
        """Remember the exchange as each target saw it, for the mutants of others."""
        seen = {}
        for name, ready, outcome in (
            ("candidate", originals.candidate, answers.candidate),
            ("baseline", originals.baseline, answers.baseline),
        ):
            if ready is not None and isinstance(outcome, Reply):
                self._judging.tenants.learn(ready.request, outcome.response, teaches=name == "baseline")
                seen[name] = msgspec.structs.replace(
                    case.exchange, request=ready.request, response=outcome.response
                )
        if self._settings.mutants:
            self._knowledge.learn(case.exchange, seen)

    def _settle(self, case: Case, turn: Turn, answers: Answers) -> bool:
        """Tell the exchange's fate; False when the candidate was not reached."""
        exchange = case.exchange
        turn.is_settled = True
        if classify(answers.candidate) is AnswerClass.DOWN and not is_cut(answers.candidate):
            assert isinstance(answers.candidate, NoReply)
            why = why_dropped(answers.candidate)
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
            self._conclusions.conclude(
                self._original_trial(case, originals, answers, judgement), originals.candidate, None, via
            )
            return
        self._judging.learn(case, answers)
        await self._repeat(case, answers, via)
        judgement = self._judging.original(case, answers)
        has_left = self._judging.note_drift(case, answers, judgement.differences)
        confirmed = None
        if judgement.verdict is Verdict.FAILED:
            confirmed = await self._confirmation.original(case, answers, judgement, via)
        if confirmed is not None:
            self._judging.drifting.explain(case.endpoint, confirmed.judgement.differences)
        if has_left and (case.is_write or confirmed is None):
            self._judging.drifting.leave(case.session)
        trial = self._original_trial(case, originals, answers, judgement)
        self._conclusions.conclude(trial, originals.candidate, confirmed, via)
        if confirmed is not None and confirmed.fresh:
            self._tell_of_the_past(case, confirmed.fresh)
        told = confirmed.judgement.differences if confirmed is not None else ()
        if len(told) < len(self._judging.apart(case, answers)):
            origin = origin_of(case, originals.candidate)
            self._retrospect.keep(Past(case, originals, answers, via, origin))

    async def end(self) -> None:
        """Tell what was held back until more would be seen, as nothing more will be."""
        for endpoint in self._confirmation.end():
            for past in self._retrospect.of(endpoint):
                judgement = self._judging.original(past.case, past.answers)
                if judgement.verdict is not Verdict.FAILED:
                    continue
                confirmed = await self._confirmation.original(past.case, past.answers, judgement, past.via)
                if confirmed is not None and confirmed.fresh:
                    self._tell_of_the_past(past.case, confirmed.fresh)

    async def _repeat(self, case: Case, answers: Answers, via: str) -> None:
        """Ask again what reads, while that teaches: whether what differs is new in each answer."""
        attempt = 0
        while not case.is_write and attempt < _MAX_REPEATS and self._judging.wants_repeat(case, answers):
            await self._confirmation.repeat(case, answers, via, attempt)
            attempt += 1

    def _tell_of_the_past(self, case: Case, fresh: tuple[Difference, ...]) -> None:
        """Tell of the originals that showed what is known to be wrong only now: those of the endpoint, and of
        writes, which are not sent again, those that showed it elsewhere."""
        of_endpoint = self._retrospect.of(case.endpoint)
        elsewhere = self._retrospect.writes() if case.is_write else ()
        for past in (*of_endpoint, *(each for each in elsewhere if each.case.endpoint != case.endpoint)):
            judgement = self._judging.original(past.case, past.answers)
            confirmed = self._confirmation.looked_back(past.case, past.answers, judgement, fresh)
            if confirmed is not None:
                trial = self._original_trial(
                    past.case, past.originals, past.answers, confirmed.judgement, past
                )
                self._conclusions.report_late(trial, past.originals.candidate, confirmed, past.via)

    async def _try_late(
        self,
        case: Case,
        mutant: Mutant,
        original: Answers,
        via: str,
        watch: Watch | None = None,
        tags: Tags | None = None,
    ) -> None:
        """Send a mutant after its original. One that writes and must have the same answer gets a control
        of its own, in the state that the original left."""
        control = original
        if case.is_write and mutant.mutator.expect is Expect.SAME:
            salt = f"{case.exchange.index}:{mutant.mutator.name}:control"
            again = self._environment.prepare(case.exchange, case.session, salt)
            control = await self._send(case, again, via, Parcel.REPEAT)
        if not case.is_write or mutant.mutator.expect is Expect.SAME:
            watch = None
        if watch is not None:
            await watch.begin()
        if case.is_write and mutant.mutator.expect is not Expect.SAME and tags is not None:
            mutant = self._renewed(case, mutant, (watch.tags if watch else None) or tags.latest)
        answer = await self._send(case, mutant.readies, via, Parcel.MUTANT)
        if tags is not None and not mutant.is_elsewhere:
            tags.note(answer)
        traces = await watch.end([(mutant, answer)], is_late=True) if watch is not None else {}
        if mutant.readies.candidate.may_write:
            self._judging.note_write(answer)
        trace = traces.get(mutant.mutator.name, ())
        await self._judge_mutant(case, mutant, control, answer, via, trace)

    def _renewed(self, case: Case, mutant: Mutant, tags: Pair[bytes | None]) -> Mutant:
        """A mutant of a write on a condition that its original has made void: on the state as it is now.

        Otherwise all that follow the original would be refused for that alone.
        """
        has_all = tags.candidate is not None and (
            tags.baseline is not None or self._environment.baseline is None
        )
        if tags.candidate is None or not has_all or not is_conditional(case.exchange):
            return mutant
        salt = f"{case.exchange.index}:{mutant.mutator.name}"
        plain = self._environment.prepare(case.exchange, case.session, salt)
        ours = self._environment.candidate.conditional(plain.candidate, tags.candidate)
        theirs = plain.baseline
        if self._environment.baseline is not None and theirs is not None and tags.baseline is not None:
            theirs = self._environment.baseline.conditional(theirs, tags.baseline)
        readies = self._environment.mutate(Pair(ours, theirs), mutant.mutate, case.session, salt)
        return mutant if readies is None else msgspec.structs.replace(mutant, readies=readies)

    async def _judge_mutant(
        self,
        case: Case,
        mutant: Mutant,
        control: Answers,
        answer: Answers,
        via: str,
        trace: tuple[Difference, ...] = (),
    ) -> None:
        """`trace` is what the mutant left behind, as confirmed."""
        if self._blame is not None and (is_doubtful(answer) or is_doubtful(control)):
            anew = await self._tried_alone(case, mutant, via)
            if anew is None:
                return
            control, answer = anew.control, anew.answer
        elif self._blame is not None:
            self._blame.note(case, mutant, via)
        self._hear_refusals(case, mutant, answer)
        answer = self._judging.held(control, answer)
        judgement = self._judging.mutant(case, mutant, control, answer, trace)
        judgement = self._judging.settled(judgement, case.endpoint, case.session)
        trial = mutant_trial(case, mutant, control, answer, judgement)
        known = self._conclusions.known(mutant, trial)
        confirmed = await self._questions.answered(case, mutant, control, answer, via)
        if confirmed is not None:
            known = None
            trial = mutant_trial(case, mutant, control, answer, confirmed.judgement)
        elif judgement.verdict is Verdict.FAILED and judgement.differences == trace != ():
            confirmed = Confirmed(judgement, self._confirmation.all_times)
        elif known is not None:
            trial, confirmed = known[0], Confirmed(judgement, known[1])
        elif judgement.verdict is Verdict.FAILED:
            confirmed = await self._confirm(case, mutant, judgement, via)
        elif self._slowness is not None:
            confirmed = _as_confirmed(await self._slowness.longer(case, mutant, control, answer, via))
        self._aftercare.note(case, mutant, answer)
        if self._gauges is not None:
            self._gauges.note(case, mutant, control, answer, via)
        if confirmed is None or known is not None:
            self._conclusions.conclude(trial, mutant.readies.candidate, confirmed, via)
        else:
            trial = mutant_trial(case, mutant, control, answer, confirmed.judgement)
            await self._conclusions.conclude_new(Suspect(case, mutant, trial, via), confirmed)
        await self._aftercare.look_after_cut(
            case, mutant.mutator.name, mutant.readies.candidate, answer.candidate
        )

    async def _confirm(self, case: Case, mutant: Mutant, judgement: Judgement, via: str) -> Confirmed | None:
        if judgement.fault == "slow" and self._slowness is not None:
            return _as_confirmed(await self._slowness.mutant(case, mutant, judgement, via))
        return await self._confirmation.mutant(case, mutant, judgement, via)

    async def _tried_alone(self, case: Case, mutant: Mutant, via: str) -> Anew | None:
        """What came of a mutant that suffered with a target, sent once more; None where all was told of it
        that can be."""
        assert self._blame is not None
        if self._blame.is_prime(mutant.readies.candidate):
            judgement, times = self._blame.last_words()
            nothing = Pair[Outcome](NoReply(Silence.UNWELL), None)
            self._convict(case, mutant, Anew(nothing, nothing, judgement, times), via)
            return None
        anew = await self._blame.anew(case, mutant, via)
        if anew is not None and anew.judgement is not None:
            self._convict(case, mutant, anew, via)
            return None
        if anew is None:
            nothing = Pair[Outcome](NoReply(Silence.UNWELL), None)
            judgement = Judgement(Verdict.UNDECIDED, "a target was unwell meanwhile", doubt=Doubt.UNWELL)
            trial = mutant_trial(case, mutant, nothing, nothing, judgement)
            self._conclusions.conclude(trial, mutant.readies.candidate, None, via)
        return anew

    def _hear_refusals(self, case: Case, mutant: Mutant, answer: Answers) -> None:
        """What both targets say of a mutant they refuse tells later mutants where limits are."""
        if mutant.is_elsewhere:
            return
        for ready, outcome in (
            (mutant.readies.candidate, answer.candidate),
            (mutant.readies.baseline, answer.baseline),
        ):
            if ready is not None and isinstance(outcome, Reply):
                self._knowledge.hear(case.endpoint, ready.request, outcome.response)

    def _original_trial(
        self,
        case: Case,
        originals: Pair[Ready],
        answers: Answers,
        judgement: Judgement,
        past: Past | None = None,
    ) -> Trial:
        origin = None
        if judgement.verdict is Verdict.FAILED:
            origin = past.origin if past is not None else origin_of(case, originals.candidate)
        return Trial(
            case.exchange.index,
            case.endpoint,
            Kind.REGRESSION,
            None,
            judgement,
            answer=answers.candidate,
            baseline=answers.baseline,
            sent=wire_bytes(originals.candidate) if judgement.verdict is Verdict.FAILED else b"",
            seed=self._settings.seed,
            has_live=case.exchange.response is not None,
            origin=origin,
        )


def _as_confirmed(slow: Slow | None) -> Confirmed | None:
    return None if slow is None else Confirmed(slow.judgement, slow.times)


def _control(live: Reply | None, early: Answers, original: Answers) -> Answers:
    """What a mutant that went before its original is held against.

    One that was accepted has done already what the original asks for, which may be refused a second time:
    then the live answer tells what the original would have got.
    """
    if live is None or _succeeded(original.candidate) or not _succeeded(early.candidate):
        return original
    return Pair(live, live if original.baseline is not None else None)


def _succeeded(outcome: Outcome) -> bool:
    return classify(outcome) is AnswerClass.SUCCESS


def _is_accepted(answers: Answers) -> bool:
    return _succeeded(answers.candidate) or (answers.baseline is not None and _succeeded(answers.baseline))
