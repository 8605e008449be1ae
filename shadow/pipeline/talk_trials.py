"""Mutants of conversations put to the test: each is said on a conversation of its own, after the original."""

from collections import deque
from collections.abc import Callable

import msgspec

from comparators import compare_talks
from mutators import TalkMutator, dice
from shadow.judge import Evidence, class_of_talk, judge_talk, template
from shadow.judge.evidence import failed, passed, undecided
from shadow.judge.said import is_clock
from shadow.model import (
    AnswerClass,
    Difference,
    Event,
    Exchange,
    Expect,
    Judged,
    Judgement,
    Kind,
    Known,
    Outcome,
    Parcel,
    Reply,
    TalkEdit,
    Trial,
    Verdict,
)
from shadow.pipeline.environment import Answers, Environment, Pair, Readies
from shadow.pipeline.governor import Governor
from shadow.pipeline.judging import Judging
from shadow.pipeline.ready import MutateTalk, Ready
from shadow.pipeline.reporting import Report
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.talk_endpoint import TalkEndpoints
from shadow.replay._contract import Manner
from shadow.replay.dns import is_query
from shadow.wire.spoken import spoken

_MAX_REFUTED = 3
_MAX_KEYS = 50_000
"""Suspicions remembered, of endpoint, mutator and fault."""
_MAX_SAID = 30
_MAX_BYTES = 100_000
_MAX_SECONDS = 10.0
"""Of a longer conversation the beginning is mutated: each mutant takes as long as that did."""
_MAX_OTHERS = 8
_MAX_ENDPOINTS = 200
"""With so many recorded conversations of each, for others to be spliced with."""
_LISTENS_SECONDS = 0.5
"""Before a suspicion is believed: a server that is busy refuses late."""
_HARMFUL = frozenset({AnswerClass.BROKEN, AnswerClass.HUNG, AnswerClass.DOWN})
_WRITING_OPCODES = frozenset({4, 5})
"""NOTIFY and UPDATE (RFC 1996, RFC 2136)."""


class TalkKnowledge:
    """What mutators may know besides the conversation: some of the same endpoint that came before."""

    def __init__(self) -> None:
        self._others: dict[str, deque[Exchange]] = {}

    def learn(self, endpoint: str, talk: Exchange) -> None:
        if endpoint in self._others or len(self._others) < _MAX_ENDPOINTS:
            self._others.setdefault(endpoint, deque(maxlen=_MAX_OTHERS)).append(talk)

    def snapshot(self, endpoint: str) -> Known:
        return Known(others=tuple(self._others.get(endpoint, ())))


class TalkMutant(msgspec.Struct, frozen=True):
    """One mutant of a conversation, ready for each target."""

    mutator: TalkMutator
    readies: Readies
    mutate: Callable[[str], MutateTalk]


