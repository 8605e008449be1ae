"""Stacks are dealt once every single edit was tried at an endpoint, and take no place from those before."""

from collections.abc import Sequence

from mutators import Mutator, Stack
from shadow.model import JOINT, STACKED, Expect, Request
from shadow.pipeline.stacking import Stacking
from tests.pipeline.conftest import Bench, always, edits, exchange, reply

ENDPOINT = "GET /v1/x"
NAMES = ("aa", "bb", "cc", "dd", "ee", "ff")


def named(*names: str) -> list[Mutator]:
    return [edits(Expect.SURVIVE, name=name, headers=((name.encode(), b"1"),)) for name in names]


def known(stacking: Stacking, names: Sequence[str] = NAMES, *, rounds: int = 2) -> None:
    for _ in range(rounds):
        for each in named(*names):
            stacking.note(ENDPOINT, each, is_made=True)


def dealt(stacking: Stacking, number: int, count: int = 3) -> list[str]:
    return [stack.name for stack, _ in stacking.deal(ENDPOINT, number, count, lambda stack: stack)]


def test_no_place_is_a_stacks_before_a_single_edit_comes_again() -> None:
    stacking = Stacking(most=3, seed=0)
    assert stacking.places(ENDPOINT, 0, 100) == 0
    known(stacking, rounds=1)
    assert stacking.places(ENDPOINT, 0, 100) == 0
    stacking.note(ENDPOINT, named("aa")[0], is_made=True)
    assert 15 < stacking.places(ENDPOINT, 0, 100) < 50
    assert stacking.places("GET /other", 0, 100) == 0


def test_most_mutants_stay_single_edits() -> None:
    stacking = Stacking(most=3, seed=0)
    known(stacking)
    places = sum(stacking.places(ENDPOINT, number, 3) for number in range(1000))
    assert 800 < places < 1200


def test_stacks_have_so_many_edits_at_most_and_two_most_often() -> None:
    stacking = Stacking(most=4, seed=0)
    known(stacking)
    sizes = [len(name.split(JOINT)) for number in range(300) for name in dealt(stacking, number, 1)]
    assert set(sizes) == {2, 3, 4}
    assert sizes.count(2) > len(sizes) * 0.4
    assert min(sizes.count(3), sizes.count(4)) > len(sizes) * 0.15


def test_one_edit_at_most_gives_no_stacks() -> None:
    stacking = Stacking(most=1, seed=0)
    known(stacking)
    assert stacking.places(ENDPOINT, 0, 100) == 0


def test_only_edits_that_found_something_before_are_combined() -> None:
    stacking = Stacking(most=3, seed=0)
    known(stacking, NAMES[:2])
    for each in named(*NAMES[2:]):
        stacking.note(ENDPOINT, each, is_made=False)
    names = {name for number in range(50) for name in dealt(stacking, number)}
    assert names <= {"aa+bb", "bb+aa"}
    assert names


def test_the_same_seed_and_exchange_give_the_same_stacks() -> None:
    one, other = Stacking(most=3, seed=7), Stacking(most=3, seed=7)
    known(one)
    known(other)
    assert [dealt(one, number) for number in range(20)] == [dealt(other, number) for number in range(20)]
    different = Stacking(most=3, seed=8)
    known(different)
    assert [dealt(one, number) for number in range(20)] != [dealt(different, number) for number in range(20)]


def test_a_stack_that_cannot_be_made_is_drawn_anew() -> None:
    stacking = Stacking(most=2, seed=0)
    known(stacking)
    tried: list[str] = []

    def attempt(stack: Stack) -> Stack | None:
        tried.append(stack.name)
        return None if len(tried) < 3 else stack

    assert len(list(stacking.deal(ENDPOINT, 0, 1, attempt))) == 1
    assert len(tried) == 3


async def test_stacks_are_sent_within_the_budget_and_count_as_tried_and_under_one_label() -> None:
    bench = Bench(always(reply()), mutators=named("aa", "bb", "cc"), mutants=3, stack=3)
    for number in range(12):
        await bench.conduct(exchange("GET /v1/x", number))
    trials = [each for each in bench.trials_heard if each.mutator]
    stacks = [each for each in trials if JOINT in (each.mutator or "")]
    assert stacks
    assert all(each.exchange > 0 for each in stacks), "the first exchange has every single edit"
    assert {each.label for each in stacks} == {STACKED}
    assert all(len(each.edits) == len((each.mutator or "").split(JOINT)) for each in stacks)
    per_exchange = [sum(each.exchange == number for each in trials) for number in range(12)]
    assert set(per_exchange) <= {2, 3}
    assert bench.candidate.requests


async def test_all_targets_are_given_the_same_stack() -> None:
    def seen(asked: list[Request]) -> set[tuple[bytes, ...]]:
        return {tuple(name for name, _ in each.headers if name in (b"aa", b"bb")) for each in asked}

    bench = Bench(always(reply()), always(reply()), mutators=named("aa", "bb"), mutants=2, stack=2)
    for number in range(8):
        await bench.conduct(exchange("GET /v1/x", number))
    assert bench.baseline is not None
    assert seen(bench.candidate.requests) == seen(bench.baseline.requests)
    assert any(len(names) == 2 for names in seen(bench.candidate.requests))
