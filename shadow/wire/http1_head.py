"""Heads of HTTP/1 messages: from bytes to start line, field lines and the framing that they announce."""

import re
from typing import NamedTuple

from shadow.model import Headers

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (.+) (HTTP/[01]\.\d)[ \t]*", re.DOTALL)
_STATUS_LINE = re.compile(rb"(HTTP/[0-9]\.[0-9])[ \t]+([0-9]{3})(?: (.*))?", re.DOTALL)
_LENGTH = re.compile(rb"0*[0-9]{1,18}")
"""Digits alone (RFC 9110 §8.6); 18 that count stay within 64 bits."""

CHUNKED = -1
UNSTATED = -2


class RequestHead(NamedTuple):
    """The start line and fields of a request. `length` is a body length, CHUNKED or UNSTATED."""

    method: bytes
    target: bytes
    version: bytes
    headers: Headers
    length: int
    asks_upgrade: bool
    """Whether what follows may be another protocol's: after CONNECT, or with an Upgrade field."""


class ResponseHead(NamedTuple):
    """The start line and fields of a response. `length` is a body length, CHUNKED or UNSTATED."""

    version: bytes
    status: int
    reason: bytes
    headers: Headers
    length: int


def head_end(text: bytes | bytearray, start: int = 0) -> int:
    """The position after the empty line that ends a head, looking from `start`; -1 where there is none yet.

    A bare LF is taken as a line end (RFC 9112 §2.2 allows a recipient to do so).
    """
    strict = text.find(b"\n\r\n", start)
    bare = text.find(b"\n\n", start, strict + 1 if strict >= 0 else len(text))
    if bare >= 0:
        return bare + 2
    return strict + 3 if strict >= 0 else -1


def looks_like_request(text: bytes) -> bool | None:
    """Whether `text`, the first bytes of a stream, is an HTTP/1 request; None where more are needed."""
    end = text.find(b"\n")
    if end >= 0:
        return _REQUEST_LINE.fullmatch(text[:end].rstrip(b"\r")) is not None
    return None if _REQUEST_BEGIN.fullmatch(text) else False


_REQUEST_BEGIN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{0,64}(?: [^\x00-\x1f]*\r?)?", re.DOTALL)


def parse_request_head(text: bytes) -> RequestHead | str:
    """The head in `text`, which ends with its empty line; a reason where it is none."""
    lines = text.split(b"\n")
    match = _REQUEST_LINE.fullmatch(lines[0].rstrip(b"\r"))
    if match is None:
        return f"not a request line: {lines[0][:80]!r}"
    headers = parse_fields(lines, 1)
    lower = text.lower()
    length = _announced_length(lower, headers)
    if isinstance(length, str):
        return length
    method, target, version = match.groups()
    asks_upgrade = method == b"CONNECT" or b"\nupgrade:" in lower
    return RequestHead(method, target, version, headers, length, asks_upgrade)


def parse_response_head(text: bytes) -> ResponseHead | str:
    """The head in `text`, which ends with its empty line; a reason where it is none."""
    lines = text.split(b"\n")
    match = _STATUS_LINE.fullmatch(lines[0].rstrip(b"\r"))
    if match is None:
        return f"not a status line: {lines[0][:80]!r}"
    headers = parse_fields(lines, 1)
    length = _announced_length(text.lower(), headers)
    if isinstance(length, str):
        return length
    version, status, reason = match.groups()
    return ResponseHead(version, int(status), reason or b"", headers, length)


def parse_fields(lines: list[bytes], first: int = 0) -> Headers:
    """The field lines among `lines` from position `first`, up to the first empty one.

    An obsolete fold becomes one space (RFC 9112 §5.2). A line without a colon is a name without a value.
    """
    found: list[tuple[bytes, bytes]] = []
    for at in range(first, len(lines)):
        line = lines[at]
        name, colon, value = line.partition(b":")
        if colon and line[0] > 32:
            found.append((name, value.strip(b" \t\r")))
            continue
        line = line.rstrip(b"\r")
        if not line:
            break
        if line[0] in b" \t" and found:
            name, value = found[-1]
            found[-1] = (name, (value + b" " + line.strip(b" \t")).strip())
        else:
            name, _, value = line.partition(b":")
            found.append((name, value.strip(b" \t")))
    return tuple(found)


def last_transfer_coding(headers: Headers) -> bytes | None:
    """The last transfer coding in lower case, None where there is none.

    ``identity`` is read over, as RFC 2616 meant it: where it is written, other codings still apply.
    """
    codings = b",".join(_values(headers, b"transfer-encoding")).lower().split(b",")
    named = [coding for each in codings if (coding := each.strip()) not in (b"", b"identity")]
    return named[-1] if named else None


def _announced_length(lower: bytes, headers: Headers) -> int | str:
    """What the fields say of the body: its length, CHUNKED, UNSTATED, or why that cannot be told.

    Searching the whole head (`lower`, in lower case) first is far cheaper than looking at each name.
    """
    if b"\ntransfer-encoding" in lower:
        coding = last_transfer_coding(headers)
        if coding is not None:
            return CHUNKED if coding == b"chunked" else UNSTATED
    if b"\ncontent-length" not in lower:
        return UNSTATED
    lengths = {part.strip() for value in _values(headers, b"content-length") for part in value.split(b",")}
    if not lengths:
        return UNSTATED
    length = lengths.pop()
    if lengths or _LENGTH.fullmatch(length) is None:
        return f"unusable Content-Length: {length[:40]!r}"
    return int(length)


def _values(headers: Headers, name: bytes) -> list[bytes]:
    """Values of the fields called `name`, also where white space stands before the colon."""
    return [value for key, value in headers if key.strip().lower() == name]
