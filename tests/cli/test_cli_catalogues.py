"""What there is: mutators and comparators, for people and for programs."""

import json

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
