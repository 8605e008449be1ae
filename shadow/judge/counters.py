"""Numbers that a service counts up, by how they rise at live and at the candidate from answer to answer."""

import re
from typing import Any

_MIN_SEEN = 4
_MAX_NAMES = 1000
_FALLS_PER_RISE = 0.2
"""Answers are not judged in the very order in which they were given."""
_DIGITS = re.compile(r"\d+")


class Counters:
    """By name of the member, as what one request made is shown by others under the same name."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}

    def add(self, name: str, left: Any, right: Any) -> None:
        """Take in what live and the candidate said, in one answer to a request that writes."""
        pair = _counts(left, right)
        if pair is None or (name not in self._runs and len(self._runs) >= _MAX_NAMES):
            return
        run = self._runs.setdefault(name, _Run())
        run.add(*pair)

    def is_counting(self, name: str, left: Any, right: Any) -> bool:
        """Whether two values may be of a counter, which only further answers can tell."""
        run = self._runs.get(name)
        return run is not None and run.may_become_one and _counts(left, right) is not None

    def is_likely(self, name: str, left: Any, right: Any) -> bool:
        """Whether both rose whenever they were seen, twice at least, though that is not often enough."""
        run = self._runs.get(name)
        has_risen = run is not None and run.may_become_one and all(run.rises)
        return has_risen and _counts(left, right) is not None

    def is_counter(self, name: str, left: Any, right: Any) -> bool:
        """Whether both values are of a counter."""
        run = self._runs.get(name)
        return run is not None and run.is_counter and _counts(left, right) is not None


class _Run:
    __slots__ = ("_latest", "falls", "rises", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.rises = [0, 0]
        self.falls = [0, 0]
        self._latest = (0, 0)

    def add(self, ours: int, theirs: int) -> None:
        if self.seen:
            for side, (now, before) in enumerate(zip((ours, theirs), self._latest, strict=True)):
                self.rises[side] += now > before
                self.falls[side] += now <= before
        self.seen += 1
        self._latest = (ours, theirs)

    @property
    def may_become_one(self) -> bool:
        return self.seen < _MIN_SEEN and not any(self.falls)

    @property
    def is_counter(self) -> bool:
        return self.seen >= _MIN_SEEN and all(
            falls <= _FALLS_PER_RISE * rises for rises, falls in zip(self.rises, self.falls, strict=True)
        )


def _counts(left: Any, right: Any) -> tuple[int, int] | None:
    """Two whole numbers, or those in two texts that differ in nothing else; None for anything else."""
    if isinstance(left, bool) or isinstance(right, bool):
        return None
    if isinstance(left, int) and isinstance(right, int):
        return left, right
    if not isinstance(left, str) or not isinstance(right, str) or max(len(left), len(right)) > 64:
        return None
    ours, theirs = _DIGITS.findall(left), _DIGITS.findall(right)
    if len(ours) != 1 or len(theirs) != 1 or _DIGITS.sub("", left) != _DIGITS.sub("", right):
        return None
    return int(ours[0]), int(theirs[0])
