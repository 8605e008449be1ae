"""The test by which drift is weighed: how rarely it is wrong, and that it sees what is there."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.drift import Looks, Tally, discovery_limit, drifts_more, fisher
from shadow.judge.noise import Noise, Witness
from shadow.model import Change, Difference

EP = "GET /v1/x"


def tally(compared: int, **places: int) -> Tally:
    made = Tally()
    for number in range(compared):
        made.add([each for each, count in places.items() if number < count], (), 1.0, 100)
    return made


@pytest.mark.parametrize(
    ("hits", "tries", "noise_hits", "noise_tries", "chance"),
    [
        (3, 3, 0, 3, 1 / 20),
        (0, 5, 3, 5, 1.0),
        (4, 4, 0, 5, 1 / 126),
        (1, 1, 1, 1, 1.0),
    ],
)
def test_the_exact_test_gives_what_a_table_says(
    hits: int, tries: int, noise_hits: int, noise_tries: int, chance: float
) -> None:
    assert fisher(hits, tries, noise_hits, noise_tries) == pytest.approx(chance)


counts = st.integers(0, 300)


@given(counts, counts, counts, counts)
def test_a_chance_is_a_chance_and_falls_with_more_hits(hits: int, misses: int, noise: int, none: int) -> None:
    tries, noise_tries = hits + misses + 1, noise + none + 1
    chance = fisher(hits, tries, noise, noise_tries)
    assert 0 <= chance <= 1 + 1e-9
    if tries <= 100 >= noise_tries:
        assert fisher(hits + 1, tries, noise, noise_tries) <= chance + 1e-9


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.floats(0.001, 0.2))
def test_what_is_told_by_discovery_rate_lies_between_a_test_alone_and_bonferroni(
    chances: list[float], rate: float
) -> None:
    limit = discovery_limit(chances, rate)
    told = [each for each in chances if each <= limit]
    assert all(each <= rate for each in told)
    assert all(each in told for each in chances if each <= rate / len(chances))
    assert len(told) == 0 or max(told) <= rate * len(told) / len(chances)


def test_one_of_many_places_needs_more_than_one_alone() -> None:
    noise = tally(12, load=1, **{f"other{at}": 6 for at in range(30)})
    suspect = tally(12, load=8, **{f"other{at}": 6 for at in range(30)})
    assert fisher(8, 12, 1, 12) < 0.01
    assert not drifts_more(suspect, noise, "load", 0.01)
    assert drifts_more(tally(12, load=8), tally(12, load=1), "load", 0.01)


def test_several_real_shifts_help_each_other() -> None:
    others = {f"other{at}": 4 for at in range(6)}
    shifted = {f"shift{at}": 9 for at in range(6)}
    usual = {f"shift{at}": 1 for at in range(6)}
    chance = fisher(9, 14, 1, 14)
    noise, suspect = tally(14, **usual, **others), tally(14, **shifted, **others)
    assert 0.005 / 12 < chance < 0.005 / 2
    assert all(drifts_more(suspect, noise, place, 0.005) for place in shifted)
    assert not any(drifts_more(suspect, noise, place, 0.005) for place in others)


def test_asking_again_without_more_comparisons_is_no_new_test() -> None:
    looks, asked = Looks(), []

    def test(significance: float) -> bool:
        asked.append(significance)
        return False

    for sample in range(1, 200):
        looks.at(EP, "load", sample, test, 0.01)
        looks.at(EP, "load", sample, test, 0.01)
    assert len(asked) == 8
    assert sum(asked) < 0.01


def told_of(rng: Random, rates: dict[str, tuple[float, float]], exchanges: int) -> set[str]:
    """Places that were ever told in a run of so many exchanges; rates are of live release and candidate."""
    noise, told = Noise(), set()
    for place in rates:  # known to drift at all
        noise.observe(EP, (Difference(place, Change.VALUE, 1, 2),), Witness.LIVE_RELEASE)
    for _ in range(exchanges):
        for at, witness in enumerate((Witness.LIVE_RELEASE, Witness.CANDIDATE)):
            drifted = [
                Difference(place, Change.VALUE, 1, 2)
                for place, rate in rates.items()
                if rng.random() < rate[at]
            ]
            noise.observe(EP, drifted, witness)
        for place in rates:
            if place not in told and not noise.forgives(EP, Difference(place, Change.VALUE, 1, 2)):
                told.add(place)
    return told


def test_under_the_null_hardly_an_endpoint_is_told_of_however_often_it_is_looked_at() -> None:
    """1 % over a whole run, of which each is looked at after every one of 120 exchanges."""
    rng = Random(7)
    endpoints = 120
    false = 0
    for _ in range(endpoints):
        rates = {f"body:$.p{chr(97 + at)}": (rate := rng.uniform(0.05, 0.95), rate) for at in range(3)}
        false += bool(told_of(rng, rates, 120))
    assert false <= 5  # with a rate of 1 % more than five in 120 have a chance below 0.2 %


@pytest.mark.parametrize(
    ("usual", "now", "exchanges"), [(0.02, 1.0, 14), (0.1, 0.9, 40), (0.3, 0.9, 60), (0.1, 0.5, 120)]
)
def test_a_real_shift_is_told_beside_places_that_only_drift(usual: float, now: float, exchanges: int) -> None:
    rng = Random(11)
    told = []
    for _ in range(30):
        rates = {"body:$.x": (usual, now)} | {f"body:$.q{chr(97 + at)}": (0.4, 0.4) for at in range(2)}
        told.append("body:$.x" in told_of(rng, rates, exchanges))
    assert sum(told) >= 26
