"""What identities hold at one target: credentials that logins gave, renewed in time and where refused."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from shadow.auth import owner_of
from shadow.auth.canonical import path_of
from shadow.auth.credentials import credential_values, query_pairs
from shadow.auth.identity import with_credentials
from shadow.auth.login import Grant, Login, granted, is_login
from shadow.content.entity import entity, with_raw_body
from shadow.judge.classes import asks_for_credentials, classify, told_by
from shadow.model import (
    AnswerClass,
    Event,
    Exchange,
    Identity,
    Match,
    Outcome,
    Reply,
    Request,
    SecretTaken,
    Signs,
    StateChanged,
)
from shadow.pipeline.held import RENEWAL_SECONDS, Held

_RETRY_SECONDS = 15.0
"""After a login that failed, the next is tried this much later."""
_MAX_STALE = 10_000
_GRANTING = frozenset({AnswerClass.SUCCESS, AnswerClass.REDIRECT})

type Ask = Callable[[Request], Awaitable[Outcome]]
"""Sends one request to the target, for looking after it."""


class Claim(msgspec.Struct, frozen=True):
    """That a recorded request is an identity's, and was not refused for its credentials."""

    owner: str
    values: frozenset[bytes]
    """The credentials that it was recorded with."""


class Logins:
    """The credentials of all identities at one target. Not for several threads."""

    def __init__(
        self,
        target: str,
        identities: Sequence[Identity],
        logins: Mapping[str, Login],
        signer: Signs | None,
        *,
        clock: Callable[[], float],
        hear: Callable[[Event], None],
    ) -> None:
        """`logins` are by the identities' names; `clock` tells Unix time."""
        self.on_noted: Callable[[str, tuple[bytes, ...]], None] | None = None
        """Hears of an identity's credentials that live was seen to give."""
        self._target = target
        self._given = tuple(identities)
        self._signer = signer
        self._clock = clock
        self._hear = hear
        self._held = {name: Held(login) for name, login in logins.items()}
        self._paths = {(each.request.method, path_of(each.request.target)) for each in logins.values()}
        self._stale: dict[bytes, None] = {}
        """Recorded credentials whose counterpart here was refused."""
        self._latest: tuple[Exchange | None, Request | None, Claim | None] = None, None, None
        self._all: tuple[Identity, ...] = ()
        self._rebuild()

    def identities(self) -> tuple[Identity, ...]:
        """All identities as they are here now; without those that have not logged in."""
        return tuple(who for who in self._all if who.name not in self._held or self._held[who.name].grant)

    def here(self, identity: Identity) -> Identity:
        """An identity of the settings with the credentials that it has here."""
        return self._identity(identity.name) or identity

    def note(self, exchange: Exchange) -> None:
        """Where a recorded exchange is an identity's login, remember the credential that live gave it."""
        for name in self._recorded_login(exchange):
            response = exchange.response
            body = entity(response) if response is not None else None
            if response is None or body is None:
                continue
            given = granted(self._held[name].login, response, body, self._clock())
            if isinstance(given, Grant) and self.take_over(name, given.values) and self.on_noted is not None:
                self.on_noted(name, given.values)

    def take_over(self, name: str, values: tuple[bytes, ...]) -> bool:
        """Know that live gave an identity these credentials; whether that is news."""
        news = [value for value in values if not self._held[name].knows(value)]
        self._tell_secrets(news)
        self._held[name].remember(values, is_ours=False)
        if news:
            self._rebuild()
        return bool(news)

    def own_login(self, exchange: Exchange) -> Request:
        """A recorded login with the body that logs in here; any other request as it is."""
        for name in self._recorded_login(exchange):
            own = self._held[name].login.request
            return with_raw_body(exchange.request, own.body) if own.body else exchange.request
        return exchange.request

    def claim(self, exchange: Exchange, request: Request) -> Claim | None:
        """Whose request it is, where its credentials may be another's here; None also where the live service
        refused it for them."""
        if self._latest[0] is exchange and self._latest[1] is request:  # its mutants ask again and again
            return self._latest[2]
        found = self._claim(exchange, request)
        self._latest = exchange, request, found
        return found

    def dressed(self, request: Request, claim: Claim | None) -> Request:
        """A translated request with its owner's credentials, unless the target gave this session its own."""
        who = self._identity(claim.owner) if claim is not None else None
        if claim is None or who is None or not self._has_credentials(who):
            return request
        is_recorded = claim.values <= set(self._shown(request))
        if not is_recorded and self._stale.keys().isdisjoint(claim.values):
            return request
        return with_credentials(request, who)

    def lacks(self, claim: Claim | None) -> bool:
        """Whether the owner has no credential here, since nobody could log in."""
        held = self._held.get(claim.owner) if claim is not None else None
        return held is not None and (held.grant is None or bool(held.trouble))

    async def log_in(self, ask: Ask, *, is_anew: bool = False) -> list[str]:
        """Log in as every identity; why, for each that cannot. `is_anew` also where it was done before."""
        for name, held in self._held.items():
            if held.grant is not None and not is_anew:
                continue
            held.retry_at = 0.0
            await self._log_in(name, held, ask)
        return [held.trouble for held in self._held.values() if held.trouble]

    async def fresh(self, request: Request, claim: Claim | None, ask: Ask) -> Request:
        """`request` with the newest credential of whose it bears; one about to end is renewed first."""
        name = self._holder(request) or (claim.owner if claim is not None and self.lacks(claim) else None)
        held = self._held.get(name or "")
        if name is None or held is None:
            return request
        if held.grant is None or held.trouble or held.is_due(self._clock()):
            await self._log_in(name, held, ask)
        if held.grant is None:
            return request
        if self._holder(request) is None:
            return self.dressed(request, claim)
        return self._with_newest(request, name, held.grant)

    async def renewed(
        self,
        request: Request,
        outcome: Outcome,
        claim: Claim | None,
        ask: Ask,
        *,
        may_log_in: bool = True,
    ) -> Request | None:
        """`request` with another credential after a refusal; None where there is no other one to try.

        Not every refusal is worth a login: of a mutant, it may be what is expected.
        """
        if not asks_for_credentials(outcome):
            self._note_accepted(request, outcome)
            return None
        name = self._holder(request) or (claim.owner if claim is not None else None)
        held = self._held.get(name or "")
        if name is None or held is None:
            return None
        used = held.grant if held.grant and self._bears(request, held.grant) else None
        if may_log_in and (used is not None or held.grant is None):
            await self._log_in(name, held, ask, is_refused=True)
        if held.grant is None or held.grant is used:
            return None
        if used is None and claim is not None and self._holder(request) is None:
            self._forget_counterparts(claim)
        return self._with_newest(request, name, held.grant)

    def judge_renewal(self, request: Request, outcome: Outcome) -> None:
        """Take in whether what `renewed` gave was refused too: then it is not the credential that is bad."""
        held = self._held.get(self._holder(request) or "")
        if held is None or not isinstance(outcome, Reply):
            return
        is_refused = asks_for_credentials(outcome)
        least, most = RENEWAL_SECONDS
        held.pause_seconds = min(most, held.pause_seconds * 2) if is_refused else least

    def _note_accepted(self, request: Request, outcome: Outcome) -> None:
        """A credential that is taken now was not refused for good before."""
        least = RENEWAL_SECONDS[0]
        if isinstance(outcome, Reply) and any(held.pause_seconds > least for held in self._held.values()):
            held = self._held.get(self._holder(request) or "")
            if held is not None and held.grant is not None and self._bears(request, held.grant):
                held.pause_seconds = least

    def _claim(self, exchange: Exchange, request: Request) -> Claim | None:
        if exchange.response is not None and asks_for_credentials(Reply(exchange.response)):
            return None
        owner = owner_of(request, self._all, self._signer)
        is_ours = owner is not None and (owner.logs_in or owner.match != Match())
        return Claim(owner.name, frozenset(self._shown(request))) if owner is not None and is_ours else None

    def _recorded_login(self, exchange: Exchange) -> Iterator[str]:
        """The identity whose successful login it is, if any."""
        request, response = exchange.request, exchange.response
        if (request.method, path_of(request.target)) not in self._paths:
            return
        if response is not None and classify(Reply(response)) in _GRANTING:
            names = (name for name, held in self._held.items() if is_login(held.login, request))
            yield from list(names)[:1]

    async def _log_in(self, name: str, held: Held, ask: Ask, *, is_refused: bool = False) -> None:
        """Have a new credential, unless somebody got one meanwhile or it is too early for another try."""
        before = held.grant
        async with held.lock:
            now = self._clock()
            if held.grant is not before or now < held.retry_at:
                return
            if is_refused and now < held.renewal_at:
                if held.pause_seconds > RENEWAL_SECONDS[0]:
                    return
                await asyncio.sleep(held.renewal_at - now)
            if is_refused:
                held.renewal_at = self._clock() + held.pause_seconds
            outcome = await ask(held.login.request)
            given = _given(held.login, outcome, self._clock())
            if isinstance(given, str):
                held.retry_at = now + _RETRY_SECONDS
                self._tell(name, held, given)
                return
            held.take(given, self._clock())
            self._tell_secrets(given.values)
            self._rebuild()

    def _tell_secrets(self, values: Iterable[bytes]) -> None:
        for value in values:
            self._hear(SecretTaken(value))

    def _tell(self, name: str, held: Held, why: str) -> None:
        """Tell a failure, once until it was mended."""
        asked = held.login.request
        path = path_of(asked.target).decode("latin-1")
        trouble = (
            f"cannot log in as {name!r} at {self._target}: {asked.method.decode('latin-1')} {path} {why};"
            f" check its [identity.login], or take it out"
        )
        if not held.trouble:
            self._hear(StateChanged("locked-out", trouble))
        held.trouble = trouble

    def _rebuild(self) -> None:
        """Put the identities together from what the settings give and what logins gave."""
        self._all = tuple(
            self._held[who.name].dress(who) if who.name in self._held else who for who in self._given
        )
        self._latest = None, None, None

    def _identity(self, name: str) -> Identity | None:
        return next((who for who in self._all if who.name == name), None)

    def _has_credentials(self, who: Identity) -> bool:
        held = self._held.get(who.name)
        return held.grant is not None if held is not None else bool(who.headers or who.query)

    def _with_newest(self, request: Request, name: str, grant: Grant) -> Request:
        who = self._identity(name)
        return request if who is None or self._bears(request, grant) else with_credentials(request, who)

    def _holder(self, request: Request) -> str | None:
        """The identity whose credential of this target, of now or of before, the request bears."""
        shown = set(self._shown(request))
        holding = (name for name, held in self._held.items() if not shown.isdisjoint(held.ours))
        return next(holding, None)

    def _bears(self, request: Request, grant: Grant) -> bool:
        return set(grant.values) <= set(self._shown(request))

    def _forget_counterparts(self, claim: Claim) -> None:
        for value in claim.values:
            self._stale[value] = None
        while len(self._stale) > _MAX_STALE:
            del self._stale[next(iter(self._stale))]

    def _shown(self, request: Request) -> Iterator[bytes]:
        """Every value in the request that stands where credentials do, of any kind that logins put."""
        yield from credential_values(request)
        names = {name for held in self._held.values() for name in held.names}
        for name, value in request.headers if names else ():
            if name.lower() in names and value:
                yield value
                yield value.partition(b" ")[2]
        if any(held.parameters for held in self._held.values()):
            yield from (value for _, value in query_pairs(request.target))


def _given(login: Login, outcome: Outcome, now: float) -> Grant | str:
    if not isinstance(outcome, Reply):
        return f"was not answered ({outcome.why.replace('_', ' ')})"
    if (told := told_by(outcome)) and classify(outcome) is AnswerClass.REJECTED:
        return f"answered {outcome.response.status}, and {told}"
    body = entity(outcome.response)
    return granted(login, outcome.response, body or b"", now)
