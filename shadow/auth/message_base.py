"""The signature base of HTTP Message Signatures (RFC 9421 §2.5): the bytes that are signed."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256, sha512
from urllib.parse import parse_qsl, quote

import msgspec

from shadow.auth.canonical import path_of, query_of
from shadow.auth.place import put_field
from shadow.auth.structured import InnerList, Item, dictionary, strict
from shadow.model import Headers, Request, field, fields

_DEFAULT_PORTS = {"http": b":80", "https": b":443"}
_DIGESTS = {b"sha-256": sha256, b"sha-512": sha512}
"""Those of RFC 9530 that are still to be used."""


def signature_base(request: Request, covered: InnerList, url_scheme: str) -> bytes | None:
    """What a signature over `covered` is made over; None where a component is not there or unknown."""
    lines = []
    for item in covered.items:
        value = component(request, item, url_scheme)
        if value is None:
            return None
        lines.append(item.text() + b": " + value)
    lines.append(b'"@signature-params": ' + covered.text())
    return b"\n".join(lines)


def component(request: Request, item: Item, url_scheme: str) -> bytes | None:
    """The value of one component (RFC 9421 §2.1, §2.2); None where the request has none such."""
    if not item.value.startswith(b"@"):
        return _field(request, item)
    if item.value == b"@query-param":
        return _query_parameter(request, item)
    derive = _DERIVED.get(item.value)
    return derive(request, url_scheme) if derive and not item.parameters else None


def digest_is_right(request: Request) -> bool:
    """Whether every digest that Content-Digest states is that of the content, as far as it is known."""
    stated = dictionary(_joined(request.headers, b"content-digest") or b"")
    known = [(name, raw) for name, raw in stated.items() if name in _DIGESTS]
    return all(raw == _digest(name, request.body) for name, raw in known)


def with_digest(request: Request) -> Request:
    """`request` with the digests that Content-Digest states made again (RFC 9530 §2)."""
    stated = _joined(request.headers, b"content-digest")
    if stated is None or digest_is_right(request):
        return request
    members = (
        name + b"=" + (_digest(name, request.body) if name in _DIGESTS else raw)
        for name, raw in dictionary(stated).items()
    )
    headers = put_field(request.headers, "Content-Digest", b", ".join(members))
    return msgspec.structs.replace(request, headers=headers)


def _digest(name: bytes, body: bytes) -> bytes:
    return b":" + b64encode(_DIGESTS[name](body).digest()) + b":"


def _field(request: Request, item: Item) -> bytes | None:
    if any(each.name not in (b"sf", b"key", b"bs", b"tr") for each in item.parameters):
        return None
    headers = request.headers if item.parameter(b"tr") is None else request.trailers
    if item.parameter(b"bs") is not None:
        lines = [b":" + b64encode(value.strip()) + b":" for value in fields(headers, item.value)]
        return b", ".join(lines) if lines else None
    value = _joined(headers, item.value)
    key = item.parameter(b"key")
    if value is not None and key is not None:
        member = dictionary(value).get(key)
        return None if member is None else strict(member) or b"?1"
    return value if value is None or item.parameter(b"sf") is None else strict(value)


def _joined(headers: Headers, name: bytes) -> bytes | None:
    lines = [value.strip() for value in fields(headers, name)]
    return b", ".join(lines) if lines else None


def _query_parameter(request: Request, item: Item) -> bytes | None:
    """One that occurs several times cannot be covered (RFC 9421 §2.2.8)."""
    name = item.parameter(b"name")
    if name is None or len(item.parameters) != 1:
        return None
    pairs = parse_qsl(query_of(request.target).decode("latin-1"), keep_blank_values=True)
    values = [value for key, value in pairs if _form_encoded(key) == name]
    return _form_encoded(values[0]) if len(values) == 1 else None


def _form_encoded(text: str) -> bytes:
    """As the URL standard encodes forms, but for the space (RFC 9421 §2.2.8)."""
    return quote(text, safe="*").replace("~", "%7E").encode()


def _authority(request: Request, url_scheme: str) -> bytes | None:
    host = field(request.headers, b"host")
    return None if host is None else host.lower().removesuffix(_DEFAULT_PORTS.get(url_scheme, b""))


def _target_uri(request: Request, url_scheme: str) -> bytes | None:
    if b"://" in request.target.partition(b"?")[0]:
        return request.target
    authority = _authority(request, url_scheme)
    return None if authority is None else url_scheme.encode() + b"://" + authority + request.target


_DERIVED: Mapping[bytes, Callable[[Request, str], bytes | None]] = {
    b"@method": lambda request, _: request.method,
    b"@authority": _authority,
    b"@scheme": lambda _, url_scheme: url_scheme.encode(),
    b"@target-uri": _target_uri,
    b"@request-target": lambda request, _: request.target,
    b"@path": lambda request, _: path_of(request.target) or b"/",
    b"@query": lambda request, _: b"?" + query_of(request.target),
}
