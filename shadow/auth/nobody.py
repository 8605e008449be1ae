"""Key pairs that are nobody's, for tokens that bring the key which they are to be verified with."""

from base64 import b64encode
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from shadow.auth.algorithms import JWS_ALGORITHMS, Key
from shadow.auth.encoding import encode

type _Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey

_CURVES = {"ES256": (ec.SECP256R1(), "P-256"), "ES384": (ec.SECP384R1(), "P-384")}
_P = int(
    "e63c546b4e6415aa06238a441bda99270f3583592e1fa3b4a92e28b842d5c176c5b06a4f0dba42910d7414"
    "59b25284fcd2b10195c22243610d1cd0cf6ed57260c2863aeaed1ace146b9a6ccffb56143b74257916cecb"
    "0f25d1755c53186147427f36fe59b859b10f32cdc1812bace807664ad0ebabd2f9b821d88de5a705eb47",
    16,
)
_Q = int(
    "b80215430fa6879c6d673bc5504679a057595453020f65dfad80066b93bc93338a764eb1192b5663aec6c6"
    "4434405566d74feefae981c8e9126a4c929ce24e4148ce2a4fdec0a522a630ca73a88a045c16058cedb746"
    "522922eb6a78fe0fa0070aa986c8d0e38abde1ffe191899c400a648f40fff62056ce029d3c8d19d90a4d",
    16,
)
"""Two primes of 1024 bits: to look for such by dice takes a tenth of a second each."""
_SECRET = b"known to everybody who reads this line, and long enough for each of the algorithms"
_MAX_ALGORITHMS = 32
"""More than there are: what a token states is any text."""
_VALID = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC))


class Nobody(NamedTuple):
    """A key pair, and what tells others of its public half."""

    algorithm: str
    """Of a token's ``alg``."""
    key: Key
    jwk: dict[str, Any]
    certificate: str
    """In DER and base64, as ``x5c`` has it; empty for a key that no certificate can be of."""


@lru_cache(_MAX_ALGORITHMS)
def nobody_for(algorithm: str) -> Nobody:
    """A key pair that fits tokens of `algorithm`; for one that is unknown, of EdDSA."""
    if algorithm.startswith("HS") and algorithm in JWS_ALGORITHMS:
        jwk = {"kty": "oct", "k": encode(_SECRET, "base64url").decode()}
        return Nobody(algorithm, _loaded(algorithm, _SECRET), jwk, "")
    private: _Private
    if algorithm[:2] in ("RS", "PS") and algorithm in JWS_ALGORITHMS:
        private = _rsa()
        numbers = private.public_key().public_numbers()
        jwk = {"kty": "RSA", "n": _number(numbers.n, 256), "e": _number(numbers.e, 3)}
    elif algorithm in _CURVES:
        curve, name = _CURVES[algorithm]
        private = ec.derive_private_key(Random(algorithm).getrandbits(250), curve)
        point = private.public_key().public_numbers()
        size = curve.key_size // 8
        jwk = {"kty": "EC", "crv": name, "x": _number(point.x, size), "y": _number(point.y, size)}
    else:
        algorithm, private = "EdDSA", _issuer()
        raw = private.public_key().public_bytes_raw()
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": encode(raw, "base64url").decode()}
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Nobody(algorithm, _loaded(algorithm, text), jwk, _certificate(private))


def _loaded(algorithm: str, secret: bytes) -> Key:
    key = JWS_ALGORITHMS[algorithm].load(secret)
    assert isinstance(key, Key)
    return key


def _rsa() -> rsa.RSAPrivateKey:
    exponent = 65_537
    private = pow(exponent, -1, (_P - 1) * (_Q - 1))
    public = rsa.RSAPublicNumbers(exponent, _P * _Q)
    parts = rsa.rsa_crt_dmp1(private, _P), rsa.rsa_crt_dmq1(private, _Q), rsa.rsa_crt_iqmp(_P, _Q)
    return rsa.RSAPrivateNumbers(_P, _Q, private, *parts, public).private_key()


def _issuer() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_SECRET[:32])


def _certificate(private: _Private) -> str:
    """Self-signed where the key is RSA or Ed25519; else by the latter, whose signatures need no dice."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nobody.invalid")])
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, *_VALID)
    if isinstance(private, rsa.RSAPrivateKey):
        made = builder.sign(private, hashes.SHA256())
    else:
        made = builder.sign(_issuer(), None)
    return b64encode(made.public_bytes(Encoding.DER)).decode()


def _number(value: int, size: int) -> str:
    return encode(value.to_bytes(size), "base64url").decode()
