"""AWS Signature Version 4: in the Authorization field, and in the query of a presigned address.

After Amazon's "Create a signed AWS API request" and "Signature Calculations for the Authorization Header". A
payload that is signed chunk by chunk (``STREAMING-…``) is left alone: its signatures stand inside the body.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from math import isfinite
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from shadow.auth.canonical import body_digest, path_of, query_of
from shadow.auth.keys import SigningKey, check_keys, secrets_of
from shadow.auth.place import FieldPlace, PiecePlace, Place, QueryPlace
from shadow.auth.settings import SigningSettings
from shadow.model import Request, field, fields

_ALGORITHM = b"AWS4-HMAC-SHA256"
_UNSIGNED = b"UNSIGNED-PAYLOAD"
_STREAMED = b"STREAMING-"
_END = b"aws4_request"
_FORMAT = "%Y%m%dT%H%M%SZ"
_PLAIN = "-._~"
"""What is not percent-encoded besides letters and digits."""

_AUTHORIZATION = FieldPlace("Authorization")
_IN_FIELDS: Mapping[str, Place] = {
    "algorithm": PiecePlace(_AUTHORIZATION, rb"^(AWS4-[A-Z0-9-]*)"),
    "key_id": PiecePlace(_AUTHORIZATION, rb"\bCredential=([^/,\s]*)"),
    "timestamp": FieldPlace("X-Amz-Date"),
    "body_digest": FieldPlace("X-Amz-Content-Sha256"),
    "signature": PiecePlace(_AUTHORIZATION, rb"\bSignature=([^,\s]*)"),
}
_IN_QUERY: Mapping[str, Place] = {
    "algorithm": QueryPlace("X-Amz-Algorithm"),
    "key_id": PiecePlace(QueryPlace("X-Amz-Credential"), rb"^([^/]*)"),
    "timestamp": QueryPlace("X-Amz-Date"),
    "signature": QueryPlace("X-Amz-Signature"),
}
_SCOPE: Mapping[bool, Place] = {
    False: PiecePlace(_AUTHORIZATION, rb"\bCredential=[^/,\s]*/([^,\s]*)"),
    True: PiecePlace(QueryPlace("X-Amz-Credential"), rb"^[^/]*/(.*)"),
}
_SIGNED_NAMES: Mapping[bool, Place] = {
    False: PiecePlace(_AUTHORIZATION, rb"\bSignedHeaders=([^,\s]*)"),
    True: QueryPlace("X-Amz-SignedHeaders"),
}


class _Scope(NamedTuple):
    """What a signing key is good for."""

    region: bytes
    service: bytes

    def text(self, day: bytes) -> bytes:
        return b"/".join((day, self.region, self.service, _END))


class SigV4Scheme:
    """Signs and recognises requests under AWS Signature Version 4. Implements `shadow.model.Signs`."""

    def __init__(self, settings: SigningSettings, secrets: Mapping[str, str] | None = None) -> None:
        """`secrets` as for `CanonicalScheme`. Raises ConfigError for keys that are not of this scheme."""
        check_keys("signing.keys", settings.keys, ("hmac-sha256",))
        self._keys: dict[str, SigningKey] = {key.id: key for key in settings.keys}
        self._secrets = secrets_of(settings.keys, secrets or {}, is_text=True)
        self._new = _Scope(settings.region.encode(), settings.service.encode())

    def key_id(self, request: Request) -> str | None:
        form = _form(request)
        key = form["key_id"].read(request) if form else None
        return None if key is None else key.decode("latin-1")

    def keys(self) -> tuple[str, ...]:
        return self._with_status("active")

    def revoked_keys(self) -> tuple[str, ...]:
        return self._with_status("revoked")

    def places(self, request: Request | None = None) -> dict[str, str]:
        form = (_form(request) if request else None) or _IN_FIELDS
        return {part: place.name for part, place in form.items()}

    def read(self, request: Request, part: str) -> bytes | None:
        form = _form(request)
        return form[part].read(request) if form and part in form else None

    def put(self, request: Request, part: str, value: bytes) -> Request | None:
        form = _form(request)
        return form[part].put(request, value) if form and part in form else None

    def bare(self, request: Request) -> Request:
        form = _form(request)
        for place in (*form.values(), FieldPlace("X-Amz-Security-Token")) if form else ():
            request = place.drop(request)
        if form is _IN_QUERY:
            for name in ("X-Amz-SignedHeaders", "X-Amz-Expires", "X-Amz-Security-Token"):
                request = QueryPlace(name).drop(request)
        return request

    def stated_time(self, request: Request) -> float | None:
        stated = self.read(request, "timestamp")
        try:
            return None if stated is None else _moment(stated.decode("latin-1"))
        except (ValueError, OverflowError):
            return None

    def sign(
        self,
        request: Request,
        *,
        key: str | None = None,
        at: float | None = None,
        nonce: str | None = None,  # noqa: ARG002 - the scheme has none
    ) -> Request | None:
        form = _form(request)
        signing = self.key_id(request) if key is None else key
        stated = self.stated_time(request) if at is None else at
        if signing not in self._secrets or stated is None or _is_streamed(request):
            return None
        date = _written(stated)
        if date is None:
            return None
        if form is None:
            request, form = self._begun(request), _IN_FIELDS
            if _form(request) is None:
                return None
        request = form["timestamp"].put(request, date)
        request = form["key_id"].put(request, signing.encode("latin-1", "replace"))
        if _digest_stated(request) not in (None, _UNSIGNED):
            request = _IN_FIELDS["body_digest"].put(request, body_digest(request))
        request = _for_day(request, date[:8], is_presigned=form is _IN_QUERY)
        signature = self._signature(request, signing, date)
        return None if signature is None else form["signature"].put(request, signature)

    def verifies(self, request: Request) -> bool | None:
        form, key = _form(request), self.key_id(request)
        if form is None or key not in self._secrets:
            return None
        digest = _digest_stated(request)
        if digest not in (None, _UNSIGNED, body_digest(request)):
            return False
        date = form["timestamp"].read(request) or b""
        made = self._signature(request, key, date)
        return made is not None and hmac.compare_digest(made, form["signature"].read(request) or b"")

    def _signature(self, request: Request, key: str, date: bytes) -> bytes | None:
        is_presigned = _form(request) is _IN_QUERY
        scope = (_SCOPE[is_presigned].read(request) or b"").split(b"/")
        names = (_SIGNED_NAMES[is_presigned].read(request) or b"").split(b";")
        if len(scope) != 4 or scope[3] != _END or scope[0] != date[:8]:
            return None
        creation = canonical_request(request, names, service=scope[2], is_presigned=is_presigned)
        digest = sha256(creation).hexdigest().encode()
        secret = b"AWS4" + self._secrets[key]
        for step in scope:
            secret = hmac.digest(secret, step, "sha256")
        text = b"\n".join((_ALGORITHM, date, b"/".join(scope), digest))
        return hmac.digest(secret, text, "sha256").hex().encode()

    def _begun(self, request: Request) -> Request:
        """`request` with the fields of a signature yet to be made, where region and service are known."""
        if not all(self._new):
            return request
        if self._new.service == b"s3":
            request = FieldPlace("X-Amz-Content-Sha256").put(request, body_digest(request))
        names = {b"x-amz-date", *(name.lower() for name, _ in request.headers if _is_signed_by_habit(name))}
        value = b"%b Credential=x/%b, SignedHeaders=%b, Signature=0" % (
            _ALGORITHM,
            self._new.text(b"0"),
            b";".join(sorted(names)),
        )
        return _AUTHORIZATION.put(request, value)

    def _with_status(self, status: str) -> tuple[str, ...]:
        return tuple(id_ for id_ in self._secrets if self._keys[id_].status == status)


def canonical_request(request: Request, names: list[bytes], *, service: bytes, is_presigned: bool) -> bytes:
    """What the signature is made over, with the fields of these lower-case `names`."""
    lines = [b"%b:%b\n" % (name, b",".join(map(_squeezed, fields(request.headers, name)))) for name in names]
    payload = _digest_stated(request)
    if payload is None:
        is_open = is_presigned and service == b"s3"
        payload = _UNSIGNED if is_open else body_digest(request)
    path = path_of(request.target) or b"/"
    parts = (
        request.method,
        _s3_path(path) if service.startswith(b"s3") else _normal_path(path),
        _canonical_query(query_of(request.target)),
        b"".join(lines),
        b";".join(names),
        payload,
    )
    return b"\n".join(parts)


def _form(request: Request) -> Mapping[str, Place] | None:
    """Where the parts of the request's signature stand; None where it bears none of this scheme."""
    value = field(request.headers, b"authorization")
    if value is not None and value.startswith(_ALGORITHM + b" "):
        return _IN_FIELDS
    if b"X-Amz-Signature=" not in request.target:
        return None
    return _IN_QUERY if _IN_QUERY["algorithm"].read(request) == _ALGORITHM else None


