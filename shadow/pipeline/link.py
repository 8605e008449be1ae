"""One target as the pipeline uses it: prepares requests, mutates and sends them, learns from answers."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec

from shadow.judge.readings import Readings
from shadow.model import (
    CONVERSATIONS,
    Event,
    Exchange,
    Identity,
    Message,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Request,
    Sent,
    Silence,
    TalkEdit,
    with_field,
)
from shadow.pipeline.calm import Calm
from shadow.pipeline.gate import Gate
from shadow.pipeline.logins import Logins
from shadow.pipeline.preparation import Preparation
from shadow.pipeline.ready import MutateFor, MutateTalk, Ready
from shadow.pipeline.retelling import Retell, Retelling, asking_after, told
from shadow.pipeline.rewording import Rewording
from shadow.pipeline.standing import Standing
from shadow.pipeline.vigil import Passage, Vigil
from shadow.pipeline.ways import HTTP2, Refusal, never_refuses
from shadow.replay import Correlation, Sending, Synchronised, Target, Transport
from shadow.replay._contract import Manner

CALM = "calm"
"""Name of the transport that no network condition meets, where there are conditions."""
HTTP1 = "raw"
"""Name of the transport that every target of HTTP has."""
_DOWN = NoReply(Silence.REFUSED, "the target is down")
_MAY_WRITE = frozenset(("websocket", "tcp", "udp"))
"""Conversations that may change state."""
_OWN_LANE = "shadow"
_PULSE_LANE = "shadow-pulse"

_BARE = frozenset({"tcp", "udp", "dns"})
"""Conversations that are all there is; of a WebSocket the handshake is a request like any other."""


class Link:
    """The way to one target. The first of `transports` that can say all of a case carries it."""

    def __init__(
        self,
        target: Target,
        transports: Mapping[str, Transport],
        preparation: Preparation,
        correlation: Correlation,
        standing: Standing,
        *,
        timeout_seconds: float,
        hear: Callable[[Event], None],
        http2_refusal: Refusal = never_refuses,
        gate: Gate | None = None,
        logins: Logins | None = None,
        calm: Calm | None = None,
        readings: Readings | None = None,
    ) -> None:
        """`gate` is that of all targets' writes; None where nobody ever holds it, and `calm` that of all that
        is sent. `logins` holds the credentials of identities that have some of their own here. `readings`
        tells what answers amount to."""
        self._readings = readings or Readings()
        self.logins = logins
        self.calm = calm or Calm()
        self._is_met_in_http2 = False
        """Whether the target has answered over HTTP/2."""
        self.vigil: Vigil | None = None
        """What notices that the target is unwell; None where nothing does."""
        self._gate = gate or Gate()
        self.target = target
        self.correlation = correlation
        self._preparation = preparation
        self._transports = transports
        self.standing = standing
        self._timeout_seconds = timeout_seconds
        self._hear = hear
        self._http2_refusal = http2_refusal
        self._trials = count(1)

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
        if exchange.protocol in CONVERSATIONS:
            return self._prepared_talk(exchange, session, trial, salt)
        made = self._preparation.of(exchange, session, trial=trial, salt=salt, use=use, request=request)
        claim = self.logins.claim(exchange, request or exchange.request) if self.logins else None
        return Ready(made, claim=claim)

    async def log_in(self, *, is_anew: bool = False) -> list[str]:
        """Log in as every identity that has a login; why, for each that cannot."""
        return await self.logins.log_in(self._inquire, is_anew=is_anew) if self.logins is not None else []

    def lacks(self, ready: Ready) -> str:
        """The identity that `ready` should be of, and cannot: nobody could log in. Else empty."""
        is_lacking = self.logins is not None and self.logins.lacks(ready.claim)
        return ready.claim.owner if is_lacking and ready.claim is not None else ""

    def is_strange(self, exchange: Exchange) -> bool:
        """Whether the request bears a signature that nobody here can make."""
        return self._preparation.is_strange(exchange)

    def is_salted(self, exchange: Exchange) -> bool:
        """Whether each of the exchange's mutants is made of a request that differs from the others'."""
        return self._preparation.is_salted(exchange.request)

    def conditional(self, ready: Ready, tag: bytes) -> Ready:
        """A prepared request that asks for the change of what bears `tag`, signed again."""
        headers = with_field(ready.request.headers, b"If-Match", tag)
        changed = msgspec.structs.replace(ready.request, headers=headers)
        return msgspec.structs.replace(ready, request=self._preparation.signed(changed))

    def begin_pass(self, number: int) -> None:
        """Forget which value stands for which: the same traffic comes again, as from other clients."""
        self.correlation.forget_all()
        self._preparation.begin_pass(number)

    def _prepared_talk(self, exchange: Exchange, session: str, trial: int, salt: str) -> Ready:
        """A conversation; a WebSocket's handshake is prepared as any request."""
        request = exchange.request
        if exchange.protocol == "websocket":
            request = self._preparation.of(exchange, session, trial=trial, salt=salt)
        return Ready(request, protocol=exchange.protocol, messages=exchange.messages)

    def mutate(self, ready: Ready, mutate: MutateFor, session: str, salt: str) -> Ready | None:
        """The mutant of a prepared request, signed again where it should be; None if there is none."""
        edit = mutate(self.target.name)(ready.request)
        if edit is None:
            return None
        if edit.wire is not None or not edit.signs_again:
            return Ready(
                edit.request,
                edit.wire,
                edit.what,
                is_stated=edit.is_stated,
                sign=edit.sign,
                asks=edit.asks,
                parts=edit.parts,
            )
        made = self._preparation.edited(edit.request, session, salt=salt, before=ready.request)
        return Ready(
            made,
            None,
            edit.what,
            is_stated=edit.is_stated,
            sign=edit.sign,
            asks=edit.asks,
            parts=edit.parts,
        )

    def control_of(self, ready: Ready, recorded: tuple[Message, ...]) -> Ready:
        """What mutants of a prepared conversation are held against: `recorded`, said in the manner of one."""
        return msgspec.structs.replace(
            ready, messages=asking_after(recorded, ready.protocol), manner=Manner()
        )

    def mutate_talk(
        self, ready: Ready, exchange: Exchange, mutate: MutateTalk, session: str, salt: str
    ) -> Ready | None:
        """The mutant of a prepared conversation; None if there is none."""

        def retell(recorded: tuple[Message, ...]) -> TalkEdit | None:
            return mutate(msgspec.structs.replace(exchange, request=ready.request, messages=recorded))

        edit = retell(exchange.messages)
        if edit is None:
            return None
        request = ready.request
        if edit.request is not None and edit.request != request:
            request = self._preparation.edited(edit.request, session, salt=salt, before=request)
        return Ready(
            request,
            what=edit.what,
            protocol=ready.protocol,
            messages=told(edit, ready.protocol),
            manner=Manner(edit.pause_seconds, edit.ending),
            retell=Retell(ready.protocol, exchange.messages, retell),
        )

    @property
    def carriers(self) -> Iterable[str]:
        """Names of the transports of HTTP/1.1, the preferred first."""
        return [name for name in self._transports if name not in (CALM, HTTP2)]

    def can_send(self, ready: Ready, via: str) -> bool:
        """Whether the transport called `via` can say `ready` exactly."""
        transport = self._transports.get(via)
        return transport is not None and transport.can_send(Sending(ready.request, ready.wire))

    async def send(self, ready: Ready, *, via: str, parcel: Parcel, session: str) -> Outcome:
        """What came back. Waits while the target is known to be down, unless the run is stopping."""
        if not await self.standing.has_turn():
            return _DOWN
        if self.logins is None or ready.wire is not None:
            return await self._sent(ready, via, parcel, session)
        ready = await self._refreshed(ready)
        outcome = await self._sent(ready, via, parcel, session)
        is_plain = parcel is not Parcel.MUTANT
        other = await self.logins.renewed(
            ready.request, outcome, ready.claim, self._inquire, may_log_in=is_plain
        )
        if other is None:
            return outcome
        ready = self._renewed(ready, other)
        outcome = await self._sent(ready, via, Parcel.PROBE, session)
        self.logins.judge_renewal(ready.request, outcome)
        return outcome

    async def _refreshed(self, ready: Ready) -> Ready:
        """`ready` with credentials that have not run out."""
        if self.logins is None or ready.wire is not None:
            return ready
        fresh = await self.logins.fresh(ready.request, ready.claim, self._inquire)
        return self._renewed(ready, fresh)

    def _renewed(self, ready: Ready, request: Request) -> Ready:
        """`ready` with newer credentials, as `request` has them."""
        if request is ready.request:
            return ready
        return msgspec.structs.replace(ready, request=self._preparation.renewed(ready.request, request))

    async def _inquire(self, request: Request) -> Outcome:
        """The answer to a request that looks after credentials, told as a probe."""
        outcome = await self.ask(request, timeout_seconds=self._timeout_seconds)
        self._hear(Sent(self.target.name, Parcel.PROBE, outcome))
        return outcome

    async def _sent(self, ready: Ready, via: str, parcel: Parcel, session: str) -> Outcome:
        sending = self._sending(ready, session)
        async with self._gate.passes(is_write=self._may_write(ready)):
            outcome, doubtful = await self._watched(ready, self._carry(sending, via, parcel, ready.retell))
        self._is_met_in_http2 |= via == HTTP2 and isinstance(outcome, Reply)
        outcome = self._noted(self._readings.read(ready.request, outcome), parcel)
        if doubtful is None or self.vigil is None:
            return outcome
        return await self.vigil.told(doubtful, outcome)

    async def _watched(
        self, ready: Ready, sending: Coroutine[Any, Any, Outcome]
    ) -> tuple[Outcome, Passage | None]:
        """What came back, and what is to be looked into once nothing is held up by that: whether the target
        is well."""
        is_counted = await self._let_in(sending)
        vigil = self.vigil if ready.protocol == "http" else None
        passage = None if vigil is None else vigil.begin(ready)
        outcome: Outcome | None = None
        is_doubtful = False
        try:
            outcome = await sending
        finally:
            self.calm.end(is_counted=is_counted)
            if vigil is not None and passage is not None:
                is_doubtful = vigil.end(passage, outcome)
        return outcome, passage if is_doubtful else None

    async def _let_in(self, sending: Coroutine[Any, Any, object]) -> bool:
        """Whether it counts as under way, once it may be."""
        try:
            return await self.calm.begin()
        except asyncio.CancelledError:
            sending.close()
            raise

    async def http2_refusal(self) -> str:
        """Why the target does not take HTTP/2; empty where it does, or where that is not known by now."""
        await self.standing.unpaused()
        return await self._http2_refusal() if HTTP2 in self._transports else "there is no transport for it"

    def synchronises(self, via: str) -> bool:
        """Whether several requests can be completed at one moment there."""
        return isinstance(self._transports[via], Synchronised)

    async def send_together(
        self,
        readies: Sequence[Ready],
        *,
        via: str,
        parcel: Parcel,
        session: str,
        offsets: Sequence[float] = (),
    ) -> list[Outcome]:
        """What came back to requests that were completed at one moment, where the transport can do that; or
        each so many seconds after it, as `offsets` says."""
        for _ in readies:
            if not await self.standing.has_turn():
                return [_DOWN] * len(readies)
        transport = self._transports[via]
        assert isinstance(transport, Synchronised)
        sendings = [self._sending(await self._refreshed(ready), session) for ready in readies]
        if any(offsets):
            sendings = [
                msgspec.structs.replace(each, after_seconds=after)
                for each, after in zip(sendings, offsets, strict=True)
            ]
        async with self._gate.passes(is_write=any(map(self._may_write, readies))):
            outcomes, doubtful = await self._watched_together(readies, transport.send_together(sendings))
        outcomes = [
            self._noted(self._readings.read(ready.request, outcome), parcel)
            for ready, outcome in zip(readies, outcomes, strict=True)
        ]
        for at, passage in doubtful.items():
            assert self.vigil is not None
            outcomes[at] = await self.vigil.told(passage, outcomes[at])
        return outcomes

    async def _watched_together(
        self, readies: Sequence[Ready], sending: Coroutine[Any, Any, list[Outcome]]
    ) -> tuple[list[Outcome], dict[int, Passage]]:
        is_counted = await self._let_in(sending)
        vigil = self.vigil
        passages = [] if vigil is None else [vigil.begin(ready) for ready in readies]
        outcomes: list[Outcome] = []
        are_doubtful: list[bool] = []
        try:
            outcomes = await sending
        finally:
            self.calm.end(is_counted=is_counted)
            if vigil is not None:
                known: Sequence[Outcome | None] = outcomes or [None] * len(passages)
                are_doubtful = [vigil.end(*each) for each in zip(passages, known, strict=True)]
        return outcomes, {at: passages[at] for at, is_doubtful in enumerate(are_doubtful) if is_doubtful}

    def _sending(self, ready: Ready, session: str) -> Sending:
        return Sending(
            ready.request,
            ready.wire,
            self._timeout_seconds,
            session,
            ready.protocol,
            ready.messages,
            manner=ready.manner,
        )

    def _may_write(self, ready: Ready) -> bool:
        return ready.may_write or ready.protocol in _MAY_WRITE

    def _noted(self, outcome: Outcome, parcel: Parcel) -> Outcome:
        """`outcome`, told to the breaker and to the sinks."""
        self.standing.note(outcome)
        self._hear(Sent(self.target.name, parcel, outcome))
        return outcome

    def own(self, request: Request, identity: Identity | None = None) -> Ready:
        """A request of the configuration's own, ready to be sent."""
        return Ready(self._preparation.own(request, next(self._trials), identity))

    async def ask(self, request: Request, *, timeout_seconds: float) -> Outcome:
        """The answer to a request of the configuration's own: marked, and otherwise sent as it is."""
        calm = self._transports.get(CALM) or self._transports.get(HTTP1)
        if calm is None or HTTP1 not in self._transports:
            return NoReply(Silence.UNSENT, f"a target of {self.target.scheme}:// cannot be asked over HTTP")
        await self.standing.unpaused()
        made = self.own(request).request
        return self._readings.read(made, await calm.send(Sending(made, None, timeout_seconds, _OWN_LANE)))

    async def _carry(
        self, sending: Sending, via: str, parcel: Parcel, retell: Retell | None = None
    ) -> Outcome:
        if sending.protocol == "websocket":
            return await self._send_reworded(sending, retell, is_shared=parcel is Parcel.ORIGINAL)
        return await self._transports[via].send(sending)

    async def _send_reworded(self, sending: Sending, retell: Retell | None, *, is_shared: bool) -> Outcome:
        """A WebSocket, whose messages name what its server, or another answer, has named. What is learned of
        a mutant holds for mutants alone."""
        recorded = sending.messages if retell is None else retell.recorded
        lane = sending.lane if sending.manner is None else f"{sending.lane}, mutants"
        wording = Rewording(self.correlation, sending.request, recorded, lane, is_shared=is_shared)
        words = wording if retell is None else Retelling(wording, retell, sending.messages)
        outcome = await self._transports["websocket"].send(msgspec.structs.replace(sending, wording=words))
        if isinstance(outcome, Reply):
            wording.learn(outcome.messages)
        return outcome

    async def look(self, ready: Ready, session: str) -> Outcome:
        """What came back over a calm network. Does not wait, though the target count as down."""
        sending = Sending(ready.request, ready.wire, self._timeout_seconds, session)
        if ready.protocol in _BARE:
            sending = msgspec.structs.replace(sending, protocol=ready.protocol, messages=ready.messages)
        await self.standing.unpaused()
        outcome = self._readings.read(ready.request, await self._transports[CALM].send(sending))
        self._hear(Sent(self.target.name, Parcel.PROBE, outcome))
        return outcome

    async def feel(self, question: Exchange | Request, timeout_seconds: float) -> Outcome:
        """What came back to a question that tells how the target is. It waits for nobody, and over HTTP/1 its
        connection is not kept: a server may have no second one to give."""
        if isinstance(question, Exchange):
            request = self.prepare(question, question.session, salt=f"pulse:{next(self._trials)}").request
        else:
            request = self.own(question).request
        calm = self._transports.get(CALM) or self._transports[HTTP1]
        if self._is_met_in_http2:  # it may speak nothing else
            calm = self._transports[HTTP2]
        else:
            headers = with_field(request.headers, b"Connection", b"close")
            request = msgspec.structs.replace(request, headers=headers)
        await self.standing.unpaused()
        outcome = await calm.send(Sending(request, None, timeout_seconds, _PULSE_LANE))
        self._noted(outcome, Parcel.PROBE)
        return outcome

    async def let_go(self) -> None:
        """Close the connections that are kept; nothing may be under way on them."""
        await self._transports[HTTP1].close()

    def learn(self, exchange: Exchange, outcome: Outcome, session: str, *, is_shared: bool = True) -> None:
        """Remember which value here stands for which live one; only for `session` where not `is_shared`."""
        if exchange.response is not None and isinstance(outcome, Reply):
            self.correlation.learn(
                exchange.response,
                outcome.response,
                session,
                request=exchange.request,
                is_shared=is_shared,
                exchange=exchange.index,
            )

    @property
    def is_up(self) -> bool:
        """Whether the target counts as usable."""
        return self.standing.is_up

    async def close(self) -> None:
        for transport in self._transports.values():
            await transport.close()
