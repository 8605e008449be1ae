"""Conversations put to the test: said again to each target, compared, judged, confirmed and reported."""

from collections.abc import Callable

import msgspec

from comparators import compare_talks
from shadow.content.redaction import is_talk_masked
from shadow.judge import Noise, Witness, Witnesses, classify, is_cut, judge_original, template
from shadow.judge.regression import Same
from shadow.judge.said import is_clock
from shadow.model import (
    NO_RESPONSE,
    AnswerClass,
    Change,
    Difference,
    Event,
    Exchange,
    Fate,
    Judged,
    Judgement,
    Kind,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Response,
    Settled,
    Trial,
    Verdict,
)
from shadow.pipeline.cuts import Cuts
from shadow.pipeline.environment import Answers, Environment
from shadow.pipeline.governor import Governor
from shadow.pipeline.judging import Judging
from shadow.pipeline.order import Turn
from shadow.pipeline.ready import Ready
from shadow.pipeline.reporting import Report
from shadow.pipeline.standing import why_dropped
from shadow.pipeline.talk_endpoint import TalkEndpoints
from shadow.pipeline.talk_trials import TalkTrials
from shadow.replay.dns import is_query
from shadow.wire.spoken import spoken

_MAX_REFUTED = 3
_MAX_PLACES = 50_000
"""Suspicions remembered; beyond, later ones are tried each time anew."""
_AT_ONCE = frozenset({Change.MISSING, Change.ADDED, Change.TYPE})
"""Changes that chance does not make; others are seen twice before they count, where nothing is said again."""

type _Key = tuple[str, str, Change]


