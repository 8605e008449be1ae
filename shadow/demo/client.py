"""A client of the reference service, as its users have one: it signs, and keeps one connection open."""

import asyncio
import hashlib
import hmac
import io
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random, SystemRandom
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from coincurve import PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from multidict import CIMultiDict
from yarl import URL

from shadow.demo.principals import ED25519, SECP256K1, Key
from shadow.demo.vmctl.clock import FIXED_EPOCH
from shadow.demo.vmctl.signatures import canonical

_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `document` becomes a JSON body, `body` is sent as it is; `headers` come last, and win."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    document: Any = None
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        if self.body is not None or self.document is None:
            return self.body or b""
        return json.dumps(self.document, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `document` is None where the body is no JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    document: Any


class Client:
    """One connection to the service. Use it as an async context."""

    def __init__(self, base_url: str, *, host: str | None = None, dice: Random | None = None) -> None:
        """`host` is sent as Host instead of the address; `dice` fixes the clock and the nonces."""
        self._base = base_url.rstrip("/")
        self._host = host or URL(base_url).authority
        self._now = time.time if dice is None else lambda: float(FIXED_EPOCH)
        self._dice = SystemRandom() if dice is None else dice

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=1, keepalive_timeout=60),
            headers={"User-Agent": "vmctl-client/2.1", "Host": self._host},
            timeout=aiohttp.ClientTimeout(total=None),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, ask: Ask, key: Key | None) -> Answer:
        """Sign with `key` and send; without a key the request goes unsigned.

        Raises aiohttp.ClientError or TimeoutError where no answer comes.
        """
        headers = CIMultiDict({"Accept": "application/json"})
        if ask.content:
            headers["Content-Type"] = "application/json"
        if key is not None:
            headers.update(self.signing_fields(ask, key))
        headers.update(CIMultiDict(ask.headers))
        url = URL(self._base + ask.target, encoded=True)
        content = io.BytesIO(ask.content) if ask.content else None
        async with (
            asyncio.timeout(_PATIENCE_SECONDS),
            self._session.request(
                ask.method, url, data=content, headers=headers, allow_redirects=False
            ) as response,
        ):
            body = await response.read()
            return Answer(response.status, response.headers, body, _document(body))

    def signing_fields(self, ask: Ask, key: Key, *, at: float | None = None) -> dict[str, str]:
        """The header fields that sign `ask`, now or `at` a Unix time."""
        timestamp = str(int(self._now() if at is None else at))
        nonce = self._dice.randbytes(16).hex()
        digest = hashlib.sha256(ask.content).hexdigest()
        message = canonical(
            ask.method.encode(),
            ask.target.encode(),
            timestamp=timestamp.encode(),
            nonce=nonce.encode(),
            digest=digest.encode(),
            host=self._host.encode(),
        )
        return {
            "X-Key-Id": key.id,
            "X-Algorithm": key.algorithm,
            "X-Timestamp": timestamp,
            "X-Nonce": nonce,
            "X-Content-SHA256": digest,
            "X-Signature": sign(key, message).hex(),
        }


def sign(key: Key, message: bytes) -> bytes:
    """The signature of `message`: 32 bytes of HMAC, 64 of Ed25519, 65 of recoverable secp256k1."""
    if key.algorithm == ED25519:
        return Ed25519PrivateKey.from_private_bytes(key.secret).sign(message)
    if key.algorithm == SECP256K1:
        return PrivateKey(key.secret).sign_recoverable(message)
    return hmac.digest(key.secret, message, hashlib.sha256)


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
