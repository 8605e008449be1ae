"""A run whose exchanges are worked off by several processes; sinks, order and the last word are here."""

import asyncio
from collections import Counter
from collections.abc import Callable
from functools import partial

from shadow.config import Settings
from shadow.feed.handover import (
    BeginPass,
    End,
    EndPass,
    Halt,
    Handing,
    Handover,
    Pause,
    Release,
    Stop,
    Wanted,
    join,
)
from shadow.model import (
    RUN_STATES,
    Event,
    Exchange,
    Fate,
    QueueSeen,
    Settled,
    StateChanged,
    Tally,
    TargetSeen,
)
from shadow.pipeline.session_key import session_of
from shadow.pipeline.source import Source
from shadow.pipeline.stopping import unless_stopped
from shadow.replay import Mode
from shadow.run.assembly import Assembly
from shadow.run.assignment import Assignment, Board, Handed
from shadow.run.configured import configured_signer
from shadow.run.outbox import Batch, Reported
from shadow.run.workers import Hired, Workers
from shadow.wire.http1_form import replayable

_TICK_SECONDS = 0.1
_HUNG_SECONDS = 60.0
"""A worker says several times a second that it lives; nothing that it does may hold it up for so long."""
_STOP_SECONDS = 10.0
"""How long workers may take to end once they are to stop; they give what is under way two seconds."""
_COMPARE_SECONDS = 10.0
"""How long targets may take to answer the probes: one that is down may never do so."""
_AT_ONCE = 64
"""So many exchanges are read before workers are heard again."""
_EMPTY = Tally()


