"""How much each mutator is tried at one endpoint: each once, then more where answers were new."""

from collections import deque
from collections.abc import Callable, Iterator
from enum import StrEnum
from heapq import heappop, heappush
from math import sqrt
from random import Random
from zlib import crc32

_PRIOR_PAID, _PRIOR_UNPAID = 0.2, 0.8
"""What a mutator is taken to have earned before it was tried: little, so that one that paid stands out."""
_KEPT_SHARE = 0.95
"""Of all plays and pay at each ranking: an endpoint that has told all is soon searched evenly again."""
_RANKED_SHARE = 8
"""A ranking holds for so many-th part of the mutators: answers come late anyway, and drawing all costs."""
_MIN_PLAYS = 4
_PAID = 0.05
"""Pay that has decayed to less is forgotten."""
_FIRST_REST, _MAX_RESTS = 4, 9
"""A mutator with nothing to edit is asked again after 4 exchanges, then 8, up to 1024."""
_RETURNING_PER_TURN = 4
"""Of those that never had anything to edit so many are asked again for one exchange."""
_POSTPONED_PER_TURN = 1
"""Of those that were tried enough at other endpoints so many have their first try in one exchange."""


class Why(StrEnum):
    """Why a mutator is dealt now."""

    FIRST = "first try at this endpoint"
    PAID = "paid here before"
    EXPLORED = "explored"
    STACKED = "several edits at once, each was tried alone here"


class Energy:
    """The mutators of one endpoint, by their places in the catalogue.

    Thompson sampling: each draws from what is believed of its pay, the highest go first. The belief of a Beta
    distribution is drawn from by the normal distribution of its mean and variance, which costs a fourth.
    """

    def __init__(
        self, count: int, order: Iterator[int], seed: int, elsewhere: Callable[[int], int] | None = None
    ) -> None:
        """`order` is that of the first tries, of all `count` mutators. `elsewhere` says how often another
        endpoint told already what one has to tell; those with enough of it come last, and more rarely."""
        self._seed = seed
        self._elsewhere = elsewhere or _nowhere
        self._postponed = deque[int]()
        self._stale: dict[int, int] = {}
        """Those that had nothing new lately, and how often; after each odd time they rest."""
        self._fresh = order
        self.is_tried_through = False
        """Whether every mutator was asked, but for those that others have tried enough."""
        self._is_asked = bytearray(count)
        self._is_made = bytearray(count)
        self._plays = [0.0] * count
        self._all_plays = self._all_made = 0
        self._pay = [0.0] * count
        self._misses = [0] * count
        self._rest_until = [0] * count
        self._returning: list[tuple[int, int]] = []
        """When those are asked again that had nothing to edit as yet, the soonest first; none twice."""
        self._is_returning = bytearray(count)
        self._ranking: list[int] = []
        self._at = 0
        self._rankings = 0
        self._exchanges = 0

    def turn(self) -> Iterator[tuple[int, Why]]:
        """Mutators for one exchange in the order in which they are to be tried, none twice."""
        self._exchanges += 1
        given: set[int] = set()
        for at in self._untried():
            given.add(at)
            yield at, Why.FIRST
        if self._at >= max(_MIN_PLAYS, len(self._plays) // _RANKED_SHARE):
            self._rank()
        is_last = False
        while True:
            while self._at < len(self._ranking):
                at = self._ranking[self._at]
                self._at += 1
                if at not in given:
                    given.add(at)
                    yield at, Why.PAID if self._pay[at] > _PAID else Why.EXPLORED
            if is_last:
                break
            self._rank()
            is_last = True
        for at in tuple(self._stale):  # better the same again than nothing
            if at not in given:
                yield at, Why.EXPLORED

    @property
    def depth(self) -> float:
        """How often those that have something to edit here were tried, on average."""
        return self._all_plays / self._all_made if self._all_made else 0.0

    def tried(self, at: int, *, is_made: bool) -> None:
        """A mutator was asked; whether it had something to edit."""
        self._is_asked[at] = 1
        if is_made:
            self._all_plays += 1
            self._all_made += not self._is_made[at]
            self._is_made[at] = 1
            self._plays[at] += 1
            self._misses[at] = 0
            return
        due = self._exchanges + (_FIRST_REST << self._misses[at])
        self._misses[at] = min(self._misses[at] + 1, _MAX_RESTS - 1)
        self._rest_until[at] = due
        if not self._is_made[at]:
            self._return(at)

    def may_go(self, at: int, *, is_new: bool) -> bool:
        """Whether what was edited may go out. What the endpoint had before rests first, the longer the
        oftener that was so: by then the state may be another."""
        if is_new:
            self._stale.pop(at, None)
            return True
        count = self._stale.get(at, 0)
        self._stale[at] = count + 1
        if count % 2:
            return True
        self._rest_until[at] = self._exchanges + (_FIRST_REST << min(count // 2, _MAX_RESTS - 1))
        return False

    def add(self, at: int, asked: int, made: int, amount: float) -> None:
        """Take in how often others asked a mutator, how often it had something to edit, and what was paid."""
        self._plays[at] += max(0, made - 1)
        if made:
            self.tried(at, is_made=True)
        elif asked:
            self.tried(at, is_made=False)
        self._pay[at] += amount
        if amount and at in self._stale:
            self._stale[at] = 1  # the same edit, and other answers: it need not rest

    def _untried(self) -> Iterator[int]:
        for at in self._fresh:
            if self._is_asked[at]:  # by another process
                continue
            if self._elsewhere(at):
                self._postponed.append(at)
            else:
                yield at
        self.is_tried_through = True
        for _ in range(min(_POSTPONED_PER_TURN, len(self._postponed))):
            at = self._postponed.popleft()
            if not self._is_asked[at]:
                yield at
        for _ in range(_RETURNING_PER_TURN):
            if not self._returning or self._returning[0][0] > self._exchanges:
                return
            _, at = heappop(self._returning)
            self._is_returning[at] = 0
            if self._is_made[at]:
                continue
            if self._rest_until[at] > self._exchanges:  # another process has asked it meanwhile
                self._return(at)
            else:
                yield at

    def _return(self, at: int) -> None:
        """Have a mutator asked again when its rest is over."""
        if not self._is_returning[at]:
            self._is_returning[at] = 1
            heappush(self._returning, (self._rest_until[at], at))

    def _rank(self) -> None:
        """Draw anew who goes first, among those that do not rest."""
        self._rankings += 1
        self._at = 0
        gauss = Random(crc32(b"%d" % self._rankings, self._seed)).gauss
        plays = self._plays = [each * _KEPT_SHARE for each in self._plays]
        pay = self._pay = [each * _KEPT_SHARE for each in self._pay]
        drawn = []
        for at, is_made in enumerate(self._is_made):
            if is_made and self._rest_until[at] <= self._exchanges:
                all_told = plays[at] + self._elsewhere(at) + _PRIOR_PAID + _PRIOR_UNPAID
                mean = min(1.0, (pay[at] + _PRIOR_PAID) / all_told)
                drawn.append((mean + sqrt(mean * (1.0 - mean) / (all_told + 1.0)) * gauss(), at))
        drawn.sort(reverse=True)
        self._ranking = [at for _, at in drawn]


def _nowhere(at: int) -> int:  # noqa: ARG001 - it is the same of all
    return 0
