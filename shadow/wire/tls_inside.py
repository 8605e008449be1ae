"""What is said inside a TLS connection, handed on to the conversation that hears it."""

from collections.abc import Callable

import msgspec

from shadow.wire.direction import Conversation, End
from shadow.wire.listener import Link
from shadow.wire.tls_side import Side

_MASK = 0xFFFF_FFFF
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

    def say(self, side: Side, text: bytes, end: int, time: float, ack: int) -> None:
        """Hands on plain text of a record that ended at TCP's number `end` and acknowledged `ack`."""
        seq = side.positions.plain
        heard = self._sides[1 - side.number].positions.plain_at(ack)
        side.positions.advance(end, len(text))
        self.is_over = not self._heard().take(side.number, text, time, seq, heard)

    def miss(self, side: Side, count: int | None, end: int, time: float, *, is_span: bool = False) -> None:
        """Plain text is missing, up to TCP's number `end`: `count` bytes, or None where nobody knows.

        With `is_span` the plain text's numbers go on by as many as are missing of TCP's, so that they are
        those which `Positions` gave while the gap was open.
        """
        span = (side.positions.plain_at(end) - side.positions.plain) & _MASK
        side.positions.advance(end, span if count is None or is_span else count)
        if count != 0:
            size = _UNKNOWN + span if count is None else count
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
