"""JSON Web Tokens (RFC 7519) as their parts: taken apart, put together, signed."""

from typing import Any, NamedTuple

import msgspec

from shadow.auth.algorithms import JWS_ALGORITHMS, Key
from shadow.auth.credentials import authorization
from shadow.auth.encoding import decode, encode
from shadow.model import Headers


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

    def signed_by(self, key: Key) -> "Jwt":
        """The token as it was encoded, with the signature that `key` makes."""
        return self._replace(signature=encode(key.sign(self.signing_input), "base64url"))

    def is_of(self, key: Key) -> bool:
        """Whether `key` made the signature, and it is written as it must be (RFC 7515 §2)."""
        raw = decode(self.signature, "base64url")
        is_plain = raw is not None and encode(raw, "base64url") == self.signature
        return raw is not None and is_plain and key.verify(self.signing_input, raw)


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


def signed_jwt(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> Jwt | None:
    """A token of these parts signed by the algorithm that `header` states; None where `secret` does not fit.

    `secret` is that of an HMAC, and may be empty there, or a private key in PEM.
    """
    algorithm = JWS_ALGORITHMS.get(str(header.get("alg")))
    key = algorithm.load(secret or b"\0") if algorithm else ""  # HMAC fills keys up with zeros (RFC 2104)
    return None if isinstance(key, str) else unsigned_jwt(header, claims).signed_by(key)


def _json_object(text: bytes) -> dict[str, Any] | None:
    raw = decode(text, "base64url")
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
