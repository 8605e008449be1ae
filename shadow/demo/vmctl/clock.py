"""Time and chance: the system's, or fixed ones that a seed decides."""

import time
import uuid
from datetime import UTC, datetime
from random import Random, SystemRandom

FIXED_EPOCH = 1_700_000_000
_TICK_SECONDS = 1e-6  # enough to tell two versions of a row apart, too little to leave the allowed skew


class Clock:
    """Unix time in seconds; a fixed clock starts at FIXED_EPOCH and moves one microsecond a look."""

    def __init__(self, *, is_fixed: bool) -> None:
        self._is_fixed = is_fixed
        self._looks = 0

    def now(self) -> float:
        if not self._is_fixed:
            return time.time()
        self._looks += 1
        return round(FIXED_EPOCH + self._looks * _TICK_SECONDS, 6)


class Chance:
    """Ids and dice: unguessable, or drawn from a seed."""

    def __init__(self, seed: int | None) -> None:
        self.dice: Random = SystemRandom() if seed is None else Random(f"vmctl:{seed}")

    def new_id(self) -> str:
        """A random UUID (version 4) in its usual form."""
        return str(uuid.UUID(bytes=self.dice.randbytes(16), version=4))

    def new_secret(self) -> bytes:
        return self.dice.randbytes(32)


def iso(seconds: float) -> str:
    """``2023-11-14T22:13:20.000001Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
