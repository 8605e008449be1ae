"""How long answers take, as distributions: what is usual, and whether one release is slower than another."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import erfc, sqrt
from statistics import median

import msgspec

from shadow.model import AnswerClass

_KEPT = 200
_KEYS_MAX = 1000
_LOOKS = (30, 60, 120, 240, 480)
"""Answers of an endpoint at which it is looked at: few looks, so that few see something by chance."""
_USUAL_MIN = 5
SLOW_FACTOR = 2.0
"""A median so many times the other one is a regression..."""
SLOW_SECONDS = 0.005
"""...if it is longer by so much, too: less is nobody's concern."""
_SIGNIFICANCE = 0.001
_DISCOVERY_RATE = 0.01
"""Of what is told of all endpoints, so much may be chance."""

type Key = tuple[str, AnswerClass]
"""An endpoint, and the class of its answers: refusing is quicker than doing."""


class Spread(msgspec.Struct, frozen=True):
    """A distribution in three numbers."""

    p50: float
    p95: float
    p99: float
    count: int

    def __str__(self) -> str:
        return f"p50 {_shown(self.p50)}, p95 {_shown(self.p95)}, p99 {_shown(self.p99)}"


class Latencies:
    """Times of the originals' answers of both releases, which were asked at the same moments."""

    def __init__(self) -> None:
        self._pairs: dict[Key, deque[tuple[float, float]]] = {}
        self._counts: dict[Key, int] = {}
        self._usual: dict[str, deque[float]] = {}
        self._worked_out: dict[str, float] = {}
        """What `usual` gave since the latest `note`: each mutant asks for it."""

    def note(self, endpoint: str, seconds: float) -> None:
        """Take in how long the candidate took for an unedited request."""
        if endpoint not in self._usual and len(self._usual) >= _KEYS_MAX:
            return
        self._usual.setdefault(endpoint, deque(maxlen=_KEPT)).append(seconds)
        self._worked_out.pop(endpoint, None)

    def usual(self, endpoint: str) -> float:
        """What 19 of 20 unedited requests took at most; 0.0 while that is not known."""
        if endpoint not in self._worked_out:
            known = self._usual.get(endpoint, ())
            if len(known) < _USUAL_MIN:
                return 0.0
            self._worked_out[endpoint] = quantile(known, 0.95)
        return self._worked_out[endpoint]

    def note_pair(self, endpoint: str, answer: AnswerClass, ours: float, theirs: float) -> bool:
        """Take in an answer of the candidate and of the baseline, of one class; whether `suspects` is worth
        asking."""
        key = (endpoint, answer)
        if key not in self._pairs and len(self._pairs) >= _KEYS_MAX:
            return False
        self._pairs.setdefault(key, deque(maxlen=_KEPT)).append((ours, theirs))
        self._counts[key] = self._counts.get(key, 0) + 1
        return self._counts[key] in _LOOKS

    def spreads(self, key: Key) -> tuple[Spread, Spread]:
        """The candidate's and the baseline's."""
        pairs = self._pairs[key]
        return spread([ours for ours, _ in pairs]), spread([theirs for _, theirs in pairs])

    def suspects(self) -> set[Key]:
        """Where the candidate is slower than the baseline by more than chance allows."""
        enough = {key: pairs for key, pairs in self._pairs.items() if len(pairs) >= _LOOKS[0]}
        p_values = {key: mann_whitney(*_sides(pairs)) for key, pairs in enough.items()}
        found = discoveries(p_values, _DISCOVERY_RATE)
        return {key for key in found if is_slower(*_sides(enough[key]))}

    def others_are_slower(self, key: Key) -> bool:
        """Whether the candidate is slower elsewhere too, so that requests may only have waited for others."""
        for other, pairs in self._pairs.items():
            if other != key and len(pairs) >= _LOOKS[0] // 3:
                ours, theirs = _sides(pairs)
                if median(ours) > 1.5 * median(theirs) and median(ours) - median(theirs) > SLOW_SECONDS / 2:
                    return True
        return False


def is_slower(ours: Sequence[float], theirs: Sequence[float]) -> bool:
    """Whether `ours` are longer, by so much that it matters and so surely that it is no chance."""
    mine, other = median(ours), median(theirs)
    if mine < SLOW_FACTOR * other or mine - other < SLOW_SECONDS:
        return False
    return mann_whitney(ours, theirs) < _SIGNIFICANCE


def is_apart(slow: Sequence[float], usual: Sequence[float], *, factor: float, seconds: float) -> bool:
    """Whether nearly all of `slow` lie above nearly all of `usual`, by a factor and by so many seconds. One
    of five may be an exception on each side: a machine has other things to do."""
    least = sorted(slow)[len(slow) // 5]
    most = sorted(usual)[-1 - len(usual) // 5]
    return least >= factor * most and least - most >= seconds


def mann_whitney(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """How likely chance makes `ours` this much longer than `theirs`: one-sided, by the normal approximation
    (Mann and Whitney, 1947), ties counted half."""
    n, m = len(ours), len(theirs)
    if not n or not m:
        return 1.0
    ranks = _ranks([*ours, *theirs])
    u = sum(ranks[:n]) - n * (n + 1) / 2
    deviation = sqrt(n * m * (n + m + 1) / 12)
    return erfc((u - n * m / 2 - 0.5) / deviation / sqrt(2)) / 2


def discoveries[K](p_values: Mapping[K, float], rate: float) -> set[K]:
    """What is significant among many questions (Benjamini and Hochberg, 1995)."""
    ordered = sorted(p_values, key=p_values.__getitem__)
    last = 0
    for at, key in enumerate(ordered, 1):
        if p_values[key] <= rate * at / len(ordered):
            last = at
    return set(ordered[:last])


def spread(seconds: Iterable[float]) -> Spread:
    """Of at least one time."""
    values = sorted(seconds)
    return Spread(quantile(values, 0.5), quantile(values, 0.95), quantile(values, 0.99), len(values))


def quantile(values: Iterable[float], share: float) -> float:
    """The least value that `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for at in range(start, end + 1):
            ranks[order[at]] = (start + end) / 2 + 1
        start = end + 1
    return ranks


def _sides(pairs: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    kept = list(pairs)
    return [ours for ours, _ in kept], [theirs for _, theirs in kept]


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"
