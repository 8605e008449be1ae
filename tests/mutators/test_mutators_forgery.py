"""Forged credentials without any settings, against a service that checks and against careless ones."""

import base64
import hmac
import json
from collections.abc import Callable
from random import Random
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mutators._forging import FORGERIES, key_confused, public_texts, token_in
from mutators._spoiling import Spoiling
from mutators.forgery import forged_token_taken, odd_credential_taken, self_signed_token_taken
from shadow.auth.jwt import read_jwt
from shadow.model import Exchange, Known, Request, Response, Script, field

SECRET = "a secret of more than thirty-two bytes"
RSA = rsa.generate_private_key(65_537, 2_048)
CLAIMS = {"sub": "ann", "role": "user", "exp": 4_000_000_000}
TOKENS = {"HS256": pyjwt.encode(CLAIMS, SECRET), "RS256": pyjwt.encode(CLAIMS, RSA, "RS256")}
JWKS = json.dumps({"keys": [pyjwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)]}).encode()
PUBLISHED = Exchange(0, "har", "t", 0.0, Request(b"GET", b"/jwks.json"), Response(200, body=JWKS))


def strict(text: str) -> bool:
    try:
        key: Any = SECRET if pyjwt.get_unverified_header(text)["alg"] == "HS256" else RSA.public_key()
        return bool(pyjwt.decode(text, key, algorithms=["HS256", "RS256"]))
    except (pyjwt.InvalidTokenError, ValueError, KeyError, TypeError):
        return False


def takes_none(text: str) -> bool:
    return str(_header(text).get("alg", "none")).strip().lower() in ("none", "") or strict(text)


def reads_alone(text: str) -> bool:
    """Never looks at a signature that is not there."""
    return text.endswith(".") or text.count(".") == 1 or strict(text)


def trusts_jwk(text: str) -> bool:
    header = _header(text)
    if "jwk" not in header:
        return strict(text)
    try:
        return bool(
            pyjwt.decode(
                text, pyjwt.PyJWK(header["jwk"], algorithm=header["alg"]), algorithms=[header["alg"]]
            )
        )
    except pyjwt.InvalidTokenError:
        return False


def takes_public_key(text: str) -> bool:
    """As libraries did to which one key was given for all algorithms."""
    public = public_texts(_parsed(text), Known(others=(PUBLISHED,)))
    return strict(text) or any(_is_hmac(text, each) for each in public)


def knows_no_range(text: str) -> bool:
    return set(text.rpartition(".")[2]) == {"A"} or strict(text)


def has_weak_secret(text: str) -> bool:
    weak = (b"secret", b"password", b"changeme", b"key", b"\0")
    return strict(text) or any(_is_hmac(text, each) for each in weak)


CARELESS: dict[str, Callable[[str], bool]] = {
    "none": takes_none,
    "no algorithm": takes_none,
    "stripped": reads_alone,
    "zeroed": knows_no_range,
    "weak secret": has_weak_secret,
    "jwk": trusts_jwk,
    "kid of a file": has_weak_secret,
}


def _header(text: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text.partition(".")[0] + "=="))
    except ValueError:
        return {"alg": "?"}
    return found if isinstance(found, dict) else {"alg": "?"}


def _parsed(text: str) -> Any:
    return read_jwt(text.encode()) or read_jwt(TOKENS["RS256"].encode())


def _is_hmac(text: str, secret: bytes) -> bool:
    signed, _, signature = text.encode().rpartition(b".")
    made = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
    return made == signature


def forged(way: str, algorithm: str) -> list[str]:
    token = read_jwt(TOKENS[algorithm].encode())
    assert token is not None
    made = (FORGERIES[way](token, Random(seed)) for seed in range(80))
    return [each[0].decode("latin-1") for each in made if each is not None]


@pytest.mark.parametrize("algorithm", TOKENS)
@pytest.mark.parametrize("way", FORGERIES)
def test_forged_token_is_taken_by_no_service_that_checks(way: str, algorithm: str) -> None:
    assert strict(TOKENS[algorithm])
    made = forged(way, algorithm)
    assert made or (way, algorithm) == ("x5c", "HS256")
    assert not [text for text in made if strict(text)]


