"""Resets, probes and explanations of a whole run, as its settings say."""

import json
import sys
from pathlib import Path

import pytest

from shadow.config import Settings, load
from shadow.errors import ConfigError, TargetError
from shadow.pipeline.source import Recorded
from shadow.replay import Pace, Pacer
from shadow.run.checking import check
from shadow.run.execution import RunSettings, execute
from shadow.sinks.console import ConsoleSettings
from tests.run.conftest import recorded, serving, settings_for

QUIET = RunSettings(is_live=False, view=ConsoleSettings(is_quiet=True))


def always(target: bytes) -> tuple[int, bytes]:
    return 200, b'{"a": 1}'


async def run(settings: Settings) -> int:
    return await execute(settings, Recorded(recorded("/x"), Pacer(Pace())), QUIET)


async def test_a_reset_is_run_before_anything_is_sent(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = "import sys; open(sys.argv[1], 'a').write('reset ')"
    async with serving(always) as url:
        reset = {"command": [sys.executable, "-c", code, str(mark)]}
        assert await run(settings_for(tmp_path / "out", url, reset=reset)) == 0
    assert mark.read_text() == "reset "


async def test_a_failed_reset_ends_the_run_before_anything_is_sent(tmp_path: Path) -> None:
    asked = []

    def noting(target: bytes) -> tuple[int, bytes]:
        asked.append(target)
        return always(target)

    async with serving(noting) as url:
        with pytest.raises(TargetError, match=r"ended with 7; see \[reset\]") as error:
            await run(settings_for(tmp_path, url, reset={"command": ["/bin/sh", "-c", "exit 7"]}))
    assert error.value.exit_code == 4
    assert asked == []
    ledger = json.loads((tmp_path / "summary.json").read_text())["ledger"]
    assert (ledger["captured"], ledger["dropped"]) == (1, 1)


async def test_an_explanation_is_written_where_it_is_asked_for(tmp_path: Path) -> None:
    def shadowed(target: bytes) -> tuple[int, bytes]:
        return 200, b'{"id": "here5678"}'

    async with serving(shadowed) as url:
        for asked in (False, True):
            settings = settings_for(tmp_path, url, explain_correlation=asked)
            items = recorded("/x", "/x/live1234", body=b'{"id": "live1234"}')
            await execute(settings, Recorded(items, Pacer(Pace())), QUIET)
            assert (tmp_path / "correlation.jsonl").exists() is asked
    first = json.loads((tmp_path / "correlation.jsonl").read_text().splitlines()[0])
    assert (first["live"], first["targets"]["candidate"]["value"]) == ("live1234", "here5678")


@pytest.mark.parametrize(
    ("options", "mutates"),
    [
        ({}, False),
        ({"allow_writes": True}, True),
        ({"reset": {"command": ["x"]}}, True),
        ({"reset": {"command": ["x"]}, "allow_writes": False}, False),
    ],
)
def test_writes_are_mutated_where_a_reset_puts_them_right(
    options: dict[str, object], *, mutates: bool
) -> None:
    assert load(None, options).mutates_writes is mutates


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reset": {}}, "has neither of command and request"),
        ({"correlation": {"rule": [{"take": "x"}]}}, "which is no place"),
        ({"probe": [{"name": "a", "path": "a"}]}, "path 'a' is none"),
    ],
)
def test_what_means_nothing_is_refused_before_the_run(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check(load(None, {"candidate": "http://127.0.0.1:9", **options}))
