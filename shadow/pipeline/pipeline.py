"""The story of a run, from the intake to the sinks. The only place where work on exchanges is started."""

import asyncio
import time
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from shadow.model import (
    CONVERSATIONS,
    Broke,
    Event,
    Exchange,
    Fate,
    QueueSeen,
    SentLate,
    Settled,
    Signs,
    StateChanged,
)
from shadow.pipeline.batching import Batches, Boundary, Whole
from shadow.pipeline.case import Case
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.governor import Governor
from shadow.pipeline.intake import Intake, PassEnd
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.order import Order, Orders, Turn
from shadow.pipeline.restoring import Restoring
from shadow.pipeline.scope import Scope
from shadow.pipeline.session_key import session_of
from shadow.pipeline.session_trials import SessionTrials
from shadow.pipeline.sessions import Sessions
from shadow.pipeline.source import Source
from shadow.pipeline.talks import Talks
from shadow.pipeline.trials import Later, Trials
from shadow.wire.http1_form import replayable

_TICK_SECONDS = 0.25
_GRACE_SECONDS = 2.0
"""How long what is under way may take to end once the run is to be stopped."""
_WAITING_PER_SLOT = 16
"""Exchanges that may wait for their turn, for each that is worked on: waiting ones are cheap."""


class PipelineSettings(msgspec.Struct, frozen=True):
    """How a run is paced and bounded."""

    concurrency: int
    queue_items: int
    session_by: str
    targets: tuple[str, ...]
    """Names of the targets."""
    duration_seconds: float | None = None
    patience_seconds: float | None = None
    """How long a candidate may be down before the run is stopped; None to wait for it, as taps do."""
    drain_seconds: float | None = None
    """How long what waits is worked off once no more comes in; None for as long as it takes."""


class Brakes(msgspec.Struct, frozen=True):
    """What may end a run before its source does."""

    halted: Callable[[], str]
    """Why nothing may be sent any more; empty while it may."""
    is_up: Callable[[], bool]
    """Whether the candidate can be used."""
    governor: Governor
    """How much may be asked of the shadow environment."""
    stopping: asyncio.Event
    """Set once the run is to be ended; links wait no longer for targets that are down then."""


class Trying(msgspec.Struct, frozen=True):
    """Who tries what."""

    trials: Trials
    session_trials: SessionTrials
    talks: Talks | None = None
    """Without it no conversation may be in scope."""


