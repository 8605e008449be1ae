"""Heads of HTTP/1 messages: from bytes to start line, field lines and the framing that they announce."""

import re
from functools import lru_cache

import msgspec

from shadow.model import Headers

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (.+) (HTTP/[01]\.\d)[ \t]*", re.DOTALL)
_METHODS = frozenset({b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS"})
_STATUS_LINE = re.compile(rb"(HTTP/[0-9]\.[0-9])[ \t]+([0-9]{3})(?: (.*))?", re.DOTALL)
_LENGTH = re.compile(rb"0*[0-9]{1,18}")
"""Digits alone (RFC 9110 §8.6); 18 that count stay within 64 bits."""

_MAX_LINE_BYTES = 256
_VERSIONS = (b"HTTP/1.1", b"HTTP/1.0")
_MAX_BLOCK_BYTES = 4096
"""Of field lines that are remembered: most come again and again, and are read once."""

CHUNKED = -1
UNSTATED = -2


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """The start line and fields of a request. `length` is a body length, CHUNKED or UNSTATED."""

    method: bytes
    target: bytes
    version: bytes
    headers: Headers
    length: int
    asks_upgrade: bool
    """Whether what follows may be another protocol's: after CONNECT, or with an Upgrade field."""


class ResponseHead(msgspec.Struct, frozen=True, gc=False):
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
    end = text.find(b"\r\n") + 2
    line = text[: end - 2]
    start = line.split(b" ")
    has_bare_end = end < 2 or b"\n" in line
    if len(start) == 3 and start[2] in _VERSIONS and start[1] and start[0] in _METHODS and not has_bare_end:
        method, target, version = start
    else:
        if has_bare_end:
            end = text.find(b"\n") + 1
            line = text[: end - 1].rstrip(b"\r")
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            return f"not a request line: {line[:80]!r}"
        method, target, version = match.groups()
    block = text[end:]
    headers, length, upgrades = (_known_block if len(block) <= _MAX_BLOCK_BYTES else _block)(block)
    if isinstance(length, str):
        return length
    return RequestHead(method, target, version, headers, length, upgrades or method == b"CONNECT")


def parse_response_head(text: bytes) -> ResponseHead | str:
    """The head in `text`, which ends with its empty line; a reason where it is none."""
    end = text.find(b"\n") + 1
    line = text[: end - 1].rstrip(b"\r")
    start = (_known_status_line if end <= _MAX_LINE_BYTES else _status_line)(line)
    if start is None:
        return f"not a status line: {line[:80]!r}"
    headers, length, _ = _block(text[end:])
    if isinstance(length, str):
        return length
    version, status, reason = start
    return ResponseHead(version, status, reason, headers, length)


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


def _block(text: bytes) -> tuple[Headers, int | str, bool]:
    """The field lines in `text`, which ends with an empty line; what they say of the body's length, or why
    that cannot be told; and whether they ask for an upgrade."""
    headers = _fields(text)
    lower = b"\n" + text.lower()
    return headers, _announced_length(lower, headers), b"\nupgrade:" in lower


def _fields(text: bytes) -> Headers:
    """As `parse_fields`, with a short way for lines that are as they should be."""
    if len(text) <= _MAX_BLOCK_BYTES and (text.endswith(b"\r\n\r\n") or text == b"\r\n"):
        found = tuple(map(_field_line, text.split(b"\r\n")[:-2]))
        if all(found):
            return found  # type: ignore[return-value]  # none is None
    return parse_fields(text.split(b"\n"))


@lru_cache(4096)
def _field_line(line: bytes) -> tuple[bytes, bytes] | None:
    """Name and value of a field line that is as it should be, None for any other."""
    name, colon, value = line.partition(b":")
    if not colon or line[0] <= 32 or b"\n" in line:
        return None
    return name, value.strip(b" \t\r")


def _status_line(line: bytes) -> tuple[bytes, int, bytes] | None:
    """Version, status and reason."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        return None
    version, status, reason = match.groups()
    return version, int(status), reason or b""


_known_block = lru_cache(512)(_block)
"""Clients say the same again and again."""
_known_status_line = lru_cache(256)(_status_line)


def _announced_length(lower: bytes, headers: Headers) -> int | str:
    """What the fields say of the body: its length, CHUNKED, UNSTATED, or why that cannot be told.

    Searching the whole head (`lower`, in lower case) first is far cheaper than looking at each name.
    """
    if b"\ntransfer-encoding" in lower:
        coding = last_transfer_coding(headers)
        if coding is not None:
            return CHUNKED if coding == b"chunked" else UNSTATED
    at = lower.find(b"\ncontent-length")
    if at < 0:
        return UNSTATED
    if lower.startswith(b":", at + 15) and lower.find(b"\ncontent-length", at + 15) < 0:
        length = lower[at + 16 : lower.find(b"\n", at + 16)].strip(b" \t\r")
    else:
        values = _values(headers, b"content-length")
        lengths = {part.strip() for value in values for part in value.split(b",")}
        if not lengths:
            return UNSTATED
        length = lengths.pop()
        if lengths:
            return f"unusable Content-Length: {length[:40]!r}"
    if _LENGTH.fullmatch(length) is None:
        return f"unusable Content-Length: {length[:40]!r}"
    return int(length)


def _values(headers: Headers, name: bytes) -> list[bytes]:
    """Values of the fields called `name`, also where white space stands before the colon."""
    return [value for key, value in headers if key.strip().lower() == name]
