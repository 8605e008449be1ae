"""How late requests left, as a histogram of which quantiles can be told."""

from math import ceil, log

_FIRST_SECONDS = 1e-4
_STEP = log(1.1)
_BUCKETS = 200
"""From 0.1 ms in steps of a tenth: the last begins after five hours."""


class Lateness:
    """Counts seconds; quantiles are right to a tenth. Other threads may read it."""

    def __init__(self) -> None:
        self.count = 0
        self.max_seconds = 0.0
        self._counts = [0] * (_BUCKETS + 1)

    def add(self, seconds: float) -> None:
        """Count one."""
        self.count += 1
        self.max_seconds = max(self.max_seconds, seconds)
        at = 0 if seconds <= _FIRST_SECONDS else ceil(log(seconds / _FIRST_SECONDS) / _STEP)
        self._counts[min(at, _BUCKETS)] += 1

    def quantile(self, share: float) -> float:
        """The seconds that so great a share was not later than; 0.0 where nothing was counted."""
        wanted, seen = share * self.count, 0
        for at, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return self.max_seconds if at == _BUCKETS else min(_FIRST_SECONDS * 1.1**at, self.max_seconds)
        return 0.0

    def summary(self) -> dict[str, float]:
        """As it stands in ``summary.json``."""
        return {
            "requests": self.count,
            "p50_seconds": round(self.quantile(0.5), 6),
            "p99_seconds": round(self.quantile(0.99), 6),
            "max_seconds": round(self.max_seconds, 6),
        }
