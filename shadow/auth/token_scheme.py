"""Bearer tokens whose keys the configuration gives: recognised, and issued anew for another time."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shadow.auth.algorithms import JWS_ALGORITHMS, Key
from shadow.auth.jwt import Jwt, bearer_jwt, unsigned_jwt
from shadow.auth.keyring import Keyring
from shadow.auth.keys import check_keys, loaded, secrets_of
from shadow.auth.public_keys import as_secrets, public_of
from shadow.auth.settings import TokenSettings
from shadow.model import Request

_TIMES = ("iat", "nbf", "exp", "auth_time")
"""Claims that are Unix times (RFC 7519 §4.1, OpenID Connect Core §2)."""


class TokenScheme:
    """Issues recorded bearer tokens anew. Implements `shadow.model.Signs`; a token has no nonce here, and no
    part that stands by itself."""

    def __init__(self, settings: TokenSettings, secrets: Mapping[str, str] | None = None) -> None:
        """`secrets` maps a key's id to its secret as text, where it stood elsewhere. Raises ConfigError."""
        check_keys("tokens.keys", settings.keys, JWS_ALGORITHMS)
        self._ring = Keyring(settings.keys, loaded(settings.keys, secrets or {}))
        private = secrets_of(settings.keys, secrets or {}).values()
        public = [key for key in map(public_of, private) if key is not None]
        self._public = tuple(text for key in public for text in as_secrets(key))

    def public_keys(self) -> tuple[bytes, ...]:
        return self._public

    def key_id(self, request: Request) -> str | None:
        """The key of the request's token; None also for a token that no configured key can have made."""
        token = bearer_jwt(request.headers)
        if token is None:
            return None
        fitting = [id_ for id_ in self._ring.ids if self._ring.algorithm(id_) == token.header.get("alg")]
        stated = token.header.get("kid")
        if isinstance(stated, str):
            return stated if stated in fitting else None
        if len(fitting) > 1:
            made_it = (id_ for id_ in fitting if (key := self._ring.key(id_)) and token.is_of(key))
            if found := next(made_it, None):
                return found
        return next((id_ for id_ in fitting if self._ring.status(id_) == "active"), None)

    def keys(self) -> tuple[str, ...]:
        return self._ring.with_status("active")

    def revoked_keys(self) -> tuple[str, ...]:
        return self._ring.with_status("revoked")

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
        made_with = self._ring.key(signing)
        if token is None or signing is None or made_with is None:
            return None
        made = self._issued(token, signing, made_with, at)
        headers = tuple(
            (name, old.partition(b" ")[0] + b" " + made.text() if name.lower() == b"authorization" else old)
            for name, old in request.headers
        )
        return msgspec.structs.replace(request, headers=headers)

    def verifies(self, request: Request) -> bool | None:
        token = bearer_jwt(request.headers)
        key = self._ring.key(self.key_id(request))
        return None if token is None or key is None else token.is_of(key)

    def stated_time(self, request: Request) -> float | None:
        """When the token was issued, or else when it expires; None for one that never does."""
        token = bearer_jwt(request.headers)
        return None if token is None or self.key_id(request) is None else _reference(token.claims)

    def places(self, request: Request | None = None) -> dict[str, str]:  # noqa: ARG002 - part of the contract
        return {}

    def read(self, request: Request, part: str) -> bytes | None:  # noqa: ARG002 - part of the contract
        return None

    def put(self, request: Request, part: str, value: bytes) -> Request | None:  # noqa: ARG002 - as above
        return None

    def bare(self, request: Request) -> Request:
        """The request itself: a token is a credential, which goes with all others."""
        return request

    def _issued(self, token: Jwt, key_id: str, key: Key, at: float | None) -> Jwt:
        header = {**token.header, "alg": self._ring.algorithm(key_id)}
        if "kid" in header:
            header["kid"] = key_id
        stated = _reference(token.claims)
        moved = 0 if at is None or stated is None else int(at - stated)
        if header == token.header and not moved:
            return token if token.is_of(key) else token.signed_by(key)  # as it was encoded, byte for byte
        claims = {name: _moved(name, value, moved) for name, value in token.claims.items()}
        return unsigned_jwt(header, claims).signed_by(key)


def _reference(claims: dict[str, Any]) -> float | None:
    if not _is_number(claims.get("exp")):
        return None
    return float(claims["iat"]) if _is_number(claims.get("iat")) else float(claims["exp"])


def _moved(name: str, value: Any, by: int) -> Any:
    return value + by if name in _TIMES and _is_number(value) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e15
