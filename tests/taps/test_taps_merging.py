"""Rows merged by time, as the standard library would, but begun as late as they can be."""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from shadow.taps.merging import AT_ONCE, Row, merged

type Item = tuple[float, int]

ROWS = st.lists(st.lists(st.lists(st.integers(0, 20).map(float), max_size=5), max_size=4), max_size=5)


def rows_of(times: list[list[list[float]]]) -> list[list[list[Item]]]:
    """Batches of items, each with a number of its own."""
    number = iter(range(10_000))
    return [[[(time, next(number)) for time in batch] for batch in row] for row in times]


@given(ROWS, st.booleans())
def test_items_come_as_the_standard_library_merges_them(
    times: list[list[list[float]]], is_known: bool
) -> None:
    rows = rows_of(times)
    flat = [list(chain.from_iterable(row)) for row in rows]

    def row(at: int) -> Row[Item]:
        first = flat[at][0][0] if is_known and flat[at] else AT_ONCE
        return Row(first, lambda: iter(rows[at]))

    found = list(chain.from_iterable(merged([row(at) for at in range(len(rows))])))
    assert found == list(merge(*flat, key=lambda item: item[0]))


def test_row_is_begun_only_when_its_time_has_come() -> None:
    begun: list[int] = []
    ended: list[int] = []

    def row(at: int) -> Row[Item]:
        def begin() -> Iterator[Sequence[Item]]:
            begun.append(at)
            yield [(10.0 * at, 0), (10.0 * at + 9, 1)]
            yield [(10.0 * at + 10, 2)]
            ended.append(at)

        return Row(10.0 * at, begin)

    most = 0
    for batch in merged([row(at) for at in range(50)]):
        assert len(batch) >= 1
        most = max(most, len(begun) - len(ended))
    assert begun == ended == list(range(50))
    assert most <= 2


def test_batch_that_meets_no_other_stays_whole() -> None:
    late: Row[Item] = Row(9.0, lambda: iter([[(9.0, 4)]]))
    early: Row[Item] = Row(1.0, lambda: iter([[(1.0, 0), (3.0, 1), (2.0, 2)], [(4.0, 3)]]))
    assert list(merged([late, early])) == [[(1.0, 0), (3.0, 1), (2.0, 2)], [(4.0, 3)], [(9.0, 4)]]
