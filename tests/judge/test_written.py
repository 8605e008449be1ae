"""Timestamps as pages, mail and logs write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.shapes import is_alike
from shadow.judge.written import written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Nov. 22, 2026, 2:40 p.m.", (2026, 11, 22, 14, 40)),
        ("Nov. 22, 2026, 12:05 a.m.", (2026, 11, 22, 0, 5)),
        ("Nov. 22, 2026, noon", (2026, 11, 22, 12)),
        ("Nov. 22, 2026, midnight", (2026, 11, 22)),
        ("2 March 2026 at 3 p.m.", (2026, 3, 2, 15)),
        ("22 November 2026, 20:40:10", (2026, 11, 22, 20, 40, 10)),
        ("Sun Nov 22 20:38:34 2026", (2026, 11, 22, 20, 38, 34)),
        ("Sunday, 22 November 2026", (2026, 11, 22)),
        ("May 3rd, 2026", (2026, 5, 3)),
        ("22-Nov-2026 20:38", (2026, 11, 22, 20, 38)),
        ("22/Nov/2026:20:40:10", (2026, 11, 22, 20, 40, 10)),
        ("2026/11/22 20:40", (2026, 11, 22, 20, 40)),
        ("2026-11-22 20:40", (2026, 11, 22, 20, 40)),
    ],
)
def test_a_moment_is_read(text: str, expected: tuple[int, ...]) -> None:
    found = written(text)
    assert found is not None
    assert datetime.fromtimestamp(found.at, UTC) == datetime(*expected, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    "text",
    ["March 45, 2026", "Marchers 4, 2026", "May", "version 2026/11/223", "1/2/2026/11/22", "", "May 3"],
)
def test_what_names_no_day_is_no_moment(text: str) -> None:
    assert written(text) is None


@pytest.mark.parametrize(
    ("one", "other", "is_one_form"),
    [
        ("Nov. 22, 2026, 2:40 p.m.", "March 1, 2026, 3 p.m.", True),
        ("Nov. 22, 2026, 2:40 p.m.", "Nov. 22, 2026, noon", True),
        ("Nov. 22, 2026, 2:40 p.m.", "Nov. 22, 2026, 14:40", False),
        ("22 November 2026", "November 22, 2026", False),
        ("22-Nov-2026", "22 Nov 2026", False),
        ("2026/11/22", "2026/11/22 10:00", False),
    ],
)
def test_only_moments_of_one_form_are_alike(one: str, other: str, is_one_form: bool) -> None:
    ours, theirs = written(one), written(other)
    assert ours is not None
    assert theirs is not None
    assert (ours.form == theirs.form) is is_one_form
    assert is_alike(one, other, "due", window_seconds=None, own=()) is is_one_form


@given(st.text(max_size=50) | st.from_regex(r"\A[0-9JanSuMy,.: /-]{8,40}\Z"))
def test_no_text_is_too_odd(text: str) -> None:
    found = written(text)
    assert found is None or found.form.startswith("written:")
