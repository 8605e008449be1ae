"""Whose request it is, and the same request as somebody else's."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

import msgspec

from shadow.auth.basic import read_basic
from shadow.auth.canonical import path_of
from shadow.auth.credentials import cookies, credential_values, query_pairs, stripped, with_parameters
from shadow.auth.jwt import bearer_jwt
from shadow.auth.place import put_field
from shadow.model import Headers, Identity, Match, Request, Signs, field

_NO_NONCE = "0" * 32


def owner_of(request: Request, identities: Sequence[Identity], signer: Signs | None) -> Identity | None:
    """The identity whose credentials `request` carries; None where no configured one is recognised.

    A signing key tells first, then what `Identity.match` states, then a value known to be its own. Otherwise
    all of an identity's fields and parameters must stand in the request (a token by its subject, Basic by its
    user, cookies one by one); of several that do, the one with most wins.
    """
    key = signer.key_id(request) if signer else None
    by_key = next((who for who in identities if key and who.key == key), None)
    if by_key is not None:
        return by_key
    told = next((who for who in identities if matches(request, who.match)), None)
    if told is None and any(who.tokens for who in identities):
        shown = frozenset(credential_values(request))
        told = next((who for who in identities if not shown.isdisjoint(who.tokens)), None)
    if told is not None:
        return told
    matching = [who for who in identities if _carries(request, who)]
    carried = max(matching, key=lambda who: len(who.headers) + len(who.query), default=None)
    return carried or _subject(request, identities) or _anyone(request, identities)


def as_identity(request: Request, identity: Identity, signer: Signs | None) -> Request | None:
    """`request` with every credential replaced by those of `identity`; None where it cannot be made so.

    Stated time and nonce are kept. A request that stated none gets time 0 and a nonce of zeros: sign it
    again, by the clock, before sending it. An identity without key and fields is anonymous.
    """
    key = signer.key_id(request) if signer else None
    if not identity.key or (key is None and (identity.headers or identity.query)):
        return _as(request, identity, signer)
    if signer is None:
        return None
    stated = signer.read(request, "nonce")
    nonce = _NO_NONCE if stated is None else stated.decode("latin-1")
    if key is not None:  # its form is kept: what it covers, for which region and service
        made = signer.sign(_as(request, identity, None, signer), key=identity.key, nonce=nonce)
        if made is not None:
            return made
    at = signer.stated_time(request)
    made_anew = _as(request, identity, signer)
    return signer.sign(made_anew, key=identity.key, at=0.0 if at is None else at, nonce=nonce)


def with_credentials(request: Request, identity: Identity) -> Request:
    """`request` with the identity's fields, cookies and parameters in place of those of the same names."""
    for name, value in identity.headers:
        if name.lower() == b"cookie":
            headers = with_cookies(request.headers, cookies(((name, value),)))
        else:
            headers = put_field(request.headers, name.decode("latin-1"), value)
        request = msgspec.structs.replace(request, headers=headers)
    target = with_parameters(request.target, identity.query)
    return msgspec.structs.replace(request, target=target) if identity.query else request


def with_cookies(headers: Headers, added: Iterable[tuple[bytes, bytes]]) -> Headers:
    """`headers` with these cookies in the place of those of the same names, all in one field."""
    jar = dict(cookies(headers)) | dict(added)
    line = b"; ".join(name + b"=" + value for name, value in jar.items())
    return put_field(headers, "Cookie", line) if jar else headers


def is_anonymous(identity: Identity) -> bool:
    """Whether `identity` stands for requests without credentials."""
    return not (identity.key or identity.headers or identity.query or identity.logs_in)


def allows(identity: Identity, request: Request) -> bool | None:
    """Whether `identity` may make `request`; None where the configuration does not say."""
    if identity.may is None:
        return None
    asked = f"{request.method.decode('latin-1')} {path_of(request.target).decode('latin-1')}"
    return any(fnmatchcase(asked, pattern) for pattern in identity.may)


def is_public(request: Request, identities: Iterable[Identity]) -> bool:
    """Whether the configuration allows `request` to the anonymous identity."""
    return any(is_anonymous(who) and allows(who, request) for who in identities)


def matches(request: Request, match: Match) -> bool:
    """Whether all that `match` states holds; False where it states nothing."""
    stated = (
        (match.claims, _claims),
        (match.headers, _fields),
        (match.cookies, _cookies),
        (match.query, _parameters),
    )
    checks = [_states(read(request), wanted) for wanted, read in stated if wanted]
    if match.user:
        basic = read_basic(request.headers)
        checks.append(basic is not None and fnmatchcase(_text(basic[0]), match.user))
    return bool(checks) and all(checks)


def _as(request: Request, identity: Identity, signer: Signs | None, kept_by: Signs | None = None) -> Request:
    """`request` with the fields and parameters of `identity` in place of all credentials, but with what
    `kept_by` needs of its signature."""
    signing = {name.lower().encode("latin-1") for name in kept_by.places(request).values()} if kept_by else ()
    names = [name for name, _ in identity.headers]
    query = [name for name, _ in identity.query]
    bare = stripped(request, signer, names, parameters=query, kept=signing)
    target = with_parameters(bare.target, identity.query)
    return msgspec.structs.replace(bare, target=target, headers=bare.headers + identity.headers)


def _carries(request: Request, who: Identity) -> bool:
    if not who.headers and not who.query:
        return False
    return set(query_pairs(request.target) if who.query else ()).issuperset(who.query) and all(
        _holds(request.headers, name.lower(), value) for name, value in who.headers
    )


def _states(told: Iterable[tuple[str, str]], wanted: Iterable[tuple[str, str]]) -> bool:
    pairs = list(told)
    return all(
        any(name == each and fnmatchcase(value, pattern) for each, value in pairs) for name, pattern in wanted
    )


def _claims(request: Request) -> list[tuple[str, str]]:
    token = bearer_jwt(request.headers)
    return [(name, str(value)) for name, value in token.claims.items()] if token else []


def _fields(request: Request) -> list[tuple[str, str]]:
    return [(_text(name).lower(), _text(value)) for name, value in request.headers]


def _cookies(request: Request) -> list[tuple[str, str]]:
    return [(_text(name), _text(value)) for name, value in cookies(request.headers)]


def _parameters(request: Request) -> list[tuple[str, str]]:
    return [(_text(name), _text(value)) for name, value in query_pairs(request.target)]


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _anyone(request: Request, identities: Sequence[Identity]) -> Identity | None:
    """The identity that takes requests with credentials that are nobody else's."""
    who = next((who for who in identities if who.match.is_anyone), None)
    return who if who is not None and any(credential_values(request)) else None


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
