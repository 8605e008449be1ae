"""Which causes somebody has begun to make smaller, here or in another process: each is worked on once."""

from collections.abc import Callable

from shadow.judge import causes_of
from shadow.model import Trial

_MAX_CAUSES = 5000
"""Beyond, nothing is made smaller any more: a run with so many has gone wrong."""


class Begun:
    """One for a run, by the causes' ids."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self.on_begun: Callable[[frozenset[str]], None] | None = None
        """Told what is begun here, for others to `take_over`."""

    def has(self, trial: Trial) -> bool:
        """Whether nothing is left to do for what `trial` shows."""
        return len(self._ids) >= _MAX_CAUSES or ids_of(trial) <= self._ids

    def add(self, trial: Trial) -> None:
        """Work on what `trial` shows is begun here."""
        ids = ids_of(trial)
        self._ids |= ids
        if self.on_begun is not None:
            self.on_begun(ids)

    def take_over(self, ids: frozenset[str]) -> None:
        """Another process has begun with these."""
        self._ids |= ids


def ids_of(trial: Trial) -> frozenset[str]:
    """The ids of the causes that a failed trial shows."""
    return frozenset(each.id for each in causes_of(trial))
