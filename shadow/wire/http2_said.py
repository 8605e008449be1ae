"""Which fields the frames of HTTP/2 in some bytes say, right frames or wrong ones."""

from collections.abc import Iterator

from shadow.wire.http2_fields import Field, FieldDecoder, HuffmanTexts
from shadow.wire.http2_shape import (
    CONTINUATION,
    END_HEADERS,
    HEAD_BYTES,
    HEADERS,
    PREFACE,
    field_block,
    frames,
)

_LIST_BYTES_MAX = 1 << 20


def said_fields(text: bytes) -> Iterator[list[Field]]:
    """The fields of each block in `text`, as far as they can be read."""
    decoder = FieldDecoder(_LIST_BYTES_MAX, HuffmanTexts())
    for block in _blocks(text):
        yield decoder.decode(block)[0]


def _blocks(text: bytes) -> Iterator[bytes]:
    """The field blocks in frames, each whole."""
    start = len(PREFACE) if text.startswith(PREFACE) else 0
    text, block = text[start:], b""
    for at, kind, flags, length, _ in frames(text):
        payload = text[at + HEAD_BYTES : at + HEAD_BYTES + length]
        if kind == HEADERS:
            block = field_block(payload, flags)
        elif kind == CONTINUATION:
            block += payload
        if kind in (HEADERS, CONTINUATION) and (flags & END_HEADERS or at + HEAD_BYTES + length >= len(text)):
            yield block
            block = b""
