"""The signing scheme: what is signed, and whether a signature is right."""

import hashlib
import hmac

from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shadow.demo.principals import ED25519, HMAC

_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_RECOVERABLE_BYTES = 65


def canonical(
    method: bytes, target: bytes, *, timestamp: bytes, nonce: bytes, digest: bytes, host: bytes
) -> bytes:
    """The signed string: method, path, sorted query, timestamp, nonce, body digest, host, one a line."""
    path, _, query = target.partition(b"?")
    pairs = b"&".join(sorted(pair for pair in query.split(b"&") if pair))
    return b"\n".join((method, path, pairs, timestamp, nonce, digest, host))


def is_right(algorithm: str, verifier: bytes, signature: str, message: bytes, *, by_prefix: bool) -> bool:
    """Whether `signature` (hexadecimal) is `verifier`'s over `message`. False for any malformed one.

    `by_prefix` compares an HMAC only as far as the signature given reaches.
    """
    if algorithm == HMAC:
        expected = hmac.digest(verifier, message, hashlib.sha256).hex()
        if by_prefix:
            return bool(signature) and expected.startswith(signature)
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass"))
    raw = _unhex(signature)
    if algorithm == ED25519:
        return _is_right_ed25519(verifier, raw, message)
    return _is_right_recoverable(verifier, raw, message)


def _is_right_ed25519(verifier: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(verifier).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _is_right_recoverable(verifier: bytes, signature: bytes, message: bytes) -> bool:
    """r, s, recovery id over the message's SHA-256. A high s is refused: anyone can make one of a low s."""
    if len(signature) != _RECOVERABLE_BYTES or signature[64] > 3:
        return False
    if int.from_bytes(signature[32:64]) > _CURVE_ORDER // 2:
        return False
    try:
        recovered = PublicKey.from_signature_and_message(signature, message)
    except ValueError:  # no point of the curve belongs to these numbers
        return False
    return hmac.compare_digest(recovered.format(compressed=True), verifier)


def _unhex(text: str) -> bytes:
    """The bytes, or none at all where `text` is not plain lower-case hexadecimal."""
    if not text.isascii() or text != text.lower() or any(mark.isspace() for mark in text):
        return b""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
