"""Traffic: what sessions do, who answers as expected, and that the seed alone decides it."""

from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from shadow.demo.client import Answer, Ask, Client
from shadow.demo.principals import Key
from shadow.demo.scripts import SCRIPTS
from shadow.demo.traffic import TrafficSummary, drive
from shadow.demo.visits import Log, Strange, Visit
from shadow.demo.vmctl import BUGS
from shadow.demo.vmctl.settings import ClockKind
from tests.demo.conftest import SEED, Serving


async def _drive(
    serving: Serving, sessions: int, seed: int = SEED, clock: ClockKind = "real", **settings: Any
) -> TrafficSummary:
    async with serving(clock=clock, **settings) as ground:
        return await drive(f"http://127.0.0.1:{ground.port}", seed=seed, sessions=sessions, clock=clock)


@pytest.mark.parametrize("release", ["stable", "candidate"])
async def test_every_session_goes_as_expected_without_bugs(serving: Serving, release: str) -> None:
    summary = await _drive(serving, 40, release=release)
    assert summary.unexpected == ()
    assert summary.sessions == 40
    assert summary.requests > 300
    refused = sum(count for status, count in summary.by_status.items() if 400 <= status < 500)
    assert 0.12 < refused / summary.requests < 0.28


async def test_the_seed_decides_the_traffic(serving: Serving, tmp_path: Path) -> None:
    first = await _drive(serving, 24, db=tmp_path / "first.db", clock="fixed")
    second = await _drive(serving, 24, db=tmp_path / "second.db", clock="fixed")
    assert first == second


async def test_traffic_under_another_seed_is_refused_and_says_so(serving: Serving) -> None:
    summary = await _drive(serving, 3, seed=SEED + 1)
    assert len(summary.unexpected) == 3
    assert set(summary.by_status) == {200, 401} or set(summary.by_status) == {401}


async def test_traffic_without_a_service_says_so() -> None:
    summary = await drive("http://127.0.0.1:9", seed=SEED, sessions=2)
    assert summary.requests == 0
    assert len(summary.unexpected) == 2
    assert all("ClientConnectorError" in line for line in summary.unexpected)


async def test_a_release_with_bugs_is_driven_to_the_end(serving: Serving) -> None:
    async with serving("B42", "B44", "B45", release="candidate") as ground:
        summary = await drive(f"http://127.0.0.1:{ground.port}", seed=SEED, sessions=16)
    assert any("instead of" in line for line in summary.unexpected)
    assert summary.requests > 60


_PLAIN = {*(f"B{number}" for number in range(35, 47))}


async def test_traffic_alone_shows_no_bug_that_needs_a_mutant(serving: Serving) -> None:
    async with serving(*(set(BUGS) - _PLAIN), release="candidate") as ground:
        summary = await drive(f"http://127.0.0.1:{ground.port}", seed=SEED, sessions=40)
    assert summary.unexpected == ()


class _Recorder(Client):
    """A client that keeps every answer."""

    def __init__(self, base_url: str, *, dice: Random, kept: list[object]) -> None:
        super().__init__(base_url, host="vmctl.example", dice=dice)
        self._kept = kept

    async def send(self, ask: Ask, key: Key | None) -> Answer:
        answer = await super().send(ask, key)
        headers = {name: value for name, value in answer.headers.items() if name != "Date"}
        self._kept.append((ask.method, ask.path, answer.status, headers, answer.body))
        return answer


async def _answers(serving: Serving, db: Path, *bugs: str) -> list[object]:
    """All answers to the first sessions, one after the other, under a fixed clock."""
    kept: list[object] = []
    async with serving(*bugs, db=db, clock="fixed") as ground:
        for number, script in enumerate(SCRIPTS):
            url, dice = f"http://127.0.0.1:{ground.port}", Random(number)
            async with _Recorder(url, dice=dice, kept=kept) as client:
                with suppress(Strange):
                    await script(Visit(client, ground.cast, Random(f"plain {number}"), Log(), number))
    return kept


async def test_two_processes_without_bugs_answer_alike(serving: Serving, tmp_path: Path) -> None:
    first = await _answers(serving, tmp_path / "first.db")
    assert len(first) > 150
    assert first == await _answers(serving, tmp_path / "second.db")


async def test_traffic_alone_shows_every_regression(serving: Serving, tmp_path: Path) -> None:
    sound = await _answers(serving, tmp_path / "sound.db")
    shown = {bug for bug in _PLAIN if await _answers(serving, tmp_path / f"{bug}.db", bug) != sound}
    assert shown == _PLAIN
