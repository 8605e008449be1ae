"""How long the database of a run takes to answer what a page asks, with a million occurrences in it.

`python -m bench.store [OCCURRENCES]` fills one as a run does, in bounded memory, and exits with
1 where a query takes longer than the goal.
"""

import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from shadow.content.redaction import RedactionSettings, Redactor
from shadow.model import Expect, Finding, Found, Judged, Judgement, Kind, Trial, Verdict
from shadow.sinks.store import Store, StoreSettings

_GOAL_SECONDS = 0.05
_PER_FINDING = 10_000
_STEP = 500
"""Occurrences that are told at once, as they are where a writer takes a moment."""
_ENDPOINTS = 40
_FAULTS = ("regression", "F100", "metamorphic", "auth-bypass", "race")
_SEVERITIES = ("high", "medium", "low")

QUERIES: dict[str, tuple[str, tuple[object, ...]]] = {
    "findings by severity": (
        "select id, title, count from findings where severity = ? order by count desc limit 50",
        ("high",),
    ),
    "findings of an endpoint": (
        (
            "select f.id, f.title, e.count from endpoints e join findings f on f.id = e.finding"
            " where e.endpoint = ? order by e.count desc limit 50"
        ),
        ("GET /v1/x7/{id}",),
    ),
    "endpoints with findings": ("select endpoint, count(*), sum(count) from endpoints group by endpoint", ()),
    "findings by fault": (
        "select id, title from findings where fault = ? order by severity limit 50",
        ("F100",),
    ),
    "findings, newest first": ("select id, title, last_at from findings order by last_at desc limit 50", ()),
    "occurrences, newest first": (
        "select finding, exchange, endpoint, at from occurrences order by at desc limit 50",
        (),
    ),
    "first page of a finding's occurrences": (
        "select exchange, endpoint, at from occurrences where finding = ? order by exchange limit 50",
        ("000000000007",),
    ),
    "a later page of them": (
        (
            "select exchange, endpoint, at from occurrences where finding = ? and exchange > ?"
            " order by exchange limit 50"
        ),
        ("000000000007", 500_000),
    ),
    "how many pages": ("select count(*) from occurrences where finding = ?", ("000000000007",)),
    "counts over time": ("select minute, count from minutes where finding = '' order by minute", ()),
    "one finding's counts over time": (
        "select minute, count from minutes where finding = ? order by minute",
        ("000000000007",),
    ),
    "what an exchange showed": ("select finding from occurrences where exchange = ?", (4242,)),
    "one finding whole": ("select json from findings where id = ?", ("000000000007",)),
    "trials by mutator": ("select mutator, verdict, sum(count) from trials group by mutator, verdict", ()),
}


def fill(path: Path, occurrences: int) -> None:
    """A database with so many occurrences, heard over two days."""
    now = [1_700_000_000.0]
    redactor = Redactor(RedactionSettings(), b"k")
    store = Store(path, redactor, StoreSettings(flush_seconds=3600.0), wall_clock=lambda: now[0])
    findings = max(1, occurrences // _PER_FINDING)
    seconds = 2 * 86_400 / (_PER_FINDING // _STEP)
    for step in range(_PER_FINDING // _STEP):
        for number in range(findings):
            now[0] = 1_700_000_000.0 + seconds * (step + number / findings)
            count = (step + 1) * _STEP
            for at in range(step * _STEP, count):
                if at % 50 == 0:
                    store.hear(_judged(at * findings + number, number + at))
            store.hear(Found(_finding(number, range(number, count * findings, findings), count), step == 0))
        store.flush()
    store.close()
    if store.lost or store.trouble:
        sys.exit(f"the database is not whole: {store.lost} lost, {store.trouble}")


def _judged(exchange: int, number: int) -> Judged:
    endpoint = f"GET /v1/x{number % _ENDPOINTS}/{{id}}"
    mutator = f"mutator_{number % 200}"
    trial = Trial(exchange, endpoint, Kind.MUTANT, mutator, Judgement(Verdict.FAILED), expect=Expect.SURVIVE)
    return Judged(trial)


def _finding(number: int, exchanges: Sequence[int], count: int) -> Finding:
    return Finding(
        id=f"{number:012x}",
        kind="mutant",
        fault=_FAULTS[number % len(_FAULTS)],
        severity=_SEVERITIES[number % len(_SEVERITIES)],
        title=f"finding {number}",
        endpoint=f"GET /v1/x{number % _ENDPOINTS}/{{id}}",
        where=("status",),
        mutator="nul",
        edits=("put NUL into 'a'",),
        expect="survive",
        why="500, while the unedited request is success",
        exchanges=tuple(exchanges),
        count=count,
        control={"class": "success", "status": 200, "headers": [], "body_bytes": 2000, "body": "x" * 2000},
        answer={"class": "broken", "status": 500, "headers": [], "body_bytes": 10, "body": "x" * 10},
        baseline=None,
        confirmed="3/3",
        reproduce={"curl": "curl", "raw_base64": "R0VU", "seed": 0},
    )


def measure(path: Path, rounds: int = 7) -> dict[str, float]:
    """Median seconds of each query, on a connection of its own each time."""
    took: dict[str, float] = {}
    for name, (query, values) in QUERIES.items():
        seconds = []
        for _ in range(rounds):
            database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            start = time.perf_counter()
            rows = database.execute(query, values).fetchall()
            seconds.append(time.perf_counter() - start)
            database.close()
            if not rows:
                sys.exit(f"nothing came of {name!r}")
        took[name] = median(seconds)
    return took


def main() -> int:
    occurrences = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="shadow-bench-") as folder:
        path = Path(folder) / "store.db"
        start = time.perf_counter()
        fill(path, occurrences)
        seconds = time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = path.stat().st_size / 1e6
        print(
            f"{occurrences:,} occurrences in {seconds:.0f} s, {size:.0f} MB on disk, {memory:.0f} MB at most"
        )
        took = measure(path)
    for name, each in took.items():
        print(f"{name:40} {each * 1000:7.2f} ms{'' if each < _GOAL_SECONDS else '  over the goal'}")
    return int(max(took.values()) >= _GOAL_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
