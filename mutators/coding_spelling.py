"""Packed bodies, packed otherwise: other members, heads and blocks of the same content, bytes behind them."""

import zlib
from random import Random

from mutators._contract import mutator
from mutators._message import with_headers
from shadow.content.coding import codings, gzip
from shadow.content.entity import content_encoding, entity, with_raw_body
from shadow.model import Edit, Expect, Level, Request, with_field

_GZIP = frozenset({(b"gzip",), (b"x-gzip",)})
_FLAG_EXTRA, _FLAG_NAME, _FLAG_COMMENT = 4, 8, 16
_HEAD_BYTES = 10


@mutator(level=Level.BODY, expect=Expect.SAME)
def repack_body(request: Request, rng: Random) -> Edit | None:
    """A coding is undone to the same bytes, however hard the packer tried (RFC 1952 §2.3.1)."""
    body = _gzipped(request)
    packed = gzip(body, rng.choice((0, 1, 9))) if body else b""
    return _edit(request, packed, "packed the body anew")


@mutator(level=Level.BODY, expect=Expect.SAME)
def name_gzip_member(request: Request, rng: Random) -> Edit | None:
    """A gzip member may tell a file name, a comment and extra fields (RFC 1952 §2.3): none is content."""
    body = _gzipped(request)
    if not body:
        return None
    packed = gzip(body)
    flags, more = rng.choice(
        (
            (_FLAG_NAME, b"shadow.json\x00"),
            (_FLAG_COMMENT, b"shadow\x00"),
            (_FLAG_EXTRA, b"\x04\x00sh\x00\x00"),
            (_FLAG_EXTRA | _FLAG_NAME | _FLAG_COMMENT, b"\x04\x00sh\x00\x00a\x00b\x00"),
        )
    )
    named = packed[:3] + bytes([flags]) + packed[4:_HEAD_BYTES] + more + packed[_HEAD_BYTES:]
    return _edit(request, named, "named the gzip member")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def split_gzip_members(request: Request, rng: Random) -> Edit | None:
    """Members one after the other are one content (RFC 1952 §2.2), which many readers do not know: refused or
    read whole, and by both releases alike.
    """
    body = _gzipped(request)
    if not body or len(body) < 2:
        return None
    at = rng.randrange(1, len(body))
    return _edit(request, gzip(body[:at]) + gzip(body[at:]), "split the body into two gzip members")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def flush_often(request: Request, rng: Random) -> Edit | None:
    """Empty blocks between bytes are legal (RFC 1951 §3.2.4): the same content from ten times the bytes."""
    body = _gzipped(request)
    if not body:
        return None
    packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    size = max(1, len(body) // rng.choice((4, 64)))
    pieces = [
        packer.compress(body[at : at + size]) + packer.flush(zlib.Z_FULL_FLUSH)
        for at in range(0, len(body), size)
    ]
    return _edit(request, b"".join(pieces) + packer.flush(), "packed the body in many blocks")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def damage_gzip_trailer(request: Request, rng: Random) -> Edit | None:
    """A member ends in the check sum and the length of its content (RFC 1952 §2.3.1): wrong ones mean that it
    is damaged: 400, never a crash.
    """
    body = entity(request) if request.body else None
    if not body or codings(content_encoding(request.headers)) not in {(), *_GZIP}:
        return None
    packed = gzip(body)
    crc, size = packed[-8:-4], packed[-4:]
    other = rng.choice((b"\x00" * 4 + size, crc + b"\x00" * 4, crc + b"\xff" * 4, crc, b""))
    headers = with_field(request.headers, b"Content-Encoding", b"gzip")
    made = with_raw_body(request, packed[:-8] + other, headers)
    return None if made == request else Edit(made, "damaged the end of the gzip member")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def append_to_packed_body(request: Request, rng: Random) -> Edit | None:
    """What follows a packed body is padding, another member or garbage: ignored or refused (RFC 1952 §2.2),
    never a second body.
    """
    body = _gzipped(request)
    if not body:
        return None
    more = rng.choice((b"\x00" * 512, b"\xff" * 8, b"shadow", gzip(b""), gzip(b"shadow"), request.body))
    return _edit(request, request.body + more, "put more behind the packed body")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def pack_raw_deflate(request: Request, _rng: Random) -> Edit | None:
    """``deflate`` is the zlib format (RFC 9110 §8.4.1.2), yet some senders leave its wrapping out: read or
    refused, by both releases alike.
    """
    body = entity(request) if request.body else None
    if not body or codings(content_encoding(request.headers)) not in {(), (b"deflate",)}:
        return None
    packer = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    headers = with_field(request.headers, b"Content-Encoding", b"deflate")
    made = with_raw_body(request, packer.compress(body) + packer.flush(), headers)
    return None if made == request else Edit(made, "packed the body by deflate without the zlib format")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def spell_coding_otherwise(request: Request, rng: Random) -> Edit | None:
    """Names of codings are case-insensitive, ``x-gzip`` is ``gzip``, and ``identity`` is none (RFC 9110
    §8.4.1): read, or 415, by both releases alike.
    """
    coding = content_encoding(request.headers)
    if not request.body or not coding or b"," in coding:
        return None
    other = rng.choice(
        (coding.upper(), coding.title(), b"identity, " + coding, coding + b", identity", coding + b",")
    )
    if coding.lower() == b"gzip" and rng.random() < 0.3:
        other = b"x-gzip"
    headers = with_field(request.headers, b"Content-Encoding", other)
    made = with_headers(request, headers)
    return None if made == request else Edit(made, f"spelled the coding {other.decode('latin-1')}")


def _gzipped(request: Request) -> bytes | None:
    """What a body under gzip alone holds; None for any other."""
    if not request.body or codings(content_encoding(request.headers)) not in _GZIP:
        return None
    return entity(request)


def _edit(request: Request, packed: bytes, what: str) -> Edit | None:
    if packed in {b"", request.body}:
        return None
    return Edit(with_raw_body(request, packed), what)
