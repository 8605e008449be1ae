"""A listener for tests, and a connection whose sides are said in turns."""

from collections import Counter
from collections.abc import Iterable

from shadow.model import Exchange
from shadow.wire.direction import Conversation, End
from shadow.wire.http1 import Limits
from shadow.wire.listener import Link
from shadow.wire.protocols import Protocols

LINK = Link("test", ("10.0.0.1:40000", "10.0.0.2:80"), 1)


class Heard:
    """Keeps all that is told, in the sense of `shadow.wire.listener.Listener`."""

    def __init__(self, room_bytes: int = 1 << 30) -> None:
        self.begun: list[float] = []
        """The times at which requests began, in the order of their indexes."""
        self.exchanges: list[Exchange] = []
        self.reasons: list[str] = []
        """Why requests were unparsed."""
        self.lost_indexes: list[int] = []
        self.unread_reasons: list[str] = []
        self.others: Counter[str] = Counter()
        self.passed_bytes = 0
        self.kept_bytes = 0
        self.most_bytes = 0
        self._room_bytes = room_bytes

    def begin(self, time: float) -> int:
        self.begun.append(time)
        return len(self.begun)

    def found(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def unparsed(self, why: str, index: int) -> None:
        self.reasons.append(why)
        self.lost_indexes.append(index)

    def unread(self, why: str) -> None:
        self.unread_reasons.append(why)

    def other(self, kind: str, count: int) -> None:
        self.others[kind] += count

    def passed(self, count: int) -> None:
        self.passed_bytes += count

    def keep(self, count: int) -> bool:
        self.kept_bytes += count
        self.most_bytes = max(self.most_bytes, self.kept_bytes)
        return self.kept_bytes <= self._room_bytes

    def by_index(self) -> list[Exchange]:
        return sorted(self.exchanges, key=lambda each: each.index)


class Wire:
    """One connection. Time goes on by a second with every piece, from 1 on."""

    def __init__(
        self, *, limits: Limits | None = None, room_bytes: int = 1 << 30, is_whole: bool = True
    ) -> None:
        self.heard = Heard(room_bytes)
        link = Link(LINK.tap, LINK.sides, LINK.number, is_whole)
        self.conversation: Conversation = Protocols(self.heard, limits).open(link)
        self.time = 0.0
        self._seq = [1000, 5000]
        self._is_wanted: int = True

    def say(self, side: int, text: bytes, step: int | None = None) -> "Wire":
        """`text` in segments of `step` bytes, or in one."""
        step = step or max(len(text), 1)
        for at in range(0, len(text), step):
            piece = text[at : at + step]
            self.time += 1
            if self._is_wanted:
                self._is_wanted = self.conversation.take(
                    side, piece, self.time, self._seq[side], self._seq[1 - side]
                )
            self._seq[side] += len(piece)
        return self

    def play(self, turns: Iterable[tuple[int, bytes]], step: int | None = None) -> "Wire":
        for side, text in turns:
            self.say(side, text, step)
        return self

    def lose(self, side: int, count: int) -> "Wire":
        self.time += 1
        self._seq[side] += count
        if self._is_wanted:
            self._is_wanted = self.conversation.skip(side, count, self.time)
        return self

    def end(self, how: End = End.CLOSED, sides: Iterable[int] = (0, 1)) -> Heard:
        for side in sides:
            if self._is_wanted:
                self.conversation.end(side, how)
        return self.heard
