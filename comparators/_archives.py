"""What archives and documents hold, so that they are compared by that and not by when they were written."""

import re
import zlib
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

_MAX_MEMBERS = 10_000
_MAX_BYTES = 16 << 20
"""Of what is unpacked; compressed data may unpack to a thousand times its size."""
_OF_THE_MOMENT = frozenset({"docProps/core.xml", "docProps/app.xml", "meta.xml", "META-INF/MANIFEST.MF"})
"""Members that say when and with what the archive was made."""
_PDF_STAMPS = re.compile(
    rb"/(?:ID\s*\[[^\]]{0,400}\]|(?:CreationDate|ModDate)\s*\([^)]{0,100}\))"
    rb"|<(xmp:\w*Date|xmpMM:\w*ID|pdf:Producer)>[^<]{0,200}</\1>|startxref\s+\d+"
)
_PDF_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def members(body: bytes) -> dict[str, Any] | None:
    """The length and checksum of each member of a zip archive by name; None where it cannot be read."""
    try:
        with ZipFile(BytesIO(body)) as archive:
            found = archive.infolist()
    except (BadZipFile, ValueError, NotImplementedError, OSError, EOFError):
        return None
    if len(found) > _MAX_MEMBERS:
        return None
    return {
        each.filename: {"bytes": each.file_size, "crc32": f"{each.CRC:08x}"}
        for each in found
        if not each.is_dir() and each.filename not in _OF_THE_MOMENT
    }


def unpacked(body: bytes) -> bytes | None:
    """The contents of a gzip file; None where it is broken or too large."""
    found = []
    left = _MAX_BYTES
    rest = body
    while rest.startswith(b"\x1f\x8b"):
        reader = zlib.decompressobj(31)
        try:
            piece = reader.decompress(rest, left + 1)
        except zlib.error:
            return None
        left -= len(piece)
        if left < 0 or not reader.eof:
            return None
        found.append(piece)
        rest = reader.unused_data
    return b"".join(found)


def pages(body: bytes) -> int:
    """How many pages a PDF shows that it has; 0 where these are packed."""
    return len(_PDF_PAGE.findall(body))


def is_same_pdf(left: bytes, right: bytes) -> bool:
    """Whether two PDFs differ in nothing but ids and dates."""
    return _PDF_STAMPS.sub(b"", left) == _PDF_STAMPS.sub(b"", right)
