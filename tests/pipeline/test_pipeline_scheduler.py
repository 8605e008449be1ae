"""All mutators are tried on an endpoint before any is tried there again."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutators import CATALOG, SESSION_CATALOG, Mutator
from shadow.model import Expect, Level
from shadow.pipeline.scheduler import Scheduler, chosen
from tests.pipeline.conftest import edits

LEVELS = st.lists(st.sampled_from(list(Level)), min_size=1, max_size=30)


def named(levels: Sequence[Level]) -> list[Mutator]:
    return [edits(Expect.SURVIVE, name=f"m{at}", level=level) for at, level in enumerate(levels)]


def deal(scheduler: Scheduler[Mutator], endpoint: str, exchange: int, count: int) -> list[str]:
    return [mutator.name for mutator, _ in scheduler.deal(endpoint, exchange, count, lambda each: each.name)]


@given(LEVELS, st.lists(st.integers(0, 7), max_size=40), st.integers(0, 5))
def test_no_mutator_is_dealt_twice_more_than_another(
    levels: list[Level], counts: list[int], seed: int
) -> None:
    mutators = named(levels)
    scheduler = Scheduler(mutators, seed=seed)
    tries = Counter({each.name: 0 for each in mutators})
    for exchange, count in enumerate(counts):
        dealt = deal(scheduler, "GET /a", exchange, count)
        assert len(dealt) == len(set(dealt)) == min(count, len(mutators))
        tries.update(dealt)
        assert max(tries.values()) - min(tries.values()) <= 1


@given(LEVELS, st.sets(st.integers(0, 29)), st.integers(1, 4))
def test_every_editable_mutator_has_its_turn_before_any_is_repeated(
    levels: list[Level], barren: set[int], count: int
) -> None:
    mutators = named(levels)
    fertile = {each.name for at, each in enumerate(mutators) if at not in barren}
    scheduler = Scheduler(mutators, seed=0)
    dealt: list[str] = []
    exchange = 0
    while len(dealt) < len(fertile):
        made = scheduler.deal("e", exchange, count, lambda each: each.name if each.name in fertile else None)
        dealt += [mutator.name for mutator, _ in made]
        exchange += 1
        assert exchange <= len(mutators), "each deal tries something new"
    assert set(dealt[: len(fertile)]) == fertile


def test_whole_catalogue_is_dealt_with_a_budget_of_three() -> None:
    scheduler = Scheduler(CATALOG, seed=3)
    rounds = -(-len(CATALOG) // 3)
    dealt = [name for exchange in range(rounds) for name in deal(scheduler, "GET /a", exchange, 3)]
    assert set(dealt[: len(CATALOG)]) == {each.name for each in CATALOG}


def test_endpoints_are_counted_apart() -> None:
    scheduler = Scheduler(named([Level.HEADER] * 4), seed=0)
    first = deal(scheduler, "GET /a", 0, 4)
    assert set(deal(scheduler, "GET /b", 1, 2)) < set(first)
    assert len(deal(scheduler, "GET /a", 2, 4)) == 4


@given(st.integers(0, 2**32), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=10))
def test_same_seed_deals_the_same(seed: int, asked: list[tuple[str, int]]) -> None:
    first, second = (Scheduler(CATALOG[:20], seed=seed) for _ in range(2))
    for exchange, (endpoint, count) in enumerate(asked):
        assert deal(first, endpoint, exchange, count) == deal(second, endpoint, exchange, count)


def test_seeds_deal_differently() -> None:
    orders = {tuple(deal(Scheduler(CATALOG, seed=seed), "e", 0, 5)) for seed in range(20)}
    assert len(orders) > 15


def test_levels_take_turns_and_bodies_get_three_places_in_each() -> None:
    levels = [Level.BODY] * 30 + [Level.AUTH] * 2 + [Level.HEADER] * 10
    mutators = {each.name: each for each in named(levels)}
    for seed in range(20):
        first = deal(Scheduler(list(mutators.values()), seed=seed), "e", 0, 10)
        counts = Counter(mutators[name].level for name in first)
        assert counts == {Level.BODY: 6, Level.AUTH: 2, Level.HEADER: 2}


def test_nothing_is_tried_without_a_budget() -> None:
    def refuse(_: Mutator) -> str:
        raise AssertionError

    scheduler = Scheduler(CATALOG, seed=0)
    assert list(scheduler.deal("e", 0, 0, refuse)) == []


@pytest.mark.parametrize(
    ("wanted", "unwanted", "expected"),
    [
        (["*"], [], len(CATALOG)),
        ([], [], 0),
        (["*"], ["*"], 0),
        (["credential_*"], ["credential_emptied"], None),
        (["level:auth", "level:body"], [], None),
        (["expect:reject"], ["level:auth"], None),
    ],
    ids=["all", "none", "all unwanted", "by name", "by level", "by expectation"],
)
def test_mutators_are_chosen_by_name_level_and_expectation(
    wanted: list[str], unwanted: list[str], expected: int | None
) -> None:
    found = chosen(CATALOG, wanted=wanted, unwanted=unwanted)
    if expected is not None:
        assert len(found) == expected
        return
    assert found
    assert len(found) < len(CATALOG)
    for each in found:
        words = {each.name, f"level:{each.level}", f"expect:{each.expect}"}
        if each.name.startswith("credential_"):
            words.add("credential_*")
        assert words & {*wanted}
        assert not words & {*unwanted}


def test_session_mutators_are_chosen_alike() -> None:
    races = chosen(SESSION_CATALOG, wanted=["level:race"], unwanted=[])
    assert {each.level for each in races} == {Level.RACE}
