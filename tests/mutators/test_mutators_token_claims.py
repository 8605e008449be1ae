"""Tokens that a configured key signs: claims that must not count, against PyJWT, and odd ones."""

from random import Random
from typing import Any

import jwt as pyjwt
import msgspec
import pytest

from mutators import Mutator, token_claims
from mutators.signing_key import expired_timestamp
from shadow.auth import TokenKey, TokenScheme, TokenSettings
from shadow.auth.jwt import bearer_jwt
from shadow.model import Edit, Exchange, Expect, Identity, Known, Request, Response

SECRET = "a secret of more than thirty-two bytes"
NOW = 1_700_000_000
CLAIMS = {"sub": "ann", "iat": NOW, "exp": 4_000_000_000, "aud": "api", "iss": "https://issuer.test"}
MUTATORS = [one for one in vars(token_claims).values() if isinstance(one, Mutator)]
DENIED = [one for one in MUTATORS if one.expect is Expect.REJECT]
SCHEME = TokenScheme(TokenSettings((TokenKey("main", secret=SECRET),)))


def bearing(claims: dict[str, Any], secret: str = SECRET) -> Request:
    return Request(
        b"GET", b"/v1/x", headers=((b"Authorization", b"Bearer " + pyjwt.encode(claims, secret).encode()),)
    )


ASKED = bearing(CLAIMS)
STALE = Exchange(
    0, "har", "s", 0.0, bearing(CLAIMS | {"iat": NOW - 90_000, "exp": NOW - 80_000}), Response(200)
)
OWNED = Known(owner=Identity("ann", headers=ASKED.headers), signer=SCHEME, others=(STALE,))


def takes(request: Request) -> bool:
    try:
        return bool(
            pyjwt.decode(
                request.headers[0][1].decode("latin-1")[7:],
                SECRET,
                algorithms=["HS256"],
                audience="api",
                issuer="https://issuer.test",
            )
        )
    except pyjwt.InvalidTokenError:
        return False


def edits(one: Mutator, known: Known = OWNED, request: Request = ASKED) -> list[Edit]:
    made = (one(request, Random(seed), known) for seed in range(40))
    return [edit for edit in made if edit is not None]


@pytest.mark.parametrize("one", [*DENIED, expired_timestamp], ids=lambda one: one.name)
def test_what_must_be_denied_is_denied_by_a_service_that_checks(one: Mutator) -> None:
    assert takes(ASKED)
    made = edits(one)
    assert made
    assert not [edit.what for edit in made if takes(edit.request)]
    assert not any(edit.signs_again for edit in made)


@pytest.mark.parametrize("one", MUTATORS, ids=lambda one: one.name)
def test_signature_is_right_all_the_same(one: Mutator) -> None:
    assert edits(one)
    assert all(SCHEME.verifies(edit.request) for edit in edits(one))


@pytest.mark.parametrize("one", MUTATORS, ids=lambda one: one.name)
def test_without_a_key_nothing_is_signed(one: Mutator) -> None:
    known = msgspec.structs.replace(OWNED, signer=None)
    assert edits(one, known) == [] or one.name == "jwt_expired_in_traffic"
    assert edits(one, request=Request(b"GET", b"/")) == []


def test_without_an_owner_no_denial_is_stated() -> None:
    nobody = msgspec.structs.replace(OWNED, owner=None)
    for one in (*DENIED, expired_timestamp):
        assert not any(edit.is_stated for edit in edits(one, nobody)), one.name
    assert all(edit.is_stated for edit in edits(expired_timestamp))


def test_odd_claims_are_many() -> None:
    told = [bearer_jwt(edit.request.headers) for edit in edits(token_claims.jwt_claims_resigned)]
    assert len({str(token.claims) for token in told if token is not None}) > 8
