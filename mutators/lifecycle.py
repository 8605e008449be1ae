"""Steps that a session's own record shows to be illegal or harmless: after a delete, denied before, twice."""

import re
from random import Random
from typing import Any

import msgspec

from mutators._contract import Session, session_mutator
from mutators._forging import token_in
from mutators._resource import SAFE_METHODS, action_of, ids_of, resource_of, succeeded, writes
from mutators._session import MAX_TRIES, again, mentions, needed, script, successful_writes
from mutators._spoiling import Spoiling
from shadow.auth.canonical import path_of
from shadow.auth.credentials import credential_names
from shadow.model import Expect, Known, Level, Request, Script, Step, field

_REVIVING = re.compile(rb"restore|undelete|recover|revive|undo|purge|reopen", re.IGNORECASE)

_LEAVING = re.compile(rb"(?:^|/)(?:log-?out|sign-?out|revoke|sessions?/end)(?:/|$)", re.IGNORECASE)

_BODY_FIELDS = frozenset(
    {
        b"content-type",
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
        b"idempotency-key",
        b"if-match",
        b"if-none-match",
    }
)


@session_mutator(level=Level.SEQUENCE, expect=Expect.REJECT)
def use_after_delete(session: Session, rng: Random, known: Known) -> Script | None:
    """What was deleted cannot be acted upon: 404 or 410, whatever the action once did (RFC 9110 §9.3.5, WFC
    F103)."""
    return _after_delete(session, rng, known, is_read=False)


@session_mutator(level=Level.SEQUENCE, expect=Expect.REJECT)
def read_after_delete(session: Session, rng: Random, known: Known) -> Script | None:
    """What was deleted cannot be read: 404 or 410 (RFC 9110 §9.3.5, WFC F103)."""
    return _after_delete(session, rng, known, is_read=True)


@session_mutator(level=Level.SEQUENCE, expect=Expect.REJECT)
def read_after_failed_create(session: Session, rng: Random, known: Known) -> Script | None:
    """A create that was refused leaves nothing to read under the name it asked for (WFC F104). What was there
    before it is no trace: that is asked first."""
    failed = [
        at
        for at, one in enumerate(session)
        if one.request.method == b"PUT"
        and one.response is not None
        and one.response.status in (400, 413, 415, 422)  # refused for what it says, whatever the state
        and not _was_seen(session, path_of(one.request.target))
    ]
    if not failed:
        return None
    at = rng.choice(failed)
    create = session[at].request
    read = msgspec.structs.replace(
        create, method=b"GET", target=path_of(create.target), headers=_without_body_fields(create), body=b""
    )
    return script(
        session,
        needed(session, at),
        [
            Step(_signed_again(read, known), at, "is not there before"),
            again(session, at, "is refused"),
            Step(_signed_again(read, known), at, "read what was refused"),
        ],
        f"read {path_of(create.target).decode('latin-1')!r} after its refused create",
        refused=2,
    )


@session_mutator(level=Level.SEQUENCE, expect=Expect.REJECT)
def transition_denied_before(session: Session, rng: Random, known: Known) -> Script | None:
    """An action that this session shows refused with 409 after a certain other one, and never allowed after
    it, is illegal in that state for every resource of the kind (RFC 9110 §15.5.10)."""
    denied, allowed = _transitions(session)
    places = [
        (after, at)
        for (kind, first), refused in denied.items()
        for after in successful_writes(session)
        if (resource_of(session[after].request) is not None)
        and (_kind(session[after].request), session[after].request.method) == (kind, first)
        for at in refused
        if (kind, first, action_of(session[at].request)) not in allowed
    ]
    if not places:
        return None
    after, at = rng.choice(places)
    request = _on_resource_of(session[at].request, session[after].request)
    what = (
        f"sent {request.method.decode('latin-1')} {path_of(request.target).decode('latin-1')}, refused before"
    )
    return script(
        session, [*needed(session, after), after], [Step(_signed_again(request, known), after, what)], what
    )


