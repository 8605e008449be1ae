"""One exchange under work, and its mutants."""

import re
from collections.abc import Mapping
from functools import cached_property

import msgspec

from mutators import Mutator, Stack
from shadow.model import Exchange, Known, Script, Step
from shadow.pipeline.endpoint import path_of
from shadow.pipeline.environment import Pair
from shadow.pipeline.order import is_write, may_write
from shadow.pipeline.ready import MutateFor, Ready

_SLOW_SECONDS = 0.2
"""What takes longer to send than this is kept out of the session's way."""

_SHORTLY = 3
"""So many requests back."""


class Case(msgspec.Struct, frozen=True, dict=True):
    """One exchange under work."""

    exchange: Exchange
    session: str
    endpoint: str
    known: Mapping[str, Known]
    """By target."""
    past: tuple[Exchange, ...]
    """What the session had asked before."""

    @cached_property
    def is_write(self) -> bool:
        return may_write(self.exchange.request)

    @property
    def is_about_own(self) -> bool:
        """Whether everything that the path names by an identifier was made by this session before.

        A collection is everyone's; making something new in it is not about what is there.
        """
        names = self.endpoint.partition(" ")[2].split("/")
        words = path_of(self.exchange.request.target).encode("latin-1").split(b"/")
        named = [word for name, word in zip(names, words, strict=False) if name == "{id}"]
        if not named:
            return self.is_write
        made = [
            each.response.body
            for each in self.past
            if is_write(each.request.method) and each.response is not None and each.response.status < 300
        ]
        return all(any(_stands_in(word, body) for body in made) for word in named)

    @property
    def follows_write(self) -> bool:
        """Whether the session had written shortly before."""
        return any(is_write(each.request.method) for each in self.past[-_SHORTLY:])

    def retelling(self) -> tuple[Script, tuple[Exchange, ...]]:
        """The session up to this exchange as a script, and the exchanges that its steps stem from."""
        told = (*self.past, self.exchange)
        steps = tuple(Step(each.request, at) for at, each in enumerate(told))
        return Script(steps, judged=(len(steps) - 1,), what="as recorded"), told


class Mutant(msgspec.Struct, frozen=True):
    """One mutant of a case, ready for each target."""

    mutator: Mutator | Stack
    seed: int
    mutate: MutateFor
    readies: Pair[Ready]
    plain: Ready
    """The candidate's request before the edit."""

    @property
    def parts(self) -> tuple[Mutator, ...]:
        """The mutators whose edits are in it."""
        return self.mutator.parts if isinstance(self.mutator, Stack) else (self.mutator,)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the edit leads to another place than the original's: its answer is another thing then."""
        paths = {path_of(each.request.target) for each in (self.readies.candidate, self.plain)}
        return len(paths) > 1

    @property
    def is_slow(self) -> bool:
        return self.readies.candidate.pause_seconds > _SLOW_SECONDS


def _stands_in(word: bytes, body: bytes) -> bool:
    """Whether `word` stands in `body` as a whole."""
    return re.search(rb"(?<![0-9A-Za-z])" + re.escape(word) + rb"(?![0-9A-Za-z])", body) is not None
