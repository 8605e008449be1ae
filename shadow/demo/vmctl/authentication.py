"""Who asks: a request's signature, or its bearer token, turned into an account."""

import base64
import binascii
import hashlib
import re
import sqlite3
from dataclasses import dataclass

import jwt
from aiohttp import web

from shadow.demo.principals import ALGORITHMS
from shadow.demo.vmctl import signatures
from shadow.demo.vmctl.problems import Problem, unauthorized
from shadow.demo.vmctl.service import Service

SKEW_SECONDS = 300
NONCE_SECONDS = 600
TOKEN_ALGORITHM = "HS256"  # noqa: S105 - a name, no secret
_HEAD_BYTES = 32
_HEADS_KEPT = 10_000

_FIELDS = ("x-key-id", "x-algorithm", "x-timestamp", "x-nonce", "x-content-sha256", "x-signature")
_TIMESTAMP = re.compile(r"[0-9]{1,12}\Z")
_BASE64 = re.compile(r"[A-Za-z0-9_-]+\Z")
_NONCE = re.compile(r"[\x21-\x7e]{8,128}\Z")


@dataclass(frozen=True, slots=True)
class Caller:
    """The account that asks, and the key it signed with (empty with a token)."""

    address: str
    role: str
    tenant: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class _Stamp:
    """The signing fields of one request."""

    key: str
    algorithm: str
    timestamp: str
    nonce: str
    digest: str
    signature: str


def authenticate(service: Service, request: web.Request, body: bytes) -> Caller:
    """The caller. Raises Problem 401 for whoever does not prove to be one, 429 above the key's limit."""
    try:
        caller = _caller(service, request, body)
    except Problem:
        if service.bugs.has("B53"):
            service.limiter.wrong(request.headers.get("X-Key-Id", ""))
        raise
    if not service.limiter.allows(caller.address) or service.limiter.is_locked(caller.key):
        raise Problem(429, "too_many_requests", "slow down", {"Retry-After": "10"})
    return caller


def _caller(service: Service, request: web.Request, body: bytes) -> Caller:
    authorizations = request.headers.getall("Authorization", [])
    is_signed = any(name in request.headers for name in _FIELDS)
    if len(authorizations) == 1 and not is_signed and request.method in ("GET", "HEAD"):
        return _bearer(service, authorizations[0])
    stamp = _stamp(service, request)
    key = _key(service, stamp)
    _check_time(service, stamp)
    _check_signature(service, request, body, stamp, key)
    _check_nonce(service, stamp)
    return _account(service, key["account"], stamp.key)


