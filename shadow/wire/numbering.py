"""Indexes in the order in which requests began, although some are read late because a segment was."""

from collections.abc import Callable
from heapq import heappop, heappush

import msgspec

from shadow.model import Exchange, Settled

_MAX_PARKED = 4096
_MAX_PARKED_BYTES = 67_108_864
"""Of bodies. Where more exchanges wait for their index, nearly the right order has to do."""


class Numbering:
    """Gives each request its index when none that began earlier can turn up any more.

    While segments wait for one that is missing, requests in them are older than what is read meanwhile. So
    each request then gets a ticket, a negative number, and its exchange is parked until that has an index.
    """

    def __init__(self, begin: Callable[[float], int], oldest_wait: Callable[[], float | None]) -> None:
        """`begin` gives the next index; `oldest_wait` the time of the oldest waiting segment, or None."""
        self._begin = begin
        self._oldest_wait = oldest_wait
        self.queue: list[tuple[float, int]] = []
        """Of requests that wait for their index, a heap: the time, and the ticket with its sign taken off,
        so that equals stay in order."""
        self._tickets = 0
        self._indexes: dict[int, int] = {}
        """Of tickets whose exchange is still to come."""
        self._abandoned: set[int] = set()
        self._parked: dict[int, Exchange] = {}
        self._parked_bytes = 0

    def begin(self, time: float) -> int:
        """The index or the ticket of a request that began at Unix time `time`."""
        if not self.queue and self._oldest_wait() is None:
            return self._begin(time)
        self._tickets += 1
        heappush(self.queue, (time, self._tickets))
        return -self._tickets

    def admit(self, exchange: Exchange) -> Exchange | None:
        """`exchange` with its index; None where it is parked."""
        ticket = -exchange.index
        if ticket <= 0:
            return exchange
        index = self._indexes.pop(ticket, None)
        if index is None:
            self._parked[ticket] = exchange
            self._parked_bytes += _body_bytes(exchange)
            return None
        return _numbered(exchange, index)

    def abandon(self, index: int) -> None:
        """The request with this index or ticket will never be an exchange."""
        if index < 0 and self._indexes.pop(-index, None) is None:
            self._abandoned.add(-index)

    def advance(self, found: list[Exchange | Settled], *, is_last: bool = False) -> None:
        """Appends to `found` what need not wait any longer; with `is_last` all of it."""
        is_full = len(self._parked) > _MAX_PARKED or self._parked_bytes > _MAX_PARKED_BYTES
        oldest = None if is_last or is_full else self._oldest_wait()
        while self.queue and (oldest is None or self.queue[0][0] <= oldest):
            time, ticket = heappop(self.queue)
            if ticket in self._abandoned:
                self._abandoned.remove(ticket)
                continue
            index = self._begin(time)
            exchange = self._parked.pop(ticket, None)
            if exchange is None:
                self._indexes[ticket] = index
            else:
                self._parked_bytes -= _body_bytes(exchange)
                found.append(_numbered(exchange, index))


def _body_bytes(exchange: Exchange) -> int:
    response = exchange.response
    said = sum(len(message.body) for message in exchange.messages)
    return len(exchange.request.body) + (len(response.body) if response else 0) + said


def _numbered(seen: Exchange, index: int) -> Exchange:
    return msgspec.structs.replace(seen, index=index)
