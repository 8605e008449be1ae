"""What binary content is, and how large a picture is: read from the first bytes, as the formats say."""

from collections.abc import Iterator
from struct import unpack_from

import msgspec

_MAX_SEGMENTS = 2000
_NOT_FRAMES = frozenset({0xC4, 0xC8, 0xCC})
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"BM", "bmp"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"%PDF-", "pdf"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x7fELF", "elf"),
    (b"\x00asm", "wasm"),
    (b"wOFF", "woff"),
    (b"wOF2", "woff2"),
    (b"OTTO", "otf"),
    (b"\x00\x01\x00\x00\x00", "ttf"),
    (b"OggS", "ogg"),
    (b"fLaC", "flac"),
    (b"ID3", "mp3"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)


class Size(msgspec.Struct, frozen=True):
    """Of a picture, in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def kind_of(body: bytes) -> str:
    """What the first bytes say the content is; "" where they say nothing."""
    for magic, kind in _MAGIC:
        if body.startswith(magic):
            return kind
    if body[:4] == b"RIFF":
        return {b"WEBP": "webp", b"WAVE": "wav", b"AVI ": "avi"}.get(body[8:12], "")
    if body[4:8] == b"ftyp":
        return "avif" if body[8:12] in (b"avif", b"avis") else "mp4"
    return "tar" if body[257:262] == b"ustar" else ""


def size_of(body: bytes, kind: str) -> Size | None:
    """The size of a picture of this `kind`; None for all else, and for one that is cut."""
    read = {"png": _png, "jpeg": _jpeg, "gif": _gif, "bmp": _bmp, "ico": _ico, "webp": _webp}.get(kind)
    try:
        return None if read is None else read(body)
    except (ValueError, IndexError):
        return None


def _png(body: bytes) -> Size | None:
    """The first chunk is IHDR (RFC 2083 §4.1.1)."""
    return Size(*_two(">II", body, 16)) if body[12:16] == b"IHDR" else None


def _gif(body: bytes) -> Size:
    return Size(*_two("<HH", body, 6))


def _bmp(body: bytes) -> Size:
    """A negative height says that rows go from the top."""
    width, height = _two("<ii", body, 18)
    return Size(abs(width), abs(height))


def _ico(body: bytes) -> Size:
    """Of the first picture in it; 0 stands for 256."""
    return Size(body[6] or 256, body[7] or 256)


def _jpeg(body: bytes) -> Size | None:
    """From the frame header, which follows any number of other segments (ITU-T T.81 §B.2.2)."""
    for marker, at in _segments(body):
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            height, width = _two(">HH", body, at + 3)
            return Size(width, height)
    return None


def _segments(body: bytes) -> Iterator[tuple[int, int]]:
    """(marker, where its length stands) of each segment up to the picture's own."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        while body[at] == 0xFF and body[at + 1] == 0xFF:  # any number may fill up
            at += 1
        if body[at] != 0xFF or body[at + 1] == 0xDA:
            return
        yield body[at + 1], at + 2
        at += 2 + (body[at + 2] << 8 | body[at + 3])


def _webp(body: bytes) -> Size | None:
    """By its three forms (RFC 9649 §2.5 to §2.7)."""
    match body[12:16]:
        case b"VP8X":
            width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (24, 27))
            return Size(width, height) if len(body) >= 30 else None
        case b"VP8 ":
            width, height = _two("<HH", body, 26)
            return Size(width & 0x3FFF, height & 0x3FFF)
        case b"VP8L":
            bits = int.from_bytes(body[21:25], "little")
            return Size((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1) if body[20:21] == b"\x2f" else None
    return None


def _two(form: str, body: bytes, at: int) -> tuple[int, int]:
    if len(body) < at + (4 if form[1] == "H" else 8):
        raise ValueError
    one, other = unpack_from(form, body, at)
    return one, other
