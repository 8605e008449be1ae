"""Services that check signatures without Shadow's own code: by public libraries, and by the standards."""

import hmac
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote, unquote

import http_message_signatures as hms

from shadow.model import Request, fields

SECRET = "a secret of a service that is long enough"
_PATIENCE_SECONDS = 86_400
"""Longer than a slow test run; what is expired, or of the future, is so by days."""


class _Keys(hms.HTTPSignatureKeyResolver):
    def resolve_public_key(self, key_id: str) -> bytes:
        return {"main": SECRET.encode()}[key_id]

    resolve_private_key = resolve_public_key


def takes_message(request: Request) -> bool:
    """RFC 9421, by the library http-message-signatures; the digest after RFC 9530."""
    names = {name.decode("latin-1").lower() for name, _ in request.headers}
    headers = {name: _joined(request, name).decode("latin-1") for name in names}
    url = f"http://{headers.get('host', '')}{request.target.decode('latin-1')}"
    asked = SimpleNamespace(method=request.method.decode("latin-1"), url=url, headers=headers)
    digest = f"sha-256=:{b64encode(sha256(request.body).digest()).decode()}:"
    verifier = hms.HTTPMessageVerifier(signature_algorithm=hms.algorithms.HMAC_SHA256, key_resolver=_Keys())
    try:
        results = verifier.verify(cast(Any, asked), max_age=timedelta(days=1))
    except (hms.HTTPMessageSignaturesException, KeyError, ValueError, TypeError):
        return False
    wanted = {'"@method"', '"@path"', '"@query"', '"@authority"', '"content-digest"'}
    covered = set(results[0].covered_components) if results else set()
    return headers.get("content-digest") == digest and wanted <= covered


def takes_amazon(request: Request) -> bool:
    """SigV4 in the Authorization field, written down from Amazon's description of it."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=main/(\d{8})/r/s/aws4_request, ?SignedHeaders=([^,]+),"
        r" ?Signature=([0-9a-f]{64})",
        _joined(request, "authorization").decode("latin-1"),
    )
    date = _joined(request, "x-amz-date").decode("latin-1")
    if found is None or not date.startswith(found[1]) or "host" not in found[2].split(";"):
        return False
    try:
        at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    if abs((datetime.now(UTC) - at).total_seconds()) > _PATIENCE_SECONDS:
        return False
    path, _, query = request.target.decode("latin-1").partition("?")
    pairs = sorted(
        "=".join(quote(unquote(part), safe="-_.~") for part in (name, value))
        for name, _, value in (pair.partition("=") for pair in query.split("&") if pair)
    )
    names = found[2].split(";")
    lines = "".join(
        f"{name}:{' '.join(_joined(request, name).decode('latin-1').split())}\n" for name in names
    )
    canonical = "\n".join(
        (
            request.method.decode("latin-1"),
            quote(path, safe="-_.~/"),
            "&".join(pairs),
            lines,
            found[2],
            sha256(request.body).hexdigest(),
        )
    )
    scope = f"{found[1]}/r/s/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{sha256(canonical.encode('latin-1')).hexdigest()}"
    key = b"AWS4" + SECRET.encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), found[3])


def takes_stripe(request: Request) -> bool:
    """As Stripe tells to verify: the time is covered, v1 alone counts, one right among several will do."""
    parts = [
        part.strip().partition(b"=") for part in _joined(request, "stripe-signature").split(b",") if part
    ]
    times = [value for name, _, value in parts if name == b"t"]
    if len(times) != 1 or not times[0].isdigit():
        return False
    right = _hmac(times[0] + b"." + request.body)
    is_fresh = abs(datetime.now(UTC).timestamp() - int(times[0])) < _PATIENCE_SECONDS
    return is_fresh and any(value == right for name, _, value in parts if name == b"v1")


def takes_slack(request: Request) -> bool:
    """As Slack tells to verify."""
    at = _joined(request, "x-slack-request-timestamp")
    if not at.isdigit() or abs(datetime.now(UTC).timestamp() - int(at)) > _PATIENCE_SECONDS:
        return False
    right = b"v0=" + _hmac(b"v0:" + at + b":" + request.body)
    return _joined(request, "x-slack-signature") == right


def takes_github(request: Request) -> bool:
    """As GitHub tells to verify: the SHA-256 one."""
    return _joined(request, "x-hub-signature-256") == b"sha256=" + _hmac(request.body)


def _hmac(message: bytes) -> bytes:
    return hmac.digest(SECRET.encode(), message, "sha256").hex().encode()


def _joined(request: Request, name: str) -> bytes:
    return b", ".join(fields(request.headers, name.encode("latin-1")))
