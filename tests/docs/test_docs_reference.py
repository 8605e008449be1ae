"""The generated parts are up to date, and what is said of findings and exit codes is what the code has."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from mutators import CATALOG, SESSION_CATALOG, TALK_CATALOG, AnyMutator
from shadow.config import Settings
from shadow.errors import ConfigError, ShadowError, TargetError, UnsafeError
from shadow.judge.oracle import ACCEPTED_FAULT
from shadow.judge.severity import OF_FAULT
from shadow.model import Finding, Level
from shadow.reference import PARTS, docstrings, mutators, refresh, refreshed, settings
from shadow.run.execution import EXIT_FINDINGS, EXIT_TARGET, EXIT_UNSAFE
from shadow.sinks.ledger import Ledger

DOCS = Path(__file__).parents[2] / "docs"
FINDING_KEYS = set(Finding.__struct_fields__)


def rows(document: str, heading: str) -> dict[str, str]:
    """First column to the rest, of the first table below `heading`; each name in a cell counts."""
    below = (DOCS / document).read_text(encoding="utf-8").partition(f"{heading}\n")[2]
    table = below.partition("|---|")[2].partition("\n\n")[0].splitlines()[1:]
    found: dict[str, str] = {}
    for row in table:
        first, _, rest = row.removeprefix("|").partition("|")
        found |= dict.fromkeys(re.findall(r"`([^`]+)`", first) or [first.strip()], rest)
    return found


@pytest.mark.parametrize(
    ("document", "part"), [("configuration.md", "settings"), ("mutators.md", "mutators")]
)
def test_the_generated_part_is_what_the_code_says(document: str, part: str) -> None:
    text = (DOCS / document).read_text(encoding="utf-8")
    assert PARTS[part]() in text, f"docs/{document} is stale: run `make docs`"
    assert refreshed(text) == text


def test_a_stale_part_is_written_anew_and_all_else_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "mutators.md"
    fresh = (DOCS / "mutators.md").read_text(encoding="utf-8")
    file.write_text(fresh.replace("reorder_json_keys", "renamed"), encoding="utf-8")
    assert refresh(tmp_path) == [file]
    assert file.read_text(encoding="utf-8") == fresh
    assert refresh(tmp_path) == []


def test_every_setting_has_a_row_with_a_meaning() -> None:
    rendered = settings()
    meanings = re.findall(r"^\| `\w+` \|.*\| (.*) \|$", rendered, re.MULTILINE)
    assert len(meanings) > 40
    assert all(meanings)
    for name in Settings.__struct_fields__:
        assert any(place in rendered for place in (f"| `{name}` |", f"`[{name}]`", f"`[[{name}]]`")), name


def test_a_field_without_a_docstring_has_no_meaning() -> None:
    class Sample(msgspec.Struct):
        told: int = 1
        """What it ``means``,
        in two lines."""
        untold: int = 2

    assert docstrings(Sample) == {"told": "What it `means`, in two lines."}


def test_every_mutator_stands_in_the_catalogue_once_under_its_level() -> None:
    by_level = re.split(r"^### (\w+)$", mutators(), flags=re.MULTILINE)[1:]
    listed = dict(zip(by_level[::2], by_level[1::2], strict=True))
    assert set(listed) == {level.value for level in Level}
    every: tuple[AnyMutator, ...] = (*CATALOG, *SESSION_CATALOG, *TALK_CATALOG)
    for each in every:
        assert listed[each.level.value].count(f"- `{each.name}` ({each.expect.value}") == 1


def test_the_finding_that_is_explained_has_the_keys_of_a_finding() -> None:
    text = (DOCS / "reading-a-finding.md").read_text(encoding="utf-8")
    example = json.loads(text.partition("```json\n")[2].partition("```")[0])
    assert set(example) == FINDING_KEYS
    assert msgspec.convert(example, Finding).count == len(example["exchanges"])
    assert set(rows("reading-a-finding.md", "## Key by key")) == FINDING_KEYS


def test_every_key_of_a_finding_and_of_the_summary_is_listed() -> None:
    assert set(rows("output.md", "### findings.jsonl")) == FINDING_KEYS
    summary = Ledger().summary("run", 0, 0.0, 0.0)
    listed = rows("output.md", "### summary.json")
    assert set(listed) == set(summary)
    for key in ("ledger", "sent", "trials", "findings"):
        assert all(f"`{word}`" in listed[key] for word in summary[key]), key


def test_every_fault_is_listed_with_its_severity() -> None:
    listed = rows("output.md", "#### Faults")
    assert {*ACCEPTED_FAULT.values(), "validation", "F100", "F209", "crash", "hang", "race"} <= set(listed)
    for fault, rest in listed.items():
        severity = rest.split("|")[1].strip()
        assert severity.startswith(OF_FAULT[fault].value if fault in OF_FAULT else "by what"), fault


def test_exit_codes_are_those_of_the_code() -> None:
    listed = rows("output.md", "## Exit codes")
    codes = (EXIT_FINDINGS, EXIT_UNSAFE, EXIT_TARGET, ConfigError.exit_code, ShadowError.exit_code)
    assert {"0", *map(str, codes)} <= set(listed)
    assert (UnsafeError.exit_code, TargetError.exit_code) == (EXIT_UNSAFE, EXIT_TARGET)
    assert "safety" in listed[str(EXIT_UNSAFE)]
