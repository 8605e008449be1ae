"""Requests that were seen over HTTP/2 or 3, in the form that HTTP/1.1 gives them (RFC 9113 §8.2, §8.3)."""

import re

import msgspec

from shadow.model import Exchange, Headers, Request
from shadow.wire.grpc import with_plain_metadata

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(rb"[^\x00-\x20\x7f]+")
_VALUE = re.compile(rb"[^\x00\r\n]*")
_OF_CONNECTION = frozenset(
    b"connection http2-settings keep-alive proxy-connection te transfer-encoding upgrade".split()
)
"""They speak of the connection that the request came over, not of the one it will go over."""
_HAS_CONTENT = frozenset((b"POST", b"PUT", b"PATCH"))
"""Methods with which an empty body is stated, too (RFC 9110 §8.6)."""


def is_multiplexed(request: Request) -> bool:
    """Whether the request is in the form of HTTP/2 or 3: without a start line, and framed otherwise."""
    return request.version.startswith((b"HTTP/2", b"HTTP/3"))


def replayable(exchange: Exchange) -> Exchange:
    """`exchange` with its request in the form of HTTP/1.1; what the live service answered stays as it was,
    save that metadata of gRPC which was said as bare bytes is said in Base64, as to anybody."""
    exchange = with_plain_metadata(exchange)
    request = in_http1(exchange.request)
    if request is exchange.request:
        return exchange
    return msgspec.structs.replace(exchange, request=request, seen_over=exchange.request.version)


def in_http1(request: Request) -> Request:
    """`request` as HTTP/1.1 says it: Host first, one Cookie field, its length stated, or chunked before
    trailers.

    Unchanged where it is HTTP/1 already, and where HTTP/1 cannot say it: a line end in a field would become
    another field there, or another request (RFC 9113 §10.3).
    """
    if not is_multiplexed(request) or not _can_be_said(request):
        return request
    headers = _framed(request, _with_one_cookie(_with_host(_end_to_end(request.headers))))
    return msgspec.structs.replace(request, version=b"HTTP/1.1", headers=headers)


def _can_be_said(request: Request) -> bool:
    if not _TOKEN.fullmatch(request.method) or not _TARGET.fullmatch(request.target):
        return False
    if request.method == b"CONNECT" and request.target.startswith(b"/"):
        return False  # RFC 8441: there is no such thing in HTTP/1
    return all(
        _TOKEN.fullmatch(name) and _VALUE.fullmatch(value)
        for name, value in (*request.headers, *request.trailers)
    )


def _end_to_end(headers: Headers) -> Headers:
    return tuple((name, value.strip(b" \t")) for name, value in headers if name.lower() not in _OF_CONNECTION)


def _with_host(headers: Headers) -> Headers:
    """RFC 9112 §3.2: a client sends Host, first and even where it is empty."""
    hosts = tuple(line for line in headers if line[0].lower() == b"host") or ((b"host", b""),)
    return (*hosts, *(line for line in headers if line[0].lower() != b"host"))


def _with_one_cookie(headers: Headers) -> Headers:
    """RFC 9113 §8.2.3: cookies may be sent one by one in HTTP/2, and must be joined outside of it."""
    crumbs = [value for name, value in headers if name.lower() == b"cookie"]
    if len(crumbs) < 2:
        return headers
    joined = (b"cookie", b"; ".join(crumbs))
    at = next(at for at, (name, _) in enumerate(headers) if name.lower() == b"cookie")
    return (*headers[:at], joined, *(line for line in headers[at:] if line[0].lower() != b"cookie"))


def _framed(request: Request, headers: Headers) -> Headers:
    """With a length that is right, in the place where one was stated; chunked where there are trailers."""
    length = (b"content-length", b"%d" % len(request.body))
    bare = tuple(line for line in headers if line[0].lower() != b"content-length")
    if request.trailers:
        return (*bare, (b"transfer-encoding", b"chunked"))
    if len(bare) < len(headers):
        at = next(at for at, (name, _) in enumerate(headers) if name.lower() == b"content-length")
        return (*bare[:at], length, *bare[at:])
    return (*bare, length) if request.body or request.method in _HAS_CONTENT else bare
