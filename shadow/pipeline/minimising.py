"""A confirmed mutant brought to the fewest edits, and to the smallest request, that show the same cause.

A smaller form counts only where what must hold of the control still holds, and where the cause is the same.
"""

from collections.abc import Callable, Sequence

import msgspec

from mutators import Mutator, Stack, stack_of
from shadow.judge import Likeness, Shrinking, fewest, likeness, new_body, new_text, next_proposal, shrink
from shadow.model import Expect, Minimised, Trial
from shadow.pipeline.begun import Begun, ids_of
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Readies
from shadow.pipeline.ready import Ready
from shadow.pipeline.resending import Again
from shadow.pipeline.reshowing import MinimiseSettings, Purse, Reshowing, Shown, Suspect
from shadow.pipeline.stacking import mutation

_UNFIT = frozenset({"left-trace", "slow", "unhealthy"})
"""Faults that no single answer shows, or that a smaller request shows less of."""
_MAX_CAUSES = 5000
_FREE = frozenset({Expect.SURVIVE, Expect.AGREE})
"""Expectations that hold of any request, so that the edit itself may be made smaller too."""


class Smaller(msgspec.Struct, frozen=True):
    """What a suspect was brought to."""

    mutant: Mutant
    trial: Trial
    ready: Ready
    times: str
    """How often it showed, of the times it was tried."""


class _Known(msgspec.Struct, frozen=True):
    """What told of a cause before."""

    parts: frozenset[str]
    trial: Trial
    times: str


