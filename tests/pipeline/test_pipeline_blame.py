"""Who makes a target unwell is found, and those that suffered are judged for what they are."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from mutators import Mutator
from shadow.model import (
    Edit,
    Exchange,
    Expect,
    Level,
    NoReply,
    Outcome,
    Request,
    Silence,
    StateChanged,
    Verdict,
)
from shadow.pipeline.pulse import HealthSettings
from shadow.pipeline.source import Recorded
from shadow.replay import Pace, Pacer
from tests.pipeline.conftest import REFUSED, Bench, edits, exchange, reply

KILLER, TWIN = "kill", "harmless"
HEALTH = HealthSettings(recovery_seconds=2.0)


def mutator_called(name: str, word: bytes) -> Mutator:
    def edit(request: Request, rng: object) -> Edit:
        fields = (*request.headers, (b"x-word", word))
        return Edit(
            Request(request.method, request.target, headers=fields, body=request.body), f"said {word!r}"
        )

    like = edits(Expect.SURVIVE)
    return Mutator(name, Level.BODY, Expect.SURVIVE, like.reason, edit, like.wants_known)


MUTATORS = [mutator_called(KILLER, b"die"), mutator_called(TWIN, b"live")]


def word_of(request: Request) -> bytes:
    return next((value for name, value in request.headers if name == b"x-word"), b"")


class Mortal:
    """A service that a certain word kills, and that comes back after `down_for` requests; None for never."""

    def __init__(
        self, *, down_for: int | None = 3, dying: Outcome | None = None, is_late: bool = False
    ) -> None:
        self.deaths = 0
        self._down_for = down_for
        self._dying = dying or NoReply(Silence.CLOSED)
        self._is_late = is_late
        self._left = 0

    def __call__(self, request: Request) -> Outcome:
        if self._left:
            self._left -= self._down_for is not None
            return REFUSED
        if word_of(request) != b"die":
            return reply(200, b'{"a": 1}')
        self.deaths += 1
        self._left = 1 if self._down_for is None else self._down_for
        return reply(200, b'{"a": 1}') if self._is_late else self._dying

    def revive(self) -> None:
        self._left = 0


def well(_: Request) -> Outcome:
    return reply(200, b'{"a": 1}')


def traffic(count: int = 12) -> list[Exchange]:
    answer = reply(200, b'{"a": 1}')
    return [exchange(f"GET /{'abc'[at % 3]}", at, answer=answer, session=f"s{at}") for at in range(count)]


def bench_of(candidate: Mortal, mutators: Sequence[Mutator] = MUTATORS, **settings: Any) -> Bench:
    return Bench(candidate, well, mutators=list(mutators), health=HEALTH, **settings)


def told(bench: Bench) -> set[tuple[str, str | None]]:
    return {(each.fault, each.mutator) for each in bench.findings.values()}


@pytest.mark.parametrize("concurrency", [1, 4, 12])
@pytest.mark.parametrize(
    ("dying", "fault"),
    [
        (NoReply(Silence.CLOSED), "crash"),
        (NoReply(Silence.RESET), "crash"),
        (NoReply(Silence.TIMED_OUT), "hang"),
        (reply(200, b'{"a": 1}'), "unhealthy"),
    ],
    ids=["closed", "reset", "hung", "answered first"],
)
async def test_the_killer_is_told_and_nobody_else(dying: Outcome, fault: str, concurrency: int) -> None:
    candidate = Mortal(dying=dying)
    bench = bench_of(candidate)
    await bench.run(traffic(), concurrency=concurrency)
    assert told(bench) <= {(fault, KILLER), ("unhealthy", KILLER), ("crash", KILLER)}
    assert {each.mutator for each in bench.findings.values()} == {KILLER}
    assert {each.confirmed for each in bench.findings.values()} == {"3/3"}
    assert {each.severity for each in bench.findings.values()} == {"high"}
    assert all(
        each.judgement.verdict is Verdict.PASSED for each in bench.trials_heard if each.mutator == TWIN
    )
    assert all(
        each.judgement.verdict is Verdict.PASSED for each in bench.trials_heard if each.mutator is None
    )


async def test_one_that_is_known_to_kill_is_not_sent_for_ever() -> None:
    candidate = Mortal()
    bench = bench_of(candidate)
    await bench.run(traffic(60))
    assert candidate.deaths <= 3 * 8  # three endpoints: found, sent alone, confirmed


async def test_a_service_that_comes_and_goes_by_itself_blames_nobody() -> None:
    count = 0

    def flaky(request: Request) -> Outcome:
        nonlocal count
        count += 1
        return REFUSED if count % 40 in (7, 8, 9) else well(request)

    bench = Bench(flaky, well, mutators=MUTATORS, health=HEALTH)
    await bench.run(traffic(30))
    assert bench.findings == {}
    assert Verdict.FAILED not in {each.judgement.verdict for each in bench.trials_heard}
    assert "held-up" in {each.state for each in bench.of(StateChanged)}


async def test_a_killer_of_both_releases_weighs_less() -> None:
    bench = Bench(Mortal(), Mortal(), mutators=MUTATORS, health=HEALTH)
    await bench.run(traffic())
    assert {each.mutator for each in bench.findings.values()} == {KILLER}
    assert {each.severity for each in bench.findings.values()} == {"medium"}


async def test_a_candidate_that_stays_dead_ends_the_run_and_its_suspects_are_named() -> None:
    bench = bench_of(Mortal(down_for=None))
    pipeline = bench.pipeline()
    for each in bench.vigils:
        each.on_lost = lambda lost: pipeline.lose(lost.why)
    async with asyncio.timeout(20):
        await pipeline.run(Recorded(traffic(40), Pacer(Pace())))
    assert "did not come back within 2 s; suspects: GET /" in pipeline.failure
    assert "said b'die'" in pipeline.failure
    assert {each.mutator for each in bench.findings.values()} == {KILLER}
    assert sum(1 for each in bench.of(StateChanged) if each.state == "stopping") == 1


async def test_a_target_that_does_not_come_back_is_started_again() -> None:
    candidate = Mortal(down_for=None)
    started: list[str] = []

    async def restart(target: str) -> str:
        started.append(target)
        candidate.revive()
        return ""

    settings = HealthSettings(recovery_seconds=5.0, restart_seconds=0.1)
    bench = Bench(candidate, well, mutators=MUTATORS, health=settings, restart=restart)
    await bench.run(traffic())
    assert set(started) == {"candidate"}
    assert {each.mutator for each in bench.findings.values()} == {KILLER}
    assert all(
        each.judgement.verdict is Verdict.PASSED for each in bench.trials_heard if each.mutator == TWIN
    )


async def test_harm_that_shows_after_the_answer_is_found_in_hindsight() -> None:
    bench = bench_of(Mortal(is_late=True))
    await bench.run(traffic(24))
    assert {each.mutator for each in bench.findings.values()} == {KILLER}
    assert {each.fault for each in bench.findings.values()} <= {"unhealthy", "crash"}
