"""`shadow replay`: from a capture to findings, and to none where there is nothing to find."""

import base64
import gzip
import json
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Ask, Opened, findings, ledger, recording, shadow

FINDING_KEYS = {
    *("id", "kind", "fault", "severity", "title", "endpoint", "where", "mutator", "edits", "expect", "why"),
    *("exchanges", "count", "control", "answer", "baseline", "confirmed", "reproduce"),
}
SUMMARY_KEYS = {
    "ledger": {"captured", "replayed", "filtered", "sampled_out", "dropped", "unparsed"},
    "sent": {"originals", "repeats", "mutants", "confirmations", "minimisations", "probes"},
    "trials": {"passed", "failed", "undecided"},
    "findings": {"high", "medium", "low"},
    "late": {"requests", "p50_seconds", "p99_seconds", "max_seconds"},
    "unwritten": {"exchanges", "store", "broken"},
    "conditions": set(),
    "filtered": set(),
    "held_back": {"endpoint", "minute"},
    "plugins": set(),
}
"""Others' scripts read these."""

ITEMS: list[Ask] = [("GET", f"/items/{number}", b"") for number in range(1, 9)]
ORDER: Ask = ("POST", "/orders", b'{"lines":[{"item":1}]}')
STOCK: Ask = ("GET", "/stock", b"")
ASKS = [*ITEMS, STOCK, ORDER]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "monday.pcap"
    path.write_bytes(recording(ASKS))
    return path


@pytest.mark.parametrize("has_baseline", [True, False], ids=["with-baseline", "recorded-answer-only"])
async def test_exactly_the_planted_regressions_are_found(
    tmp_path: Path, capture: Path, opened: Opened, has_baseline: bool
) -> None:
    candidate = await opened("no price", "no stock", "caches")
    baseline = ["--baseline", (await opened()).url] if has_baseline else []
    ended = await shadow(
        "replay", capture, "--mutants", "0", "--candidate", candidate.url, *baseline, cwd=tmp_path
    )
    assert ended.code == 1, ended.err
    found = findings(tmp_path / "shadow-out")
    assert {tuple(sorted({_field(where) for where in each["where"]})) for each in found} == {
        ("body:$.price",),
        ("header:cache-control",),
        ("status",),
    }
    assert len(found) == 3
    assert {each["kind"] for each in found} == {"regression"}
    count = {_field(each["where"][0]): each["count"] for each in found}
    assert count["body:$.price"] == len(ITEMS)
    assert count["status"] == 1
    assert ledger(tmp_path / "shadow-out") == _all_replayed(len(ASKS))


async def test_files_have_the_keys_that_scripts_rely_on(
    tmp_path: Path, capture: Path, opened: Opened
) -> None:
    candidate, baseline = await opened("no stock"), await opened()
    targets = ("--candidate", candidate.url, "--baseline", baseline.url)
    await shadow("replay", capture, "--mutants", "0", *targets, cwd=tmp_path)
    (found,) = findings(tmp_path / "shadow-out")
    assert found.keys() >= FINDING_KEYS
    assert found["reproduce"].keys() >= {"curl", "raw_base64", "seed"}
    assert base64.b64decode(found["reproduce"]["raw_base64"]).startswith(b"GET /stock HTTP/1.1\r\n")
    assert f"{candidate.url}/stock" in found["reproduce"]["curl"]
    assert (found["answer"]["status"], found["baseline"]["status"]) == (503, 200)
    assert found["confirmed"] == "3/3"
    summary = json.loads((tmp_path / "shadow-out" / "summary.json").read_bytes())
    assert summary.keys() >= SUMMARY_KEYS.keys() | {"run", "seed", "started_at", "seconds", "state", "states"}
    assert {key: set(summary[key]) for key in SUMMARY_KEYS} == SUMMARY_KEYS


async def test_a_header_that_changed_everywhere_is_one_finding_of_all_endpoints(
    tmp_path: Path, capture: Path, opened: Opened
) -> None:
    candidate = await opened("caches")
    ended = await shadow("replay", capture, "--mutants", "0", "--candidate", candidate.url, cwd=tmp_path)
    assert ended.code == 1, ended.err
    (found,) = findings(tmp_path / "shadow-out")
    assert sorted(found["endpoints"]) == ["GET /items/{id}", "GET /stock", "POST /orders"]
    assert found["count"] == len(ASKS)


@pytest.mark.slow
async def test_identical_releases_are_told_apart_by_no_mutant(
    tmp_path: Path, capture: Path, opened: Opened
) -> None:
    candidate, baseline = await opened(), await opened()
    ended = await shadow(
        *("replay", capture, "--mutants", "12", "--allow-writes", "--candidate", candidate.url),
        *("--baseline", baseline.url),
        cwd=tmp_path,
    )
    assert ended.code == 0, ended.out
    assert findings(tmp_path / "shadow-out") == []
    assert ledger(tmp_path / "shadow-out") == _all_replayed(len(ASKS))
    assert len(candidate.seen) > 3 * len(ASKS)


async def test_everything_that_is_sent_is_marked(tmp_path: Path, capture: Path, opened: Opened) -> None:
    candidate = await opened()
    await shadow("replay", capture, "--candidate", candidate.url, "--mutants", "1", cwd=tmp_path)
    assert candidate.asked
    assert candidate.marked == candidate.asked


async def test_originals_are_sent_as_they_were_recorded(
    tmp_path: Path, capture: Path, opened: Opened
) -> None:
    candidate = await opened()
    ended = await shadow(
        *("replay", capture, "--mutants", "0", "--concurrency", "1", "--candidate", candidate.url),
        cwd=tmp_path,
    )
    assert ended.code == 0, ended.out
    assert sorted(candidate.asked) == sorted(ASKS)


@pytest.mark.parametrize("form", ["gzip", "stdin", "two files", "exchanges"])
async def test_every_way_in_replays_the_same(
    tmp_path: Path, capture: Path, opened: Opened, form: str
) -> None:
    candidate = await opened("no stock")
    files: list[Path | str]
    stdin = b""
    if form == "gzip":
        files = [tmp_path / "monday.pcap.gz"]
        (tmp_path / "monday.pcap.gz").write_bytes(gzip.compress(recording(ASKS)))
    elif form == "stdin":
        files, stdin = ["-"], recording(ASKS)
    elif form == "two files":
        files = [tmp_path / "1.pcap", tmp_path / "2.pcap"]
        (tmp_path / "1.pcap").write_bytes(recording(ITEMS))
        (tmp_path / "2.pcap").write_bytes(recording([ORDER, STOCK], port=50000))
    else:
        files = [tmp_path / "monday.jsonl"]
        assert (await shadow("extract", capture, "-o", files[0], cwd=tmp_path)).code == 0
    ended = await shadow(
        "replay", *files, "--mutants", "0", "--candidate", candidate.url, cwd=tmp_path, stdin=stdin
    )
    assert ended.code == 1, ended.err
    assert ledger(tmp_path / "shadow-out") == _all_replayed(len(ASKS))
    assert [each["endpoint"] for each in findings(tmp_path / "shadow-out")] == ["GET /stock"]


def _field(where: str) -> str:
    """A place without what a list-valued header had in it."""
    return where.partition("[")[0] if where.startswith("header:") else where


def _all_replayed(count: int) -> dict[str, int]:
    nothing = dict.fromkeys(("filtered", "sampled_out", "dropped", "unparsed"), 0)
    return {"captured": count, "replayed": count, **nothing}
