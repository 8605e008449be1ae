"""HAR files (HTTP Archive 1.2), as browsers, proxies and load tools write them, read entry by entry."""

import re
from collections.abc import Iterator
from heapq import heappop, heappush

import msgspec

from shadow.errors import TapError
from shadow.model import Exchange, Fate, Settled
from shadow.taps.har_entry import TAP, decode
from shadow.taps.har_scan import EntryScanner
from shadow.taps.source import Source

_FIRST_KEY = re.compile(rb'"(log|request|seen_at)"\s*:')
_BLANK = b"\xef\xbb\xbf \t\r\n"


class Bounds(msgspec.Struct, frozen=True):
    """What is held of one file. Entries are put in order of time within these bounds."""

    entry_bytes: int = 67_108_864
    """What is longer is not read."""
    waiting: int = 4096
    waiting_bytes: int = 16_777_216
    """Of the entries' text."""


def is_har(start: bytes) -> bool:
    """Whether a file that starts with these bytes is an archive: an object whose member `log` comes first,
    or at least before anything that a line of exchanges has."""
    match = _FIRST_KEY.search(start)
    return match is not None and match[1] == b"log" and start.lstrip(_BLANK)[:1] == b"{"


def read(source: Source, bounds: Bounds | None = None) -> Iterator[Exchange | Settled]:
    """The exchanges of one file, all in one session, one client's, unless they name their own.

    They come in the order in which they began, as far as the bounds allow. Raises TapError where the file has
    no entries at all.
    """
    bounds = bounds or Bounds()
    scanner, order = EntryScanner(bounds.entry_bytes), _Order(bounds)
    session = f"{TAP}:{source.name}"
    for piece in source.pieces():
        for text in scanner.feed(piece):
            if text is None:
                yield _unparsed(f"a HAR entry longer than {bounds.entry_bytes} bytes")
                continue
            found = decode(text, session)
            if isinstance(found, str):
                yield _unparsed(found)
            else:
                yield from order.take(found, len(text))
    if not scanner.has_entries:
        raise TapError(f"{source.name!r} is no HAR file: it has no log with a list of entries")
    yield from order.finish()
    if not scanner.is_whole:
        source.notice("ends inside its entries; those before were read")
    if order.late_count:
        source.notice(
            f"{order.late_count} entries stand too far behind later ones to be put in order; they come late"
        )


class _Order:
    """Puts exchanges in order of time. Those that wait stay within bounds: the earliest then goes."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._waiting: list[tuple[float, int, int, Exchange]] = []
        """A heap: time, number, size, exchange."""
        self._waiting_bytes = 0
        self._taken = self._given = 0
        self._last_time = 0.0
        self.late_count = 0

    def take(self, exchange: Exchange, size: int) -> Iterator[Exchange]:
        """What goes now that `exchange`, of `size` bytes, is there."""
        heappush(self._waiting, (exchange.seen_at, self._taken, size, exchange))
        self._taken += 1
        self._waiting_bytes += size
        bounds = self._bounds
        while len(self._waiting) > bounds.waiting or self._waiting_bytes > bounds.waiting_bytes:
            yield self._first()

    def finish(self) -> Iterator[Exchange]:
        """All that still waits."""
        while self._waiting:
            yield self._first()

    def _first(self) -> Exchange:
        time, _, size, exchange = heappop(self._waiting)
        self._waiting_bytes -= size
        if time < self._last_time:
            self.late_count += 1
        self._last_time = max(time, self._last_time)
        self._given += 1
        return msgspec.structs.replace(exchange, index=self._given - 1)


def _unparsed(why: str) -> Settled:
    return Settled(TAP, Fate.UNPARSED, 1, why)
