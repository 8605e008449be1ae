"""The story of a run, from the intake to the sinks. The only place where work on exchanges is started."""

import asyncio
import time
from collections.abc import Callable, Sequence

import msgspec

from shadow.model import Broke, Event, Exchange, Fate, QueueSeen, Settled, Signs, StateChanged
from shadow.pipeline.case import Case
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.intake import Intake
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.order import Order, Turn
from shadow.pipeline.scope import Scope, session_of
from shadow.pipeline.session_trials import SessionTrials
from shadow.pipeline.sessions import Sessions
from shadow.pipeline.source import Source
from shadow.pipeline.trials import Later, Trials

_TICK_SECONDS = 0.25
_WAITING_PER_SLOT = 16
"""Exchanges that may wait for their turn, for each that is worked on: waiting ones are cheap."""


class PipelineSettings(msgspec.Struct, frozen=True):
    """How a run is paced and bounded."""

    concurrency: int
    queue_items: int
    session_by: str
    duration_seconds: float | None = None
    patience_seconds: float | None = None
    """How long a candidate may be down before the run is stopped; None to wait for it, as taps do."""


class Pipeline:
    """Runs once. `halted` says why nothing may be sent any more, or is empty."""

    def __init__(
        self,
        settings: PipelineSettings,
        scope: Scope,
        trials: Trials,
        session_trials: SessionTrials,
        *,
        endpoints: Endpoints,
        knowledge: Knowledge,
        targets: Sequence[str],
        sessions: Sessions,
        signer: Signs | None,
        halted: Callable[[], str],
        is_up: Callable[[], bool],
        stopping: asyncio.Event,
        hear: Callable[[Event], None],
    ) -> None:
        self._settings = settings
        self._scope = scope
        self._trials = trials
        self._session_trials = session_trials
        self._endpoints = endpoints
        self._knowledge = knowledge
        self._targets = tuple(targets)
        self._sessions = sessions
        self._signer = signer
        self._halted = halted
        self._is_up = is_up
        self._stopping = stopping
        self._hear = hear
        self._order = Order()
        self._intake = Intake(settings.queue_items)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._slow_slots = asyncio.Semaphore(settings.concurrency)
        self._room = asyncio.Semaphore(settings.concurrency * _WAITING_PER_SLOT)

    def stop(self, why: str) -> None:
        """End in order: nothing new is taken in, what is under way is finished, the rest counts as dropped."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._hear(StateChanged("stopping", why))

    async def run(self, source: Source) -> None:
        """Work off `source` until it ends, or `stop` was called, or the time is over."""
        async with asyncio.TaskGroup() as group:
            feed = group.create_task(self._feed(source), name="feed")
            stopper = group.create_task(self._end_feed(feed), name="stopper")
            async with asyncio.TaskGroup() as work:
                watch = group.create_task(self._watch(work), name="watch")
                await self._dispatch(work)
                watch.cancel()
            stopper.cancel()
            async with asyncio.TaskGroup() as work:
                self._start_session_trials(work, is_over=True)

    async def _feed(self, source: Source) -> None:
        try:
            await source.feed(self._intake, self._hear)
        finally:
            await self._intake.close()

    async def _end_feed(self, feed: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(self._settings.duration_seconds):
                await self._stopping.wait()
        except TimeoutError:
            self.stop("the time is over")
        feed.cancel()

    async def _dispatch(self, work: asyncio.TaskGroup) -> None:
        """Start work on each exchange that is in scope, in the order in which they came."""
        while (exchange := await self._intake.take()) is not None:
            if self._stopping.is_set():
                self._hear(Settled(exchange.tap, Fate.DROPPED, 1, "the run was stopped", exchange))
                continue
            if refusal := self._scope.refusal(exchange):
                self._hear(Settled(exchange.tap, refusal[0], 1, refusal[1], exchange))
                continue
            await self._room.acquire()
            session = session_of(exchange, self._settings.session_by, self._signer)
            turn = self._order.enter(exchange, session)
            work.create_task(self._work(exchange, session, turn), name=f"exchange {exchange.index}")

    async def _work(self, exchange: Exchange, session: str, turn: Turn) -> None:
        """One exchange from its turn on. The one place where a bug is caught: it costs this exchange alone."""
        try:
            await turn.wait()
            async with self._slots:
                later = await self._conduct(exchange, session, turn)
            turn.leave()
            if later is not None and later.mutants:
                async with self._slow_slots:
                    await self._trials.conduct_slow(later)
        except Exception as error:  # noqa: BLE001  # the pipeline's boundary
            self._hear(Broke(exchange.index, f"{type(error).__name__}: {error}"))
            if not turn.is_settled:
                self._hear(Settled(exchange.tap, Fate.DROPPED, 1, "work on it broke", exchange))
        finally:
            turn.leave()
            self._order.forget(session, turn)
            self._room.release()

    async def _conduct(self, exchange: Exchange, session: str, turn: Turn) -> Later | None:
        """Try the exchange; what is still to be tried of it where nobody waits."""
        if why := self._halted():
            self.stop(why)
        if self._stopping.is_set():
            turn.is_settled = True
            self._hear(Settled(exchange.tap, Fate.DROPPED, 1, "the run was stopped", exchange))
            return None
        case = Case(
            exchange,
            session,
            self._endpoints.name(exchange.request),
            {name: self._knowledge.snapshot(exchange.request, name) for name in self._targets},
            self._sessions.before(session, exchange),
        )
        later = await self._trials.conduct(case, turn)
        self._sessions.add(session, exchange, time.monotonic())
        return later

    def _start_session_trials(self, work: asyncio.TaskGroup, *, is_over: bool = False) -> None:
        """Start work on the sessions that have gone quiet, or on all when the run is over."""
        if self._stopping.is_set():
            return
        for name, past in self._sessions.quiet(time.monotonic(), is_over=is_over):
            work.create_task(self._work_session(past), name=f"session {name}")

    async def _work_session(self, past: tuple[Exchange, ...]) -> None:
        try:
            async with self._slots:
                await self._session_trials.conduct(past)
        except Exception as error:  # noqa: BLE001  # the pipeline's boundary
            self._hear(Broke(past[0].index, f"{type(error).__name__}: {error}"))

    async def _watch(self, work: asyncio.TaskGroup) -> None:
        """Now and then: tell the fill of the intake, take up quiet sessions, stop when nothing may be sent."""
        up_at = time.monotonic()
        while True:
            self._start_session_trials(work)
            up_at = time.monotonic() if self._is_up() else up_at
            down_seconds, patience = time.monotonic() - up_at, self._settings.patience_seconds
            if patience is not None and down_seconds > patience:
                self.stop(f"the candidate has been down for {patience:g} s")
            self._hear(QueueSeen("intake", len(self._intake), self._intake.capacity))
            if why := self._halted():
                self.stop(why)
            await asyncio.sleep(_TICK_SECONDS)
