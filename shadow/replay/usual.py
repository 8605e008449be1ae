"""How long a target usually takes for each endpoint: learned quickly at first, and then hardly moved."""

from statistics import median

_FIRST = 8
"""So many answers make the first estimate: their median."""
_DRIFT = 1.002
"""By so much each longer answer raises it: a service that is getting ill must not become the usual."""
_FALL = 0.05
"""By this share of the distance each shorter answer lowers it."""
_SHORTEST_SECONDS = 0.0005
"""Less is noise."""
_ENDPOINTS_MAX = 1000


class Usual:
    """Seconds by endpoint; of more than a thousand endpoints, the later ones are unknown."""

    def __init__(self) -> None:
        self._first: dict[str, list[float]] = {}
        self._seconds: dict[str, float] = {}

    def seconds(self, endpoint: str) -> float | None:
        """None while too little is known."""
        return self._seconds.get(endpoint)

    def learn(self, endpoint: str, seconds: float) -> None:
        """Take in how long one answer took."""
        known = self._seconds.get(endpoint)
        if known is None:
            self._begin(endpoint, seconds)
        elif seconds > known:
            self._seconds[endpoint] = known * _DRIFT
        else:
            self._seconds[endpoint] = max(known - _FALL * (known - seconds), _SHORTEST_SECONDS)

    def _begin(self, endpoint: str, seconds: float) -> None:
        if endpoint not in self._first and len(self._first) + len(self._seconds) >= _ENDPOINTS_MAX:
            return
        first = self._first.setdefault(endpoint, [])
        first.append(seconds)
        if len(first) == _FIRST:
            self._seconds[endpoint] = max(median(first), _SHORTEST_SECONDS)
            del self._first[endpoint]
