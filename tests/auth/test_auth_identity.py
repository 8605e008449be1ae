"""Credentials and identities: recognised, taken off, put on."""

from random import Random

import jwt as pyjwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from shadow.auth import CanonicalScheme, SigningKey, SigningSettings
from shadow.auth.basic import read_basic, write_basic
from shadow.auth.credentials import credential_names, only_credential, stripped
from shadow.auth.encoding import ENCODINGS, Written, decode, encode, written
from shadow.auth.identity import allows, as_identity, is_public, owner_of
from shadow.auth.jwt import bearer_jwt, read_jwt, signed_jwt, unsigned_jwt
from shadow.model import Headers, Identity, Request, field

SECRET = b"a secret of thirty-two bytes or so"


def token(**claims: object) -> bytes:
    return pyjwt.encode(dict(claims), SECRET, algorithm="HS256").encode()


def bearer(**claims: object) -> tuple[bytes, bytes]:
    return (b"Authorization", b"Bearer " + token(**claims))


SCHEME = CanonicalScheme(
    SigningSettings(
        signature="X-Signature",
        key_id="X-Key-Id",
        timestamp="X-Timestamp",
        nonce="X-Nonce",
        canonical=("method", "target", "timestamp", "nonce"),
        keys=(SigningKey("k-ann", secret="aa" * 32), SigningKey("k-bob", secret="bb" * 32)),
    )
)
ANN = Identity("ann", "owner", 40, key="k-ann", tenant="a")
BOB = Identity("bob", "owner", 40, key="k-bob", tenant="b", may=("GET *", "POST */start"))
CAT = Identity("cat", "reader", 10, headers=((b"Authorization", b"Bearer " + token(sub="cat", exp=1)),))
DAN = Identity("dan", "reader", 10, headers=((b"Authorization", write_basic(b"dan", b"pass")),))
EVE = Identity("eve", "reader", 10, headers=((b"Cookie", b"session=eve-1; tag=x"),))
FAY = Identity("fay", "service", 5, headers=((b"X-Api-Key", b"fay-key"), (b"X-Team", b"blue")))
GUS = Identity("gus", "service", 5, headers=((b"X-Api-Key", b"fay-key"),))
NOBODY = Identity("nobody", may=("GET /health",))
ALL = (ANN, BOB, CAT, DAN, EVE, FAY, GUS, NOBODY)


def signed_by(key: str) -> Request:
    made = SCHEME.sign(Request(b"GET", b"/v1/x/7?a=1", headers=((b"Host", b"h"),)), key=key, at=5, nonce="n")
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("headers", "owner"),
    [
        pytest.param(signed_by("k-bob").headers, BOB, id="by signing key"),
        pytest.param((*signed_by("k-ann").headers, *CAT.headers), ANN, id="the key before all else"),
        pytest.param((bearer(sub="cat", exp=2),), CAT, id="another token of the same subject"),
        pytest.param((bearer(sub="ann"),), ANN, id="a subject that is an identity's name"),
        pytest.param((bearer(sub="k-bob"),), BOB, id="a subject that is an identity's key"),
        pytest.param(((b"authorization", write_basic(b"dan", b"other")),), DAN, id="Basic by its user"),
        pytest.param(((b"Cookie", b"a=b; tag=x;session=eve-1"),), EVE, id="cookies among others"),
        pytest.param(((b"x-api-key", b"fay-key"), (b"X-Team", b"blue")), FAY, id="most fields win"),
        pytest.param(((b"x-api-key", b"fay-key"), (b"X-Team", b"red")), GUS, id="all fields must be there"),
        pytest.param(((b"Cookie", b"session=eve-2; tag=x"),), None, id="another session"),
        pytest.param((bearer(sub="zoe"),), None, id="an unknown subject"),
        pytest.param((bearer(sub=5),), None, id="a subject that is no text"),
        pytest.param((), None, id="no credentials"),
    ],
)
def test_owner_is_recognised_by_credentials(headers: Headers, owner: Identity | None) -> None:
    assert owner_of(Request(b"GET", b"/", headers=headers), ALL, SCHEME) == owner


@pytest.mark.parametrize("who", [BOB, CAT, DAN, EVE, FAY])
@pytest.mark.parametrize("owner", [ANN, CAT, EVE])
def test_request_becomes_another_identitys_own(owner: Identity, who: Identity) -> None:
    headers = signed_by("k-ann").headers if owner is ANN else owner.headers
    request = Request(b"GET", b"/v1/x/7?a=1", headers=((b"Host", b"h"), *headers))
    made = as_identity(request, who, SCHEME)
    assert made is not None
    assert owner_of(made, ALL, SCHEME) == who
    assert made.target == request.target
    assert field(made.headers, b"host") == b"h"
    kept = set() if who is owner else {value for _, value in headers}
    assert not kept & {value for _, value in made.headers if len(value) > 8}
    if who is BOB:
        assert SCHEME.verifies(made) is True


def test_signed_request_keeps_time_and_nonce_under_another_key() -> None:
    made = as_identity(signed_by("k-ann"), BOB, SCHEME)
    assert made is not None
    assert SCHEME.stated_time(made) == 5
    assert field(made.headers, b"x-nonce") == b"n"


def test_identity_whose_key_cannot_sign_is_none() -> None:
    request = signed_by("k-ann")
    assert as_identity(request, Identity("x", key="unknown"), SCHEME) is None
    assert as_identity(request, BOB, None) is None


def test_anonymous_identity_leaves_no_credential() -> None:
    headers = (*signed_by("k-ann").headers, *CAT.headers, *EVE.headers, (b"Accept", b"*/*"))
    request = Request(b"GET", b"/p?api_key=1&b=2&ACCESS_TOKEN=3", headers=headers)
    made = as_identity(request, NOBODY, SCHEME)
    assert made == Request(b"GET", b"/p?b=2", headers=((b"Host", b"h"), (b"Accept", b"*/*")))


