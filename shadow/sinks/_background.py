"""A thread that does a sink's slow work, so that hearing an event never waits for a disk or a terminal."""

import threading
from collections.abc import Callable


class Background:
    """Calls `work` every `interval_seconds`, when woken, and a last time when closed.

    `work` takes what there is to do from where its owner keeps it, and deals with its own expected errors.
    """

    def __init__(self, name: str, work: Callable[[], None], interval_seconds: float) -> None:
        self._work = work
        self._interval_seconds = interval_seconds
        self._awake = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Have `work` called soon. Costs a flag when it is woken already."""
        if not self._awake.is_set():
            self._awake.set()

    def close(self, timeout_seconds: float = 30.0) -> bool:
        """Call `work` once more and end; False where it did not end in time (a disk that hangs)."""
        self._is_closing = True
        self._awake.set()
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            self._awake.wait(self._interval_seconds)
            self._awake.clear()
            is_last = self._is_closing
            self._work()
