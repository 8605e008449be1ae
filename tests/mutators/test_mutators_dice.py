"""The dice of a mutant: the same arguments throw the same, fairly, however often."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutators import dice

THROWS = st.lists(
    st.one_of(
        st.integers(0, 700).map(lambda bits: ("getrandbits", bits)),
        st.integers(1, 1 << 40).map(lambda stop: ("randrange", stop)),
        st.sampled_from((("random",), ("gauss",), ("uniform", 1.0, 2.0))),
        st.integers(1, 300).map(lambda count: ("sample", range(300), count)),
    ),
    max_size=30,
)


@given(st.integers(), st.integers(), st.text(), THROWS)
def test_same_arguments_throw_the_same(
    seed: int, exchange: int, name: str, throws: list[tuple[Any, ...]]
) -> None:
    one, other = dice(seed, exchange, name), dice(seed, exchange, name)
    assert [getattr(one, how)(*what) for how, *what in throws] == [
        getattr(other, how)(*what) for how, *what in throws
    ]


@pytest.mark.parametrize(
    "others",
    [(2, 2, "a", 0), (1, 3, "a", 0), (1, 2, "b", 0), (1, 2, "a", 1)],
    ids=["seed", "exchange", "name", "attempt"],
)
def test_each_argument_counts(others: tuple[int, int, str, int]) -> None:
    assert dice(1, 2, "a", 0).getrandbits(128) != dice(*others).getrandbits(128)


def test_throws_are_fair_across_mutants_and_within_one() -> None:
    first = Counter(dice(0, exchange, "m").randrange(6) for exchange in range(6000))
    rng = dice(0, 0, "m")
    within = Counter(rng.randrange(6) for _ in range(6000))
    for counts in (first, within):
        assert len(counts) == 6
        assert all(850 < count < 1150 for count in counts.values())


def test_long_shuffle_comes_to_an_end() -> None:
    rng = dice(0, 0, "m")
    items = list(range(5000))
    rng.shuffle(items)
    assert sorted(items) == list(range(5000)) != items
    assert len({rng.random() for _ in range(1000)}) == 1000


def test_throws_are_fractions_of_one() -> None:
    assert all(0.0 <= dice(0, at, "m").random() < 1.0 for at in range(500))
