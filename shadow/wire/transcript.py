"""What both sides of one conversation said, in order and within bounds, until it is told as one exchange."""

from bisect import insort_right

import msgspec

from shadow.model import Exchange, Message
from shadow.wire.http1 import Limits
from shadow.wire.listener import Listener

_MAX_MESSAGES = 65_536
_MESSAGE_BYTES = 128
"""What a message costs besides its body."""


class _Said:
    """One message, which may still grow."""

    __slots__ = ("body", "is_from_client", "kind", "seen_at")

    def __init__(self, body: bytes, time: float, kind: str, *, is_from_client: bool) -> None:
        self.is_from_client = is_from_client
        self.body: bytes | bytearray = body
        self.seen_at = time
        self.kind = kind

    def message(self) -> Message:
        return Message(self.is_from_client, bytes(self.body), self.seen_at, self.kind)


class Transcript:
    """One conversation that is under way.

    Messages are ordered by time, for what one side said may be known late: a segment was missing. Those of
    one side keep their own order all the same.
    """

    def __init__(self, exchange: Exchange, listener: Listener, limits: Limits) -> None:
        """`exchange` is what is told in the end, as it is without messages, and with its index."""
        self.is_complete = True
        """Whoever leaves a message out makes it False."""
        self._exchange = exchange
        self._listener = listener
        self._said: list[_Said] = []
        self._latest = {True: exchange.seen_at, False: exchange.seen_at}
        self._is_broken = {True: False, False: False}
        self.room_bytes = limits.max_body_bytes
        """How many more bytes may be kept."""
        self._kept_bytes = 0
        self._is_told = False

    def hold(self, count: int) -> bool:
        """Counts `count` more bytes of messages that are not complete, fewer where negative; False where
        they are too many."""
        self.room_bytes -= count
        self._kept_bytes += count
        return self._listener.keep(count) and self.room_bytes >= 0

    def add(self, body: bytes, time: float, kind: str = "", *, is_from_client: bool) -> bool:
        """Adds a message that was complete at Unix time `time`; False where there is no room for it."""
        if len(self._said) >= _MAX_MESSAGES or not self.hold(len(body)):
            return False
        self._listener.keep(_MESSAGE_BYTES)
        self._kept_bytes += _MESSAGE_BYTES
        time = self._latest[is_from_client] = max(self._latest[is_from_client], time)
        said = _Said(body, time, kind, is_from_client=is_from_client)
        if not self._said or self._said[-1].seen_at <= time:
            self._said.append(said)
        else:
            insort_right(self._said, said, key=lambda each: each.seen_at)
        return True

    def join(self, piece: bytes, time: float, *, is_from_client: bool) -> bool:
        """Adds bytes to the message that this side is saying; False where there is no room for them.

        It begins another where the other side has spoken since, or bytes are missing.
        """
        last = self._said[-1] if self._said else None
        is_broken, self._is_broken[is_from_client] = self._is_broken[is_from_client], False
        if last is None or is_broken or last.is_from_client is not is_from_client or last.seen_at > time:
            return self.add(piece, time, is_from_client=is_from_client)
        if not self.hold(len(piece)):
            return False
        if not isinstance(last.body, bytearray):
            last.body = bytearray(last.body)
        last.body += piece
        last.seen_at = self._latest[is_from_client] = time
        return True

    def break_off(self, *, is_from_client: bool) -> None:
        """Bytes of this side are missing: what it says next joins nothing."""
        self.is_complete = False
        self._is_broken[is_from_client] = True

    def tell(self) -> None:
        """Tells the listener the conversation, once."""
        if self._is_told:
            return
        self._is_told = True
        messages = tuple(said.message() for said in self._said)
        self._said.clear()
        self._listener.keep(-self._kept_bytes)
        self._listener.found(
            msgspec.structs.replace(self._exchange, messages=messages, is_complete=self.is_complete)
        )
