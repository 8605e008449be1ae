"""A run from its settings to its exit code and its files."""

import asyncio
import json
import os
import signal
import socket
import urllib.request
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shadow.errors import ConfigError, SinkError, TargetError, UnsafeError
from shadow.model import Exchange, Fate, Settled
from shadow.run.execution import EXIT_BROKEN, EXIT_FINDINGS, EXIT_TARGET, EXIT_UNSAFE, RunSettings, execute
from shadow.sinks.console import ConsoleSettings
from tests.run.conftest import Named, recorded, serving, settings_for

QUIET = ConsoleSettings(is_quiet=True)
FILE, TAP = RunSettings(is_live=False, view=QUIET), RunSettings(is_live=True, view=QUIET)
SAME = b'{"a": 1}'


async def run(
    out: Path, url: str, source: Named, how: RunSettings = FILE, **options: Any
) -> tuple[int, dict[str, Any]]:
    """The exit code, and what stands in the summary."""
    async with asyncio.timeout(20):
        code = await execute(settings_for(out, url, **options), source, how)
    return code, json.loads((out / "summary.json").read_bytes())


def findings(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "findings.jsonl").read_bytes().splitlines()]


@pytest.mark.parametrize(
    ("status", "body", "options", "code"),
    [
        (200, SAME, {}, 0),
        (200, b'{"a": 2}', {}, EXIT_FINDINGS),
        (500, SAME, {}, EXIT_FINDINGS),
        (200, b'{"a": 1, "b": 2}', {}, EXIT_FINDINGS),
        (200, b'{"a": 1, "b": 2}', {"fail_on": "medium"}, 0),
        (200, b'{"a": 2}', {"fail_on": "medium"}, EXIT_FINDINGS),
        (200, b'{"a": 2}', {"fail_on": "high"}, 0),
        (500, SAME, {"fail_on": "high"}, EXIT_FINDINGS),
        (500, SAME, {"fail_on": "never"}, 0),
        (200, b'{"a": 2}', {"noise": {"ignore": ["body:$.a"]}}, 0),
    ],
    ids=[
        "nothing",
        "medium",
        "high",
        "low",
        "low, from medium on",
        "medium, from medium on",
        "medium, from high on",
        "high, from high on",
        "never",
        "ignored",
    ],
)
async def test_exit_code_tells_whether_something_was_found(
    tmp_path: Path, status: int, body: bytes, options: dict[str, Any], code: int
) -> None:
    async with serving(lambda _: (status, body)) as url:
        found, summary = await run(tmp_path / "out", url, Named(recorded("/x", "/x")), **options)
    assert found == code
    assert summary["ledger"]["captured"] == summary["ledger"]["replayed"] == 2
    is_found = (status, body) != (200, SAME) and "noise" not in options
    assert bool(findings(tmp_path / "out")) == is_found
    assert sum(summary["findings"].values()) == len(findings(tmp_path / "out"))


@pytest.mark.parametrize(
    ("body", "code"), [(SAME, EXIT_BROKEN), (b'{"a": 2}', EXIT_FINDINGS)], ids=["else clean", "with findings"]
)
async def test_run_in_which_work_broke_does_not_look_clean(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes, code: int
) -> None:
    good, bad = recorded("/x", "/y")
    no_text: Any = None
    bad = msgspec.structs.replace(bad, request=msgspec.structs.replace(bad.request, body=no_text))
    async with serving(lambda _: (200, body)) as url:
        found, summary = await run(tmp_path / "out", url, Named([good, bad]))
    assert (found, summary["broke"], summary["ledger"]["dropped"]) == (code, 1, 1)
    assert "exchange 1 broke, please report: TypeError" in capsys.readouterr().err


async def test_all_files_are_written_when_a_run_ends(tmp_path: Path) -> None:
    items: list[Exchange | Settled] = [*recorded("/a", "/b"), Settled("test", Fate.UNPARSED, 3, "cut")]
    async with serving(lambda _: (500, b"{}")) as url:
        _, summary = await run(tmp_path / "out", url, Named(items), seed=7)
    names = {each.name for each in (tmp_path / "out").iterdir()}
    assert {"summary.json", "findings.jsonl", "exchanges.jsonl", "store.db"} <= names
    assert summary["ledger"] == {
        "captured": 5,
        "replayed": 2,
        "filtered": 0,
        "sampled_out": 0,
        "dropped": 0,
        "unparsed": 3,
    }
    assert summary["seed"] == 7
    assert (tmp_path / "out" / "exchanges.jsonl").read_bytes().count(b"\n") >= 2


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("role", ["candidate", "baseline"])
async def test_target_that_cannot_be_reached_ends_a_run_over_a_file_before_it_begins(
    tmp_path: Path, role: str
) -> None:
    async with serving(lambda _: (200, SAME)) as url:
        gone = f"http://127.0.0.1:{free_port()}"
        targets = {"candidate": url, "baseline": url} | {role: gone}
        with pytest.raises(TargetError, match=f"cannot reach {role} .*: Connection refused; start it"):
            await run(tmp_path / "out", targets["candidate"], Named([]), baseline=targets["baseline"])
    assert not (tmp_path / "out").exists(), "nobody's files are touched"


