"""The contracts of a mutator, over one request, a session or a conversation, and what makes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from inspect import getdoc, signature
from random import Random

from shadow.model import Edit, Exchange, Expect, Known, Level, Request, Script, TalkEdit

type Session = Sequence[Exchange]
"""A session's recorded exchanges, oldest first."""


@dataclass(frozen=True, slots=True)
class Mutator:
    """A mutator of one request. Call it with (request, rng, known); None means there is nothing to edit."""

    name: str
    level: Level
    expect: Expect
    reason: str
    """Why the expectation holds, with its source: the function's docstring."""
    edit: Callable[..., Edit | None]
    wants_known: bool
    is_stated: bool = True
    """Whether a standard or the settings say so. Where not, what the live release allows is no fault."""

    def __call__(self, request: Request, rng: Random, known: Known) -> Edit | None:
        return self.edit(request, rng, known) if self.wants_known else self.edit(request, rng)


@dataclass(frozen=True, slots=True)
class SessionMutator:
    """A mutator of a session. Call it with (session, rng, known); None means there is nothing to edit."""

    name: str
    level: Level
    expect: Expect
    reason: str
    plan: Callable[..., Script | None]
    wants_known: bool
    is_stated: bool = True
    """As for `Mutator`."""

    def __call__(self, session: Session, rng: Random, known: Known) -> Script | None:
        return self.plan(session, rng, known) if self.wants_known else self.plan(session, rng)


@dataclass(frozen=True, slots=True)
class TalkMutator:
    """A mutator of a conversation. Call it with (talk, rng, known); None means there is nothing to edit."""

    name: str
    of: tuple[str, ...]
    """Protocols of the conversations that it is asked about."""
    level: Level
    expect: Expect
    reason: str
    edit: Callable[..., TalkEdit | None]
    wants_known: bool
    is_stated: bool = True
    """As for `Mutator`."""

    def __call__(self, talk: Exchange, rng: Random, known: Known) -> TalkEdit | None:
        if talk.protocol not in self.of:
            return None
        return self.edit(talk, rng, known) if self.wants_known else self.edit(talk, rng)


def mutator(
    *, level: Level, expect: Expect, is_stated: bool = True
) -> Callable[[Callable[..., Edit | None]], Mutator]:
    """Make a `Mutator` of ``edit(request, rng[, known])``; its name is the function's."""

    def wrap(edit: Callable[..., Edit | None]) -> Mutator:
        reason = getdoc(edit) or ""
        return Mutator(edit.__name__, level, expect, reason, edit, _wants_known(edit), is_stated)

    return wrap


def session_mutator(
    *, level: Level, expect: Expect, is_stated: bool = True
) -> Callable[[Callable[..., Script | None]], SessionMutator]:
    """Make a `SessionMutator` of ``plan(session, rng)`` or ``plan(session, rng, known)``."""

    def wrap(plan: Callable[..., Script | None]) -> SessionMutator:
        reason = getdoc(plan) or ""
        return SessionMutator(plan.__name__, level, expect, reason, plan, _wants_known(plan), is_stated)

    return wrap


def talk_mutator(
    *of: str, level: Level, expect: Expect, is_stated: bool = True
) -> Callable[[Callable[..., TalkEdit | None]], TalkMutator]:
    """Make a `TalkMutator` of ``edit(talk, rng[, known])`` for conversations in the protocols `of`."""

    def wrap(edit: Callable[..., TalkEdit | None]) -> TalkMutator:
        reason = getdoc(edit) or ""
        return TalkMutator(edit.__name__, of, level, expect, reason, edit, _wants_known(edit), is_stated)

    return wrap


def dice(seed: int, exchange: int, name: str, attempt: int = 0) -> Random:
    """The dice of one mutant: the same arguments give the same mutant, whatever other mutators exist."""
    return Random(f"{seed}:{exchange}:{name}:{attempt}")


def _wants_known(function: Callable[..., object]) -> bool:
    return len(signature(function).parameters) == 3
