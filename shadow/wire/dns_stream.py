"""DNS over TCP (RFC 7766): messages with their length before them."""

from collections.abc import Callable

from shadow.wire.direction import Conversation, End
from shadow.wire.dns import Asker, Queries, Seen
from shadow.wire.dns_message import HEADER_BYTES, parse
from shadow.wire.listener import Link, Listener
from shadow.wire.opening import Speaker, speaker

_NOT_CAPTURED = "bytes of a DNS message were not captured"
_NOT_DNS = "bytes of a DNS connection that are no DNS message"


class DnsStream:
    """One connection, in the sense of `shadow.wire.direction.Conversation`."""

    def __init__(
        self,
        link: Link,
        listener: Listener,
        queries: Queries,
        otherwise: Callable[[], Conversation] | None = None,
    ) -> None:
        """Where the first bytes tell that it is another protocol, what `otherwise` gives hears it instead."""
        self._link = link
        self._listener = listener
        self._queries = queries
        self._otherwise = otherwise
        self._instead: Conversation | None = None
        self._sides = (_Side(), _Side())

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> int:
        if self._otherwise is not None:
            if speaker(payload) in (Speaker.CLIENT, Speaker.SERVER, Speaker.HOPELESS):
                self._instead = self._otherwise()
            self._otherwise = None
        if self._instead is not None:
            return self._instead.take(side, payload, time, seq, ack)
        one = self._sides[side]
        if one.is_lost:
            self._listener.passed(len(payload))
            return True
        self._queries.expire(time)
        for text in one.feed(payload):
            self._read(side, text, time)
        if not self._count(one) and one.held_bytes:
            one.lose(one.held_bytes)
            self._count(one)
        if one.is_lost:
            self._listener.unparsed(_NOT_DNS, 0)
            self._listener.passed(one.unread_bytes)
        return not all(each.is_lost for each in self._sides)

    def skip(self, side: int, count: int, time: float) -> int:
        if self._instead is not None:
            return self._instead.skip(side, count, time)
        self._otherwise = None
        one = self._sides[side]
        if not one.is_lost:
            one.skip(count)
            self._count(one)
            self._listener.unparsed(_NOT_CAPTURED, 0)
        return not all(each.is_lost for each in self._sides)

    def end(self, side: int, how: End) -> None:
        if self._instead is not None:
            self._instead.end(side, how)
        elif self._sides[side].held_bytes:
            self._sides[side].lose(0)
            self._count(self._sides[side])
            self._listener.unparsed(_NOT_CAPTURED, 0)

    def _count(self, one: "_Side") -> bool:
        """Tells the listener how much is kept; whether that is not too much."""
        more, one.counted_bytes = one.held_bytes - one.counted_bytes, one.held_bytes
        return self._listener.keep(more)

    def _read(self, side: int, text: bytes, time: float) -> None:
        message = parse(text)
        if isinstance(message, str):
            self._listener.unparsed(message, 0)
            return
        seen = Seen(message, text, time, [("tcp", self._link.number, message.id)])
        if message.is_answer:
            self._queries.answer(seen)
        else:
            link = self._link
            self._queries.ask(Asker(link.tap, link.sides[side], link.sides[1 - side]), seen)


class _Side:
    """The messages of one side."""

    def __init__(self) -> None:
        self.is_lost = False
        """Where its next message begins is not known."""
        self.unread_bytes = 0
        """How many bytes it was given when it was lost that were not read."""
        self.counted_bytes = 0
        """How many of those that are kept the listener knows of."""
        self._text = bytearray()
        self._left_out = 0
        """How many more bytes belong to a message of which some are missing."""

    @property
    def held_bytes(self) -> int:
        """How many bytes of an unfinished message are kept."""
        return len(self._text)

    def feed(self, payload: bytes) -> list[bytes]:
        """The messages that `payload` completes, without their lengths."""
        left_out = min(self._left_out, len(payload))
        self._left_out -= left_out
        self._text += payload[left_out:] if left_out else payload
        messages: list[bytes] = []
        at = 0
        while len(self._text) >= at + 2:
            end = at + 2 + int.from_bytes(self._text[at : at + 2])
            if end < at + 2 + HEADER_BYTES:
                self.lose(len(self._text) - at)
                break
            if end > len(self._text):
                break
            messages.append(bytes(self._text[at + 2 : end]))
            at = end
        del self._text[:at]
        return messages

    def skip(self, count: int) -> None:
        """`count` bytes are missing; so what is there of the message around them is left out."""
        if len(self._text) >= 2:
            self._left_out = 2 + int.from_bytes(self._text[:2]) - len(self._text)
        self._text.clear()
        if count > self._left_out:
            self.lose(0)
        self._left_out -= count

    def lose(self, count: int) -> None:
        """Nothing more is read; `count` bytes that came last were not."""
        self.is_lost = True
        self.unread_bytes = count
        self._text.clear()
