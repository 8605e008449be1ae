"""All mutators are tried on an endpoint before any is tried there again; then those more that paid."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutators import CATALOG, SESSION_CATALOG, Mutator
from shadow.model import Expect, Level
from shadow.pipeline.energy import Why
from shadow.pipeline.news import Told
from shadow.pipeline.scheduler import Scheduler, chosen
from tests.pipeline.conftest import edits, reply

LEVELS = st.lists(st.sampled_from(list(Level)), min_size=1, max_size=30)


def named(levels: Sequence[Level]) -> list[Mutator]:
    return [edits(Expect.SURVIVE, name=f"m{at}", level=level) for at, level in enumerate(levels)]


def deal(scheduler: Scheduler[Mutator], endpoint: str, exchange: int, count: int) -> list[str]:
    return [mutator.name for mutator, _ in scheduler.deal(endpoint, exchange, count, lambda each: each.name)]


@given(LEVELS, st.lists(st.integers(0, 7), max_size=40), st.integers(0, 5))
def test_every_mutator_is_tried_before_any_is_repeated(
    levels: list[Level], counts: list[int], seed: int
) -> None:
    mutators = named(levels)
    scheduler = Scheduler(mutators, seed=seed)
    tries = Counter({each.name: 0 for each in mutators})
    for exchange, count in enumerate(counts):
        dealt = deal(scheduler, "GET /a", exchange, count)
        assert len(dealt) == len(set(dealt)) == min(count, len(mutators))
        for at, name in enumerate(dealt):
            scheduler.learn("GET /a", name, reply(200 + at), "")
            assert not tries[name] or min(tries.values()) > 0
            tries[name] += 1


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


@given(st.integers(0, 9), st.lists(st.integers(200, 520), min_size=1, max_size=60))
def test_same_answers_in_the_same_order_make_the_same_choice(seed: int, statuses: list[int]) -> None:
    first, second = (Scheduler(CATALOG[:12], seed=seed) for _ in range(2))
    for exchange, status in enumerate(statuses):
        dealt = deal(first, "e", exchange, 3)
        assert dealt == deal(second, "e", exchange, 3)
        for scheduler in (first, second):
            scheduler.learn("e", dealt[0], reply(status), "")


def test_what_is_answered_in_new_ways_is_tried_more() -> None:
    """One of 40 mutators gets answers of ever new shapes; the others get what the original got."""
    mutators = named([Level.HEADER] * 40)
    for seed in range(5):
        scheduler = Scheduler(mutators, seed=seed)
        tries: Counter[str] = Counter()
        scheduler.learn("e", "", reply(200, b'{"id":1}'), "")
        for exchange in range(200):
            for name in deal(scheduler, "e", exchange, 3):
                tries[name] += 1
                body = (
                    b'{"%b":1}' % (b"".join(b"%c" % (97 + int(digit)) for digit in str(exchange)))
                    if name == "m7"
                    else b'{"id":2}'
                )
                scheduler.learn("e", name, reply(200, body), "")
        rest = sorted(count for name, count in tries.items() if name != "m7")
        assert tries["m7"] > 4 * rest[len(rest) // 2]
        assert rest[0] >= 4, "the others are explored yet"


def test_endpoint_that_has_told_all_is_searched_evenly_again() -> None:
    mutators = named([Level.HEADER] * 40)
    scheduler = Scheduler(mutators, seed=1)
    for status in range(200, 220):
        scheduler.learn("e", "m7", reply(status), "")
    counts = []
    for at in range(30):
        dealt = [name for n in range(20) for name in deal(scheduler, "e", at * 20 + n, 3)]
        counts.append(dealt.count("m7"))
        for name in dealt:
            scheduler.learn("e", name, reply(200), "")
    assert max(counts[:5]) > 5
    assert sum(counts[-10:]) < 30


def test_mutator_with_nothing_to_edit_is_asked_ever_more_rarely() -> None:
    mutators = named([Level.HEADER] * 8)
    scheduler = Scheduler(mutators, seed=0)
    asked: list[int] = []

    def attempt(mutator: Mutator, exchange: int) -> str | None:
        if mutator.name != "m3":
            return mutator.name
        asked.append(exchange)
        return None

    for exchange in range(600):
        list(scheduler.deal("e", exchange, 8, lambda each, at=exchange: attempt(each, at)))  # type: ignore[misc]
    gaps = [later - before for before, later in pairwise(asked)]
    assert gaps == sorted(gaps)
    assert len(asked) <= 9


def test_mutator_that_has_something_to_edit_at_last_is_tried_at_once() -> None:
    mutators = named([Level.HEADER] * 8)
    scheduler = Scheduler(mutators, seed=0)
    for exchange in range(20):
        list(scheduler.deal("e", exchange, 8, lambda each: None if each.name == "m3" else each.name))
    dealt = [next(iter(scheduler.plan("e", 20 + at, 1, lambda each: each.name))) for at in range(40)]
    found = next(each for each in dealt if each.mutator.name == "m3")
    assert found.why is Why.FIRST


def test_reasons_are_told() -> None:
    scheduler = Scheduler(named([Level.HEADER] * 4), seed=0)
    first = list(scheduler.plan("e", 0, 4, lambda each: each.name))
    assert {each.why for each in first} == {Why.FIRST}
    scheduler.learn("e", "m2", reply(404), "")
    later = {each.mutator.name: each.why for each in scheduler.plan("e", 1, 4, lambda each: each.name)}
    assert later == dict.fromkeys(["m0", "m1", "m3"], Why.EXPLORED) | {"m2": Why.PAID}


def test_what_others_tried_and_were_paid_counts_here_too() -> None:
    one, other = (Scheduler(named([Level.HEADER] * 6), seed=0) for _ in range(2))
    one.on_tried = lambda endpoint, name, is_made: other.take_over(endpoint, name, 1, int(is_made))
    one.on_told = other.take_over_told
    dealt = deal(one, "e", 0, 4)
    one.learn("e", dealt[0], reply(404), "")
    assert not set(deal(other, "e", 1, 2)) & set(dealt)
    why = {each.mutator.name: each.why for each in other.plan("e", 2, 6, lambda each: each.name)}
    assert why[dealt[0]] is Why.PAID
    told: list[Told] = []
    other.on_told = told.append
    other.learn("e", dealt[0], reply(404), "")
    assert told == [], "it is no news any more"


def test_what_others_did_where_nothing_was_dealt_here_counts_once_it_is() -> None:
    scheduler = Scheduler(named([Level.HEADER] * 6), seed=0)
    for _ in range(1000):
        scheduler.take_over("e", "m1", 3, 2)
        scheduler.take_over("e", "m2", 1, 0)
        scheduler.take_over("e", "nobody", 1, 1)
    assert sorted(deal(scheduler, "e", 0, 4)) == ["m0", "m3", "m4", "m5"]
    assert "m2" not in deal(scheduler, "e", 1, 6), "it rests"


def test_mutator_that_others_found_nothing_for_either_is_asked_as_rarely_and_never_twice_in_a_turn() -> None:
    one, other = (Scheduler(named([Level.HEADER] * 8), seed=0) for _ in range(2))
    one.on_tried = lambda endpoint, name, is_made: other.take_over(endpoint, name, 1, int(is_made))
    other.on_tried = lambda endpoint, name, is_made: one.take_over(endpoint, name, 1, int(is_made))
    turns: list[int] = []
    for exchange in range(600):
        asked: list[str] = []
        list((one, other)[exchange % 2].deal("e", exchange, 8, lambda each, to=asked: to.append(each.name)))  # type: ignore[misc]
        assert len(set(asked)) == len(asked)
        turns.append(len(asked))
    assert sum(turns) <= 9 * 8
    assert sum(turns[300:]) <= 2 * 8


def test_bug_in_a_mutator_lets_others_go_on() -> None:
    scheduler = Scheduler(named([Level.HEADER] * 3), seed=0)

    def broken(mutator: Mutator) -> str:
        raise ZeroDivisionError

    for exchange in range(3):
        with pytest.raises(ZeroDivisionError):
            list(scheduler.deal("e", exchange, 1, broken))
    assert deal(scheduler, "e", 3, 3) == [], "each of them rests"
    dealt = [name for exchange in range(4, 7) for name in deal(scheduler, "e", exchange, 1)]
    assert sorted(dealt) == ["m0", "m1", "m2"]


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


def test_what_an_endpoint_that_was_tried_through_does_without_goes_to_rare_ones() -> None:
    scheduler = Scheduler(named([Level.BODY] * 30), seed=1)
    counts = []
    for exchange in range(30):
        counts.append(scheduler.share("GET /often", 10))
        deal(scheduler, "GET /often", exchange, counts[-1])
    assert counts == [10] * 6 + [5] * 12 + [3] * 12
    rare = [scheduler.share("POST /rare", 10) for _ in range(3)]
    assert rare == [10 + 80, 10 + 64, 10]


def test_few_mutants_are_not_shared_out() -> None:
    scheduler = Scheduler(named([Level.BODY] * 3), seed=1)
    for exchange in range(5):
        deal(scheduler, "GET /often", exchange, scheduler.share("GET /often", 5))
    assert scheduler.share("GET /often", 5) == 5


def turns(scheduler: Scheduler[Mutator], endpoint: str, exchange: int, count: int, varied: str) -> list[str]:
    """The mutators that are dealt: `varied` has a new edit for each exchange, all others one edit."""

    def edit(name: str) -> int:
        return exchange if name == varied else 0

    dealt = scheduler.turns(endpoint, exchange, count, lambda each: each.name, edit)
    return [each.mutator.name for each in dealt]


def test_who_has_new_edits_goes_more_often_than_who_repeats_the_same() -> None:
    scheduler = Scheduler(named([Level.BODY] * 12), seed=2)
    tries = Counter(name for at in range(60) for name in turns(scheduler, "GET /a", at, 2, "m5"))
    assert len(tries) == 12
    others = sorted(tries[name] for name in tries if name != "m5")
    assert tries["m5"] > 1.5 * others[-1]


def test_the_same_again_is_better_than_nothing() -> None:
    scheduler = Scheduler(named([Level.BODY] * 2), seed=2)
    assert [len(turns(scheduler, "GET /a", at, 2, "")) for at in range(9)] == [2] * 9


def test_what_servers_answer_comes_late_where_other_endpoints_have_told_it() -> None:
    levels = [Level.FRAMING] * 6 + [Level.BODY] * 6
    scheduler = Scheduler(named(levels), seed=2)
    framing = {f"m{at}" for at in range(6)}
    for at in range(3):
        assert framing <= set(deal(scheduler, f"GET /{at}", at, 12))
    assert not framing & set(deal(scheduler, "GET /late", 9, 6))
    assert framing & set(deal(scheduler, "POST /other", 10, 6)), "another method is another thing"
    assert framing <= {name for at in range(11, 30) for name in deal(scheduler, "GET /late", at, 2)}


def test_what_was_a_fault_elsewhere_does_not_come_late() -> None:
    scheduler = Scheduler(named([Level.FRAMING] + [Level.BODY] * 6), seed=2)
    for at in range(5):
        deal(scheduler, f"GET /{at}", at, 7)
    assert "m0" not in deal(scheduler, "GET /late", 8, 6)
    scheduler.learn("GET /4", "m0", reply(500), "F100")
    assert "m0" in deal(scheduler, "GET /new", 9, 6)[:3]
