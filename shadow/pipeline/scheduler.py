"""Which mutators an exchange is given: on each endpoint all are tried once, then those more that paid."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from itertools import islice
from math import gcd
from typing import NamedTuple, Protocol
from zlib import crc32

from shadow.model import Expect, Level, Outcome
from shadow.pipeline.budget import Budget
from shadow.pipeline.energy import Energy, Why
from shadow.pipeline.news import News, Told
from shadow.pipeline.tries import Tries

_MAX_PLACES = 2000
"""Endpoints, or kinds of sessions, that are remembered; the oldest goes first."""


class Named(Protocol):
    """What can be dealt: a mutator of requests, of sessions or of conversations."""

    @property
    def name(self) -> str: ...

    @property
    def level(self) -> Level: ...

    @property
    def expect(self) -> Expect: ...

    @property
    def reason(self) -> str: ...


def chosen[M: Named](
    catalog: Sequence[M], *, wanted: Sequence[str], unwanted: Sequence[str]
) -> tuple[M, ...]:
    """The mutators whose name, level or expectation matches one pattern of `wanted` and none of
    `unwanted`."""

    def matches(mutator: Named, patterns: Sequence[str]) -> bool:
        words = (mutator.name, f"level:{mutator.level}", f"expect:{mutator.expect}")
        return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)

    return tuple(each for each in catalog if matches(each, wanted) and not matches(each, unwanted))


_MORE, _KEPT_MAX = 8, 200
"""An endpoint that others left mutants for gets eight times as many more, as far as they are there."""
_DEEP, _DEEPER = 2.0, 4.0
"""An endpoint where every mutator was tried so often, on average, does without half of its mutants, then
without three quarters."""
_FEW = 8
"""Of fewer mutants each counts."""
_STALE_PER_TURN = 40
_PER_TURN = {Level.BODY: 3}
"""Mutators of a level that go in one turn: bodies have the most to get wrong."""


class Dealt[M, E](NamedTuple):
    """A mutator, what was made of it, and why it was its turn."""

    mutator: M
    made: E
    why: Why


class Scheduler[M: Named]:
    """Deals mutators out. At each endpoint every one is tried before any is tried there again, one of each
    level in turn; afterwards those are that paid with new answers, and now and then the others.

    All is drawn from the seed, the endpoint and the first exchange there: the same answers in the same order
    make the same choice.
    """

    def __init__(self, mutators: Sequence[M], *, seed: int, budget: Budget | None = None) -> None:
        """Without `budget` there is none but that of each exchange."""
        self._budget = budget
        self._mutators: tuple[M, ...] = tuple(mutators)
        self._seed = seed
        self._places = {each.name: at for at, each in enumerate(self._mutators)}
        self._levels: dict[Level, list[int]] = {}
        for at, each in enumerate(self._mutators):
            self._levels.setdefault(each.level, []).append(at)
        self._energies: dict[str, Energy] = {}
        """By endpoint."""
        self._elsewhere: dict[str, dict[int, tuple[int, int, float]]] = {}
        """How often other processes asked mutators at endpoints where nothing was dealt here yet, how often
        there was something to edit, and what was paid."""
        self._tries = Tries()
        self._left_over = 0
        """Mutants that endpoints did without."""
        self._news = News()
        self.on_tried: Callable[[str, str, bool], None] | None = None
        """Told of endpoint and mutator of what is tried here, and whether there was something to edit, for
        others to `take_over`."""
        self.on_told: Callable[[Told], None] | None = None
        """Told of news that answers here were, for others to `take_over_told`."""

    def deal[E](
        self, endpoint: str, exchange: int, count: int, attempt: Callable[[M], E | None]
    ) -> Iterator[tuple[M, E]]:
        """As `plan`, without the reasons."""
        for each in self.plan(endpoint, exchange, count, attempt):
            yield each.mutator, each.made

    def plan[E](
        self, endpoint: str, exchange: int, count: int, attempt: Callable[[M], E | None]
    ) -> Iterator[Dealt[M, E]]:
        """Up to `count` mutators, as far as the budget goes, with what `attempt` made of them where it is not
        None.

        A mutator that has nothing to edit counts as tried: the next exchange begins with others.
        """
        yield from self.spend(
            endpoint, count, lambda granted: self.turns(endpoint, exchange, granted, attempt)
        )

    def share(self, endpoint: str, count: int) -> int:
        """How many mutants an exchange gets, of `count` on average: fewer where all were tried often,
        and what is left so goes to endpoints that are seen more rarely, or have more to edit."""
        energy = self._energies.get(endpoint)
        depth = energy.depth if energy is not None and energy.is_tried_through else 0.0
        if depth < _DEEP:
            extra = min(self._left_over, _MORE * count)
            self._left_over -= extra
            return count + extra
        less = 2 if depth < _DEEPER else 4
        left = -(-count // less) if count >= _FEW else count
        self._left_over = min(self._left_over + count - left, _KEPT_MAX * count)
        return left

    def spend[T](self, endpoint: str, count: int, dealt: Callable[[int], Iterator[T]]) -> Iterator[T]:
        """What `dealt` gives for as many of `count` mutants as the budget grants."""
        count = count if self._mutators else 0
        left = count if self._budget is None else self._budget.grant(endpoint, count)
        try:
            for each in dealt(left):
                left -= 1
                yield each
        finally:
            if self._budget is not None:
                self._budget.give_back(endpoint, left)

    def turns[E](
        self,
        endpoint: str,
        exchange: int,
        count: int,
        attempt: Callable[[M], E | None],
        edit: Callable[[E], int] | None = None,
    ) -> Iterator[Dealt[M, E]]:
        """As `plan`, of a `count` that was granted before.

        `edit` tells edits apart: what the endpoint was given before waits until nothing else is left.
        """
        dealt = 0
        if not count or not self._mutators:
            return
        energy = self._energy_of(endpoint, exchange)
        stale: list[Dealt[M, E]] = []
        for at, why in energy.turn():
            mutator = self._mutators[at]
            made = None
            try:
                made = attempt(mutator)
            finally:  # one with a bug is given a rest too
                energy.tried(at, is_made=made is not None)
            if self.on_tried is not None:
                self.on_tried(endpoint, mutator.name, made is not None)
            if made is None:
                continue
            is_new = edit is None or self._tries.is_new(endpoint, mutator.name, edit(made))
            if not energy.may_go(at, is_new=is_new):
                stale.append(Dealt(mutator, made, why))
                if len(stale) >= _STALE_PER_TURN:
                    break
                continue
            dealt += 1
            self._tries.add(endpoint, at, mutator.level, 1)
            yield Dealt(mutator, made, why)
            if dealt >= count:
                return
        yield from stale[: count - dealt]

    def note(self, endpoint: str, mutators: Iterable[M]) -> None:
        """Count mutators as tried, whose edits are in one mutant."""
        for mutator in mutators:
            self.take_over(endpoint, mutator.name, 1, 1)
            if self.on_tried is not None:
                self.on_tried(endpoint, mutator.name, True)  # a callback's

    def learn(self, endpoint: str, mutator: str, answer: Outcome | None, fault: str = "") -> None:
        """Take in what came of a mutant, or of an original, whose `mutator` is empty: it pays nothing.

        `fault` names what was wrong with it; empty where nothing was.
        """
        told = self._news.of(endpoint, mutator, answer, fault) if answer is not None else None
        if told is None:
            return
        self._pay(told)
        if self.on_told is not None:
            self.on_told(told)

    def take_over(self, endpoint: str, mutator: str, asked: int, made: int) -> None:
        """Count what another process asked of a mutator, and how often it had something to edit."""
        at = self._places.get(mutator)
        if at is not None:
            self._tries.add(endpoint, at, self._mutators[at].level, made)
            self._note(endpoint, at, asked, made, 0.0)

    def take_over_told(self, told: Told) -> None:
        """Know what was news to another process: it is none here any more."""
        if not told.mutator or told.mutator in self._places:
            self._news.take_over(told)
            self._pay(told)

    def _told_elsewhere(self, endpoint: str, at: int) -> int:
        return self._tries.elsewhere(endpoint, at, self._mutators[at].level)

    def _pay(self, told: Told) -> None:
        at = self._places.get(told.mutator)
        if at is not None and told.fault:
            self._tries.bore_fruit(told.endpoint, at)
        if at is not None and told.amount:
            self._note(told.endpoint, at, 0, 0, told.amount)

    def _note(self, endpoint: str, at: int, asked: int, made: int, amount: float) -> None:
        if endpoint in self._energies:
            self._energies[endpoint].add(at, asked, made, amount)
        elif endpoint in self._elsewhere or len(self._elsewhere) < _MAX_PLACES:
            sums = self._elsewhere.setdefault(endpoint, {})
            before = sums.get(at, (0, 0, 0.0))
            sums[at] = (before[0] + asked, before[1] + made, before[2] + amount)

    def _energy_of(self, endpoint: str, exchange: int) -> Energy:
        energy = self._energies.get(endpoint)
        if energy is None:
            if len(self._energies) >= _MAX_PLACES:
                del self._energies[next(iter(self._energies))]
            start = crc32(f"{self._seed}:{exchange}:{endpoint}".encode())
            energy = self._energies[endpoint] = Energy(
                len(self._mutators), self._in_turns(start), start, partial(self._told_elsewhere, endpoint)
            )
            for at, sums in self._elsewhere.pop(endpoint, {}).items():
                energy.add(at, *sums)
        return energy

    def _in_turns(self, start: int) -> Iterator[int]:
        """All mutators in the order of their first tries: drawn, and levels take turns, so that a few of
        permissions do not wait for a hundred of bodies. Only so far as it is asked for: most endpoints are
        seen a few times."""
        levels = sorted(self._levels, key=lambda level: crc32(level.encode(), start))
        rows = [
            _drawn(self._levels[level], crc32(b"order", crc32(level.encode(), start))) for level in levels
        ]
        left = [(row, _PER_TURN.get(level, 1)) for row, level in zip(rows, levels, strict=True)]
        while left:
            going = []
            for row, count in left:
                taken = list(islice(row, count))
                yield from taken
                if len(taken) == count:
                    going.append((row, count))
            left = going


def _drawn(members: Sequence[int], number: int) -> Iterator[int]:
    """`members` in one of many orders, by `number`: steps of one width round a circle."""
    count = len(members)
    step = 1 + number % count
    while gcd(step, count) > 1:
        step += 1
    at = number // count % count
    for _ in range(count):
        yield members[at]
        at = (at + step) % count
