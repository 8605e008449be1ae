"""Delta debugging: what is returned fails, cannot lose one item more, and costs a bounded number of tries."""

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from shadow.judge.fewest import Search, fewest


def searched[T](search: Search[T], fails: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """What `search` comes to, where `fails` answers it."""
    try:
        proposal = next(search)
        while True:
            proposal = search.send(fails(proposal))
    except StopIteration as end:
        found: tuple[T, ...] = end.value
        return found


@given(st.integers(0, 24).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, max(0, n - 1))))))
def test_exactly_the_items_that_must_come_together_are_left(drawn: tuple[int, set[int]]) -> None:
    count, needed = drawn
    needed = needed & set(range(count))
    assert searched(fewest(range(count)), lambda kept: needed <= set(kept)) == tuple(sorted(needed))


@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_whatever_fails_no_item_of_the_result_can_go_and_nothing_is_asked_twice(
    count: int, random: object
) -> None:
    """Failures that follow no rule at all."""
    said: dict[tuple[int, ...], bool] = {tuple(range(count)): True}

    def fails(kept: tuple[int, ...]) -> bool:
        assert kept not in said
        said[kept] = random.random() < 0.3  # type: ignore[attr-defined]
        return said[kept]

    found = searched(fewest(range(count)), fails)
    assert said[found]
    for at in range(len(found)):
        assert said[found[:at] + found[at + 1 :]] is False
    assert len(said) <= count * count + 3 * count + 2


@given(st.integers(2, 400), st.data())
def test_one_needed_item_of_many_is_found_by_halves(count: int, data: st.DataObject) -> None:
    needed = data.draw(st.integers(0, count - 1))
    tries = 0

    def fails(kept: tuple[int, ...]) -> bool:
        nonlocal tries
        tries += 1
        return needed in kept

    assert searched(fewest(range(count)), fails) == (needed,)
    assert tries <= 2 * count.bit_length() + 3


@given(st.integers(1, 9))
def test_at_least_so_many_items_are_left(count: int) -> None:
    asked: list[tuple[int, ...]] = []

    def fails(kept: tuple[int, ...]) -> bool:
        asked.append(kept)
        return True

    assert len(searched(fewest(range(count), at_least=1), fails)) == 1
    assert () not in asked


def test_without_items_nothing_is_asked() -> None:
    assert searched(fewest(()), lambda _: False) == ()
