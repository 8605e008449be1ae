"""Connections of HTTP/2 by lane: all requests of one lane share one, as a client's do."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from shadow.replay.http2_connection import Http2Connection


class _Gate:
    """Whoever is about to connect a lane, and how many wait for that."""

    __slots__ = ("lock", "users")

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0


class Lanes:
    """At most `capacity` idle connections are kept; the one unused for longest makes room."""

    def __init__(self, capacity: int, idle_seconds_max: float) -> None:
        self._capacity = capacity
        self._idle_seconds_max = idle_seconds_max
        self._of_lane: OrderedDict[str, Http2Connection] = OrderedDict()
        """The lane used longest ago first."""
        self._gates: dict[str, _Gate] = {}

    async def connection(
        self,
        lane: str,
        connect: Callable[[], Awaitable[Http2Connection]],
        is_well: Callable[[Http2Connection], Awaitable[bool]],
    ) -> Http2Connection:
        """The lane's connection; a new one where it has none that may be used and `is_well`.

        Raises what `connect` raises.
        """
        async with self._alone(lane):
            kept = self._of_lane.get(lane)
            if kept is not None and await self._may_use(kept, is_well):
                self._of_lane.move_to_end(lane)
                return kept
            if kept is not None:
                del self._of_lane[lane]
                kept.retire()
            made = await connect()
            self._of_lane[lane] = made
            return made

    def cull(self) -> None:
        """Close what is kept beyond the capacity, and forget what is closed."""
        if len(self._of_lane) <= self._capacity:
            return
        for lane, connection in list(self._of_lane.items()):
            if len(self._of_lane) <= self._capacity:
                return
            if connection.is_idle:
                del self._of_lane[lane]
                connection.retire()

    def clear(self) -> None:
        """Forget all of them."""
        self._of_lane.clear()

    async def _may_use(
        self, connection: Http2Connection, is_well: Callable[[Http2Connection], Awaitable[bool]]
    ) -> bool:
        if not connection.is_usable:
            return False
        if not connection.is_idle:
            return True
        idle_seconds = connection.loop.time() - connection.idle_since
        return idle_seconds <= self._idle_seconds_max and await is_well(connection)

    @asynccontextmanager
    async def _alone(self, lane: str) -> AsyncIterator[None]:
        gate = self._gates.setdefault(lane, _Gate())
        gate.users += 1
        try:
            async with gate.lock:
                yield
        finally:
            gate.users -= 1
            if not gate.users:
                self._gates.pop(lane, None)
