"""Quantiles of lateness, right to a tenth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.sinks.lateness import Lateness


def of(seconds: list[float]) -> Lateness:
    lateness = Lateness()
    for each in seconds:
        lateness.add(each)
    return lateness


def test_nothing_counted_is_not_late() -> None:
    assert Lateness().summary() == {"requests": 0, "p50_seconds": 0, "p99_seconds": 0, "max_seconds": 0}


@given(st.lists(st.floats(0.0, 1e4), min_size=1), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_never_below_the_true_one_and_at_most_a_tenth_above(
    seconds: list[float], share: float
) -> None:
    ordered = sorted(seconds)
    true = next(each for at, each in enumerate(ordered, 1) if at >= share * len(ordered))
    told = of(seconds).quantile(share)
    assert true <= told * (1 + 1e-9)
    assert told <= max(true * 1.1 * (1 + 1e-9), 1e-4)


def test_one_in_a_hundred_shows_in_the_maximum_alone() -> None:
    lateness = of([0.001] * 99 + [2.0])
    assert lateness.quantile(0.99) == pytest.approx(0.001, rel=0.1)
    assert lateness.max_seconds == 2.0


def test_years_find_a_place() -> None:
    assert of([1e12]).quantile(0.5) == 1e12