class TalkTrials:
    """Conducts the trials of the mutants of conversations. One for a run."""

    def __init__(
        self,
        environment: Environment,
        scheduler: Scheduler[TalkMutator],
        judging: Judging,
        governor: Governor,
        *,
        endpoints: TalkEndpoints,
        seed: int,
        budget: int,
        times: int,
        may_write: bool,
        hear: Callable[[Event], None],
        report: Report,
    ) -> None:
        """`budget` is for one conversation. Without `may_write` only what surely reads is mutated: DNS
        queries, and handshakes that nothing follows."""
        self._environment = environment
        self._scheduler = scheduler
        self._judging = judging
        self._governor = governor
        self._endpoints = endpoints
        self._seed = seed
        self._budget = budget
        self._times = times
        self._may_write = may_write
        self._hear = hear
        self._report = report
        self._knowledge = TalkKnowledge()
        self._confirmed: set[tuple[str, str, str]] = set()
        self._refuted: dict[tuple[str, str, str], int] = {}

    async def conduct(self, exchange: Exchange, session: str, original: Answers) -> None:
        """Try as many mutants of the conversation as the budget allows. `original` is what its own words were
        answered with."""
        if not self._budget or not isinstance(original.candidate, Reply):
            return
        talk = opening(exchange)
        mutants = self._dealt(talk, session)
        self._knowledge.learn(self._endpoints.name(talk), talk)
        self._scheduler.learn(self._endpoints.name(talk), "", original.candidate)
        if not mutants:
            return
        control = await self._control(talk, session, "control", Parcel.REPEAT)
        unstable = _unstable(original, control)
        harmful: tuple[TalkMutant, Answers] | None = None
        for mutant in mutants:
            if self._needs_fresh(talk, mutant):
                before, control = (
                    control,
                    await self._control(talk, session, f"{mutant.mutator.name}:control", Parcel.REPEAT),
                )
                unstable |= _unstable(before, control)
            answer = await self._send(talk, mutant.readies, session, Parcel.MUTANT)
            judgement = self._judge(talk, mutant, control, answer, unstable)
            times = ""
            if judgement.verdict is Verdict.FAILED:
                judgement, times = await self._confirmed_of(talk, session, mutant, judgement, unstable)
            self._conclude(talk, mutant, control, answer, judgement, times)
            if class_of_talk(answer.candidate, talk.protocol) in _HARMFUL:
                harmful = mutant, answer
        if harmful is not None or self._may_write:
            await self._look_after(talk, session, control, harmful or (mutants[-1], control))

    def _dealt(self, talk: Exchange, session: str) -> list[TalkMutant]:
        endpoint = self._endpoints.name(talk)
        known = self._knowledge.snapshot(endpoint)

        def made(mutator: TalkMutator) -> TalkMutant | None:
            mutate = _mutation(mutator, talk, known, self._seed)
            edit = mutate("candidate")(talk)
            if edit is None or not (self._may_write or is_allowed_to_read(talk, edit)):
                return None
            salt = f"{talk.index}:{mutator.name}"
            readies = self._environment.mutate_talk(talk, mutate, session, salt)
            return None if readies is None else TalkMutant(mutator, readies, mutate)

        budget = self._governor.mutants(self._budget)
        dealt = self._scheduler.deal(endpoint, talk.index, budget, made) if budget else ()
        return [mutant for _, mutant in dealt]

    def _needs_fresh(self, talk: Exchange, mutant: TalkMutant) -> bool:
        """Whether the state may have gone on since the control was said, and the answer must be the same."""
        return mutant.mutator.expect is Expect.SAME and talk.protocol != "dns"

    async def _control(self, talk: Exchange, session: str, salt: str, parcel: Parcel) -> Answers:
        readies = self._environment.control_of(talk, session, f"{talk.index}:{salt}")
        return await self._send(talk, readies, session, parcel)

    async def _send(self, talk: Exchange, readies: Readies, session: str, parcel: Parcel) -> Answers:
        return await self._environment.send(readies, via=talk.protocol, parcel=parcel, session=session)

    def _judge(
        self,
        talk: Exchange,
        mutant: TalkMutant,
        control: Answers,
        answer: Answers,
        unstable: frozenset[str],
    ) -> Judgement:
        is_same = mutant.mutator.expect is Expect.SAME

        def lasting(one: Outcome | None, other: Outcome | None) -> tuple[Difference, ...]:
            return self._lasting(talk, _between(one, other), unstable)

        return judge_talk(
            talk.protocol,
            Evidence(
                mutant.mutator.expect,
                mutant.mutator.level,
                answer.candidate,
                control.candidate,
                answer.baseline,
                control.baseline,
                differences=lasting(control.candidate, answer.candidate) if is_same else (),
                baseline_differences=lasting(control.baseline, answer.baseline) if is_same else None,
                across=self._across(talk, control, answer, unstable),
                is_stated=mutant.mutator.is_stated,
            ),
        )

    def _across(
        self, talk: Exchange, control: Answers, answer: Answers, unstable: frozenset[str]
    ) -> tuple[Difference, ...]:
        """Where candidate and baseline answer the mutant differently, but not the control."""
        if self._judging.is_drifted or answer.baseline is None:
            return ()
        usual = {template(each.where) for each in _between(control.baseline, control.candidate)}
        found = self._lasting(talk, _between(answer.baseline, answer.candidate), unstable)
        return tuple(each for each in found if template(each.where) not in usual)

    def _lasting(
        self, talk: Exchange, found: tuple[Difference, ...], unstable: frozenset[str]
    ) -> tuple[Difference, ...]:
        scope = self._endpoints.scope(talk)
        left = (each for each in found if template(each.where) not in unstable and not is_clock(each))
        return tuple(each for each in left if not self._judging.noise.forgives(scope, each))

    async def _confirmed_of(
        self,
        talk: Exchange,
        session: str,
        mutant: TalkMutant,
        judgement: Judgement,
        unstable: frozenset[str],
    ) -> tuple[Judgement, str]:
        """The judgement after mutant and control were said again, and how often it showed: ``"3/3"``."""
        key = (self._endpoints.name(talk), mutant.mutator.name, judgement.fault)
        all_times = f"{self._times}/{self._times}"
        if key in self._confirmed:
            return judgement, all_times
        first = judgement
        if self._refuted.get(key, 0) >= _MAX_REFUTED:
            return undecided(f"not seen again before: {first.why}"), ""
        before: Answers | None = None
        for attempt in range(self._times):
            salt = f"{mutant.mutator.name}:again:{attempt}"
            control = await self._control(talk, session, f"{salt}:control", Parcel.CONFIRMATION)
            if before is not None:
                unstable |= _unstable(before, control)
            readies = self._environment.mutate_talk(talk, mutant.mutate, session, f"{talk.index}:{salt}")
            again = judgement
            if readies is not None:
                answer = await self._send(talk, _patient(readies), session, Parcel.CONFIRMATION)
                again = self._judge(talk, mutant, control, answer, unstable)
            if (again.verdict, again.fault) != (Verdict.FAILED, first.fault):
                if len(self._refuted) < _MAX_KEYS:
                    self._refuted[key] = self._refuted.get(key, 0) + 1
                return undecided(f"not seen again: {first.why}"), ""
            judgement, before = again, control
        if len(self._confirmed) < _MAX_KEYS:
            self._confirmed.add(key)
        return judgement, all_times

    async def _look_after(
        self, talk: Exchange, session: str, before: Answers, culprit: tuple[TalkMutant, Answers]
    ) -> None:
        """Is the service still well? Where it never is again, the mutant that did worst is blamed."""
        judgement, after = Judgement(Verdict.PASSED), before
        for attempt in range(self._times):
            after = await self._control(talk, session, f"after:{attempt}", Parcel.PROBE)
            judgement = _aftermath(talk, before, after)
            if judgement.verdict is not Verdict.FAILED:
                return
        mutant, _ = culprit
        self._conclude(talk, mutant, before, after, judgement, f"{self._times}/{self._times}")

    def _conclude(
        self,
        talk: Exchange,
        mutant: TalkMutant,
        control: Answers,
        answer: Answers,
        judgement: Judgement,
        times: str,
    ) -> None:
        """Tell the verdict, and report it where it failed for good."""
        ready, mutator = mutant.readies.candidate, mutant.mutator
        is_failed = judgement.verdict is Verdict.FAILED
        trial = Trial(
            talk.index,
            self._endpoints.name(talk),
            Kind.MUTANT,
            mutator.name,
            judgement,
            edits=(ready.what,),
            expect=mutator.expect,
            level=mutator.level,
            sent=_sent(ready) if is_failed else b"",
            control=control.candidate,
            answer=answer.candidate,
            baseline=answer.baseline,
            seed=self._seed,
        )
        self._scheduler.learn(
            trial.endpoint, mutator.name, answer.candidate, judgement.fault if is_failed else ""
        )
        self._hear(Judged(trial))
        if is_failed:
            # whoever hears of it may be another process, and need not make it anew
            self._report(trial, times, msgspec.structs.replace(ready, retell=None))