def _for_day(request: Request, day: bytes, *, is_presigned: bool) -> Request:
    """`request` with the day of its scope set, and no field named as signed that it does not have."""
    scope, names = _SCOPE[is_presigned], _SIGNED_NAMES[is_presigned]
    said = scope.read(request) or b""
    request = scope.put(request, day + b"/" + said.partition(b"/")[2])
    listed = (names.read(request) or b"").split(b";")
    kept = [name for name in listed if field(request.headers, name) is not None]
    return request if kept == listed else names.put(request, b";".join(kept))


def _digest_stated(request: Request) -> bytes | None:
    return field(request.headers, b"x-amz-content-sha256")


def _is_streamed(request: Request) -> bool:
    return (_digest_stated(request) or b"").startswith(_STREAMED)


def _is_signed_by_habit(name: bytes) -> bool:
    lower = name.lower()
    return lower in (b"host", b"content-type") or lower.startswith(b"x-amz-")


def _squeezed(value: bytes) -> bytes:
    return re.sub(rb" +", b" ", value.strip())


def _s3_path(path: bytes) -> bytes:
    return quote_from_bytes(unquote_to_bytes(path), safe=_PLAIN + "/").encode()


def _normal_path(path: bytes) -> bytes:
    """Without dot segments and empty ones, each other encoded once more than it was sent."""
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            del kept[-1:]
        elif segment not in (b"", b"."):
            kept.append(segment)
    end = b"/" if kept and path.endswith((b"/", b"/.", b"/..")) else b""
    return quote_from_bytes(b"/" + b"/".join(kept) + end, safe=_PLAIN + "/").encode()


def _canonical_query(query: bytes) -> bytes:
    pairs = []
    for pair in query.split(b"&"):
        name, _, value = pair.partition(b"=")
        if pair and unquote_to_bytes(name) != b"X-Amz-Signature":
            pairs.append((_encoded(name), _encoded(value)))
    return b"&".join(b"=".join(pair) for pair in sorted(pairs))


def _encoded(text: bytes) -> bytes:
    return quote_from_bytes(unquote_to_bytes(text), safe=_PLAIN).encode()


def _moment(text: str) -> float:
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC).timestamp()


def _written(at: float) -> bytes | None:
    try:
        return datetime.fromtimestamp(int(at), UTC).strftime(_FORMAT).encode() if isfinite(at) else None
    except (ValueError, OverflowError, OSError):
        return None
