"""What the light front reads of the bytes that it has relayed. Whatever goes wrong here, they have passed."""

import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter, time

from shadow.model import Exchange, field
from shadow.taps.reasons import Reasons
from shadow.taps.taker import TakesExchanges
from shadow.wire.direction import Conversation, End
from shadow.wire.http1 import Limits
from shadow.wire.listener import Link, Listener
from shadow.wire.protocols import Protocols

TAP = "front"
_MARK = b"shadow-run"
_MASK = 0xFFFF_FFFF
_PIECE_BYTES = 16_384
"""At a time: what follows each of many small messages is copied for each of them."""

_log = logging.getLogger(__name__)

type Open = Callable[[Listener, Link], Conversation]
"""Begins to hear a connection of which nothing is known yet."""


def opening(limits: Limits) -> Open:
    """Hears all protocols that are known."""
    return lambda listener, link: Protocols(listener, limits).open(link)


class Readings:
    """What the readings of one front share: indexes, what all may hold, what was no exchange."""

    def __init__(self, taker: TakesExchanges, *, live: str, max_held_bytes: int, open_with: Open) -> None:
        """`live` is the service as ``host:port``."""
        self.taker = taker
        self.live = live
        self.open = open_with
        self.room_bytes = max_held_bytes
        self.connection_count = 0
        self.others: Counter[str] = Counter()
        """How many connections were not read, by what they spoke."""
        self.other_bytes = 0
        """Of those, and of parts of connections that were no HTTP."""
        self.unread_count = 0
        """Responses that could not be parsed."""
        self._request_count = 0
        self._reasons = Reasons()
        self._has_failed = False

    def begin(self) -> int:
        """The index of the request that begins now."""
        self._request_count += 1
        return self._request_count - 1

    def skip(self, why: str) -> None:
        """Count what makes no exchange."""
        self.taker.skip(self._reasons.brief(why))

    def fail(self) -> None:
        """A connection cannot be read any more, by a bug of ours. To be called where it is handled."""
        if not self._has_failed:
            self._has_failed = True
            _log.exception("the tap failed on a connection; it is relayed on, further ones are only counted")
        with suppress(Exception):  # the taker may be what failed
            self.taker.skip("tap_failed")


class Reading:
    """Hears one connection after it was relayed; a `Listener` to its own conversation. Raises nothing.

    Side 0 is the client. Sequence numbers are how many bytes a side has said before.
    """

    def __init__(self, shared: Readings, client: str) -> None:
        self._shared = shared
        self._said = [0, 0]
        self._open_count = 0
        self._held_bytes = 0
        self._spent_seconds = 0.0
        self._settled_count = 0
        self._has_failed = self._has_switched = False
        self._has_ended = [False, False]
        self._conversation: Conversation | None = None
        shared.connection_count += 1
        try:
            link = Link(TAP, (client, shared.live), shared.connection_count)
            self._conversation = shared.open(self, link)
        except Exception:  # noqa: BLE001  # live traffic never meets a bug of ours
            self._fail()

    @property
    def is_idle(self) -> bool:
        """Whether no request is known to be under way: none is, or it is not HTTP that is spoken."""
        return self._has_switched or not (self._open_count or self._has_failed)

    @property
    def said_bytes(self) -> int:
        """By both sides."""
        return self._said[0] + self._said[1]

    def hear(self, side: int, payload: bytes) -> None:
        """What `side` has said and the other one was sent."""
        began = perf_counter()
        for at in range(0, len(payload), _PIECE_BYTES):
            self._take(side, payload[at : at + _PIECE_BYTES] if len(payload) > _PIECE_BYTES else payload)
        self._spent_seconds += perf_counter() - began
        if self._settled_count:
            self._tell_time()

    def end(self, side: int, how: End) -> None:
        """`side` says nothing more."""
        if self._has_ended[side]:
            return
        self._has_ended[side] = True
        if self._conversation is not None:
            try:
                self._conversation.end(side, how)
            except Exception:  # noqa: BLE001  # as above
                self._fail()
        if self._settled_count:
            self._tell_time()
        if all(self._has_ended):
            self._leave()

    def begin(self, time: float) -> int:  # noqa: ARG002  # as `Listener` has it; here requests begin in order
        self._open_count += 1
        return self._shared.begin()

    def found(self, exchange: Exchange) -> None:
        self._settle()
        self._has_switched |= exchange.response is not None and exchange.response.status == 101
        if field(exchange.request.headers, _MARK) is not None:
            self._spent_seconds = 0.0
            return
        self._settled_count += 1
        self._shared.taker.offer(exchange)

    def unparsed(self, why: str, index: int) -> None:  # noqa: ARG002  # as `Listener` has it
        self._settle()
        self._settled_count += 1
        self._shared.skip(why)

    def unread(self, why: str) -> None:  # noqa: ARG002  # as `Listener` has it
        self._shared.unread_count += 1

    def other(self, kind: str, count: int) -> None:
        self._shared.others[kind] += 1
        self._shared.other_bytes += count

    def passed(self, count: int) -> None:
        self._shared.other_bytes += count

    def keep(self, count: int) -> bool:
        self._held_bytes += count
        self._shared.room_bytes -= count
        return self._shared.room_bytes >= 0

    def _take(self, side: int, piece: bytes) -> None:
        said = self._said
        seq, said[side] = said[side], said[side] + len(piece)
        if self._conversation is None:
            self._shared.other_bytes += len(piece)
            return
        try:
            if not self._conversation.take(side, piece, time(), seq & _MASK, said[1 - side] & _MASK):
                self._leave()
        except Exception:  # noqa: BLE001  # as above
            self._fail()

    def _settle(self) -> None:
        self._open_count = max(self._open_count - 1, 0)  # a conversation that follows one is told as well

    def _tell_time(self) -> None:
        """Count what reading has cost, shared out over the requests that have just been settled."""
        try:
            for _ in range(self._settled_count):
                self._shared.taker.time(self._spent_seconds / self._settled_count)
        except Exception:  # noqa: BLE001  # as above
            self._fail()
        self._spent_seconds = 0.0
        self._settled_count = 0

    def _fail(self) -> None:
        self._has_failed = True
        self._leave()
        self._shared.fail()

    def _leave(self) -> None:
        """Hear no more of this connection, and hold nothing of it."""
        self._conversation = None
        self._open_count = 0
        self._shared.room_bytes += self._held_bytes
        self._held_bytes = 0
