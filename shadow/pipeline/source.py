"""Where exchanges come from: recorded ones at their pace, or taps over the feed's socket."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import Protocol

import msgspec

from shadow.feed.frames import TAP_SECONDS_BOUNDS, Hello, Ledger
from shadow.feed.receiver import Gone, Listener, receive
from shadow.model import Event, Exchange, Fate, FramesSeen, Settled, TapTimed
from shadow.pipeline.intake import Takes
from shadow.replay import Pacer

_WATCH_SECONDS = 1.0

type Hear = Callable[[Event], None]


class Source(Protocol):
    """Fills the intake until there is nothing more, or it is cancelled. Counts what does not get in."""

    @property
    def captured(self) -> Mapping[str, int]:
        """How many exchanges each tap says it saw, by the tap's name; none that does not count itself."""
        ...

    async def feed(self, intake: Takes, hear: Hear) -> None: ...

    def take_due(self, exchange: Exchange) -> float | None:
        """When `exchange` was to leave, in the loop's clock; None without a schedule. To be asked once."""
        ...


class Recorded:
    """Exchanges of files, at recorded times or as fast as they are taken; it waits and loses nothing."""

    def __init__(self, items: Iterable[Exchange | Settled], pacer: Pacer) -> None:
        self._items = items
        self._pacer = pacer
        self.captured: Mapping[str, int] = {}
        self._due: dict[int, float] = {}
        """By index, of those that wait in the intake."""

    async def feed(self, intake: Takes, hear: Hear) -> None:
        is_paced = bool(self._pacer.pace.speed or self._pacer.pace.per_second)
        for item in self._items:
            if isinstance(item, Settled):
                hear(item)
                continue
            try:
                if is_paced and (due_at := await self._pacer.wait(item.seen_at)) is not None:
                    self._due[item.index] = due_at
                is_in = await intake.put(item)
            except asyncio.CancelledError:
                hear(Settled(item.tap, Fate.DROPPED, 1, "the run was stopped", item))
                raise
            if not is_in:
                hear(Settled(item.tap, Fate.DROPPED, 1, "the run was stopped", item))

    def take_due(self, exchange: Exchange) -> float | None:
        return self._due.pop(exchange.index, None)


class Looped:
    """Recorded exchanges again and again: each pass is read afresh, keeps its own time, and begins when the
    one before it was worked off. Indexes go on counting.

    `open_pass` gives what is read; `passes` is None for as long as the run lasts.
    """

    def __init__(
        self,
        open_pass: Callable[[], AbstractContextManager[Iterable[Exchange | Settled]]],
        pacer: Pacer,
        passes: int | None,
    ) -> None:
        self._open_pass = open_pass
        self._pacer = pacer
        self._passes = passes
        self._now: Recorded | None = None
        self._next_index = 0
        self.captured: Mapping[str, int] = {}

    async def feed(self, intake: Takes, hear: Hear) -> None:
        for number in count(1):
            before = self._next_index
            self._pacer.restart()
            with self._open_pass() as items:
                self._now = Recorded(self._renumbered(items, before), self._pacer)
                await self._now.feed(intake, hear)
            if number == self._passes or self._next_index == before:
                return
            if not await intake.end_pass():
                return

    def take_due(self, exchange: Exchange) -> float | None:
        return self._now.take_due(exchange) if self._now else None

    def _renumbered(self, items: Iterable[Exchange | Settled], before: int) -> Iterator[Exchange | Settled]:
        for item in items:
            if isinstance(item, Settled):
                yield item
                continue
            index = before + item.index
            self._next_index = max(self._next_index, index + 1)
            yield msgspec.structs.replace(item, index=index) if before else item


class Tapped:
    """Exchanges that taps send to the Unix socket at `path`, until one ends in order or `is_alone` holds.

    The taps' own losses are settled here, from the ledgers that they send.
    """

    def __init__(
        self,
        path: Path,
        *,
        is_alone: Callable[[], bool] = lambda: False,
        is_resumed: bool = False,
        is_standing: bool = False,
    ) -> None:
        """`is_alone` tells whether the tap's process has gone for good; `is_resumed` whether an earlier
        pipeline of the same run has settled what the taps told it. A standing one outlives its taps, and
        runs until `end` is called."""
        self.is_standing = is_standing
        self._path = path
        self._is_alone = is_alone
        self._is_resumed = is_resumed
        self._stop = asyncio.Event()
        self._told: dict[tuple[str, str], Ledger] = {}
        """By run and tap."""
        self._of_others: dict[tuple[str, str], int] = {}
        """By run and tap: what had its fate before this pipeline met the tap."""

    @property
    def captured(self) -> Mapping[str, int]:
        """What the taps say they saw in all, in earlier pipelines of this run's time too."""
        seen = Counter[str]()
        for (run, tap), ledger in self._told.items():
            seen[tap] += ledger.captured - self._of_others.get((run, tap), 0)
        return seen

    def end(self) -> None:
        """Take no more; what was taken is worked off."""
        self._stop.set()

    async def feed(self, intake: Takes, hear: Hear) -> None:
        def on_exchange(exchange: Exchange) -> None:
            if not intake.offer(exchange):
                hear(Settled(exchange.tap, Fate.DROPPED, 1, "intake full"))

        def on_ledger(hello: Hello, ledger: Ledger) -> None:
            self._settle(hello, ledger, hear)

        def on_gone(gone: Gone) -> None:
            if gone.is_in_order and not self.is_standing:
                self._stop.set()

        async with asyncio.TaskGroup() as group:
            watch = group.create_task(self._watch(), name="parent")
            await receive(self._path, Listener(on_exchange, on_ledger, on_gone=on_gone), stop=self._stop)
            watch.cancel()

    async def _watch(self) -> None:
        while not self._is_alone():  # noqa: ASYNC110  # the system tells nobody that a parent has gone
            await asyncio.sleep(_WATCH_SECONDS)
        self._stop.set()

    def take_due(self, exchange: Exchange) -> None:
        """Live traffic has no schedule."""

    def _settle(self, hello: Hello, ledger: Ledger, hear: Hear) -> None:
        """Tell what the tap dropped or could not parse since its last ledger."""
        before = self._told.get((hello.run, hello.tap))
        self._told[hello.run, hello.tap] = ledger
        times = ledger.tap_seconds
        hear(TapTimed(hello.tap, TAP_SECONDS_BOUNDS, times.counts, times.sum_seconds))
        if ledger.frames is not None:
            hear(FramesSeen(hello.tap, *ledger.frames))
        if before is None and self._is_resumed:
            return
        if before is None and self.is_standing and ledger.acknowledged:
            # Another run heard this tap before; what became of that is its affair.
            self._of_others[hello.run, hello.tap] = ledger.captured - ledger.in_flight
            return
        before = before or Ledger()
        for fate, now, then in (
            (Fate.DROPPED, ledger.dropped, before.dropped),
            (Fate.UNPARSED, ledger.unparsed, before.unparsed),
        ):
            for why, total in now.items():
                if more := total - then.get(why, 0):
                    hear(Settled(hello.tap, fate, more, why))