class Minimising:
    """One for a run: each cause is made smaller once."""

    def __init__(
        self,
        reshowing: Reshowing,
        settings: MinimiseSettings,
        begun: Begun,
        *,
        may_write: bool,
        is_held_up: Callable[[], bool],
    ) -> None:
        """`is_held_up` tells that nothing more may be begun: the run ends, or the environment suffers."""
        self._reshowing = reshowing
        self._settings = settings
        self._may_write = may_write
        self._is_held_up = is_held_up
        self._begun = begun
        self._known: dict[Likeness, list[_Known]] = {}

    def note(self, mutant: Mutant, trial: Trial, times: str) -> None:
        """Take in that a mutant's cause was told."""
        seen = self._known.setdefault(likeness(trial), []) if len(self._known) < _MAX_CAUSES else []
        parts = frozenset(each.name for each in mutant.parts)
        if all(each.parts != parts for each in seen):
            seen.append(_Known(parts, trial, times))

    def known(self, mutant: Mutant, trial: Trial) -> tuple[Trial, str] | None:
        """A stack's failed trial as one of a cause that was told before, and how often that had shown; None
        where it is news."""
        if not isinstance(mutant.mutator, Stack):
            return None
        parts = {each.name for each in mutant.mutator.parts}
        for each in self._known.get(likeness(trial), ()):
            as_told = msgspec.structs.replace(
                trial, mutator=each.trial.mutator, expect=each.trial.expect, level=each.trial.level
            )
            if each.parts <= parts or ids_of(as_told) == ids_of(trial):
                return as_told, each.times
        return None

    def wants(self, suspect: Suspect) -> bool:
        """Whether its request is to be made smaller: nobody has begun to, and that is allowed."""
        return not self._begun.has(suspect.trial) and self._is_fit(suspect)

    async def fewest_edits(self, suspect: Suspect) -> Smaller | None:
        """The suspect with the fewest of its edits; None where all of them are needed, or that could not be
        found out."""
        mutator, case = suspect.mutant.mutator, suspect.case
        if not isinstance(mutator, Stack) or not self._is_fit(suspect):
            return None
        purse = Purse(self._settings, self._is_held_up)
        search = fewest(mutator.parts, at_least=1)
        proposal = next(search, None)
        found: tuple[Suspect, Shown] | None = None
        while proposal is not None and self._reshowing.begins(case, purse):
            tried = await self._tried(suspect, self._of_parts(suspect, proposal), purse.tries)
            if tried is not None:
                found = tried
            proposal = next_proposal(search, fails=tried is not None)
        if found is None or not await self._reshowing.lasts(
            suspect, self._reshowing.again(found[0], purse.tries), purse
        ):
            return None
        smaller, shown = found
        minimised = _minimised(suspect.trial, shown.trial, purse.tries, is_told_again=False)
        trial = msgspec.structs.replace(shown.trial, minimised=minimised)
        return Smaller(smaller.mutant, trial, shown.ready, self._reshowing.all_times)

    async def smallest_request(self, suspect: Suspect) -> Smaller | None:
        """A smaller request that shows the suspect's cause; None where there is none, or that was found
        out before."""
        if not self.wants(suspect):
            return None
        self._begun.add(suspect.trial)
        purse = Purse(self._settings, self._is_held_up)
        first = await self._first(suspect, purse)
        if first is None:
            return None
        whole, search = first
        proposal = next(search, None)
        found: tuple[Again, Shown] | None = None
        while proposal is not None and self._reshowing.begins(suspect.case, purse):
            again = self._reshowing.again(suspect, purse.tries, proposal)
            shown = await self._reshowing.shown(suspect, suspect.mutant, again, whole.control)
            if shown is not None:
                found = again, shown
            proposal = next_proposal(search, fails=shown is not None)
        if found is None or not await self._reshowing.lasts(suspect, found[0], purse, whole.control):
            return None
        trial = found[1].trial
        minimised = _minimised(suspect.trial, trial, purse.tries, is_told_again=True)
        told = msgspec.structs.replace(trial, minimised=minimised)
        return Smaller(suspect.mutant, told, found[1].ready, self._reshowing.all_times)

    async def _first(self, suspect: Suspect, purse: Purse) -> tuple[Shown, Shrinking] | None:
        """The whole once more, and what might be left out of it."""
        again = self._reshowing.again(suspect, 0)
        made = self._reshowing.made(again)
        if made is None or not self._reshowing.begins(suspect.case, purse):
            return None
        whole = await self._reshowing.shown(suspect, suspect.mutant, again, None)
        if whole is None:
            return None
        readies, plain = made
        is_free = suspect.trial.judgement.expect in _FREE and not again.is_made_anew
        search = shrink(
            plain.candidate.request,
            readies.candidate.request,
            needed=_needed(suspect.case),
            is_free=is_free and _is_one_text(readies, plain),
        )
        return whole, search

    def _is_fit(self, suspect: Suspect) -> bool:
        if not self._settings.sends or suspect.trial.judgement.fault in _UNFIT:
            return False
        ready = suspect.mutant.readies.candidate
        if ready.asks is not None and ready.asks.fault == suspect.trial.judgement.fault:
            return False  # its twins showed it, which are as long as it is
        is_write = suspect.case.is_write or ready.may_write
        return not is_write or self._may_write

    def _of_parts(self, suspect: Suspect, parts: Sequence[Mutator]) -> Suspect | None:
        """The suspect with these edits alone; None where there is no such mutant."""
        mutator = parts[0] if len(parts) == 1 else stack_of(parts)
        if mutator is None:
            return None
        mutate = mutation(mutator, suspect.case, suspect.mutant.seed)
        mutant = msgspec.structs.replace(suspect.mutant, mutator=mutator, mutate=mutate)
        smaller = msgspec.structs.replace(suspect, mutant=mutant)
        made = self._reshowing.made(self._reshowing.again(smaller, 0))
        if made is None:
            return None
        mutant = msgspec.structs.replace(mutant, readies=made[0], plain=made[1].candidate)
        return msgspec.structs.replace(smaller, mutant=mutant)

    async def _tried(
        self, first: Suspect, smaller: Suspect | None, attempt: int
    ) -> tuple[Suspect, Shown] | None:
        """`smaller` with what it showed, where that is what the first did."""
        if smaller is None:
            return None
        shown = await self._reshowing.shown(
            first, smaller.mutant, self._reshowing.again(smaller, attempt), None
        )
        return None if shown is None else (smaller, shown)


def _is_one_text(made: Readies, plain: Readies) -> bool:
    """Whether the edit brought the same text into the requests for all targets, so that the same can be
    cut."""
    if made.baseline is None or plain.baseline is None:
        return True
    return _texts(plain.candidate, made.candidate) == _texts(plain.baseline, made.baseline)


def _texts(plain: Ready, made: Ready) -> tuple[bytes, bytes]:
    """What is new in the target, and in the body."""
    before, after = plain.request, made.request
    of_target, of_body = new_text(before.target, after.target), new_body(before, after)
    return after.target[slice(*of_target)], after.body[slice(*of_body)]


def _needed(case: Case) -> list[bytes]:
    """Names of fields and parameters that carry credentials."""
    known = case.known["candidate"]
    names = [name for who in known.identities for name, _ in (*who.headers, *who.query)]
    places = known.signer.places(case.exchange.request).values() if known.signer is not None else ()
    return [*names, *(place.removeprefix("query:").encode("latin-1") for place in places)]


def _minimised(before: Trial, after: Trial, tries: int, *, is_told_again: bool) -> Minimised:
    return Minimised(_size(before), _size(after), tries, is_told_again)


def _size(trial: Trial) -> dict[str, int]:
    return {"edits": len(trial.edits), "bytes": len(trial.sent)}
