"""DNS queries that wait for their answers: each becomes one exchange, with or without an answer."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from shadow.model import Exchange, Message
from shadow.wire.dns_message import DnsMessage
from shadow.wire.listener import Listener
from shadow.wire.talk import NOTHING

_WAIT_SECONDS = 30.0
"""Captured time after which a query is not answered any more."""
_EARLY_SECONDS = 1.0
"""How much later than its answer a query may have been captured that was sent before it."""
_MAX_WAITING = 16_384
_MAX_EARLY = 1024
_MAX_ALIKE = 64
"""Queries that nothing but their question tells apart."""
_MAX_TRANSFER_BYTES = 67_108_864
_TRANSFERS = (251, 252)
"""IXFR and AXFR, whose answer may take many messages (RFC 5936 §2.2)."""

_NO_QUERY = "a DNS answer without its query"
_CUT = "a DNS query longer than what was captured of it"

type Way = tuple[Hashable, ...]
"""What a query and its answer have in common: both ends in the query's direction, and the id."""


class Asker(NamedTuple):
    """Who asks whom."""

    tap: str
    client: str
    """``host:port``; also the session's name."""
    live: str


class Seen(NamedTuple):
    """A message, and how it was seen."""

    message: DnsMessage
    text: bytes
    """All of it, unless `is_cut`."""
    time: float
    """Unix time in seconds."""
    ways: Sequence[Way]
    """Of an answer: those by which its query may have gone, the likeliest first."""
    tags: bytes = b""
    """Under which it travelled; its answer may go another way, but if one has the same it is that."""
    is_cut: bool = False
    """Whether the capture holds only a part of it."""


class Queries:
    """All queries of one capture that are not answered yet. Their number and their age are bounded."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._waiting: OrderedDict[_Asked, float] = OrderedDict()
        """With the Unix time since when nothing was heard of it; the oldest first."""
        self._lines: dict[Way, list[_Asked]] = {}
        self._early: OrderedDict[Way, Seen] = OrderedDict()
        """Answers whose query was not captured before them."""

    def ask(self, asker: Asker, query: Seen) -> None:
        """A query was captured."""
        asked = _Asked(asker, query)
        if query.is_cut:
            asked.why = _CUT
        else:
            asked.index = self._listener.begin(query.time)
            asked.say(query, is_from_client=True)
            self._keep(asked, len(query.text))
        self._waiting[asked] = query.time
        for way in asked.ways:
            line = self._lines.setdefault(way, [])
            line.append(asked)
            if len(line) > _MAX_ALIKE:
                self._settle(line[0])
        while len(self._waiting) > _MAX_WAITING or (self._waiting and not self._listener.keep(0)):
            self._settle(next(iter(self._waiting)))
        early = self._early.get(query.ways[0]) if self._early and query.ways else None
        if early is not None and early.time >= query.time and _is_for(early.message, asked):
            self._listener.keep(-len(self._early.pop(query.ways[0]).text))
            self.answer(early)

    def answer(self, answer: Seen) -> None:
        """An answer was captured."""
        asked = self._find(answer)
        if asked is None:
            self._hold(answer)
            return
        if asked.answered_at is None:
            asked.answered_at = answer.time
        if answer.is_cut:
            asked.is_complete = False
        else:
            asked.say(answer, is_from_client=False)
        if asked.is_transfer and asked.kept_bytes <= _MAX_TRANSFER_BYTES:
            self._keep(asked, len(answer.text))
            self._waiting[asked] = answer.time
            self._waiting.move_to_end(asked)
        else:
            asked.is_complete &= not asked.is_transfer
            self._settle(asked)

    def expire(self, time: float) -> None:
        """Settles what is not answered, or asked, any more at Unix time `time`."""
        while self._early and time - next(iter(self._early.values())).time > _EARLY_SECONDS:
            self._drop_early()
        while self._waiting and time - next(iter(self._waiting.values())) > _WAIT_SECONDS:
            self._settle(next(iter(self._waiting)))

    def finish(self) -> None:
        """The capture has ended."""
        while self._early:
            self._drop_early()
        while self._waiting:
            self._settle(next(iter(self._waiting)))

    def _find(self, answer: Seen) -> "_Asked | None":
        """The oldest query that `answer` may be meant for; one that travelled under the same tags, if any."""
        other: _Asked | None = None
        for way in answer.ways:
            for asked in self._lines.get(way, ()):
                if _is_for(answer.message, asked):
                    if asked.tags == answer.tags:
                        return asked
                    other = other or asked
        return other

    def _hold(self, answer: Seen) -> None:
        """The query may still come: packets are captured out of order."""
        if not answer.ways or answer.ways[0] in self._early or not self._listener.keep(len(answer.text)):
            self._listener.unparsed(_NO_QUERY, 0)
            return
        self._early[answer.ways[0]] = answer
        if len(self._early) > _MAX_EARLY:
            self._drop_early()

    def _drop_early(self) -> None:
        _, answer = self._early.popitem(last=False)
        self._listener.keep(-len(answer.text))
        self._listener.unparsed(_NO_QUERY, 0)

    def _keep(self, asked: "_Asked", count: int) -> None:
        asked.kept_bytes += count
        self._listener.keep(count)

    def _settle(self, asked: "_Asked") -> None:
        del self._waiting[asked]
        for way in asked.ways:
            line = self._lines[way]
            line.remove(asked)
            if not line:
                del self._lines[way]
        self._listener.keep(-asked.kept_bytes)
        if asked.why:
            self._listener.unparsed(asked.why, 0)
        else:
            self._listener.found(asked.exchange())


class _Asked:
    """A query that waits."""

    __slots__ = (
        "answered_at", "asker", "index", "is_complete", "is_transfer", "kept_bytes", "messages", "questions",
        "tags", "time", "ways", "why",
    )  # fmt: skip

    def __init__(self, asker: Asker, query: Seen) -> None:
        self.asker = asker
        self.ways = tuple(dict.fromkeys(query.ways))
        self.tags = query.tags
        self.questions = _alike(query.message)
        self.is_transfer = any(kind in _TRANSFERS for _, kind, _ in self.questions)
        self.time = query.time
        self.index = 0
        self.messages: list[Message] = []
        self.answered_at: float | None = None
        self.is_complete = True
        self.kept_bytes = 0
        self.why = ""
        """Why it cannot be an exchange; empty where it is one."""

    def say(self, seen: Seen, *, is_from_client: bool) -> None:
        self.messages.append(Message(is_from_client, seen.text, seen.time))

    def exchange(self) -> Exchange:
        tap, client, live = self.asker
        latency = None if self.answered_at is None else max(self.answered_at - self.time, 0.0)
        messages = tuple(self.messages)
        return Exchange(
            self.index,
            tap,
            client,
            self.time,
            NOTHING,
            None,
            latency,
            live,
            "dns",
            messages,
            self.is_complete,
        )


def _is_for(answer: DnsMessage, asked: _Asked) -> bool:
    """Whether both have one question, as far as they say it: inverse queries and some refusals do not."""
    return not answer.questions or not asked.questions or _alike(answer) == asked.questions


def _alike(message: DnsMessage) -> tuple[tuple[str, int, int], ...]:
    """The questions, without the letter case in which some clients hide a nonce."""
    return tuple((name.lower(), kind, group) for name, kind, group in message.questions)
