"""The output folder: whole files, bounded, redacted, and never in the run's way."""

import json
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadow.content.redaction import RedactionSettings, Redactor
from shadow.errors import SinkError
from shadow.model import Exchange, Fate, Finding, Found, Request, Response, Settled
from shadow.sinks.folder import OWN_FILES, claim
from shadow.sinks.ledger import Ledger
from shadow.sinks.lines import finding_line
from shadow.sinks.output import Output, OutputSettings
from shadow.taps.jsonl import encode

FINDING = Finding(
    id="f1",
    kind="mutant",
    fault="F205",
    severity="high",
    title="accepted token=hunter2",
    endpoint="GET /x",
    where=("status",),
    mutator="m",
    edits=("e",),
    expect="reject",
    why="",
    exchanges=(1,),
    count=1,
    control={"status": 401},
    answer={"status": 200},
    baseline=None,
    confirmed="5/5",
    reproduce={"curl": "curl", "raw_base64": "", "seed": 1},
)


def exchange(index: int, body: bytes = b"") -> Exchange:
    request = Request(
        b"POST",
        b"/x?token=hunter2",
        headers=((b"Host", b"h"), (b"X-\xff", b"\xe9"), (b"Cookie", b"a=hunter2")),
        body=body,
    )
    return Exchange(index, "pcap", "s", 1.5, request, Response(200, b"OK", body=b"hi"), 0.25, "h:80")


def settled(index: int, body: bytes = b"", fate: Fate = Fate.REPLAYED) -> Settled:
    return Settled("pcap", fate, 1, "", exchange(index, body))


type Open = Callable[..., Output]


@pytest.fixture
def open_output(tmp_path: Path) -> Open:
    """Opens an output in ``tmp_path / "out"``."""
    ledger = Ledger()

    def open_it(**settings: Any) -> Output:
        return Output(
            claim(tmp_path / "out"),
            lambda: ledger.summary("r1", 7, 1.0, 2.0),
            Redactor(RedactionSettings(), b"k"),
            encode,
            OutputSettings(**settings),
        )

    return open_it


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_run_leaves_its_three_files(open_output: Open, tmp_path: Path) -> None:
    output = open_output()
    output.hear(settled(0))
    output.hear(settled(1))
    output.hear(Found(FINDING))
    output.close()
    out = tmp_path / "out"
    assert json.loads((out / "summary.json").read_bytes())["run"] == "r1"
    assert [line["index"] for line in lines(out / "exchanges.jsonl")] == [0, 1]
    (finding,) = lines(out / "findings.jsonl")
    assert (finding["id"], finding["where"], finding["exchanges"]) == ("f1", ["status"], [1])
    assert sorted(path.name for path in out.iterdir()) == [
        "exchanges.jsonl",
        "findings.jsonl",
        "summary.json",
    ]
    assert b"hunter2" not in b"".join(path.read_bytes() for path in out.iterdir())


def test_a_finding_heard_again_is_one_line_with_its_latest_count(open_output: Open, tmp_path: Path) -> None:
    output = open_output()
    for count in range(1, 30):
        output.hear(Found(msgspec.structs.replace(FINDING, count=count), is_new=count == 1))
    output.hear(Found(msgspec.structs.replace(FINDING, id="f2")))
    output.close()
    assert [(each["id"], each["count"]) for each in lines(tmp_path / "out" / "findings.jsonl")] == [
        ("f1", 29),
        ("f2", 1),
    ]


def test_only_what_was_replayed_is_kept(open_output: Open, tmp_path: Path) -> None:
    output = open_output()
    for fate in Fate:
        output.hear(settled(list(Fate).index(fate), fate=fate))
    output.hear(Settled("pcap", Fate.REPLAYED, 10))
    output.close()
    assert [line["index"] for line in lines(tmp_path / "out" / "exchanges.jsonl")] == [0]


def test_a_full_file_holds_whole_lines_and_the_rest_is_counted(open_output: Open, tmp_path: Path) -> None:
    output = open_output(max_exchanges_bytes=2000)
    for index in range(300):
        output.hear(settled(index))
    output.close()
    kept = lines(tmp_path / "out" / "exchanges.jsonl")
    assert 0 < len(kept) < 10
    assert output.unwritten == {"pending": 0, "size": 300 - len(kept), "disk": 0, "broken": 0}
    assert "size limit" in output.troubles["size"]


