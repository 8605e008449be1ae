"""Token mutators against services that check their credentials, and against ones with a defect each."""

import json
from random import Random
from typing import Any

import jwt as pyjwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import example, given
from hypothesis import strategies as st

from mutators import token, token_forged
from mutators._contract import Mutator
from shadow.auth.basic import read_basic, write_basic
from shadow.auth.credentials import cookies
from shadow.auth.scheme import CanonicalScheme
from shadow.auth.settings import SigningSettings
from shadow.model import Edit, Exchange, Expect, Headers, Identity, Known, Request, Response, field, fields

SECRET = "a secret of more than thirty-two bytes"
MUTATORS = {
    one.name: one
    for module in (token, token_forged)
    for one in vars(module).values()
    if isinstance(one, Mutator)
}
REJECTED = [name for name, one in MUTATORS.items() if one.expect is Expect.REJECT]


def request_with(*headers: tuple[bytes, bytes]) -> Request:
    return Request(b"GET", b"/v1/x/7", headers=((b"Host", b"h"), *headers))


JWT = (b"Authorization", b"Bearer " + pyjwt.encode({"sub": "ann", "exp": 2e9}, SECRET).encode())
OPAQUE = (b"authorization", b"Bearer 0123456789abcdef0123456789abcdef")
BASIC = (b"Authorization", write_basic(b"ann", b"pass"))
KEY = (b"X-Api-Key", b"k-0123456789abcdef")
COOKIE = (b"Cookie", b"theme=dark; session=s-0123456789abcdef")
RSA_KEY = rsa.generate_private_key(65_537, 2_048)
RSA_JWT = (b"Authorization", b"Bearer " + pyjwt.encode({"sub": "ann"}, RSA_KEY, "RS256").encode())
OTHER_JWT = (b"Authorization", b"Bearer " + pyjwt.encode({"sub": "bob"}, SECRET).encode())
PUBLISHED = json.dumps({"keys": [pyjwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True)]})
TRAFFIC = (
    Exchange(0, "har", "s", 0.0, Request(b"GET", b"/jwks.json"), Response(200, body=PUBLISHED.encode())),
    Exchange(1, "har", "s", 1.0, Request(b"GET", b"/v1/x/8", headers=(OTHER_JWT,)), Response(200)),
)


CREDENTIALS = {"jwt": JWT, "rsa": RSA_JWT, "opaque": OPAQUE, "basic": BASIC, "key": KEY, "cookie": COOKIE}


def known_for(credential: tuple[bytes, bytes]) -> Known:
    headers: Headers = (
        ((b"Cookie", b"session=s-0123456789abcdef"),) if credential == COOKIE else (credential,)
    )
    return Known(owner=Identity("ann", headers=headers), others=TRAFFIC)


def accepts(request: Request, defect: str = "") -> bool:
    """Whether a service that takes any of the credentials knows who is asking."""
    return (
        field(request.headers, b"x-api-key") == KEY[1]
        or ("prefix" in defect and KEY[1].startswith(next(fields(request.headers, b"x-api-key"), b"-")))
        or (b"session", b"s-0123456789abcdef") in cookies(request.headers)
        or field(request.headers, b"authorization") == OPAQUE[1]
        or read_basic(request.headers) == (b"ann", b"pass")
        or ("password" in defect and (read_basic(request.headers) or b"")[:1] == (b"ann",))
        or _has_valid_token(field(request.headers, b"authorization") or b"", defect)
    )


def _has_valid_token(value: bytes, defect: str) -> bool:
    text = value.removeprefix(b"Bearer ")
    try:
        header = pyjwt.get_unverified_header(text)
        if defect == "none" and str(header["alg"]).lower() == "none":
            return text.endswith(b".")
        if defect == "unchecked":
            return bool(pyjwt.decode(text, options={"verify_signature": False}))
        if defect == "jwk" and "jwk" in header:
            return bool(pyjwt.decode(text, pyjwt.PyJWK(header["jwk"]), algorithms=["HS256"]))
        key: Any = RSA_KEY.public_key() if str(header["alg"])[:2] in ("RS", "PS") else SECRET
        return bool(pyjwt.decode(text, key, algorithms=["HS256", "RS256"]))
    except (pyjwt.InvalidTokenError, ValueError, KeyError):
        return False


def mutants(name: str, credential: tuple[bytes, bytes], attempts: int = 30) -> list[Edit]:
    request, known = request_with(credential), known_for(credential)
    found = (MUTATORS[name](request, Random(n), known) for n in range(attempts))
    return [edit for edit in found if edit is not None]


def test_service_accepts_the_credentials_themselves() -> None:
    assert all(accepts(request_with(credential)) for credential in CREDENTIALS.values())


