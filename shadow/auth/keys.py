"""Keys as the configuration gives them, and their secrets."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shadow.auth.algorithms import ALGORITHMS, JWS_ALGORITHMS, PEM_MARK, Key
from shadow.auth.encoding import decode
from shadow.errors import ConfigError, nearest

SECRET_ENCODINGS = ("hex", "base64", "utf-8")
STATUSES = ("active", "revoked")


class SigningKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[signing.keys]]``: a key that the service knows, and whether it must still accept it."""

    id: str
    """As the request names it: the key id header, an AWS access key, a ``keyid``, a token's ``kid``."""
    algorithm: str = "hmac-sha256"
    """``"hmac-sha256"``, ``"hmac-sha1"``, ``"hmac-sha384"``, ``"hmac-sha512"``, ``"ed25519"``,
    ``"secp256k1-recoverable"``, ``"ecdsa-p256-sha256"``, ``"ecdsa-p384-sha384"``, ``"rsa-pss-sha512"`` or
    ``"rsa-v1_5-sha256"``; for a token's key ``"HS256"`` and so on, as in `[[tokens.keys]]`."""
    secret: str = ""
    """The secret as text in `secret_encoding`: an HMAC's own, for ed25519 and secp256k1 the private key's 32
    bytes, for the others and for ed25519 too the private key in PEM."""
    secret_env: str = ""
    """Name of the environment variable that holds the secret instead."""
    secret_file: str = ""
    """Path of the file that holds the secret instead."""
    secret_encoding: str = ""
    """``"hex"``, ``"base64"`` or ``"utf-8"``. Empty: text as it is for PEM, and for HMAC and tokens where the
    scheme is recognised or named; else hex."""
    status: str = "active"
    """``"active"``, or ``"revoked"`` for one that the service must refuse."""

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r}, algorithm={self.algorithm!r}, status={self.status!r})"


class TokenKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[tokens.keys]]``: a key that bearer tokens (JWT) are signed with."""

    id: str
    """The token's ``kid``, where it has one."""
    algorithm: str = "HS256"
    """As a token's ``alg`` has it: HS256, RS256, PS256, ES256 (each also with 384 and 512) or EdDSA."""
    secret: str = ""
    """The secret as text in `secret_encoding`; for all but HS256 and its like the private key in PEM."""
    secret_env: str = ""
    """Name of the environment variable that holds the secret instead."""
    secret_file: str = ""
    """Path of the file that holds the secret instead."""
    secret_encoding: str = "utf-8"  # noqa: S105 - the name of an encoding
    """``"hex"``, ``"base64"`` or ``"utf-8"``."""
    status: str = "active"
    """``"active"``, or ``"revoked"`` for one that the service must refuse."""

    def __repr__(self) -> str:
        return f"TokenKey(id={self.id!r}, algorithm={self.algorithm!r}, status={self.status!r})"


type AnyKey = SigningKey | TokenKey


def check_keys(where: str, keys: Sequence[AnyKey], algorithms: Iterable[str]) -> None:
    """Raises ConfigError for a key that names something unknown, and for two of one id."""
    ids = [key.id for key in keys]
    for key in keys:
        one_of(f"algorithm of {where} {key.id!r}", key.algorithm, algorithms)
        one_of(f"secret_encoding of {where} {key.id!r}", key.secret_encoding or "hex", SECRET_ENCODINGS)
        one_of(f"status of {where} {key.id!r}", key.status, STATUSES)
        if ids.count(key.id) > 1:
            raise ConfigError(f"{where} has {key.id!r} twice; give each key an id of its own")


def one_of(key: str, value: str, choices: Iterable[str]) -> None:
    """Raises ConfigError unless `value` is one of `choices`."""
    valid = tuple(choices)
    if value not in valid:
        raise ConfigError(f"{key} is {value!r}, which is none of {', '.join(valid)}{nearest(value, valid)}")


def secrets_of(
    keys: Iterable[AnyKey], resolved: Mapping[str, str], *, is_text: bool = False
) -> dict[str, bytes]:
    """The secrets that are known, by key id; `resolved` has those that stood elsewhere, as text.

    `is_text` tells how the secrets of HMAC are written where the key does not say. Raises ConfigError, which
    never quotes a secret.
    """
    texts = {key: resolved.get(key.id, key.secret).rstrip("\r\n") for key in keys}  # a file ends in one
    return {key.id: _secret(key, text, is_text=is_text) for key, text in texts.items() if text}


def loaded(keys: Sequence[AnyKey], resolved: Mapping[str, str], *, is_text: bool = False) -> dict[str, Key]:
    """As `secrets_of`, each made ready. Raises ConfigError also for one that does not fit its algorithm."""
    secrets = secrets_of(keys, resolved, is_text=is_text)
    found = {}
    for key in keys:
        if key.id in secrets:
            algorithm = (JWS_ALGORITHMS if key.algorithm in JWS_ALGORITHMS else ALGORITHMS)[key.algorithm]
            ready = algorithm.load(secrets[key.id])
            if isinstance(ready, str):
                raise ConfigError(f"secret of key {key.id!r} {ready} for {key.algorithm}")
            found[key.id] = ready
    return found


def _secret(key: AnyKey, text: str, *, is_text: bool) -> bytes:
    encoding = key.secret_encoding
    if not encoding:
        is_plain = text.startswith(PEM_MARK.decode()) or (is_text and key.algorithm.startswith("hmac-"))
        encoding = "utf-8" if is_plain or key.algorithm in JWS_ALGORITHMS else "hex"
    if encoding == SECRET_ENCODINGS[-1]:
        return text.encode()
    secret = decode(text.strip().encode(), encoding)
    if secret is None:
        raise ConfigError(f"secret of key {key.id!r} is not {encoding}; set secret_encoding")
    return secret
