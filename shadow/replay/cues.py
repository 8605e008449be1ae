"""When each message of a recorded conversation may be said again: once the peer has said as much as then."""

from collections.abc import Sequence

import msgspec

from shadow.model import Message

PATIENCE_SECONDS_MIN = 1.0
_SLOWER = 2.0
"""A shadow may take so many times as long as the live service took."""


class Cue(msgspec.Struct, frozen=True):
    """What must be heard, after what was said last, before `message` is said."""

    message: Message | None
    """None where there is nothing more to say, and the rest is only listened to."""
    amount: int
    """Of messages or bytes; 0 where the client went on by itself."""
    patience_seconds: float
    is_clipped: bool = False
    """Whether live took longer than this patience."""


def cues(messages: Sequence[Message], *, by_bytes: bool, patience_seconds_max: float) -> tuple[Cue, ...]:
    """One cue for each of the client's messages, in order, and a last one for what the peer says after them.

    Amounts are counted in bytes, for streams, or in messages. `messages` must hold only what counts.
    """
    found: list[Cue] = []
    amount, took_seconds = 0, 0.0
    said_at = messages[0].seen_at if messages else 0.0
    for message in messages:
        if message.is_from_client:
            found.append(_cue(message, amount, took_seconds, patience_seconds_max))
            amount, took_seconds, said_at = 0, 0.0, message.seen_at
        else:
            amount += len(message.body) if by_bytes else 1
            took_seconds = max(message.seen_at - said_at, 0.0)
    return (*found, _cue(None, amount, took_seconds, patience_seconds_max))


def _cue(message: Message | None, amount: int, took_seconds: float, patience_seconds_max: float) -> Cue:
    patience_seconds = min(PATIENCE_SECONDS_MIN + _SLOWER * took_seconds, patience_seconds_max)
    return Cue(message, amount, patience_seconds, took_seconds > patience_seconds_max)
