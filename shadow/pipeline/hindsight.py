"""What made a target unwell after it had been answered: the latest requests, sent again, fewer each time."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from shadow.judge import fewest, next_proposal
from shadow.pipeline.case import Case, Mutant

_KEPT = 256
_LOOKED_AT = 64
_BEFORE_SECONDS = 3.0
"""So long before a target was seen to be unwell the harm may have been done."""
_TRIES_MAX = 12


class Done(msgspec.Struct, frozen=True):
    """An original or a mutant that was sent and answered, so that it can be sent again."""

    case: Case
    mutant: Mutant | None
    via: str
    at: float = 0.0

    @property
    def label(self) -> str:
        """What it was, for a person."""
        request = self.case.exchange.request
        line = f"{request.method.decode('latin-1')} {request.target.decode('latin-1')}"[:100]
        return f"{line} ({self.mutant.readies.candidate.what})" if self.mutant is not None else line


type MakesIll = Callable[[Sequence[Done]], Awaitable[bool]]
"""Sends these in their order, alone; whether the candidate is unwell afterwards."""


class Hindsight:
    """Remembers what was sent lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._done: deque[Done] = deque(maxlen=_KEPT)

    def note(self, done: Done) -> None:
        """Take in what was answered just now."""
        self._done.append(msgspec.structs.replace(done, at=self._clock()))

    def between(self, start: float, end: float) -> list[Done]:
        """What was answered shortly before `start` and until `end`, in order; the latest of much."""
        found = [each for each in self._done if start - _BEFORE_SECONDS <= each.at <= end]
        return found[-_LOOKED_AT:]


async def culprits(suspects: Sequence[Done], makes_ill: MakesIll, *, times: int) -> tuple[Done, ...]:
    """The fewest of `suspects` that make the candidate unwell, so often in a row; none where none do.

    What a try leaves behind may be what makes the next one seem to: then the larger set before it counts.
    """
    if not suspects or not await makes_ill(suspects):
        return ()
    found = [tuple(suspects)]
    search = fewest(found[0], at_least=1)
    proposal = next(search, None)
    for _ in range(_TRIES_MAX):
        if proposal is None:
            break
        is_ill = await makes_ill(proposal)
        if is_ill:
            found.append(proposal)
        proposal = next_proposal(search, fails=is_ill)
    for each in reversed(found):
        if await _makes_ill_each_time(each, makes_ill, times):
            return each
    return ()


async def _makes_ill_each_time(done: Sequence[Done], makes_ill: MakesIll, times: int) -> bool:
    for _ in range(times):
        if not await makes_ill(done):
            return False
    return True
