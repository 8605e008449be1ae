"""Originals that were let pass, or not believed, looked at again once more is known of their endpoint."""

from collections import OrderedDict, deque

import msgspec

from shadow.model import Origin, Reply
from shadow.pipeline.case import Case
from shadow.pipeline.environment import Answers, Readies

_MAX_OF_ENDPOINT = 100
_MAX_BYTES = 32 << 20


class Past(msgspec.Struct, frozen=True):
    """One original of which something was not told."""

    case: Case
    originals: Readies
    answers: Answers
    via: str
    origin: Origin
    """What it was made of, which needs all that its session had asked."""

    @property
    def weight(self) -> int:
        outcomes = (self.answers.candidate, self.answers.baseline)
        bodies = sum(len(each.response.body) for each in outcomes if isinstance(each, Reply))
        live = self.case.exchange.response
        return 2048 + bodies + (len(live.body) if live is not None else 0)


class Retrospect:
    """Keeps the latest originals of each endpoint; beyond so many bytes those of the endpoint that was asked
    for the longest time ago go first."""

    def __init__(self) -> None:
        self._past: OrderedDict[str, deque[Past]] = OrderedDict()
        self._bytes = 0

    def keep(self, past: Past) -> None:
        """Remember an original whose answers differ from live in something that was not told."""
        kept = self._past.setdefault(past.case.endpoint, deque())
        self._past.move_to_end(past.case.endpoint)
        past = msgspec.structs.replace(past, case=msgspec.structs.replace(past.case, past=(), known={}))
        kept.append(past)
        self._bytes += past.weight
        if len(kept) > _MAX_OF_ENDPOINT:
            self._bytes -= kept.popleft().weight
        while self._bytes > _MAX_BYTES:
            _, oldest = self._past.popitem(last=False)
            self._bytes -= sum(each.weight for each in oldest)

    def of(self, endpoint: str) -> tuple[Past, ...]:
        """Those of one endpoint."""
        return tuple(self._past.get(endpoint, ()))

    def writes(self) -> tuple[Past, ...]:
        """Those that write, of all endpoints."""
        return tuple(past for kept in self._past.values() for past in kept if past.case.is_write)
