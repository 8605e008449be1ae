"""JSON Web Tokens that a configured key signs, saying what must not count or is a service's own affair."""

from collections.abc import Mapping
from random import Random
from typing import Any

import msgspec

from mutators._contract import mutator
from mutators._forging import recorded_tokens
from mutators._spoils import owned
from shadow.auth.identity import is_public
from shadow.auth.jwt import Jwt, bearer_jwt, read_jwt, unsigned_jwt
from shadow.model import Edit, Expect, Known, Level, Request

_FAR = 4_102_444_800
"""In the year 2100."""
_HOUR_SECONDS = 3_600


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_not_yet_valid(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Before the time in "nbf" a token must not be accepted (RFC 7519 §4.1.5)."""
    return _resigned(request, known, {"nbf": _FAR, "exp": _FAR + _HOUR_SECONDS}, "set 'nbf' to the year 2100")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_for_other_audience(request: Request, rng: Random, known: Known) -> Edit | None:
    """A service that is not in the audience that a token states must reject it (RFC 7519 §4.1.3)."""
    token = bearer_jwt(request.headers)
    if token is None or "aud" not in token.claims:
        return None
    other = rng.choice(("https://other.invalid", ["https://other.invalid"], [], ""))
    return _resigned(request, known, {"aud": other}, f"set the audience to {other!r}")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_of_other_issuer(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A key belongs to its issuer: under another's name it must not be taken (RFC 8725 §3.8)."""
    token = bearer_jwt(request.headers)
    if token is None or "iss" not in token.claims:
        return None
    return _resigned(request, known, {"iss": "https://other.invalid"}, "set another issuer")


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_with_critical_extension(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A verifier must reject what "crit" names and it does not understand, however validly signed (RFC 7515
    §4.1.11)."""
    extension = {"crit": ["urn:example:unheard-of"], "urn:example:unheard-of": True}
    return _resigned(request, known, {}, "demanded an extension that nobody knows", extension)


@mutator(level=Level.AUTH, expect=Expect.REJECT)
def jwt_expired_in_traffic(request: Request, rng: Random, known: Known) -> Edit | None:
    """A recorded token whose expiry lies before the issue of a later one has expired, and must be refused
    (RFC 7519 §4.1.4)."""
    own = bearer_jwt(request.headers)
    issued = _time(own, "iat") if own else None
    if known.owner is None or issued is None:
        return None
    stale = [
        text
        for text in recorded_tokens(known)
        if (token := read_jwt(text)) is not None
        and (expiry := _time(token, "exp")) is not None
        and expiry + _HOUR_SECONDS < issued
    ]
    if not stale:
        return None
    taken = rng.choice(stale)
    what = "put a recorded token that has expired"
    return owned(lambda _name, _value, _dice: (b"Bearer " + taken, what), request, rng, known)


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def jwt_claims_resigned(request: Request, rng: Random, known: Known) -> Edit | None:
    """What a service makes of odd claims in a validly signed token is its own affair (RFC 7519 §4), but both
    of its versions must do alike."""
    token = bearer_jwt(request.headers)
    if token is None:
        return None
    odd: tuple[Mapping[str, Any], ...] = (
        {"exp": None},
        {"exp": str(_FAR)},
        {"exp": "never"},
        {"exp": -1},
        {"exp": 1e300},
        {"exp": _FAR},
        {"iat": _FAR},
        {"iat": "now"},
        {"nbf": "0"},
        {"sub": ""},
        {"sub": "nobody-0"},
        {"sub": 0},
        {"sub": ["a"]},
        {"jti": ""},
        {"scope": ""},
        {"scope": "*"},
        {"role": "admin"},
        {"roles": []},
        {"admin": True},
        {"tenant": "other"},
    )
    edits = [edit for edit in odd if any(token.claims.get(name) != value for name, value in edit.items())]
    edit = rng.choice(edits)
    return _resigned(request, known, edit, f"signed with {msgspec.json.encode(edit).decode()}")


@mutator(level=Level.AUTH, expect=Expect.AGREE)
def jwt_header_resigned(request: Request, rng: Random, known: Known) -> Edit | None:
    """Types and hints in the header may be read or not (RFC 8725 §3.11), by both versions alike."""
    odd: tuple[Mapping[str, Any], ...] = (
        {"typ": "at+jwt"},
        {"typ": "refresh"},
        {"typ": ""},
        {"cty": "JWT"},
        {"x": "y" * 2_000},
        {"crit": []},
    )
    edit = rng.choice(odd)
    return _resigned(request, known, {}, f"signed with the header's {next(iter(edit))!r} edited", edit)


def _resigned(
    request: Request,
    known: Known,
    claims: Mapping[str, Any],
    what: str,
    header: Mapping[str, Any] | None = None,
) -> Edit | None:
    """The request with these claims in its token, validly signed; a claim that is None goes. None where there
    is no token of a configured key."""
    token = bearer_jwt(request.headers)
    if token is None or known.signer is None or is_public(request, known.identities):
        return None
    merged = {**token.claims, **claims}
    kept = {name: value for name, value in merged.items() if value is not None or name not in claims}
    edited = _with_token(request, unsigned_jwt({**token.header, **(header or {})}, kept))
    made = known.signer.sign(edited)
    if made is None or made == request or known.signer.verifies(made) is not True:
        return None
    return Edit(made, what, signs_again=False, is_stated=known.owner is not None)


def _with_token(request: Request, token: Jwt) -> Request:
    headers = tuple(
        (name, b"Bearer " + token.text() if name.lower() == b"authorization" else value)
        for name, value in request.headers
    )
    return msgspec.structs.replace(request, headers=headers)


def _time(token: Jwt, claim: str) -> float | None:
    """The Unix time that a claim states; None where it states none."""
    value = token.claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 < value < _FAR else None