class Crew:
    """Runs once. An intake too: what a source puts into it goes to the workers, as much as `queue_items`."""

    def __init__(
        self, workers: Workers, assembly: Assembly, settings: Settings, hear: Callable[[Event], None]
    ) -> None:
        self.is_lost = False
        """Whether no worker was left."""
        self._assembly = assembly
        self._hear = hear
        self._duration_seconds = settings.duration_seconds
        self._capacity = max(settings.queue_items, len(workers.all))
        self._session_by = settings.session.by
        self._signer = configured_signer(settings)
        self._assignment = Assignment(len(workers.all))
        self._board = Board()
        self._members = [_Member(number, each) for number, each in enumerate(workers.all)]
        self._ups = _Ups()
        self._room = asyncio.Event()
        self._passes = 0
        self._passed = asyncio.Event()
        """Set when it may be that all workers are through with a pass."""
        self._stopping = assembly.stopping
        self._ended = asyncio.Event()
        self._handed_count = 0
        self._is_flush_due = False
        self._modes = _Modes()
        self._is_paused = False
        self._take_due: Callable[[Exchange], float | None] = lambda _: None

    @property
    def is_up(self) -> bool:
        """Whether the targets can be used, as far as workers met them."""
        return all(self.finds_up(link.target.name) for link in self._assembly.environment.links)

    def finds_up(self, target: str) -> bool:
        """Whether the target of that name can be used, as far as workers met it."""
        return self._ups.is_up(target)

    def stop(self, why: str) -> None:
        """End in order: nothing new is begun, what is under way has a moment to end, the rest is dropped."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._room.set()
            self._passed.set()
            self._hear(StateChanged("stopping", why))
            if self._assembly.guard.halted:
                self._tell_all(Halt(self._assembly.guard.halted))
            self._tell_all(Stop(why))

    def hear(self, event: Event) -> None:
        """What changes the run's state changes what workers do, at once."""
        if isinstance(event, StateChanged):
            self._pass_orders()

    def close(self) -> None:
        """Nothing is kept that a sink would write."""

    async def run(self, source: Source) -> None:
        """Work off `source` until it ends, or `stop` was called, or the time is over."""
        self._take_due = source.take_due
        try:
            async with asyncio.TaskGroup() as group:
                for each in self._members:
                    gone = partial(self._lose, each)
                    each.handover = await join(each.hired.sock, partial(self._take, each), gone)
                feed = group.create_task(self._feed(source), name="feed")
                stopper = group.create_task(self._end(feed), name="stopper")
                watch = group.create_task(self._watch(), name="watch")
                await self._ended.wait()
                await self._compare("at the end of the run")
                for task in (feed, stopper, watch):
                    task.cancel()
        finally:
            for each in self._members:
                if not each.is_over:
                    each.hired.kill()
                    self._drop(self._board.of(each.number), "the run was stopped")
            self._assembly.judging.refused_count += sum(each.latest.refused for each in self._members)
            self._assembly.judging.taken_count += sum(each.latest.taken for each in self._members)

    def offer(self, exchange: Exchange) -> bool:
        """Hand `exchange` to a worker; False at once where too many wait, and the caller counts it."""
        if self._stopping.is_set() or len(self._board) >= self._capacity:
            return False
        self._hand(exchange)
        return True

    async def put(self, exchange: Exchange) -> bool:
        """Wait for room and hand `exchange` to a worker; False when the run is to be stopped meanwhile."""
        while len(self._board) >= self._capacity and not self._stopping.is_set():
            self._room.clear()
            await self._room.wait()
        self._handed_count += 1
        if self._handed_count % _AT_ONCE == 0:
            await asyncio.sleep(0)
        return self.offer(exchange)

    async def end_pass(self) -> bool:
        """Have every worker work off all that it has; False when the run is to be stopped meanwhile."""
        self._passes += 1
        self._tell_all(EndPass())
        while not self._stopping.is_set():
            if all(each.is_over or each.latest.passes >= self._passes for each in self._members):
                self._tell_all(BeginPass())
                await self._compare("between two passes")
                return not self._stopping.is_set()
            self._passed.clear()
            await self._passed.wait()
        return False

    async def _compare(self, when: str) -> None:
        """Tell where the targets' states differ, where that is probed; no worker has anything under way.

        Nothing waits for long: neither the taps, which are not heard meanwhile, nor the end of the run.
        """
        drift = self._assembly.drift
        if drift is None or self._stopping.is_set():
            return
        try:
            async with asyncio.timeout(_COMPARE_SECONDS):
                await unless_stopped(self._stopping, drift.compare(when))
        except TimeoutError:
            why = f"{when}, the probes were not answered within {_COMPARE_SECONDS:g} s"
            self._hear(StateChanged("unprobed", why))

    def _hand(self, exchange: Exchange) -> None:
        session = exchange.session
        if self._session_by != "connection":
            session = session_of(replayable(exchange), self._session_by, self._signer)
        member = self._members[self._assignment.worker_of(session)]
        handed, ahead = self._board.hand(exchange, member.number)
        member.outgoing.append(Handing(handed.number, bool(ahead), exchange, self._take_due(exchange)))
        for each in ahead:
            self._members[each.worker].wanted.append(each.number)
        if not self._is_flush_due:
            self._is_flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._is_flush_due = False
        for each in self._members:
            each.flush()

    async def _feed(self, source: Source) -> None:
        await self._compare("as the run begins")
        await source.feed(self, self._hear)
        self._flush()
        if waiting := len(self._board):
            self._hear(StateChanged("ending", f"no more comes in, {waiting} exchanges are worked off"))
        self._tell_all(End())

    async def _end(self, feed: asyncio.Task[None]) -> None:
        """Once the run is to be stopped: end the feed, and a little later who has not ended."""
        try:
            async with asyncio.timeout(self._duration_seconds):
                await self._stopping.wait()
        except TimeoutError:
            self.stop("the time is over")
        feed.cancel()
        await asyncio.sleep(_STOP_SECONDS)
        for each in self._members:
            if not each.is_over:
                each.hired.kill()
        await asyncio.sleep(_TICK_SECONDS)
        self._ended.set()  # whatever was not heard of their end

    async def _watch(self) -> None:
        """Now and then: tell how much waits, and end a worker that is heard no more."""
        while True:
            self._hear(QueueSeen("intake", len(self._board), self._capacity))
            await asyncio.sleep(_TICK_SECONDS)
            self._pass_orders()
            for each in self._members:
                each.silent_ticks += 1
                if each.silent_ticks * _TICK_SECONDS > _HUNG_SECONDS and not each.is_over:
                    each.silent_ticks = 0
                    each.hired.kill()

    def _pass_orders(self) -> None:
        """Have workers do what somebody asked of this process."""
        if (why := self._assembly.guard.halted) and not self._stopping.is_set():
            self.stop(why)
        if self._assembly.governor.is_paused != self._is_paused:
            self._is_paused = not self._is_paused
            self._tell_all(Pause(is_over=not self._is_paused))

    def _take(self, member: "_Member", batch: Batch) -> None:
        """Take in what a worker tells. What it learned reaches the others before what waited for it goes."""
        member.silent_ticks = 0
        if batch.lessons:
            for each in self._members:
                if each is not member:
                    each.say(batch.lessons)
        for event in batch.events:
            self._pass_on(member, event)
        if batch.tally != _EMPTY:
            self._hear(batch.tally)
        self._settle(batch.settled)
        guard = self._assembly.guard
        guard.admitted += batch.admitted - member.latest.admitted
        guard.admitted_bytes += batch.admitted_bytes - member.latest.admitted_bytes
        member.latest, member.is_done = batch, batch.is_last
        self._passed.set()
        if batch.is_last and member.handover is not None:
            member.handover.close()
        if batch.halted:
            guard.halt(batch.halted)
        if why := batch.halted or batch.stopped:
            self.stop(why)

    def _pass_on(self, member: "_Member", event: Event | Reported) -> None:
        if isinstance(event, Reported):
            self._assembly.reporting.report(event.trial, event.times, event.ready)
        elif isinstance(event, TargetSeen):
            is_up = self._ups.note(member.number, event)
            for link in self._assembly.environment.links:
                if link.target.name == event.target:
                    link.standing.tell(is_up=is_up, why=event.detail)
        elif not isinstance(event, StateChanged):
            self._hear(event)
        elif self._modes.note(member.number, event.state):
            if event.state in Mode:
                self._assembly.governor.follow(Mode(event.state))
            self._hear(event)

    def _settle(self, numbers: list[int]) -> None:
        """These are off the board; let go what waited for them, and what waits for room."""
        free = self._board.settle(numbers)
        for each in self._members:
            if mine := [handed.number for handed in free if handed.worker == each.number]:
                each.flush()
                each.say(Release(mine))
        if len(self._board) < self._capacity:
            self._room.set()

    def _lose(self, member: "_Member") -> None:
        """A worker's process has ended, in order or not."""
        member.is_over = True
        self._passed.set()
        lost = self._board.of(member.number)
        if not member.is_done:
            self._assignment.lose(member.number)
            self._ups.forget(member.number)
            self._modes.forget(member.number)
            rest = sum(not each.is_over for each in self._members)
            why = f"{member.hired.obituary()} and {len(lost)} exchanges with it; {rest} go on"
            self._hear(StateChanged("short of a worker", why))
        self._drop(lost, "the run was stopped" if self._stopping.is_set() else "lost with a worker that died")
        if all(each.is_over for each in self._members):
            self.is_lost = not any(each.is_done for each in self._members)
            self._ended.set()
            if self.is_lost:
                self.stop("no worker is left")

    def _drop(self, lost: list[Handed], why: str) -> None:
        for tap, count in Counter(each.tap for each in lost).items():
            self._hear(Settled(tap, Fate.DROPPED, count, why))
        self._settle([each.number for each in lost])

    def _tell_all(self, word: object) -> None:
        for each in self._members:
            each.flush()
            each.say(word)


