"""JSON Web Tokens (RFC 7519) as their parts: taken apart, put together, signed; never verified."""

import hmac
from typing import Any, NamedTuple

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from jwt import InvalidKeyError
from jwt.algorithms import get_default_algorithms

from shadow.auth.credentials import authorization
from shadow.auth.encoding import decode, encode
from shadow.model import Headers

HMAC_DIGESTS = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
KEY_PAIR_ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
REPEATABLE_ALGORITHMS = (*HMAC_DIGESTS, "RS256", "RS384", "RS512", "EdDSA")
"""Those that always make the same signature of the same message (RFC 8017 §8.2, RFC 8032)."""


class Jwt(NamedTuple):
    """A token in JWS compact form, taken apart."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signing_input: bytes
    """Header and claims as they were encoded: ``header.claims``."""
    signature: bytes
    """As encoded; empty where the token is not signed."""

    def text(self) -> bytes:
        return self.signing_input + b"." + self.signature


def bearer_jwt(headers: Headers) -> Jwt | None:
    """The token of an ``Authorization: Bearer`` field; None where there is none in this form."""
    found = authorization(headers)
    return read_jwt(found[1]) if found is not None and found[0] == b"bearer" else None


def read_jwt(token: bytes) -> Jwt | None:
    """`token` taken apart; None when it is no JWT in compact form."""
    parts = token.split(b".")
    if len(parts) != 3:
        return None
    header, claims = _json_object(parts[0]), _json_object(parts[1])
    if header is None or claims is None:
        return None
    return Jwt(header, claims, parts[0] + b"." + parts[1], parts[2])


def unsigned_jwt(header: dict[str, Any], claims: dict[str, Any]) -> Jwt:
    """A token of these parts with an empty signature."""
    text = b".".join(encode(msgspec.json.encode(part), "base64url") for part in (header, claims))
    return Jwt(header, claims, text, b"")


def signed_jwt(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> Jwt | None:
    """A token of these parts signed by the algorithm that `header` states; None where `key` does not fit.

    `key` is the secret of an HMAC, or a private key in PEM.
    """
    return resigned_jwt(unsigned_jwt(header, claims), key)


def resigned_jwt(token: Jwt, key: bytes) -> Jwt | None:
    """`token` as it was encoded, with the signature that `key` makes; None where `key` does not fit."""
    signature = _signature(str(token.header.get("alg")), key, token.signing_input)
    return None if signature is None else token._replace(signature=encode(signature, "base64url"))


def _signature(algorithm: str, key: bytes, message: bytes) -> bytes | None:
    if algorithm in HMAC_DIGESTS:
        return hmac.digest(key, message, HMAC_DIGESTS[algorithm])
    known = get_default_algorithms()
    if algorithm not in KEY_PAIR_ALGORITHMS or algorithm not in known:
        return None
    try:
        return known[algorithm].sign(message, known[algorithm].prepare_key(key))
    except (InvalidKeyError, UnsupportedAlgorithm, ValueError, TypeError):
        return None


def _json_object(text: bytes) -> dict[str, Any] | None:
    raw = decode(text, "base64url")
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
