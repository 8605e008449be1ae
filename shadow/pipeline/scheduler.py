"""Which mutators an exchange is given: on each endpoint all are tried before any is tried there again."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from operator import itemgetter
from typing import Protocol
from zlib import crc32

from mutators import AnyMutator
from shadow.model import Expect, Level


class Listed(Protocol):
    """What a pattern may name."""

    @property
    def name(self) -> str: ...
    @property
    def level(self) -> Level: ...
    @property
    def expect(self) -> Expect: ...
    @property
    def reason(self) -> str: ...


def chosen[M: Listed](
    catalog: Sequence[M], *, wanted: Sequence[str], unwanted: Sequence[str]
) -> tuple[M, ...]:
    """The mutators whose name, level or expectation matches one pattern of `wanted` and none of
    `unwanted`."""

    def matches(mutator: Listed, patterns: Sequence[str]) -> bool:
        words = (mutator.name, f"level:{mutator.level}", f"expect:{mutator.expect}")
        return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)

    return tuple(each for each in catalog if matches(each, wanted) and not matches(each, unwanted))


_PER_TURN = {Level.BODY: 3}
"""Mutators of a level that go in one turn: bodies have the most to get wrong."""


class Scheduler[M: AnyMutator]:
    """Deals mutators out: those least tried at an endpoint first, and among equals one of each level in
    turn.

    The order within a level is drawn from the seed. Levels take turns so that a few mutators of permissions
    do not wait for a hundred of bodies.
    """

    def __init__(self, mutators: Sequence[M], *, seed: int) -> None:
        self._mutators: tuple[M, ...] = tuple(mutators)
        self._seed = seed
        self._words = [each.name.encode() for each in self._mutators]
        self._places = {each.name: at for at, each in enumerate(self._mutators)}
        self._ranks: dict[str, _Ranks] = {}
        """By endpoint."""
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
        at = self._places.get(mutator)
        if at is not None:
            self._ranks_of(endpoint).add(at, count)

    def _ranked(self, endpoint: str, exchange: int) -> Iterator[M]:
        """All mutators, from the least tried on; those of one rank are drawn only when it is their turn."""
        start = crc32(f"{self._seed}:{exchange}:".encode())
        ranks = self._ranks_of(endpoint)
        given: set[int] = set()
        for rank in sorted(ranks.members):
            left = [at for at in ranks.members.get(rank, ()) if at not in given]
            # of the whole text, though only its end is new
            drawn = sorted([(crc32(self._words[at], start), at) for at in left])
            for at in self._in_turns(drawn, start):
                given.add(at)
                yield self._mutators[at]

    def _ranks_of(self, endpoint: str) -> "_Ranks":
        ranks = self._ranks.get(endpoint)
        if ranks is None:
            ranks = self._ranks[endpoint] = _Ranks(len(self._mutators))
        return ranks

    def _in_turns(self, drawn: list[tuple[int, int]], start: int) -> list[int]:
        """Mutators that were tried as often, in the order in which they were drawn: levels take turns."""
        levels = {level: crc32(level.encode(), start) for level in Level}
        places: dict[str, int] = {}
        ranked = []
        for _, at in drawn:
            mutator = self._mutators[at]
            place = places[mutator.level] = places.get(mutator.level, -1) + 1
            turn = place // _PER_TURN.get(mutator.level, 1)
            ranked.append((turn, levels[mutator.level], at))
        ranked.sort(key=itemgetter(0, 1))
        return [each[2] for each in ranked]


class _Ranks:
    """How often each mutator, by its place, was tried at one endpoint."""

    __slots__ = ("_tries", "members")

    def __init__(self, count: int) -> None:
        self._tries = [0] * count
        self.members: dict[int, dict[int, None]] = {0: dict.fromkeys(range(count))}
        """The mutators that were tried so often."""

    def add(self, at: int, count: int) -> None:
        tries = self._tries[at]
        self._tries[at] = tries + count
        before = self.members[tries]
        del before[at]
        if not before:
            del self.members[tries]
        self.members.setdefault(tries + count, {})[at] = None
