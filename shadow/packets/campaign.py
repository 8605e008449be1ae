"""Sends malformed packets in batches, looks after the service, and finds the packet that it died of."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from shadow.errors import TargetError, UnsafeError
from shadow.packets.health import Health

_SETTLE_SECONDS = 0.05
"""Between a packet and the look after it; a process takes a moment to die."""
_POLL_SECONDS = 0.1


class CampaignSettings(msgspec.Struct, frozen=True):
    """How much is sent, and how patient we are."""

    packets_max: int = 1000
    per_second: float = 200.0
    duration_seconds: float | None = None
    batch: int = 20
    """Sent between two looks."""
    times: int = 3
    """How often the service must die of a packet."""
    wait_seconds: float = 10.0
    """For a service that is gone to come back."""
    culprits_max: int = 20
    """Beyond these the run ends: there is enough to mend."""


class Made(Protocol):
    """Malformed packets that belong together; see `craft.Crafted`."""

    @property
    def number(self) -> int: ...
    @property
    def mutator(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def packets(self) -> tuple[bytes, ...]: ...
    @property
    def is_in_stream(self) -> bool: ...


class Place(Protocol):
    """One target: how packets get there, and how it does."""

    async def send(self, made: "Made") -> str:
        """Why nothing may be sent any more; empty where `made`, as it is for this target, left."""
        ...

    async def health(self) -> Health:
        """Raises UnsafeError, TargetError where it may not be, or cannot be, looked at."""
        ...

    async def restart(self) -> None:
        """Have it started again, where the user said how. Raises TargetError where that fails."""
        ...


class Culprit(msgspec.Struct, frozen=True):
    """What a service died of."""

    health: Health
    made: tuple[Made, ...]
    """One, where it could be told which."""
    confirmed: int
    """How often the service died of it, the first time included."""
    tried: int
    baseline: Health | None = None
    """How the baseline is after the same; None without one."""


class Campaign:
    """One run against a candidate, and, for what that dies of, a baseline."""

    def __init__(
        self,
        candidate: Place,
        baseline: Place | None,
        make: Callable[[int, frozenset[str]], Made],
        settings: CampaignSettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`make` gives the packet of a number, of none of some mutators where there are others."""
        self.sent: Counter[str] = Counter()
        """Malformed packets by mutator."""
        self.looks = 0
        self.culprits: list[Culprit] = []
        self.stopped = ""
        """Why the run ended early; empty where it did not."""
        self.is_refused = False
        """Whether a safety rule ended it."""
        self._candidate = candidate
        self._baseline = baseline
        self._make = make
        self._settings = settings
        self._sleep = sleep
        self._clock = clock
        self._tell = tell
        self._known: set[str] = set()

    async def run(self) -> None:
        """Until all is sent, or a reason to end is in `stopped`; what was found until then stays."""
        try:
            await self._run()
        except UnsafeError as error:
            self.stopped, self.is_refused = str(error), True
        except TargetError as error:
            self.stopped = str(error)
        except asyncio.CancelledError:
            self.stopped = "interrupted"
            raise

    async def _run(self) -> None:
        ends_at = None
        if self._settings.duration_seconds is not None:
            ends_at = self._clock() + self._settings.duration_seconds
        for numbers in self._batches():
            if self.stopped:
                return
            if ends_at is not None and self._clock() >= ends_at:
                self.stopped = "the time is over"
                return
            drawn = [self._make(number, frozenset(self._known)) for number in numbers]
            made = [each for each in drawn if each.mutator not in self._known]
            if not made:
                self.stopped = "nothing is left but what it dies of"
                return
            if not await self._send_all(made):
                return
            health = await self._look()
            if health is not Health.WELL:
                await self._blame(made, health)

    def _batches(self) -> Iterator[range]:
        for at in range(0, self._settings.packets_max, self._settings.batch):
            yield range(at, min(at + self._settings.batch, self._settings.packets_max))

    async def _send_all(self, made: Sequence[Made]) -> bool:
        """Whether all were allowed to leave."""
        for each in made:
            refusal = await self._candidate.send(each)
            if refusal:
                self.stopped, self.is_refused = refusal, True
                return False
            self.sent[each.mutator] += 1
            await self._sleep(len(each.packets) / self._settings.per_second)
        return True

    async def _look(self) -> Health:
        """How the candidate is. Not well once is not well: something may start it again at once, and what is
        chance is not seen each time that a culprit is confirmed."""
        await self._sleep(_SETTLE_SECONDS)
        self.looks += 1
        health = await self._candidate.health()
        if health is not Health.HUNG:
            return health
        self.looks += 1  # what dies says nothing while it does
        is_gone = await self._candidate.health() is Health.GONE
        return Health.GONE if is_gone else Health.HUNG

    async def _blame(self, batch: Sequence[Made], health: Health) -> None:
        """Find out which packet of the batch it was."""
        self._tell(f"the candidate is {health.value} after packets {batch[0].number} to {batch[-1].number}")
        if not await self._is_back(self._candidate):
            self.culprits.append(Culprit(health, tuple(batch), 1, 1))
            self.stopped = f"the candidate did not come back within {self._settings.wait_seconds:g} s"
            return
        for each in batch:
            seen = await self._dies_of([each])
            if self.stopped:
                return
            if seen is not None:
                if await self._confirm((each,), seen) or self.stopped:
                    return
                break  # by itself it does no harm: something before it did its part
        seen = await self._dies_of(batch)
        if seen is not None and not self.stopped:
            await self._confirm(tuple(batch), seen)

    async def _confirm(self, made: tuple[Made, ...], health: Health) -> bool:
        """Have the candidate die of `made` as often as is asked for, and try the baseline once; whether it
        did."""
        confirmed = 1
        while confirmed < self._settings.times and await self._is_back(self._candidate):
            if await self._dies_of(made) is None:
                self._tell(f"the candidate lived through {made[0].what!r} when it was sent again")
                return False
            confirmed += 1
        baseline = await self._baseline_after(made)
        self.culprits.append(Culprit(health, made, confirmed, confirmed, baseline))
        self._known |= {each.mutator for each in made} if len(made) == 1 else set()
        self._tell(f"the candidate is {health.value} after {made[0].mutator}: {made[0].what}")
        if not await self._is_back(self._candidate):
            self.stopped = f"the candidate did not come back within {self._settings.wait_seconds:g} s"
        elif len(self.culprits) >= self._settings.culprits_max:
            self.stopped = f"{len(self.culprits)} causes are enough"
        return True

    async def _dies_of(self, made: Sequence[Made]) -> Health | None:
        """How the candidate is after `made`; None where it is well."""
        if not await self._send_all(made):
            return None
        health = await self._look()
        return None if health is Health.WELL else health

    async def _baseline_after(self, made: Sequence[Made]) -> Health | None:
        if self._baseline is None:
            return None
        for each in made:
            if await self._baseline.send(each):
                return None
            await self._sleep(len(each.packets) / self._settings.per_second)
        await self._sleep(_SETTLE_SECONDS)
        health = await self._baseline.health()
        if health is not Health.WELL:
            await self._is_back(self._baseline)
        return health

    async def _is_back(self, place: Place) -> bool:
        """Wait for a service to be well again."""
        ends_at = self._clock() + self._settings.wait_seconds
        if await place.health() is Health.WELL:
            return True
        await place.restart()
        while self._clock() < ends_at:
            if await place.health() is Health.WELL:
                return True
            await self._sleep(_POLL_SECONDS)
        return False
