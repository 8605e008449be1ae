"""Whether something that a target keeps, such as memory, grows with every request of one kind.

A service takes memory for many good reasons: it warms up, fills its caches, holds what was written. So a rise
is a suspicion only. It is tried by sending one request, which changes nothing, many times with nothing beside
it: what then rises in every round, and at the live release does not, is kept for each request.
"""

from collections.abc import Sequence

import msgspec

from shadow.judge.evidence import failed
from shadow.model import Change, Difference, Expect, Judgement

_BYTES_SUSPECT = 16 << 20
"""Allocators take memory by the megabyte, and sound services rise by a few of them."""
_COUNT_SUSPECT = 64
_ALONE_FACTOR = 4
"""Without a baseline nothing tells how much is usual."""
_BYTES_WANTED = 1 << 20
"""What a round should raise, so that it stands out of what an allocator does by itself."""
_BYTES_LEAST = 256 << 10
_COPIES_LEAST, _COPIES_MOST = 64, 512
_PER_COPY = 0.25
"""Of a count: connections are shared, so that not every request need open a file."""
_THEIRS_SHARE = 0.25
"""Where the baseline rises by more than this share of the candidate's rise, both do it."""


class Reading(msgspec.Struct, frozen=True):
    """What a gauge showed once so many requests had been sent; `theirs` is None without a baseline."""

    sent: int
    ours: float
    theirs: float | None


class Rise(msgspec.Struct, frozen=True):
    """By how much a gauge rose at each target."""

    ours: float
    theirs: float | None

    @classmethod
    def between(cls, first: Reading, last: Reading) -> "Rise":
        if first.theirs is None or last.theirs is None:
            return cls(last.ours - first.ours, None)
        return cls(last.ours - first.ours, last.theirs - first.theirs)


def is_suspect(gauge: str, rise: Rise) -> bool:
    """Whether the candidate's rise is worth a trial."""
    limit = _BYTES_SUSPECT if _is_bytes(gauge) else _COUNT_SUSPECT
    if rise.theirs is None:
        return rise.ours > limit * _ALONE_FACTOR
    return rise.ours - max(rise.theirs, 0.0) > limit and rise.ours > 2 * rise.theirs


def copies(gauge: str, first: Reading, last: Reading) -> int:
    """How often a request is sent in one round."""
    if not _is_bytes(gauge):
        return _COPIES_LEAST
    per_request = (last.ours - first.ours) / max(last.sent - first.sent, 1)
    wanted = _BYTES_WANTED / per_request if per_request > 0 else _COPIES_MOST
    return int(min(max(wanted, _COPIES_LEAST), _COPIES_MOST))


def is_growth(gauge: str, rises: Sequence[Rise], count: int) -> bool:
    """Whether `count` copies raised the gauge in every round, as they did not at the baseline."""
    least = float(_BYTES_LEAST) if _is_bytes(gauge) else count * _PER_COPY
    return bool(rises) and all(
        each.ours >= least and (each.theirs is None or each.theirs <= _THEIRS_SHARE * each.ours)
        for each in rises
    )


def growth(gauge: str, first: Reading, last: Reading, count: int) -> Judgement:
    """The verdict, where `count` copies of one request lie between the two readings."""
    rise = Rise.between(first, last)
    why = f"{gauge} rises by {_shown(gauge, rise.ours)} with {count} of these requests"
    if rise.theirs is not None:
        why += f", at the live release by {_shown(gauge, rise.theirs)}"
    place = Difference(f"gauge:{gauge}", Change.VALUE, first.ours, last.ours)
    return failed("growth", why, Expect.SURVIVE, (place,))


def _is_bytes(gauge: str) -> bool:
    return gauge.endswith("_bytes")


def _shown(gauge: str, value: float) -> str:
    return f"{value / 1024:.0f} KiB" if _is_bytes(gauge) else f"{value:.0f}"
