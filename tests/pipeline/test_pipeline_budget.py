"""An endpoint gets so many mutants in a run, all endpoints so many in a minute; the rest is counted."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutators import Stack
from shadow.model import Event, Expect, HeldBack, Level
from shadow.pipeline.budget import Budget, BudgetSettings
from shadow.pipeline.dealing import Dealing, TrialSettings
from shadow.pipeline.scheduler import Scheduler
from shadow.replay import Spending
from tests.pipeline.conftest import Bench, always, edits, exchange, reply


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def budget(
    endpoint: int = 0, minute: int = 0, hear: Callable[[Event], None] = lambda _: None, **parts: object
) -> tuple[Budget, Clock]:
    clock = Clock()
    return Budget(BudgetSettings(endpoint, minute), hear=hear, clock=clock, **parts), clock  # type: ignore[arg-type]


def test_endpoint_gets_its_budget_and_no_more() -> None:
    heard: list[Event] = []
    made, _ = budget(endpoint=5, hear=heard.append)
    assert [made.grant("a", 3) for _ in range(3)] == [3, 2, 0]
    assert made.grant("b", 3) == 3
    assert heard == [HeldBack("endpoint", 1), HeldBack("endpoint", 3)]


def test_what_was_not_made_may_be_made_later() -> None:
    made, _ = budget(endpoint=5, minute=5)
    assert made.grant("a", 5) == 5
    made.give_back("a", 2)
    assert made.grant("a", 3) == 2


def test_minute_is_any_sixty_seconds() -> None:
    heard: list[Event] = []
    made, clock = budget(minute=4, hear=heard.append)
    assert made.grant("a", 3) == 3
    clock.now += 30
    assert made.grant("b", 3) == 1
    clock.now += 29
    assert made.grant("a", 3) == 0
    clock.now += 1
    assert made.grant("a", 5) == 3
    assert heard == [HeldBack("minute", 2), HeldBack("minute", 3), HeldBack("minute", 2)]


@given(
    st.lists(st.tuples(st.floats(0, 50), st.sampled_from("abc"), st.integers(0, 5)), max_size=60),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_no_endpoint_and_no_minute_gets_more(
    asked: list[tuple[float, str, int]], endpoint: int, minute: int
) -> None:
    heard: list[HeldBack] = []
    made, clock = budget(endpoint, minute, hear=heard.append)  # type: ignore[arg-type]
    granted: list[tuple[float, str, int]] = []
    for seconds, name, count in asked:
        clock.now += seconds
        granted.append((clock.now, name, made.grant(name, count)))
        last = sum(each for at, _, each in granted if at > clock.now - 59)
        assert last <= minute
    for name in "abc":
        assert sum(each for _, of, each in granted if of == name) <= endpoint
    wanted, given_out = sum(each[2] for each in asked), sum(each[2] for each in granted)
    assert sum(each.count for each in heard) == wanted - given_out


def test_processes_share_one_budget() -> None:
    spending = Spending()
    one, _ = budget(endpoint=5, minute=7, spending=spending)
    other, _ = budget(endpoint=5, minute=7, spending=spending)
    assert [one.grant("a", 3), other.grant("a", 3), other.grant("b", 3)] == [3, 2, 2]
    spending.close()


def test_more_endpoints_than_there_are_places_are_counted_as_one() -> None:
    made, _ = budget(endpoint=2)
    granted = [made.grant(f"GET /{number}", 2) for number in range(6000)]
    assert granted[:1000] == [2] * 1000
    assert sum(granted) < 2 * 6000
    assert made.grant("GET /0", 1) == 0


@pytest.mark.parametrize(("endpoint", "minute"), [(0, 0), (7, 0), (0, 7)], ids=["none", "endpoint", "minute"])
def test_scheduler_deals_as_far_as_the_budget_goes(endpoint: int, minute: int) -> None:
    heard: list[Event] = []
    made, _ = budget(endpoint, minute, heard.append)
    mutators = [edits(Expect.SURVIVE, name=f"m{at}", level=Level.HEADER) for at in range(9)]
    scheduler = Scheduler(mutators, seed=0, budget=made)
    dealt = [len(list(scheduler.deal("e", at, 3, lambda each: each.name))) for at in range(4)]
    assert dealt == ([3, 3, 1, 0] if endpoint or minute else [3, 3, 3, 3])
    assert sum(each.count for each in heard if isinstance(each, HeldBack)) == 12 - sum(dealt)


def test_scheduler_gives_back_what_it_had_nothing_for() -> None:
    made, _ = budget(endpoint=6)
    mutators = [edits(Expect.SURVIVE, name=f"m{at}", level=Level.HEADER) for at in range(4)]
    scheduler = Scheduler(mutators, seed=0, budget=made)
    assert list(scheduler.deal("e", 0, 5, lambda _: None)) == []
    counts = [len(list(scheduler.deal("e", at, 2, lambda each: each.name))) for at in range(1, 12)]
    assert sum(counts) == 6
    assert all(before >= after or not before for before, after in pairwise(counts[4:]))


async def test_what_is_held_back_is_counted_once_where_some_would_have_been_stacked() -> None:
    heard: list[Event] = []
    made, _ = budget(endpoint=20, hear=heard.append)
    mutators = [
        edits(Expect.SURVIVE, name=f"m{at}", level=Level.HEADER, headers=((b"x-at", b"%d" % at),))
        for at in range(4)
    ]
    bench = Bench(always(reply()), mutators=mutators)
    settings = TrialSettings(0, 6, may_write=False, stack=2)
    dealing = Dealing(bench.environment, Scheduler(mutators, seed=0, budget=made), settings, bench.governor)
    counts = []
    for at in range(8):
        case = bench.case(exchange("GET /a", at))
        dealt = dealing.mutants(case, bench.environment.prepare(case.exchange, "s").candidate)
        counts.append((len(dealt), sum(isinstance(each.mutator, Stack) for each in dealt)))
    assert sum(each for each, _ in counts) == 20
    assert any(stacks for _, stacks in counts)
    used_up = counts[counts.index((0, 0)) :]
    told = [each.count for each in heard if isinstance(each, HeldBack)]
    assert told[-len(used_up) :] == [6] * len(used_up)