class Talks:
    """Conducts the trials of conversations. One for a run."""

    def __init__(
        self,
        environment: Environment,
        judging: Judging,
        same: Same,
        governor: Governor,
        *,
        endpoints: TalkEndpoints,
        times: int,
        may_write: bool,
        seed: int,
        hear: Callable[[Event], None],
        report: Report,
        trials: TalkTrials | None = None,
    ) -> None:
        """Without `trials` no mutants are made. `same` tells whether a candidate's value stands for a live
        one. Without `may_write` only what
        surely reads is said again to confirm a suspicion."""
        self._environment = environment
        self._judging = judging
        self._same = same
        self._governor = governor
        self._endpoints = endpoints
        self._times = times
        self._may_write = may_write
        self._seed = seed
        self._hear = hear
        self._report = report
        self._trials = trials
        self._cuts = Cuts(environment)
        self._confirmed: dict[_Key, str] = {}
        self._refuted: dict[_Key, int] = {}
        self._seen: dict[tuple[str, Change], int] = {}

    @property
    def _noise(self) -> Noise:
        return self._judging.noise

    async def conduct(self, exchange: Exchange, session: str, turn: Turn) -> None:
        """Say it to all targets and judge what they said; `turn` is told when it is over."""
        readies = self._environment.prepare(exchange, session)
        answers = await self._environment.send(
            readies, via=exchange.protocol, parcel=Parcel.ORIGINAL, session=session
        )
        turn.original_sent()
        if not self._settle(exchange, turn, answers):
            return
        if exchange.protocol == "websocket":
            self._environment.learn(exchange, answers, session)
        live = live_reply(exchange)
        if live is not None:
            self._note(exchange, answers)
        if doubt := self._doubt(exchange):
            judgement = Judgement(Verdict.UNDECIDED, doubt)
            self._conclude(exchange, answers, judgement, readies.candidate, "")
            return
        self._learn(exchange, live, answers)
        judgement = self._judge(exchange, live, answers)
        times = ""
        if judgement.verdict is Verdict.FAILED:
            judgement, times = await self._confirm(exchange, session, live, answers, judgement)
        self._conclude(exchange, answers, judgement, readies.candidate, times)
        await self._look_after_cut(exchange, session, answers, readies.candidate)
        if self._trials is not None:
            await self._trials.conduct(exchange, session, answers)

    async def _look_after_cut(self, exchange: Exchange, session: str, answers: Answers, ready: Ready) -> None:
        """Where a network condition of ours broke the candidate's connection: is it still well?"""
        if not is_cut(answers.candidate):
            return
        judgement, after = await self._cuts.aftermath(exchange, session, answers.candidate)
        if judgement.verdict is Verdict.FAILED and after is not None:
            self._conclude(exchange, after, judgement, ready, self._cuts.all_times, Kind.NETWORK)

    def _settle(self, exchange: Exchange, turn: Turn, answers: Answers) -> bool:
        """Tell the exchange's fate; False when the candidate was not reached."""
        turn.is_settled = True
        candidate = answers.candidate
        is_down = isinstance(candidate, NoReply) and classify(candidate) is AnswerClass.DOWN
        if is_down and not is_cut(candidate):
            assert isinstance(candidate, NoReply)
            why = why_dropped(candidate)
            self._hear(Settled(exchange.tap, Fate.DROPPED, 1, why, exchange))
            return False
        self._hear(Settled(exchange.tap, Fate.REPLAYED, 1, "", exchange))
        return True

    def _doubt(self, exchange: Exchange) -> str:
        """Why the answers tell nothing; empty where they do."""
        if is_talk_masked(exchange):
            return "its secrets were masked when it was recorded"
        return self._governor.doubt

    def _note(self, exchange: Exchange, answers: Answers) -> None:
        """Tell the governor how the shadow environment does. How long a conversation takes says nothing, so
        of those only silence is told."""
        for name, outcome in (("candidate", answers.candidate), ("baseline", answers.baseline)):
            if isinstance(outcome, NoReply) or (outcome is not None and exchange.protocol == "dns"):
                self._governor.note(name, self._endpoints.name(exchange), outcome, None)

    def _learn(self, exchange: Exchange, live: Reply | None, answers: Answers) -> None:
        """Take in what the answers show of noise. Where live was not seen, the baseline stands for it."""
        if live is None:
            self._observe(exchange, answers.baseline, answers.candidate, Witness.CANDIDATE)
            return
        self._observe(exchange, live, answers.baseline, Witness.LIVE_RELEASE)
        self._observe(exchange, live, answers.candidate, Witness.CANDIDATE)

    def _observe(
        self, exchange: Exchange, one: Outcome | None, other: Outcome | None, witness: Witness
    ) -> None:
        if isinstance(one, Reply) and isinstance(other, Reply):
            scope = self._endpoints.scope(exchange)
            self._noise.observe(scope, compare_talks(one, other), witness)

    def _judge(self, exchange: Exchange, live: Reply | None, answers: Answers) -> Judgement:
        scope = self._endpoints.scope(exchange)

        def forgives(difference: Difference, *, window_seconds: float | None = None) -> bool:
            if is_clock(difference):
                return True
            return self._noise.forgives(scope, difference, window_seconds=window_seconds)

        return judge_original(
            Witnesses(live, answers.candidate, answers.baseline),
            compare=_no_http,
            compare_talks=compare_talks,
            forgives=forgives,
            same=self._same,
        )

    async def _confirm(
        self, exchange: Exchange, session: str, live: Reply | None, first: Answers, judgement: Judgement
    ) -> tuple[Judgement, str]:
        """The judgement with what lasts of it, and how often that showed: ``"3/3"``; empty where nothing
        lasts."""
        found = self._beyond_drift(judgement.differences)
        known = [each for each in found if self._key(exchange, each) in self._confirmed]
        rest = [each for each in found if self._is_new(exchange, each)]
        if self._may_write or is_reading(exchange):
            lasting = await self._lasting(exchange, session, live, first, rest) if rest else []
            times = f"{self._times}/{self._times}"
            for each in rest:
                if each not in lasting:
                    _count(self._refuted, self._key(exchange, each))
        else:
            lasting = self._seen_enough(rest)
            seen = max((self._seen.get(_place(each), 1) for each in lasting), default=0)
            times = f"{seen}/{seen}"
        for each in lasting:
            if len(self._confirmed) < _MAX_PLACES:
                self._confirmed[self._key(exchange, each)] = times
        left = (*known, *lasting)
        if not left:
            why = f"not seen again: {judgement.why}"
            return msgspec.structs.replace(judgement, verdict=Verdict.UNDECIDED, why=why), ""
        times = self._confirmed.get(self._key(exchange, left[0]), times)
        return msgspec.structs.replace(judgement, differences=left), times

    async def _lasting(
        self,
        exchange: Exchange,
        session: str,
        live: Reply | None,
        first: Answers,
        suspected: list[Difference],
    ) -> list[Difference]:
        """Those that show each time it is said again."""
        for attempt in range(self._times):
            readies = self._environment.prepare(exchange, session, f"{exchange.index}:again:{attempt}")
            answers = await self._environment.send(
                readies, via=exchange.protocol, parcel=Parcel.CONFIRMATION, session=session
            )
            self._observe(exchange, first.baseline, answers.baseline, Witness.LIVE_RELEASE)
            self._observe(exchange, first.candidate, answers.candidate, Witness.CANDIDATE_REPEAT)
            again = {_place(each) for each in self._judge(exchange, live, answers).differences}
            suspected = [each for each in suspected if _place(each) in again]
            if not suspected:
                break
        return suspected

    def _beyond_drift(self, differences: tuple[Difference, ...]) -> tuple[Difference, ...]:
        """Those that do not come of state that candidate and baseline no longer share."""
        if not self._judging.is_drifted:
            return differences
        return tuple(each for each in differences if each.change in _AT_ONCE or each.where == "status")

    def _seen_enough(self, differences: list[Difference]) -> list[Difference]:
        """Where nothing is said again: those that chance does not make, or that were seen before, in
        whichever conversation."""
        for each in differences:
            _count(self._seen, _place(each))
        return [
            each
            for each in differences
            if each.change in _AT_ONCE
            or each.where in ("status", "close")
            or self._seen.get(_place(each), 0) > 1
        ]

    def _is_new(self, exchange: Exchange, difference: Difference) -> bool:
        key = self._key(exchange, difference)
        return key not in self._confirmed and self._refuted.get(key, 0) < _MAX_REFUTED

    def _key(self, exchange: Exchange, difference: Difference) -> _Key:
        return (self._endpoints.scope(exchange), *_place(difference))

    def _conclude(
        self,
        exchange: Exchange,
        answers: Answers,
        judgement: Judgement,
        ready: Ready,
        times: str,
        kind: Kind = Kind.REGRESSION,
    ) -> None:
        """Tell the verdict, and report it where it failed for good."""
        is_failed = judgement.verdict is Verdict.FAILED
        is_of_handshake = any(each.where == "status" for each in judgement.differences)
        trial = Trial(
            exchange.index,
            self._endpoints.name(exchange, is_handshake=is_of_handshake),
            kind,
            None,
            judgement,
            answer=answers.candidate,
            baseline=answers.baseline,
            sent=b"".join(spoken(ready.protocol, ready.request, ready.messages)) if is_failed else b"",
            seed=self._seed,
            has_live=live_reply(exchange) is not None,
        )
        self._hear(Judged(trial))
        if is_failed:
            self._report(trial, times, ready)


def live_reply(exchange: Exchange) -> Reply | None:
    """What live said; None where not all of it was captured, or nothing, which may be the capture's."""
    said = tuple(each for each in exchange.messages if not each.is_from_client)
    is_seen = exchange.is_complete and (bool(said) or exchange.protocol == "websocket")
    response = exchange.response or NO_RESPONSE
    if not is_seen or (exchange.protocol == "websocket" and not response.status):
        return None
    return Reply(response, protocol=exchange.protocol, messages=said)


def is_reading(exchange: Exchange) -> bool:
    """Whether saying it surely changes nothing: a DNS query."""
    return exchange.protocol == "dns" and all(
        is_query(each) for each in exchange.messages if each.is_from_client
    )


def _count[Key](counts: dict[Key, int], key: Key) -> None:
    if key in counts or len(counts) < _MAX_PLACES:
        counts[key] = counts.get(key, 0) + 1


def _place(difference: Difference) -> tuple[str, Change]:
    return template(difference.where), difference.change


def _no_http(control: Response, other: Response) -> tuple[Difference, ...]:  # noqa: ARG001
    return ()