def _bearer(service: Service, authorization: str) -> Caller:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized("missing_signature", "sign the request")
    if not all(map(_is_exact_base64, token.split("."))):
        raise unauthorized("bad_signature", "the token is not valid")
    try:
        claims = jwt.decode(
            token,
            service.token_secret,
            algorithms=[TOKEN_ALGORITHM],
            options={"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False},
        )
    except jwt.InvalidTokenError:
        raise unauthorized("bad_signature", "the token is not valid") from None
    if service.clock.now() >= claims["exp"]:
        raise unauthorized("expired", "the token has expired")
    return _account(service, claims["sub"], "")


def _is_exact_base64(part: str) -> bool:
    """Whether `part` is the one way to write its bytes: other bits at its end would be a second one."""
    if not _BASE64.match(part):
        return False
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return False
    return base64.urlsafe_b64encode(raw).decode().rstrip("=") == part


def _stamp(service: Service, request: web.Request) -> _Stamp:
    given = [request.headers.getall(name, []) for name in _FIELDS]
    if not given[0] or (not given[-1] and not service.bugs.has("B01")):
        raise unauthorized("missing_signature", "sign the request")
    if any(len(values) > 1 for values in given) and not service.bugs.has("B07"):
        raise unauthorized("bad_signature", "a signing field is given twice")
    return _Stamp(*(values[-1] if values else "" for values in given))


def _key(service: Service, stamp: _Stamp) -> sqlite3.Row:
    is_unsigned = service.bugs.has("B04") and stamp.algorithm.lower() == "none"
    if stamp.algorithm not in ALGORITHMS and not is_unsigned:
        raise unauthorized("bad_algorithm", "no such algorithm")
    key = service.store.one("SELECT * FROM keys WHERE id = ?", _printable(stamp.key))
    if key is None:
        raise unauthorized("unknown_key", "no such key")
    if key["algorithm"] != stamp.algorithm and not is_unsigned:
        raise unauthorized("bad_algorithm", "the key is for another algorithm")
    if not service.bugs.has("B10"):
        is_over = key["not_after"] is not None and service.clock.now() > key["not_after"]
        if key["status"] != "active" or is_over:
            raise unauthorized("key_revoked", "the key is not in use any more")
    return key


def _check_time(service: Service, stamp: _Stamp) -> None:
    if not _TIMESTAMP.match(stamp.timestamp):
        raise unauthorized("expired", "the timestamp is no number of seconds")
    age_seconds = service.clock.now() - int(stamp.timestamp)
    if age_seconds > SKEW_SECONDS and not service.bugs.has("B08"):
        raise unauthorized("expired", "the timestamp is too old")
    if age_seconds < -SKEW_SECONDS and not service.bugs.has("B09"):
        raise unauthorized("expired", "the timestamp is in the future")


def _check_signature(
    service: Service, request: web.Request, body: bytes, stamp: _Stamp, key: sqlite3.Row
) -> None:
    if not _NONCE.match(stamp.nonce):
        raise unauthorized("bad_signature", "the nonce is not 8 to 128 visible characters")
    if not service.bugs.has("B02") and not _is_digest(service, body, stamp.digest):
        raise unauthorized("bad_signature", "the body does not have the stated digest")
    if service.bugs.has("B01") and not stamp.signature:
        return
    if service.bugs.has("B04") and stamp.algorithm.lower() == "none":
        return
    message = signatures.canonical(
        request.method.encode(),
        _signed_target(service, request),
        timestamp=_raw(stamp.timestamp),
        nonce=_raw(stamp.nonce),
        digest=_raw(stamp.digest),
        host=_raw(request.headers.get("Host", "")),
    )
    if not _is_signed_by(service, key, stamp, message):
        raise unauthorized("bad_signature", "the signature is wrong")


def _is_signed_by(service: Service, key: sqlite3.Row, stamp: _Stamp, message: bytes) -> bool:
    candidates = [key]
    if service.bugs.has("B11"):
        candidates += service.store.all("SELECT * FROM keys WHERE status = 'active' AND id != ?", key["id"])
    by_prefix = service.bugs.has("B05")
    return any(
        signatures.is_right(
            each["algorithm"], each["verifier"], stamp.signature, message, by_prefix=by_prefix
        )
        for each in candidates
    )


def _is_digest(service: Service, body: bytes, stated: str) -> bool:
    head = body[:_HEAD_BYTES]
    if service.bugs.has("B03") and service.verified_heads.get(stated) == head:
        return True
    if hashlib.sha256(body).hexdigest() != stated:
        return False
    if service.bugs.has("B03"):
        if len(service.verified_heads) >= _HEADS_KEPT:
            service.verified_heads.clear()
        service.verified_heads[stated] = head
    return True


def _signed_target(service: Service, request: web.Request) -> bytes:
    """The target in origin form, whichever form it was sent in."""
    target = _raw(request.raw_path)
    if service.bugs.has("B06") and "X-Original-URL" in request.headers:
        return _raw(request.headers["X-Original-URL"])
    if not target.startswith(b"/"):
        _, _, rest = target.partition(b"://")
        _, slash, path = rest.partition(b"/")
        return slash + path or b"/"
    return target


def _check_nonce(service: Service, stamp: _Stamp) -> None:
    now = service.clock.now()
    service.store.run("DELETE FROM nonces WHERE seen_at < ?", now - NONCE_SECONDS)
    is_new = service.store.run("INSERT OR IGNORE INTO nonces VALUES (?, ?, ?)", stamp.key, stamp.nonce, now)
    if not is_new and not service.bugs.has("B12"):
        raise unauthorized("replayed", "the nonce was used before")


def _account(service: Service, address: object, key: str) -> Caller:
    row = service.store.one("SELECT * FROM accounts WHERE address = ?", address)
    if row is None:
        raise unauthorized("unknown_key", "no such account")
    return Caller(row["address"], row["role"], row["tenant"], key)


def _raw(text: str) -> bytes:
    """The bytes that were on the wire."""
    return text.encode("utf-8", "surrogateescape")


def _printable(text: str) -> str:
    """Safe to hand to the database: lone surrogates, which stand for odd bytes, replaced."""
    return text.encode("utf-8", "replace").decode()
