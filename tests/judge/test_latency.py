"""Distributions of times: what is slower, and what only looks so."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.latency import (
    Latencies,
    discoveries,
    is_apart,
    is_slower,
    mann_whitney,
    quantile,
    spread,
)
from shadow.model import AnswerClass

KEY = ("GET /a", AnswerClass.SUCCESS)
SECONDS = st.lists(st.floats(0.0005, 10), min_size=1, max_size=60)


def times(count: int, usual: float, seed: int, *, load: float = 3.0) -> list[float]:
    """What a busy machine makes of a time: mostly a little more, now and then a lot."""
    rng = Random(seed)
    return [usual * rng.lognormvariate(0, 0.5) * (load if rng.random() < 0.1 else 1) for _ in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_a_release_beside_itself_is_never_slower(seed: int) -> None:
    latencies = Latencies()
    for endpoint in range(20):
        pairs = zip(times(120, 0.02, seed * 100 + endpoint), times(120, 0.02, seed + 7000), strict=True)
        for ours, theirs in pairs:
            latencies.note_pair(f"GET /{endpoint}", AnswerClass.SUCCESS, ours, theirs)
    assert latencies.suspects() == set()


@pytest.mark.parametrize(
    ("ours", "theirs", "is_found"),
    [
        pytest.param(0.06, 0.02, True, id="three times as long"),
        pytest.param(0.026, 0.02, False, id="a third longer"),
        pytest.param(0.004, 0.001, False, id="four times, and nobody's concern"),
        pytest.param(0.02, 0.06, False, id="faster"),
    ],
)
def test_a_slower_endpoint_is_found_among_others(ours: float, theirs: float, *, is_found: bool) -> None:
    latencies = Latencies()
    for at in range(10):
        for one, other in zip(times(60, 0.02, at), times(60, 0.02, at + 50), strict=True):
            latencies.note_pair(f"GET /{at}", AnswerClass.SUCCESS, one, other)
    for one, other in zip(times(60, ours, 98), times(60, theirs, 99), strict=True):
        latencies.note_pair(*KEY, one, other)
    assert latencies.suspects() == ({KEY} if is_found else set())
    if is_found:
        spreads = latencies.spreads(KEY)
        assert spreads[0].p50 > 2 * spreads[1].p50
        assert spreads[0].count == 60
        assert "p95" in str(spreads[0])


def test_few_answers_prove_nothing() -> None:
    latencies = Latencies()
    worth = [latencies.note_pair(*KEY, 1.0, 0.01) for _ in range(29)]
    assert not any(worth)
    assert latencies.suspects() == set()
    assert latencies.note_pair(*KEY, 1.0, 0.01)
    assert latencies.suspects() == {KEY}


def test_what_is_usual_is_not_known_from_few() -> None:
    latencies = Latencies()
    for _ in range(4):
        latencies.note("GET /a", 0.01)
    assert latencies.usual("GET /a") == 0.0
    latencies.note("GET /a", 0.5)
    assert latencies.usual("GET /a") == 0.5


def test_slowness_elsewhere_makes_slowness_doubtful() -> None:
    latencies = Latencies()
    for _ in range(30):
        latencies.note_pair(*KEY, 0.05, 0.01)
    assert not latencies.others_are_slower(KEY)
    for _ in range(30):
        latencies.note_pair("GET /b", AnswerClass.SUCCESS, 0.05, 0.01)
    assert latencies.others_are_slower(KEY)


@given(SECONDS, SECONDS)
def test_chances_are_chances_and_add_up(ours: list[float], theirs: list[float]) -> None:
    one, other = mann_whitney(ours, theirs), mann_whitney(theirs, ours)
    assert 0.0 <= one <= 1.0
    assert one + other >= 1.0


@given(SECONDS)
def test_nothing_is_slower_than_itself(seconds: list[float]) -> None:
    assert not is_slower(seconds, seconds)
    assert not is_apart(seconds, seconds, factor=1.0, seconds=0.0001)


@given(SECONDS)
def test_the_three_numbers_are_in_order_and_of_the_sample(seconds: list[float]) -> None:
    found = spread(seconds)
    assert min(seconds) <= found.p50 <= found.p95 <= found.p99 == quantile(seconds, 0.99)


@pytest.mark.parametrize(
    ("slow", "usual", "expected"),
    [
        pytest.param([0.2] * 5, [0.01] * 5, True, id="all apart"),
        pytest.param([0.2] * 4 + [0.011], [0.01] * 4 + [0.3], True, id="one exception on each side"),
        pytest.param([0.2] * 3 + [0.01] * 2, [0.01] * 5, False, id="too many exceptions"),
        pytest.param([0.025] * 5, [0.01] * 5, False, id="too little to matter"),
    ],
)
def test_two_samples_are_apart(slow: list[float], usual: list[float], *, expected: bool) -> None:
    assert is_apart(slow, usual, factor=2.0, seconds=0.03) is expected


def test_many_questions_make_no_discovery_by_chance() -> None:
    by_chance = {at: (at + 1) / 101 for at in range(100)}
    assert discoveries(by_chance, 0.01) == set()
    assert discoveries(by_chance | {-1: 1e-7}, 0.01) == {-1}
