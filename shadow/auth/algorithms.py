"""The signing algorithms by the names that settings and headers use."""

import hmac
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256
from types import MappingProxyType
from typing import NamedTuple

from coincurve import PrivateKey, PublicKey
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SECP256K1_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""The order of the curve's group (SEC 2 §2.4.1); a signature's s is low when it is at most half of it."""

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order of the group that Ed25519 works in (RFC 8032 §5.1)."""

RECOVERABLE_BYTES = 65
"""r and s, 32 bytes each and big-endian, and one byte of recovery id."""

PEM_MARK = b"-----BEGIN "


class Key(NamedTuple):
    """A secret made ready: loading one costs far more than using it."""

    sign: Callable[[bytes], bytes]
    """The same message gives the same signature, save for RSA-PSS, whose salt is drawn anew each time."""
    verify: Callable[[bytes, bytes], bool]
    """``verify(message, signature)``."""


class Algorithm(NamedTuple):
    """How to sign a message with a secret, and how to verify that a signature was made so."""

    load: Callable[[bytes], Key | str]
    """The key that a secret is, or what makes it unusable, in words: ``"is empty"``."""

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """The signature of `message`. Raises ValueError for a secret that is unusable."""
        return self._key(secret).sign(message)

    def verify(self, secret: bytes, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is one of `message`. Raises ValueError for a secret that is unusable."""
        return self._key(secret).verify(message, signature)

    def _key(self, secret: bytes) -> Key:
        loaded = self.load(secret)
        if isinstance(loaded, str):
            raise ValueError(f"the secret {loaded}")  # noqa: TRY004 - the value is what is wrong
        return loaded


def sha256_digest(message: bytes) -> bytes:
    """The SHA-256 of `message`, 32 bytes."""
    return sha256(message).digest()


def _load_hmac(digest: str, secret: bytes) -> Key | str:
    if not secret:
        return "is empty"

    def verify(message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(secret, message, digest), signature)

    return Key(lambda message: hmac.digest(secret, message, digest), verify)


def _load_ed25519(secret: bytes) -> Key | str:
    if secret.startswith(PEM_MARK):
        key = _pem(secret)
        if not isinstance(key, Ed25519PrivateKey):
            return _NO_PEM
    elif len(secret) != 32:
        return f"has {len(secret)} bytes where 32 are needed"
    else:
        key = Ed25519PrivateKey.from_private_bytes(secret)
    public = key.public_key()

    def verify(message: bytes, signature: bytes) -> bool:
        return _holds(lambda: public.verify(signature, message))

    return Key(key.sign, verify)


def _load_secp256k1(secret: bytes) -> Key | str:
    if len(secret) != 32:
        return f"has {len(secret)} bytes where 32 are needed"
    if not 0 < int.from_bytes(secret) < SECP256K1_ORDER:
        return "is not between 1 and the curve's order"
    key = PrivateKey(secret)

    def verify(message: bytes, signature: bytes) -> bool:
        if len(signature) != RECOVERABLE_BYTES or int.from_bytes(signature[32:64]) > SECP256K1_ORDER // 2:
            return False
        try:
            signed_by = PublicKey.from_signature_and_message(signature, message, sha256_digest)
        except ValueError:
            return False
        return signed_by == key.public_key

    return Key(key.sign_recoverable, verify)  # s is low: libsecp256k1 makes no other


def _load_ecdsa(curve: type[ec.EllipticCurve], digest: hashes.HashAlgorithm, secret: bytes) -> Key | str:
    """Signatures are r and s, big-endian and of the curve's length each (RFC 7518 §3.4, RFC 9421 §3.3.4);
    the nonce is that of RFC 6979."""
    key = _pem(secret)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, curve):
        return _NO_PEM
    public = key.public_key()
    size = (key.curve.key_size + 7) // 8

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(digest, deterministic_signing=True)))
        return r.to_bytes(size) + s.to_bytes(size)

    def verify(message: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        pair = encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))
        return _holds(lambda: public.verify(pair, message, ec.ECDSA(digest)))

    return Key(sign, verify)


def _load_rsa(padded: padding.AsymmetricPadding, digest: hashes.HashAlgorithm, secret: bytes) -> Key | str:
    key = _pem(secret)
    if not isinstance(key, RSAPrivateKey):
        return _NO_PEM
    public = key.public_key()

    def verify(message: bytes, signature: bytes) -> bool:
        return _holds(lambda: public.verify(signature, message, padded, digest))

    return Key(lambda message: key.sign(message, padded, digest), verify)


_NO_PEM = "is no private key in PEM"


def _pem(secret: bytes) -> object:
    try:
        return load_pem_private_key(secret, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _holds(check: Callable[[], None]) -> bool:
    try:
        check()
    except InvalidSignature:
        return False
    return True


def _hmac(digest: str) -> Algorithm:
    return Algorithm(partial(_load_hmac, digest))


def _ecdsa(curve: type[ec.EllipticCurve], digest: hashes.HashAlgorithm) -> Algorithm:
    return Algorithm(partial(_load_ecdsa, curve, digest))


def _pkcs1(digest: hashes.HashAlgorithm) -> Algorithm:
    return Algorithm(partial(_load_rsa, padding.PKCS1v15(), digest))


def _pss(digest: hashes.HashAlgorithm) -> Algorithm:
    """The salt is as long as the digest (RFC 7518 §3.5, RFC 9421 §3.3.1)."""
    salted = padding.PSS(padding.MGF1(digest), digest.digest_size)
    return Algorithm(partial(_load_rsa, salted, digest))


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        "hmac-sha256": _hmac("sha256"),
        "hmac-sha1": _hmac("sha1"),
        "hmac-sha384": _hmac("sha384"),
        "hmac-sha512": _hmac("sha512"),
        "ed25519": Algorithm(_load_ed25519),
        "secp256k1-recoverable": Algorithm(_load_secp256k1),
        "ecdsa-p256-sha256": _ecdsa(ec.SECP256R1, hashes.SHA256()),
        "ecdsa-p384-sha384": _ecdsa(ec.SECP384R1, hashes.SHA384()),
        "rsa-pss-sha512": _pss(hashes.SHA512()),
        "rsa-v1_5-sha256": _pkcs1(hashes.SHA256()),
    }
)
"""What signatures of requests are made with; the names are those of RFC 9421 §3.3 where it has one."""

JWS_ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(
    {
        "HS256": ALGORITHMS["hmac-sha256"],
        "HS384": ALGORITHMS["hmac-sha384"],
        "HS512": ALGORITHMS["hmac-sha512"],
        "RS256": ALGORITHMS["rsa-v1_5-sha256"],
        "RS384": _pkcs1(hashes.SHA384()),
        "RS512": _pkcs1(hashes.SHA512()),
        "PS256": _pss(hashes.SHA256()),
        "PS384": _pss(hashes.SHA384()),
        "PS512": ALGORITHMS["rsa-pss-sha512"],
        "ES256": ALGORITHMS["ecdsa-p256-sha256"],
        "ES384": ALGORITHMS["ecdsa-p384-sha384"],
        "ES512": _ecdsa(ec.SECP521R1, hashes.SHA512()),
        "EdDSA": ALGORITHMS["ed25519"],
    }
)
"""What tokens are signed with, by the ``alg`` of RFC 7518 §3.1 and RFC 8037 §3.1."""
