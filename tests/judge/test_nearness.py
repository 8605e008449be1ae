"""Fractions within the tolerance of the settings."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge import Noise, NoiseSettings
from shadow.judge.nearness import are_near
from shadow.model import Change, Difference


@pytest.mark.parametrize(
    ("left", "right", "tolerance", "expected"),
    [
        (0.1234567, 0.1234568, 1e-6, True),
        (0.1234567, 0.1234568, 1e-9, False),
        (0.1234567, 0.1234568, 0.0, False),
        (12.34, 12.35, 0.1, False),
        (12, 13, 0.5, False),
        (1000, 1000.001, 1e-5, True),
        (-0.12345, 0.12345, 0.5, False),
        ("0.12345", "0.12346", 0.1, False),
        (True, 0.99999, 0.1, False),
        (None, 0.99999, 0.1, False),
    ],
)
def test_fractions_are_near_and_money_is_not(left: Any, right: Any, tolerance: float, expected: bool) -> None:
    assert are_near(left, right, tolerance) is expected
    assert are_near(right, left, tolerance) is expected


@given(st.floats(), st.floats(), st.floats(0, 1))
def test_any_numbers_may_be_asked_about(left: float, right: float, tolerance: float) -> None:
    assert are_near(left, right, tolerance) in (True, False)


def test_what_is_within_the_tolerance_is_forgiven_and_listed() -> None:
    noise = Noise(NoiseSettings(float_tolerance=1e-3))
    assert noise.forgives("GET /x", Difference("body:$.score", Change.VALUE, 0.87651, 0.87652))
    assert not noise.forgives("GET /x", Difference("body:$.price", Change.VALUE, 100.01, 100.02))
    assert [each.why for each in noise.forgiven()] == ["within the tolerance of fractions"]
