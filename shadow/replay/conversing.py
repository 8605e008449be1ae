"""Our side of a recorded conversation, whatever carries it: what is said when, and what came of it."""

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Protocol

import msgspec

from shadow.errors import TargetError, UnsafeError
from shadow.model import (
    NO_RESPONSE,
    Ending,
    Message,
    NoReply,
    Outcome,
    Reply,
    Response,
    Silence,
    Timing,
)
from shadow.replay._contract import Sending, Target
from shadow.replay.cues import Cue
from shadow.replay.dialling import why_refused
from shadow.replay.guard import Guard
from shadow.replay.hearing import Hearing

_MAX_REMARKS = 10
_IMPATIENT_SECONDS = 0.25
"""For each answer of a mutant's conversation after one that did not come."""


class TalkSettings(msgspec.Struct, frozen=True):
    """Limits of conversations."""

    connect_timeout_seconds: float = 5.0
    quiet_seconds: float = 0.2
    """In streams, after how long without a byte an answer counts as whole that is shorter than the recorded
    one."""
    end_seconds: float = 0.1
    """How long is listened for more once all that was recorded has come."""
    total_seconds_max: float = 120.0
    """For a whole conversation; beyond it what is left is not waited for."""
    bytes_max: int = 16 << 20
    """The most that is kept of what a peer says."""
    verify_tls: bool = True


class Speaker(Protocol):
    """Says a message to the peer. Raises OSError where that is lost."""

    async def __call__(self, message: Message) -> None: ...


class Progress(msgspec.Struct):
    """What is known of a conversation while it goes on. Times are monotonic."""

    started_at: float
    connected_at: float = 0.0
    hearing: Hearing | None = None
    response: Response = NO_RESPONSE
    is_killed: Callable[[], bool] = bool
    """Whether nothing more may be said, though the conversation was allowed to begin."""
    is_patient: bool = True
    """False once something that live took longer for than we may was not waited for."""
    remarks: list[str] = []

    def remark(self, text: str) -> None:
        if len(self.remarks) < _MAX_REMARKS:
            self.remarks.append(text)

    def timing(self) -> Timing:
        now, start = monotonic(), self.started_at
        # a peer that speaks first may be heard before whoever connected is told of it
        first = max(self.hearing.first_at, self.connected_at) if self.hearing and self.hearing.first_at else 0
        return Timing(
            self.connected_at - start if self.connected_at else 0.0,
            first - start if first else 0.0,
            now - start,
        )


async def converse(
    say: Speaker,
    script: Sequence[Cue],
    sending: Sending,
    progress: Progress,
    *,
    settings: TalkSettings,
    is_stream: bool = False,
    end: Callable[[Ending], None] | None = None,
) -> None:
    """Say the client's messages, each on its cue or when patience is at an end, and listen to the rest.

    `end` does to the connection what is to be done after the last message. Raises UnsafeError where a message
    may not be said any more.
    """
    hearing = progress.hearing
    assert hearing is not None
    quiet_seconds = settings.quiet_seconds if is_stream else None
    said_at = 0
    manner, patience_seconds = sending.manner, math.inf
    for at, cue in enumerate(script):
        if (
            cue.message is None
            and manner is not None
            and manner.ending is not Ending.READ
            and end is not None
        ):
            end(manner.ending)
        has_come = await hearing.until(
            said_at + cue.amount, min(cue.patience_seconds, patience_seconds), quiet_seconds=quiet_seconds
        )
        if manner is not None:
            patience_seconds = patience_seconds if has_come else _IMPATIENT_SECONDS
            if manner.pause_seconds and at and cue.message is not None and not cue.amount:
                await hearing.for_seconds(manner.pause_seconds)
        if not has_come and cue.is_clipped:
            progress.is_patient = False
        if cue.message is None:
            break
        if hearing.ending is not None:
            progress.remark(f"{len(script) - 1 - at} messages were not sent: {hearing.detail}")
            return
        if not has_come:
            progress.remark(f"message {at + 1} was sent before the answer that live had given by then")
        if progress.is_killed():
            raise UnsafeError("the kill switch was set while it was under way")
        said_at = hearing.amount
        heard = tuple(hearing.messages)
        hearing.turn()
        await say(sending.wording(cue.message, heard) if sending.wording else cue.message)
    listens_seconds = 0.0 if manner is None else manner.listens_seconds
    await hearing.for_seconds(max(settings.end_seconds, listens_seconds))


