"""Cuts the stream of exchanges into batches, between which the shadow environment is put back."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from shadow.model import Exchange
from shadow.pipeline.intake import Intake, Item, PassEnd

type SessionOf = Callable[[Exchange], str]


class Boundary:
    """Stands between two batches."""


BOUNDARY = Boundary()


class Whole:
    """No batches: everything as it comes."""

    async def take(self, intake: Intake) -> Item | Boundary | None:
        return await intake.take()

    def rest(self) -> list[Exchange]:
        """What is held back."""
        return []


class Counted:
    """Batches of so many exchanges. A boundary comes only once there is something behind it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._held: Exchange | None = None

    async def take(self, intake: Intake) -> Item | Boundary | None:
        if self._held is not None:
            held, self._held = self._held, None
            self._taken = 1
            return held
        item = await intake.take()
        if isinstance(item, PassEnd):
            self._taken = 0
            return item
        if item is not None and self._taken >= self._size:
            self._held = item
            return BOUNDARY
        self._taken += 1
        return item

    def rest(self) -> list[Exchange]:
        """What is held back."""
        return [self._held] if self._held is not None else []


class BySession:
    """Each session is a batch: what others asked meanwhile is held back until it is over.

    A session is over once it has been quiet for `idle_seconds` of recorded time, or nothing more comes. No
    more than `held_max` exchanges are held: then the oldest session goes as far as it has come.
    """

    def __init__(self, session_of: SessionOf, *, idle_seconds: float, held_max: int) -> None:
        self._session_of = session_of
        self._idle_seconds = idle_seconds
        self._held_max = held_max
        self._held: OrderedDict[str, list[Exchange]] = OrderedDict()
        self._count = 0
        self._ready: deque[Item | Boundary] = deque()
        self._has_begun = False
        self._is_over = False

    async def take(self, intake: Intake) -> Item | Boundary | None:
        while not self._ready:
            if self._is_over:
                return None
            item = await self._next(intake)
            if isinstance(item, Exchange):
                continue
            for session in tuple(self._held):
                self._release(session)
            if item is not None:
                self._ready.append(item)
                self._has_begun = False
            if not self._ready:
                return None
        return self._ready.popleft()

    def rest(self) -> list[Exchange]:
        """What is held back."""
        held = [each for session in self._held.values() for each in session]
        return [*(each for each in self._ready if isinstance(each, Exchange)), *held]

    async def _next(self, intake: Intake) -> Item | None:
        """Take one more exchange in; None once there are no more, or none came while sessions went quiet."""
        try:
            async with asyncio.timeout(self._idle_seconds if self._held else None):
                exchange = await intake.take()
        except TimeoutError:
            return None
        if exchange is None:
            self._is_over = True
            return None
        if isinstance(exchange, PassEnd):
            return exchange
        self._held.setdefault(self._session_of(exchange), []).append(exchange)
        self._count += 1
        for session, exchanges in tuple(self._held.items()):
            if exchange.seen_at - exchanges[-1].seen_at > self._idle_seconds:
                self._release(session)
        if self._count >= self._held_max:
            self._release(next(iter(self._held)))
        return exchange

    def _release(self, session: str) -> None:
        exchanges = self._held.pop(session)
        self._count -= len(exchanges)
        if self._has_begun:
            self._ready.append(BOUNDARY)
        self._has_begun = True
        self._ready.extend(exchanges)


type Batches = Whole | Counted | BySession