async def test_tap_whose_candidate_never_came_up_ends_with_its_own_code(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    code, summary = await run(tmp_path / "out", url, Named(recorded(*["/x"] * 12)), TAP)
    assert code == EXIT_TARGET
    assert summary["ledger"]["dropped"] == 12


async def test_what_an_earlier_pipeline_took_with_it_counts_as_dropped(tmp_path: Path) -> None:
    async with serving(lambda _: (200, SAME)) as url:
        code, summary = await run(tmp_path / "out", url, Named(recorded("/x", "/y"), captured=9), TAP)
    assert (code, summary["ledger"]["captured"], summary["ledger"]["dropped"]) == (0, 9, 7)


async def test_run_that_has_sent_all_it_may_ends_with_the_code_of_a_safety_rule(tmp_path: Path) -> None:
    async with serving(lambda _: (200, SAME)) as url:
        source = Named(recorded(*["/x"] * 9))
        code, summary = await run(tmp_path / "out", url, source, concurrency=1, safety={"max_requests": 2})
    assert code == EXIT_UNSAFE
    assert (summary["ledger"]["captured"], summary["ledger"]["replayed"]) == (9, 2)


async def test_kill_file_ends_a_run(tmp_path: Path) -> None:
    class Endless(Named):
        async def feed(self, intake: Any, hear: Any) -> None:
            for at in count():
                await Named(recorded("/x", first=at)).feed(intake, hear)
                if at == 3:
                    (tmp_path / "stop").touch()

    async with serving(lambda _: (200, SAME)) as url:
        safety = {"kill_file": str(tmp_path / "stop")}
        code, _ = await run(tmp_path / "out", url, Endless([]), queue_items=2, safety=safety)
    assert code == EXIT_UNSAFE


@pytest.mark.parametrize("name", ["live", "listen"])
async def test_candidate_that_is_the_live_service_is_refused_before_anything_is_sent(
    tmp_path: Path, name: str
) -> None:
    asked: list[bytes] = []

    def answering(target: bytes) -> tuple[int, bytes]:
        asked.append(target)
        return 200, SAME

    async with serving(answering) as url:
        address = url.removeprefix("http://") if name == "listen" else url
        with pytest.raises(UnsafeError):
            await run(tmp_path / "out", url, Named(recorded("/x")), TAP, **{name: address})
    assert asked == []
    assert not (tmp_path / "out").exists()


async def test_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "findings.jsonl").write_text("precious")
    async with serving(lambda _: (200, SAME)) as url:
        with pytest.raises(SinkError, match="was not written by a run of shadow"):
            await run(tmp_path, url, Named(recorded("/x")))
    assert (tmp_path / "findings.jsonl").read_text() == "precious"


async def test_resumed_run_goes_on_from_its_summary_and_keeps_its_findings(tmp_path: Path) -> None:
    resumed = RunSettings(is_live=True, run="r1", view=QUIET)
    out = tmp_path / "out"
    async with serving(lambda target: (500 if target == b"/bad" else 200, SAME)) as url:
        first_code, first = await run(out, url, Named(recorded("/bad", "/x")), resumed)
        second_code, second = await run(out, url, Named(recorded("/x", "/x", first=2)), resumed)
        third_code, third = await run(out, url, Named(recorded("/bad", first=4)), resumed)
    assert first_code == second_code == third_code == EXIT_FINDINGS
    assert [each["ledger"]["captured"] for each in (first, second, third)] == [2, 4, 5]
    assert first["started_at"] == third["started_at"]
    assert [each["findings"]["high"] for each in (first, second, third)] == [1, 1, 1]
    (found,) = findings(out)
    assert (found["count"], found["exchanges"]) == (2, [0, 4])
    exchanges = (out / "exchanges.jsonl").read_bytes().splitlines()
    assert len(exchanges) >= 5, "what was written before is still there"


async def test_another_run_begins_anew_in_the_folder_of_an_earlier_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    async with serving(lambda target: (500 if target == b"/bad" else 200, SAME)) as url:
        await run(out, url, Named(recorded("/bad")))
        code, summary = await run(out, url, Named(recorded("/x")))
    assert (code, summary["ledger"]["captured"], findings(out)) == (0, 1, [])


async def test_metrics_are_served_while_a_run_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scraped: list[str] = []

    def scrape() -> str:
        address = capsys.readouterr().err.partition("metrics at ")[2].split()[0]
        with urllib.request.urlopen(address) as answer:
            return str(answer.read().decode())

    class Scraped(Named):
        async def feed(self, intake: Any, hear: Any) -> None:
            await super().feed(intake, hear)
            scraped.append(await asyncio.to_thread(scrape))

    async with serving(lambda _: (200, SAME)) as url:
        await run(tmp_path / "out", url, Scraped(recorded("/x")), metrics="127.0.0.1:0")
    assert "shadow_" in scraped[0]


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
async def test_signal_ends_a_run_in_order_with_all_files(tmp_path: Path, name: signal.Signals) -> None:
    asked: list[bytes] = []

    def answering(target: bytes) -> tuple[int, bytes]:
        asked.append(target)
        if len(asked) == 1:
            os.kill(os.getpid(), name)
        return 500, b"{}"

    async with serving(answering) as url:
        code, summary = await run(
            tmp_path / "out", url, Named(recorded(*["/x"] * 40)), concurrency=1, fail_on="never"
        )
    assert code == 0
    assert summary["ledger"]["captured"] == 40
    assert summary["ledger"]["dropped"] >= 38
    assert signal.getsignal(name) in (signal.SIG_DFL, signal.default_int_handler), (
        "the signal is nobody's again"
    )


async def test_second_signal_ends_at_once_and_what_was_found_is_written(tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    code, summary = await run(tmp_path / "out", url, Named(recorded("/x")), timeout_seconds=60)
    server.close()
    assert summary["ledger"]["dropped"] == summary["ledger"]["captured"] == 1
    assert code == EXIT_TARGET


async def test_settings_that_cannot_be_used_together_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        await run(tmp_path / "out", "http://127.0.0.1:9", Named([]), noise={"ignore": ["body"]})
