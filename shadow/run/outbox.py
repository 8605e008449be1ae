"""What a worker tells of its work: counted where only the number matters, whole where more does."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable

import msgspec

from shadow.content.redaction import Redactor, redact_exchange
from shadow.model import (
    Event,
    Exchange,
    Fate,
    Judged,
    QueueSeen,
    Replies,
    Reply,
    SecretTaken,
    Sent,
    Settled,
    StateChanged,
    Tally,
    Trial,
    Verdict,
)
from shadow.pipeline.ready import Ready
from shadow.run.lessons import Lesson
from shadow.sinks.ledger import is_unsent
from shadow.taps.jsonl import encode

_TELL_SECONDS = 0.05
"""So long words are collected; whoever waits for one is told at once."""


class Reported(msgspec.Struct, frozen=True):
    """A trial that failed for good, and what `Reporting` needs to make a finding of it."""

    trial: Trial
    times: str
    ready: Ready | None


class Batch(msgspec.Struct, frozen=True):
    """What a worker has to tell since its last batch. Empty, it says that the worker lives."""

    settled: list[int] = []
    """Numbers of exchanges whose fates are among `events`."""
    tally: Tally = Tally()
    events: list[Event | Reported] = []
    """All that is told whole, in its order."""
    lessons: list[Lesson] = []
    stopped: str = ""
    """Why the worker asks for the end of the run."""
    halted: str = ""
    """Why nothing may be sent any more: a safety rule."""
    admitted: int = 0
    """Requests sent since the worker began."""
    admitted_bytes: int = 0
    refused: int = 0
    """Of originals that the live service took, those that every target refused; since the worker began."""
    taken: int = 0
    passes: int = 0
    """How many passes it has worked off wholly; since the worker began."""
    is_last: bool = False


class Outbox:
    """Hears a worker's events and tells them in batches.

    `tell` sends what has been collected, by `collect`.
    """

    def __init__(self, redactor: Redactor, tell: Callable[[], None]) -> None:
        self._redactor = redactor
        self._tell = tell
        self._numbers: dict[tuple[int, str, float], deque[int]] = {}
        self._open: set[int] = set()
        self._wanted: set[int] = set()
        self._is_due = False
        self._stopped = ""
        self._clear()

    def expect(self, exchange: Exchange, number: int) -> None:
        """`exchange` was handed over under `number`."""
        self._numbers.setdefault(key_of(exchange), deque()).append(number)
        self._open.add(number)

    def want(self, numbers: list[int]) -> None:
        """Others wait for these."""
        still_open = self._open.intersection(numbers)
        self._wanted |= still_open
        if len(still_open) < len(numbers):
            self._tell()  # what is settled may not have been told yet

    def hear(self, event: Event) -> None:
        match event:
            case Settled():
                self._settle(event)
            case Sent() if not is_unsent(event):
                self._count_sent(event)
            case Judged() if event.trial.judgement.verdict is not Verdict.FAILED:
                self._count(event.trial)
            case StateChanged(state="stopping"):
                self._stopped = event.why
            case Sent() | QueueSeen() | StateChanged(state="ending" | "paused"):
                return  # of no matter, or told by the run itself
            case _:
                if isinstance(event, SecretTaken):
                    self._redactor.learn(event.value)
                self._events.append(event)
        self._be_due()

    def report(self, trial: Trial, times: str, ready: Ready | None) -> None:
        """In the place of `Reporting`, which is where all workers' trials come together."""
        self._events.append(Reported(trial, times, ready))
        self._be_due()

    def collect(self) -> Batch:
        """Everything since the last time; `stopped` is told once."""
        fates = [Settled(tap, fate, count, why) for (tap, fate, why), count in self._fates.items()]
        batch = Batch(self._settled, self._tally, [*fates, *self._events], stopped=self._stopped)
        self._stopped = ""
        self._clear()
        return batch

    def _clear(self) -> None:
        self._settled: list[int] = []
        self._events: list[Event | Reported] = []
        self._tally = Tally()
        self._fates: Counter[tuple[str, Fate, str]] = Counter()

    def _settle(self, event: Settled) -> None:
        self._fates[event.tap, event.fate, event.why] += event.count
        exchange = event.exchange
        if exchange is None:
            return
        if event.fate is Fate.REPLAYED:
            self._tally.lines.append(encode(redact_exchange(self._redactor, exchange)))
        key = key_of(exchange)
        if numbers := self._numbers.get(key):
            number = numbers.popleft()
            if not numbers:
                del self._numbers[key]
            self._settled.append(number)
            self._open.discard(number)
            if number in self._wanted or not self._open:
                self._wanted.discard(number)
                asyncio.get_running_loop().call_soon(self._tell)

    def _count_sent(self, event: Sent) -> None:
        key = (event.target, event.parcel.value)
        replies = self._tally.replies.get(key)
        if replies is None:
            replies = self._tally.replies[key] = Replies()
        replies.sent += 1
        if isinstance(event.outcome, Reply):
            replies.add(event.outcome.timing.total_seconds)

    def _count(self, trial: Trial) -> None:
        expect = trial.expect or trial.judgement.expect
        verdict = trial.judgement.verdict.value
        self._tally.trials[trial.endpoint, trial.label, expect.value if expect else "", verdict] += 1
        if trial.judgement.verdict is Verdict.UNDECIDED:
            self._tally.doubts[trial.judgement.doubt.value] += 1

    def _be_due(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(_TELL_SECONDS, self._tell_due)

    def _tell_due(self) -> None:
        self._is_due = False
        self._tell()


def key_of(exchange: Exchange) -> tuple[int, str, float]:
    """What tells an exchange from others, in recordings that number theirs badly too."""
    return exchange.index, exchange.session, exchange.seen_at
