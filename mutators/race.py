"""Requests sent at the same moment: of what may happen once, exactly one must succeed."""

from itertools import combinations
from random import Random

from mutators._contract import Session, session_mutator
from mutators._resource import resource_of
from mutators._session import (
    again,
    idempotency_key,
    needed,
    needed_without,
    script,
    successful_writes,
    writes_by_resource,
)
from shadow.model import Expect, Level, Request, Script, field


@session_mutator(level=Level.RACE, expect=Expect.ONCE)
def sent_at_once(session: Session, rng: Random) -> Script | None:
    """What cannot be done twice in a row cannot be done twice at once either: checking and acting must be one
    step (CWE-367). Only teaches something where the repeat in a row is refused."""
    actions = [
        at
        for at in successful_writes(session)
        if _may_be_refused_again(session[at].request)
        and resource_of(session[at].request) is not None
        and idempotency_key(session[at].request) is None
    ]
    return _copies(session, actions, rng)


@session_mutator(level=Level.RACE, expect=Expect.ONCE)
def idempotency_key_at_once(session: Session, rng: Random) -> Script | None:
    """One Idempotency-Key has one effect, also when its requests arrive together
    (draft-ietf-httpapi-idempotency-key-header §2.6): every success must speak of the same thing."""
    keyed = [at for at in successful_writes(session) if idempotency_key(session[at].request) is not None]
    return _copies(session, keyed, rng)


@session_mutator(level=Level.RACE, expect=Expect.SURVIVE)
def conflicting_at_once(session: Session, rng: Random) -> Script | None:
    """Two different changes of one resource at once end as if one came after the other, without a crash
    (CWE-362)."""
    pairs = [
        (first, second)
        for steps in writes_by_resource(session)
        for first, second in combinations(steps[-8:], 2)
        if _asks(session, first) != _asks(session, second)
    ]
    if not pairs:
        return None
    first, second = rng.choice(pairs)
    both = [first, second]
    rng.shuffle(both)
    before = needed_without(session, second, first)
    then = [again(session, at, "sent at the same moment as the other") for at in both]
    return script(session, before, then, "sent two changes of one resource at once", is_burst=True)


def _copies(session: Session, positions: list[int], rng: Random) -> Script | None:
    """One of the steps, 2 to 8 times at the same moment, after what it needs."""
    if not positions:
        return None
    at = rng.choice(positions)
    count = rng.randint(2, 8)
    then = [again(session, at, f"one of {count} at once")] * count
    return script(session, needed(session, at), then, f"sent {count} copies at once", is_burst=True)


def _may_be_refused_again(request: Request) -> bool:
    """Whether a repeat in a row could be refused: not where the method or nothing but content decides."""
    if request.method in (b"POST", b"DELETE"):
        return True
    return request.method in (b"PUT", b"PATCH") and field(request.headers, b"if-match") is not None


def _asks(session: Session, at: int) -> tuple[bytes, bytes, bytes]:
    request = session[at].request
    return request.method, request.target, request.body
