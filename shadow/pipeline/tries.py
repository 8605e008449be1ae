"""What was tried: which edits an endpoint was given, and what other endpoints told of a mutator already."""

from zlib import crc32

from shadow.model import Level

_ELSEWHERE = {Level.FRAMING: 3, Level.NETWORK: 3, Level.HEADER: 6}
"""Of these levels it is the server that answers, more than the endpoint: what so many tries with one method
have told is likely so at the next endpoint."""
_ELSEWHERE_MAX = 8
"""What other endpoints told counts as so many fruitless tries, at most."""
_KEYS_MAX = 6000
_EDITS_MAX = 100_000


class Tries:
    """Remembers in bounds: the latest edits, and how often mutators of servers were tried."""

    def __init__(self) -> None:
        self._edits: dict[int, None] = {}
        """What endpoints were given, the latest last."""
        self._fruitless: dict[tuple[str, int], int] = {}
        """By method and mutator: tries without a fault, at any endpoint."""

    def is_new(self, endpoint: str, mutator: str, edit: int) -> bool:
        """Whether the endpoint was not given that edit lately; from now on it was."""
        key = crc32(f"{endpoint} {mutator}".encode()) << 32 | edit
        if key in self._edits:
            return False
        self._edits[key] = None
        if len(self._edits) > _EDITS_MAX:
            del self._edits[next(iter(self._edits))]
        return True

    def add(self, endpoint: str, at: int, level: Level, count: int) -> None:
        """Take in tries of the mutator at place `at` of the catalogue."""
        key = (_method(endpoint), at)
        if level in _ELSEWHERE and count and (key in self._fruitless or len(self._fruitless) < _KEYS_MAX):
            self._fruitless[key] = self._fruitless.get(key, 0) + count

    def bore_fruit(self, endpoint: str, at: int) -> None:
        """It showed a fault: that is worth trying everywhere."""
        self._fruitless.pop((_method(endpoint), at), None)

    def elsewhere(self, endpoint: str, at: int, level: Level) -> int:
        """How many fruitless tries with the endpoint's method speak against one more."""
        enough = _ELSEWHERE.get(level)
        tries = self._fruitless.get((_method(endpoint), at), 0) if enough else 0
        return min(tries, _ELSEWHERE_MAX) if enough and tries >= enough else 0


def _method(endpoint: str) -> str:
    return endpoint.partition(" ")[0]
