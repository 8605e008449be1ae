"""One target as the pipeline uses it: requests are prepared for it, mutated, sent, and its answers learned from."""

from collections.abc import Callable, Mapping
from itertools import count

import msgspec

from shadow.model import (
    Edit,
    Event,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Request,
    Response,
    Sent,
    Silence,
    TargetSeen,
    Wire,
)
from shadow.pipeline.preparation import Preparation
from shadow.replay import Breaker, Correlation, Sending, Target, Transport

type Mutate = Callable[[Request], Edit | None]
"""A mutator with its dice and knowledge already in hand."""


class Ready(msgspec.Struct, frozen=True):
    """A request prepared for one target."""

    request: Request
    wire: Wire | None = None
    what: str = ""
    """What was edited; empty for a request as recorded."""


class Link:
    """The way to one target. The first of `transports` that can say a request carries it."""

    def __init__(
        self,
        target: Target,
        transports: Mapping[str, Transport],
        preparation: Preparation,
        correlation: Correlation,
        breaker: Breaker,
        *,
        timeout_seconds: float,
        hear: Callable[[Event], None],
    ) -> None:
        self.target = target
        self.correlation = correlation
        self._preparation = preparation
        self._transports = transports
        self._breaker = breaker
        self._timeout_seconds = timeout_seconds
        self._hear = hear
        self._trials = count(1)
        self._is_up: bool | None = None

    def prepare(self, request: Request, *, seen_at: float, session: str, salt: str = "") -> Ready:
        """`request` as recorded, made ready for this target; another `salt` gives another nonce."""
        trial = next(self._trials)
        return Ready(
            self._preparation.of(request, seen_at=seen_at, session=session, trial=trial, salt=salt)
        )

    def mutate(self, ready: Ready, mutate: Mutate, salt: str) -> Ready | None:
        """The mutant of a prepared request, signed again where it should be; None when nothing can be edited."""
        edit = mutate(ready.request)
        if edit is None:
            return None
        if edit.wire is not None or not edit.signs_again:
            return Ready(edit.request, edit.wire, edit.what)
        return Ready(self._preparation.signed(edit.request, salt=salt), None, edit.what)

    def carriers(self, ready: Ready) -> frozenset[str]:
        """Names of the transports that can say `ready` exactly."""
        sending = Sending(ready.request, ready.wire)
        return frozenset(name for name, each in self._transports.items() if each.can_send(sending))

    async def send(self, ready: Ready, *, via: str, parcel: Parcel, session: str) -> Outcome:
        """What came back. Waits while the target is known to be down."""
        await self._breaker.allow()
        sending = Sending(ready.request, ready.wire, self._timeout_seconds, session)
        outcome = await self._transports[via].send(sending)
        self._note(outcome)
        self._hear(Sent(self.target.name, parcel, outcome))
        return outcome

    def learn(self, live: Response | None, outcome: Outcome, session: str) -> None:
        """Remember which value of ours stands for which live one."""
        if live is not None and isinstance(outcome, Reply):
            self.correlation.learn(live, outcome.response, session)

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