def is_allowed_to_read(talk: Exchange, edit: TalkEdit) -> bool:
    """Whether a mutant surely changes nothing: a DNS query that stays one, a handshake that nothing
    follows."""
    if talk.protocol == "dns":
        mine = [each for each in talk.messages if each.is_from_client]
        return all(map(is_query, mine)) and not any(map(_may_write, _texts(edit)))
    return talk.protocol == "websocket" and not edit.messages


def opening(exchange: Exchange) -> Exchange:
    """The conversation, or as much of its beginning as is mutated."""
    said = size = 0
    start = exchange.messages[0].seen_at if exchange.messages else 0.0
    for at, each in enumerate(exchange.messages):
        said += each.is_from_client
        size += len(each.body)
        if said > _MAX_SAID or size > _MAX_BYTES or each.seen_at - start > _MAX_SECONDS:
            return msgspec.structs.replace(exchange, messages=exchange.messages[:at])
    return exchange


def _mutation(mutator: TalkMutator, talk: Exchange, known: Known, seed: int) -> Callable[[str], MutateTalk]:
    """The mutator for each target: with the same dice each time, so that each gets the same edit."""

    def for_target(target: str) -> MutateTalk:  # noqa: ARG001  # nothing known differs by target yet
        def mutate(as_prepared: Exchange) -> TalkEdit | None:
            return mutator(as_prepared, dice(seed, talk.index, mutator.name), known)

        return mutate

    return for_target


def _aftermath(talk: Exchange, before: Answers, after: Answers) -> Judgement:
    ours, then = (class_of_talk(each.candidate, talk.protocol) for each in (before, after))
    theirs = None if after.baseline is None else class_of_talk(after.baseline, talk.protocol)
    if ours in _HARMFUL or then is ours or then is theirs:
        return passed("answered as before")
    why = f"after the mutants the unedited conversation is {then.value}, before them it was {ours.value}"
    return failed("unhealthy", why, Expect.SURVIVE)


def _unstable(one: Answers, other: Answers) -> frozenset[str]:
    """Places that differ from one time to the next though the same was said, at either target."""
    pairs = ((one.candidate, other.candidate), (one.baseline, other.baseline))
    return frozenset(template(each.where) for mine, its in pairs for each in _between(mine, its))


def _between(one: Outcome | None, other: Outcome | None) -> tuple[Difference, ...]:
    if not isinstance(one, Reply) or not isinstance(other, Reply):
        return ()
    return compare_talks(one, other)


def _patient(readies: Readies) -> Readies:
    """The same, listened to for longer at the end."""

    def patient(ready: Ready) -> Ready:
        manner = msgspec.structs.replace(ready.manner or Manner(), listens_seconds=_LISTENS_SECONDS)
        return msgspec.structs.replace(ready, manner=manner)

    theirs = readies.baseline
    return Pair(patient(readies.candidate), None if theirs is None else patient(theirs))


def _sent(ready: Ready) -> bytes:
    return b"".join(spoken(ready.protocol, ready.request, ready.messages, is_exact=True))


def _texts(edit: TalkEdit) -> list[bytes]:
    return [each.body for each in edit.messages if each.is_from_client]


def _may_write(query: bytes) -> bool:
    """Whether a server may take it for a change of its zone, or news of one."""
    return len(query) > 2 and query[2] >> 3 & 15 in _WRITING_OPCODES
