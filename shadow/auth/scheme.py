"""Canonical-string signing schemes as the configuration describes them, and the signer that follows one."""

from collections.abc import Mapping

import msgspec

from shadow.auth.algorithms import ALGORITHMS
from shadow.auth.canonical import body_digest, reader
from shadow.auth.encoding import ENCODINGS, decode, encode
from shadow.auth.keys import SigningKey, check_keys, one_of, secrets_of
from shadow.auth.stamp import TIMESTAMP_FORMATS, read_time, write_time
from shadow.errors import ConfigError
from shadow.model import Headers, Request, field


class SigningSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[signing]``: which headers carry what, what is signed, and the keys; an empty name is no header."""

    signature: str
    """Header that carries the signature."""
    key_id: str = ""
    """Header that names the key; empty where there is one active key for all."""
    algorithm: str = ""
    """Header that names the algorithm."""
    timestamp: str = ""
    """Header that states when the request was signed."""
    timestamp_format: str = "unix"
    """``"unix"`` (seconds), ``"unix_ms"`` or ``"iso8601"``."""
    nonce: str = ""
    """Header that makes each request unique."""
    body_digest: str = ""
    """Header that states the hex SHA-256 of the body."""
    signature_prefix: str = ""
    """What stands before the signature in its header, as ``"sha256="``."""
    signature_encoding: str = "hex"
    """``"hex"``, ``"base64"`` or ``"base64url"``."""
    canonical: tuple[str, ...] = ("method", "path", "query", "timestamp", "nonce", "body_digest", "host")
    """What is signed, in this order; `docs/configuration.md` lists the parts there are."""
    separator: str = "\n"
    """Between two parts of the canonical string."""
    keys: tuple[SigningKey, ...] = ()
    """Keys that the service knows."""


class CanonicalScheme:
    """Signs and recognises requests under one configured scheme. Implements `shadow.model.Signs`."""

    def __init__(self, settings: SigningSettings, secrets: Mapping[str, str] | None = None) -> None:
        """`secrets` maps a key's id to its secret as text, where it stood in the environment or a file.

        A key without any secret is known by its id alone. Raises ConfigError for wrong settings.
        """
        _check(settings)
        self._settings = settings
        self._names = _names(settings)
        self._readers = tuple(reader(part, self._names) for part in settings.canonical)
        self._keys = {key.id: key for key in settings.keys}
        self._secrets = secrets_of(settings.keys, secrets or {})

    def key_id(self, request: Request) -> str | None:
        if field(request.headers, self._at("signature")) is None:
            return None
        if "key_id" not in self._names:
            return next((key.id for key in self._settings.keys if key.status == "active"), None)
        stated = field(request.headers, self._at("key_id"))
        return None if stated is None else stated.decode("latin-1")

    def keys(self) -> tuple[str, ...]:
        return self._with_status("active")

    def revoked_keys(self) -> tuple[str, ...]:
        return self._with_status("revoked")

    def places(self) -> dict[str, str]:
        return dict(self._names)

    def stated_time(self, request: Request) -> float | None:
        if "timestamp" not in self._names:
            return None
        stated = field(request.headers, self._at("timestamp"))
        return None if stated is None else read_time(stated, self._settings.timestamp_format)

    def sign(
        self, request: Request, *, key: str | None = None, at: float | None = None, nonce: str | None = None
    ) -> Request | None:
        signing = self.key_id(request) if key is None else key
        if signing is None or signing not in self._secrets:
            return None
        stated = self._stated(request, signing, at, nonce)
        if stated is None:
            return None
        headers = request.headers
        for part, value in stated.items():
            headers = _put(headers, self._names[part], value)
        prepared = msgspec.structs.replace(request, headers=headers)
        signature = ALGORITHMS[self._keys[signing].algorithm].sign(
            self._secrets[signing], self.canonical(prepared)
        )
        value = self._settings.signature_prefix.encode() + encode(
            signature, self._settings.signature_encoding
        )
        return msgspec.structs.replace(prepared, headers=_put(headers, self._names["signature"], value))

    def canonical(self, request: Request) -> bytes:
        """The bytes that the signature of `request` is made over."""
        return self._settings.separator.encode().join(read(request) for read in self._readers)

    def verifies(self, request: Request) -> bool | None:
        """Whether the signature is right; None when there is none or its key's secret is not configured."""
        key = self.key_id(request)
        if key is None or key not in self._secrets:
            return None
        prefix = self._settings.signature_prefix.encode()
        value = field(request.headers, self._at("signature")) or b""
        signature = decode(value.removeprefix(prefix), self._settings.signature_encoding)
        if signature is None or not value.startswith(prefix):
            return False
        verify = ALGORITHMS[self._keys[key].algorithm].verify
        return verify(self._secrets[key], self.canonical(request), signature)

    def _stated(
        self, request: Request, key: str, at: float | None, nonce: str | None
    ) -> dict[str, bytes] | None:
        """The value of every signing header but the signature; None when one cannot be said."""
        values = {
            "key_id": key.encode("latin-1", "replace"),
            "algorithm": self._keys[key].algorithm.encode(),
            "timestamp": self._time(request, at),
            "nonce": self._kept(request, "nonce") if nonce is None else nonce.encode(),
            "body_digest": body_digest(request),
        }
        stated = {part: value for part, value in values.items() if part in self._names}
        said = {part: value for part, value in stated.items() if value is not None}
        return said if len(said) == len(stated) else None

    def _time(self, request: Request, at: float | None) -> bytes | None:
        return (
            self._kept(request, "timestamp")
            if at is None
            else write_time(at, self._settings.timestamp_format)
        )

    def _kept(self, request: Request, part: str) -> bytes | None:
        return field(request.headers, self._at(part)) if part in self._names else None

    def _at(self, part: str) -> bytes:
        return self._names[part].lower().encode("latin-1")

    def _with_status(self, status: str) -> tuple[str, ...]:
        return tuple(k.id for k in self._settings.keys if k.status == status and k.id in self._secrets)


