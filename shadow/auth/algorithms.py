"""The signing algorithms by the names that settings and headers use."""

import hmac
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from coincurve import PrivateKey, PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECP256K1_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""The order of the curve's group (SEC 2 §2.4.1); a signature's s is low when it is at most half of it."""

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the group that Ed25519 works in (RFC 8032 §5.1)."""

RECOVERABLE_BYTES = 65
"""r and s, 32 bytes each and big-endian, and one byte of recovery id."""


class Algorithm(NamedTuple):
    """How to sign a message with a secret, and how to verify that a signature was made so."""

    sign: Callable[[bytes, bytes], bytes]
    """``sign(secret, message)``; the same arguments give the same signature."""
    verify: Callable[[bytes, bytes, bytes], bool]
    """``verify(secret, message, signature)``."""
    flaw: Callable[[bytes], str]
    """What makes a secret unusable, in words; an empty string where nothing does."""


def _sign_hmac(digest: str, secret: bytes, message: bytes) -> bytes:
    return hmac.digest(secret, message, digest)


def _verify_hmac(digest: str, secret: bytes, message: bytes, signature: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(secret, message, digest), signature)


def _flaw_hmac(secret: bytes) -> str:
    return "" if secret else "is empty"


def _sign_ed25519(secret: bytes, message: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(secret).sign(message)


def _verify_ed25519(secret: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PrivateKey.from_private_bytes(secret).public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _flaw_ed25519(secret: bytes) -> str:
    return "" if len(secret) == 32 else f"has {len(secret)} bytes where 32 are needed"


def _sign_secp256k1(secret: bytes, message: bytes) -> bytes:
    return PrivateKey(secret).sign_recoverable(message)  # s is low: libsecp256k1 makes no other


def _verify_secp256k1(secret: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != RECOVERABLE_BYTES or int.from_bytes(signature[32:64]) > SECP256K1_ORDER // 2:
        return False
    try:
        signed_by = PublicKey.from_signature_and_message(signature, message, sha256_digest)
    except ValueError:
        return False
    return signed_by == PrivateKey(secret).public_key


def _flaw_secp256k1(secret: bytes) -> str:
    if len(secret) != 32:
        return f"has {len(secret)} bytes where 32 are needed"
    return "" if 0 < int.from_bytes(secret) < SECP256K1_ORDER else "is not between 1 and the curve's order"


def sha256_digest(message: bytes) -> bytes:
    """The SHA-256 of `message`, 32 bytes."""
    return sha256(message).digest()


def _hmac(digest: str) -> Algorithm:
    return Algorithm(partial(_sign_hmac, digest), partial(_verify_hmac, digest), _flaw_hmac)


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        "hmac-sha256": _hmac("sha256"),
        "hmac-sha1": _hmac("sha1"),
        "hmac-sha512": _hmac("sha512"),
        "ed25519": Algorithm(_sign_ed25519, _verify_ed25519, _flaw_ed25519),
        "secp256k1-recoverable": Algorithm(_sign_secp256k1, _verify_secp256k1, _flaw_secp256k1),
    }
)
