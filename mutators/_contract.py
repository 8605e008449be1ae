"""The contracts of a mutator, over one request, a session or a conversation, and what makes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from inspect import getdoc, signature
from random import Random

from shadow.model import Edit, Exchange, Expect, Known, Level, Request, Script, TalkEdit

HTTP2, GRPC = "http2", "grpc"
"""What `Mutator.over` may say."""

_HASH_BITS = 512
_FRACTION_BITS = 53
"""Of a float."""

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
    over: str = ""
    """What must carry the exchange: ``"http2"``, or ``"grpc"`` for a call; empty where that does not
    matter."""

    def fits(self, *, is_http2: bool, is_call: bool) -> bool:
        """Whether it is for an exchange that goes over HTTP/2, or is a gRPC call there."""
        return not self.over or (is_http2 and (is_call or self.over != GRPC))

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
    *, level: Level, expect: Expect, is_stated: bool = True, over: str = ""
) -> Callable[[Callable[..., Edit | None]], Mutator]:
    """Make a `Mutator` of ``edit(request, rng[, known])``; its name is the function's."""

    def wrap(edit: Callable[..., Edit | None]) -> Mutator:
        reason = getdoc(edit) or ""
        return Mutator(edit.__name__, level, expect, reason, edit, _wants_known(edit), is_stated, over)

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
    return _Dice(seed, exchange, name, attempt)


class _Dice(Random):
    """Dice that cost nothing until they are thrown: most mutators find nothing to edit.

    The first throws come from one hash; to seed the generator costs as much as twenty of them.
    """

    gauss_next: float | None = None

    def __init__(self, *key: int | str) -> None:
        self._key = key
        self._is_seeded = False
        self._left = 0
        """Bits of the hash that were not thrown yet."""
        self._bits = -1
        """Those, as a number; -1 before the first throw."""

    def getrandbits(self, k: int, /) -> int:
        if k <= self._left:
            bits = self._bits
            self._left -= k
            self._bits = bits >> k
            return bits & ((1 << k) - 1)
        if self._is_seeded:
            return super().getrandbits(k)
        hashed = int.from_bytes(blake2b(repr(self._key).encode()).digest())
        if self._bits < 0 and k <= _HASH_BITS:
            self._left, self._bits = _HASH_BITS, hashed
            return self.getrandbits(k)
        self.seed(hashed)
        self._is_seeded, self._left = True, -1
        self.random = super().random  # type: ignore[method-assign]  # all further throws are the generator's
        self.getrandbits = super().getrandbits  # type: ignore[method-assign]
        return self.getrandbits(k)

    def random(self) -> float:
        return self.getrandbits(_FRACTION_BITS) / (1 << _FRACTION_BITS)


def _wants_known(function: Callable[..., object]) -> bool:
    return len(signature(function).parameters) == 3