def _put(headers: Headers, name: str, value: bytes) -> Headers:
    """`headers` with exactly one field `name`, in its first place or at the end, its letter case kept."""
    wanted = name.lower().encode("latin-1")
    kept: list[tuple[bytes, bytes]] = []
    is_placed = False
    for key, old in headers:
        if key.lower() != wanted:
            kept.append((key, old))
        elif not is_placed:
            kept.append((key, value))
            is_placed = True
    return tuple(kept) if is_placed else (*kept, (name.encode("latin-1"), value))


def _names(settings: SigningSettings) -> dict[str, str]:
    """The header of each part, in the order in which the parts are written to an unsigned request."""
    named = {
        "key_id": settings.key_id,
        "algorithm": settings.algorithm,
        "timestamp": settings.timestamp,
        "nonce": settings.nonce,
        "body_digest": settings.body_digest,
        "signature": settings.signature,
    }
    return {part: name for part, name in named.items() if name}


def _check(settings: SigningSettings) -> None:
    if not settings.signature:
        raise ConfigError("signing.signature is empty; name the header that carries the signature")
    one_of("signing.timestamp_format", settings.timestamp_format, TIMESTAMP_FORMATS)
    one_of("signing.signature_encoding", settings.signature_encoding, ENCODINGS)
    for part, name in _names(settings).items():
        if not name.isascii() or any(letter in name for letter in ": \t\r\n"):
            raise ConfigError(f"signing.{part} is {name!r}, which is no header name; use letters and hyphens")
    check_keys("signing.keys", settings.keys, ALGORITHMS)
    if not settings.key_id and sum(key.status == "active" for key in settings.keys) > 1:
        raise ConfigError(
            "signing.keys has several active keys, but signing.key_id names no header to tell which"
        )
