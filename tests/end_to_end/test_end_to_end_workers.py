"""`--workers`: several processes do what one does, together and in order."""

import asyncio
import json
import os
import re
import signal
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import (
    PATIENCE_SECONDS,
    Ask,
    Opened,
    findings,
    ledger,
    recording,
    running,
    shadow,
)

ITEMS: list[Ask] = [("GET", f"/items/{number}", b"") for number in range(1, 61)]
ORDER: Ask = ("POST", "/orders", b'{"lines":[{"item":1}]}')
STOCK: Ask = ("GET", "/stock", b"")

pytestmark = pytest.mark.slow


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def between_writes(asks: list[Ask]) -> list[Counter[Ask]]:
    """What was asked from one order to the next."""
    stretches = [Counter[Ask]()]
    for ask in asks:
        if ask == ORDER:
            stretches.append(Counter())
        else:
            stretches[-1][ask] += 1
    return stretches


def is_there(pid: int) -> bool:
    """Whether the process lives; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def sample(text: str, name: str) -> float:
    """The value of one series in what was scraped; 0 where it is not there."""
    found = re.search(rf"^shadow_{re.escape(name)} (\S+)", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def essence(found: dict[str, Any]) -> tuple[object, ...]:
    """What must not depend on how the work is divided."""
    return (
        *(found[key] for key in ("id", "kind", "fault", "severity", "count", "confirmed")),
        *(tuple(sorted(found[key])) for key in ("exchanges", "endpoints", "where")),
    )


async def test_three_workers_find_what_one_process_finds(tmp_path: Path, opened: Opened) -> None:
    candidate, baseline = await opened("no price", "no stock", "caches"), await opened()
    (tmp_path / "a.pcap").write_bytes(recording([*ITEMS, ORDER, STOCK, *ITEMS], per_connection=3))
    told: dict[str, Any] = {}
    for workers in ("1", "3"):
        ended = await shadow(
            *("replay", "a.pcap", "--mutants", "0", "--out", workers, "--workers", workers),
            *("--candidate", candidate.url, "--baseline", baseline.url),
            cwd=tmp_path,
        )
        assert ended.code == 1, ended.err
        summary = json.loads((tmp_path / workers / "summary.json").read_bytes())
        lines = (tmp_path / workers / "exchanges.jsonl").read_bytes().splitlines()
        told[workers] = (
            sorted(map(essence, findings(tmp_path / workers))),
            {key: summary[key] for key in ("ledger", "trials", "findings")},
            summary["sent"]["originals"],
            sorted(json.loads(line)["index"] for line in lines),
        )
    assert told["1"] == told["3"]
    assert told["3"][3] == list(range(len(ITEMS) * 2 + 2)), "each exchange is in the file, once"


async def test_mutants_of_three_workers_bear_no_false_alarm(tmp_path: Path, opened: Opened) -> None:
    candidate, baseline = await opened(), await opened()
    (tmp_path / "a.pcap").write_bytes(recording([*ITEMS, STOCK], per_connection=3))
    ended = await shadow(
        *("replay", "a.pcap", "--mutants", "3", "--workers", "3"),
        *("--candidate", candidate.url, "--baseline", baseline.url),
        cwd=tmp_path,
    )
    assert ended.code == 0, ended.out
    summary = json.loads((tmp_path / "shadow-out" / "summary.json").read_bytes())
    assert summary["sent"]["mutants"] > 2 * len(ITEMS)


async def test_writes_keep_their_place_among_all_sessions(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened()
    asks = [ORDER if at % 9 == 4 else ITEMS[at % 60] for at in range(90)]
    (tmp_path / "a.pcap").write_bytes(recording(asks, per_connection=1))
    await shadow(
        *("replay", "a.pcap", "--mutants", "0", "--workers", "3", "--candidate", candidate.url), cwd=tmp_path
    )
    assert len(candidate.asked) == len(asks)
    assert between_writes(candidate.asked) == between_writes(asks), "reads overtake each other, never a write"


async def test_a_session_keeps_its_order(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened()
    asks: list[Ask] = [("GET", f"/items/{1 + at % 10}?session={at // 10}", b"") for at in range(120)]
    (tmp_path / "a.pcap").write_bytes(recording(asks, per_connection=10))
    await shadow(
        *("replay", "a.pcap", "--mutants", "0", "--workers", "4", "--candidate", candidate.url), cwd=tmp_path
    )
    for session in range(12):
        mine = [ask for ask in candidate.asked if ask[1].endswith(f"session={session}")]
        assert mine == asks[session * 10 : session * 10 + 10]


async def test_a_budget_is_that_of_all_workers_together(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened()
    (tmp_path / "a.pcap").write_bytes(recording(ITEMS, per_connection=2))
    (tmp_path / "shadow.toml").write_text("[safety]\nmax_requests = 25\n")
    ended = await shadow(
        *("replay", "a.pcap", "--config", "shadow.toml", "--mutants", "0", "--workers", "3"),
        *("--candidate", candidate.url),
        cwd=tmp_path,
    )
    assert ended.code == 3, ended.err
    assert len(candidate.seen) == 25
    found = ledger(tmp_path / "shadow-out")
    assert (found["replayed"], found["dropped"]) == (25, found["captured"] - 25)


async def test_one_scrape_tells_of_all_workers(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened()
    (tmp_path / "a.pcap").write_bytes(recording(ITEMS, per_connection=2))
    arguments = ("replay", "a.pcap", "--mutants", "0", "--workers", "3", "--rate", "30")
    metrics = ("--metrics", "127.0.0.1:0", "--candidate", candidate.url)
    async with running(*arguments, *metrics, cwd=tmp_path) as replay:
        url = (await replay.until(r"metrics at (\S+)"))[1]
        await candidate.until(lambda shop: len(shop.seen) >= 45)
        replayed = 0.0
        while replayed < 40:  # more than two thirds: no worker had as many
            with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
                text = answer.read().decode()
            found = re.search(
                r'^shadow_exchanges_total\{fate="replayed",tap="pcap"\} (\S+)', text, re.MULTILINE
            )
            replayed = float(found[1]) if found else 0.0
        assert await replay.end() == 0
    assert sample(text, 'reply_seconds_count{kind="original",target="candidate"}') == replayed


async def test_a_killed_worker_is_told_and_what_it_had_is_counted(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened("no price")
    asks = ITEMS * 4
    (tmp_path / "a.pcap").write_bytes(recording(asks, per_connection=4))
    arguments = ("replay", "a.pcap", "--mutants", "0", "--workers", "3", "--rate", "200")
    async with running(*arguments, "--candidate", candidate.url, cwd=tmp_path) as replay:
        await candidate.until(lambda shop: len(shop.seen) >= 40)
        os.kill(children(replay.pid)[0], signal.SIGKILL)
        await replay.until("short of a worker: worker 0 .* of signal 9 .* 2 go on")
        assert await replay.ended() == 1, replay.told
    found = ledger(replay.out)
    assert found["captured"] == len(asks)
    assert found["replayed"] + found["dropped"] == len(asks)
    assert found["replayed"] > len(asks) / 2
    assert [each["where"] for each in findings(replay.out)] == [["body:$.price"]]
    lines = (replay.out / "exchanges.jsonl").read_bytes().splitlines()
    assert len(lines) == found["replayed"]


async def test_a_run_without_workers_left_ends_with_what_was_found(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened("no price")
    (tmp_path / "a.pcap").write_bytes(recording(ITEMS * 4, per_connection=4))
    arguments = ("replay", "a.pcap", "--mutants", "0", "--workers", "2", "--rate", "50")
    async with running(*arguments, "--candidate", candidate.url, cwd=tmp_path) as replay:
        await replay.until("field price: missing")
        for worker in children(replay.pid):
            os.kill(worker, signal.SIGKILL)
        assert await replay.ended() == 70, replay.told
    found = ledger(replay.out)
    assert found["replayed"] + found["dropped"] == found["captured"] > 0
    assert len(findings(replay.out)) == 1


async def test_interrupt_ends_all_in_order(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened("no price")
    (tmp_path / "a.pcap").write_bytes(recording(ITEMS, per_connection=4))
    arguments = ("replay", "a.pcap", "--mutants", "0", "--workers", "2", "--rate", "10")
    async with running(*arguments, "--candidate", candidate.url, cwd=tmp_path) as replay:
        await replay.until("field price: missing")
        workers = children(replay.pid)
        assert await replay.end() == 1, replay.told
    assert len(workers) == 2
    assert not any(map(is_there, workers))
    found = ledger(replay.out)
    assert 0 < found["replayed"] < len(ITEMS)
    assert found["replayed"] + found["dropped"] == found["captured"]
    assert "Traceback" not in replay.told


async def test_workers_end_with_the_process_that_hired_them(tmp_path: Path, opened: Opened) -> None:
    candidate = await opened()
    (tmp_path / "a.pcap").write_bytes(recording(ITEMS, per_connection=4))
    arguments = ("replay", "a.pcap", "--mutants", "0", "--workers", "2", "--rate", "10")
    async with running(*arguments, "--candidate", candidate.url, cwd=tmp_path) as replay:
        await candidate.until(lambda shop: len(shop.seen) >= 4)
        workers = children(replay.pid)
        os.kill(replay.pid, signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(map(is_there, workers)):  # noqa: ASYNC110  # the system tells only their parent
                await asyncio.sleep(0.05)
    assert len(workers) == 2
