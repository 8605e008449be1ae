"""Where exchanges come from, and what is told of those that do not get in."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shadow.feed.frames import Bye, Frame, Hello, Ledger, TapSeconds, encode
from shadow.model import Event, Exchange, Fate, Settled, TapTimed
from shadow.pipeline.intake import Intake, PassEnd
from shadow.pipeline.source import Looped, Recorded, Tapped
from shadow.replay import Pace, Pacer
from tests.pipeline.conftest import exchange

UNPARSED = Settled("pcap", Fate.UNPARSED, 3, "a gap")


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def recorded(items: list[Exchange | Settled], pace: Pace) -> tuple[Recorded, Clock]:
    clock = Clock()
    return Recorded(items, Pacer(pace, clock=clock, sleep=clock.sleep)), clock


async def test_file_waits_for_room_and_loses_nothing() -> None:
    items = [exchange("GET /", n) for n in range(100)]
    source, _ = recorded([*items[:50], UNPARSED, *items[50:]], Pace())
    intake, heard, taken = Intake(1), list[Event](), []
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:

        async def feed() -> None:
            await source.feed(intake, heard.append)
            await intake.close()

        group.create_task(feed())
        while (each := await intake.take()) is not None:
            assert isinstance(each, Exchange)
            taken.append(each.index)
    assert taken == list(range(100))
    assert heard == [UNPARSED], "without a pace nothing is late"
    assert source.captured == {}


@pytest.mark.parametrize(
    ("pace", "slept"),
    [(Pace(), []), (Pace(speed=2.0), [0.5, 0.5]), (Pace(per_second=4.0), [0.25, 0.25])],
    ids=["as fast as it goes", "by recorded time", "by rate"],
)
async def test_recorded_exchanges_come_at_their_pace(pace: Pace, slept: list[float]) -> None:
    items = [exchange("GET /", n) for n in range(3)]
    source, clock = recorded([*items], pace)
    await source.feed(Intake(9), list[Event]().append)
    assert clock.slept == pytest.approx(slept)
    due = [source.take_due(each) for each in items]
    assert due == (pytest.approx([100.0, 100.0 + slept[0], 100.0 + sum(slept)]) if slept else [None] * 3)
    assert [source.take_due(each) for each in items] == [None] * 3, "it is told once"


async def test_file_that_is_no_longer_wanted_is_told_as_dropped() -> None:
    items = [exchange("GET /", n) for n in range(2)]
    source, _ = recorded([*items], Pace())
    intake, heard = Intake(9), list[Event]()
    await intake.close()
    await source.feed(intake, heard.append)
    assert heard == [Settled("test", Fate.DROPPED, 1, "the run was stopped", each) for each in items]


async def test_exchange_that_waits_for_room_when_the_run_is_stopped_is_told_as_dropped() -> None:
    items = [exchange("GET /", n) for n in range(3)]
    source, _ = recorded([*items], Pace())
    intake, heard = Intake(1), list[Event]()
    async with asyncio.TaskGroup() as group:
        feed = group.create_task(source.feed(intake, heard.append), name="feed")
        for _ in range(20):  # until the second waits for the room that the first has
            await asyncio.sleep(0)
        feed.cancel()
    assert len(intake) == 1
    assert heard == [Settled("test", Fate.DROPPED, 1, "the run was stopped", items[1])]


class Tap:
    """A tap's end of the socket at `path`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def __aenter__(self) -> "Tap":
        while True:
            try:
                self._reader, self._writer = await asyncio.open_unix_connection(self._path)
            except (FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(0)
            else:
                return self

    async def __aexit__(self, *_: object) -> None:
        """As taps do: say that nothing follows, and hear the pipeline out."""
        self._writer.write_eof()
        await self._reader.read()
        await self.leave()

    async def leave(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def send(self, *frames: Frame) -> None:
        self._writer.write(b"".join(encode(each) for each in frames))
        await self._writer.drain()


class Feeding:
    """A tapped source at work, with what it told and took in."""

    def __init__(self, path: Path, capacity: int = 9, **how: bool | Callable[[], bool]) -> None:
        self.path = path
        self.heard: list[Event] = []
        self.intake = Intake(capacity)
        self.source = Tapped(path, **how)  # type: ignore[arg-type]

    async def run(self, *connections: tuple[Frame, ...]) -> None:
        """Feed until the last of the taps, each sending its frames, has ended in order."""
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(self.source.feed(self.intake, self.heard.append))
            for frames in connections:
                async with Tap(self.path) as tap:
                    await tap.send(*frames)

    @property
    def settled(self) -> list[tuple[Fate, int, str]]:
        return [(each.fate, each.count, each.why) for each in self.heard if isinstance(each, Settled)]


def ledger(captured: int, **counts: int) -> Ledger:
    unparsed = {name: counts.pop(name) for name in ("cut",) if name in counts}
    return Ledger(captured, dropped=counts, unparsed=unparsed, tap_seconds=TapSeconds(sum_seconds=0.5))


HELLO, BYE = Hello("mitm", "r1"), Bye()


async def test_tapped_exchanges_are_taken_in_until_the_tap_ends_in_order(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s")
    await feeding.run((HELLO, exchange("GET /", 0), exchange("GET /", 1), BYE))
    assert [(await feeding.intake.take()) for _ in range(2)] == [exchange("GET /", 0), exchange("GET /", 1)]
    assert feeding.settled == []


async def test_tap_that_breaks_off_is_waited_for(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s")
    await feeding.run((HELLO, exchange("GET /", 0)), (HELLO, exchange("GET /", 1), BYE))
    assert len(feeding.intake) == 2


async def test_tap_that_goes_at_once_after_its_last_word_has_ended_in_order(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(feeding.source.feed(feeding.intake, feeding.heard.append))
        tap = await Tap(feeding.path).__aenter__()
        await tap.send(HELLO, exchange("GET /", 0), BYE)
        await tap.leave()
    assert len(feeding.intake) == 1


async def test_full_intake_drops_at_once_and_tells(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s", capacity=2)
    await feeding.run((HELLO, *(exchange("GET /", n) for n in range(5)), BYE))
    assert feeding.settled == [(Fate.DROPPED, 1, "intake full")] * 3
    assert len(feeding.intake) == 2


async def test_taps_own_losses_are_told_once_each(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s")
    first, same = ledger(9, queue_full=2, cut=1), ledger(9, queue_full=2, cut=1)
    more = ledger(20, queue_full=5, gone=1, cut=1)
    await feeding.run((HELLO, first, same, more, BYE))
    assert feeding.settled == [
        (Fate.DROPPED, 2, "queue_full"),
        (Fate.UNPARSED, 1, "cut"),
        (Fate.DROPPED, 3, "queue_full"),
        (Fate.DROPPED, 1, "gone"),
    ]
    assert sum(feeding.source.captured.values()) == 20
    assert [each.sum_seconds for each in feeding.heard if isinstance(each, TapTimed)] == [0.5] * 3


async def test_ledger_goes_on_when_a_tap_comes_back_and_starts_anew_with_another(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s")
    other = Hello("mitm", "r2")
    await feeding.run(
        (HELLO, ledger(5, queue_full=2)),
        (HELLO, ledger(6, queue_full=3)),
        (other, ledger(4, queue_full=1), BYE),
    )
    assert [count for _, count, _ in feeding.settled] == [2, 1, 1]
    assert sum(feeding.source.captured.values()) == 6 + 4


async def test_resumed_run_skips_what_an_earlier_pipeline_was_told(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s", is_resumed=True)
    await feeding.run((HELLO, ledger(50, queue_full=7), ledger(60, queue_full=9, cut=1), BYE))
    assert feeding.settled == [(Fate.DROPPED, 2, "queue_full"), (Fate.UNPARSED, 1, "cut")]
    assert sum(feeding.source.captured.values()) == 60


async def test_pipeline_whose_tap_has_gone_for_good_ends(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s", is_alone=lambda: True)
    await feeding.run()
    assert not feeding.path.exists()


async def test_feed_can_be_cancelled_and_leaves_no_socket(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s")
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(feeding.source.feed(feeding.intake, feeding.heard.append))
        async with Tap(feeding.path) as tap:
            await tap.send(HELLO)
            task.cancel()
    assert not feeding.path.exists()


async def test_standing_source_outlives_its_taps_until_it_is_ended(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s", is_standing=True)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(feeding.source.feed(feeding.intake, feeding.heard.append))
        for run in ("r1", "r2"):
            async with Tap(feeding.path) as tap:
                await tap.send(Hello("mitmdump", run), exchange("GET /", 0), ledger(3, queue_full=2), BYE)
        assert not task.done()
        feeding.source.end()
    assert len(feeding.intake) == 2
    assert feeding.settled == [(Fate.DROPPED, 2, "queue_full")] * 2
    assert dict(feeding.source.captured) == {"mitmdump": 6}
    assert not feeding.path.exists()


async def test_standing_source_leaves_to_an_earlier_run_what_a_tap_had_told_it(tmp_path: Path) -> None:
    feeding = Feeding(tmp_path / "s", is_standing=True)
    first = Ledger(captured=20, acknowledged=10, in_flight=3, dropped={"queue_full": 7})
    then = Ledger(captured=25, acknowledged=13, in_flight=0, dropped={"queue_full": 12})
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(feeding.source.feed(feeding.intake, feeding.heard.append))
        async with Tap(feeding.path) as tap:
            await tap.send(HELLO, first, *(exchange("GET /", n) for n in range(3)), then, BYE)
        feeding.source.end()
    assert feeding.settled == [(Fate.DROPPED, 5, "queue_full")]
    assert dict(feeding.source.captured) == {"mitm": 8}


class Passes:
    """Recorded traffic that can be opened again, and is closed each time."""

    def __init__(self, items: list[Exchange | Settled]) -> None:
        self.opened = self.closed = 0
        self._items = items

    @contextmanager
    def open(self) -> Iterator[list[Exchange | Settled]]:
        self.opened += 1
        yield self._items
        self.closed += 1


async def taken_of(source: Looped, asked: int = 10**9) -> tuple[list[int], list[Event]]:
    """Indexes that come in, -1 for the end of a pass, until so many were taken; and what is heard."""
    intake, heard, taken = Intake(3), list[Event](), list[int]()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:

        async def feed() -> None:
            await source.feed(intake, heard.append)
            await intake.close()

        feeding = group.create_task(feed())
        while len(taken) < asked and (each := await intake.take()) is not None:
            taken.append(-1 if isinstance(each, PassEnd) else each.index)
            if isinstance(each, PassEnd):
                assert len(intake) == 0, "the next pass waits until this one is over"
                each.over.set()
        feeding.cancel()
    return taken, heard


async def test_each_pass_is_read_afresh_and_counted_on() -> None:
    passes = Passes([exchange("GET /", 0), UNPARSED, exchange("GET /", 2), exchange("GET /", 1)])
    taken, heard = await taken_of(Looped(passes.open, Pacer(Pace()), 3))
    assert taken == [0, 2, 1, -1, 3, 5, 4, -1, 6, 8, 7]
    assert heard == [UNPARSED] * 3
    assert passes.opened == passes.closed == 3


async def test_passes_without_end_go_on_until_they_are_cancelled() -> None:
    passes = Passes([exchange("GET /", 0)])
    taken, _ = await taken_of(Looped(passes.open, Pacer(Pace()), None), asked=2000)
    assert taken[-2:] == [999, -1]


async def test_files_that_hold_nothing_are_not_gone_through_for_ever() -> None:
    passes = Passes([UNPARSED])
    assert await taken_of(Looped(passes.open, Pacer(Pace()), None)) == ([], [UNPARSED])
    assert passes.opened == 1


async def test_each_pass_keeps_the_recorded_time_anew() -> None:
    clock = Clock()
    pacer = Pacer(Pace(speed=1.0), clock=clock, sleep=clock.sleep)
    await taken_of(Looped(Passes([exchange("GET /", n) for n in range(3)]).open, pacer, 2))
    assert clock.slept == pytest.approx([1.0, 1.0, 1.0, 1.0])
