"""Bearer tokens whose keys the configuration gives: recognised, and issued anew for another time."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shadow.auth.jwt import REPEATABLE_ALGORITHMS, Jwt, bearer_jwt, resigned_jwt, signed_jwt
from shadow.auth.keys import TokenKey, check_keys, secrets_of
from shadow.errors import ConfigError
from shadow.model import Request

_TIMES = ("iat", "nbf", "exp", "auth_time")
"""Claims that are Unix times (RFC 7519 §4.1, OpenID Connect Core §2)."""


class TokenSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[tokens]``: what bearer tokens are signed with."""

    keys: tuple[TokenKey, ...] = ()
    """Keys that the service accepts tokens of, or no longer does."""


class TokenScheme:
    """Issues recorded bearer tokens anew. Implements `shadow.model.Signs`; a token has no nonce here.

    Only algorithms that always give the same signature are taken, so that a genuine token is told by being
    made again.
    """

    def __init__(self, settings: TokenSettings, secrets: Mapping[str, str] | None = None) -> None:
        """`secrets` maps a key's id to its secret as text, where it stood elsewhere. Raises ConfigError."""
        check_keys("tokens.keys", settings.keys, REPEATABLE_ALGORITHMS)
        self._keys = {key.id: key for key in settings.keys}
        self._secrets = secrets_of(settings.keys, secrets or {})
        for key in settings.keys:
            if (
                key.id in self._secrets
                and signed_jwt({"alg": key.algorithm}, {}, self._secrets[key.id]) is None
            ):
                raise ConfigError(f"secret of key {key.id!r} is no private key in PEM for {key.algorithm}")

    def key_id(self, request: Request) -> str | None:
        """The key of the request's token; None also for a token that no configured key can have made."""
        token = bearer_jwt(request.headers)
        if token is None:
            return None
        fitting = [key.id for key in self._keys.values() if key.algorithm == token.header.get("alg")]
        stated = token.header.get("kid")
        if isinstance(stated, str):
            return stated if stated in fitting else None
        return next((key for key in fitting if self._keys[key].status == "active"), None)

    def keys(self) -> tuple[str, ...]:
        return self._with_status("active")

    def revoked_keys(self) -> tuple[str, ...]:
        return self._with_status("revoked")

    def sign(
        self,
        request: Request,
        *,
        key: str | None = None,
        at: float | None = None,
        nonce: str | None = None,  # noqa: ARG002 - part of the contract
    ) -> Request | None:
        """The request with its token issued anew by `key`, every time in it moved alike."""
        token = bearer_jwt(request.headers)
        signing = self.key_id(request) if key is None else key
        if token is None or signing is None or signing not in self._secrets:
            return None
        made = self._issued(token, signing, at)
        if made is None:
            return None
        headers = tuple(
            (name, old.partition(b" ")[0] + b" " + made.text() if name.lower() == b"authorization" else old)
            for name, old in request.headers
        )
        return msgspec.structs.replace(request, headers=headers)

    def stated_time(self, request: Request) -> float | None:
        """When the token was issued, or else when it expires; None for one that never does."""
        token = bearer_jwt(request.headers)
        return None if token is None or self.key_id(request) is None else _reference(token.claims)

    def places(self) -> dict[str, str]:
        return {}

    def _issued(self, token: Jwt, key: str, at: float | None) -> Jwt | None:
        header = {**token.header, "alg": self._keys[key].algorithm}
        if "kid" in header:
            header["kid"] = key
        stated = _reference(token.claims)
        moved = 0 if at is None or stated is None else int(at - stated)
        if header == token.header and not moved:
            return resigned_jwt(token, self._secrets[key])  # as it was encoded, byte for byte
        claims = {name: _moved(name, value, moved) for name, value in token.claims.items()}
        return signed_jwt(header, claims, self._secrets[key])

    def _with_status(self, status: str) -> tuple[str, ...]:
        return tuple(
            key.id for key in self._keys.values() if key.status == status and key.id in self._secrets
        )


def _reference(claims: dict[str, Any]) -> float | None:
    if not _is_number(claims.get("exp")):
        return None
    return float(claims["iat"]) if _is_number(claims.get("iat")) else float(claims["exp"])


def _moved(name: str, value: Any, by: int) -> Any:
    return value + by if name in _TIMES and _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
