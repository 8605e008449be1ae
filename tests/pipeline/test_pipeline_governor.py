"""Turns are given out as the mode allows, and none while the run is paused."""

import asyncio

import pytest

from mutators import session_mutator
from shadow.model import (
    Event,
    Exchange,
    Expect,
    Fate,
    Level,
    Outcome,
    Reply,
    Response,
    Script,
    StateChanged,
    Step,
    Verdict,
)
from shadow.pipeline.governor import Governor
from shadow.pipeline.source import Recorded
from shadow.replay import Mode, Pace, Pacer, SafeModeSettings
from tests.pipeline.conftest import Bench, by_edit, edits, exchange, reply

EAGER = SafeModeSettings(samples_min=4, per_second=1000.0, stop_seconds=0.0)


class Governed:
    """A governor by itself."""

    def __init__(self, concurrency: int = 8, **settings: float) -> None:
        self.stopping = asyncio.Event()
        self.heard: list[Event] = []
        self.halted: list[str] = []
        self.governor = Governor(
            SafeModeSettings(samples_min=1, **settings),  # type: ignore[arg-type]  # as the settings take them
            concurrency=concurrency,
            stopping=self.stopping,
            halt=self.halted.append,
            hear=self.heard.append,
        )
        self.most = self._now = 0
        self.worked = 0

    def suffer(self, steps: int) -> None:
        for _ in range(steps):
            for _ in range(3):
                self.governor.note("candidate", "GET /", reply(503), Response(200))
            self.governor.look()

    async def work(self) -> None:
        async with self.governor.turn():
            self._now += 1
            self.most = max(self.most, self._now)
            for _ in range(3):
                await asyncio.sleep(0)
            self._now -= 1
            self.worked += 1


@pytest.mark.parametrize(("steps", "most"), [(0, 24), (1, 2), (2, 1)], ids=["normal", "throttled", "safe"])
async def test_fewer_are_worked_on_at_once_in_worse_modes(steps: int, most: int) -> None:
    governed = Governed(per_second=10_000.0)
    governed.suffer(steps)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for _ in range(24):
            group.create_task(governed.work())
    assert (governed.most, governed.worked) == (most, 24)


async def test_safe_mode_spaces_originals() -> None:
    governed = Governed(per_second=50.0)
    governed.suffer(2)
    loop = asyncio.get_running_loop()
    began = loop.time()
    for _ in range(4):
        await governed.work()
    assert loop.time() - began >= 0.059


async def test_paused_run_begins_nothing_until_it_is_resumed() -> None:
    governed = Governed()
    governed.governor.pause("asked to")
    governed.governor.pause("asked again")
    assert governed.governor.state == "paused"
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        waiting = [group.create_task(governed.work()), group.create_task(governed.governor.resumed())]
        for _ in range(5):
            await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        governed.governor.resume("asked to")
        governed.governor.resume("asked again")
    assert governed.heard == [StateChanged("paused", "asked to"), StateChanged("normal", "asked to")]
    assert governed.governor.state == "normal"


@pytest.mark.parametrize("hold", ["pause", "safe"])
async def test_nothing_is_held_back_once_the_run_is_stopping(hold: str) -> None:
    governed = Governed(per_second=0.001)
    if hold == "pause":
        governed.governor.pause("asked to")
    else:
        governed.suffer(2)
        await governed.work()
    governed.stopping.set()
    assert governed.governor.state == "stopping"
    async with asyncio.timeout(5):
        await governed.work()
        await governed.governor.resumed()


async def test_cancelled_wait_takes_no_turn() -> None:
    governed = Governed()
    governed.governor.pause("asked to")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(governed.work())
        await asyncio.sleep(0)
        task.cancel()
    governed.governor.resume("asked to")
    async with asyncio.timeout(5):
        await governed.work()
    assert governed.worked == 1


async def test_run_that_does_not_recover_in_safe_mode_is_halted() -> None:
    governed = Governed(stop_seconds=1e-9)
    governed.suffer(3)
    assert governed.governor.safe_mode.mode is Mode.STOPPED
    assert len(governed.halted) == 1
    assert "in safe mode" in governed.halted[0]


def lines(count: int) -> list[Exchange]:
    return [exchange("GET /a", at, session=f"s{at}") for at in range(count)]


def states(bench: Bench) -> list[str]:
    return [each.state for each in bench.of(StateChanged)]


async def run(bench: Bench, items: list[Exchange]) -> None:
    """With a look at the mode after each original, as time would bring it."""
    note = bench.governor.note

    def noted(target: str, endpoint: str, outcome: Outcome, live: Response | None) -> None:
        note(target, endpoint, outcome, live)
        bench.governor.look()

    bench.governor.note = noted  # type: ignore[method-assign]  # the same, and a look
    async with asyncio.timeout(30):
        await bench.pipeline(concurrency=1, queue_items=1000).run(Recorded(items, Pacer(Pace())))


async def test_mutants_that_break_the_candidate_are_no_reason_for_safe_mode() -> None:
    bench = Bench(by_edit(reply(), reply(500)), mutators=[edits(Expect.SURVIVE)], times=1, safe_mode=EAGER)
    await run(bench, lines(60))
    assert not set(states(bench)) & {"throttled", "safe"}
    assert len(bench.of(StateChanged)) <= 1


async def test_suffering_candidate_gets_fewer_mutants_and_then_originals_alone() -> None:
    @session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
    def whole(session: list[Exchange], rng: object) -> Script:
        """The session as it was."""
        return Script((Step(session[0].request, 0),), (0,), "whole")

    bench = Bench(
        lambda _: reply(503),
        mutators=[edits(Expect.SURVIVE), edits(Expect.SURVIVE, name="other")],
        of_sessions=[whole],
        times=1,
        safe_mode=EAGER,
    )
    await run(bench, lines(16))
    assert [each for each in states(bench) if each != "ending"] == ["throttled", "safe"]
    mutants = [trial.exchange for trial in bench.trials_heard if trial.mutator is not None]
    assert mutants == [0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7]
    later = [trial.judgement for trial in bench.trials_heard if trial.exchange > 7]
    assert {each.verdict for each in later} == {Verdict.UNDECIDED}
    assert {fate for fate, _ in bench.fates} == {Fate.REPLAYED}


async def test_originals_under_safe_mode_are_not_reported() -> None:
    bench = Bench(lambda _: Reply(Response(503)), times=1, safe_mode=EAGER)
    await run(bench, lines(30))
    (found,) = bench.findings.values()
    assert max(found.exchanges) <= 7
