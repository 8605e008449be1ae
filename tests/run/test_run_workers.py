"""A run of several worker processes, as the command line starts it."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from shadow.config import load
from shadow.model import Request
from shadow.run.crew import _Modes
from shadow.run.workers import _share
from shadow.taps.jsonl import encode
from tests.run.conftest import recorded, serving

PROBED = '[[probe]]\nname = "all"\npath = "/state"\n'


async def replayed(tmp_path: Path, candidate: str, *options: str) -> tuple[dict[str, Any], str]:
    """The summary of a run with two workers over four recorded writes, and what it told as it ran.

    The summary is empty where nothing was begun.
    """
    file = tmp_path / "taken.jsonl"
    taken = [
        msgspec.structs.replace(each, request=Request(b"DELETE", each.request.target))
        for each in recorded(*(f"/things/{number}" for number in range(4)))
    ]
    file.write_bytes(b"".join(map(encode, taken)))
    (tmp_path / "shadow.toml").write_text(PROBED)
    words: tuple[str | Path, ...] = ("replay", file, "--candidate", candidate)
    words += ("--config", tmp_path / "shadow.toml")
    out = tmp_path / "out"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shadow", *words, "--out", out, "--workers", "2", *options),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    summary = out / "summary.json"
    return json.loads(summary.read_text()) if summary.exists() else {}, told.decode()


async def test_the_states_are_compared_once_for_all_workers_and_never_beside_what_others_write(
    tmp_path: Path,
) -> None:
    asked: list[bytes] = []

    def answering(target: bytes) -> tuple[int, bytes]:
        asked.append(target)
        return 200, b'{"a": 1}'

    async with serving(answering) as url:
        summary, told = await replayed(
            tmp_path, url, "--allow-writes", "--loops", "2", "--mutator", "level:target", "--mutants", "2"
        )
    assert summary["ledger"]["replayed"] == 8, told
    assert summary["sent"]["mutants"] > 0
    assert asked.count(b"/state") == 3 * 2  # at the begin, between, at the end
    assert summary["sent"]["probes"] >= 3 * 2  # others look whether what was deleted is gone


def test_safe_mode_is_as_slow_with_many_workers_as_with_one() -> None:
    share = _share(load(None, {"workers": 4, "safe_mode": {"per_second": 2.0}}))
    assert share.safe_mode.per_second == 0.5


def test_the_mode_of_a_worker_that_died_is_not_that_of_the_run() -> None:
    modes = _Modes()
    assert modes.note(0, "throttled")
    assert not modes.note(1, "throttled")
    modes.forget(0)
    assert modes.note(1, "normal")


async def test_a_setting_that_means_nothing_is_told_in_one_line(tmp_path: Path) -> None:
    summary, told = await replayed(tmp_path, "http://127.0.0.1:9", "--mutator", "level:path")
    assert summary == {}
    assert told.startswith("shadow: --mutator 'level:path' matches no mutator")
    assert told.count("\n") == 1
