"""One target as the pipeline uses it: prepares requests, mutates and sends them, learns from answers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from itertools import count

import msgspec

from shadow.model import (
    Edit,
    Event,
    Exchange,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Request,
    Sent,
    Silence,
    TargetSeen,
    Wire,
    field,
)
from shadow.pipeline.logins import Claim, Logins
from shadow.pipeline.preparation import Preparation
from shadow.replay import Breaker, Correlation, Sending, Target, Transport

CALM = "calm"
"""Name of the transport that no network condition meets, where there are conditions."""
_MAX_WAIT_SECONDS = 0.25
"""So soon is noticed that the run is stopping."""

type Mutate = Callable[[Request], Edit | None]
"""A mutator with its dice and knowledge already in hand."""


type MutateFor = Callable[[str], Mutate]
"""Gives the mutator for the target of that name: the same dice, with what is known of that target."""


class Ready(msgspec.Struct, frozen=True):
    """A request prepared for one target."""

    request: Request
    wire: Wire | None = None
    what: str = ""
    """What was edited; empty for a request as recorded."""
    claim: Claim | None = None
    """Whose it is, where that is an identity with credentials of its own here, and it is not edited."""

    @property
    def pause_seconds(self) -> float:
        """How long sending it takes by itself."""
        return self.wire.pause_seconds * (len(self.wire.segments) - 1) if self.wire else 0.0

    def is_same_act(self, other: "Ready") -> bool:
        """Whether both ask for the same thing, whoever asks and however it is framed."""
        mine, its = self.request, other.request
        return (mine.method, mine.target, mine.body) == (its.method, its.target, its.body)


class Link:
    """The way to one target. The first of `transports` that can say all of a case carries it."""

    def __init__(
        self,
        target: Target,
        transports: Mapping[str, Transport],
        preparation: Preparation,
        correlation: Correlation,
        breaker: Breaker,
        *,
        timeout_seconds: float,
        stopping: asyncio.Event,
        hear: Callable[[Event], None],
        resumed: Callable[[], Awaitable[None]] | None = None,
        logins: Logins | None = None,
    ) -> None:
        """`resumed` is awaited before each sending: it returns once the run is not paused. `logins` holds the
        credentials of identities that have some of their own here."""
        self.target = target
        self.correlation = correlation
        self._preparation = preparation
        self._transports = transports
        self._breaker = breaker
        self._timeout_seconds = timeout_seconds
        self._stopping = stopping
        self._hear = hear
        self._resumed = resumed
        self.logins = logins
        self._trials = count(1)
        self._is_up: bool | None = None

    def prepare(
        self,
        exchange: Exchange,
        session: str,
        *,
        salt: str = "",
        use: int = 0,
        request: Request | None = None,
    ) -> Ready:
        """The exchange's request (or `request`, made of it) ready for this target; see `Preparation.of`."""
        trial = next(self._trials)
        made = self._preparation.of(exchange, session, trial=trial, salt=salt, use=use, request=request)
        claim = self.logins.claim(exchange, request or exchange.request) if self.logins else None
        return Ready(made, claim=claim)

    async def log_in(self) -> list[str]:
        """Log in as every identity that has a login; why, for each that cannot."""
        return await self.logins.log_in(self._ask) if self.logins is not None else []

    def lacks(self, ready: Ready) -> str:
        """The identity that `ready` should be of, and cannot: nobody could log in. Else empty."""
        is_lacking = self.logins is not None and self.logins.lacks(ready.claim)
        return ready.claim.owner if is_lacking and ready.claim is not None else ""

    def mutate(self, ready: Ready, mutate: MutateFor, session: str, salt: str) -> Ready | None:
        """The mutant of a prepared request, signed again where it should be; None if there is none."""
        edit = mutate(self.target.name)(ready.request)
        if edit is None:
            return None
        if edit.wire is not None or not edit.signs_again:
            return Ready(edit.request, edit.wire, edit.what)
        made = self._preparation.edited(edit.request, session, salt=salt, before=ready.request)
        return Ready(made, None, edit.what)

    @property
    def carriers(self) -> Iterable[str]:
        """Names of the transports, the preferred first."""
        return [name for name in self._transports if name != CALM]

    def can_send(self, ready: Ready, via: str) -> bool:
        """Whether the transport called `via` can say `ready` exactly."""
        transport = self._transports.get(via)
        return transport is not None and transport.can_send(Sending(ready.request, ready.wire))

    async def send(self, ready: Ready, *, via: str, parcel: Parcel, session: str) -> Outcome:
        """What came back. Waits while the target is known to be down, unless the run is stopping."""
        while seconds := self._breaker.wait_seconds():
            if self._stopping.is_set() and not self._breaker.is_up:
                return NoReply(Silence.REFUSED, "the target is down")
            await asyncio.sleep(min(seconds, _MAX_WAIT_SECONDS))
        if self._resumed is not None:
            await self._resumed()
        if self.logins is None or ready.wire is not None:
            return await self._sent(ready.request, ready.wire, via, parcel, session)
        fresh = await self.logins.fresh(ready.request, ready.claim, self._ask)
        request = self._preparation.renewed(ready.request, fresh)
        outcome = await self._sent(request, None, via, parcel, session)
        is_plain = parcel is not Parcel.MUTANT
        other = await self.logins.renewed(request, outcome, ready.claim, self._ask, may_log_in=is_plain)
        if other is None:
            return outcome
        request = self._preparation.renewed(request, other)
        outcome = await self._sent(request, None, via, Parcel.PROBE, session)
        self.logins.judge_renewal(request, outcome)
        return outcome

    async def _ask(self, request: Request) -> Outcome:
        """What the target answers to one request of our own, over the calmest way there is."""
        target = self.target.path_prefix.encode() + request.target
        headers = request.headers
        if field(headers, b"host") is None:
            headers = ((b"Host", self.target.authority.encode()), *headers)
        aimed = msgspec.structs.replace(request, target=target, headers=headers)
        marked = self._preparation.marked(aimed, next(self._trials))
        able = [name for name in (CALM, *self._transports) if self.can_send(Ready(marked), name)]
        if not able:
            return NoReply(Silence.UNSENT, "no transport can say this request")
        return await self._sent(marked, None, able[0], Parcel.PROBE, "logins")

    async def _sent(
        self, request: Request, wire: Wire | None, via: str, parcel: Parcel, session: str
    ) -> Outcome:
        sending = Sending(request, wire, self._timeout_seconds, session)
        outcome = await self._transports[via].send(sending)
        self._breaker.note(outcome)
        if not self._breaker.is_up:
            self.tell(is_up=False, why=_why(outcome))
        elif isinstance(outcome, Reply):
            self.tell(is_up=True)
        self._hear(Sent(self.target.name, parcel, outcome))
        return outcome

    def learn(self, exchange: Exchange, outcome: Outcome, session: str, *, is_shared: bool = True) -> None:
        """Remember which value here stands for which live one; only for `session` where not `is_shared`."""
        if exchange.response is not None and isinstance(outcome, Reply):
            self.correlation.learn(
                exchange.response, outcome.response, session, request=exchange.request, is_shared=is_shared
            )

    @property
    def is_up(self) -> bool:
        """Whether the target counts as usable."""
        return self._breaker.is_up

    def tell(self, *, is_up: bool, why: str = "") -> None:
        """Tell the sinks whether the target is usable, where that is news."""
        if is_up != self._is_up:
            self._is_up = is_up
            self._hear(TargetSeen(self.target.name, is_up, why))

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()


def _why(outcome: Outcome) -> str:
    if isinstance(outcome, Reply):
        return ""
    return (
        f"{outcome.why.replace('_', ' ')}, {outcome.detail}"
        if outcome.detail
        else outcome.why.replace("_", " ")
    )
