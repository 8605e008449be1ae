"""When an exchange may be sent: as its session has it, and never on the wrong side of a write.

A write that had been answered live before a request began may be its cause, whichever client sent it: a
grant given by one client lets another one in. And what had been answered before a write began must not see
its effect. So reads wait for earlier writes, and writes for all that is earlier; what overlapped live runs
side by side here too.
"""

import re
from collections.abc import Callable
from typing import Protocol

from shadow.model import Exchange, Headers, Request, Wire
from shadow.wire.http2_said import said_fields
from shadow.wire.http2_shape import PREFACE

SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"QUERY", b"PROPFIND", b"SEARCH", b"REPORT"})
"""Methods that do not write (RFC 9110 §9.2.1, RFC 4918, and the QUERY draft)."""


def is_write(method: bytes) -> bool:
    """Whether a request of this method may change state; unknown methods are taken to."""
    return method not in SAFE_METHODS


_OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
_OVERRIDE_LENGTHS = frozenset(map(len, _OVERRIDES))
_OVERRIDE_LINE = re.compile(
    rb"\nx-(?:http-method-override|http-method|method-override)[ \t]*:", re.IGNORECASE
)
_PARAMETER = re.compile(rb"(?:_|%5f)method(?:%5d|\])?[\"']?\s*[=:\r]|name=[\"']?_method", re.IGNORECASE)
"""In a query, a form, JSON or multipart, as frameworks take it."""
_START_LINE = re.compile(rb"([^\s]{1,64})[ \t]+[^\s]+[ \t]+HTTP/")


def may_write(request: Request, wire: Wire | None = None) -> bool:
    """Whether `request`, or what is sent in its place, may change state: by its method, or by a field or a
    parameter that overrides it. Bytes may hold more requests than one."""
    if is_write(request.method) or _overrides_method(request.headers):
        return True
    if _has_parameter(request.target) or (request.body and _has_parameter(request.body)):
        return True
    if wire is None:
        return False
    sent = b"".join(wire.segments)
    return _frames_may_write(sent) if wire.protocol == "http2" else _bytes_may_write(sent)


def _frames_may_write(sent: bytes) -> bool:
    """As `may_write`, of frames of HTTP/2; what may be read as HTTP/1 once it is passed on counts too."""
    for fields in said_fields(sent):
        for name, value in fields:
            is_name = name == b":method" or name.lower() in _OVERRIDES
            if (is_name and is_write(value)) or (name == b":path" and _has_parameter(value)):
                return True
    return _bytes_may_write(sent.removeprefix(PREFACE))


def _has_parameter(text: bytes) -> bool:
    """A search for one word is far faster than the pattern, which nearly nothing matches."""
    return b"method" in text.lower() and _PARAMETER.search(text) is not None


def _overrides_method(headers: Headers) -> bool:
    for name, _ in headers:  # noqa: SIM110  # a generator would take three times as long
        if len(name) in _OVERRIDE_LENGTHS and name.lower() in _OVERRIDES:
            return True
    return False


def _bytes_may_write(sent: bytes) -> bool:
    # patterns are tried only where a word says that they may match: mutants may be long
    at = sent.find(b"HTTP/")
    while at >= 0:
        found = _START_LINE.match(sent, sent.rfind(b"\n", 0, at) + 1)
        if found is not None and is_write(found[1].upper()):
            return True
        end = sent.find(b"\n", at)
        at = sent.find(b"HTTP/", end) if end >= 0 else -1
    return b"method" in sent.lower() and bool(_OVERRIDE_LINE.search(sent) or _PARAMETER.search(sent))


