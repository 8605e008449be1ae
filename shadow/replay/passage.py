"""One sending on its way through a relay: what the dice hold for it, and what met it."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple, Protocol

from shadow.replay.conditions import Condition, Direction, Met, Trouble
from shadow.replay.conditions_pattern import drawn


class Strike(NamedTuple):
    """What a condition did that broke a path."""

    number: int
    """Strikes are counted; a clock may show the same for two."""
    trouble: Trouble
    what: str
    """For a person: ``"reset after 100 bytes up"``."""
    has_left: bool = True
    """Whether any of the sending may have reached the target, so that it must not leave again."""


class Path(Protocol):
    """A connection through a relay, or what stands for one where there are only datagrams."""

    strikes: list[Strike]

    @property
    def held_seconds(self) -> float:
        """How long the sending that uses it was held up."""
        ...

    def release(self) -> None:
        """The sending that used it is over."""
        ...


class Dice:
    """What the conditions hold for the sendings of a run: the same seed, lane and ordinal give the same.

    So candidate and baseline, which are sent the same, meet the same, whoever comes first elsewhere.
    """

    def __init__(self, conditions: Sequence[Condition], seed: int) -> None:
        self._conditions = tuple(conditions)
        self._seed = seed

    def met(self, direction: Direction, lane: str, ordinal: int) -> tuple[Met, ...]:
        """The conditions in `direction` that meet a sending, number `ordinal` of its lane."""
        found = (
            self._roll(number, each, direction, lane, ordinal) for number, each in enumerate(self._conditions)
        )
        return tuple(each for each in found if each is not None)

    def each(self, direction: Direction, lane: str, ordinal: int) -> tuple[Met, ...]:
        """All conditions in `direction`, with dice: for datagrams, which are met one by one."""
        return tuple(
            Met(each, self._dice(number, each, direction, lane, ordinal))
            for number, each in enumerate(self._conditions)
            if each.direction is direction or each.pattern
        )

    def _roll(
        self, number: int, condition: Condition, direction: Direction, lane: str, ordinal: int
    ) -> Met | None:
        if condition.direction is not direction and not condition.pattern:
            return None
        dice = self._dice(number, condition, direction, lane, ordinal)
        if dice.random() >= condition.probability:
            return None
        if not condition.pattern:
            return Met(condition, dice)
        failure = drawn(condition.pattern, lane, ordinal)
        return Met(failure, dice) if failure is not None and failure.direction is direction else None

    def _dice(
        self, number: int, condition: Condition, direction: Direction, lane: str, ordinal: int
    ) -> Random:
        seed = self._seed if condition.seed is None else condition.seed
        way = Direction.UP if condition.pattern else direction
        return Random(f"{seed}:{number}:{way}:{lane}:{ordinal}")


class Passage:
    """One sending, from when its transport is given it until it has an outcome."""

    def __init__(self, relay: object, lane: str, ordinal: int, protocol: str, strikes_before: int) -> None:
        self.relay = relay
        self.lane = lane
        self.ordinal = ordinal
        """Which sending of its lane it is, from 0."""
        self.protocol = protocol
        self.strikes_before = strikes_before
        """Strikes with a lower number were not its."""
        self.dialled: list[Path] = []
        """Paths that were opened for it."""
        self.found: list[Path] = []
        """Paths kept from others that it is taken to use."""
        self.is_resolving = False
        """Whether the slowness of names holds it up right now."""
        self.resolved_seconds = 0.0
        """How long that held it up."""
        self.is_refused = False
        """Whether its datagrams found nobody."""
        self.is_over = False

    @property
    def held_seconds(self) -> float:
        """How long conditions held it up, as far as that is known."""
        return self.resolved_seconds + sum(each.held_seconds for each in (*self.dialled, *self.found))
