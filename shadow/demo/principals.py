"""Who the reference service knows from the start: accounts, roles and keys, all drawn from one seed."""

import hashlib
from dataclasses import dataclass

from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HMAC = "hmac-sha256"
ED25519 = "ed25519"
SECP256K1 = "secp256k1-recoverable"
ALGORITHMS = (HMAC, ED25519, SECP256K1)

_READS = ("GET *", "HEAD *", "POST /v1/tokens")
_OPERATES = tuple(f"POST */{verb}" for verb in ("start", "stop", "pause", "resume", "reboot"))
_MANAGES = (
    *(f"POST */{verb}" for verb in ("boot", "resize", "snapshot", "restore")),
    "PATCH /v1/instances/*",
    "POST /v1/dns/records",
    "PUT /v1/dns/records/*",
    "DELETE /v1/dns/records/*",
    "POST /v1/tools/*",
)


@dataclass(frozen=True, slots=True)
class Role:
    """What accounts of one role may do: `may` holds ``"METHOD path-glob"``, a higher `rank` may do more."""

    name: str
    rank: int
    may: tuple[str, ...]


ROLES = {
    role.name: role
    for role in (
        Role("readonly", 10, _READS),
        Role("operator", 20, (*_READS, *_OPERATES)),
        Role("manager", 30, (*_READS, *_OPERATES, *_MANAGES)),
        Role("owner", 40, ("*",)),
        Role("admin", 50, _READS),
    )
}


@dataclass(frozen=True, slots=True)
class Key:
    """A signing key with its secret: the HMAC secret, or the 32-byte private key."""

    id: str
    algorithm: str
    secret: bytes
    status: str = "active"

    @property
    def verifier(self) -> bytes:
        """What the service keeps: the HMAC secret itself, else the public key (32 or 33 bytes)."""
        return public_part(self.algorithm, self.secret)


@dataclass(frozen=True, slots=True)
class Principal:
    """An account with its keys; the first key is active and is the one it usually signs with."""

    name: str
    role: Role
    tenant: str
    """Name of the owner whose instances it works on; empty for an admin."""
    address: str
    """``0x`` and 40 hexadecimal digits."""
    keys: tuple[Key, ...]

    @property
    def key(self) -> Key:
        return self.keys[0]


def principals(seed: int) -> tuple[Principal, ...]:
    """The same accounts and keys for the same seed, in every process."""
    return (
        _principal(seed, "alice", "owner", "alice", HMAC, ED25519, revoked=HMAC),
        _principal(seed, "alice-manager", "manager", "alice", ED25519),
        _principal(seed, "alice-operator", "operator", "alice", SECP256K1),
        _principal(seed, "alice-readonly", "readonly", "alice", HMAC),
        _principal(seed, "bob", "owner", "bob", SECP256K1, revoked=ED25519),
        _principal(seed, "root", "admin", "", ED25519),
    )


def public_part(algorithm: str, secret: bytes) -> bytes:
    """The part of `secret` with which the service verifies."""
    if algorithm == ED25519:
        return Ed25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()
    if algorithm == SECP256K1:
        return PrivateKey(secret).public_key.format(compressed=True)
    return secret


def derive(seed: int, label: str, size_bytes: int) -> bytes:
    """`size_bytes` bytes that depend on `seed` and `label` alone."""
    return hashlib.shake_256(f"vmctl:{seed}:{label}".encode()).digest(size_bytes)


def _principal(
    seed: int, name: str, role: str, tenant: str, *algorithms: str, revoked: str | None = None
) -> Principal:
    keys = [_key(seed, f"{name}:{at}", algorithm) for at, algorithm in enumerate(algorithms)]
    if revoked is not None:
        keys.append(_key(seed, f"{name}:revoked", revoked, status="revoked"))
    address = "0x" + derive(seed, f"{name}:address", 20).hex()
    return Principal(name, ROLES[role], tenant, address, tuple(keys))


def _key(seed: int, label: str, algorithm: str, *, status: str = "active") -> Key:
    return Key(
        "key_" + derive(seed, f"{label}:id", 8).hex(), algorithm, derive(seed, f"{label}:secret", 32), status
    )
