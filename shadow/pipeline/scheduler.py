"""Which mutators an exchange is given: on each endpoint all are tried before any is tried there again."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from operator import itemgetter
from zlib import crc32

from mutators import Mutator, SessionMutator
from shadow.model import Level

type AnyMutator = Mutator | SessionMutator


def chosen[M: Mutator | SessionMutator](
    catalog: Sequence[M], *, wanted: Sequence[str], unwanted: Sequence[str]
) -> tuple[M, ...]:
    """The mutators whose name, level or expectation matches one pattern of `wanted` and none of
    `unwanted`."""

    def matches(mutator: AnyMutator, patterns: Sequence[str]) -> bool:
        words = (mutator.name, f"level:{mutator.level}", f"expect:{mutator.expect}")
        return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)

    return tuple(each for each in catalog if matches(each, wanted) and not matches(each, unwanted))


_PER_TURN = {Level.BODY: 3}
"""Mutators of a level that go in one turn: bodies have the most to get wrong."""


class Scheduler[M: Mutator | SessionMutator]:
    """Deals mutators out: those least tried at an endpoint first, and among equals one of each level in
    turn.

    The order within a level is drawn from the seed. Levels take turns so that a few mutators of permissions
    do not wait for a hundred of bodies.
    """

    def __init__(self, mutators: Sequence[M], *, seed: int) -> None:
        self._mutators: tuple[M, ...] = tuple(mutators)
        self._seed = seed
        self._tries: dict[tuple[str, str], int] = {}
        self.on_tried: Callable[[str, str], None] | None = None
        """Told of endpoint and mutator of what is tried here, for others to `take_over`."""

    def deal[E](
        self, endpoint: str, exchange: int, count: int, attempt: Callable[[M], E | None]
    ) -> Iterator[tuple[M, E]]:
        """Up to `count` mutators with what `attempt` made of them, those for which it is not None.

        A mutator that has nothing to edit counts as tried: the next exchange begins with others.
        """
        dealt = 0
        for mutator in self._ranked(endpoint, exchange) if count else ():
            if dealt >= count:
                return
            made = attempt(mutator)
            self.take_over(endpoint, mutator.name, 1)
            if self.on_tried is not None:
                self.on_tried(endpoint, mutator.name)
            if made is not None:
                dealt += 1
                yield mutator, made

    def take_over(self, endpoint: str, mutator: str, count: int) -> None:
        """Count tries, made here or by another process."""
        key = (endpoint, mutator)
        self._tries[key] = self._tries.get(key, 0) + count

    def _ranked(self, endpoint: str, exchange: int) -> list[M]:
        def drawn(word: str) -> int:
            return crc32(f"{self._seed}:{exchange}:{word}".encode())

        tried = [
            (self._tries.get((endpoint, each.name), 0), drawn(each.name), each) for each in self._mutators
        ]
        tried.sort(key=itemgetter(0, 1))
        places: dict[tuple[int, str], int] = {}
        ranked = []
        for tries, _, mutator in tried:
            place = places[tries, mutator.level] = places.get((tries, mutator.level), -1) + 1
            turn = place // _PER_TURN.get(mutator.level, 1)
            ranked.append((tries, turn, drawn(mutator.level), mutator))
        ranked.sort(key=itemgetter(0, 1, 2))
        return [each[3] for each in ranked]