def test_no_exchange_is_written_where_none_is_wanted(open_output: Open, tmp_path: Path) -> None:
    output = open_output(max_exchanges_bytes=0)
    for index in range(10):
        output.hear(settled(index))
    output.close()
    assert (tmp_path / "out" / "exchanges.jsonl").read_bytes() == b""
    assert output.unwritten["size"] == 10


def test_what_waits_is_bounded_and_the_rest_is_counted(open_output: Open, tmp_path: Path) -> None:
    output = open_output(max_pending_bytes=5000)
    output.hear(settled(0, b"x" * 10_000))
    output.close()
    assert output.unwritten["pending"] == 1
    assert lines(tmp_path / "out" / "exchanges.jsonl") == []


def test_a_full_disk_in_mid_run_is_said_once_and_counted(
    open_output: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output = open_output()
    output.hear(settled(0))
    output.hear(Found(FINDING))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (4096, hard)
    )  # Python ignores SIGXFSZ: a write fails with EFBIG
    try:
        for index in range(1, 400):
            output.hear(settled(index, os.urandom(300)))
        output.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = lines(tmp_path / "out" / "exchanges.jsonl")
    assert output.unwritten["disk"] == 400 - len(kept) > 0
    assert [record.message for record in caplog.records] == list(output.troubles.values())
    assert len(lines(tmp_path / "out" / "findings.jsonl")) == 1


def test_a_rewrite_is_done_when_told(open_output: Open, tmp_path: Path) -> None:
    output = open_output(findings_every_seconds=3600.0, summary_every_seconds=3600.0)
    (tmp_path / "out" / "summary.json").unlink()
    output.hear(Found(FINDING))
    output.rewrite()
    output.close()
    assert (tmp_path / "out" / "summary.json").exists()


def test_the_next_run_replaces_its_own_files_and_no_other(open_output: Open, tmp_path: Path) -> None:
    first = open_output()
    first.hear(settled(0))
    first.hear(Found(FINDING))
    first.close()
    out = tmp_path / "out"
    (out / "notes.txt").write_text("mine")
    (out / "store.db").write_text("old")
    open_output().close()
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "findings.jsonl").read_bytes() == (out / "exchanges.jsonl").read_bytes() == b""
    assert not (out / "store.db").exists()


@pytest.mark.parametrize("name", OWN_FILES)
def test_a_folder_with_someone_elses_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(
        SinkError, match="was not written by a run of shadow; move it or choose another --out"
    ):
        claim(tmp_path)
    assert (tmp_path / name).read_text() == "{}"


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    folder = claim(tmp_path)
    with pytest.raises(SinkError, match="another run writes to"):
        claim(tmp_path)
    folder.close()
    claim(tmp_path).close()


def test_a_place_that_is_no_folder_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        SinkError, match=r"cannot write to '.*file/out': Not a directory; .*choose another --out"
    ):
        claim(tmp_path / "file" / "out")


def test_a_disk_that_is_full_at_the_start_is_told(open_output: Open) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(SinkError, match="free space"):
            open_output()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_finding_with_values_that_json_cannot_say_is_still_a_valid_line() -> None:
    odd = {"nan": float("nan"), "bytes": b"\xff", "lone": "\ud800", 7: {1}, "big": 1 << 70, "other": Ledger}
    line = finding_line(msgspec.structs.replace(FINDING, control=odd))
    control = msgspec.json.decode(line)["control"]
    assert control["nan"] == "nan"
    assert control["lone"] == "\\ud800"
    assert control["7"] == [1]


def test_exchange_that_a_bug_keeps_from_being_written_costs_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def encodes_even(one: Exchange) -> bytes:
        if one.index % 2:
            raise KeyError("what was captured")
        return encode(one)

    redactor = Redactor(RedactionSettings(), b"key")
    output = Output(claim(tmp_path / "out"), dict, redactor, encodes_even, OutputSettings())
    for index in range(10):
        output.hear(settled(index))
    output.close()
    assert [each["index"] for each in lines(tmp_path / "out" / "exchanges.jsonl")] == [0, 2, 4, 6, 8]
    assert output.unwritten["broken"] == 5
    assert [record.message for record in caplog.records] == [
        "exchanges that cannot be written are left out (KeyError)"
    ]
    assert "captured" not in caplog.text
