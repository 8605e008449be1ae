"""What a run would deal of recorded exchanges, and why, without a target."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from random import Random
from typing import Any

import msgspec

from mutators import Mutator, SessionMutator, Stack, dice
from shadow.model import CONVERSATIONS, Edit, Exchange, Script, Signs
from shadow.pipeline.dealing import dealt_as
from shadow.pipeline.edit_key import edit_key
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.energy import Why
from shadow.pipeline.knowledge import Knowledge
from shadow.pipeline.order import may_write
from shadow.pipeline.scheduler import Dealt, Named, Scheduler
from shadow.pipeline.scope import Scope
from shadow.pipeline.session_key import session_of
from shadow.pipeline.sessions import Earlier, Sessions
from shadow.pipeline.stacking import Stacking
from shadow.pipeline.ways import HTTP2, is_call, was_in_http2
from shadow.wire.http1 import serialise_request
from shadow.wire.http1_form import replayable

_RECORDED = "recorded"
"""The name of the only target there is."""


class Shown(msgspec.Struct, frozen=True):
    """One mutant that would be sent."""

    exchange: int
    endpoint: str
    """Of a session, those of all its requests."""
    mutator: Named
    what: str
    why: Why
    before: bytes
    """The request as recorded, in the form of HTTP/1.1; of a session all of them, one after the other."""
    after: bytes
    segments: int = 1
    """In so many pieces it would leave."""
    steps: tuple[str, ...] = ()
    """Of a session: the requests that would be sent, in order."""
    needs_writes: bool = False
    """Whether it is made only where mutants of writes are allowed."""


class PreviewSettings(msgspec.Struct, frozen=True):
    """How much is dealt."""

    seed: int
    mutants: int
    session_by: str
    stack: int = 1
    """Edits in one mutant, at most."""
    transport: str = "auto"
    """As the settings have it."""


class Preview:
    """Deals as a run does. What was asked for is counted by mutator, as is what had something to edit."""

    def __init__(
        self,
        settings: PreviewSettings,
        schedulers: tuple[Scheduler[Mutator], Scheduler[SessionMutator]],
        *,
        scope: Scope,
        signer: Signs | None,
        knowledge: Knowledge,
        endpoints: Endpoints,
        of_talk: Callable[[Exchange], Iterator[Shown]] | None = None,
    ) -> None:
        """`of_talk` gives the mutants of a conversation; without it there are none."""
        self._of_talk = of_talk
        self.asked: Counter[str] = Counter()
        self.made: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        """Exchanges of which no mutants are shown, by reason."""
        self._settings = settings
        self._of_requests, self._of_sessions = schedulers
        self._stacking = Stacking(most=settings.stack, seed=settings.seed)
        self._scope = scope
        self._signer = signer
        self._knowledge = knowledge
        self._endpoints = endpoints
        self._sessions = Sessions(idle_seconds=0.0)
        self._earlier = Earlier()
        for each in schedulers:
            each.on_tried = self._count

    def of(self, exchanges: Iterable[Exchange]) -> Iterator[Shown]:
        """Each mutant of the exchanges, in the order of a run; those of sessions when all is over."""
        for seen in exchanges:
            exchange = replayable(seen)
            session = session_of(exchange, self._settings.session_by, self._signer)
            if why := self._scope.refusal(exchange, session):
                self.skipped[str(why)] += 1
            elif exchange.protocol in CONVERSATIONS and self._of_talk is None:
                self.skipped["a conversation"] += 1
            elif exchange.protocol in CONVERSATIONS and self._of_talk is not None:
                yield from self._of_talk(exchange)
            else:
                yield from self._of_request(exchange)
                self._knowledge.learn(exchange, {_RECORDED: exchange})
                self._sessions.add(session, exchange, 0.0)
        for _, past in self._sessions.quiet(0.0, is_over=True):
            yield from self._of_session(past)

    def _of_request(self, exchange: Exchange) -> Iterator[Shown]:
        request, index = exchange.request, exchange.index
        known = self._knowledge.snapshot(request, _RECORDED)
        endpoint = self._endpoints.name(request)

        def dice_of(name: str) -> Random:
            return dice(self._settings.seed, index, name)

        wants_http2 = self._settings.transport == "auto" and was_in_http2(exchange)
        is_http2, is_a_call = wants_http2 or self._settings.transport == HTTP2, is_call(exchange)

        def fits(mutator: Mutator | Stack) -> bool:
            return mutator.fits(is_http2=is_http2, is_call=is_a_call)

        def sayable(edit: Edit | None) -> Edit | None:
            """None where what carries it could not say that."""
            is_other = (
                edit is not None and edit.wire is not None and (edit.wire.protocol == HTTP2) != is_http2
            )
            return None if is_other else edit

        def made(mutator: Mutator) -> Edit | None:
            edit = sayable(mutator(request, dice_of(mutator.name), known)) if fits(mutator) else None
            self._stacking.note(endpoint, mutator, is_made=edit is not None)
            return edit

        def made_at_once(stack: Stack) -> Edit | None:
            return sayable(stack(request, dice_of, known)) if fits(stack) else None

        place, mutants = dealt_as(endpoint, exchange, self._settings.mutants)

        def key(edit: Edit) -> int:
            return edit_key(edit, request)

        def dealt(granted: int) -> Iterator[Dealt[Any, Edit]]:
            places = self._stacking.places(endpoint, index, granted)
            stacks = list(self._stacking.deal(endpoint, index, places, made_at_once))
            for stack, _ in stacks:
                self._of_requests.note(place, stack.parts)
            yield from self._of_requests.turns(place, index, granted - len(stacks), made, key)
            yield from (Dealt(stack, edit, Why.STACKED) for stack, edit in stacks)

        before = serialise_request(request)
        for mutator, edit, why in self._of_requests.spend(endpoint, mutants, dealt):
            segments = edit.wire.segments if edit.wire else (serialise_request(edit.request),)
            yield Shown(
                index,
                endpoint,
                mutator,
                edit.what,
                why,
                before,
                b"".join(segments),
                len(segments),
                needs_writes=may_write(request) or may_write(edit.request, edit.wire),
            )

    def _of_session(self, past: Sequence[Exchange]) -> Iterator[Shown]:
        first = past[0]
        endpoint = " ".join(sorted({self._endpoints.name(each.request) for each in past}))
        known = self._knowledge.snapshot(first.request, _RECORDED)
        known = msgspec.structs.replace(known, sessions=self._earlier.all)

        def made(mutator: SessionMutator) -> Script | None:
            return mutator(past, dice(self._settings.seed, first.index, mutator.name), known)

        before = b"".join(serialise_request(each.request) for each in past)
        dealt: Iterator[Dealt[SessionMutator, Script]] = self._of_sessions.plan(
            endpoint, first.index, self._settings.mutants, made
        )
        for mutator, script, why in dealt:
            yield Shown(
                first.index,
                endpoint,
                mutator,
                script.what,
                why,
                before,
                b"".join(serialise_request(step.request) for step in script.steps),
                steps=_told(script),
                needs_writes=any(may_write(step.request) for step in script.steps),
            )
        self._earlier.add(past)

    def _count(self, _endpoint: str, name: str, is_made: bool) -> None:  # the schedulers' own way to tell
        self.asked[name] += 1
        self.made[name] += is_made


def _told(script: Script) -> tuple[str, ...]:
    """Each step in words: method and target, what differs, and whether its answer is judged."""
    told = []
    for at, step in enumerate(script.steps):
        request = step.request
        words = [request.method.decode("latin-1"), request.target.decode("latin-1")]
        if step.what:
            words.append(f"({step.what})")
        if at in script.judged:
            words.append("<- judged, all at once" if script.is_burst else "<- judged")
        told.append(" ".join(words))
    return tuple(told)
