"""What several processes of one run did, counted: the events of which nothing but their number matters."""

from bisect import bisect_left
from collections import Counter

import msgspec

REPLY_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds, inclusive, of the buckets in which times to an answer are counted."""


class Replies(msgspec.Struct):
    """What was sent to one target for one reason."""

    sent: int = 0
    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(REPLY_BOUNDS_SECONDS) + 1))
    """Answers in each bucket of `REPLY_BOUNDS_SECONDS`, and in one more for those that took longer."""
    sum_seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count an answer that took so long."""
        self.counts[bisect_left(REPLY_BOUNDS_SECONDS, seconds)] += 1
        self.sum_seconds += seconds


class Tally(msgspec.Struct, frozen=True):
    """Events that were counted where they happened, in place of the events themselves."""

    replies: dict[tuple[str, str], Replies] = msgspec.field(default_factory=dict)
    """By target and parcel; what could not be sent is not among them."""
    trials: Counter[tuple[str, str | None, str, str]] = msgspec.field(default_factory=Counter)
    """By endpoint, mutator, expectation (empty where none was stated) and verdict."""
    doubts: Counter[str] = msgspec.field(default_factory=Counter)
    """Undecided trials by the reason, as `Doubt` has it."""
    lines: list[bytes] = msgspec.field(default_factory=list)
    """The exchanges that were replayed, redacted, as lines of ``exchanges.jsonl``."""
