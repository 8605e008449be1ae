"""The body of a message as its sender meant it: content coding undone, and put back after an edit."""

import base64
import hashlib
import re

from shadow.content.coding import Undone, redo, undo
from shadow.model import Headers, Request, Response, field, fields

_DIGESTED = {
    b"content-md5": re.compile(rb"^[\w+/=]{24}$"),
    b"content-digest": re.compile(rb"^[\w-]+=:[^:]*:(?:\s*,\s*[\w-]+=:[^:]*:)*$"),
    b"repr-digest": re.compile(rb"^[\w-]+=:[^:]*:(?:\s*,\s*[\w-]+=:[^:]*:)*$"),
    b"digest": re.compile(rb"^[\w-]+=[^,]+(?:,[\w-]+=[^,]+)*$"),
}
_BODY_HASH = re.compile(rb"sha|md5|digest|hash|checksum")
_BY_LENGTH = {
    32: "md5",
    24: "md5",
    40: "sha1",
    28: "sha1",
    64: "sha256",
    44: "sha256",
    128: "sha512",
    88: "sha512",
}
"""Which hash a value of so many characters is, in hexadecimal or base64."""
_ALGORITHMS = {b"md5": "md5", b"sha": "sha1", b"sha-1": "sha1", b"sha-256": "sha256", b"sha-512": "sha512"}


def content_encoding(headers: Headers) -> bytes | None:
    """Every Content-Encoding line joined as one list (RFC 9110 §5.3); None where there is none."""
    lines = tuple(fields(headers, b"content-encoding"))
    return b", ".join(lines) if lines else None


def undone(message: Request | Response) -> Undone:
    """The message's body without its content codings, and what went wrong where something did."""
    return undo(message.body, content_encoding(message.headers))


def entity(message: Request | Response) -> bytes | None:
    """The message's body without its content codings; None where they cannot be undone in full."""
    coding = content_encoding(message.headers)
    if coding is None:
        return message.body
    result = undo(message.body, coding)
    return result.body if result.fault is None else None


def media_type(headers: Headers) -> bytes:
    """The media type of Content-Type, lower case, without parameters; empty where there is none."""
    value = field(headers, b"content-type")
    return value.partition(b";")[0].strip().lower() if value else b""


def parameter(value: bytes, name: bytes) -> bytes | None:
    """The parameter `name` (lower case) of a header value such as Content-Type, its quotes taken off."""
    for found in _PARAMETER.finditer(value):
        if found[1].lower() == name:
            quoted = found[2]
            return re.sub(rb"\\(.)", rb"\1", quoted) if quoted is not None else found[3]
    return None


def replace_body(request: Request, body: bytes) -> Request:
    """`request` with `body` as its entity: coded as its fields say, length and digests put right.

    A coding that is not implemented is taken off the headers. Chunked requests stay chunked.
    """
    coding = content_encoding(request.headers)
    coded = redo(body, coding) if coding is not None else body
    headers = request.headers
    if coded is None:
        coded = body
        headers = tuple(line for line in headers if line[0].lower() != b"content-encoding")
    return with_raw_body(request, coded, headers)


def with_raw_body(request: Request, body: bytes, headers: Headers | None = None) -> Request:
    """`request` with exactly these body bytes (content coding included), length and digests put right."""
    told = []
    is_framed = False
    for line in request.headers if headers is None else headers:
        name = line[0].lower()
        if name == b"content-length":
            is_framed = True
            told.append((line[0], b"%d" % len(body)))
        elif name == b"transfer-encoding":
            is_framed = True
            told.append(line)
        elif name in _DIGESTED:
            told.append((line[0], _digest(name, line[1], body)))
        elif name.startswith(b"x-") and _BODY_HASH.search(name):
            told.append((line[0], _rehashed(line[1], request.body, body)))
        else:
            told.append(line)
    if body and not is_framed:
        told.append((b"Content-Length", b"%d" % len(body)))
    return Request(request.method, request.target, request.version, tuple(told), body, request.trailers)


def _rehashed(value: bytes, old: bytes, body: bytes) -> bytes:
    """A field that is a hash of the old body, in hexadecimal or base64, as the hash of `body`; any other as
    it is.
    """
    algorithm = _BY_LENGTH.get(len(value))
    if algorithm is None:
        return value
    before = hashlib.new(algorithm, old, usedforsecurity=False).digest()
    after = hashlib.new(algorithm, body, usedforsecurity=False).digest()
    if value.lower() == before.hex().encode():
        return after.hex().encode()
    return base64.b64encode(after) if value == base64.b64encode(before) else value


def _digest(name: bytes, value: bytes, body: bytes) -> bytes:
    """The digest field's value for `body` (RFC 9530, RFC 3230, RFC 1864); unknown algorithms are kept."""
    if not _DIGESTED[name].match(value):
        return value
    if name == b"content-md5":
        return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())
    has_colons = name != b"digest"
    return b", ".join(_digest_member(member.strip(), body, has_colons) for member in value.split(b","))


def _digest_member(member: bytes, body: bytes, has_colons: bool) -> bytes:
    algorithm, _, _ = member.partition(b"=")
    known = _ALGORITHMS.get(algorithm.lower())
    if known is None:
        return member
    digest = base64.b64encode(hashlib.new(known, body, usedforsecurity=False).digest())
    return algorithm + (b"=:%b:" if has_colons else b"=%b") % digest


_PARAMETER = re.compile(rb';\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]*))')
