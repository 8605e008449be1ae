"""Lets one have the targets to itself for a moment: nothing else is sent to them meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar


class Calm:
    """One for a run. Whoever `holds` it waits for what is under way and lets nothing more begin.

    Whatever the holder starts passes freely. Every sending goes through `begin` and `end`, so these are
    plain calls.
    """

    def __init__(self) -> None:
        self._passing = 0
        self._is_held = False
        self._free = asyncio.Event()
        self._empty = asyncio.Event()
        self._holding: ContextVar[bool] = ContextVar("alone", default=False)

    @property
    def is_mine(self) -> bool:
        """Whether the caller is who holds it, or was started by it."""
        return self._is_held and self._holding.get()

    async def begin(self) -> bool:
        """Before each sending: returns once it may leave. What comes back is for `end`."""
        while self._is_held:
            if self._holding.get():
                return False
            await self._free.wait()
        self._passing += 1
        return True

    def end(self, *, is_counted: bool) -> None:
        """After each sending, whatever came of it; `is_counted` is what `begin` gave."""
        if is_counted:
            self._passing -= 1
            if not self._passing:
                self._empty.set()

    @asynccontextmanager
    async def holds(self) -> AsyncIterator[None]:
        """Around what is to meet the targets alone. Its own holder holds it already."""
        if self.is_mine:
            yield
            return
        while self._is_held:
            await self._free.wait()
        self._is_held = True
        self._free.clear()
        token = self._holding.set(True)
        try:
            while self._passing:
                self._empty.clear()
                await self._empty.wait()
            yield
        finally:
            self._holding.reset(token)
            self._is_held = False
            self._free.set()
