"""What network conditions of ours cut short: what that leaves in doubt, and whether the candidate lives."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec

from shadow.judge import classify, is_cut
from shadow.judge.evidence import failed, passed, undecided
from shadow.model import AnswerClass, Ending, Exchange, Expect, Judgement, NoReply, Outcome, Silence, Wire
from shadow.pipeline.environment import Answers, Environment, Readies
from shadow.pipeline.order import may_write
from shadow.pipeline.ready import Ready
from shadow.replay.dns import is_query

_SESSIONS_MAX = 65_536
_LOOKS = 3
_PAUSE_SECONDS = 0.1
"""Before each look; a process takes a moment to die."""
_UNWELL = frozenset({AnswerClass.BROKEN, AnswerClass.HUNG, AnswerClass.DOWN})


class Cuts:
    """One for a run."""

    def __init__(
        self,
        environment: Environment,
        *,
        times: int = _LOOKS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`times` is how often in a row the candidate must be unwell for that to be told."""
        self._environment = environment
        self._times = times
        self._sleep = sleep
        self._sessions: OrderedDict[str, None] = OrderedDict()
        """Those of which an original was cut."""

    @property
    def all_times(self) -> str:
        """What is said of a candidate that was unwell each time."""
        return f"{self._times}/{self._times}"

    def note(self, session: str, answers: Answers) -> None:
        """Take in an original's answers: where one was cut, nobody knows what its session has come to."""
        if is_cut(answers.candidate) or is_cut(answers.baseline):
            self._sessions[session] = None
            if len(self._sessions) > _SESSIONS_MAX:
                self._sessions.popitem(last=False)

    def doubt(self, session: str) -> str:
        """Why the answers to an original tell nothing; empty where they do."""
        if session in self._sessions:
            return "a network condition of ours cut an earlier request of its session"
        return ""

    async def aftermath(
        self, exchange: Exchange, session: str, cut: Outcome
    ) -> tuple[Judgement, Answers | None]:
        """Whether the candidate is well after `cut`, asked over a calm network; and what it said last.

        A request that reads is sent again for that. One that writes is not, for it may have been acted on:
        there a connection that is taken must do.
        """
        detail = cut.detail if isinstance(cut, NoReply) else ""
        answers: Answers | None = None
        for attempt in range(self._times):
            await self._sleep(_PAUSE_SECONDS)
            salt = f"{exchange.index}:cut:{attempt}"
            readies = self._environment.prepare(exchange, session, salt)
            answers = await self._look(exchange, session, readies)
            if not _is_unwell(answers.candidate, exchange):
                return passed("well after a network condition of ours"), answers
        assert answers is not None
        if answers.baseline is not None and _is_unwell(answers.baseline, exchange):
            return undecided("candidate and baseline are unwell after a network condition of ours"), answers
        is_gone = classify(answers.candidate) is AnswerClass.DOWN
        why = f"{_shown(answers.candidate)} over a calm network, after a connection was {detail}"
        return failed("crash" if is_gone else "unhealthy", why, Expect.SURVIVE), answers

    async def _look(self, exchange: Exchange, session: str, readies: Readies) -> Answers:
        if _is_told_once(exchange):
            readies = msgspec.structs.replace(
                readies,
                candidate=_knock(readies.candidate),
                baseline=None if readies.baseline is None else _knock(readies.baseline),
            )
        return await self._environment.look(readies, session)


def _is_told_once(exchange: Exchange) -> bool:
    """Whether it may have been acted on, and so is not said again to see how the candidate does; or cannot be
    said again over HTTP/1.1."""
    match exchange.protocol:
        case "dns":
            return not all(map(is_query, exchange.messages[:1]))
        case "tcp" | "udp":
            return True
    return may_write(exchange.request) or bool(exchange.seen_over)


def _knock(ready: Ready) -> Ready:
    """A connection and nothing more."""
    if ready.protocol in ("tcp", "udp", "dns"):
        return msgspec.structs.replace(ready, messages=())
    return msgspec.structs.replace(
        ready, wire=Wire((), ending=Ending.RESET), what="connected, to see it lives"
    )


def _is_unwell(outcome: Outcome, exchange: Exchange) -> bool:
    if _is_told_once(exchange):
        return isinstance(outcome, NoReply) and outcome.why is Silence.REFUSED
    live = exchange.response
    if live is not None and live.status >= 500:
        return isinstance(outcome, NoReply) and outcome.why is Silence.REFUSED
    is_silent = isinstance(outcome, NoReply) and outcome.why is not Silence.UNSENT
    return is_silent or classify(outcome) in _UNWELL - {AnswerClass.DOWN}


def _shown(outcome: Outcome) -> str:
    if isinstance(outcome, NoReply):
        return outcome.why.replace("_", " ")
    return f"{outcome.response.status}"