@session_mutator(level=Level.SEQUENCE, expect=Expect.REJECT, is_stated=False)
def used_after_logout(session: Session, rng: Random, known: Known) -> Script | None:
    """A session that was ended, or a token that was revoked, opens nothing any more (CWE-613, RFC 7009 §2.2).
    Tokens that verify by themselves are left out: many services let them run out."""
    leaving = [
        at
        for at in successful_writes(session)
        if _LEAVING.search(path_of(session[at].request.target)) and credential_names(session[at].request)
    ]
    pairs = [
        (left, at)
        for left in leaving[-MAX_TRIES:]
        for at, one in enumerate(session[:left])
        if succeeded(one)
        and one.request.method == b"GET"
        and _has_opaque_credential(one.request)
        and _principal(one.request, known) == _principal(session[left].request, known)
    ]
    if not pairs:
        return None
    left, at = rng.choice(pairs)
    before = sorted({*needed(session, at), at, *needed(session, left), left})
    what = f"read {path_of(session[at].request.target).decode('latin-1')!r} after its client had logged out"
    bare = Spoiling(credential_names(session[at].request)[0], "dropped", 0)
    then = [Step(session[at].request, at, "needs its credential", edit=bare), again(session, at, what)]
    return script(session, before, then, what, refused=1)


@session_mutator(level=Level.SEQUENCE, expect=Expect.AGREE)
def read_after_put(session: Session, rng: Random, known: Known) -> Script | None:
    """What a PUT has made or changed is there to be read under the address it was put to (RFC 9110 §9.3.4);
    where a service has no reading of it, both versions have none."""
    puts = [at for at in successful_writes(session) if session[at].request.method == b"PUT"]
    if not puts:
        return None
    at = rng.choice(puts)
    put = session[at].request
    read = msgspec.structs.replace(put, method=b"GET", headers=_without_body_fields(put), body=b"")
    what = f"read {path_of(put.target).decode('latin-1')!r} after it was put"
    before = [*needed(session, at), at]
    return script(session, before, [Step(_signed_again(read, known), at, what)], what)


@session_mutator(level=Level.SEQUENCE, expect=Expect.SAME)
def put_twice(session: Session, rng: Random) -> Script | None:
    """PUT is idempotent (RFC 9110 §9.2.2): where its answer says nothing but what was put, the second one
    is answered like the first."""
    puts = [
        at
        for at in successful_writes(session)
        if session[at].request.method == b"PUT" and _echoes(session, at)
    ]
    if not puts:
        return None
    at = rng.choice(puts)
    return script(session, [*needed(session, at), at], [again(session, at, "put twice")], "sent a PUT twice")


@session_mutator(level=Level.SEQUENCE, expect=Expect.REJECT)
def replayed_request(session: Session, rng: Random, known: Known) -> Script | None:
    """A nonce counts once: the same signed bytes again are an eavesdropper's replay (RFC 9421 §7.2.2)."""
    signer = known.signer
    if signer is None:
        return None
    usable = [
        at
        for at, one in enumerate(session)
        if succeeded(one) and signer.key_id(one.request) is not None and signer.read(one.request, "nonce")
    ]
    if not usable:
        return None
    at = rng.choice(usable)
    before = [*needed(session, at), at]
    verbatim = Step(session[at].request, at, "the same bytes again", signs_again=False, same_as=-1)
    return script(session, before, [verbatim], "sent a signed request twice, byte for byte")


def _after_delete(session: Session, rng: Random, known: Known, *, is_read: bool) -> Script | None:
    deletes = [at for at in successful_writes(session) if session[at].request.method == b"DELETE"]
    rng.shuffle(deletes)
    pair = next(
        (
            (deleted, rng.choice(_by_the_same(session, uses, deleted, known)))
            for deleted in deletes[:MAX_TRIES]
            if (uses := _uses_before(session, deleted, is_read=is_read)) and _is_final(session, deleted)
        ),
        None,
    )
    if pair is None:
        return None
    deleted, at = pair
    before = {*needed(session, deleted), *needed(session, at), deleted}
    gone = path_of(session[deleted].request.target).decode("latin-1")
    what = f"sent {session[at].request.method.decode('latin-1')} after {gone!r} was deleted"
    return script(session, before, [again(session, at, what)], what)


def _is_final(session: Session, at: int) -> bool:
    """Whether a DELETE removed what this session made, at once (no 202), and it never answered again."""
    one = session[at]
    path = path_of(one.request.target)
    if one.response is None or one.response.status == 202 or resource_of(one.request) != path:
        return False
    is_made_here = any(
        mentions(session[earlier], ids_of(one.request)[-1]) and resource_of(session[earlier].request) != path
        for earlier in successful_writes(session)
        if earlier < at
    )
    return is_made_here and not any(
        succeeded(later) and _is_within(later.request, path) for later in session[at + 1 :]
    )