@pytest.mark.parametrize("name", REJECTED)
def test_checking_service_rejects_every_mutant_that_must_be_rejected(name: str) -> None:
    made = [edit for credential in CREDENTIALS.values() for edit in mutants(name, credential)]
    assert made, "the mutator found nothing to edit in any request"
    assert not [edit.what for edit in made if accepts(edit.request)]


@pytest.mark.parametrize(
    ("defect", "name", "kind"),
    [
        ("none", "jwt_algorithm_none", "jwt"),
        ("unchecked", "jwt_claims_edited", "jwt"),
        ("unchecked", "jwt_signature_flipped", "jwt"),
        ("unchecked", "jwt_signature_stripped", "jwt"),
        ("unchecked", "jwt_signed_with_weak_secret", "jwt"),
        ("unchecked", "jwt_key_id_of_empty_file", "jwt"),
        ("jwk", "jwt_with_own_key_inside", "jwt"),
        ("password", "basic_with_wrong_password", "basic"),
        ("prefix", "credential_truncated", "key"),
        ("prefix", "credential_emptied", "key"),
    ],
)
def test_defect_lets_a_mutant_through(defect: str, name: str, kind: str) -> None:
    assert any(accepts(edit.request, defect) for edit in mutants(name, CREDENTIALS[kind]))


@pytest.mark.parametrize("name", REJECTED)
def test_other_credentials_do_not_carry_a_spoiled_one(name: str) -> None:
    for kind, credential in CREDENTIALS.items():
        others = [other for other in CREDENTIALS.values() if other[0].lower() != credential[0].lower()]
        request = request_with(*others[:2], credential, *others[2:])
        edit = MUTATORS[name](request, Random(1), known_for(credential))
        assert edit is None or not accepts(edit.request), kind


@pytest.mark.parametrize("name", REJECTED)
def test_without_an_owner_no_denial_is_expected(name: str) -> None:
    assert MUTATORS[name](request_with(JWT), Random(1), Known()) is None


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_without_an_owner_credentials_are_spoiled_for_both_versions_to_agree(kind: str) -> None:
    request = request_with(CREDENTIALS[kind])
    edits = [MUTATORS["credential_spoiled"](request, Random(n), Known()) for n in range(40)]
    whats = {edit.what for edit in edits if edit is not None}
    assert len(whats) >= 3
    assert MUTATORS["credential_spoiled"](request, Random(0), known_for(CREDENTIALS[kind])) is None


@pytest.mark.parametrize("name", MUTATORS)
def test_public_and_bare_and_signed_requests_are_left_alone(name: str) -> None:
    anybody = Identity("anybody", may=("GET *",))
    scheme = CanonicalScheme(SigningSettings(signature="S", key_id="K", canonical=("path",)))
    owned = known_for(JWT)
    assert MUTATORS[name](request_with(), Random(1), owned) is None
    if name in REJECTED:
        public = msgspec.structs.replace(owned, identities=(anybody,))
        assert MUTATORS[name](request_with(JWT), Random(1), public) is None
    signed = request_with(JWT, (b"K", b"k"), (b"S", b"00"))
    assert MUTATORS[name](signed, Random(1), msgspec.structs.replace(owned, signer=scheme)) is None


@pytest.mark.parametrize("name", MUTATORS)
def test_reason_says_why_with_its_source(name: str) -> None:
    reason = MUTATORS[name].reason
    assert any(source in reason for source in ("RFC", "CWE", "CVE", "OWASP")) or name == "credential_spoiled"


values = st.one_of(
    st.sampled_from([value for _, value in CREDENTIALS.values()]),
    st.binary(max_size=40),
    st.builds(lambda raw: b"Bearer " + raw, st.binary(max_size=40)),
    st.sampled_from(
        [b"Bearer .e30.", b"Bearer e30.e30.", b"Bearer e30.e30.A", b"Digest username=x, qop=auth", b"="]
    ),
)
hostile = st.lists(
    st.tuples(st.sampled_from([b"Authorization", b"Cookie", b"X-Api-Key", b"authorization"]), values),
    max_size=4,
).map(lambda headers: request_with(*headers))


@example(request_with((b"Authorization", b"\t")), 0, known_for(JWT))
@given(hostile, st.integers(0, 99), st.sampled_from([Known(), *map(known_for, CREDENTIALS.values())]))
def test_any_request_gives_the_same_mutant_twice_and_never_raises(
    request: Request, seed: int, known: Known
) -> None:
    for one in MUTATORS.values():
        edit = one(request, Random(seed), known)
        assert edit == one(request, Random(seed), known)
        assert edit is None or edit.request != request
