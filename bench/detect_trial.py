"""One run of the tool on the reference service with one bug, until it tells of it or its budget is spent."""

import asyncio
import json
import signal
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.detect_service import ended, running_service, shadow
from bench.detect_truth import PLACES, Place
from shadow.demo.settings import shadow_config

_POLL_SECONDS = 0.5
_END_SECONDS = 30.0
_ENOUGH = "9h"
"""The replay goes through its file again and again; it is this benchmark that ends it."""
_SENT = 'shadow_sent_total{kind="mutant",target="candidate"}'

type Line = Mapping[str, Any]
"""A line of ``findings.jsonl``."""


class Conditions(msgspec.Struct, frozen=True):
    """What all runs have alike."""

    seed: int = 0
    """Of accounts, keys, traffic and mutants."""
    sessions: int = 32
    mutants_budget: int = 20_000
    """Mutants sent to the candidate; confirmations and minimisations are not counted."""
    mutants_per_exchange: int = 10
    """In one pass through the recording; passes follow each other until the budget is spent."""
    seconds: float = 900.0
    """A run ends then whatever it has sent."""


class Result(msgspec.Struct, frozen=True):
    """What became of one run."""

    bug: str
    """``"none"`` for the run without any."""
    kind: str
    is_detected: bool
    mutants: int
    """Sent until detection (at most: it is looked every half second), else in all."""
    seconds: float
    told_by: str = ""
    """What the first finding that fits says."""
    ids: tuple[str, ...] = ()
    """Of all findings."""
    others: tuple[str, ...] = ()
    """Titles of the findings that fit no place of the bug; without a bug, false ones."""


async def tried(bug: str, recording: Path, conditions: Conditions, known: frozenset[str]) -> Result:
    """A run with `bug` alone, or with ``"none"``. Findings whose id is `known` do not count: they are there
    without it too. Raises RuntimeError where the tool or the service does not run."""
    with tempfile.TemporaryDirectory(prefix="shadow-detect-") as folder:
        async with (
            running_service("candidate", seed=conditions.seed, bugs=bug) as candidate,
            running_service("stable", seed=conditions.seed) as baseline,
        ):
            return await _replayed(bug, recording, conditions, known, candidate, baseline, Path(folder))


async def _replayed(
    bug: str,
    recording: Path,
    conditions: Conditions,
    known: frozenset[str],
    candidate: str,
    baseline: str,
    folder: Path,
) -> Result:
    config, out, metrics = folder / "vmctl.toml", folder / "out", f"127.0.0.1:{_free_port()}"
    config.write_text(shadow_config(conditions.seed), encoding="utf-8")
    began = time.monotonic()
    process = await shadow(
        *(
            "replay",
            str(recording),
            "--config",
            str(config),
            "--candidate",
            candidate,
            "--baseline",
            baseline,
        ),
        *(
            "--mutants",
            str(conditions.mutants_per_exchange),
            "--allow-writes",
            "--seed",
            str(conditions.seed),
        ),
        *("--loops", "0", "--duration", _ENOUGH, "--out", str(out), "--metrics", metrics, "--quiet"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        mutants = await _watched(process, bug, conditions, known, out, metrics, began)
        seconds = time.monotonic() - began
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except (TimeoutError, ProcessLookupError):
        seconds = time.monotonic() - began
    finally:
        await ended(process)
    return judged(bug, findings(out), known, mutants, seconds)


async def _watched(
    process: asyncio.subprocess.Process,
    bug: str,
    conditions: Conditions,
    known: frozenset[str],
    out: Path,
    metrics: str,
    began: float,
) -> int:
    """How many mutants had been sent when the bug was told, or the budget or the time was spent."""
    mutants = 0
    place = PLACES.get(bug)
    while process.returncode is None:
        await asyncio.sleep(_POLL_SECONDS)
        is_told = place is not None and any(told(place, each, known) for each in findings(out))
        mutants = await _sent(metrics) or mutants
        is_spent = mutants >= conditions.mutants_budget or time.monotonic() - began > conditions.seconds
        if is_told or is_spent:
            return mutants
    raise RuntimeError(f"the replay ended by itself ({bug}): exit code {process.returncode}")


def judged(bug: str, found: list[Line], known: frozenset[str], mutants: int, seconds: float) -> Result:
    """What the findings of a run say of `bug`."""
    place = PLACES.get(bug)
    fitting = [each for each in found if place is not None and told(place, each, known)]
    others = tuple(str(each["title"]) for each in found if each not in fitting)
    kind = "" if place is None else place.kind
    by = _by(fitting[0]) if fitting else ""
    return Result(
        bug, kind, bool(fitting), mutants, round(seconds, 1), by, tuple(each["id"] for each in found), others
    )


def told(place: Place, finding: Line, known: frozenset[str]) -> bool:
    """Whether the finding tells of the bug at `place`; of one that plain traffic shows, without a mutant."""
    if finding["id"] in known or (place.kind == "P" and finding["kind"] != "regression"):
        return False
    return place.fits(finding["endpoints"], finding["fault"], finding["where"])


def findings(out: Path) -> list[Line]:
    """What the run has told so far, in the order of discovery."""
    try:
        lines = (out / "findings.jsonl").read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def sent_mutants(exposition: str) -> int:
    """Mutants sent to the candidate, out of a scrape of ``/metrics``."""
    found = [line.rsplit(" ", 1)[1] for line in exposition.splitlines() if line.startswith(_SENT)]
    return int(float(found[0])) if found else 0


async def _sent(metrics: str) -> int:
    host, _, port = metrics.partition(":")
    try:
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET /metrics HTTP/1.0\r\nHost: {metrics}\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
    except (OSError, TimeoutError):
        return 0
    return sent_mutants(answer.decode())


def _by(finding: Line) -> str:
    return str(finding["title"])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
