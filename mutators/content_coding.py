"""Content codings: bodies packed, mislabelled, cut short, and blown up (RFC 9110 §8.4)."""

import struct
import zlib
from functools import cache, reduce
from random import Random

from mutators._contract import mutator
from mutators._message import with_headers
from shadow.content.coding import gzip, redo
from shadow.content.entity import content_encoding, with_raw_body
from shadow.model import Edit, Expect, Headers, Level, Request, without_field

_CODINGS = (b"gzip", b"gzip", b"gzip", b"deflate", b"br", b"zstd")
"""gzip more often: services that undo any coding undo this one."""
_BOMB_BYTES = 32 * 1024 * 1024
"""What the bomb unpacks to: far beyond any sensible body limit, harmless to a server that has the memory."""
_PIECE_BYTES = 1024 * 1024
_GZIP_HEAD_BYTES = 10


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def pack_body(request: Request, rng: Random) -> Edit | None:
    """A coding that the server takes leaves the meaning; one that it does not is answered 415 (RFC 9110
    §8.4).
    """
    coding = rng.choice((*_CODINGS, b"x-gzip", b"gzip, gzip", b"identity"))
    packed = redo(request.body, coding) if request.body and not content_encoding(request.headers) else None
    return (
        None if packed is None else _coded(request, coding, packed, f"packed the body by {coding.decode()}")
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def break_packed_body(request: Request, rng: Random) -> Edit | None:
    """Packed bytes cut short or changed cannot be undone: 400 or 415 (RFC 9110 §15.5.1), never a crash."""
    if not request.body:
        return None
    stated = content_encoding(request.headers)
    coding = stated or rng.choice(_CODINGS)
    packed = request.body if stated else redo(request.body, coding) or b""
    at = rng.randrange(len(packed))
    flipped = packed[:at] + bytes([packed[at] ^ (1 << rng.randrange(8))]) + packed[at + 1 :]
    broken = rng.choice(
        (packed[:-1], packed[: len(packed) // 2], packed[:1], flipped, packed + b"\xff" * 8, packed[::-1])
    )
    what = f"broke the body packed by {coding.decode('latin-1')}"
    return Edit(with_raw_body(request, broken), what) if stated else _coded(request, coding, broken, what)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def mislabel_coding(request: Request, rng: Random) -> Edit | None:
    """A body that is not in the coding it claims: 400 or 415 (RFC 9110 §8.4, §15.5.16), never a crash."""
    if not request.body or content_encoding(request.headers):
        return None
    coding = rng.choice(
        (*_CODINGS, b"x-shadow", b"compress", b"gzip, x-shadow", b"*", b"gzip" + b", gzip" * 50)
    )
    return _coded(request, coding, request.body, f"claimed the coding {coding[:30].decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def unlabel_coding(request: Request, _rng: Random) -> Edit | None:
    """Packed bytes that do not say so are no text: 400, or stored as they are, never a crash."""
    if not request.body or not content_encoding(request.headers):
        return None
    headers = without_field(request.headers, b"content-encoding")
    return Edit(with_headers(request, headers), "left out Content-Encoding")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def send_zip_bomb(request: Request, rng: Random) -> Edit | None:
    """A small body that unpacks to 32 MB is refused (413, 415), and never unpacked without a limit
    (CWE-409).
    """
    if not request.body or content_encoding(request.headers):
        return None
    coding = rng.choice((b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip"))
    return _coded(request, coding, _bomb(coding), f"sent a {coding.decode()} bomb of {_BOMB_BYTES} bytes")


@cache
def _bomb(coding: bytes) -> bytes:
    """What unpacks to `_BOMB_BYTES` of spaces. One piece is packed, and repeated: the whole takes long."""
    if coding == b"gzip, gzip":
        return redo(_bomb(b"gzip"), b"gzip") or b""
    if coding not in {b"gzip", b"deflate"}:
        return redo(b" " * _BOMB_BYTES, coding) or b""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    piece = b" " * _PIECE_BYTES
    packed = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)  # what follows refers to nothing before
    count = _BOMB_BYTES // _PIECE_BYTES
    content = packed * count + packer.flush()
    if coding == b"deflate":
        return (
            b"\x78\x9c"
            + content
            + reduce(lambda old, _: zlib.adler32(piece, old), range(count), 1).to_bytes(4)
        )
    check = reduce(lambda old, _: zlib.crc32(piece, old), range(count), 0)
    return gzip(b"")[:_GZIP_HEAD_BYTES] + content + struct.pack("<II", check, _BOMB_BYTES)


def _coded(request: Request, coding: bytes, body: bytes, what: str) -> Edit:
    headers: Headers = (*request.headers, (b"Content-Encoding", coding))
    return Edit(with_raw_body(request, body, headers), what)