@pytest.mark.parametrize(
    ("who", "method", "target", "answer"),
    [
        (BOB, b"GET", b"/any/thing?x", True),
        (BOB, b"POST", b"/v1/x/7/start?force=1", True),
        (BOB, b"POST", b"/v1/x/7/stop", False),
        (BOB, b"HEAD", b"/", False),
        (ANN, b"GET", b"/", None),
        (NOBODY, b"GET", b"http://h/health", True),
    ],
)
def test_may_is_matched_on_method_and_path(
    who: Identity, method: bytes, target: bytes, answer: bool | None
) -> None:
    assert allows(who, Request(method, target)) is answer


def test_public_is_what_the_identity_without_credentials_may() -> None:
    assert is_public(Request(b"GET", b"/health"), ALL)
    assert not is_public(Request(b"GET", b"/v1/x"), ALL)
    assert not is_public(Request(b"GET", b"/health"), (ANN, Identity("silent")))


def test_one_credential_stays_in_its_place() -> None:
    headers = (
        (b"A", b"1"),
        (b"X-Api-Key", b"old"),
        (b"Cookie", b"c=d"),
        (b"B", b"2"),
        (b"x-api-key", b"more"),
    )
    made = only_credential(Request(b"GET", b"/", headers=headers), b"x-api-key", b"new", None)
    assert made.headers == ((b"A", b"1"), (b"X-Api-Key", b"new"), (b"B", b"2"))


def test_credential_fields_are_known_by_name() -> None:
    headers = ((b"COOKIE", b"a"), (b"Accept", b"b"), (b"X-API-Key", b"c"), (b"Cookie", b"d"))
    assert credential_names(Request(b"GET", b"/", headers=headers)) == (b"cookie", b"x-api-key")


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_token_signed_by_a_secret_verifies(algorithm: str) -> None:
    key = SECRET * 3
    made = signed_jwt({"alg": algorithm, "typ": "JWT"}, {"sub": "ann"}, key)
    assert made is not None
    assert pyjwt.decode(made.text(), key, algorithms=[algorithm]) == {"sub": "ann"}


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_token_signed_by_a_private_key_verifies(algorithm: str) -> None:
    private = (
        ec.generate_private_key(ec.SECP256R1())
        if algorithm == "ES256"
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    made = signed_jwt({"alg": algorithm}, {"sub": "ann"}, pem)
    assert made is not None
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert pyjwt.decode(made.text(), public, algorithms=[algorithm]) == {"sub": "ann"}


@pytest.mark.parametrize("header", [{"alg": "RS256"}, {"alg": "none"}, {"alg": 5}, {}])
def test_token_that_the_key_does_not_fit_is_none(header: dict[str, object]) -> None:
    assert signed_jwt(header, {}, b"not a private key") is None


def test_token_is_taken_apart_and_put_together() -> None:
    text = token(sub="ann", n=1)
    read = read_jwt(text)
    assert read is not None
    assert read.header == {"alg": "HS256", "typ": "JWT"}
    assert read.claims == {"sub": "ann", "n": 1}
    assert read.text() == text
    assert unsigned_jwt({"alg": "none"}, {}).text().endswith(b".")


def test_basic_is_read_and_written() -> None:
    assert read_basic(((b"Authorization", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),)) == (
        b"Aladdin",
        b"open sesame",
    )
    assert write_basic(b"Aladdin", b"open sesame") == b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617 §2
    assert read_basic(((b"Authorization", b"Basic !"),)) is None
    assert read_basic(((b"Authorization", b"Basic QQ=="),)) is None


@given(
    st.binary(min_size=16, max_size=70),
    st.sampled_from(ENCODINGS),
    st.sampled_from([b"", b"sha256=", b"v1,"]),
)
def test_written_signature_reads_back(raw: bytes, encoding: str, prefix: bytes) -> None:
    assert decode(encode(raw, encoding), encoding) == raw
    value = Written(prefix, raw, encoding).text()
    read = written(value)
    assert read is not None
    if encoding == "hex":
        assert read == (prefix, raw, "hex")
    assert read.text().rstrip(b"=") == value.rstrip(b"=")


fields_of_any_kind = st.lists(
    st.tuples(
        st.sampled_from([b"Authorization", b"Cookie", b"X-Api-Key", b"X-Signature", b"X-Key-Id", b"Host"]),
        st.one_of(
            st.binary(max_size=30),
            st.builds(lambda raw: b"Bearer " + raw, st.binary(max_size=30)),
            st.builds(lambda raw: b"Basic " + raw, st.binary(max_size=30)),
            st.just(b"Bearer " + token(sub="cat")),
            st.just(b"Bearer " + encode(b"[" * 5_000, "base64url") + b".e30.x"),
        ),
    ),
    max_size=6,
).map(tuple)


@given(fields_of_any_kind, st.binary(max_size=20), st.integers(0, len(ALL) - 1))
def test_no_request_breaks_recognition_or_swapping(headers: Headers, target: bytes, at: int) -> None:
    request = Request(b"GET", target, headers=headers)
    owner_of(request, ALL, SCHEME)
    bearer_jwt(headers)
    made = as_identity(request, ALL[at], SCHEME)
    assert made is not None
    assert not credential_names(stripped(request, SCHEME))
    if ALL[at] is not NOBODY:
        assert owner_of(made, ALL, SCHEME) == ALL[at]


def test_identities_are_plain_values() -> None:
    assert msgspec.json.decode(msgspec.json.encode(ANN), type=Identity) == ANN
    assert Random(1).choice(ALL) in ALL
