"""What several processes have sent, all told: the budgets and the ceiling of a run hold for them together."""

import fcntl
import mmap
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct

_PAGE = Struct("<QQd")
"""Requests and bytes admitted, and the moment of the next free slot, in monotonic seconds."""
MUTANT_BYTES = 32 * 1024
"""For the counts of mutants, which `shadow.pipeline.budget` keeps."""


class Spending:
    """Counts in memory that a process shares with those forked from it later.

    The lock is a record lock on a file without a name: the kernel takes it from a process that dies.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # `close` closes it
        self._file.truncate(_PAGE.size)
        self._page = mmap.mmap(self._file.fileno(), _PAGE.size)
        self.mutants = mmap.mmap(-1, MUTANT_BYTES)
        """All zero at first; to be changed while it is `locked`."""

    def admit(self, size_bytes: int, *, requests_max: int | None, bytes_max: int | None = None) -> str:
        """Count one request of `size_bytes` in, and return an empty string; or say which budget is spent."""
        with self.locked():
            requests, spent_bytes, slot = _PAGE.unpack_from(self._page)
            if requests_max is not None and requests >= requests_max:
                return f"the budget of {requests_max} requests is spent"
            if bytes_max is not None and spent_bytes + size_bytes > bytes_max:
                return f"the budget of {bytes_max} bytes is spent"
            _PAGE.pack_into(self._page, 0, requests + 1, spent_bytes + size_bytes, slot)
            return ""

    def take_back(self, size_bytes: int) -> None:
        """One request that was admitted was not sent."""
        with self.locked():
            requests, spent_bytes, slot = _PAGE.unpack_from(self._page)
            _PAGE.pack_into(self._page, 0, max(0, requests - 1), max(0, spent_bytes - size_bytes), slot)

    def slot_at(self, now: float, every_seconds: float) -> float:
        """When the next request may leave, if one may every so often; the slot is taken then.

        Monotonic time is the same in all processes.
        """
        with self.locked():
            requests, spent_bytes, slot = _PAGE.unpack_from(self._page)
            slot = max(slot, now)
            _PAGE.pack_into(self._page, 0, requests, spent_bytes, slot + every_seconds)
            return float(slot)

    def close(self) -> None:
        self._page.close()
        self.mutants.close()
        self._file.close()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """No other process changes anything meanwhile."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)
