"""Packed files, undone as they are read: gzip, bzip2, xz and zstd, told by their first bytes."""

import bz2
import lzma
from collections.abc import Callable

from shadow.content.members import GzipMember, Member
from shadow.content.zstd import ZstdFrame

KINDS = "gzip, bzip2, xz, zstd"
START_BYTES = 6
"""So many of a file tell how it is packed."""

_MAX_MEMORY_BYTES = 134_217_728
"""What the tools themselves take without being asked for more."""
_STARTS: tuple[tuple[bytes, str, Callable[[], Member]], ...] = (
    (b"\x1f\x8b", "gzip", GzipMember),
    (b"BZh", "bzip2", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", "xz", lambda: lzma.LZMADecompressor(memlimit=_MAX_MEMORY_BYTES)),
    (b"\x28\xb5\x2f\xfd", "zstd", lambda: ZstdFrame(_MAX_MEMORY_BYTES)),
    (b"\x50\x2a\x4d\x18", "zstd", lambda: ZstdFrame(_MAX_MEMORY_BYTES)),  # a frame to be skipped stands first
)
_REFUSED = {b"\x04\x22\x4d\x18": "lz4", b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z", b"Rar!": "rar"}


def packing(start: bytes) -> tuple[str, Callable[[], Member]] | None:
    """How a file that starts with these bytes is packed, and what undoes it; None where it is not."""
    return next(((kind, begin) for magic, kind, begin in _STARTS if start.startswith(magic)), None)


def refused(start: bytes) -> str | None:
    """The name of a packing that is known and not undone."""
    return next((kind for magic, kind in _REFUSED.items() if start.startswith(magic)), None)
