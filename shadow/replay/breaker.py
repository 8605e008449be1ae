"""Spares a target that is down: a circuit breaker with one trial at a time, and a slow start after it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec

from shadow.model import NoReply, Outcome, Silence

_WEIGHTS = {Silence.REFUSED: 4}
"""A refused connection tells more than a hang or a reset, which a mutant may have earned by itself."""


class BreakerSettings(msgspec.Struct, frozen=True):
    """When a target counts as down, and how gently it is taken up again."""

    weight_max: int = 20
    """Opens at this weight of silence in a row: 5 refused connections, or 20 hangs, resets and closes."""
    retry_seconds: float = 0.5
    """Until the first trial; each failed trial doubles it."""
    retry_seconds_max: float = 30.0
    trial_seconds_max: float = 60.0
    """A trial of which nothing was heard for so long is given up, and another one may begin."""
    slow_start_per_second: float = 400.0
    """Requests per second at the start and after a recovery; doubled every `slow_start_doubling_seconds`."""
    slow_start_doubling_seconds: float = 0.25
    slow_start_seconds: float = 1.5
    """After this there is no limit; 0 for no slow start."""


class Circuit(StrEnum):
    """What the breaker lets through."""

    CLOSED = "closed"
    """All."""
    OPEN = "open"
    """Nothing."""
    HALF_OPEN = "half_open"
    """Nothing until the trial under way has its outcome."""


class Breaker:
    """Guards one target. Ask `allow` before each sending, tell `note` what came of it."""

    def __init__(
        self,
        settings: BreakerSettings | None = None,
        *,
        is_warm: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Where `is_warm`, starts are slow after recoveries alone: the first requests keep a schedule."""
        self.settings = settings or BreakerSettings()
        self.circuit = Circuit.CLOSED
        self._clock = clock
        self._sleep = sleep
        self._weight = 0
        self._retry_seconds = self.settings.retry_seconds
        self._again_at = 0.0
        """When the next trial may begin, or the one under way is given up."""
        self._started_at: float | None = -float("inf") if is_warm else None
        self._next_slot_at = 0.0

    @property
    def is_up(self) -> bool:
        """Whether the target counts as usable."""
        return self.circuit is Circuit.CLOSED

    async def allow(self) -> None:
        """Return when one more request may be sent."""
        while (seconds := self.wait_seconds()) > 0:
            await self._sleep(seconds)

    def wait_seconds(self) -> float:
        """0.0 when one more request may be sent now, and then it counts as sent; else how long to wait."""
        now = self._clock()
        if self.circuit is Circuit.CLOSED:
            return self._slow_start(now)
        if now < self._again_at:
            is_trial_out = self.circuit is Circuit.HALF_OPEN
            return min(self._again_at - now, self.settings.retry_seconds if is_trial_out else 3600.0)
        self.circuit = Circuit.HALF_OPEN
        self._again_at = now + self.settings.trial_seconds_max
        return 0.0

    def note(self, outcome: Outcome) -> None:
        """Take into account what came of a sending."""
        if not isinstance(outcome, NoReply) or outcome.why is Silence.MALFORMED:
            self._succeed()  # what comes back may be no HTTP, but something is there
        elif outcome.why not in (Silence.UNSENT, Silence.CUT, Silence.UNWELL):
            self._fail(_WEIGHTS.get(outcome.why, 1))
        elif self.circuit is Circuit.HALF_OPEN:
            self._open(self._clock() - self._retry_seconds)  # the trial told nothing: the next one is it

    def _succeed(self) -> None:
        self._weight = 0
        if self.circuit is not Circuit.CLOSED:
            self.circuit = Circuit.CLOSED
            self._retry_seconds = self.settings.retry_seconds
            self._started_at = None

    def _fail(self, weight: int) -> None:
        now = self._clock()
        self._weight += weight
        if self.circuit is Circuit.HALF_OPEN:
            self._retry_seconds = min(self._retry_seconds * 2, self.settings.retry_seconds_max)
            self._open(now)
        elif self.circuit is Circuit.CLOSED and self._weight >= self.settings.weight_max:
            self._open(now)

    def _open(self, now: float) -> None:
        self.circuit = Circuit.OPEN
        self._again_at = now + self._retry_seconds

    def _slow_start(self, now: float) -> float:
        settings = self.settings
        if self._started_at is None:
            self._started_at = self._next_slot_at = now
        elapsed = now - self._started_at
        if elapsed >= settings.slow_start_seconds:
            return 0.0
        if now < self._next_slot_at:
            return self._next_slot_at - now
        rate = settings.slow_start_per_second * 2 ** (elapsed / settings.slow_start_doubling_seconds)
        self._next_slot_at = max(self._next_slot_at, now - 1.0 / rate) + 1.0 / rate
        return 0.0
