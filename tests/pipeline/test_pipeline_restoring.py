"""The environment is put back between batches: nothing is under way then, and what was known is forgotten."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from shadow.model import Exchange, Expect, Fate, Outcome, QueueSeen, Request, StateChanged
from shadow.pipeline.batching import Batches, BySession, Counted, Whole
from shadow.pipeline.drift import Drift
from shadow.pipeline.parts import State
from shadow.pipeline.pipeline import Pipeline
from shadow.pipeline.probes import Probe
from shadow.pipeline.restoring import After, Restoring
from shadow.pipeline.source import Recorded
from shadow.pipeline.talk_endpoint import TalkEndpoints
from shadow.pipeline.talks import Talks
from shadow.replay import Pace, Pacer
from shadow.replay.fake import HANG, Answer, FakeTransport
from shadow.replay.reset import Reset, ResetSettings
from tests.pipeline.conftest import Bench, edits, exchange, reply


class Counter:
    """Makes things with numbers of its own; a reset begins anew."""

    def __init__(self, first: int, *, resets: int = 99) -> None:
        self.lines: list[str] = []
        self._first = self._next = first
        self._known: set[str] = set()
        self._resets = resets

    def __call__(self, request: Request) -> Outcome:
        line = f"{request.method.decode()} {request.target.decode()}"
        self.lines.append(line)
        if line == "POST /reset":
            self._next, self._known = self._first, set()
            self._resets -= 1
            return reply(204 if self._resets >= 0 else 500)
        if line == "POST /things":
            self._next += 1
            self._known.add(f"GET /things/{self._next}")
            return reply(201, b'{"thing_id": %d}' % self._next)
        return reply(200, b"{}") if line in self._known else reply(404)


def life(session: str, first: int, number: int) -> list[Exchange]:
    """One makes a thing and looks at it twice."""
    made = b'{"thing_id": %d}' % number
    lines = [("POST /things", reply(201, made)), *[(f"GET /things/{number}", reply(200, b"{}"))] * 2]
    return [
        exchange(line, first + at, answer=answer, session=session) for at, (line, answer) in enumerate(lines)
    ]


def restoring(bench: Bench, batches: Batches, *afterwards: After) -> Restoring:
    return Restoring(
        Reset(ResetSettings(request="POST /reset")),
        bench.environment,
        bench.judging,
        bench.knowledge,
        batches,
        halted=lambda: bench.halted,
        hear=bench.heard.append,
        afterwards=afterwards,
    )


async def run(bench: Bench, told: Sequence[Exchange], batches: Batches, **settings: Any) -> Pipeline:
    pipeline = bench.pipeline(state=State(restoring(bench, batches)), **settings)
    await pipeline.run(Recorded(told, Pacer(Pace())))
    return pipeline


def resets(bench: Bench) -> list[str]:
    return [each.why.partition(",")[0] for each in bench.of(StateChanged) if each.state == "reset"]


async def test_once_before_anything_is_sent() -> None:
    ours, theirs = Counter(10), Counter(20)
    bench = Bench(ours, theirs)
    await run(bench, life("a", 0, 1), Whole())
    assert ours.lines == ["POST /reset", "POST /things", "GET /things/11", "GET /things/11"]
    assert theirs.lines[0] == "POST /reset"
    assert resets(bench) == ["as the run begins"]
    assert bench.findings == {}


async def test_each_session_begins_at_a_fresh_environment() -> None:
    ours = Counter(10)
    bench = Bench(ours)
    told = [each for pair in zip(life("a", 0, 1), life("b", 3, 2), strict=True) for each in pair]
    told = [exchange_at(each, at) for at, each in enumerate(told)]
    batches = BySession(lambda each: each.session, idle_seconds=60.0, held_max=100)
    await run(bench, told, batches)
    one = ["POST /reset", "POST /things", "GET /things/11", "GET /things/11"]
    assert ours.lines == [*one, *one]
    assert resets(bench) == ["as the run begins", "between two batches"]
    assert bench.findings == {}
    assert bench.fates == [(Fate.REPLAYED, "")] * 6


async def test_a_session_that_goes_on_after_a_reset_is_told_anew() -> None:
    ours = Counter(10)
    bench = Bench(ours)
    await run(bench, life("a", 0, 1), Counted(2), concurrency=1)
    assert ours.lines == [
        *("POST /reset", "POST /things", "GET /things/11"),
        *("POST /reset", "POST /things", "GET /things/11", "GET /things/11"),
    ]
    assert bench.findings == {}


async def test_a_session_is_told_anew_before_its_conversation_too() -> None:
    ours = Counter(10)
    bench = Bench(ours)
    bench.candidate.transports["websocket"] = FakeTransport(lambda each: ours(each.request))
    talks = Talks(
        bench.environment,
        bench.judging,
        bench.environment.candidate.correlation.same,
        bench.governor,
        endpoints=TalkEndpoints(bench.endpoints),
        times=1,
        may_write=True,
        seed=0,
        hear=bench.heard.append,
        report=bench.reporting.report,
    )
    first, second, third = life("a", 0, 1)
    told = [first, second, msgspec.structs.replace(third, protocol="websocket")]
    pipeline = bench.pipeline(state=State(restoring(bench, Counted(2))), talks=talks, concurrency=1)
    await pipeline.run(Recorded(told, Pacer(Pace())))
    assert ours.lines == [
        *("POST /reset", "POST /things", "GET /things/11"),
        *("POST /reset", "POST /things", "GET /things/11", "GET /things/11"),
    ]


async def test_nothing_is_under_way_while_the_environment_is_put_back() -> None:
    ours = Counter(10)
    bench = Bench(ours, mutators=[edits(Expect.SURVIVE)])
    told = [exchange("GET /things/1", at, session=f"s{at}", answer=reply(404)) for at in range(20)]
    await run(bench, told, Counted(5), concurrency=4)
    parts = "\n".join(ours.lines).split("POST /reset")[1:]
    assert [part.count("GET") for part in parts] == [10, 10, 10, 10]


async def test_what_was_learned_is_forgotten() -> None:
    bench = Bench(Counter(10))
    await run(bench, [*life("a", 0, 1), *life("b", 3, 2)], Counted(3), concurrency=1)
    assert {each.live for each in bench.environment.candidate.correlation.explain()} == {"2"}


@pytest.mark.parametrize("taken", [0, 1])
async def test_a_failed_reset_ends_the_run(taken: int) -> None:
    ours = Counter(10, resets=taken)
    bench = Bench(ours)
    pipeline = await run(bench, [*life("a", 0, 1), *life("b", 3, 2)], Counted(3), concurrency=1)
    assert pipeline.failure == "the reset of the candidate failed: POST /reset was answered 500"
    assert ours.lines[-1] == "POST /reset"
    assert [fate for fate, _ in bench.fates] == [Fate.REPLAYED] * 3 * taken + [Fate.DROPPED] * (6 - 3 * taken)
    assert [each.why for each in bench.of(StateChanged) if each.state == "stopping"] == [pipeline.failure]


async def test_a_reset_is_broken_off_once_the_run_is_to_be_stopped() -> None:
    bench = Bench(Counter(10))
    is_resetting = asyncio.Event()
    was_cancelled = False

    async def hang() -> str:
        nonlocal was_cancelled
        is_resetting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled = True
            raise
        return "never"

    pipeline = bench.pipeline(state=State(restoring(bench, Whole(), hang)))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        run_ = group.create_task(pipeline.run(Recorded(life("a", 0, 1), Pacer(Pace()))), name="run")
        await is_resetting.wait()
        pipeline.stop("interrupted")
        await run_
    assert was_cancelled
    assert pipeline.failure == ""
    assert bench.fates == [(Fate.DROPPED, "the run was stopped")] * 3


async def test_nothing_is_put_back_while_the_run_is_paused() -> None:
    ours = Counter(10)
    bench = Bench(ours)
    bench.governor.pause("asked to")
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        told = life("a", 0, 1)
        run_ = group.create_task(run(bench, told, Whole()), name="run")
        while len(bench.of(QueueSeen)) < 2:  # noqa: ASYNC110  # the run goes on looking, and does nothing
            await asyncio.sleep(0.01)
        assert ours.lines == []
        bench.governor.resume("asked to")
        await run_
    assert ours.lines[0] == "POST /reset"
    assert bench.fates == [(Fate.REPLAYED, "")] * 3


async def test_nothing_is_put_back_once_nothing_may_be_sent() -> None:
    ours = Counter(10)
    bench = Bench(ours)
    bench.halted = "the kill switch is set"
    await run(bench, life("a", 0, 1), Whole())
    assert ours.lines == []


async def test_what_comes_afterwards_may_fail_too() -> None:
    bench = Bench(Counter(10))

    async def log_in() -> str:
        return "identity 'ann' could not log in"

    assert await restoring(bench, Whole(), log_in).restore("now") == "identity 'ann' could not log in"
    assert resets(bench) == []


def exchange_at(one: Exchange, at: int) -> Exchange:
    return msgspec.structs.replace(one, index=at, seen_at=1.6e9 + at)


async def test_a_comparison_of_states_that_hangs_does_not_outlive_the_stop() -> None:
    is_asked = asyncio.Event()

    def hang(request: Request) -> Answer:
        is_asked.set()
        return HANG

    bench = Bench(hang, timeout_seconds=1000.0)
    probe = Probe("all", Request(b"GET", b"/state"), None)
    drift = Drift(bench.environment, bench.judging, [probe], hear=bench.heard.append)
    pipeline = bench.pipeline(state=State(drift=drift))
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        run_ = group.create_task(pipeline.run(Recorded(life("a", 0, 1), Pacer(Pace()))), name="run")
        await is_asked.wait()
        pipeline.stop("interrupted")
        await run_
    assert bench.fates == [(Fate.DROPPED, "the run was stopped")] * 3
