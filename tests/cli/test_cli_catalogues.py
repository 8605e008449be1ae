"""What there is: mutators and comparators, for people and for programs."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comparators import CATALOG as OF_ANSWERS
from comparators import TALK_CATALOG
from mutators import CATALOG, SESSION_CATALOG
from mutators import TALK_CATALOG as OF_TALKS
from mutators._packet_catalog import PACKET_CATALOG
from shadow.cli.catalogues import _show, comparators, mutators
from shadow.pipeline.scheduler import Named

COMPARATORS = [(each.name, each.reason) for each in OF_ANSWERS] + [
    (each.name, each.reason) for each in TALK_CATALOG
]
ALL: tuple[Named, ...] = (*CATALOG, *SESSION_CATALOG, *OF_TALKS, *PACKET_CATALOG)


def asked(*arguments: str, columns: int = 200) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(mutators, [*arguments])


def rows(*arguments: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in asked(*arguments, "--json").stdout.splitlines()]


def test_every_mutator_is_listed_with_what_it_expects_and_why() -> None:
    assert rows() == [
        {"name": each.name, "level": each.level, "expect": each.expect, "reason": each.reason} for each in ALL
    ]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("credential_emptied", {"credential_emptied"}),
        ("level:race", {each.name for each in ALL if each.level == "race"}),
        ("expect:once", {each.name for each in ALL if each.expect == "once"}),
        ("jwt_*", {each.name for each in ALL if each.name.startswith("jwt_")}),
    ],
)
def test_pattern_chooses_by_name_level_and_expectation(pattern: str, names: set[str]) -> None:
    assert names
    assert {row["name"] for row in rows(pattern)} == names


@pytest.mark.parametrize("pattern", ["nothing*", "expect:sam", "LEVEL:race"])
def test_pattern_that_matches_nothing_is_wrong_usage(pattern: str) -> None:
    result = asked(pattern)
    assert result.exit_code == 2
    assert f"no mutator matches {pattern!r}; see shadow mutators" in result.stderr


@pytest.mark.parametrize("columns", [80, 200])
def test_table_shows_every_name_whole_whatever_the_width(columns: int) -> None:
    result = asked(columns=columns)
    assert result.exit_code == 0
    words = set(result.stdout.split())
    assert words >= {"name", "level", "expect"}
    assert words >= {each.name for each in ALL}


def test_lines_fit_80_columns_and_hold_level_and_expectation_beside_the_name() -> None:
    lines = asked(columns=80).stdout.splitlines()
    assert max(map(len, lines)) <= 80
    firsts = [line.split() for line in lines if not line.startswith(" ")]
    assert firsts[0] == ["name", "level", "expect"]
    assert firsts[1:] == [[each.name, each.level, each.expect] for each in ALL]
    assert "\x1b" not in "".join(lines)


def test_options_choose_by_level_and_expectation() -> None:
    found = rows("--level", "header", "--level", "cookie", "--expect", "same")
    assert found
    assert {(row["level"], row["expect"]) for row in found} == {("header", "same"), ("cookie", "same")}
    assert {row["name"] for row in rows("*json*", "--expect", "same")} == {
        each.name for each in ALL if "json" in each.name and each.expect == "same"
    }
    assert {row["level"] for row in rows("level:race", "level:cookie")} == {"race", "cookie"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--level", "headers"), "Invalid value for '--level': 'headers' is not one of"),
        (("--level", "race", "--expect", "same"), "no mutator is of that level and expects that"),
    ],
    ids=["no level", "none left"],
)
def test_choice_that_leaves_nothing_is_wrong_usage(arguments: tuple[str, ...], why: str) -> None:
    result = asked(*arguments)
    assert result.exit_code == 2
    assert why in result.stderr


_MINE = """
from mutators import mutator
from shadow.model import Expect, Level


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def of_mine(request, rng):
    \"\"\"Mine.\"\"\"
"""


def test_mutators_of_installed_packages_are_listed_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine_of_tests.py").write_text(_MINE)
    told = tmp_path / "mine-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (told / "entry_points.txt").write_text("[shadow.mutators]\nof_mine = mine_of_tests:of_mine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    (row,) = rows("of_mine")
    assert (row["name"], row["from"]) == ("of_mine", "plugin")
    assert asked("of_mine").stdout.splitlines()[1].split() == ["of_mine", "header", "survive", "plugin"]


def test_comparators_are_chosen_by_pattern() -> None:
    result = CliRunner().invoke(comparators, ["--json", "*json*"])
    assert [json.loads(line)["name"] for line in result.stdout.splitlines()] == ["json_body", "json_lines"]
    assert CliRunner().invoke(comparators, ["nothing"]).exit_code == 2


def test_square_brackets_in_a_reason_are_shown_and_not_taken_for_markup(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _show([{"name": "x", "reason": "a [b]c[/b]"}], as_json=False)
    assert "a [b]c[/b]" in capsys.readouterr().out


def test_comparators_are_listed() -> None:
    result = CliRunner().invoke(comparators, ["--json"])
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"name": name, "reason": reason} for name, reason in COMPARATORS
    ]
    table = CliRunner(env={"COLUMNS": "100"}).invoke(comparators).stdout
    assert set(table.split()) >= {name for name, _ in COMPARATORS}
