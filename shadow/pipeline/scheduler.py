"""Which mutators an exchange is given: every mutator is tried on every endpoint before any is tried there again."""

from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase

from mutators import Mutator, SessionMutator
from mutators import dice as dice_of

type AnyMutator = Mutator | SessionMutator


def chosen[M: (Mutator, SessionMutator)](
    catalog: Sequence[M], *, wanted: Sequence[str], unwanted: Sequence[str]
) -> tuple[M, ...]:
    """The mutators whose name, level or expectation matches one pattern of `wanted` and none of `unwanted`."""

    def matches(mutator: AnyMutator, patterns: Sequence[str]) -> bool:
        words = (mutator.name, f"level:{mutator.level}", f"expect:{mutator.expect}")
        return any(fnmatchcase(word, pattern) for word in words for pattern in patterns)

    return tuple(each for each in catalog if matches(each, wanted) and not matches(each, unwanted))


class Scheduler[M: (Mutator, SessionMutator)]:
    """Deals mutators out, least tried first, the order among equals drawn from the seed."""

    def __init__(self, mutators: Sequence[M], *, seed: int) -> None:
        self._mutators: tuple[M, ...] = tuple(mutators)
        self._seed = seed
        self._tries: dict[tuple[str, str], int] = {}
        self._urgent: dict[str, int] = {}

    def deal[E](
        self, endpoint: str, exchange: int, count: int, attempt: Callable[[M], E | None]
    ) -> Iterator[tuple[M, E]]:
        """Up to `count` mutators with what `attempt` made of them, those for which it is not None.

        A mutator that has nothing to edit counts as tried: the next exchange begins with others.
        """
        ranked = sorted(self._mutators, key=lambda each: self._rank(each.name, endpoint, exchange))
        dealt = 0
        for mutator in ranked:
            if dealt >= count:
                return
            made = attempt(mutator)
            key = (endpoint, mutator.name)
            self._tries[key] = self._tries.get(key, 0) + 1
            if made is not None:
                dealt += 1
                yield mutator, made

    def hurry(self, mutator: str, *, times: int) -> None:
        """Put `mutator` first for the next `times` exchanges: it raised a suspicion that wants more evidence."""
        self._urgent[mutator] = times

    def _rank(self, name: str, endpoint: str, exchange: int) -> tuple[int, int, float]:
        urgent = self._urgent.get(name, 0)
        if urgent:
            self._urgent[name] = urgent - 1
        return -urgent, self._tries.get((endpoint, name), 0), dice_of(self._seed, exchange, name).random()
