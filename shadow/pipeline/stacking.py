"""Several edits in one mutant, once the single ones were all tried at an endpoint."""

from collections.abc import Callable, Iterator
from random import Random

from mutators import Mutator, Stack, dice, stack_of
from shadow.model import Edit, Request
from shadow.pipeline.case import Case
from shadow.pipeline.ready import Mutate, MutateFor

_SHARE = 1 / 3
"""Of the mutants of an endpoint where every single edit was tried: those stay most, for they tell best."""
_MORE = 1 / 2
"""How likely it is that a stack gets one edit more than it has."""
_DRAWS = 4
"""So often a stack is drawn for one place: not all edits find something to edit once others were made."""
_MAX_ENDPOINTS = 1000


class Stacking:
    """One for a run. Every stack is a function of the exchange, the names of its parts and the seed."""

    def __init__(self, *, most: int, seed: int) -> None:
        """`most` edits at most; below 2 there are no stacks."""
        self._most = most
        self._seed = seed
        self._endpoints: dict[str, _Endpoint] = {}

    def note(self, endpoint: str, mutator: Mutator, *, is_made: bool) -> None:
        """Take in that a single edit was asked for at an endpoint, and whether there was one."""
        known = self._endpoints.get(endpoint)
        if known is None:
            if len(self._endpoints) >= _MAX_ENDPOINTS:
                return
            known = self._endpoints[endpoint] = _Endpoint()
        # none is asked for twice before all were, so from then on there was nothing new to ask for
        known.is_tried_through |= mutator.name in known.asked
        known.asked.add(mutator.name)
        if is_made:
            known.fit[mutator.name] = mutator

    def places(self, endpoint: str, exchange: int, budget: int) -> int:
        """How many of an exchange's mutants are stacks."""
        known = self._endpoints.get(endpoint)
        if self._most < 2 or known is None or not known.is_tried_through or len(known.fit) < 2:
            return 0
        rng = Random(f"{self._seed}:{exchange}:stacks")
        return sum(rng.random() < _SHARE for _ in range(budget))

    def deal[E](
        self, endpoint: str, exchange: int, count: int, attempt: Callable[[Stack], E | None]
    ) -> Iterator[tuple[Stack, E]]:
        """Up to `count` stacks with what `attempt` made of them; each of other mutators."""
        dealt: set[str] = set()
        for place in range(count):
            for draw in range(_DRAWS):
                stack = self._drawn(endpoint, Random(f"{self._seed}:{exchange}:stack:{place}:{draw}"))
                if stack is None or stack.name in dealt or (made := attempt(stack)) is None:
                    continue
                dealt.add(stack.name)
                yield stack, made
                break

    def _drawn(self, endpoint: str, rng: Random) -> Stack | None:
        fit = list(self._endpoints[endpoint].fit.values())
        size = 2
        while size < self._most and rng.random() < _MORE:
            size += 1
        parts: list[Mutator] = []
        for each in rng.sample(fit, min(len(fit), 4 * size)):
            if stack_of([*parts, each]) is not None:
                parts.append(each)
            if len(parts) == size:
                break
        return stack_of(parts) if len(parts) > 1 else None


class _Endpoint:
    """What is known of the single edits there."""

    __slots__ = ("asked", "fit", "is_tried_through")

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self.fit: dict[str, Mutator] = {}
        """Those that found something to edit."""
        self.is_tried_through = False


def mutation(mutator: Mutator | Stack, case: Case, seed: int, attempt: int = 0) -> MutateFor:
    """The mutator for each target: with the same dice, so that each gets the same edit. Each `attempt` has
    dice of its own."""

    def for_target(target: str) -> Mutate:
        known = case.known[target]

        def of(name: str) -> Random:
            return dice(seed, case.exchange.index, name, attempt)

        if isinstance(mutator, Stack):

            def mutate_all(request: Request) -> Edit | None:
                return mutator(request, of, known)

            return mutate_all
        rng = of(mutator.name)

        def mutate(request: Request) -> Edit | None:
            return mutator(request, rng, known)

        return mutate

    return for_target
