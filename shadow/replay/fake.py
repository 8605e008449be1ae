"""A transport without a network, for tests of whatever uses one."""

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum

from shadow.model import NoReply, Outcome, Silence, Timing
from shadow.replay._contract import Sending


class Hang(Enum):
    """Stands in a script for an answer that never comes."""

    HANG = "hang"


HANG = Hang.HANG
"""Scripted in place of an outcome: the sending waits for its time limit, or until it is cancelled."""

type Answer = Outcome | Hang


class FakeTransport:
    """Answers from a script and remembers what it was given.

    The script is a function of the sending, or outcomes in the order in which they are to be given; after
    the last of them every sending is REFUSED.
    """

    def __init__(
        self,
        script: Callable[[Sending], Answer] | Iterable[Answer],
        *,
        name: str = "fake",
        can_send: Callable[[Sending], bool] = lambda _: True,
    ) -> None:
        self.name = name
        self.sent: list[Sending] = []
        """Everything sent, in order, cancelled sendings among them."""
        self.under_way = 0
        self.cancelled = 0
        self.is_closed = False
        self._script = script if callable(script) else _in_order(script)
        self._can_send = can_send

    def can_send(self, sending: Sending) -> bool:
        return self._can_send(sending)

    async def send(self, sending: Sending) -> Outcome:
        self.sent.append(sending)
        self.under_way += 1
        try:
            answer = self._script(sending)
            await asyncio.sleep(0)  # others get their turn, as with a network
            return await _hang(sending.timeout_seconds) if isinstance(answer, Hang) else answer
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        self.is_closed = True


async def _hang(timeout_seconds: float) -> NoReply:
    try:
        async with asyncio.timeout(timeout_seconds):
            await asyncio.Event().wait()
    except TimeoutError:
        pass
    return NoReply(Silence.TIMED_OUT, "scripted", Timing(total_seconds=timeout_seconds))


def _in_order(outcomes: Iterable[Answer]) -> Callable[[Sending], Answer]:
    rest = iter(outcomes)
    return lambda _: next(rest, NoReply(Silence.REFUSED, "the script is over"))
