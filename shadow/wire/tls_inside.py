"""What is said inside a TLS connection, handed on to the conversation that hears it."""

from collections.abc import Callable

import msgspec

from shadow.wire.direction import Conversation, End
from shadow.wire.listener import Link
from shadow.wire.tls_records import Record
from shadow.wire.tls_side import Side

_UNKNOWN = 1 << 80
"""A gap of which nobody knows the size: no message of known length goes on after it. As a multiple of 2^32 it
leaves sequence numbers as they are."""


class Inside:
    """The inner conversation, opened when there is something to hear."""

    def __init__(self, link: Link, sides: tuple[Side, Side], begin: Callable[[Link], Conversation]) -> None:
        """`begin` gives who hears it, for a link that is seen from its first byte."""
        self._link = msgspec.structs.replace(link, is_whole=True, tls_layers=link.tls_layers + 1)
        self._sides = sides
        self._begin = begin
        self._conversation: Conversation | None = None
        self._ends: dict[int, End] = {}
        self.is_over = False
        """Nobody wants to hear more."""

    def say(self, side: Side, record: Record, text: bytes, *, is_client: bool) -> None:
        """Hands on the plain text of a record."""
        other = self._sides[1 - side.number].positions
        seq = side.positions.say(record.end, len(text))
        # Who asks has heard all that was said before the answer; who answers, all that was asked.
        ack = other.of(record.ack) if is_client else other.heard(record.ack)
        self.is_over = not self._heard().take(side.number, text, record.time, seq, ack)

    def miss(self, side: Side, count: int | None, end: int, time: float) -> None:
        """Plain text is missing, up to TCP's number `end`: `count` bytes, or None where nobody knows."""
        missing = side.positions.miss(end, count)
        size = missing + _UNKNOWN if count is None else missing
        self.is_over = not self._heard().skip(side.number, size, time)

    def close(self, side: Side, how: End) -> None:
        """A side says nothing more; only the first time counts."""
        if side.number in self._ends:
            return
        self._ends[side.number] = how
        if self._conversation is not None and not self.is_over:
            self._conversation.end(side.number, how)

    def is_closed(self, side: Side) -> bool:
        return side.number in self._ends

    def _heard(self) -> Conversation:
        if self._conversation is None:
            self._conversation = self._begin(self._link)
            for number, how in self._ends.items():
                self._conversation.end(number, how)
        return self._conversation
