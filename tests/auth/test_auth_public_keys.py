"""Public keys as services publish them, key pairs that are nobody's, and the second form of a signature."""

import json
from base64 import b64decode, b64encode

import jwt as pyjwt
import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from shadow.auth.ecdsa import negated
from shadow.auth.jwt import unsigned_jwt
from shadow.auth.nobody import nobody_for
from shadow.auth.public_keys import as_secrets, of_certificate, public_of, published

RSA = rsa.generate_private_key(65_537, 2_048)
CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
EC = {name: ec.generate_private_key(curve) for name, curve in CURVES.items()}
PEM = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
JWKS = {"keys": [pyjwt.algorithms.RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True), {"kty": "oct"}]}
EC_JWK = pyjwt.algorithms.ECAlgorithm.to_jwk(EC["P-384"].public_key(), as_dict=True)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(JWKS).encode(),
        json.dumps(JWKS["keys"][0]).encode(),
        PEM,
        json.dumps({"key": PEM.decode()}).encode(),
    ],
    ids=["a set", "one key", "PEM", "PEM in JSON"],
)
def test_published_key_is_read_in_every_form(body: bytes) -> None:
    (key,) = published(body)
    assert as_secrets(key)[0] == PEM


def test_elliptic_key_is_read() -> None:
    (key,) = published(json.dumps(EC_JWK).encode())
    assert as_secrets(key)[0].startswith(b"-----BEGIN PUBLIC KEY-----")


@given(
    st.binary(max_size=60),
    st.sampled_from([b'{"kty":', b"-----BEGIN PUBLIC KEY-----\n", b'{"keys":[{"kty":"RSA"']),
)
def test_what_is_no_key_gives_none(text: bytes, start: bytes) -> None:
    assert published(start + text) == ()
    assert of_certificate(text.hex()) is None


def test_certificate_of_an_unheard_of_version_gives_none() -> None:
    known = b64decode(nobody_for("RS256").certificate)
    odd = b64encode(known.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1))
    assert of_certificate(odd.decode()) is None
    assert published(b"-----BEGIN CERTIFICATE-----\n" + odd + b"\n-----END CERTIFICATE-----") == ()


def test_public_half_of_a_private_key_is_told() -> None:
    private = RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = public_of(private)
    assert public is not None
    assert PEM in as_secrets(public)
    assert public_of(b"a secret") is None


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "ES384", "EdDSA", "HS256", "HS512", "odd"])
def test_nobodys_key_signs_what_its_published_half_verifies(algorithm: str) -> None:
    nobody = nobody_for(algorithm)
    token = unsigned_jwt({"alg": nobody.algorithm}, {"sub": "ann"}).signed_by(nobody.key)
    key = pyjwt.PyJWK(nobody.jwk, algorithm=nobody.algorithm)
    assert pyjwt.decode(token.text(), key, algorithms=[nobody.algorithm]) == {"sub": "ann"}
    if nobody.certificate and "K" not in nobody.jwk["kty"]:
        assert of_certificate(nobody.certificate) is not None
    assert nobody_for(algorithm) == nobody


def test_nobodys_certificate_holds_its_own_key() -> None:
    made = x509.load_der_x509_certificate(b64decode(nobody_for("RS256").certificate))
    made.verify_directly_issued_by(made)


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("is_der", [True, False], ids=["DER", "two numbers"])
def test_negated_signature_is_another_valid_one(name: str, *, is_der: bool) -> None:
    key, size = EC[name], (CURVES[name].key_size + 7) // 8
    for message in (b"a", b"b", b"c"):
        der = key.sign(message, ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(der)
        raw = der if is_der else r.to_bytes(size) + s.to_bytes(size)
        made = negated(raw)
        assert made is not None
        assert made != raw
        if not is_der:
            made = encode_dss_signature(int.from_bytes(made[:size]), int.from_bytes(made[size:]))
        key.public_key().verify(made, message, ec.ECDSA(hashes.SHA256()))
        with pytest.raises(InvalidSignature):
            key.public_key().verify(made, b"other", ec.ECDSA(hashes.SHA256()))


@given(st.binary(max_size=140))
def test_any_bytes_are_negated_or_left(raw: bytes) -> None:
    made = negated(raw)
    assert made is None or made != raw
