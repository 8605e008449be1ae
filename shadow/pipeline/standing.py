"""Whether a target can be used: who waits while it cannot, and who is told."""

import asyncio
from collections.abc import Awaitable, Callable

from shadow.model import Event, NoReply, Outcome, Reply, TargetSeen
from shadow.replay import Breaker
from shadow.replay.dialling import UNTRUSTED

_MAX_WAIT_SECONDS = 0.25
"""So soon is noticed that the run is stopping."""


class Standing:
    """That of one target."""

    def __init__(
        self,
        target: str,
        breaker: Breaker,
        *,
        stopping: asyncio.Event,
        hear: Callable[[Event], None],
        resumed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`resumed` is awaited before each sending: it returns once the run is not paused."""
        self._target = target
        self._breaker = breaker
        self._queue = asyncio.Lock()
        self._stopping = stopping
        self._hear = hear
        self._resumed = resumed
        self._told: bool | None = None

    @property
    def is_up(self) -> bool:
        """Whether the target counts as usable."""
        return self._breaker.is_up

    async def has_turn(self) -> bool:
        """Wait while the target is known to be down; False where the run is stopping meanwhile."""
        if (seconds := self._breaker.wait_seconds()) and not await self._is_let_through(seconds):
            return False
        await self.unpaused()
        return True

    async def unpaused(self) -> None:
        """Return once the run is not paused, or is stopping."""
        if self._resumed is not None:
            await self._resumed()

    def note(self, outcome: Outcome) -> None:
        """Take in what came of a sending, and tell where that changes anything."""
        self._breaker.note(outcome)
        if not self._breaker.is_up or _is_untrusted(outcome):
            self.tell(is_up=False, why=_why(outcome))
        elif isinstance(outcome, Reply):
            self.tell(is_up=True)

    def tell(self, *, is_up: bool, why: str = "") -> None:
        """Tell the sinks whether the target is usable, where that is news."""
        if is_up != self._told:
            self._told = is_up
            self._hear(TargetSeen(self._target, is_up, why))

    async def _is_let_through(self, seconds: float) -> bool:
        """Wait for the breaker, to be asked again after `seconds`; False where that makes no sense any more.

        One at a time: if all who wait woke for each free place, a slow start would keep a processor busy.
        """
        async with self._queue:
            while seconds:
                if self._stopping.is_set() and not self._breaker.is_up:
                    return False
                await asyncio.sleep(min(seconds, _MAX_WAIT_SECONDS))
                seconds = self._breaker.wait_seconds()
        return True


def why_dropped(outcome: NoReply) -> str:
    """Why an exchange whose candidate gave `outcome` is dropped, in one of a few ways."""
    return f"candidate {outcome.why}" + (f": {UNTRUSTED}" if _is_untrusted(outcome) else "")


def _is_untrusted(outcome: Outcome) -> bool:
    """Whether trying again is of no use before somebody has done something about a certificate."""
    return isinstance(outcome, NoReply) and outcome.detail.startswith(UNTRUSTED)


def _why(outcome: Outcome) -> str:
    if isinstance(outcome, Reply):
        return ""
    return (
        f"{outcome.why.replace('_', ' ')}, {outcome.detail}"
        if outcome.detail
        else outcome.why.replace("_", " ")
    )