class _Member:
    """One worker, as the run sees it."""

    def __init__(self, number: int, hired: Hired) -> None:
        self.number = number
        self.hired = hired
        self.handover: Handover | None = None
        self.outgoing: list[Handing] = []
        self.wanted: list[int] = []
        self.silent_ticks = 0
        self.latest = Batch()
        """What it told last: its sums are those since it began."""
        self.is_done = False
        """Whether it said that it has worked off all."""
        self.is_over = False

    def say(self, word: object) -> None:
        if self.handover is not None and not self.is_done:
            self.handover.say(word)

    def flush(self) -> None:
        """Send what has been collected for it."""
        if self.handover is None or self.is_done:
            return
        if self.outgoing:
            self.handover.hand(self.outgoing)
            self.outgoing = []
        if self.wanted:
            self.handover.say(Wanted(self.wanted))
            self.wanted = []


class _Modes:
    """How much each worker asks of the shadow environment; the run's mode is that of the most careful."""

    _STEPS = ("normal", "throttled", "safe", "stopped")

    def __init__(self) -> None:
        self._modes: dict[int, int] = {}
        self._told = 0

    def note(self, worker: int, state: str) -> bool:
        """Whether the `state` that `worker` is in now is news of the run."""
        if state not in RUN_STATES:
            return True
        if state in self._STEPS:
            self._modes[worker] = self._STEPS.index(state)
        worst = max(self._modes.values(), default=0)
        is_news = worst != self._told and self._STEPS[worst] == state
        self._told = worst if is_news else self._told
        return is_news

    def forget(self, worker: int) -> None:
        self._modes.pop(worker, None)


class _Ups:
    """Which targets are usable, as the workers say: one is down where any of them finds it so."""

    def __init__(self) -> None:
        self._said: dict[str, dict[int, bool]] = {}

    def note(self, worker: int, event: TargetSeen) -> bool:
        """Take in what `worker` says; whether the target is up, all told."""
        self._said.setdefault(event.target, {})[worker] = event.is_up
        return self.is_up(event.target)

    def forget(self, worker: int) -> None:
        for each in self._said.values():
            each.pop(worker, None)

    def is_up(self, target: str) -> bool:
        return all(self._said.get(target, {}).values())
