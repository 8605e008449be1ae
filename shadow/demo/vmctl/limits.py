"""How often one key may be used."""

import time

_WINDOW_SECONDS = 10.0
_WINDOW_REQUESTS = 100_000  # far above what one process can answer: only a runaway loop on a faster machine
_WRONG_WINDOW_SECONDS = 60.0
_WRONG_ALLOWED = 30


class Limiter:
    """Fixed windows in memory, one a key. The monotonic clock: a limit is about load, not about dates."""

    def __init__(self) -> None:
        self._used: dict[str, tuple[float, int]] = {}
        self._wrong: dict[str, tuple[float, int]] = {}

    def allows(self, key: str) -> bool:
        """Count one use of `key`; False when it is above its limit."""
        return _count(self._used, key, _WINDOW_SECONDS) <= _WINDOW_REQUESTS

    def wrong(self, key: str) -> None:
        """Count one wrong signature that named `key`."""
        _count(self._wrong, key, _WRONG_WINDOW_SECONDS)

    def is_locked(self, key: str) -> bool:
        """Whether too many wrong signatures named `key`."""
        began, count = self._wrong.get(key, (0.0, 0))
        return count > _WRONG_ALLOWED and time.monotonic() - began < _WRONG_WINDOW_SECONDS


def _count(windows: dict[str, tuple[float, int]], key: str, window_seconds: float) -> int:
    now = time.monotonic()
    began, count = windows.get(key, (now, 0))
    if now - began >= window_seconds:
        began, count = now, 0
    windows[key] = (began, count + 1)
    return count + 1
