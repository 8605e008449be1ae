"""The fewest of some items with which something still fails. Sends nothing: it proposes, and is told."""

from collections.abc import Generator, Iterator, Sequence
from itertools import pairwise

type Search[T] = Generator[tuple[T, ...], bool, tuple[T, ...]]
"""Yields fewer items, is sent whether it fails with those alone, returns the fewest with which it did."""


def fewest[T](items: Sequence[T], *, at_least: int = 0) -> Search[T]:
    """Propose subsets of `items`, in their order; with all of them it is known to fail.

    Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002): what
    is returned is 1-minimal, so that without any one item more it would not fail. Nothing is proposed twice.
    At least `at_least` items are left.
    """
    kept: tuple[int, ...] = tuple(range(len(items)))
    asked: set[tuple[int, ...]] = {kept}
    pieces = 1 if at_least == 0 else 2
    while kept and len(kept) > at_least:
        found = None
        for proposal in _proposals(kept, min(pieces, len(kept))):
            if proposal in asked or len(proposal) < at_least:
                continue
            asked.add(proposal)
            if (yield tuple(items[at] for at in proposal)):
                found = proposal
                break
        if found is not None:
            is_rest = len(found) * 2 > len(kept)
            kept, pieces = found, max(pieces - 1, 2) if is_rest else 2
        elif pieces >= len(kept):
            break
        else:
            pieces *= 2
    return tuple(items[at] for at in kept)


def next_proposal[P](search: Generator[P, bool, object], *, fails: bool) -> P | None:
    """What `search` proposes once told whether it `fails` with what was proposed last; None at its end."""
    try:
        return search.send(fails)
    except StopIteration:
        return None


def _proposals(kept: tuple[int, ...], count: int) -> Iterator[tuple[int, ...]]:
    """Nothing where there is but one piece; else each of `count` pieces alone, then all but one."""
    if count == 1:
        yield ()
        return
    edges = [len(kept) * at // count for at in range(count + 1)]
    spans = list(pairwise(edges))
    for start, end in spans:
        yield kept[start:end]
    for start, end in spans:
        yield kept[:start] + kept[end:]
