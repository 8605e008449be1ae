"""Bearer tokens issued anew, and several schemes as one."""

from random import Random
from typing import Any

import jwt as pyjwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from mutators.signing_key import expired_timestamp, future_timestamp, revoked_key
from shadow.auth import (
    CanonicalScheme,
    SigningKey,
    SigningSettings,
    TokenKey,
    TokenScheme,
    TokenSettings,
    signer_of,
)
from shadow.errors import ConfigError
from shadow.model import Known, Request, Signs, field

SECRET = "a secret of more than thirty-two bytes"
NOW = 1_700_000_000
SETTINGS = TokenSettings(
    keys=(TokenKey("main", secret=SECRET), TokenKey("old", secret=SECRET[::-1], status="revoked"))
)
TOKENS = TokenScheme(SETTINGS)


def asking(claims: dict[str, Any], *, secret: str = SECRET, kid: str | None = None) -> Request:
    headers = None if kid is None else {"kid": kid}
    token = pyjwt.encode(claims, secret, algorithm="HS256", headers=headers)
    return Request(
        b"GET", b"/v1/x", headers=((b"authorization", b"bearer " + token.encode()), (b"Host", b"h"))
    )


def claims_of(request: Request | None, secret: str = SECRET) -> dict[str, Any]:
    assert request is not None
    text = (field(request.headers, b"authorization") or b"").split()[1]
    return pyjwt.decode(
        text, secret, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False}
    )


def test_token_is_issued_anew_with_every_time_moved_alike() -> None:
    request = asking({"sub": "ann", "iat": NOW, "nbf": NOW - 5, "exp": NOW + 600, "n": NOW})
    made = TOKENS.sign(request, at=NOW + 10_000)
    assert claims_of(made) == {
        "sub": "ann",
        "iat": NOW + 10_000,
        "nbf": NOW + 9_995,
        "exp": NOW + 10_600,
        "n": NOW,
    }
    assert TOKENS.stated_time(request) == NOW


def test_genuine_token_is_made_again_byte_for_byte_and_a_forged_one_is_not() -> None:
    genuine = asking({"sub": "ann", "exp": NOW})
    assert TOKENS.sign(genuine) == genuine
    forged = asking({"sub": "ann", "exp": NOW}, secret="x" * 40)
    again = TOKENS.sign(forged)
    assert again is not None
    assert field(again.headers, b"authorization") != field(forged.headers, b"authorization")


@pytest.mark.parametrize(
    ("claims", "kid", "key", "stated"),
    [
        ({"exp": NOW}, None, "main", NOW),
        ({"exp": NOW, "iat": NOW - 60}, "main", "main", NOW - 60),
        ({"exp": NOW}, "old", "old", NOW),
        ({"exp": NOW}, "stranger", None, None),
        ({"iat": NOW}, None, "main", None),
        ({"exp": True}, None, "main", None),
        ({"exp": 1e300}, None, "main", None),
    ],
)
def test_key_and_time_that_a_token_states(
    claims: dict[str, Any], kid: str | None, key: str | None, stated: float | None
) -> None:
    request = asking(claims, kid=kid)
    assert TOKENS.key_id(request) == key
    assert TOKENS.stated_time(request) == stated


def test_token_of_an_algorithm_without_a_key_is_nobodys() -> None:
    token = pyjwt.encode({"exp": NOW}, SECRET * 2, algorithm="HS512").encode()
    request = Request(b"GET", b"/", headers=((b"Authorization", b"Bearer " + token),))
    assert TOKENS.key_id(request) is None
    assert TOKENS.sign(request, at=NOW) is None
    assert TOKENS.sign(Request(b"GET", b"/"), key="main") is None


def test_token_signed_by_a_private_key_is_issued_anew() -> None:
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    scheme = TokenScheme(
        TokenSettings(keys=(TokenKey("k", algorithm="EdDSA", secret_file="key.pem"),)), {"k": pem}
    )
    token = pyjwt.encode({"sub": "ann", "exp": NOW}, pem, algorithm="EdDSA").encode()
    made = scheme.sign(Request(b"GET", b"/", headers=((b"Authorization", b"Bearer " + token),)), at=NOW + 60)
    assert made is not None
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    text = (field(made.headers, b"authorization") or b"").split()[1]
    options: Any = {"verify_exp": False}
    assert pyjwt.decode(text, public, algorithms=["EdDSA"], options=options)["exp"] == NOW + 60


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (TokenKey("k", algorithm="HS265", secret="x"), "did you mean 'HS256'"),
        (TokenKey("k", algorithm="ES256", secret="x"), "no private key in PEM for ES256"),
        (TokenKey("k", algorithm="RS256", secret="top secret"), "no private key in PEM"),
        (TokenKey("k", status="gone"), "none of active, revoked"),
    ],
)
def test_wrong_settings_are_named_with_the_way_out(key: TokenKey, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        TokenScheme(TokenSettings(keys=(key,)))
    assert "top secret" not in str(raised.value)
    assert "secret='" not in repr(key)


SIGNING = SigningSettings(
    signature="X-Signature",
    key_id="X-Key-Id",
    canonical=("method", "path"),
    keys=(SigningKey("s-1", secret="aa"), SigningKey("s-2", secret="bb", status="revoked")),
)


def test_each_request_is_left_to_the_scheme_that_knows_it() -> None:
    both = signer_of(SIGNING, SETTINGS)
    assert both is not None
    signed = both.sign(Request(b"GET", b"/"), key="s-1")
    bearer = asking({"exp": NOW, "iat": NOW})
    assert signed is not None
    assert both.key_id(signed) == "s-1"
    assert both.key_id(bearer) == "main"
    assert both.key_id(Request(b"GET", b"/")) is None
    assert both.sign(Request(b"GET", b"/")) is None
    assert both.stated_time(signed) is None
    assert both.stated_time(bearer) == NOW
    assert claims_of(both.sign(bearer, at=NOW + 1))["exp"] == NOW + 1
    assert both.keys() == ("s-1", "main")
    assert both.revoked_keys() == ("s-2", "old")
    assert both.places() == {"key_id": "X-Key-Id", "signature": "X-Signature"}
    assert both.sign(bearer, key="s-1") is None, "the token would still speak for itself"
    assert both.sign(signed, key="old") is None


def test_signer_is_as_simple_as_the_settings() -> None:
    assert signer_of(None) is None
    assert isinstance(signer_of(SIGNING), CanonicalScheme)
    assert isinstance(signer_of(None, SETTINGS), TokenScheme)
    resolved = msgspec.structs.replace(SIGNING, keys=(SigningKey("s-1", secret_env="E"),))
    signer = signer_of(resolved, None, {"s-1": "aabb"})
    assert signer is not None
    assert signer.keys() == ("s-1",)


@pytest.mark.parametrize("claims", [{"exp": NOW + 90 * 86_400, "iat": NOW}, {"exp": NOW + 60}])
def test_expired_token_is_expired_however_long_it_lived(claims: dict[str, Any]) -> None:
    signer: Signs = TOKENS
    for seed in range(10):
        edit = expired_timestamp(asking(claims), Random(seed), Known(signer=signer))
        assert edit is not None
        assert claims_of(edit.request)["exp"] < NOW


def test_token_mutants_by_time_and_key() -> None:
    known = Known(signer=signer_of(SIGNING, SETTINGS))
    request = asking({"exp": NOW + 60, "iat": NOW, "sub": "ann"})
    edit = revoked_key(request, Random(1), known)
    assert edit is not None
    assert claims_of(edit.request, SECRET[::-1])["sub"] == "ann"
    assert future_timestamp(request, Random(1), known) is None
