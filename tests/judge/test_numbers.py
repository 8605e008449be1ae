"""Numbers of ids that nothing explains."""

from typing import Any

import pytest

from shadow.judge.noise import Noise, NoiseSettings, Witness
from shadow.model import Change, Difference

READ = "GET /old"
MAKE = "POST /things"
REDIRECT = "header:location"


def value(where: str, left: Any, right: Any) -> Difference:
    return Difference(where, Change.VALUE, left, right)


def steady(*, times: int = 3, settings: NoiseSettings | None = None) -> Noise:
    """What is known once the baseline answered as live `times` times."""
    noise = Noise(settings)
    for _ in range(times):
        noise.observe(READ, (), Witness.LIVE_RELEASE)
    return noise


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param(value(REDIRECT, "/page/1", "/page/2"), id="redirect"),
        pytest.param(value("body:$.owner_id", 41, 42), id="member"),
        pytest.param(value("body:$.ref_id", "vm-41", "vm-42"), id="within a text"),
    ],
)
def test_a_number_that_the_baseline_always_has_as_live_is_no_chance(difference: Difference) -> None:
    assert steady().is_another_number(READ, difference)
    assert not steady(times=2).is_another_number(READ, difference)


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param(value("body:$.count", 41, 42), id="no id"),
        pytest.param(value(REDIRECT, "/things/1/2", "/things/2/3"), id="two numbers"),
        pytest.param(value(REDIRECT, "/things/1", "/others/2"), id="more than a number"),
        pytest.param(value("body:$.id", 1234567890123, 1234567890124), id="long"),
        pytest.param(value("body:$.is_id", True, False), id="no number"),
        pytest.param(Difference("body:$.id", Change.TYPE, 41, "42"), id="type"),
    ],
)
def test_what_is_not_one_short_number_of_an_id_is_left_to_the_other_rules(difference: Difference) -> None:
    assert not steady().is_another_number(READ, difference)


def test_what_the_baseline_gave_anew_once_may_be_another_number() -> None:
    noise = steady(times=9)
    noise.observe(READ, (value(REDIRECT, "/page/1", "/page/7"),), Witness.LIVE_RELEASE)
    assert not noise.is_another_number(READ, value(REDIRECT, "/page/1", "/page/2"))


def test_what_was_made_explains_the_redirect_to_it_and_any_id_elsewhere() -> None:
    noise = steady()
    noise.observe(MAKE, (value(REDIRECT, "/things/41", "/things/42"),), Witness.CANDIDATE)
    assert not noise.is_another_number(READ, value(REDIRECT, "/things/41", "/things/42"))
    assert noise.is_another_number(READ, value(REDIRECT, "/page/1", "/page/2"))
    assert not noise.is_another_number(READ, value("body:$.line_id", 7, 8))


def test_answers_to_what_makes_something_and_ignored_places_are_free() -> None:
    noise = steady(settings=NoiseSettings(ignore=("header:location",)))
    for _ in range(3):
        noise.observe(MAKE, (), Witness.LIVE_RELEASE)
    assert not noise.is_another_number(READ, value(REDIRECT, "/page/1", "/page/2"))
    assert not noise.is_another_number(MAKE, value("body:$.id", 41, 42))
