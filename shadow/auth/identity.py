"""Whose request it is, and the same request as somebody else's."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec

from shadow.auth.basic import read_basic
from shadow.auth.canonical import path_of
from shadow.auth.credentials import cookies, stripped
from shadow.auth.jwt import bearer_jwt
from shadow.model import Headers, Identity, Request, Signs, field

_NO_NONCE = "0" * 32


def owner_of(request: Request, identities: Sequence[Identity], signer: Signs | None) -> Identity | None:
    """The identity whose credentials `request` carries; None where no configured one is recognised.

    A signing key tells first. Otherwise all of an identity's fields must stand in the request (a token by
    its subject, Basic by its user, cookies one by one); of several that do, the one with most fields wins.
    """
    key = signer.key_id(request) if signer else None
    by_key = next((who for who in identities if key and who.key == key), None)
    if by_key is not None:
        return by_key
    matching = [who for who in identities if who.headers and _carries(request.headers, who.headers)]
    return max(matching, key=lambda who: len(who.headers), default=_subject(request, identities))


def as_identity(request: Request, identity: Identity, signer: Signs | None) -> Request | None:
    """`request` with every credential replaced by those of `identity`; None where it cannot be made so.

    Stated time and nonce are kept. A request that stated none gets time 0 and a nonce of zeros: sign it
    again, by the clock, before sending it. An identity without key and fields is anonymous.
    """
    key = signer.key_id(request) if signer else None
    bare = stripped(request, signer, [name for name, _ in identity.headers])
    clothed = msgspec.structs.replace(bare, headers=bare.headers + identity.headers)
    if not identity.key or (identity.headers and key is None):
        return clothed
    if signer is None:
        return None
    at = signer.stated_time(request)
    nonce = _stated_nonce(request, signer)
    return signer.sign(clothed, key=identity.key, at=0.0 if at is None else at, nonce=nonce or _NO_NONCE)


def is_anonymous(identity: Identity) -> bool:
    """Whether `identity` stands for requests without credentials."""
    return not identity.key and not identity.headers


def allows(identity: Identity, request: Request) -> bool | None:
    """Whether `identity` may make `request`; None where the configuration does not say."""
    if identity.may is None:
        return None
    asked = f"{request.method.decode('latin-1')} {path_of(request.target).decode('latin-1')}"
    return any(fnmatchcase(asked, pattern) for pattern in identity.may)


def is_public(request: Request, identities: Iterable[Identity]) -> bool:
    """Whether the configuration allows `request` to the anonymous identity."""
    return any(is_anonymous(who) and allows(who, request) for who in identities)


def _carries(headers: Headers, wanted: Headers) -> bool:
    return all(_holds(headers, name.lower(), value) for name, value in wanted)


def _holds(headers: Headers, name: bytes, value: bytes) -> bool:
    if field(headers, name) == value:
        return True
    own: Headers = ((name, value),)
    if name == b"cookie":
        return set(cookies(own)) <= set(cookies(headers)) and any(cookies(own))
    if name != b"authorization":
        return False
    mine, theirs = bearer_jwt(own), bearer_jwt(headers)
    if mine is not None and theirs is not None:
        return "sub" in mine.claims and mine.claims["sub"] == theirs.claims.get("sub")
    basic, seen = read_basic(own), read_basic(headers)
    return basic is not None and seen is not None and basic[0] == seen[0]


def _subject(request: Request, identities: Sequence[Identity]) -> Identity | None:
    """The identity that a bearer token names as its subject, by name or by key."""
    token = bearer_jwt(request.headers)
    subject = token.claims.get("sub") if token else None
    if not isinstance(subject, str) or not subject:
        return None
    return next((who for who in identities if subject in (who.name, who.key)), None)


def _stated_nonce(request: Request, signer: Signs) -> str | None:
    name = signer.places().get("nonce")
    value = field(request.headers, name.lower().encode("latin-1")) if name else None
    return None if value is None else value.decode("latin-1")
