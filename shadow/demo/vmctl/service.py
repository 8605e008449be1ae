"""One running service: its settings, database, clock, and what it remembers between requests."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from shadow.demo.vmctl.bugs import Bugs
from shadow.demo.vmctl.clock import Chance, Clock
from shadow.demo.vmctl.limits import Limiter
from shadow.demo.vmctl.settings import VmctlSettings
from shadow.demo.vmctl.store import Store

_EVENTS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that was done, in the order of `number`."""

    number: int
    at: float
    actor: str
    action: str
    subject: str


@dataclass(slots=True)
class Service:
    """What every route is handed."""

    settings: VmctlSettings
    bugs: Bugs
    store: Store
    clock: Clock
    chance: Chance
    limiter: Limiter
    token_secret: bytes
    happenings: deque[Happening] = field(default_factory=lambda: deque(maxlen=_EVENTS_KEPT))
    happened: asyncio.Event = field(default_factory=asyncio.Event)
    """Set and replaced at each happening; whoever waits takes the present one first."""
    verified_heads: dict[str, bytes] = field(default_factory=dict)
    refused: list[bytes] = field(default_factory=list)
    timers: set[asyncio.TimerHandle] = field(default_factory=set)
    counted: dict[int, int] = field(default_factory=dict)
    """Answers by status."""

    def record(self, actor: str, action: str, subject: str) -> None:
        """Write the audit line and tell the listeners. Call it inside the effect's transaction."""
        at = self.clock.now()
        number = len(self.happenings) and self.happenings[-1].number
        self.store.run(
            "INSERT INTO audit (at, actor, action, subject) VALUES (?, ?, ?, ?)", at, actor, action, subject
        )
        self.happenings.append(Happening(number + 1, at, actor, action, subject))
        self.happened.set()
        self.happened = asyncio.Event()

    def later(self, effect: Callable[[], None], *, delay_seconds: float = 0.0) -> None:
        """Run `effect` once the present request is answered, or `delay_seconds` later."""
        loop = asyncio.get_running_loop()
        if not delay_seconds:
            loop.call_soon(effect)
            return

        def due() -> None:
            self.timers.discard(timer)
            effect()

        timer = loop.call_later(delay_seconds, due)
        self.timers.add(timer)

    def close(self) -> None:
        """What was to be done later is not done any more; the database is closed."""
        for timer in self.timers:
            timer.cancel()
        self.store.close()


def make_service(settings: VmctlSettings) -> Service:
    """A service on the database of `settings`."""
    is_fixed = settings.clock == "fixed"
    chance = Chance(settings.seed if is_fixed else None)
    return Service(
        settings=settings,
        bugs=Bugs(settings.bugs),
        store=Store(settings.db),
        clock=Clock(is_fixed=is_fixed),
        chance=chance,
        limiter=Limiter(),
        token_secret=chance.new_secret(),
    )