class TalkTransport(ABC):
    """Says recorded conversations to one target, each on a socket of its own."""

    name: str

    def __init__(self, target: Target, guard: Guard, settings: TalkSettings | None = None) -> None:
        self.target = target
        self.settings = settings or TalkSettings()
        self._guard = guard

    def can_send(self, sending: Sending) -> bool:
        return sending.protocol == self.name

    async def send(self, sending: Sending) -> Outcome:
        """What the peer said."""

        async def talk(progress: Progress) -> None:
            await self._talk(sending, progress)

        return await conduct(
            talk, sending, self._guard, self.target, total_seconds_max=self.settings.total_seconds_max
        )

    @property
    @abstractmethod
    def open_connections(self) -> int:
        """Sockets that are held now."""

    @abstractmethod
    async def close(self) -> None:
        """Close everything, and return when the sockets are gone."""

    @abstractmethod
    async def _talk(self, sending: Sending, progress: Progress) -> None:
        """The whole conversation, told to `progress`. May raise what `conduct` makes a value of."""


async def conduct(
    talk: Callable[[Progress], Awaitable[None]],
    sending: Sending,
    guard: Guard,
    target: Target,
    *,
    total_seconds_max: float,
) -> Outcome:
    """The outcome of `talk`, which fills in the progress; what may be raised on the way is a value here."""
    refusal = await guard.turn(sending, target)
    if refusal:
        return NoReply(Silence.UNSENT, refusal)
    now = monotonic()
    progress = Progress(now, remarks=[], is_killed=lambda: guard.is_killed)
    try:
        async with asyncio.timeout(total_seconds_max):
            await talk(progress)
    except TimeoutError:
        progress.is_patient = False
        progress.remark(f"it was left after {total_seconds_max:g} s")
    except UnsafeError as error:
        return NoReply(Silence.UNSENT, str(error), progress.timing())
    except UnsayableError as error:
        return NoReply(Silence.UNSENT, str(error), progress.timing())
    except (TargetError, OSError) as error:
        text = why_refused(error)
        if not progress.connected_at or progress.hearing is None:
            return NoReply(Silence.REFUSED, text, progress.timing())
        progress.hearing.end(Silence.RESET, text)
    return _outcome(sending, progress)


class UnsayableError(Exception):
    """A recorded message cannot be said by this transport."""


def _outcome(sending: Sending, progress: Progress) -> Outcome:
    hearing, timing = progress.hearing, progress.timing()
    if hearing is None:
        return NoReply(Silence.REFUSED, "no connection within the time limit", timing)
    hearing.turn()
    is_answered = bool(hearing.messages) or hearing.is_full or progress.response.status != 0
    is_awaited = any(not each.is_from_client for each in sending.messages)
    if hearing.ending is Silence.MALFORMED or (hearing.ending is Silence.REFUSED and not is_answered):
        return NoReply(hearing.ending, hearing.detail, timing)
    if not is_answered and is_awaited:
        why, detail = hearing.ending, hearing.detail
        return NoReply(why or Silence.TIMED_OUT, detail or "no answer within the time limit", timing)
    if hearing.ending is not None and hearing.ending is not Silence.CLOSED:
        progress.remark(f"then {hearing.ending.value}: {hearing.detail}")
    return Reply(
        progress.response,
        timing,
        protocol=sending.protocol,
        messages=tuple(hearing.messages),
        is_complete=progress.is_patient and not hearing.is_full,
        ending=hearing.ending,
        remarks=tuple(progress.remarks),
    )
