"""The tap's end of the feed: takes exchanges in microseconds, sends them from a thread, loses none uncounted.

Live traffic comes first: `Sender.offer` takes no lock, never waits and never raises. It only appends to a
bounded queue, which a thread empties every few milliseconds. There is deliberately no wake-up per exchange:
it would cost the live path a system call, and the interpreter a change of threads, for each request.
"""

import logging
from bisect import bisect_left
from collections import deque
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import msgspec

from shadow.feed.frames import TAP_SECONDS_BOUNDS, Bye, Hello, Ledger, TapSeconds
from shadow.feed.link import Link, checked, connect
from shadow.model import Exchange

QUEUE_FULL = "queue_full"
PIPELINE_GONE = "pipeline_gone"
TOO_LARGE = "too_large"
UNSENDABLE = "unsendable"

_TICK_SECONDS = 0.02  # also the longest that an exchange waits in an idle tap
_BATCH_BYTES = 1 << 16  # encoded in one go; more would hold the interpreter lock against live traffic
_FIRST_BACKOFF_SECONDS = 0.05
_FIELD_BYTES = 16  # rough cost of one header field besides its text
_EXCHANGE_BYTES = 512  # rough cost of one exchange besides its fields and bodies

_log = logging.getLogger(__name__)


class SenderSettings(msgspec.Struct, frozen=True):
    """How much a tap may hold back, and how patient it is."""

    max_queue_items: int = 10_000
    max_queue_bytes: int = 64 << 20
    max_exchange_bytes: int = 16 << 20
    max_backoff_seconds: float = 2.0
    """The longest wait between two attempts to reach the pipeline."""
    ledger_seconds: float = 1.0
    close_seconds: float = 2.0
    """How long `close` waits for the pipeline to take what is left."""


