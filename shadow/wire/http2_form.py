"""Requests in the form of HTTP/1.1, as HTTP/2 says them (RFC 9113 §8.2, §8.3)."""

import re

from shadow.model import Headers, Request, field
from shadow.wire.grpc import is_grpc

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PATH = re.compile(rb"/[!-~\x80-\xff]*")
_VALUE = re.compile(rb"(?:[^\x00\r\n\t ](?:[^\x00\r\n]*[^\x00\r\n\t ])?)?")
"""White space at an end makes a field malformed (RFC 9113 §8.2.1)."""
_AUTHORITY = re.compile(rb"[^\x00-\x20\x7f]*")
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))
_OF_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding"))
"""What HTTP/2 must not say (RFC 9113 §8.2.2); TE is put back where it says ``trailers``."""
_HARMLESS_OPTIONS = frozenset((b"", b"keep-alive", b"close", b"te"))
"""Options of Connection that speak of nothing but the connection."""
_TE: Headers = ((b"te", b"trailers"),)


def unsayable(request: Request) -> str:
    """Why HTTP/2 cannot say exactly what `request` means in HTTP/1.1; empty where it can."""
    return _unsayable_start(request) or _unsayable_fields(request) or _unsayable_framing(request)


def in_http2(request: Request, scheme: str, *, joins_cookies: bool = False) -> Headers:
    """The fields of `request`, pseudo-fields first; Host is the authority, a cookie is said in crumbs.

    A gRPC call states no length, and that it takes trailers (gRPC over HTTP/2, Requests).
    """
    authority = field(request.headers, b"host")
    start: Headers = ((b":method", request.method), (b":scheme", scheme.encode()))
    if authority:
        start = (*start, (b":authority", authority))
    is_call = is_grpc(request.headers)
    said: list[tuple[bytes, bytes]] = [*start, (b":path", request.target)]
    takes_trailers = is_call
    for name, value in request.headers:
        lower = name.lower()
        if lower == b"te":
            takes_trailers = True
        elif lower == b"cookie" and not joins_cookies:
            said.extend((lower, crumb) for crumb in value.split(b"; "))
        elif (
            lower not in _OF_CONNECTION and lower != b"host" and not (is_call and lower == b"content-length")
        ):
            said.append((lower, value))
    return (*said, *_TE) if takes_trailers else tuple(said)


def is_same_in_http2(request: Request, other: Request) -> bool:
    """Whether both are one request once HTTP/2 says them: it has no case of names, and no place for Host."""
    return (
        request.body == other.body
        and in_http2(request, "") == in_http2(other, "")
        and trailers_in_http2(request) == trailers_in_http2(other)
    )


def trailers_in_http2(request: Request) -> Headers:
    """The fields that follow the body."""
    return tuple((name.lower(), value) for name, value in request.trailers)


def _unsayable_start(request: Request) -> str:
    if request.version != b"HTTP/1.1":
        return f"HTTP/2 states no version, so not {request.version[:20]!r} either"
    if _TOKEN.fullmatch(request.method) is None or request.method == b"CONNECT":
        return f"the method {request.method[:20]!r}"
    is_star = request.target == b"*" and request.method == b"OPTIONS"
    if not is_star and _PATH.fullmatch(request.target) is None:
        return f"the target {request.target[:40]!r}"
    return ""


def _unsayable_fields(request: Request) -> str:
    seen: dict[bytes, bytes] = {}
    for name, value in (*request.headers, *request.trailers):
        if _TOKEN.fullmatch(name) is None or _VALUE.fullmatch(value) is None:
            return f"the field {name[:40]!r} as it is written"
        lower = name.lower()
        if lower in seen and lower in (b"host", b"cookie"):
            return f"the field {name!r} twice"
        seen[lower] = value
    if _AUTHORITY.fullmatch(seen.get(b"host", b" ")) is None:
        return "a request without a host, or with one that is none"
    if b"upgrade" in seen or b"http2-settings" in seen:
        return "an upgrade"
    if any(b";" in crumb for crumb in seen.get(b"cookie", b"").split(b"; ")):
        return "a cookie of which the parts are not joined by '; '"
    if seen.get(b"te", b"trailers").lower() != b"trailers":
        return "a TE field"
    options = {option.strip().lower() for option in seen.get(b"connection", b"").split(b",")}
    return "" if options <= _HARMLESS_OPTIONS else "fields of the connection alone"


def _unsayable_framing(request: Request) -> str:
    stated = [(name.lower(), value) for name, value in request.headers if name.lower() in _FRAMING]
    if stated == [(b"transfer-encoding", b"chunked")]:
        return ""
    if request.trailers:
        return "trailers that nothing announces"
    if not stated:
        return "a body that nothing announces" if request.body else ""
    is_right = stated == [(b"content-length", b"%d" % len(request.body))]
    return "" if is_right else "a body framed in another way than by its length or by chunks"
