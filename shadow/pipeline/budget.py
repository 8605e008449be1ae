"""How many mutants an endpoint gets in a run, and all endpoints in a minute."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from struct import Struct
from zlib import crc32

import msgspec

from shadow.model import Event, HeldBack
from shadow.replay.spending import MUTANT_BYTES, Spending

_SECONDS = 60
_SECOND = Struct("<QQ")
"""A second, and the mutants that were granted in it."""
_PLACE = Struct("<II")
"""An endpoint's number, 0 for none, and the mutants that it was granted."""
_PLACES_AT = _SECONDS * _SECOND.size
_PLACES = (MUTANT_BYTES - _PLACES_AT) // _PLACE.size


class BudgetSettings(msgspec.Struct, frozen=True):
    """Of all processes of a run together; 0 is without limit."""

    per_endpoint: int = 0
    per_minute: int = 0
    """In any 60 seconds."""


class Budget:
    """Grants mutants while there are some left, and tells what it held back. One for each process."""

    def __init__(
        self,
        settings: BudgetSettings,
        *,
        hear: Callable[[Event], None],
        spending: Spending | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`spending` holds the counts of several processes; `clock` gives seconds, the same for all."""
        self._settings = settings
        self._hear = hear
        self._clock = clock
        self._counts = bytearray(MUTANT_BYTES) if spending is None else spending.mutants
        self._locked: Callable[[], AbstractContextManager[object]] = (
            nullcontext if spending is None else spending.locked
        )

    def grant(self, endpoint: str, wanted: int) -> int:
        """How many of `wanted` mutants may be made at `endpoint` now; `give_back` what will not be."""
        settings = self._settings
        if not wanted or not (settings.per_endpoint or settings.per_minute):
            return wanted
        with self._locked():
            second = int(self._clock())
            by_endpoint = self._left_at(endpoint) if settings.per_endpoint else wanted
            by_minute = self._left_after(second) if settings.per_minute else wanted
            granted = max(0, min(wanted, by_endpoint, by_minute))
            self._take(endpoint, second, granted)
        if granted < wanted:
            self._hear(HeldBack("endpoint" if by_endpoint <= by_minute else "minute", wanted - granted))
        return granted

    def give_back(self, endpoint: str, count: int) -> None:
        """So many of those granted were not made: there was nothing more to edit."""
        if count and (self._settings.per_endpoint or self._settings.per_minute):
            with self._locked():
                self._take(endpoint, int(self._clock()), -count)

    def _take(self, endpoint: str, second: int, count: int) -> None:
        if self._settings.per_endpoint:
            at = self._place_of(endpoint)
            number, before = _PLACE.unpack_from(self._counts, at)
            _PLACE.pack_into(self._counts, at, number, max(0, before + count))
        if self._settings.per_minute:
            at = second % _SECONDS * _SECOND.size
            then, before = _SECOND.unpack_from(self._counts, at)
            _SECOND.pack_into(self._counts, at, second, max(0, (before if then == second else 0) + count))

    def _left_at(self, endpoint: str) -> int:
        _, count = _PLACE.unpack_from(self._counts, self._place_of(endpoint))
        return self._settings.per_endpoint - int(count)

    def _left_after(self, second: int) -> int:
        left = self._settings.per_minute
        with memoryview(self._counts)[:_PLACES_AT] as window:
            for then, count in _SECOND.iter_unpack(window):
                left -= count if then > second - _SECONDS else 0
        return left

    def _place_of(self, endpoint: str) -> int:
        """Where the endpoint is counted; those for which there is no more place are counted as one."""
        number = crc32(endpoint.encode()) or 1
        for step in range(_PLACES):
            at: int = _PLACES_AT + (number + step) % _PLACES * _PLACE.size
            held, _ = _PLACE.unpack_from(self._counts, at)
            if held == number:
                return at
            if not held:
                _PLACE.pack_into(self._counts, at, number, 0)
                return at
        return _PLACES_AT