class Turn:
    """One exchange's place in the order. `original_sent()` frees dependants, `leave()` the session too."""

    __slots__ = (
        "_blockers",
        "_on_free",
        "due_at",
        "ended_at",
        "has_left",
        "is_sent",
        "is_settled",
        "on_left",
        "on_sent",
    )

    def __init__(self, ended_at: float) -> None:
        self.ended_at = ended_at
        """When the live answer began, or a conversation had ended."""
        self.is_sent = False
        """Whether the original has been sent, or never will be."""
        self.due_at: float | None = None
        """When it was to be sent, in the clock of `time.monotonic`; None without a schedule."""
        self.is_settled = False
        """Whether the exchange's fate has been told."""
        self.has_left = False
        self._blockers = 0
        """How much it still waits for."""
        self._on_free: Callable[[], object] | None = None
        self.on_sent: list[Turn] = []
        """Who waits for the original."""
        self.on_left: list[Turn] = []
        """Who waits for all."""

    @property
    def is_free(self) -> bool:
        """Whether it may be taken."""
        return not self._blockers

    def when_free(self, call: Callable[[], object]) -> None:
        """Have `call` called once the turn may be taken: now, or later."""
        if self._blockers:
            self._on_free = call
        else:
            call()

    def wait_for(self, before: "Turn", *, until_left: bool) -> None:
        """Be free only after the original of `before` was sent, or after `before` has left."""
        if until_left:
            if not before.has_left:
                self._blockers += 1
                before.on_left.append(self)
        elif not before.is_sent:
            self._blockers += 1
            before.on_sent.append(self)

    def original_sent(self) -> None:
        self.is_sent = True
        self.on_sent = _freed(self.on_sent)

    def leave(self) -> None:
        self.original_sent()
        self.has_left = True
        self.on_left = _freed(self.on_left)

    def unblock(self) -> None:
        """One thing less is waited for."""
        self._blockers -= 1
        if not self._blockers and self._on_free is not None:
            call, self._on_free = self._on_free, None  # it may hold this turn
            call()


def _freed(turns: list[Turn]) -> list[Turn]:
    """Tell `turns` that one thing less is waited for; none is left to be told."""
    for each in turns:
        each.unblock()
    return [] if turns else turns


class Orders(Protocol):
    """Gives out turns; `enter` is called in the order in which exchanges were completed live."""

    def enter(self, exchange: Exchange, session: str) -> Turn: ...

    def forget(self, session: str, turn: Turn) -> None: ...

    def clear(self) -> None:
        """Nothing is under way, and what comes next has nothing to do with what came before."""
        ...


_UNORDERED = frozenset({"dns", "udp"})
"""Datagrams overtake each other on the way as they like; so nobody relies on their order."""


def has_effect(exchange: Exchange) -> bool:
    """Whether what comes later may depend on `exchange`: then it keeps its place among all sessions."""
    return is_write(exchange.request.method) and exchange.protocol not in _UNORDERED


def ended_at(exchange: Exchange) -> float:
    """When its live answer began, or its last message came, in Unix seconds."""
    answered_at = exchange.seen_at + (exchange.latency_seconds or 0.0)
    return max(answered_at, exchange.messages[-1].seen_at) if exchange.messages else answered_at


_MANY = 1000
"""Reads that have been sent are forgotten by so many at a time."""


class Order:
    """The order of all exchanges of one process."""

    def __init__(self) -> None:
        self._last: dict[str, Turn] = {}
        self._reads: list[Turn] = []
        self._writes: list[Turn] = []

    def enter(self, exchange: Exchange, session: str) -> Turn:
        """The turn of `exchange`, behind its session's previous one and all that it must not overtake."""
        before = self._last.get(session)
        if has_effect(exchange):
            self._reads, self._writes = _unsent(self._reads), _unsent(self._writes)
            ahead, peers = [*self._reads, *self._writes], self._writes
        else:
            ahead, peers = self._writes, self._reads
        turn = self._last[session] = Turn(ended_at(exchange))
        if before is not None:
            turn.wait_for(before, until_left=True)
        for each in ahead:
            if each.ended_at <= exchange.seen_at:
                turn.wait_for(each, until_left=False)
        peers.append(turn)
        if len(self._reads) > _MANY:
            self._reads = _unsent(self._reads)
        return turn

    def forget(self, session: str, turn: Turn) -> None:
        """Drop what is kept for a session whose last turn is `turn`."""
        if self._last.get(session) is turn:
            del self._last[session]

    def clear(self) -> None:
        self._last.clear()
        self._reads.clear()
        self._writes.clear()


def _unsent(turns: list[Turn]) -> list[Turn]:
    return [each for each in turns if not each.is_sent]
