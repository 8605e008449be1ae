"""The changed stretches of one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparators._line import Effort, label, runs


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(
            "made 2026-11-22 20:38:17 by worker 4",
            "made 2026-11-22 20:38:25 by worker 3",
            [("made", "2026-11-22 20:38:17", "2026-11-22 20:38:25"), ("by-worker", "4", "3")],
            id="two stretches",
        ),
        pytest.param(
            "<p>on Nov. 22, 2026, 2:40 p.m.</p>",
            "<p>on Nov. 23, 2026, noon</p>",
            [("p-on", "Nov. 22, 2026, 2:40 p.m.", "Nov. 23, 2026, noon")],
            id="a date stays whole",
        ),
        pytest.param(
            '<a href="/x" class="old">go on</a>',
            '<a href="/x">go on</a>',
            [("href-x", '" class="old', "")],
            id="an attribute gone",
        ),
        pytest.param("total: 5", "total: 6", [("total", "5", "6")], id="plain text"),
        pytest.param("5", "6", [("", "5", "6")], id="no words"),
    ],
)
def test_stretches_are_named_by_the_words_before(
    left: str, right: str, expected: list[tuple[str, str, str]]
) -> None:
    found = runs(left, right, Effort())
    assert found is not None
    assert [(each.name, each.left, each.right) for each in found] == expected


@pytest.mark.parametrize(
    ("left", "right"),
    [("alpha beta gamma delta", "<one>two, three</one>"), ("x" * 20_001, "y"), ("a" * 5 + " b" * 700, "c")],
    ids=["nothing in common", "too long", "too many pieces"],
)
def test_lines_with_little_in_common_are_told_whole(left: str, right: str) -> None:
    assert runs(left, right, Effort()) is None


def test_a_label_is_made_of_the_first_words() -> None:
    assert (label('<li class="x">a</li>'), label("12 34"), label("Total: 5")) == ("li-class", "", "total")


@given(st.text(max_size=80), st.text(max_size=80))
def test_equal_lines_have_no_stretches_and_unequal_ones_have_some(left: str, right: str) -> None:
    assert runs(left, left, Effort()) == ()
    found = runs(left, right, Effort())
    assert found is None or bool(found) is (left != right)


def test_words_over_and_over_are_matched_until_the_effort_is_spent() -> None:
    effort = Effort()
    left, right = " ".join(["a b c"] * 80), " ".join(["b a c"] * 79)
    assert runs("one red thing", "one thing", effort) is not None
    assert runs(left, right, effort) is None
    assert runs("one red thing", "one thing", effort) is not None
