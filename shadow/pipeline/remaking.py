"""A finding's mutant made again: by its mutator with the same dice, or else by what its bytes tell."""

from collections.abc import Callable, Iterator, Sequence
from random import Random

import msgspec

from mutators import Mutator, SessionMutator, Stack, TalkMutator, dice
from shadow.judge.recipe import MASK, Recipe, carried_over, request_in, wire_now
from shadow.model import Edit, Exchange, Expect, Finding, Known, Level, Request, Script, TalkEdit
from shadow.pipeline.energy import Why
from shadow.pipeline.fewer_steps import without
from shadow.pipeline.scheduler import Dealt, Named, Scheduler

type Tell = Callable[[str], None]
"""Hears why the mutant could not be made again."""

_OTHERWISE = "its mutator makes another edit of what the folder holds"
_ANOTHERS = "leak:another"
_RESTS_ON = {
    "growth": "it shows in the metrics after many requests",
    "slow": "it shows in many answers side by side",
    "unhealthy": "it shows after many mutants",
}
_MASKED = "its edit is of a value that is redacted in the folder"


class Once[M: Named](Scheduler[M]):
    """Deals one mutator, to one exchange, or to the session that begins with it."""

    def __init__(self, mutator: M | None, exchange: int) -> None:
        super().__init__(() if mutator is None else (mutator,), seed=0)
        self._exchange = exchange

    def turns[E](
        self,
        endpoint: str,
        exchange: int,
        count: int,
        attempt: Callable[[M], E | None],
        edit: Callable[[E], int] | None = None,
    ) -> Iterator[Dealt[M, E]]:
        del endpoint, edit
        if exchange != self._exchange or not count:
            return
        for mutator in self._mutators:
            made = attempt(mutator)
            if made is not None:
                yield Dealt(mutator, made, Why.FIRST)


def remade(mutator: Mutator | Stack, finding: Finding, recipe: Recipe, tell: Tell) -> Mutator:
    """What makes the finding's mutant of the request of today, smaller where it was made smaller."""
    less = recipe.smaller()
    plain, sent = request_in(recipe.plain), request_in(recipe.sent)

    def dice_of(name: str) -> Random:
        return dice(recipe.seed, recipe.exchange, name)

    def edit(request: Request, rng: Random, known: Known) -> Edit | None:
        del rng  # drawn again each time, for whoever asks twice
        if isinstance(mutator, Stack):
            made = mutator(request, dice_of, known)
        else:
            made = mutator(request, dice_of(mutator.name), known)
        if made is not None and _is_told(made.parts or (made.what,), finding.edits):
            smaller = None if made.wire is not None else less.of_edited(made.request, request)
            return made if smaller is None else msgspec.structs.replace(made, request=smaller)
        return carried(request, made)

    def carried(now: Request, other: Edit | None) -> Edit | None:
        if plain is None or (sent is None and recipe.wire is None):
            tell(_OTHERWISE)
            return None
        wire = wire_now(recipe, plain, now)
        request = now if sent is None else carried_over(plain, sent, now)
        text = b"".join(wire.segments) if wire is not None else _text(request)
        if MASK in text:
            tell(_MASKED)
            return None
        is_signed = mutator.level is not Level.AUTH if other is None else other.signs_again
        whats = tuple(finding.edits)
        return Edit(request, "; ".join(whats), wire=wire, signs_again=is_signed and wire is None, parts=whats)

    return Mutator(
        mutator.name,
        mutator.level,
        mutator.expect,
        mutator.reason,
        edit,
        True,
        mutator.is_stated,
        mutator.over,
    )


def remade_session(mutator: SessionMutator, finding: Finding, recipe: Recipe, tell: Tell) -> SessionMutator:
    """What makes the finding's script of the session, with no more steps than it was told with."""

    def plan(session: Sequence[Exchange], rng: Random, known: Known) -> Script | None:
        script = mutator(session, rng, known)
        if script is None or not _is_told((script.what,), finding.edits[:1]):
            tell(_OTHERWISE)
            return None
        if not recipe.kept:
            return script
        return without(script, set(range(len(script.steps))).difference(recipe.kept))

    return SessionMutator(
        mutator.name, mutator.level, mutator.expect, mutator.reason, plan, True, mutator.is_stated
    )


def remade_talk(mutator: TalkMutator, finding: Finding, tell: Tell) -> TalkMutator:
    """What makes the finding's mutant of the conversation."""

    def edit(talk: Exchange, rng: Random, known: Known) -> TalkEdit | None:
        made = mutator(talk, rng, known)
        if made is None or not _is_told((made.what,), finding.edits):
            tell(_OTHERWISE)
            return None
        return made

    return TalkMutator(
        mutator.name, mutator.of, mutator.level, mutator.expect, mutator.reason, edit, True, mutator.is_stated
    )


def may_be_told_alone(finding: Finding) -> bool:
    """Whether the expectation can be judged by the candidate's answers alone."""
    return finding.expect != Expect.AGREE


def rests_on(finding: Finding) -> str:
    """What besides its own exchange shows `finding`, without which silence proves nothing; else empty."""
    if any(where.startswith(_ANOTHERS) for where in finding.where):
        return "which data are another's shows in that one's answers"
    if finding.fault == "slow" and finding.mutator is not None:
        return ""
    return _RESTS_ON.get(finding.fault, "")


def _is_told(made: tuple[str, ...], told: tuple[str, ...]) -> bool:
    """Whether these are the edits of the finding; what is masked in it may be any text."""
    mask = MASK.decode()
    return len(made) == len(told) and all(
        one == other or (mask in other and one.startswith(other.partition(mask)[0]))
        for one, other in zip(made, told, strict=True)
    )


def _text(request: Request) -> bytes:
    return b"\n".join((request.target, request.body, *(value for _, value in request.headers)))
