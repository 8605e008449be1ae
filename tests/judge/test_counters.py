"""Numbers that each release counts up by itself."""

from typing import Any

import pytest

from shadow.judge.counters import Counters
from shadow.judge.noise import Noise, Witness
from shadow.model import Change, Difference

UP = [(101, 7), (102, 9), (104, 10), (105, 11), (108, 14)]


@pytest.mark.parametrize(
    ("pairs", "is_counter"),
    [
        pytest.param(UP, True, id="both rise"),
        pytest.param([(f"ORD-{a}", f"ORD-{b}") for a, b in UP], True, id="within a text"),
        pytest.param(UP[:3], False, id="too few"),
        pytest.param([(5, 6), (3, 4), (9, 10), (1, 2), (4, 5)], False, id="up and down"),
        pytest.param([(each, 5) for each, _ in UP], False, id="the candidate's stands"),
        pytest.param([(f"A-{a}", f"B-{b}") for a, b in UP], False, id="the words differ too"),
        pytest.param([(f"{a}-{a}", f"{b}-{b}") for a, b in UP], False, id="two numbers"),
        pytest.param([(True, False)] * 5, False, id="booleans"),
        pytest.param([(a + 0.5, b + 0.5) for a, b in UP], False, id="fractions"),
    ],
)
def test_a_counter_rises_on_both_sides(pairs: list[tuple[Any, Any]], *, is_counter: bool) -> None:
    counters = Counters()
    for left, right in pairs:
        counters.add("number", left, right)
    assert counters.is_counter("number", *pairs[0]) is is_counter
    assert not counters.is_counter("other", *pairs[0])


def number(left: int, right: int) -> Difference:
    return Difference("body:$.number", Change.VALUE, left, right)


def test_what_is_counted_in_writes_is_known_in_reads_too_but_not_with_a_baseline() -> None:
    noise = Noise()
    for left, right in UP[:3]:
        noise.observe("POST /orders", (number(left, right),), Witness.CANDIDATE)
    asked = number(105, 11)
    assert noise.is_counting(asked)
    assert not noise.forgives("GET /orders/{id}", asked)
    noise.observe("POST /orders", (asked,), Witness.CANDIDATE)
    assert not noise.is_counting(asked)
    assert noise.forgives("GET /orders/{id}", asked)
    noise.observe("POST /orders", (), Witness.LIVE_RELEASE)
    assert not noise.forgives("GET /orders/{id}", asked)
