"""Rows of items merged by time; a row is begun when its time has come, so that few are read side by side."""

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Any, NamedTuple

AT_ONCE = float("-inf")
"""The first time of a row of which it is not known."""

type _Key = tuple[float, int]
"""The time of an item, and the number of its row."""


class Row[Item: tuple[float, Any] | tuple[float, int, bytes]](NamedTuple):
    """Items in batches; each item begins with its Unix time."""

    first: float
    """The time of the first item, or an earlier one."""
    begin: Callable[[], Iterator[Sequence[Item]]]


def merged[Item: tuple[float, Any] | tuple[float, int, bytes]](
    rows: Sequence[Row[Item]],
) -> Iterator[Sequence[Item]]:
    """The items in order of time, in batches. Each row in itself keeps its order; of items with one time,
    that of the earlier row comes first."""
    waiting = sorted(((row.first, order) for order, row in enumerate(rows)), reverse=True)
    heads: list[tuple[_Key, int, Sequence[Item], Iterator[Sequence[Item]]]] = []

    def go_on(order: int, batches: Iterator[Sequence[Item]]) -> None:
        batch = next((batch for batch in batches if batch), None)
        if batch is not None:
            heappush(heads, ((batch[0][0], order), 0, batch, batches))

    while waiting or heads:
        while waiting and (not heads or waiting[-1] <= heads[0][0]):
            _, order = waiting.pop()
            go_on(order, rows[order].begin())
        if not heads:
            continue  # no row holds anything so far
        (_, order), at, batch, batches = heappop(heads)
        limits = [*(head[0] for head in heads[:1]), *waiting[-1:]]
        end = _end(batch, at, order, min(limits)) if limits else len(batch)
        yield batch[at:end]
        if end < len(batch):
            heappush(heads, ((batch[end][0], order), end, batch, batches))
        else:
            go_on(order, batches)


def _end(
    batch: Sequence[tuple[float, Any] | tuple[float, int, bytes]], at: int, order: int, limit: _Key
) -> int:
    """Where in `batch` the items end that come before `limit`; the one at position `at` does."""
    at += 1
    while at < len(batch) and (batch[at][0], order) < limit:
        at += 1
    return at
