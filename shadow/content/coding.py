"""Content codings undone and redone: gzip, deflate, br, zstd. Hostile input is a value."""

import zlib
from collections.abc import Callable
from enum import StrEnum

import brotli  # type: ignore[import-untyped]  # ships no stubs
import msgspec

from shadow.content import zstd
from shadow.content.members import DamagedError, GzipMember, Member, members_undone
from shadow.content.zstd import ZstdFrame

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Enough for any API body worth comparing; a 10 kB bomb unpacks to 10 MB and stops here."""

_MAX_CODINGS = 4
"""Each layer may multiply by a thousand; real messages use one, rarely two."""
_ZSTD_MAX_WINDOW_BYTES = 8 * 1024 * 1024
"""RFC 8878 §3.1.1.1.2 recommends that decoders support at least this; more may exhaust memory."""


class Fault(StrEnum):
    """Why a body could not be undone in full."""

    UNKNOWN = "unknown"
    """A coding that is not implemented here."""
    BROKEN = "broken"
    """The bytes are not of the stated coding, or end too early."""
    TOO_LARGE = "too_large"
    """The limit was reached; a zip bomb, or simply a large body."""


class Undone(msgspec.Struct, frozen=True, gc=False):
    """A body without its content codings; with a fault, what came out before it."""

    body: bytes
    fault: Fault | None = None


def codings(content_encoding: bytes | None) -> tuple[bytes, ...]:
    """The codings of a Content-Encoding value in the order applied, lower case, ``identity`` left out."""
    if not content_encoding:
        return ()
    names = (name.strip().lower() for name in content_encoding.split(b","))
    return tuple(name for name in names if name and name != b"identity")


def undo(body: bytes, content_encoding: bytes | None, limit_bytes: int = MAX_BODY_BYTES) -> Undone:
    """`body` with every coding of `content_encoding` undone, last applied first, within the limit."""
    applied = codings(content_encoding)
    if len(applied) > _MAX_CODINGS:
        return Undone(body, Fault.UNKNOWN)
    for name in reversed(applied):
        undone = undo_one(body, name, limit_bytes)
        if undone.fault is not None:
            return undone
        body = undone.body
    return Undone(body)


def undo_one(body: bytes, name: bytes, limit_bytes: int = MAX_BODY_BYTES) -> Undone:
    """`body` with the single coding `name` (lower case) undone. An empty body is empty under any coding."""
    inflate = _UNDO.get(name)
    if inflate is None:
        return Undone(body, Fault.UNKNOWN)
    return inflate(body, limit_bytes) if body else Undone(body)


def redo(body: bytes, content_encoding: bytes | None) -> bytes | None:
    """`body` with every coding of `content_encoding` applied in order; None where one is not implemented."""
    for name in codings(content_encoding):
        deflate = _REDO.get(name)
        if deflate is None:
            return None
        body = deflate(body)
    return body


def gzip(body: bytes, level: int = 6) -> bytes:
    """`body` as one gzip member without a time stamp, so that the same input gives the same bytes."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def _undo_gzip(body: bytes, limit_bytes: int) -> Undone:
    """One or more members after each other (RFC 1952 §2.2); zero padding after the last is let pass."""
    return _undo_members(GzipMember, body, limit_bytes)


def _undo_members(begin: Callable[[], Member], body: bytes, limit_bytes: int) -> Undone:
    out = bytearray()
    try:
        for text in members_undone(begin, [body], limit_bytes + 1):
            out += text
            if len(out) > limit_bytes:
                return Undone(bytes(out[:limit_bytes]), Fault.TOO_LARGE)
    except DamagedError:
        return Undone(bytes(out), Fault.BROKEN)
    return Undone(bytes(out))


def _undo_deflate(body: bytes, limit_bytes: int) -> Undone:
    """The zlib format, or raw deflate, which some senders emit against RFC 9110 §8.4.1.2."""
    undone = _inflate(body, limit_bytes, zlib.MAX_WBITS)
    if undone.fault is Fault.BROKEN and not undone.body:
        return _inflate(body, limit_bytes, -zlib.MAX_WBITS)
    return undone


def _inflate(body: bytes, limit_bytes: int, wbits: int) -> Undone:
    packer = zlib.decompressobj(wbits)
    try:
        out = packer.decompress(body, limit_bytes + 1)
    except zlib.error:
        return Undone(b"", Fault.BROKEN)
    if len(out) > limit_bytes:
        return Undone(out[:limit_bytes], Fault.TOO_LARGE)
    return Undone(out, None if packer.eof else Fault.BROKEN)


def _undo_brotli(body: bytes, limit_bytes: int) -> Undone:
    unpacker = brotli.Decompressor()
    out = bytearray()
    pending = body
    try:
        while len(out) <= limit_bytes:
            out += unpacker.process(pending, output_buffer_limit=limit_bytes + 1 - len(out))
            pending = b""
            if unpacker.is_finished() or unpacker.can_accept_more_data():
                break
    except brotli.error:
        return Undone(bytes(out), Fault.BROKEN)
    if len(out) > limit_bytes:
        return Undone(bytes(out[:limit_bytes]), Fault.TOO_LARGE)
    return Undone(bytes(out), None if unpacker.is_finished() else Fault.BROKEN)


def _undo_zstd(body: bytes, limit_bytes: int) -> Undone:
    """One or more frames."""
    return _undo_members(lambda: ZstdFrame(_ZSTD_MAX_WINDOW_BYTES), body, limit_bytes)


def _redo_brotli(body: bytes) -> bytes:
    # 4 takes a tenth of the default's time, and nobody stores this
    return bytes(brotli.compress(body, quality=4))


_UNDO: dict[bytes, Callable[[bytes, int], Undone]] = {
    b"gzip": _undo_gzip,
    b"x-gzip": _undo_gzip,
    b"deflate": _undo_deflate,
    b"br": _undo_brotli,
    b"zstd": _undo_zstd,
}
_REDO: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip,
    b"x-gzip": gzip,
    b"deflate": zlib.compress,
    b"br": _redo_brotli,
    b"zstd": zstd.compress,
}
