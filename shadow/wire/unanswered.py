"""Requests that wait for their responses, and which of them a response answers.

Without a gap the first request is the one. Where bytes are missing, sequence numbers must tell: a client that
does not pipeline acknowledges, with each request, all that the server said before; so its answer begins at
the number that it acknowledged. Where that does not tell either, a response is paired with none: no answer is
better than another's.
"""

from collections import deque
from collections.abc import Callable
from enum import Enum

from shadow.model import Request, Response

_MASK = 0xFFFF_FFFF
_MAX_WAITING = 1024
"""More requests than this do not wait: the side that answers is not in the capture."""


class Asked:
    """A request that was begun, and what is known of its exchange."""

    # Most stay as they are here; setting each anew would cost as much as reading the head.
    method = b""
    """Empty until the head was read."""
    request: Request | None = None
    response: Response | None = None
    answered_at: float | None = None
    is_answered = False
    is_settled = False
    is_hole = False
    """Stands for any number of requests that were not captured."""
    kept_bytes = 0
    why = ""
    """Why it cannot be an exchange; empty where it may."""

    def __init__(self, index: int, time: float, seq: int, ack: int) -> None:
        self.index = index
        self.time = time
        self.seq = seq
        self.ack = ack


class Unmatched(Enum):
    """A response that answers no request that is known."""

    LATER = "later"
    """Its request may still be read."""
    ORPHAN = "orphan"
    """Its request is not in the capture."""
    AMBIGUOUS = "ambiguous"
    """It answers one of several, whose exchanges stay without response."""


class Unanswered:
    """The requests of one connection whose responses are not complete, in the order in which they began."""

    def __init__(self, settle: Callable[[Asked], None]) -> None:
        """`settle` is called for each request that will not be answered."""
        self._settle = settle
        self._line: deque[Asked] = deque()
        self._is_lost = False
        """The next response need not answer the first request."""
        self._may_miss_requests = False
        self._has_gaps = False
        """Bytes of the connection are missing: from then on, numbers are to agree."""
        self._pipelines = False
        """The client sent a request before the answer to the one before it: numbers then tell nothing."""

    def __bool__(self) -> bool:
        return bool(self._line)

    def add(self, asked: Asked) -> None:
        line = self._line
        if line and line[-1].ack == asked.ack and not line[-1].is_hole:
            self._pipelines = True
        line.append(asked)
        if len(line) > _MAX_WAITING:
            self._settle(line.popleft())

    def remove(self, asked: Asked) -> None:
        """`asked` was answered."""
        if self._line and self._line[0] is asked:
            self._line.popleft()
        elif asked in self._line:
            self._line.remove(asked)

    def lose_requests(self) -> None:
        """After those that are known, there may have been others."""
        if self._line and self._line[-1].is_hole:
            return
        self._has_gaps = True
        hole = Asked(0, 0.0, 0, 0)
        hole.is_hole = hole.is_settled = True
        self._line.append(hole)

    def lose_responses(self, *, may_miss_requests: bool = False) -> None:
        """The next response may be any."""
        self._is_lost = self._has_gaps = True
        self._may_miss_requests |= may_miss_requests

    def match(self, seq: int, ack: int, *, is_behind: bool) -> Asked | Unmatched:
        """What the response answers whose first segment has these numbers.

        `is_behind` says that the server acknowledged bytes of the client that are still to be read.
        """
        line = self._line
        while line and line[0].is_hole:
            line.popleft()
            self.lose_responses(may_miss_requests=True)
        if self._is_lost:
            return self._find(seq, ack, is_behind=is_behind)
        if not line or (is_behind and not line[0].method):
            return Unmatched.LATER if is_behind else Unmatched.ORPHAN
        first = line[0]
        if self._has_gaps and (not is_after(ack, first.seq) or is_after(first.ack, seq)):
            return Unmatched.ORPHAN  # said before the request was heard, or before it was asked
        return first

    def settle_all(self) -> None:
        while self._line:
            self._settle(self._line.popleft())

    def _find(self, seq: int, ack: int, *, is_behind: bool) -> Asked | Unmatched:
        possible = [each for each in self._line if not each.is_hole and is_after(ack, each.seq)]
        exact = None if self._pipelines else next((each for each in possible if each.ack == seq), None)
        if exact is None:
            if is_behind:
                return Unmatched.LATER
            if not possible:
                return Unmatched.ORPHAN
            if len(possible) < len(self._line) or len(possible) > 1 or self._may_miss_requests:
                for each in possible:
                    self._line.remove(each)
                    self._settle(each)
                return Unmatched.AMBIGUOUS
            exact = possible[0]
        elif is_behind and not exact.method:
            return Unmatched.LATER
        while self._line[0] is not exact:
            self._settle(self._line.popleft())
        self._is_lost = self._may_miss_requests = False
        return exact


def is_after(seq: int, other: int) -> bool:
    """Whether `seq` is after `other`, modulo 2^32."""
    return 0 < (seq - other) & _MASK < 0x8000_0000
