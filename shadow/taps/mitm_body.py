"""Copies of bodies that stream through the inline tap, bounded each and together."""

from bisect import bisect_left
from time import time

_MARKS_MAX = 4096
"""Chunks of one body whose times are told apart; those that follow count with the last of them."""


class Allowance:
    """Bytes that all copies of one tap may still hold together."""

    __slots__ = ("left_bytes",)

    def __init__(self, left_bytes: int) -> None:
        self.left_bytes = left_bytes


class BodyCopy:
    """Copies a body that streams through. Called with a chunk it gives back the chunk, whatever happens."""

    __slots__ = (
        "_allowance",
        "_first",
        "_is_closed",
        "_marks",
        "_max_bytes",
        "_rest",
        "is_cut",
        "is_timed",
        "size_bytes",
    )

    def __init__(self, allowance: Allowance, max_bytes: int) -> None:
        self.is_cut = False
        self.is_timed = False
        """Whether it remembers when its parts came."""
        self.size_bytes = 0
        # One chunk is the usual case and needs no second copy; many small ones must not be many objects.
        self._first = b""
        self._rest: bytearray | None = None
        self._marks: list[tuple[int, float]] = []
        self._allowance = allowance
        self._max_bytes = max_bytes
        self._is_closed = False

    def __call__(self, chunk: bytes) -> bytes:
        if chunk and not self.is_cut and not self._is_closed:
            try:
                self._keep(chunk)
            except Exception:  # noqa: BLE001 - out of memory, say: the client must have its bytes all the same
                self.is_cut = True
        return chunk

    def content(self) -> bytes:
        return self._first if self._rest is None else b"".join((self._first, self._rest))

    def time_of(self, end: int) -> float | None:
        """Unix time in seconds at which its first `end` bytes were there; None where that is not known."""
        at = bisect_left(self._marks, (end, 0.0))
        return self._marks[at][1] if at < len(self._marks) else None

    def close(self) -> None:
        """Let go of the copy; what still streams through is no longer copied."""
        self._allowance.left_bytes += self.size_bytes
        self.size_bytes = 0
        self._first = b""
        self._rest = None
        self._marks = []
        self._is_closed = True

    def _keep(self, chunk: bytes) -> None:
        room = min(self._max_bytes - self.size_bytes, self._allowance.left_bytes)
        if len(chunk) > room:
            self.is_cut = True
            chunk = chunk[: max(room, 0)]
        if not self.size_bytes:
            self._first = chunk
        elif self._rest is None:
            self._rest = bytearray(chunk)
        else:
            self._rest += chunk
        self._allowance.left_bytes -= len(chunk)
        self.size_bytes += len(chunk)
        if self.is_timed:
            if len(self._marks) == _MARKS_MAX:
                self._marks.pop()
            self._marks.append((self.size_bytes, time()))
