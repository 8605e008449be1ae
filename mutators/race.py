"""Requests sent at the same moment: of what may happen once, exactly one must succeed."""

from collections.abc import Sequence
from itertools import combinations
from random import Random

import msgspec

from mutators._contract import Session, session_mutator
from mutators._resource import resource_of, succeeded, writes
from mutators._session import (
    again,
    idempotency_key,
    needed,
    needed_without,
    script,
    successful_writes,
    writes_by_resource,
)
from shadow.model import Expect, Level, Request, Script, Step, field

_OFFSETS_SECONDS = (0.0, 0.0, 0.0, 0.001, 0.003, 0.01)
"""From the end of one request to that of the next; mostly none."""


@session_mutator(level=Level.RACE, expect=Expect.ONCE)
def sent_at_once(session: Session, rng: Random) -> Script | None:
    """What cannot be done twice in a row cannot be done twice at once either: checking and acting must be one
    step (CWE-367). Only teaches something where the repeat in a row is refused."""
    actions = [
        at
        for at in successful_writes(session)
        if _may_be_refused_again(session[at].request)
        and idempotency_key(session[at].request) is None
        and (resource_of(session[at].request) is not None or _spends(session, at))
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
    return script(
        session, before, _apart(then, rng), "sent two changes of one resource at once", is_burst=True
    )


@session_mutator(level=Level.RACE, expect=Expect.SURVIVE)
def several_at_once(session: Session, rng: Random) -> Script | None:
    """Three different requests on one resource at once, of several endpoints, end as in one of their orders,
    without a crash (CWE-362)."""
    runs = []
    for steps in writes_by_resource(session):
        unlike = list({_asks(session, at): at for at in steps[-8:]}.values())
        if len(unlike) > 2:
            runs.append(unlike)
    if not runs:
        return None
    chosen = sorted(rng.sample(rng.choice(runs), 3))
    before = needed_without(session, chosen[-1], chosen[0])
    before = [at for at in before if at not in chosen]
    then = [again(session, at, "sent at the same moment as two others") for at in chosen]
    rng.shuffle(then)
    return script(
        session, before, _apart(then, rng), "sent three changes of one resource at once", is_burst=True
    )


@session_mutator(level=Level.RACE, expect=Expect.SURVIVE)
def read_and_write_at_once(session: Session, rng: Random) -> Script | None:
    """A reading that meets a change half done gets the state before or after it, and never a crash
    (CWE-362)."""
    pairs = [
        (read, write)
        for write in successful_writes(session)
        for read, one in enumerate(session)
        if one.request.method == b"GET"
        and succeeded(one)
        and (resource := resource_of(one.request)) is not None
        and resource == resource_of(session[write].request)
    ]
    if not pairs:
        return None
    read, write = rng.choice(pairs)
    then = [again(session, write, "sent at the same moment as a reading")]
    then += [again(session, read, "sent at the same moment as a change")] * rng.randint(1, 4)
    rng.shuffle(then)
    before = sorted({*needed(session, write), *needed_without(session, read, write)} - {write})
    return script(session, before, _apart(then, rng), "read and changed a resource at once", is_burst=True)


def _copies(session: Session, positions: list[int], rng: Random) -> Script | None:
    """One of the steps, 2 to 8 times at the same moment, after what it needs."""
    if not positions:
        return None
    at = rng.choice(positions)
    count = rng.randint(2, 8)
    then = _apart([again(session, at, f"one of {count} at once")] * count, rng)
    return script(session, needed(session, at), then, f"sent {count} copies at once", is_burst=True)


def _apart(then: Sequence[Step], rng: Random) -> list[Step]:
    """The steps at one moment, or some milliseconds one after the other: windows are of all sizes."""
    by_seconds = rng.choice(_OFFSETS_SECONDS)
    return [
        msgspec.structs.replace(step, after_seconds=round(at * by_seconds, 4)) for at, step in enumerate(then)
    ]


def _spends(session: Session, at: int) -> bool:
    """Whether the request uses up what an earlier write of the session made, such as a code in its body."""
    return any(writes(session[each].request) for each in needed(session, at))


def _may_be_refused_again(request: Request) -> bool:
    """Whether a repeat in a row could be refused: not where the method or nothing but content decides."""
    if request.method in (b"POST", b"DELETE"):
        return True
    return request.method in (b"PUT", b"PATCH") and field(request.headers, b"if-match") is not None


def _asks(session: Session, at: int) -> tuple[bytes, bytes, bytes]:
    request = session[at].request
    return request.method, request.target, request.body
