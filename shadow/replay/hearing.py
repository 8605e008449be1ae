"""What the peer of a conversation has said so far, within bounds, and a way to wait for more of it."""

import asyncio
from time import monotonic

from shadow.model import Message, Silence

_MESSAGE_BYTES = 128
"""What a message costs besides its body."""


class Hearing:
    """One conversation's, filled by a protocol's callbacks."""

    def __init__(self, *, joins: bool, bytes_max: int) -> None:
        """With `joins`, what comes until `turn` is one message, as in streams; its bytes are counted."""
        self.messages: list[Message] = []
        self.amount = 0
        """How much was heard: bytes where they join, else messages."""
        self.first_at = 0.0
        """Monotonic."""
        self.latest_at = 0.0
        """By the loop's clock, as limits are."""
        self.ending: Silence | None = None
        """Why no more can come: CLOSED, RESET, MALFORMED, REFUSED; None while it can."""
        self.detail = ""
        self.is_full = False
        """Whether there was more than the bounds allow."""
        self._joins = joins
        self._room = bytes_max
        self._joined: bytearray | None = None
        self._heard = 0
        """How often something came. Times cannot tell: uvloop's stand still within a turn."""
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def hear(self, body: bytes, kind: str = "") -> None:
        """The peer said `body`. What is beyond the bounds ends the hearing."""
        if self.ending is not None:
            return
        self.latest_at = self._loop.time()
        self._heard += 1
        self.first_at = self.first_at or monotonic()
        if self._joins:
            self._join(body[: self._room])
        elif len(body) + _MESSAGE_BYTES <= self._room:
            self.amount += 1
            self.messages.append(Message(False, body, 0.0, kind))
        self._room -= len(body) + (0 if self._joins else _MESSAGE_BYTES)
        self._changed.set()
        if self._room < 0:
            self.is_full = True
            self.end(Silence.CLOSED, "it said more than is kept")

    @property
    def has_turn(self) -> bool:
        """Whether something came since we spoke last; only where it joins."""
        return self._joined is not None

    def turn(self) -> None:
        """We speak next: what comes after it is another message."""
        if self._joined is not None:
            self.messages.append(Message(False, bytes(self._joined), 0.0))
            self._joined = None

    def end(self, why: Silence, detail: str) -> None:
        """No more can come. The first reason counts."""
        if self.ending is None:
            self.ending, self.detail = why, detail
            self._changed.set()

    async def until(self, amount: int, seconds: float, *, quiet_seconds: float | None = None) -> bool:
        """Wait until `amount` was heard in all; False where it was not within `seconds`, or cannot come.

        With `quiet_seconds` no longer than that after something came: it may be all, though shorter.
        """
        start, heard_before = self._loop.time(), self._heard
        while self.amount < amount and self.ending is None:
            limit = start + seconds
            if quiet_seconds is not None and self._heard > heard_before:
                limit = min(limit, self.latest_at + quiet_seconds)
            if not await self._changes_before(limit):
                break
        return self.amount >= amount

    async def for_seconds(self, seconds: float) -> None:
        """Listen for so long, or until no more can come."""
        limit = self._loop.time() + seconds
        while self.ending is None and await self._changes_before(limit):
            pass

    def _join(self, body: bytes) -> None:
        self.amount += len(body)
        self._joined = bytearray() if self._joined is None else self._joined
        self._joined += body

    async def _changes_before(self, limit: float) -> bool:
        if limit <= self._loop.time():
            return False
        self._changed.clear()
        try:
            async with asyncio.timeout_at(limit):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True
