"""Requests over HTTP/1 completed at one moment: their last bytes are held back, and then sent together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from shadow.errors import TargetError, UnsafeError
from shadow.model import NoReply, Silence
from shadow.replay._contract import Sending
from shadow.replay.attempt import Attempt
from shadow.replay.connection import Connection
from shadow.replay.dialling import why_refused
from shadow.wire.http1 import serialise_request

_SETTLE_SECONDS = 0.05
"""Until the server has taken the connections and read what was sent ahead, so that all are equally warm."""

type Connect = Callable[[Attempt], Awaitable[Connection]]


async def complete_together(attempts: Sequence[Attempt], connect: Connect) -> None:
    """Send `attempts`, each on a connection of its own, and wait for their answers.

    Whatever befalls one of them is its own outcome, and keeps none of the others.
    """
    payloads = [_payload(attempt.sending) for attempt in attempts]

    async def ahead(attempt: Attempt, payload: bytes) -> None:
        connection = await connect(attempt)
        connection.expect(attempt.answer)
        connection.put(payload[:-1])

    await _all(
        [_noted(attempt, ahead(attempt, text)) for attempt, text in zip(attempts, payloads, strict=True)]
    )
    await asyncio.sleep(_SETTLE_SECONDS)
    pairs = zip(attempts, payloads, strict=True)
    waited_seconds = 0.0
    for attempt, payload in sorted(pairs, key=lambda pair: pair[0].sending.after_seconds):
        if (after := attempt.sending.after_seconds) > waited_seconds:
            await asyncio.sleep(after - waited_seconds)
            waited_seconds = after
        if attempt.connection is not None:
            attempt.connection.put(payload[-1:])
    await _all([_noted(each, each.connection.answered()) for each in attempts if each.connection is not None])


async def _all(steps: Sequence[Awaitable[None]]) -> None:
    async def taken(step: Awaitable[None]) -> None:
        await step

    async with asyncio.TaskGroup() as group:
        for at, step in enumerate(steps):
            group.create_task(taken(step), name=f"copy {at}")


async def _noted(attempt: Attempt, step: Awaitable[None]) -> None:
    """Await `step`; trouble on the way is noted as the attempt's."""
    try:
        async with asyncio.timeout(attempt.sending.timeout_seconds):
            await step
    except TimeoutError:
        attempt.timed_out = True
    except UnsafeError as error:
        attempt.trouble = NoReply(Silence.UNSENT, str(error))
    except (TargetError, OSError) as error:
        attempt.trouble = NoReply(Silence.REFUSED, why_refused(error))


def _payload(sending: Sending) -> bytes:
    wire = sending.wire
    return serialise_request(sending.request) if wire is None else b"".join(wire.segments)
