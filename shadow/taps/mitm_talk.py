"""The copy of one conversation that passes the inline tap: WebSocket, TCP, UDP or DNS."""

import msgspec

from shadow.model import Exchange, Message
from shadow.taps.mitm_outlet import Outlet

MESSAGES_MAX = 1000
"""Of one conversation: handing on a thousand holds live traffic up for less than a millisecond."""
_MESSAGE_BYTES = 128
"""What a message costs in memory besides its body."""


class Talk:
    """One conversation, bounded by the outlet's limits. Whoever begins it ends it."""

    __slots__ = (
        "_body_bytes",
        "_held_bytes",
        "_messages",
        "_outlet",
        "_turn",
        "_turn_at",
        "answer",
        "begun",
        "is_over",
    )

    def __init__(self, outlet: Outlet, begun: Exchange) -> None:
        self.begun = begun
        """The exchange that it will be, without its messages."""
        self.answer: object = None
        """What was last answered, in mitmproxy's own terms."""
        self.is_over = False
        self._outlet = outlet
        self._messages: list[Message] = []
        self._turn = bytearray()
        self._turn_at = 0.0
        self._body_bytes = self._held_bytes = 0

    def keep(self, *, is_from_client: bool, body: bytes, seen_at: float, kind: str = "") -> None:
        """Copy a message. Where there is no room for it, the conversation is handed on without the rest."""
        if self._has_room(len(body), _MESSAGE_BYTES):
            self._messages.append(Message(is_from_client, body, seen_at, kind))

    def keep_bytes(self, *, is_from_client: bool, body: bytes, seen_at: float) -> None:
        """Copy a part of a byte stream: all that one side says until the other speaks is one message."""
        goes_on = bool(self._messages) and self._messages[-1].is_from_client == is_from_client
        if not self._has_room(len(body), 0 if goes_on else _MESSAGE_BYTES):
            return
        if not goes_on:
            self._close_turn()
            self._messages.append(Message(is_from_client, b"", seen_at))
        self._turn += body
        self._turn_at = seen_at

    def end(self, *, is_complete: bool = True) -> None:
        """Hand on what was said, once. A connection on which nothing was said is no exchange."""
        if self.is_over:
            return
        self._close_turn()
        self.is_over = True
        self._outlet.held.left_bytes += self._held_bytes
        messages, self._messages = tuple(self._messages), []
        if messages or self.begun.response is not None:
            said = msgspec.structs.replace(self.begun, messages=messages, is_complete=is_complete)
            self._outlet.taker.offer(said)

    def _has_room(self, body_bytes: int, more_bytes: int) -> bool:
        """Whether so much more may be held, which is then counted; if not, the conversation ends here."""
        if self.is_over:
            return False
        size, held = body_bytes + more_bytes, self._outlet.held
        if (
            self._body_bytes + body_bytes > self._outlet.max_body_bytes
            or size > held.left_bytes
            or (more_bytes and len(self._messages) >= MESSAGES_MAX)
        ):
            self.end(is_complete=False)
            return False
        self._body_bytes += body_bytes
        self._held_bytes += size
        held.left_bytes -= size
        return True

    def _close_turn(self) -> None:
        """Give the last message of a byte stream its bytes."""
        if self._turn:
            self._messages[-1] = msgspec.structs.replace(
                self._messages[-1], body=bytes(self._turn), seen_at=self._turn_at
            )
            self._turn = bytearray()
