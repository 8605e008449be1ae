"""The story of a run, from the intake to the sinks. The only place where work on exchanges is started."""

import asyncio
import time
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

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
from shadow.pipeline.intake import Intake, PassEnd
from shadow.pipeline.jobs import Jobs
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.order import Order, Orders, Turn
from shadow.pipeline.parts import Brakes, PipelineSettings, State, Trying
from shadow.pipeline.scope import Scope
from shadow.pipeline.session_key import session_of
from shadow.pipeline.session_trials import Told
from shadow.pipeline.sessions import Sessions
from shadow.pipeline.source import Source
from shadow.pipeline.stopping import unless_stopped
from shadow.pipeline.trials import Later
from shadow.wire.http1_form import replayable

_TICK_SECONDS = 0.25
_GRACE_SECONDS = 2.0
"""How long what is under way may take to end once the run is to be stopped."""
_WAITING_PER_SLOT = 16
"""Exchanges dispatched, for each that is worked on: those that wait for their turn are cheap."""


type _Past = tuple[Exchange, ...]
"""A session that has gone quiet."""


class _Job(NamedTuple):
    """One exchange on its way through the pipeline."""

    exchange: Exchange
    session: str
    turn: Turn


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
        state: State | None = None,
    ) -> None:
        self.failure = ""
        """Why the environment could not be used any more, or not be put back, which ended the run; else
        empty."""
        self.table = "reset"
        """The table of the configuration that has to do with it."""
        self._state = state or State()
        self._batches: Batches = self._state.restoring.batches if self._state.restoring else Whole()
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
        self._slow_slots = asyncio.Semaphore(settings.concurrency)
        self._ready: Jobs[_Job | _Past] = Jobs()
        self._under_way: dict[int, _Job | _Past] = {}
        """By their objects' ids: dispatched, and not yet done with."""
        self._room_max = settings.concurrency * _WAITING_PER_SLOT
        self._finished: asyncio.Future[None] | None = None
        """Told to whoever waits for one of them to be done with."""
        self._is_dispatched = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._fed_at: float | None = None
        self._passes = 1
        self._pass = ""
        """Ends the names of the sessions of later passes over the same traffic."""
        self._take_due: Callable[[Exchange], float | None] = lambda _: None

    def stop(self, why: str) -> None:
        """End in order: nothing new is begun, what is under way has a moment to end, the rest is dropped."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._hear(StateChanged("stopping", why))

    def lose(self, why: str) -> None:
        """End in order: a target is gone for good."""
        self.failure, self.table = why, "health"
        self.stop(why)

    async def run(self, source: Source) -> None:
        """Work off `source` until it ends, or `stop` was called, or the time is over."""
        try:
            await self._run(source)
        finally:
            self._abandon()
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
                quiet = group.create_task(self._take_up_quiet_sessions(), name="quiet sessions")
                self._start_workers(work)
                await self._dispatch()
                quiet.cancel()
                self._is_dispatched = True
                self._close_once_done()
            self._ready = Jobs()
            self._start_session_trials(is_over=True)
            self._close_once_done()
            async with asyncio.TaskGroup() as work:
                self._start_workers(work)
            if not self._stopping.is_set():
                await unless_stopped(self._stopping, self._trials.end())
            await self._compare("at the end of the run")
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
        for task in tuple(self._tasks):
            task.cancel()
        self._abandon()

    async def _dispatch(self) -> None:
        """Put each exchange that is in scope in its place in the order, in which they came."""
        while (seen := await self._batches.take(self._intake)) is not None:
            if isinstance(seen, Boundary):
                await self._change_batch()
                continue
            if isinstance(seen, PassEnd):
                await self._end_pass()
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
            self._trials.hear(exchange)
            job = _Job(exchange, session, self._order.enter(exchange, session))
            job.turn.due_at = due_at
            self._under_way[id(job)] = job
            if self._settings.is_in_order:
                self._ready.put(job)
            else:
                job.turn.when_free(partial(self._ready.put, job))
            while len(self._under_way) >= self._room_max:
                self._finished = asyncio.get_running_loop().create_future()
                await self._finished

    def _start_workers(self, work: asyncio.TaskGroup) -> None:
        """A task for each exchange costs more than most exchanges do, so a few take what is ready."""
        for number in range(self._settings.concurrency):
            self._start(work, self._serve(work), f"worker {number}")

    async def _change_batch(self) -> None:
        """Let all that is under way end, and have the environment put back."""
        await self._idle()
        self._start_session_trials(is_over=True)
        self._is_between = True
        await self._idle()
        self._cut = self._sessions.names()
        await self._restore("between two batches")
        self._is_between = False

    async def _idle(self) -> None:
        while self._under_way:
            self._finished = asyncio.get_running_loop().create_future()
            await self._finished

    async def _restore(self, when: str) -> None:
        """Put the environment back, where that is configured; a failure ends the run."""
        if self._stopping.is_set():
            return
        if self._state.restoring is not None:
            await self._governor.resumed()
            restored = self._state.restoring.restore(when)
            self.failure = await unless_stopped(self._stopping, restored) or ""
        if self.failure:
            self.stop(self.failure)
        await self._compare(when)

    async def _compare(self, when: str) -> None:
        """Tell where the targets' states differ, where that is probed."""
        if self._state.drift is not None and not self._stopping.is_set():
            await unless_stopped(self._stopping, self._state.drift.compare(when))

    def _start(self, work: asyncio.TaskGroup, job: Coroutine[Any, Any, None], name: str) -> None:
        task = work.create_task(job, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_pass(self) -> None:
        """Work off all of a pass over recorded traffic, and forget what the next one is to find out anew."""
        await self._idle()
        self._start_session_trials(is_over=True)
        await self._idle()
        self._passes += 1
        self._pass = f" in pass {self._passes}"
        self._order.clear()
        self._sessions.clear()
        self._cut.clear()
        await self._restore("between two passes")
        self._trials.begin_pass(self._passes)

    async def _serve(self, work: asyncio.TaskGroup) -> None:
        while (job := await self._ready.take()) is not None:
            if not isinstance(job, _Job):
                if told := await self._work_session(job):
                    rest = self._minimise_session(job, told)
                    await self._begin(work, rest, f"steps of {job[0].index}")
                else:
                    self._finish(job)
                continue
            async with self._governor.turn():
                later = await self._guarded(job, self._conduct(job))
            job.turn.leave()
            if later is not None and later.is_left:
                rest = self._work_slowly(job, later)
                await self._begin(work, rest, f"slow mutants of {job.exchange.index}")
            else:
                self._finish(job)
            if self._settings.is_in_order and self._sessions.is_full:
                await self._work_all_sessions()

    async def _begin(self, work: asyncio.TaskGroup, rest: Coroutine[Any, Any, None], name: str) -> None:
        """Have `rest` done beside what comes next, or before it where all goes in order."""
        if self._settings.is_in_order:
            await rest
        else:
            self._start(work, rest, name)

    async def _work_all_sessions(self) -> None:
        """Work on the sessions that are remembered, before the oldest are forgotten."""
        if self._stopping.is_set() or not self._governor.sends_scripts:
            return
        for _, past in self._sessions.quiet(0.0, is_over=True):
            await self._minimise_session(past, await self._work_session(past))

    async def _work_slowly(self, job: _Job, later: Later) -> None:
        async with self._slow_slots:
            await self._guarded(job, self._trials.conduct_slow(later))
        self._finish(job)

    async def _guarded[T](self, job: _Job, work: Coroutine[Any, Any, T]) -> T | None:
        """What `work` on one exchange gives. A bug is caught here, and costs this exchange alone."""
        try:
            return await work
        except asyncio.CancelledError:
            self._drop(job, "the run was stopped")
            raise
        except Exception as error:  # noqa: BLE001  # the pipeline's boundary
            self._hear(Broke(job.exchange.index, _bug(error)))
            self._drop(job, "work on it broke")
        return None

    def _finish(self, job: _Job | _Past) -> None:
        """Nothing more is done about `job`."""
        if isinstance(job, _Job):
            job.turn.leave()
            self._order.forget(job.session, job.turn)
        self._under_way.pop(id(job), None)
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)
        self._close_once_done()

    def _close_once_done(self) -> None:
        if self._is_dispatched and not self._under_way:
            self._ready.close()

    def _abandon(self) -> None:
        """Drop all that was not begun, or whose worker was cancelled."""
        for job in tuple(self._under_way.values()):
            if isinstance(job, _Job):
                self._drop(job, "the run was stopped")
            self._finish(job)

    async def _conduct(self, job: _Job) -> Later | None:
        """Try the exchange; what is still to be tried of it where nobody waits."""
        if why := self._brakes.halted():
            self.stop(why)
        if self._stopping.is_set():
            self._drop(job, "the run was stopped")
            return None
        exchange, session = job.exchange, job.session
        past = self._sessions.before(session, exchange)
        if session in self._cut:
            self._cut.discard(session)
            await self._trials.retell(exchange, session, past)
        if job.turn.due_at is not None:
            self._hear(SentLate(max(time.monotonic() - job.turn.due_at, 0.0)))
        if exchange.protocol in CONVERSATIONS and self._talks is not None:
            await self._talks.conduct(exchange, session, job.turn)
            return None
        case = Case(
            exchange,
            session,
            self._endpoints.name(exchange.request),
            self._knowledge.of_targets(exchange.request, self._settings.targets),
            past,
        )
        later = await self._trials.conduct(case, job.turn)
        if later is not None:
            self._sessions.add(session, exchange, time.monotonic())
        return later

    def _drop(self, job: _Job, why: str) -> None:
        """Tell that the exchange was dropped, unless its fate was told before."""
        if not job.turn.is_settled:
            job.turn.is_settled = True
            self._hear(Settled(job.exchange.tap, Fate.DROPPED, 1, why, job.exchange))

    def _start_session_trials(self, *, is_over: bool = False) -> None:
        """Have the sessions worked on that have gone quiet, or all when the run is over."""
        if self._stopping.is_set() or self._is_between or not self._governor.sends_scripts:
            return
        for _, past in self._sessions.quiet(time.monotonic(), is_over=is_over):
            self._under_way[id(past)] = past
            self._ready.put(past)

    async def _work_session(self, past: _Past) -> list[Told]:
        """What may be made smaller of what was found."""
        try:
            return await self._session_trials.conduct(past)
        except Exception as error:  # noqa: BLE001  # the pipeline's boundary
            self._hear(Broke(past[0].index, _bug(error)))
        return []

    async def _minimise_session(self, past: _Past, told: list[Told]) -> None:
        try:
            async with self._slow_slots:
                for each in told:
                    await self._session_trials.minimise(each)
        except Exception as error:  # noqa: BLE001  # the pipeline's boundary
            self._hear(Broke(past[0].index, _bug(error)))
        self._finish(past)

    async def _take_up_quiet_sessions(self) -> None:
        while not self._settings.is_in_order:
            self._start_session_trials()
            await asyncio.sleep(_TICK_SECONDS)

    async def _watch(self) -> None:
        """Now and then: tell the fill of the intake, and stop where nothing may, or can, be sent any more."""
        up_at = time.monotonic()
        while True:
            self._hear(QueueSeen("intake", len(self._intake), self._intake.capacity))
            self._governor.look()
            now = time.monotonic()
            down = self._brakes.down()
            up_at = up_at if down else now
            if why := self._brakes.halted() or self._given_up(now, down, now - up_at):
                self.stop(why)
            await asyncio.sleep(_TICK_SECONDS)

    def _given_up(self, now: float, down: str, down_seconds: float) -> str:
        """Why it makes no sense to go on waiting; empty where it does."""
        patience, drain = self._settings.patience_seconds, self._settings.drain_seconds
        if patience is not None and down_seconds > patience:
            return f"the {down} has been down for {patience:g} s"
        if drain is None or self._fed_at is None:
            return ""
        if down_seconds > _TICK_SECONDS:
            return f"no more comes in, and the {down} is down"
        return f"no more has come in for {drain:g} s" if now - self._fed_at > drain else ""


def _bug(error: Exception) -> str:
    """What went wrong and where, for whoever mends it."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{where}"
