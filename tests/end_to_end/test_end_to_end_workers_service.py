"""Several workers find in the reference service what one process finds there."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from shadow.demo.settings import shadow_config
from shadow.demo.traffic import drive
from shadow.demo.vmctl import VmctlSettings, parse_bugs, serve
from shadow.model import Exchange
from shadow.taps.jsonl import encode
from tests.end_to_end.conftest import findings, shadow
from tests.taps.fronts import fronted

SEED = 11
BUGS = "B01,B08,B10,B13,B21,B24,B27,B35,B36,B40"

pytestmark = pytest.mark.slow


class Kept:
    """Takes the exchanges of a tap and keeps them."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []

    def offer(self, exchange: Exchange) -> bool:
        self.exchanges.append(exchange)
        return True

    def skip(self, why: str) -> None:
        raise AssertionError(why)

    def time(self, seconds: float) -> None:
        """How long it took is no matter here."""


@asynccontextmanager
async def service(db: Path, release: Literal["stable", "candidate"], bugs: str) -> AsyncIterator[int]:
    """The port of a release that begins without any data."""
    bound: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    settings = VmctlSettings(db, release, parse_bugs(bugs, release), seed=SEED)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(settings, ready=bound.set_result), name=release)
        try:
            yield await bound
        finally:
            task.cancel()


async def recorded(folder: Path) -> Path:
    """What clients one after the other ask of the stable release."""
    kept = Kept()
    async with service(folder / "live.db", "stable", "none") as port, fronted(kept, port) as front:
        summary = await drive(f"http://127.0.0.1:{front.port}", seed=SEED, sessions=24, concurrency=1)
    assert summary.unexpected == ()
    assert len(kept.exchanges) == summary.requests > 200
    path = folder / "traffic.jsonl"
    path.write_bytes(b"".join(map(encode, kept.exchanges)))
    return path


async def replayed(folder: Path, traffic: Path, workers: int) -> tuple[set[tuple[str, ...]], dict[str, Any]]:
    """What was found, and the summary."""
    out = folder / f"out{workers}"
    async with (
        service(folder / f"candidate{workers}.db", "candidate", BUGS) as candidate,
        service(folder / f"baseline{workers}.db", "stable", "none") as baseline,
    ):
        ended = await shadow(
            *("replay", traffic, "--config", "vmctl.toml", "--mutants", "0", "--workers", str(workers)),
            *("--candidate", f"http://127.0.0.1:{candidate}", "--baseline", f"http://127.0.0.1:{baseline}"),
            *("--out", out),
            cwd=folder,
        )
    assert ended.code == 1, ended.err
    keys = ("id", "fault", "severity", "title")
    found = {tuple(str(each[key]) for key in keys) for each in findings(out)}
    summary: dict[str, Any] = json.loads((out / "summary.json").read_bytes())
    return found, summary


async def test_the_same_is_found_however_many_work(tmp_path: Path) -> None:
    (tmp_path / "vmctl.toml").write_text(shadow_config(SEED), encoding="utf-8")
    traffic = await recorded(tmp_path)
    one, alone = await replayed(tmp_path, traffic, 1)
    three, together = await replayed(tmp_path, traffic, 3)
    assert three == one
    assert len(one) > 2
    for key in ("ledger", "trials", "findings"):
        assert together[key] == alone[key]
    assert together["ledger"]["replayed"] == together["ledger"]["captured"] > 200
