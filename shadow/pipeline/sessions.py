"""What is remembered of each session, so that a session that has gone quiet can be mutated as a whole."""

from collections import OrderedDict, deque
from collections.abc import Sequence

import msgspec

from shadow.model import Exchange

_MAX_SESSIONS = 1000
_MAX_EXCHANGES = 40
_MAX_EARLIER = 8
_MAX_REMEMBERED = 60
"""Exchanges of a session that others may be mixed with."""


class _Past(msgspec.Struct):
    exchanges: tuple[Exchange, ...]
    at: float
    index_max: int = -1
    is_worked_off: bool = False


class Sessions:
    """The exchanges of the latest sessions, oldest first; a session keeps its first `_MAX_EXCHANGES`.

    The first ones, because scripts need what a session's later requests were built on.
    """

    def __init__(self, *, idle_seconds: float) -> None:
        self._idle_seconds = idle_seconds
        self._past: OrderedDict[str, _Past] = OrderedDict()

    def add(self, session: str, exchange: Exchange, now: float) -> None:
        """Remember one more exchange of `session`, seen at `now` (monotonic seconds)."""
        past = self._past.setdefault(session, _Past((), now))
        past.at = now
        if len(past.exchanges) < _MAX_EXCHANGES:
            past.exchanges = (*past.exchanges, exchange)
            past.index_max = max(past.index_max, exchange.index)
            past.is_worked_off = False
        self._past.move_to_end(session)
        if len(self._past) > _MAX_SESSIONS:
            self._past.popitem(last=False)

    def before(self, session: str, exchange: Exchange) -> tuple[Exchange, ...]:
        """What the session had asked before `exchange`."""
        past = self._past.get(session)
        if past is None:
            return ()
        told = past.exchanges
        if past.index_max < exchange.index:  # nearly always, and shared by all that follow
            return told
        return tuple(each for each in told if each.index < exchange.index)

    @property
    def is_full(self) -> bool:
        """Whether one session more makes one forgotten that was not given out."""
        if len(self._past) < _MAX_SESSIONS:
            return False
        return not next(iter(self._past.values())).is_worked_off

    def names(self) -> set[str]:
        """The sessions that are remembered."""
        return set(self._past)

    def clear(self) -> None:
        """Forget all of them."""
        self._past.clear()

    def quiet(self, now: float, *, is_over: bool = False) -> list[tuple[str, tuple[Exchange, ...]]]:
        """Each session that has been quiet long enough, once; all of them when the run `is_over`."""
        ripe = []
        for name, past in self._past.items():
            if not past.is_worked_off and (is_over or now - past.at >= self._idle_seconds):
                past.is_worked_off = True
                ripe.append((name, past.exchanges))
        return ripe


class Earlier:
    """The latest sessions that were put to the test, which later ones may be mixed with."""

    def __init__(self) -> None:
        self._pasts: deque[tuple[Exchange, ...]] = deque(maxlen=_MAX_EARLIER)

    @property
    def all(self) -> tuple[tuple[Exchange, ...], ...]:
        """Oldest first."""
        return tuple(self._pasts)

    def add(self, past: Sequence[Exchange]) -> None:
        self._pasts.append(tuple(past[:_MAX_REMEMBERED]))
