"""Files of known findings: what is read, what is refused with one line, and what is written."""

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.config.known import HEAD, entry_text, load_known, read_known
from shadow.errors import ConfigError
from shadow.model import Severity
from tests.judge.test_accepted import found

TODAY = date(2026, 5, 10)
GOOD = '[[known]]\nid = "7b4e4df4fbe2"\nendpoint = "GET /a"\nreason = "wanted"\n'


def test_no_name_is_no_file() -> None:
    assert load_known("", TODAY) is None


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "known.toml"
    text = entry_text(found(mutator="nul"), reason='a "b"\n\\ ü \x00', by="me", on=TODAY, until=TODAY)
    path.write_text(HEAD + text + text.replace("7b4e4df4fbe2", "7b4e4df4fbe3"), encoding="utf-8")
    first, second = read_known(path)
    assert (first.id, second.id) == ("7b4e4df4fbe2", "7b4e4df4fbe3")
    assert (first.reason, first.by, first.on, first.until) == ('a "b"\n\\ ü \x00', "me", TODAY, TODAY)
    assert (first.mutator, first.severity, first.where) == ("nul", Severity.MEDIUM, ("body:$.items[].price",))


@given(st.text())
def test_any_title_can_be_written(title: str) -> None:
    text = entry_text(found(title=title), reason="x", by="", on=TODAY, until=None)
    (row,) = tomllib.loads(text)["known"]
    assert row.get("title", "").encode("utf-8", "backslashreplace") == title.encode(
        "utf-8", "backslashreplace"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[known]", "are no TOML"),
        ("x = 1\n" + GOOD, "unknown key 'x'; entries stand under [[known]]"),
        ("[known]\nid = 'x'", "[known] is one table; write [[known]]"),
        (
            GOOD.replace("reason", "raeson"),
            "entry 1 (7b4e4df4fbe2): unknown key 'raeson', did you mean 'reason'?",
        ),
        (GOOD.replace('reason = "wanted"\n', ""), "reason is missing; say why it is accepted"),
        (GOOD.replace('endpoint = "GET /a"\n', ""), "endpoint is missing"),
        (GOOD.replace('id = "7b4e4df4fbe2"\n', ""), "neither an id nor a fault"),
        (GOOD.replace('id = "7b4e4df4fbe2"', 'fault = "*"'), "neither an id nor a fault"),
        (GOOD.replace("7b4e4df4fbe2", "7b4e"), "id '7b4e' is no finding's"),
        (GOOD + GOOD, "entry 2: id '7b4e4df4fbe2' stands in entry 1 already"),
        (GOOD + 'severity = "awful"\n', "severity is 'awful': choose one of low, medium, high"),
        (GOOD + 'until = "tomorrow"\n', "until is 'tomorrow'"),
        (GOOD + "where = 7\n", "where is 7"),
        ("known = [7]", "entry 1: 7 is no table"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "known.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(says)) as raised:
        read_known(path)
    assert "known.toml" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_that_is_missing_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="shadow known add"):
        load_known(str(tmp_path / "none.toml"), TODAY)
