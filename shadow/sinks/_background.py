"""A thread that does a sink's slow work, so that hearing an event never waits for a disk or a terminal."""

import logging
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

_LOG = logging.getLogger(__name__)


class Background:
    """Calls `work` every `interval_seconds`, when woken, and a last time when closed.

    `work` takes what there is to do from where its owner keeps it, and deals with its own expected errors.
    Unexpected ones are bugs: the first is logged, all are counted in `broken`, and the thread goes on.
    """

    def __init__(self, name: str, work: Callable[[], None], interval_seconds: float) -> None:
        self._work = work
        self._interval_seconds = interval_seconds
        self._awake = threading.Event()
        self._is_closing = False
        self._name = name
        self.broken = 0
        """How often `work` raised."""
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
            try:
                self._work()
            except Exception as error:  # noqa: BLE001  # a bug must not end the thread unseen
                self._note(error)

    def _note(self, error: Exception) -> None:
        """Tell of the first error, without its text, which may hold what was captured."""
        self.broken += 1
        if self.broken == 1:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            _LOG.error(
                "the sink %r broke (%s at %s:%d): something is not written, the run goes on; please report",
                *(self._name, type(error).__name__, Path(frame.filename).name, frame.lineno),
            )
