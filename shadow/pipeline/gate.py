"""Lets one have the environment's state to itself for a moment; everyone else's writes wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar


class Gate:
    """Writes go through side by side; whoever `holds` it waits for those under way and lets no more begin.

    Whatever the holder starts passes freely.
    """

    def __init__(self) -> None:
        self._passing = 0
        self._is_held = False
        self._changed = asyncio.Condition()
        self._holding: ContextVar[bool] = ContextVar("holding", default=False)

    @asynccontextmanager
    async def passes(self) -> AsyncIterator[None]:
        """Around each write."""
        if self._holding.get():
            yield
            return
        if self._is_held:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._is_held)
        self._passing += 1
        try:
            yield
        finally:
            self._passing -= 1
            if self._is_held:
                async with self._changed:
                    self._changed.notify_all()

    @asynccontextmanager
    async def holds(self) -> AsyncIterator[None]:
        """Around what must see no writes but its own."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._is_held)
            self._is_held = True
        token = self._holding.set(True)
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._passing)
            yield
        finally:
            self._holding.reset(token)
            self._is_held = False
            async with self._changed:
                self._changed.notify_all()