@pytest.mark.parametrize("way", CARELESS)
def test_careless_service_takes_some(way: str) -> None:
    assert any(CARELESS[way](text) for algorithm in TOKENS for text in forged(way, algorithm))


def test_public_key_out_of_recorded_answers_is_tried_as_a_secret() -> None:
    token = read_jwt(TOKENS["RS256"].encode())
    assert token is not None
    public = public_texts(token, Known(others=(PUBLISHED,)))
    made = [key_confused(token, Random(seed), public) for seed in range(20)]
    texts = {each[0].decode() for each in made if each is not None}
    assert texts
    assert all(takes_public_key(text) and not strict(text) for text in texts)
    assert key_confused(token, Random(1), ()) is None


def session(*headers: tuple[bytes, bytes]) -> list[Exchange]:
    return [Exchange(0, "har", "s", 0.0, Request(b"GET", b"/v1/x", headers=headers), Response(200))]


JWT = (b"Authorization", b"Bearer " + TOKENS["RS256"].encode())
OPAQUE = (b"X-Api-Key", b"k-0123456789abcdef")


def answers(script: Script, takes: Callable[[Request], bool]) -> list[bool]:
    found = []
    for step in script.steps:
        sent = step.edit(step.request) if step.edit is not None else step.request
        found.append(sent is not None and takes(sent))
    return found


def by_token(check: Callable[[str], bool]) -> Callable[[Request], bool]:
    return lambda request: check((field(request.headers, b"authorization") or b"").decode("latin-1")[7:])


@pytest.mark.parametrize("one", [forged_token_taken, self_signed_token_taken], ids=lambda one: one.name)
def test_script_ends_with_what_a_checking_service_refuses(one: Any) -> None:
    script = one(session(JWT), Random(3), Known(others=(PUBLISHED,)))
    assert script is not None
    assert script.refused == (0, 1)
    assert len(script.judged) > 7
    assert not any(answers(script, by_token(strict)))
    assert script == one(session(JWT), Random(3), Known(others=(PUBLISHED,)))


@pytest.mark.parametrize(
    ("one", "careless"),
    [
        (forged_token_taken, takes_none),
        (forged_token_taken, reads_alone),
        (self_signed_token_taken, trusts_jwk),
        (self_signed_token_taken, takes_public_key),
    ],
    ids=["none", "unsigned", "jwk", "public key"],
)
def test_careless_service_shows_in_one_script(one: Any, careless: Callable[[str], bool]) -> None:
    script = one(session(JWT), Random(3), Known(others=(PUBLISHED,)))
    found = answers(script, by_token(careless))
    assert not any(found[at] for at in script.refused)
    assert any(found[at] for at in script.judged)


def test_part_of_a_key_is_tried_where_a_wrong_one_is_refused() -> None:
    script = odd_credential_taken(session(OPAQUE), Random(1), Known())
    assert script is not None

    def takes(request: Request) -> bool:
        key = field(request.headers, b"x-api-key")
        return key is not None and OPAQUE[1].startswith(key)

    found = answers(script, takes)
    assert not any(found[at] for at in script.refused)
    assert any(found[at] for at in script.judged)


@pytest.mark.parametrize(
    "headers",
    [(), (JWT, OPAQUE), ((b"Cookie", b"sid=1"),), ((b"Authorization", b"Basic YTpi"),)],
    ids=["none", "two", "cookies", "basic"],
)
def test_what_cannot_be_told_apart_is_left_alone(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    for one in (forged_token_taken, self_signed_token_taken, odd_credential_taken):
        assert one(session(*headers), Random(1), Known()) is None


def test_token_in_a_cookie_is_forged_there() -> None:
    cookie = (b"Cookie", b"theme=dark; token=" + TOKENS["HS256"].encode() + b"; x=1")
    script = forged_token_taken(session(cookie), Random(1), Known())
    assert script is not None
    sent = script.steps[-1].edit and script.steps[-1].edit(script.steps[-1].request)
    assert sent is not None
    value = field(sent.headers, b"cookie") or b""
    assert value.startswith(b"theme=dark; token=")
    assert value.endswith(b"; x=1")
    assert token_in(value) is None or TOKENS["HS256"].encode() not in value


def test_request_without_the_field_is_not_sent() -> None:
    assert Spoiling(b"x-api-key", "garbled", 1)(Request(b"GET", b"/")) is None
