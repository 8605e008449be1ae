"""Lets one have the environment to itself for a moment; what others would send waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar


class Gate:
    """Requests go through side by side; whoever `holds` it waits for the writes under way and lets no more
    begin, or, where it holds it for all, no request at all.

    Whatever the holder starts passes freely.
    """

    def __init__(self) -> None:
        self._writing = 0
        self._reading = 0
        self._is_held = False
        self._is_held_for_all = False
        self._changed = asyncio.Condition()
        self._holding: ContextVar[bool] = ContextVar("holding", default=False)

    @asynccontextmanager
    async def passes(self, *, is_write: bool = True) -> AsyncIterator[None]:
        """Around each request."""
        if self._holding.get():
            yield
            return
        if self._holds_up(is_write=is_write):
            async with self._changed:
                await self._changed.wait_for(lambda: not self._holds_up(is_write=is_write))
        self._count(1, is_write=is_write)
        try:
            yield
        finally:
            self._count(-1, is_write=is_write)
            if self._is_held:
                async with self._changed:
                    self._changed.notify_all()

    @asynccontextmanager
    async def holds(self, *, for_all: bool = False) -> AsyncIterator[None]:
        """Around what must see no writes but its own; with `for_all` no other requests at all."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._is_held)
            self._is_held, self._is_held_for_all = True, for_all
        token = self._holding.set(True)
        try:
            async with self._changed:
                await self._changed.wait_for(lambda: not (self._writing or (for_all and self._reading)))
            yield
        finally:
            self._holding.reset(token)
            self._is_held = self._is_held_for_all = False
            async with self._changed:
                self._changed.notify_all()

    def _holds_up(self, *, is_write: bool) -> bool:
        return self._is_held and (is_write or self._is_held_for_all)

    def _count(self, change: int, *, is_write: bool) -> None:
        if is_write:
            self._writing += change
        else:
            self._reading += change
