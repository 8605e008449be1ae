"""What the steps of a recorded session depend on, and scripts made of them."""

import re
from collections.abc import Iterable, Sequence

import msgspec

from mutators._contract import Session
from mutators._resource import ids_of, is_id, resource_of, succeeded, writes
from shadow.auth.credentials import authorization, cookies
from shadow.model import Exchange, Request, Script, Step, field, fields

MAX_STEPS = 30
"""Longer scripts cost more than they teach."""

MAX_TRIES = 8
"""How many candidates are looked at closely before there is said to be nothing to edit."""

_WINDOW = 300
"""How many exchanges back a dependency is looked for."""
_SEARCHED_BYTES = 65_536
_WORD = re.compile(rb"[A-Za-z0-9_-]{6,64}")


def needed(session: Session, at: int) -> list[int]:
    """Positions before `at`, oldest first, without which step `at` could not be what it was.

    These are the successful writes on the resources it names, whatever made an id it names, the requests
    that gave it its credentials, and what all of those need in turn.
    """
    wanted = _names(session[at].request)
    found = []
    for position in range(at - 1, max(-1, at - 1 - _WINDOW), -1):
        if _serves(session[position], wanted):
            found.append(position)
            wanted |= _names(session[position].request)
    return found[::-1]


def needed_without(session: Session, at: int, dropped: int) -> list[int]:
    """What step `at` needs, but for step `dropped` and for what needs that in turn."""
    return [
        position
        for position in needed(session, at)
        if position < dropped or (position > dropped and dropped not in needed(session, position))
    ]


def script(
    session: Session,
    before: Iterable[int],
    then: Sequence[Step],
    what: str,
    *,
    is_burst: bool = False,
    refused: int = 0,
    others: Session = (),
) -> Script | None:
    """The recorded steps `before` in their order, each a success that is needed, and `then`, which is judged.

    The first so many of `then` must be `refused`, and are not judged. `others` are exchanges of other
    sessions, in which origins count on. None when the script would be too long.
    """
    told = (*session, *others)
    first = [Step(told[position].request, position) for position in sorted(set(before))]
    if not then or len(first) + len(then) > MAX_STEPS:
        return None
    shift = len(first)
    moved = [
        one if one.same_as is None else msgspec.structs.replace(one, same_as=one.same_as + shift)
        for one in then
    ]
    steps = (*first, *moved)
    start = shift + refused
    return Script(
        steps,
        tuple(range(start, len(steps))),
        what,
        needs=tuple(range(shift)),
        is_burst=is_burst,
        refused=tuple(range(shift, start)),
        others=tuple(others),
    )


def again(session: Session, position: int, what: str) -> Step:
    """The recorded step at `position` once more."""
    return Step(session[position].request, position, what)


def successful_writes(session: Session) -> list[int]:
    """Positions of the writes that the live service answered with 2xx."""
    return [at for at, one in enumerate(session) if writes(one.request) and succeeded(one)]


def writes_by_resource(session: Session) -> list[list[int]]:
    """Positions of the successful writes on each resource, oldest first; not of what made it."""
    found: dict[bytes, list[int]] = {}
    for at in successful_writes(session):
        resource = resource_of(session[at].request)
        if resource is not None:
            found.setdefault(resource, []).append(at)
    return list(found.values())


def mentions(exchange: Exchange, name: bytes) -> bool:
    """Whether the answer names `name` as a whole word, in its body or in a field."""
    response = exchange.response
    if response is None:
        return False
    word = re.compile(rb"(?<![A-Za-z0-9_-])" + re.escape(name) + rb"(?![A-Za-z0-9_-])")
    texts = (response.body[:_SEARCHED_BYTES], *(value for _, value in response.headers))
    return any(word.search(text) for text in texts)


def idempotency_key(request: Request) -> bytes | None:
    """The request's Idempotency-Key (draft-ietf-httpapi-idempotency-key-header); None where it has none."""
    return field(request.headers, b"idempotency-key")


def _serves(exchange: Exchange, wanted: set[bytes]) -> bool:
    if not succeeded(exchange):
        return False
    if writes(exchange.request):
        return bool(wanted & set(ids_of(exchange.request))) or any(
            mentions(exchange, name) for name in wanted
        )
    handed = b"".join(fields(exchange.response.headers, b"set-cookie")) if exchange.response else b""
    return any(name in handed for name in wanted)


def _names(request: Request) -> set[bytes]:
    """What a request refers to: ids in path, query and body, and its credentials."""
    words = (
        *_WORD.findall(request.body[:_SEARCHED_BYTES]),
        *_WORD.findall(request.target.partition(b"?")[2]),
    )
    bearer = authorization(request.headers)
    return {
        *ids_of(request),
        *(word for word in words if is_id(word)),
        *(value for _, value in cookies(request.headers) if len(value) >= 6),
        *({bearer[1]} if bearer and len(bearer[1]) >= 6 else ()),
    }
