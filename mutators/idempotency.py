"""One Idempotency-Key for several requests: alike, with other bodies, to other places, at the same moment."""

from random import Random

import msgspec

from mutators import _json as tree
from mutators._contract import Session, session_mutator
from mutators._session import again, idempotency_key, needed, script, successful_writes
from shadow.content import json
from shadow.content.json import Kind
from shadow.model import Expect, Level, Request, Script, Step, with_field


@session_mutator(level=Level.SEQUENCE, expect=Expect.SAME)
def idempotency_key_replayed(session: Session, rng: Random) -> Script | None:
    """A request repeated with its Idempotency-Key gets the first one's answer again
    (draft-ietf-httpapi-idempotency-key-header §2.6)."""
    keyed = [at for at in successful_writes(session) if idempotency_key(session[at].request) is not None]
    if not keyed:
        return None
    at = rng.choice(keyed)
    what = "sent twice with one Idempotency-Key"
    return script(session, [*needed(session, at), at], [again(session, at, what)], what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.REJECT, is_stated=False)
def idempotency_key_for_other_body(session: Session, rng: Random) -> Script | None:
    """A key that comes back with another body is a client's mistake: 422, and neither the new request nor the
    old one's answer (draft-ietf-httpapi-idempotency-key-header §2.7)."""
    found = [
        (at, other)
        for at in _keyed(session)
        if (other := _with_other_value(session[at].request, rng)) is not None
    ]
    if not found:
        return None
    at, other = rng.choice(found)
    what = "sent another body under the same Idempotency-Key"
    return script(session, [*needed(session, at), at], [Step(other, at, what)], what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def idempotency_key_for_other_path(session: Session, rng: Random) -> Script | None:
    """Whether keys count for a whole service or for each of its operations is its own affair
    (draft-ietf-httpapi-idempotency-key-header §2.5); one that is met elsewhere must not break it."""
    keyed = _keyed(session)
    others = [at for at in successful_writes(session) if session[at].request.method == b"POST"]
    pairs = [
        (first, second)
        for first in keyed[-8:]
        for second in others[-8:]
        if session[first].request.target != session[second].request.target
    ]
    if not pairs:
        return None
    first, second = rng.choice(pairs)
    key = idempotency_key(session[first].request) or b""
    headers = with_field(session[second].request.headers, b"Idempotency-Key", key)
    request = msgspec.structs.replace(session[second].request, headers=headers)
    before = sorted({*needed(session, first), first, *needed(session, second)} - {second})
    what = "sent another request under the same Idempotency-Key"
    return script(session, before, [Step(request, second, what)], what)


@session_mutator(level=Level.RACE, expect=Expect.SURVIVE)
def idempotency_key_for_two_at_once(session: Session, rng: Random) -> Script | None:
    """Two bodies under one key at the same moment: one of them is done, whichever (CWE-362,
    draft-ietf-httpapi-idempotency-key-header §2.6)."""
    found = [
        (at, other)
        for at in _keyed(session)
        if (other := _with_other_value(session[at].request, rng)) is not None
    ]
    if not found:
        return None
    at, other = rng.choice(found)
    what = "sent two bodies under one Idempotency-Key at once"
    then = [again(session, at, what), Step(other, at, what)]
    return script(session, needed(session, at), then, what, is_burst=True)


def _keyed(session: Session) -> list[int]:
    return [at for at in successful_writes(session) if idempotency_key(session[at].request) is not None]


def _with_other_value(request: Request, rng: Random) -> Request | None:
    """`request` with one string or number of its JSON body another of the same kind."""

    def value(document: json.Document, node: json.Node) -> bytes | None:
        if node.kind is Kind.NUMBER:
            return b"1" if document.raw(node) != b"1" else b"2"
        return json.quote(json.text_of(document.raw(node)) + "2")

    edit = tree.replaced(request, rng, tree.STRINGS | tree.NUMBERS, value, "changed")
    return None if edit is None else edit.request
