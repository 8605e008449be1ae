"""What one session's principal makes of another's things: ids that it learned, answers that tell too much."""

from random import Random

import msgspec

from mutators._contract import Session, session_mutator
from mutators._resource import action_of, ids_of, is_id, resource_of, succeeded
from mutators._session import again, needed, script, successful_writes
from shadow.auth.canonical import path_of
from shadow.model import Exchange, Expect, Known, Level, Request, Script, Step, without_field

_CHANGES = (b"PUT", b"PATCH")
_OF_BODY = (
    b"content-type",
    b"content-length",
    b"content-encoding",
    b"transfer-encoding",
    b"idempotency-key",
    b"if-match",
    b"if-none-match",
    b"if-modified-since",
    b"expect",
)


@session_mutator(level=Level.PERMISSION, expect=Expect.SAME, is_stated=False)
def existence_told(session: Session, rng: Random, known: Known) -> Script | None:
    """Who may not see a thing must not learn that it is there: 403 for what exists and 404 for what does not
    tells them apart (WFC F204, CWE-204; RFC 9110 §15.5.4 allows 404 for both)."""
    denied = [at for at, one in enumerate(session) if _is_denied(one) and ids_of(one.request)]
    if not denied:
        return None
    at = rng.choice(denied)
    request = session[at].request
    made_up = _with_last_id(request, _made_up(ids_of(request)[-1], rng))
    what = "asked for an id that nobody has"
    then = [again(session, at, "is denied"), Step(_signed(made_up, known), at, what)]
    made = script(session, needed(session, at), then, what)
    return None if made is None else msgspec.structs.replace(made, judged=made.judged[1:])


@session_mutator(level=Level.PERMISSION, expect=Expect.REJECT, is_stated=False)
def deleted_after_denied_change(session: Session, rng: Random, known: Known) -> Script | None:
    """Who is denied to change a thing must not be let to delete it (WFC F206, CWE-863)."""
    denied = [
        at
        for at, one in enumerate(session)
        if _is_denied(one)
        and one.request.method in _CHANGES
        and resource_of(one.request) == path_of(one.request.target)
    ]
    if not denied:
        return None
    at = rng.choice(denied)
    request = _bodiless(session[at].request, b"DELETE")
    what = f"deleted {path_of(request.target).decode('latin-1')!r}, which it was denied to change"
    then = [again(session, at, "is denied"), Step(_signed(request, known), at, what)]
    return script(session, needed(session, at), then, what, refused=1)


@session_mutator(level=Level.PERMISSION, expect=Expect.AGREE)
def id_of_other_session(session: Session, rng: Random, known: Known) -> Script | None:
    """What another session made may be everybody's or its own alone, as the service will have it, but both
    versions must decide alike (OWASP API Security 2023, API1)."""
    makers = [
        (other, at, name)
        for other in known.sessions
        for at in successful_writes(other)[:8]
        if (name := _made_id(other[at])) is not None
    ]
    uses = [
        at
        for at, one in enumerate(session)
        if succeeded(one) and ids_of(one.request) and resource_of(one.request) is not None
    ]
    pairs = [
        (maker, at)
        for maker in makers
        for at in uses[-16:]
        if action_of(session[at].request)[1].startswith(_collection(maker[0][maker[1]]) + b"/{id}")
        and maker[2] not in ids_of(session[at].request)
    ]
    if not pairs:
        return None
    (other, made_at, name), at = rng.choice(pairs)
    depth = _collection(other[made_at]).count(b"/") + 1
    segments = path_of(session[at].request.target).split(b"/")
    target = b"/".join((*segments[:depth], name, *segments[depth + 1 :]))
    tail = session[at].request.target[len(path_of(session[at].request.target)) :]
    request = msgspec.structs.replace(session[at].request, target=target + tail)
    before = [len(session) + each for each in (*needed(other, made_at), made_at)]
    what = "put an id that another session made into the path"
    return script(session, before, [Step(_signed(request, known), at, what)], what, others=other)


def _is_denied(one: Exchange) -> bool:
    return one.response is not None and one.response.status == 403


def _made_id(one: Exchange) -> bytes | None:
    """The last segment of the Location that a create answered with, where it is an id."""
    if one.response is None or one.response.status != 201 or one.request.method != b"POST":
        return None
    location = next((value for key, value in one.response.headers if key.lower() == b"location"), b"")
    parent, _, name = path_of(location).rpartition(b"/")
    return name if is_id(name) and parent == path_of(one.request.target).rstrip(b"/") else None


def _collection(one: Exchange) -> bytes:
    return action_of(one.request)[1].rstrip(b"/")


def _with_last_id(request: Request, name: bytes) -> Request:
    path = path_of(request.target)
    segments = path.split(b"/")
    last = max(at for at, segment in enumerate(segments) if is_id(segment))
    made = b"/".join((*segments[:last], name, *segments[last + 1 :])) + request.target[len(path) :]
    return msgspec.structs.replace(request, target=made)


def _made_up(name: bytes, rng: Random) -> bytes:
    """An id of the same form: digits for digits, hexadecimal for letters; its first four characters stay."""
    kept = 4 if len(name) > 7 else 0
    drawn = bytearray(name[:kept])
    for byte in name[kept:]:
        if chr(byte).isdigit():
            drawn.append(rng.choice(b"123456789"))
        else:
            drawn.append(rng.choice(b"abcdef") if chr(byte) in "abcdef" else byte)
    return bytes(drawn) + (b"" if kept else bytes(rng.choice(b"123456789") for _ in range(6)))


def _bodiless(request: Request, method: bytes) -> Request:
    headers = request.headers
    for name in _OF_BODY:
        headers = without_field(headers, name)
    return msgspec.structs.replace(request, method=method, headers=headers, body=b"")


def _signed(request: Request, known: Known) -> Request:
    """`request` with a signature of its own: one that does not fit would be taken for a stranger's."""
    return (known.signer.sign(request) if known.signer else None) or request
