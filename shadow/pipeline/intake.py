"""The bounded queue between a tap and the pipeline: live traffic never waits for it, files do."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from shadow.model import Exchange

_ROOM = 64


class PassEnd:
    """Stands behind the last exchange of a pass over recorded traffic; `over` is set once all is done."""

    def __init__(self) -> None:
        self.over = asyncio.Event()


type Item = Exchange | PassEnd


class Takes(Protocol):
    """What exchanges are put into by their source."""

    def offer(self, item: Exchange) -> bool: ...

    async def put(self, item: Exchange) -> bool: ...

    async def end_pass(self) -> bool:
        """Return once all that was put in is worked off; False when no more is taken."""
        ...


class Intake:
    """Holds at most `capacity` items. To be used from one event loop."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._waiting: deque[Item] = deque()
        self._is_closed = False
        self._takers: deque[asyncio.Future[None]] = deque()
        self._putters: deque[asyncio.Future[None]] = deque()
        self._low = capacity - min(capacity // 4, _ROOM) - 1
        """At this fill whoever waits for room is woken: not for each place, which would cost two turns of the
        loop for every exchange."""

    def __len__(self) -> int:
        return len(self._waiting)

    def offer(self, item: Item) -> bool:
        """Take `item` in; False at once when full or closed, and the caller counts it as dropped."""
        if self._is_closed or len(self._waiting) >= self.capacity:
            return False
        self._waiting.append(item)
        self._wake(self._takers)
        return True

    async def put(self, item: Item) -> bool:
        """Wait for room and take `item` in; False when the intake was closed meanwhile."""
        while len(self._waiting) >= self.capacity and not self._is_closed:
            await self._woken(self._putters)
        return self.offer(item)

    async def end_pass(self) -> bool:
        """Return once all that was put in is worked off; False when the intake was closed meanwhile."""
        end = PassEnd()
        if not await self.put(end):
            return False
        await end.over.wait()
        return True

    async def take(self) -> Item | None:
        """The oldest exchange, waiting for one; None once closed and empty."""
        while not self._waiting:
            if self._is_closed:
                return None
            await self._woken(self._takers)
        item = self._waiting.popleft()
        if self._putters and len(self._waiting) <= self._low:
            self._wake(self._putters)
        return item

    def rest(self) -> Iterator[Exchange]:
        """The exchanges that still wait, taken out without waiting."""
        while self._waiting:
            item = self._waiting.popleft()
            if isinstance(item, Exchange):
                yield item

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
