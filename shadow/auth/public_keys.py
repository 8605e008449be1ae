"""Public keys of others, as services publish them, in the forms in which they are mistaken for secrets."""

import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator
from typing import Any

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

_MAX_KEYS = 4
_MAX_BYTES = 65_536
_PEM = re.compile(rb"-----BEGIN (PUBLIC KEY|CERTIFICATE)-----.{40,8000}?-----END \1-----", re.DOTALL)
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What comes of keys and certificates that others made."""
_CURVES = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}

type _Public = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def published(body: bytes) -> tuple[_Public, ...]:
    """The RSA and EC keys in a document: a JWK Set (RFC 7517 §5), or PEM; a few at most."""
    if b'"kty"' in body[:_MAX_BYTES]:
        return tuple(_of_set(body))
    return tuple(_of_pem(body)) if b"-----BEGIN " in body[:_MAX_BYTES] else ()


def public_of(secret: bytes) -> _Public | None:
    """The public half of a private key in PEM; None for anything else."""
    try:
        private = load_pem_private_key(secret, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return private.public_key()
    return None


def as_secrets(key: _Public) -> tuple[bytes, ...]:
    """The texts of a public key that a careless verifier gives to HMAC (CVE-2015-9256)."""
    info = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    texts = [info, info.rstrip(b"\n"), key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    if isinstance(key, rsa.RSAPublicKey):
        texts.append(key.public_bytes(Encoding.PEM, PublicFormat.PKCS1))
    return tuple(texts)


def _of_set(body: bytes) -> Iterator[_Public]:
    try:
        tree = msgspec.json.decode(body[:_MAX_BYTES])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    found = tree.get("keys", [tree]) if isinstance(tree, dict) else []
    for jwk in found[:_MAX_KEYS] if isinstance(found, list) else ():
        key = _of_jwk(jwk) if isinstance(jwk, dict) else None
        if key is not None:
            yield key


def _of_jwk(jwk: dict[str, Any]) -> _Public | None:
    try:
        if jwk.get("kty") == "RSA":
            return rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
        if jwk.get("kty") == "EC" and (curve := _CURVES.get(jwk["crv"])) is not None:
            return ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), curve).public_key()
    except (KeyError, ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
        return None
    return None


def _of_pem(body: bytes) -> Iterator[_Public]:
    # a PEM inside JSON has its line ends escaped
    text = body[:_MAX_BYTES].replace(b"\\n", b"\n").replace(b"\\r", b"")
    for at, found in enumerate(_PEM.finditer(text)):
        if at == _MAX_KEYS:
            return
        try:
            is_certificate = found[1] == b"CERTIFICATE"
            key: object = (
                x509.load_pem_x509_certificate(found[0]).public_key()
                if is_certificate
                else load_pem_public_key(found[0])
            )
        except _UNREADABLE:
            continue
        if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            yield key


def of_certificate(text: str) -> _Public | None:
    """The key of a certificate in DER and base64, as ``x5c`` has it (RFC 7515 §4.1.6)."""
    try:
        key = x509.load_der_x509_certificate(b64decode(text)).public_key()
    except _UNREADABLE:
        return None
    return key if isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) else None


def _number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
