"""Keys as the configuration gives them, and their secrets."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from shadow.auth.algorithms import ALGORITHMS
from shadow.auth.encoding import decode
from shadow.errors import ConfigError, nearest

SECRET_ENCODINGS = ("hex", "base64", "utf-8")
STATUSES = ("active", "revoked")


class SigningKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[signing.keys]]``: a key that the service knows, and whether it must still accept it."""

    id: str
    """As the key id header has it."""
    algorithm: str = "hmac-sha256"
    """``"hmac-sha256"``, ``"hmac-sha1"``, ``"hmac-sha512"``, ``"ed25519"`` or ``"secp256k1-recoverable"``."""
    secret: str = ""
    """The secret as text in `secret_encoding`; for ed25519 and secp256k1 the private key's 32 bytes."""
    secret_env: str = ""
    """Name of the environment variable that holds the secret instead."""
    secret_file: str = ""
    """Path of the file that holds the secret instead."""
    secret_encoding: str = "hex"  # noqa: S105 - the name of an encoding
    """``"hex"``, ``"base64"`` or ``"utf-8"``."""
    status: str = "active"
    """``"active"``, or ``"revoked"`` for one that the service must refuse."""

    def __repr__(self) -> str:
        return f"SigningKey(id={self.id!r}, algorithm={self.algorithm!r}, status={self.status!r})"


class TokenKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[tokens.keys]]``: a key that bearer tokens (JWT) are signed with."""

    id: str
    """The token's ``kid``, where it has one."""
    algorithm: str = "HS256"
    """As a token's ``alg`` has it: HS256, HS384, HS512, RS256, RS384, RS512 or EdDSA."""
    secret: str = ""
    """The secret as text in `secret_encoding`; for RS256 and EdDSA the private key in PEM."""
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
        one_of(f"secret_encoding of {where} {key.id!r}", key.secret_encoding, SECRET_ENCODINGS)
        one_of(f"status of {where} {key.id!r}", key.status, STATUSES)
        if ids.count(key.id) > 1:
            raise ConfigError(f"{where} has {key.id!r} twice; give each key an id of its own")


def one_of(key: str, value: str, choices: Iterable[str]) -> None:
    """Raises ConfigError unless `value` is one of `choices`."""
    valid = tuple(choices)
    if value not in valid:
        raise ConfigError(f"{key} is {value!r}, which is none of {', '.join(valid)}{nearest(value, valid)}")


def secrets_of(keys: Iterable[AnyKey], resolved: Mapping[str, str]) -> dict[str, bytes]:
    """The usable secrets by key id; `resolved` has those that stood elsewhere, as text.

    Raises ConfigError, which never quotes a secret.
    """
    found = {}
    for key in keys:
        text = resolved.get(key.id, key.secret).rstrip("\r\n")  # a file ends in a line break
        if not text:
            continue
        is_plain = key.secret_encoding == SECRET_ENCODINGS[-1]
        secret = text.encode() if is_plain else decode(text.strip().encode(), key.secret_encoding)
        if secret is None:
            raise ConfigError(f"secret of key {key.id!r} is not {key.secret_encoding}; set secret_encoding")
        if key.algorithm in ALGORITHMS and (flaw := ALGORITHMS[key.algorithm].flaw(secret)):
            raise ConfigError(f"secret of key {key.id!r} {flaw} for {key.algorithm}")
        found[key.id] = secret
    return found
