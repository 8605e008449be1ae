"""The bounded queue between a tap and the pipeline: live traffic never waits for it, files do."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from shadow.model import Exchange

_ROOM = 64


class Takes(Protocol):
    """What exchanges are put into by their source."""

    def offer(self, exchange: Exchange) -> bool: ...

    async def put(self, exchange: Exchange) -> bool: ...


class Intake:
    """Holds at most `capacity` exchanges. To be used from one event loop."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._waiting: deque[Exchange] = deque()
        self._is_closed = False
        self._takers: deque[asyncio.Future[None]] = deque()
        self._putters: deque[asyncio.Future[None]] = deque()
        self._low = capacity - min(capacity // 4, _ROOM) - 1
        """At this fill whoever waits for room is woken: not for each place, which would cost two turns of the
        loop for every exchange."""

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, exchange: Exchange) -> bool:
        """Take `exchange` in; False at once when full or closed, and the caller counts it as dropped."""
        if self._is_closed or len(self._waiting) >= self.capacity:
            return False
        self._waiting.append(exchange)
        self._wake(self._takers)
        return True

    async def put(self, exchange: Exchange) -> bool:
        """Wait for room and take `exchange` in; False when the intake was closed meanwhile."""
        while len(self._waiting) >= self.capacity and not self._is_closed:
            await self._woken(self._putters)
        return self.offer(exchange)

    async def take(self) -> Exchange | None:
        """The oldest exchange, waiting for one; None once closed and empty."""
        while not self._waiting:
            if self._is_closed:
                return None
            await self._woken(self._takers)
        exchange = self._waiting.popleft()
        if self._putters and len(self._waiting) <= self._low:
            self._wake(self._putters)
        return exchange

    def rest(self) -> Iterator[Exchange]:
        """What still waits, taken out without waiting."""
        while self._waiting:
            yield self._waiting.popleft()

    async def close(self) -> None:
        """Refuse all that comes from now on; what waits can still be taken."""
        self._is_closed = True
        self._wake(self._takers)
        self._wake(self._putters)

    @staticmethod
    async def _woken(waiters: deque[asyncio.Future[None]]) -> None:
        waiter = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        await waiter

    @staticmethod
    def _wake(waiters: deque[asyncio.Future[None]]) -> None:
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
