"""Lists and sets, told apart by who reorders them."""

from typing import Any

import pytest

from shadow.judge.orders import Orders, holds_scalars
from shadow.model import Change, Difference


def turned(items: list[Any]) -> Difference:
    return Difference("body:$.tags", Change.ORDER, items, items[::-1])


@pytest.mark.parametrize(
    ("arrays", "is_list"),
    [
        pytest.param([["a", "b"]], False, id="two elements agree by chance every second time"),
        pytest.param([["a", "b", "c", "d"]], False, id="four"),
        pytest.param([list("abcde")], True, id="five"),
        pytest.param([list("abc")] * 50, False, id="the same three over and over"),
        pytest.param([list("abc"), list("def"), list("ghi")], True, id="three times three"),
        pytest.param([[f"s{at}" for at in range(200)]], True, id="a long one"),
    ],
)
def test_an_order_is_kept_on_purpose_where_chance_would_not_keep_it(
    arrays: list[list[str]], *, is_list: bool
) -> None:
    orders = Orders()
    for each in arrays:
        orders.add(turned(each), 5)
    assert orders.is_list_of_scalars(5) is is_list


def test_one_pair_that_changed_places_may_be_a_tie() -> None:
    orders = Orders()
    orders.add(Difference("body:$.tags", Change.ORDER, list("abcdefgh"), list("abcdefhg")), 5)
    assert orders.bits > 10
    assert not orders.is_list_of_scalars(5)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([1, "a", None], True),
        ([{"id": 1}], False),
        ([[1], [2]], False),
        ('["a","b","c…', True),
        ('[{"id":1},{"id":2…', False),
        ("[[1,2],[3…", False),
        (None, False),
        ({"a": 1}, False),
    ],
)
def test_arrays_of_scalars_are_known_also_by_the_beginning_of_their_text(
    value: object, *, expected: bool
) -> None:
    assert holds_scalars(value) is expected


def test_memory_is_bounded() -> None:
    orders = Orders()
    for number in range(100):
        orders.add(turned([f"{number}:{at}" for at in range(40)]), 5)
    assert len(orders.inversions) < 60
    assert len(orders._elements) < 300
