"""Options become settings: what was given wins, what was not says nothing."""

from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from shadow.cli import _shadow
from shadow.cli._options import require, run_options, settings_from, view_from
from shadow.cli._ports import as_option
from shadow.cli.replay import replay
from shadow.config import Settings


def parsed(tmp_path: Path, file: str, *arguments: str) -> Settings:
    """The settings of a command line over a configuration file."""
    path = tmp_path / "shadow.toml"
    path.write_text(file)
    found: list[Settings] = []

    @click.command()
    @as_option
    @run_options
    def command(config_file: Path | None, *, quiet: bool, as_json: bool, **options: Any) -> None:
        found.append(settings_from(config_file, options))

    result = CliRunner().invoke(command, ["--config", str(path), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return found[0]


@pytest.mark.parametrize(
    ("file", "arguments", "name", "value"),
    [
        ("", [], "mutants", 3),
        ("mutants = 7", [], "mutants", 7),
        ("mutants = 7", ["--mutants", "0"], "mutants", 0),
        ("allow_writes = true", [], "allow_writes", True),
        ("allow_writes = true", ["--no-allow-writes"], "allow_writes", False),
        ("", ["--allow-writes"], "allow_writes", True),
        ("mutators = ['a*']", [], "mutators", ("a*",)),
        ("mutators = ['a*']", ["--mutator", "b", "--mutator", "level:body"], "mutators", ("b", "level:body")),
        ("", ["--no-mutator", "x"], "no_mutators", ("x",)),
        ("fail_on = 'high'", [], "fail_on", "high"),
        ("fail_on = 'high'", ["--fail-on", "never"], "fail_on", "never"),
        ("rate = 5", ["--rate", "9/s"], "rate_per_second", 9.0),
        ("", ["--duration", "1m"], "duration_seconds", 60.0),
        ("out = 'a'", ["--out", "b"], "out", "b"),
        ("seed = 4", ["--seed", "0"], "seed", 0),
    ],
    ids=lambda each: repr(each) if isinstance(each, list) else None,
)
def test_option_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, file: str, arguments: list[str], name: str, value: object
) -> None:
    assert getattr(parsed(tmp_path, file, *arguments), name) == value


def test_ignored_places_replace_those_of_the_file_and_leave_the_rest_of_its_table(tmp_path: Path) -> None:
    file = "[noise]\nignore = ['header:a']\nclock_drift_seconds = 7\n"
    settings = parsed(tmp_path, file, "--ignore", "header:b", "--ignore", "body:$.c")
    assert settings.noise.ignore == ("header:b", "body:$.c")
    assert settings.noise.clock_drift_seconds == 7
    assert parsed(tmp_path, file).noise.ignore == ("header:a",)


def test_ports_that_are_named_are_added_to_those_of_the_file(tmp_path: Path) -> None:
    file = "[scope]\nsample = 0.5\nprotocols = {9000 = 'tcp', 5000 = 'udp'}\n"
    settings = parsed(tmp_path, file, "--as", "9000=dns", "--as", "53=udp")
    assert settings.scope.spoken == {9000: "dns", 5000: "udp", 53: "udp"}
    assert settings.scope.sample == 0.5
    assert parsed(tmp_path, file).scope.spoken == {9000: "tcp", 5000: "udp"}


def test_every_option_has_a_key_in_the_file() -> None:
    keys = {field.encode_name for field in msgspec.structs.fields(Settings)}
    options = {each.name for each in replay.params if isinstance(each, click.Option)}
    assert options - keys == {"config_file", "quiet", "as_json", "ignore", "ports", "protocols"}


def test_without_a_file_and_options_there_are_the_defaults() -> None:
    assert settings_from(None, {"out": None, "mutators": ()}) == Settings()


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(), "live"),
        (Settings(live="http://a"), "candidate"),
        (Settings(live="http://a", candidate="http://b"), ""),
    ],
)
def test_first_thing_that_is_missing_is_named(settings: Settings, missing: str) -> None:
    if not missing:
        require(settings, "live", "candidate")
        return
    with pytest.raises(click.UsageError, match=f"missing --{missing} URL"):
        require(settings, "live", "candidate")


@pytest.mark.parametrize(
    ("quiet", "as_json", "shown"),
    [(False, False, (False, False)), (True, False, (True, False)), (False, True, (True, True))],
)
def test_json_is_quiet_too(shown: tuple[bool, bool], *, quiet: bool, as_json: bool) -> None:
    view = view_from(quiet=quiet, as_json=as_json)
    assert (view.is_quiet, view.is_json) == shown


@pytest.mark.parametrize("name", ["listen", "mirror", "proxy", "replay", "sniff"])
def test_help_has_each_option_once_in_a_section_and_nearly_all_on_one_line(name: str) -> None:
    command = _shadow.get_command(click.Context(_shadow), name)
    assert command is not None
    told = CliRunner().invoke(command, ["--help"], terminal_width=80).output
    sections = ["Traffic:", "Targets:", "What is sent:", "Pace:", "What is told:", "Besides:"]
    assert [line for line in told.splitlines() if line in sections] == sections
    options = {each.opts[0] for each in command.params if isinstance(each, click.Option)}
    listed = told.partition("Traffic:")[2].splitlines()
    rows = [line.split()[0] for line in listed if line.startswith("  --")]
    assert sorted({*rows} - {"--help"}) == sorted(options - {"--help", "-h"})
    assert len(rows) == len(set(rows))
    goes_on = [line for line in listed if line.startswith("     ")]
    assert len(goes_on) <= 3
