"""The benchmark of detection: what counts as detected, and one bug and none on a little traffic."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bench.detect import is_goal_met, table, total
from bench.detect_traffic import recorded
from bench.detect_trial import Conditions, Result, judged, sent_mutants, tried
from bench.detect_truth import PLACES
from shadow.demo.vmctl import BUGS

FOUND = {
    "id": "1",
    "kind": "regression",
    "fault": "regression",
    "title": "field image: missing",
    "endpoints": ["GET /v1/instances/{id}"],
    "where": ["body:$.image"],
}


def test_every_bug_has_its_places() -> None:
    assert set(PLACES) == set(BUGS)


@pytest.mark.parametrize(
    ("bug", "change", "known", "is_detected"),
    [
        ("B35", {}, (), True),
        ("B35", {"where": ["body:$.tags"]}, (), False),
        ("B35", {"endpoints": ["GET /v1/usage"]}, (), False),
        ("B35", {"endpoints": ["GET /v1/usage", "GET /v1/instances"]}, (), True),
        ("B35", {"kind": "mutant"}, (), False),
        ("B35", {}, ("1",), False),
        ("B01", {"fault": "auth-bypass", "kind": "mutant"}, (), True),
        ("B01", {}, (), False),
    ],
)
def test_only_a_finding_that_fits_the_bug_counts(
    bug: str, change: dict[str, Any], known: tuple[str, ...], *, is_detected: bool
) -> None:
    result = judged(bug, [FOUND | change], frozenset(known), 7, 1.0)
    assert (result.is_detected, result.mutants) == (is_detected, 7)
    assert result.others == (() if is_detected else (FOUND["title"],))


def test_mutants_are_read_from_the_metrics() -> None:
    line = 'shadow_sent_total{kind="%s",target="%s"} %s'
    page = "\n".join(
        [
            line % ("mutant", "baseline", "1.0"),
            line % ("mutant", "candidate", "1.2e+04"),
            line % ("repeat", "candidate", "3"),
        ]
    )
    assert (sent_mutants(page), sent_mutants("")) == (12_000, 0)


def test_the_goal_is_a_share_of_each_kind_and_no_false_finding() -> None:
    mutants = [Result(f"B{number:02}", "M", number > 1, 10, 1.0) for number in range(1, 37)]
    clean, dirty = (Result("none", "", False, 10, 1.0, others=others) for others in ((), ("odd",)))
    assert is_goal_met([*mutants, clean])
    assert not is_goal_met([*mutants, dirty])
    assert not is_goal_met([*mutants[:10], clean])
    assert "M (a mutant): 35 of 36, missed B01" in total([*mutants, clean])
    assert table([dirty]).endswith("| none | | | 10 | odd |")


def test_a_regression_is_found_and_without_it_nothing_on_a_little_traffic(tmp_path: Path) -> None:
    conditions = Conditions(sessions=2, mutants_budget=10, mutants_per_exchange=1, seconds=60.0)

    async def both() -> list[Result]:
        recording = tmp_path / "stable.jsonl"
        lines = await recorded(seed=conditions.seed, sessions=conditions.sessions)
        recording.write_bytes(b"".join(lines))  # a few kilobytes
        async with asyncio.timeout(120):
            async with asyncio.TaskGroup() as tasks:
                runs = [
                    tasks.create_task(tried(bug, recording, conditions, frozenset()), name=bug)
                    for bug in ("none", "B35")
                ]
        return [run.result() for run in runs]

    clean, regressed = asyncio.run(both())
    assert not clean.others
    assert clean.mutants >= conditions.mutants_budget
    assert regressed.is_detected
    assert "image: missing" in regressed.told_by
