"""When each exchange is to be sent: on an absolute schedule, so that delays never add up."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import msgspec

from shadow.errors import ConfigError


class Pace(msgspec.Struct, frozen=True):
    """How fast to replay. With neither, as fast as the pipeline takes it."""

    speed: float | None = None
    """Times the recorded speed: 2.0 replays an hour in half an hour. None: recorded time does not count."""
    per_second: float | None = None
    """A fixed rate. With `speed` too, whichever is later."""

    def __post_init__(self) -> None:
        for key, value in (("speed", self.speed), ("rate", self.per_second)):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigError(f"{key} = {value!r} must be above 0, or left out for the maximum")


def due_seconds(pace: Pace, number: int, recorded_seconds: float) -> float:
    """When exchange `number` (from 0) is due, in seconds from the start.

    `recorded_seconds` is its distance in the recording from the first exchange; one that was recorded before
    the first is due at once. A rate makes what comes early wait; it drops nothing.
    """
    by_speed = max(recorded_seconds, 0.0) / pace.speed if pace.speed is not None else 0.0
    by_rate = number / pace.per_second if pace.per_second is not None else 0.0
    return max(by_speed, by_rate)


class Pacer:
    """Holds exchanges back until they are due. The schedule starts with the first one."""

    def __init__(
        self,
        pace: Pace,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.pace = pace
        self._clock = clock
        self._sleep = sleep
        self._started_at: float | None = None
        self._first_seen_at = 0.0
        self._number = 0

    def restart(self) -> None:
        """Have the schedule begin with the next exchange."""
        self._started_at = None
        self._number = 0

    async def wait(self, seen_at: float) -> float | None:
        """Return once the exchange recorded at `seen_at` is due: when that was, by the clock; None where
        there is no schedule."""
        if self._started_at is None:
            self._started_at, self._first_seen_at = self._clock(), seen_at
        due_at = self._started_at + due_seconds(self.pace, self._number, seen_at - self._first_seen_at)
        self._number += 1
        ahead = due_at - self._clock()
        if ahead > 0:
            await self._sleep(ahead)
        is_scheduled = self.pace.speed is not None or self.pace.per_second is not None
        return due_at if is_scheduled else None
