"""When an exchange may be sent: as its session has it, and never on the wrong side of a write.

A write that had been answered live before a request began may be its cause, whichever client sent it: a
grant given by one client lets another one in. And what had been answered before a write began must not see
its effect. So reads wait for earlier writes, and writes for all that is earlier; what overlapped live runs
side by side here too.
"""

import asyncio
import dataclasses
import re
from dataclasses import dataclass
from typing import Protocol

from shadow.model import Exchange, Request, Wire

SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"QUERY", b"PROPFIND", b"SEARCH", b"REPORT"})
"""Methods that do not write (RFC 9110 §9.2.1, RFC 4918, and the QUERY draft)."""


def is_write(method: bytes) -> bool:
    """Whether a request of this method may change state; unknown methods are taken to."""
    return method not in SAFE_METHODS


_OVERRIDES = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
_OVERRIDE_LINE = re.compile(
    rb"\nx-(?:http-method-override|http-method|method-override)[ \t]*:", re.IGNORECASE
)
_PARAMETER = re.compile(rb"(?:_|%5f)method(?:%5d|\])?[\"']?\s*[=:\r]|name=[\"']?_method", re.IGNORECASE)
"""In a query, a form, JSON or multipart, as frameworks take it."""
_START_LINE = re.compile(rb"(?:^|\n)([^\s]{1,64})[ \t]+[^\s]+[ \t]+HTTP/")


def may_write(request: Request, wire: Wire | None = None) -> bool:
    """Whether `request`, or what is sent in its place, may change state: by its method, or by a field or a
    parameter that overrides it. Bytes may hold more requests than one."""
    if is_write(request.method) or any(name.lower() in _OVERRIDES for name, _ in request.headers):
        return True
    if _PARAMETER.search(request.target) or (request.body and _PARAMETER.search(request.body)):
        return True
    return wire is not None and _bytes_may_write(b"".join(wire.segments))


def _bytes_may_write(sent: bytes) -> bool:
    methods = {method.upper() for method in _START_LINE.findall(sent)}
    return any(map(is_write, methods)) or bool(_OVERRIDE_LINE.search(sent) or _PARAMETER.search(sent))


@dataclass(eq=False, slots=True)
class Turn:
    """One exchange's place in the order. `original_sent()` frees dependants, `leave()` the session too."""

    waits_for: tuple[asyncio.Event, ...]
    ended_at: float
    """When the live answer began."""
    original: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    done: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    due_at: float | None = None
    """When it was to be sent, in the clock of `time.monotonic`; None without a schedule."""
    is_settled: bool = False
    """Whether the exchange's fate has been told."""

    async def wait(self) -> None:
        for event in self.waits_for:
            await event.wait()

    def original_sent(self) -> None:
        self.original.set()

    def leave(self) -> None:
        self.original.set()
        self.done.set()


class Orders(Protocol):
    """Gives out turns; `enter` is called in the order in which exchanges were completed live."""

    def enter(self, exchange: Exchange, session: str) -> Turn: ...

    def forget(self, session: str, turn: Turn) -> None: ...


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
        if is_write(exchange.request.method) and exchange.protocol != "dns":
            self._reads, self._writes = _unsent(self._reads), _unsent(self._writes)
            ahead, peers = [*self._reads, *self._writes], self._writes
        else:
            ahead, peers = self._writes, self._reads
        earlier = [each.original for each in ahead if each.ended_at <= exchange.seen_at]
        ended_at = exchange.seen_at + (exchange.latency_seconds or 0.0)
        turn = self._last[session] = Turn((*([before.done] if before else []), *earlier), ended_at)
        peers.append(turn)
        if len(self._reads) > _MANY:
            self._reads = _unsent(self._reads)
        return turn

    def forget(self, session: str, turn: Turn) -> None:
        """Drop what is kept for a session whose last turn is `turn`."""
        if self._last.get(session) is turn:
            del self._last[session]


def _unsent(turns: list[Turn]) -> list[Turn]:
    return [each for each in turns if not each.original.is_set()]
