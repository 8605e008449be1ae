"""A request or a conversation that is ready to be sent to one target, and what makes mutants of it."""

from collections.abc import Callable
from functools import cached_property

import msgspec

from shadow.model import Edit, Exchange, Message, Question, Request, Sign, TalkEdit, Wire
from shadow.pipeline.logins import Claim
from shadow.pipeline.order import may_write
from shadow.pipeline.retelling import Retell
from shadow.replay._contract import Manner

type Mutate = Callable[[Request], Edit | None]
"""A mutator with its dice and knowledge already in hand."""


type MutateFor = Callable[[str], Mutate]
"""Gives the mutator for the target of that name: the same dice, with what is known of that target."""


type MutateTalk = Callable[[Exchange], TalkEdit | None]
"""A mutator of conversations with its dice and knowledge already in hand."""


class Ready(msgspec.Struct, frozen=True, dict=True):
    """A request prepared for one target."""

    request: Request
    wire: Wire | None = None
    what: str = ""
    """What was edited; empty for a request as recorded."""
    is_stated: bool = True
    """As its `Edit` has it."""
    protocol: str = "http"
    messages: tuple[Message, ...] = ()
    """A conversation as recorded."""
    manner: Manner | None = None
    """How a mutant of a conversation is said, or its control; None for one as recorded."""
    retell: Retell | None = None
    """Makes a mutant of a conversation anew, of the recorded messages in the target's own words."""
    claim: Claim | None = None
    """Whose it is, where that is an identity with credentials of its own here, and it is not edited."""
    sign: Sign | None = None
    asks: Question | None = None
    """What the edit brought along, as `Edit` has it."""
    parts: tuple[str, ...] = ()
    """Of several edits, what each of them edited."""

    @property
    def edits(self) -> tuple[str, ...]:
        """What was edited, each edit by itself."""
        return self.parts or (self.what,)

    @property
    def pause_seconds(self) -> float:
        """How long sending it takes by itself."""
        return self.wire.pause_seconds * (len(self.wire.segments) - 1) if self.wire else 0.0

    @cached_property
    def may_write(self) -> bool:
        """Whether it may change state, by what it says or by what is sent in its place."""
        return may_write(self.request, self.wire)

    def is_same_act(self, other: "Ready") -> bool:
        """Whether both ask for the same thing, whoever asks and however it is framed."""
        mine, its = self.request, other.request
        return (mine.method, mine.target, mine.body) == (its.method, its.target, its.body)
