"""How much is asked of the shadow environment at this moment: all, less, or nothing until told otherwise."""

import asyncio
from collections.abc import Callable

from shadow.model import Event, Outcome, Response, StateChanged
from shadow.replay import Mode, SafeMode, SafeModeSettings

_FEWER = 4
"""A throttled run works on a quarter of the exchanges at once."""
_LOOK_SECONDS = 0.25


class Governor:
    """Gives out turns to exchanges, fewer in worse modes and none while paused.

    `stopping` is the run's; once it is set nothing is held back here any more, for nothing is sent either.
    """

    def __init__(
        self,
        settings: SafeModeSettings,
        *,
        concurrency: int,
        stopping: asyncio.Event,
        halt: Callable[[str], None],
        hear: Callable[[Event], None],
    ) -> None:
        """`halt` is called with the reason where nothing may be sent any more."""
        self.safe_mode = SafeMode(settings, tell=self._tell)
        self.is_paused = False
        self._settings = settings
        self._concurrency = concurrency
        self._stopping = stopping
        self._halt = halt
        self._hear = hear
        self._under_way = 0
        self._waiting = 0
        self._next_at = 0.0
        self._changed = asyncio.Event()

    @property
    def state(self) -> str:
        """The run's state as it is told: the mode, or that it is paused or stopping."""
        if self._stopping.is_set():
            return "stopping"
        return "paused" if self.is_paused else self.safe_mode.mode.value

    @property
    def sends_scripts(self) -> bool:
        """Whether whole sessions are mutated: that is much at once."""
        return self.safe_mode.mode is Mode.NORMAL

    @property
    def doubt(self) -> str:
        """Why an answer to an original tells nothing of it now; empty where it does."""
        return "" if self.safe_mode.mode in (Mode.NORMAL, Mode.THROTTLED) else "the run is in safe mode"

    def mutants(self, budget: int) -> int:
        """How many mutants an exchange is given now."""
        return {Mode.NORMAL: budget, Mode.THROTTLED: min(budget, 1)}.get(self.safe_mode.mode, 0)

    def note(self, target: str, endpoint: str, outcome: Outcome, live: Response | None) -> None:
        """Take in what came of an original."""
        self.safe_mode.note(target, endpoint, outcome, live.status if live else None)

    def look(self) -> None:
        """Change the mode where it is time to."""
        self.safe_mode.look()

    def pause(self, why: str) -> None:
        """Have nothing more sent until `resume`; what was sent is still answered and judged."""
        if not self.is_paused:
            self.is_paused = True
            self._hear(StateChanged("paused", why))

    def resume(self, why: str) -> None:
        """Go on after `pause`."""
        if self.is_paused:
            self.is_paused = False
            self._wake()
            self._hear(StateChanged(self.safe_mode.mode.value, why))

    def follow(self, mode: Mode) -> None:
        """Be in the mode of those who do the work, in another process."""
        self.safe_mode.mode = mode

    def turn(self) -> "_Turn":
        """One exchange's time at work, for ``async with``. Waits for it, unless the run is stopping."""
        return _Turn(self)

    async def begin(self) -> None:
        """Begin a turn."""
        while not self._stopping.is_set() and (seconds := self._wait_seconds()) > 0:
            await self._change(seconds)
        self._under_way += 1

    def end(self) -> None:
        """End a turn."""
        self._under_way -= 1
        if self._waiting:
            self._wake()

    async def resumed(self) -> None:
        """Return when the run is not paused, or is stopping."""
        while self.is_paused and not self._stopping.is_set():
            await self._change(_LOOK_SECONDS)

    def _wait_seconds(self) -> float:
        """0.0 when one more exchange may be worked on, which then counts; else when to ask again."""
        mode = self.safe_mode.mode
        if self.is_paused:
            return _LOOK_SECONDS
        if mode is Mode.NORMAL:
            return 0.0
        if mode is Mode.THROTTLED:
            is_free = self._under_way < max(1, self._concurrency // _FEWER)
            return 0.0 if is_free else _LOOK_SECONDS
        if self._under_way:
            return _LOOK_SECONDS
        now = asyncio.get_running_loop().time()
        if now < self._next_at:
            return min(self._next_at - now, _LOOK_SECONDS)
        self._next_at = now + 1.0 / self._settings.per_second
        return 0.0

    async def _change(self, seconds: float) -> None:
        """Wait until something was changed, at most so long."""
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        finally:
            self._waiting -= 1

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _tell(self, mode: Mode, why: str) -> None:
        self._wake()
        self._hear(StateChanged(mode.value, why))
        if mode is Mode.STOPPED:
            self._halt(why)


class _Turn:
    """A turn of the governor's: every exchange takes one, and a generator costs several times as much."""

    __slots__ = ("_governor",)

    def __init__(self, governor: Governor) -> None:
        self._governor = governor

    async def __aenter__(self) -> None:
        await self._governor.begin()

    async def __aexit__(self, *_: object) -> None:
        self._governor.end()
