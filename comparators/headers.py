"""Header and trailer fields: sets as sets, directives by name, volatile fields by their presence."""

import re
from collections.abc import Iterator

from comparators import _addresses, _cookies
from comparators._bounded import bounded_pair
from comparators._contract import comparator
from shadow.model import Change, Difference, Headers, Response, without_field
from shadow.wire.grpc_status import is_call

NOT_COMPARED = frozenset(
    b"connection content-length date keep-alive proxy-connection server shadow-run shadow-trial te trailer"
    b" transfer-encoding upgrade grpc-accept-encoding grpc-encoding"
    b" age alt-svc cdn-loop cf-cache-status cf-ray nel report-to via x-amz-cf-id x-amz-cf-pop x-cache"
    b" x-cache-hits x-served-by x-timer".split()
)
"""Framing and hop-by-hop fields (RFC 9110 §7.6.1), those that say who answered when, and what caches add."""

_NONCE = re.compile(rb"'nonce-[^']*'")
"""New in every answer, as it must be (Content Security Policy Level 3 §2.3.1)."""

VOLATILE = frozenset(
    b"b3 ratelimit-remaining ratelimit-reset request-id retry-after sentry-trace server-timing traceparent"
    b" tracestate uber-trace-id x-amz-id-2 x-amz-request-id x-amzn-requestid x-amzn-trace-id"
    b" x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid x-cloud-trace-context x-correlation-id"
    b" x-datadog-parent-id x-datadog-trace-id x-envoy-upstream-service-time x-ms-request-id"
    b" x-process-time x-rate-limit-remaining x-rate-limit-reset"
    b" x-ratelimit-remaining x-ratelimit-reset x-request-id x-request-start x-response-time x-runtime"
    b" x-trace-id".split()
)
"""Fields that differ from answer to answer by design: only their presence is compared."""

SETS = frozenset(
    b"accept-ch accept-patch accept-post accept-ranges access-control-allow-headers"
    b" access-control-allow-methods access-control-expose-headers allow content-language vary".split()
)
"""Comma-separated lists whose order means nothing."""
_CASE_SENSITIVE = frozenset({b"allow", b"access-control-allow-methods"})

DIRECTIVES = {
    b"cache-control": ",",
    b"surrogate-control": ",",
    b"content-type": ";",
    b"content-disposition": ";",
    b"content-security-policy": ";",
    b"permissions-policy": ",",
    b"strict-transport-security": ";",
    b"www-authenticate": ",",
}
"""Fields made of named parts, and what separates these; compared part by part."""

_BARE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@comparator
def headers(control: Response, other: Response) -> Iterator[Difference]:
    """Field names have no case, and fields of different names no order (RFC 9110 §5.1, §5.3)."""
    if control.headers != other.headers:
        yield from _compared("header", control.headers, other.headers)
    if control.trailers != other.trailers:
        yield from _compared("trailer", _trailers(control), _trailers(other))


def _trailers(response: Response) -> Headers:
    """Without the status of a gRPC call, which is compared as the answer's."""
    if not is_call(response):
        return response.trailers
    return without_field(response.trailers, b"grpc-status")


def _compared(part: str, left: Headers, right: Headers) -> Iterator[Difference]:
    ours, theirs = _values(left), _values(right)
    for name, values in ours.items():
        found = theirs.get(name)
        where = f"{part}:{name.decode('latin-1')}"
        if found is None:
            yield Difference(where, Change.MISSING, _joined(values)[:2048], None)
        elif found != values:
            yield from _field(name, where, values, found)
    for name, values in theirs.items():
        if name not in ours:
            where = f"{part}:{name.decode('latin-1')}"
            yield Difference(where, Change.ADDED, None, _joined(values)[:2048])


def _values(lines: Headers) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        key = name.lower()
        if key not in NOT_COMPARED:
            found.setdefault(key, []).append(value)
    return found


def _field(name: bytes, where: str, left: list[bytes], right: list[bytes]) -> Iterator[Difference]:
    if name in VOLATILE:
        return
    if name.startswith(b"content-security-policy"):
        left, right = ([_NONCE.sub(b"'nonce-'", value) for value in side] for side in (left, right))
    if name == b"set-cookie":
        yield from _cookies.compared(where, left, right)
    elif name == b"etag":
        yield from _etag(where, _joined(left), _joined(right))
    elif name in _addresses.FIELDS:
        yield from _addresses.compared(name, where, _joined(left), _joined(right))
    elif name in SETS:
        yield from _sets(where, _tokens(name, left), _tokens(name, right))
    elif separator := DIRECTIVES.get(name):
        yield from _directives(where, _joined(left), _joined(right), separator)
    else:
        yield from _value(where, _joined(left), _joined(right))


def _value(where: str, left: str, right: str) -> Iterator[Difference]:
    if left != right:
        yield Difference(where, Change.VALUE, *bounded_pair(left, right))


def _etag(where: str, left: str, right: str) -> Iterator[Difference]:
    """Weak and strong validators promise different things (RFC 9110 §8.8.1), so that is a change of type."""
    weakened = left.startswith("W/") != right.startswith("W/")
    if weakened:
        yield Difference(where, Change.TYPE, *bounded_pair(left, right))
    else:
        yield from _value(where, left, right)


def _tokens(name: bytes, values: list[bytes]) -> set[str]:
    text = _joined(values)
    text = text if name in _CASE_SENSITIVE else text.lower()
    return {token for piece in text.split(",") if (token := piece.strip())}


def _sets(where: str, left: set[str], right: set[str]) -> Iterator[Difference]:
    for token in sorted(left - right):
        yield Difference(f"{where}[{token}]", Change.MISSING, token, None)
    for token in sorted(right - left):
        yield Difference(f"{where}[{token}]", Change.ADDED, None, token)


def _directives(where: str, left: str, right: str, separator: str) -> Iterator[Difference]:
    ours, theirs = (_addresses.filename(_named(each, separator)) for each in (left, right))
    for name, value in ours.items():
        if name not in theirs:
            yield Difference(_place(where, name), Change.MISSING, value or name, None)
        elif theirs[name] != value:
            yield from _value(_place(where, name), value, theirs[name])
    for name, value in theirs.items():
        if name not in ours:
            yield Difference(_place(where, name), Change.ADDED, None, value or name)


def _named(text: str, separator: str) -> dict[str, str]:
    """Parts by lower-case name; the leading part of a ``;`` list (the media type) is called ``""``."""
    found: dict[str, str] = {}
    for at, piece in enumerate(_split(text, separator)):
        name, equals, value = piece.partition("=")
        name = name.strip().lower()
        if at == 0 and separator == ";" and not equals:
            found[""] = name
        elif name == "boundary":
            continue  # a multipart boundary is free to choose (RFC 2046 §5.1.1)
        elif name:
            value = value.strip().strip('"')
            found[name] = value.lower() if name == "charset" else value
    return found


def _split(text: str, separator: str) -> Iterator[str]:
    """Parts of `text`, separators within double quotes left alone."""
    start, is_quoted = 0, False
    for at, char in enumerate(text):
        if char == '"':
            is_quoted = not is_quoted
        elif char == separator and not is_quoted:
            yield text[start:at]
            start = at + 1
    yield text[start:]


def _place(where: str, name: str) -> str:
    if not name:
        return where
    return f"{where}[{name if _BARE_NAME.fullmatch(name) else name[:40]}]"


def _joined(values: list[bytes]) -> str:
    """Lines of one name are one comma-separated value (RFC 9110 §5.2)."""
    return b", ".join(values).decode("latin-1")