def _uses_before(session: Session, deleted: int, *, is_read: bool) -> list[int]:
    path = path_of(session[deleted].request.target)
    return [
        at
        for at, one in enumerate(session[:deleted])
        if succeeded(one)
        and _is_about(one.request, path)
        and one.request.method not in (b"OPTIONS", b"TRACE", b"DELETE")
        and (one.request.method in SAFE_METHODS) is is_read
        and not (one.request.method == b"PUT" and path_of(one.request.target) == path)  # makes it anew
        and not _REVIVING.search(path_of(one.request.target)[len(path) :])
    ]


def _signed_again(request: Request, known: Known) -> Request:
    """`request` with a signature of its own: one that does not fit would be taken for a stranger's."""
    return (known.signer.sign(request) if known.signer else None) or request


def _by_the_same(session: Session, uses: list[int], deleted: int, known: Known) -> list[int]:
    """Those of `uses` that whoever deleted made, if any: nobody else's are sure not to be refused for whose
    they are."""
    who = _principal(session[deleted].request, known)
    return [at for at in uses if _principal(session[at].request, known) == who] or uses


def _principal(request: Request, known: Known) -> tuple[object, ...]:
    key = known.signer.key_id(request) if known.signer else None
    if key is not None:
        return (key,)
    return tuple(field(request.headers, name) for name in credential_names(request))


def _has_opaque_credential(request: Request) -> bool:
    names = credential_names(request)
    return len(names) == 1 and token_in(field(request.headers, names[0]) or b"") is None


def _is_within(request: Request, path: bytes) -> bool:
    own = path_of(request.target)
    return own == path or own.startswith(path + b"/")


def _is_about(request: Request, path: bytes) -> bool:
    """Whether it is the resource itself that is asked for, or acted upon; what has a name of its own below it
    may outlive it."""
    return resource_of(request) == path and (writes(request) or path_of(request.target).rstrip(b"/") == path)


def _was_seen(session: Session, path: bytes) -> bool:
    return any(succeeded(one) and path_of(one.request.target) == path for one in session)


def _without_body_fields(request: Request) -> tuple[tuple[bytes, bytes], ...]:
    """The fields of `request` save those that speak of its body, its state, or its being sent once."""
    return tuple(pair for pair in request.headers if pair[0].lower() not in _BODY_FIELDS)


type _Transitions = dict[tuple[bytes, bytes], list[int]]
"""By kind of the resource with the action's path, and the method: positions of what was refused after it."""


def _transitions(session: Session) -> tuple[_Transitions, set[tuple[bytes, bytes, tuple[bytes, bytes]]]]:
    """Refused positions after each last successful action on a resource, and what was allowed after it."""
    last: dict[bytes, Request] = {}
    denied: _Transitions = {}
    allowed = set()
    for at, one in enumerate(session):
        resource = resource_of(one.request)
        if resource is None or not writes(one.request) or one.response is None:
            continue
        before = last.get(resource)
        if before is not None and succeeded(one):
            allowed.add((_kind(before), before.method, action_of(one.request)))
        if before is not None and one.response.status == 409 and one.request.body in (b"", b"{}"):
            denied.setdefault((_kind(before), before.method), []).append(at)
        if succeeded(one):
            last[resource] = one.request
    return denied, allowed


def _kind(request: Request) -> bytes:
    return action_of(request)[1]


def _on_resource_of(action: Request, other: Request) -> Request:
    """`action` on the resource that `other` names, by the principal of `other`."""
    resource, own = resource_of(other) or b"", resource_of(action) or b""
    return msgspec.structs.replace(
        other,
        method=action.method,
        target=resource + action.target[len(own) :],
        headers=_without_body_fields(other)
        + tuple(pair for pair in action.headers if action.body and pair[0].lower() == b"content-type"),
        body=action.body,
    )


def _echoes(session: Session, at: int) -> bool:
    """Whether a PUT's answer is 204, or JSON whose every value stood in the request."""
    one = session[at]
    if one.response is None or any(
        key.lower() in (b"if-match", b"if-none-match") for key, _ in one.request.headers
    ):
        return False
    if one.response.status == 204 or not one.response.body:
        return one.response.status in (200, 204)
    said, told = _leaves(one.request.body), _leaves(one.response.body)
    path = {part.decode("latin-1") for part in path_of(one.request.target).split(b"/")}
    return one.response.status == 200 and told is not None and said is not None and told <= said | path


def _leaves(body: bytes) -> set[str] | None:
    """Every scalar of a JSON document as text; None when it is none."""
    try:
        waiting: list[Any] = [msgspec.json.decode(body)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    found = set()
    while waiting:
        match waiting.pop():
            case dict() as members:
                waiting.extend(members.values())
            case list() as items:
                waiting.extend(items)
            case scalar:
                found.add(str(scalar))
    return found