class Sender:
    """Sends the exchanges of one tap. `offer`, `skip` and `time` belong to one thread, `close` ends it.

    While the pipeline is gone the queue keeps what fits, so that a restart of the pipeline loses little;
    what does not fit is dropped, newest first to go. Nothing is ever sent twice: what was written to a
    connection that died unacknowledged counts as dropped.
    """

    def __init__(self, path: Path, hello: Hello, settings: SenderSettings | None = None) -> None:
        """Raises FeedError where `path` is longer than a Unix socket's may be. The pipeline may be absent."""
        self._path = checked(path)
        self._hello = hello
        self._settings = settings or SenderSettings()
        self._queue: deque[tuple[Exchange, int]] = deque()
        # written by the offering thread alone
        self._captured = 0
        self._offered_bytes = 0
        self._refused = {QUEUE_FULL: 0, PIPELINE_GONE: 0, TOO_LARGE: 0}
        self._unparsed: dict[str, int] = {}
        self._bucket_counts = [0] * (len(TAP_SECONDS_BOUNDS) + 1)
        self._sum_seconds = 0.0
        self._frames: tuple[int, int] | None = None
        # written by the sending thread alone
        self._is_connected = False
        self._taken_bytes = 0
        self._acknowledged = 0
        self._lost = {PIPELINE_GONE: 0, UNSENDABLE: 0}
        self.has_parted = False
        """Whether the pipeline was told that the tap ends."""
        self._closing = Event()
        self._thread = Thread(target=self._run, name=f"feed of {hello.tap}", daemon=True)
        self._thread.start()

    def offer(self, exchange: Exchange) -> bool:
        """Whether `exchange` was queued; otherwise it is dropped and counted."""
        self._captured += 1
        size = _weight(exchange)
        why = self._why_not(size)
        if why:
            self._refused[why] += 1
            return False
        self._offered_bytes += size
        self._queue.append((exchange, size))
        return True

    def skip(self, why: str) -> None:
        """Count something captured that makes no exchange; `why` comes from a closed set."""
        self._captured += 1
        self._unparsed[why] = self._unparsed.get(why, 0) + 1

    def time(self, seconds: float) -> None:
        """Count the time that the tap spent in the path of one live request."""
        self._bucket_counts[bisect_left(TAP_SECONDS_BOUNDS, seconds)] += 1
        self._sum_seconds += seconds

    def frames(self, taken: int, lost: int) -> None:
        """Say how many frames a passive tap has taken so far, and how many the kernel dropped."""
        self._frames = taken, lost

    def ledger(self) -> Ledger:
        """What became of everything so far. May be asked for from any thread."""
        acknowledged, lost = self._acknowledged, dict(self._lost)
        refused, unparsed = dict(self._refused), dict(self._unparsed)
        # Last, so that what is captured meanwhile seems to be in flight and never to be less than nothing.
        captured = self._captured
        settled = acknowledged + sum(lost.values()) + sum(refused.values()) + sum(unparsed.values())
        return Ledger(
            captured=captured,
            acknowledged=acknowledged,
            in_flight=captured - settled,
            dropped={why: n for why in refused | lost if (n := refused.get(why, 0) + lost.get(why, 0))},
            unparsed=unparsed,
            tap_seconds=TapSeconds(tuple(self._bucket_counts), self._sum_seconds),
            frames=self._frames,
        )

    def close(self) -> Ledger:
        """The last ledger, in which nothing is in flight. Waits for the pipeline, at most `close_seconds`."""
        self._closing.set()
        self._thread.join()
        return self.ledger()

    def _why_not(self, size: int) -> str:
        settings = self._settings
        if size > settings.max_exchange_bytes:
            return TOO_LARGE
        if self._closing.is_set():
            return PIPELINE_GONE
        queued_bytes = self._offered_bytes - self._taken_bytes
        if len(self._queue) < settings.max_queue_items and queued_bytes + size <= settings.max_queue_bytes:
            return ""
        return QUEUE_FULL if self._is_connected else PIPELINE_GONE

    def _run(self) -> None:
        backoff_seconds = _FIRST_BACKOFF_SECONDS
        is_over = False
        while not is_over:
            # Closing cuts the wait short, and then one last attempt is made for what is still queued.
            is_over = self._closing.is_set()
            link = connect(self._path)
            if isinstance(link, Link):
                is_over = self._serve(link) or is_over
                if link.received_count:
                    backoff_seconds = _FIRST_BACKOFF_SECONDS
            self._closing.wait(backoff_seconds)
            backoff_seconds = min(2 * backoff_seconds, self._settings.max_backoff_seconds)
        while self._queue:
            self._take()
            self._lost[PIPELINE_GONE] += 1

    def _serve(self, link: Link) -> bool:
        """Send until the link is gone, or the tap closes; whether it was the tap."""
        _log.info("tap %r reached the pipeline at %s", self._hello.tap, self._path)
        self._is_connected = True
        link.put(self._hello)
        before = self._acknowledged
        next_ledger = deadline = 0.0
        while link.gone is None:
            if monotonic() >= next_ledger and link.waiting_bytes < _BATCH_BYTES:
                link.put(self.ledger())
                next_ledger = monotonic() + self._settings.ledger_seconds
            self._fill(link)
            link.turn(_TICK_SECONDS)
            self._acknowledged = before + link.received_count
            if self._closing.is_set():
                deadline = deadline or monotonic() + self._settings.close_seconds
                if monotonic() >= deadline or self._is_settled(link):
                    break
        self._lost[PIPELINE_GONE] += link.put_count - link.received_count
        self._is_connected = False
        is_ours = link.gone is None
        if is_ours:
            self._part(link)
        else:
            _log.warning("tap %r lost the pipeline at %s: %s", self._hello.tap, self._path, link.gone)
        link.close()
        return is_ours

    def _part(self, link: Link) -> None:
        """Say good-bye, and wait until the pipeline has heard it."""
        deadline = monotonic() + self._settings.close_seconds
        link.put(self.ledger())
        link.put(Bye())
        while link.waiting_bytes and link.turn(_TICK_SECONDS) and monotonic() < deadline:
            pass
        self.has_parted = not link.waiting_bytes
        link.end()
        while link.turn(_TICK_SECONDS) and monotonic() < deadline:
            pass

    def _fill(self, link: Link) -> None:
        while self._queue and link.waiting_bytes < _BATCH_BYTES:
            try:
                link.put(self._take())
            except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
                self._lost[UNSENDABLE] += 1
                _log.warning("tap %r saw an exchange that cannot be sent: %s", self._hello.tap, error)

    def _take(self) -> Exchange:
        exchange, size = self._queue.popleft()
        self._taken_bytes += size
        return exchange

    def _is_settled(self, link: Link) -> bool:
        return not self._queue and link.received_count == link.put_count


def _weight(exchange: Exchange) -> int:
    """About how many bytes `exchange` holds in memory."""
    request, response = exchange.request, exchange.response
    size = _EXCHANGE_BYTES + len(request.target) + len(request.body)
    for name, value in request.headers:
        size += _FIELD_BYTES + len(name) + len(value)
    if response is not None:
        size += len(response.body)
        for name, value in response.headers:
            size += _FIELD_BYTES + len(name) + len(value)
    for message in exchange.messages:
        size += _FIELD_BYTES + len(message.body)
    return size