class Pipeline:
    """Runs once."""

    def __init__(
        self,
        settings: PipelineSettings,
        scope: Scope,
        trying: Trying,
        *,
        endpoints: Endpoints,
        knowledge: Knowledge,
        sessions: Sessions,
        signer: Signs | None,
        brakes: Brakes,
        hear: Callable[[Event], None],
        order: Orders | None = None,
        restoring: Restoring | None = None,
    ) -> None:
        self.failure = ""
        """Why the environment could not be put back, which ended the run; empty where it could."""
        self._restoring = restoring
        self._batches: Batches = restoring.batches if restoring else Whole()
        self._is_between = False
        """Whether the environment is being put back, so that nothing may begin."""
        self._cut: set[str] = set()
        """Sessions that the environment has heard of no longer."""
        self._settings = settings
        self._talks = trying.talks
        self._scope = scope
        self._trials = trying.trials
        self._session_trials = trying.session_trials
        self._endpoints = endpoints
        self._knowledge = knowledge
        self._sessions = sessions
        self._signer = signer
        self._brakes = brakes
        self._governor = brakes.governor
        self._stopping = brakes.stopping
        self._hear = hear
        self._order: Orders = Order() if order is None else order
        self._intake = Intake(settings.queue_items)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._slow_slots = asyncio.Semaphore(settings.concurrency)
        self._under_way: set[asyncio.Task[None]] = set()
        self._fed_at: float | None = None
        self._passes = 1
        self._pass = ""
        """Ends the names of the sessions of later passes over the same traffic."""
        self._take_due: Callable[[Exchange], float | None] = lambda _: None
        self._room = asyncio.Semaphore(settings.concurrency * _WAITING_PER_SLOT)

    def stop(self, why: str) -> None:
        """End in order: nothing new is begun, what is under way has a moment to end, the rest is dropped."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._hear(StateChanged("stopping", why))

    async def run(self, source: Source) -> None:
        """Work off `source` until it ends, or `stop` was called, or the time is over."""
        try:
            await self._run(source)
        finally:
            for exchange in (*self._batches.rest(), *self._intake.rest()):
                self._hear(Settled(exchange.tap, Fate.DROPPED, 1, "the run was stopped", exchange))

    async def _run(self, source: Source) -> None:
        self._take_due = source.take_due
        async with asyncio.TaskGroup() as group:
            feed = group.create_task(self._feed(source), name="feed")
            stopper = group.create_task(self._end(feed), name="stopper")
            watch = group.create_task(self._watch(), name="watch")
            await self._restore("as the run begins")
            async with asyncio.TaskGroup() as work:
                quiet = group.create_task(self._take_up_quiet_sessions(work), name="quiet sessions")
                await self._dispatch(work)
                quiet.cancel()
            async with asyncio.TaskGroup() as work:
                self._start_session_trials(work, is_over=True)
            watch.cancel()
            stopper.cancel()

    async def _feed(self, source: Source) -> None:
        try:
            await source.feed(self._intake, self._hear)
        finally:
            await self._intake.close()
        self._fed_at = time.monotonic()
        if waiting := len(self._intake) + len(self._under_way):
            self._hear(StateChanged("ending", f"no more comes in, {waiting} exchanges are worked off"))

    async def _end(self, feed: asyncio.Task[None]) -> None:
        """Once the run is to be stopped: end the feed, and a little later what is still under way."""
        try:
            async with asyncio.timeout(self._settings.duration_seconds):
                await self._stopping.wait()
        except TimeoutError:
            self.stop("the time is over")
        feed.cancel()
        await asyncio.sleep(_GRACE_SECONDS)
        for task in tuple(self._under_way):
            task.cancel()

    async def _dispatch(self, work: asyncio.TaskGroup) -> None:
        """Start work on each exchange that is in scope, in the order in which they came."""
        while (seen := await self._batches.take(self._intake)) is not None:
            if isinstance(seen, Boundary):
                await self._change_batch(work)
                continue
            if isinstance(seen, PassEnd):
                await self._end_pass(work)
                seen.over.set()
                continue
            due_at = self._take_due(seen)
            exchange = replayable(seen)
            if self._stopping.is_set():
                self._hear(Settled(exchange.tap, Fate.DROPPED, 1, "the run was stopped", exchange))
                continue
            session = session_of(exchange, self._settings.session_by, self._signer) + self._pass
            if refusal := self._scope.refusal(exchange, session):
                self._hear(Settled(exchange.tap, refusal[0], 1, refusal[1], exchange))
                continue
            turn = self._order.enter(exchange, session)
            turn.due_at = due_at
            try:
                await self._room.acquire()
            except asyncio.CancelledError:
                self._drop(exchange, turn, "the run was stopped")
                raise
            task = self._start(work, self._work(exchange, session, turn), f"exchange {exchange.index}")
            task.add_done_callback(partial(self._ended, exchange, turn))

    async def _change_batch(self, work: asyncio.TaskGroup) -> None:
        """Let all that is under way end, and have the environment put back."""
        await self._idle()
        self._start_session_trials(work, is_over=True)
        self._is_between = True
        await self._idle()
        self._cut |= self._sessions.names()
        await self._restore("between two batches")
        self._is_between = False

    async def _restore(self, when: str) -> None:
        """Put the environment back, where that is configured; a failure ends the run."""
        if self._restoring is None or self._stopping.is_set():
            return
        self.failure = await self._restoring.restore(when)
        if self.failure:
            self.stop(self.failure)

    def _start(
        self, work: asyncio.TaskGroup, job: Coroutine[Any, Any, None], name: str
    ) -> asyncio.Task[None]:
        task = work.create_task(job, name=name)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    def _ended(self, exchange: Exchange, turn: Turn, _: asyncio.Task[None]) -> None:
        """Give back what the exchange held. Its task may have been cancelled before its first step, and has
        told nothing then."""
        self._drop(exchange, turn, "the run was stopped")
        turn.leave()
        self._room.release()

    async def _end_pass(self, work: asyncio.TaskGroup) -> None:
        """Work off all of a pass over recorded traffic, and forget what the next one is to find out anew."""
        await self._idle()
        self._start_session_trials(work, is_over=True)
        await self._idle()
        self._passes += 1
        self._pass = f" in pass {self._passes}"
        self._order = Order()
        self._sessions.clear()
        self._cut.clear()
        await self._restore("between two passes")
        self._trials.begin_pass(self._passes)

    async def _idle(self) -> None:
        while self._under_way:
            await asyncio.wait(self._under_way)

    async def _work(self, exchange: Exchange, session: str, turn: Turn) -> None:
        """One exchange from its turn on. A bug is caught here, and costs this exchange alone."""
        try:
            await turn.wait()
            async with self._slots, self._governor.turn():
                later = await self._conduct(exchange, session, turn)
            turn.leave()
            if later is not None and later.mutants:
                async with self._slow_slots:
                    await self._trials.conduct_slow(later)
        except asyncio.CancelledError:
            self._drop(exchange, turn, "the run was stopped")
            raise
        except Exception as error:  # noqa: BLE001  # the pipeline's boundary
            self._hear(Broke(exchange.index, _bug(error)))
            self._drop(exchange, turn, "work on it broke")
        finally:
            turn.leave()
            self._order.forget(session, turn)

    async def _conduct(self, exchange: Exchange, session: str, turn: Turn) -> Later | None:
        """Try the exchange; what is still to be tried of it where nobody waits."""
        if why := self._brakes.halted():
            self.stop(why)
        if self._stopping.is_set():
            self._drop(exchange, turn, "the run was stopped")
            return None
        if exchange.protocol in CONVERSATIONS and self._talks is not None:
            await self._talks.conduct(exchange, session, turn)
            return None
        case = Case(
            exchange,
            session,
            self._endpoints.name(exchange.request),
            {name: self._knowledge.snapshot(exchange.request, name) for name in self._settings.targets},
            self._sessions.before(session, exchange),
        )
        if session in self._cut:
            self._cut.discard(session)
            await self._trials.retell(case)
        if turn.due_at is not None:
            self._hear(SentLate(max(time.monotonic() - turn.due_at, 0.0)))
        later = await self._trials.conduct(case, turn)
        if later is not None:
            self._sessions.add(session, exchange, time.monotonic())
        return later

    def _drop(self, exchange: Exchange, turn: Turn, why: str) -> None:
        """Tell that the exchange was dropped, unless its fate was told before."""
        if not turn.is_settled:
            turn.is_settled = True
            self._hear(Settled(exchange.tap, Fate.DROPPED, 1, why, exchange))

    def _start_session_trials(self, work: asyncio.TaskGroup, *, is_over: bool = False) -> None:
        """Start work on the sessions that have gone quiet, or on all when the run is over."""
        if self._stopping.is_set() or self._is_between or not self._governor.sends_scripts:
            return
        for name, past in self._sessions.quiet(time.monotonic(), is_over=is_over):
            self._start(work, self._work_session(past), f"session {name}")

    async def _work_session(self, past: tuple[Exchange, ...]) -> None:
        try:
            async with self._slots:
                await self._session_trials.conduct(past)
        except Exception as error:  # noqa: BLE001  # the pipeline's boundary
            self._hear(Broke(past[0].index, _bug(error)))

    async def _take_up_quiet_sessions(self, work: asyncio.TaskGroup) -> None:
        while True:
            self._start_session_trials(work)
            await asyncio.sleep(_TICK_SECONDS)

    async def _watch(self) -> None:
        """Now and then: tell the fill of the intake, and stop where nothing may, or can, be sent any more."""
        up_at = time.monotonic()
        while True:
            self._hear(QueueSeen("intake", len(self._intake), self._intake.capacity))
            self._governor.look()
            now = time.monotonic()
            up_at = now if self._brakes.is_up() else up_at
            if why := self._brakes.halted() or self._given_up(now, down_seconds=now - up_at):
                self.stop(why)
            await asyncio.sleep(_TICK_SECONDS)

    def _given_up(self, now: float, *, down_seconds: float) -> str:
        """Why it makes no sense to go on waiting; empty where it does."""
        patience, drain = self._settings.patience_seconds, self._settings.drain_seconds
        if patience is not None and down_seconds > patience:
            return f"the candidate has been down for {patience:g} s"
        if drain is None or self._fed_at is None:
            return ""
        if down_seconds > _TICK_SECONDS:
            return "no more comes in, and the candidate is down"
        return f"no more has come in for {drain:g} s" if now - self._fed_at > drain else ""


def _bug(error: Exception) -> str:
    """What went wrong and where, for whoever mends it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
