"""Which worker an exchange is handed to, and which exchanges of others it must wait for there.

The rules of `shadow.pipeline.order` hold over all workers together: each keeps them for what it was handed,
and here they are kept for what another one has. Pure: numbers count what was handed, from 0.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from shadow.model import Exchange
from shadow.pipeline.order import ended_at, has_effect

_MAX_SESSIONS = 100_000
"""Sessions that are remembered, far more than can be under work; one that comes back later begins anew."""


@dataclass(eq=False, slots=True)
class Handed:
    """One exchange that a worker has and has not settled."""

    number: int
    worker: int
    tap: str
    is_write: bool
    ended_at: float
    """In live time, as Unix seconds."""
    missing: int = 0
    """How many exchanges of other workers must be sent before it."""
    followers: list["Handed"] = dataclasses.field(default_factory=list)
    """Exchanges of other workers that wait for it."""


class Assignment:
    """Sessions to workers: a new one goes to whoever was handed least so far.

    That depends on the order of the exchanges alone, so the same traffic is always divided alike.
    """

    def __init__(self, workers: int) -> None:
        self._loads = dict.fromkeys(range(workers), 0)
        self._homes: OrderedDict[str, int] = OrderedDict()

    def worker_of(self, session: str) -> int:
        """Who takes one more exchange of `session`. Raises ValueError where no worker is left."""
        worker = self._homes.get(session)
        if worker is None:
            worker = self._homes[session] = min(self._loads, key=self._loads.__getitem__)
            if len(self._homes) > _MAX_SESSIONS:
                self._homes.popitem(last=False)
        else:
            self._homes.move_to_end(session)
        self._loads[worker] += 1
        return worker

    def lose(self, worker: int) -> None:
        """Give nothing to `worker` any more; its sessions go on elsewhere."""
        self._loads.pop(worker, None)
        for session in [name for name, home in self._homes.items() if home == worker]:
            del self._homes[session]


class Board:
    """Everything that is handed out and not settled."""

    def __init__(self) -> None:
        self._reads: dict[int, Handed] = {}
        self._writes: dict[int, Handed] = {}
        self._next_number = 0

    def __len__(self) -> int:
        return len(self._reads) + len(self._writes)

    def hand(self, exchange: Exchange, worker: int) -> tuple[Handed, list[Handed]]:
        """`exchange` as it is handed to `worker`, and what others must send before it."""
        writes = has_effect(exchange)
        handed = Handed(
            self._next_number,
            worker,
            exchange.tap,
            writes,
            ended_at(exchange),
        )
        self._next_number += 1
        ahead = self._ahead(self._writes, handed, exchange.seen_at) if self._writes else []
        if writes:
            ahead += self._ahead(self._reads, handed, exchange.seen_at)
        for each in ahead:
            each.followers.append(handed)
        handed.missing = len(ahead)
        (self._writes if writes else self._reads)[handed.number] = handed
        return handed, ahead

    def settle(self, numbers: Iterable[int]) -> list[Handed]:
        """These were sent, or will not be. What waited for them alone, and may go on now."""
        free = []
        for number in numbers:
            handed = self._reads.pop(number, None) or self._writes.pop(number, None)
            for follower in handed.followers if handed is not None else ():
                follower.missing -= 1
                if not follower.missing:
                    free.append(follower)
        return free

    def of(self, worker: int) -> list[Handed]:
        """What `worker` has not settled."""
        return [
            each for store in (self._reads, self._writes) for each in store.values() if each.worker == worker
        ]

    @staticmethod
    def _ahead(store: dict[int, Handed], handed: Handed, seen_at: float) -> list[Handed]:
        """What of `store` another worker has, and live had answered before `seen_at`."""
        worker = handed.worker
        return [each for each in store.values() if each.ended_at <= seen_at and each.worker != worker]
