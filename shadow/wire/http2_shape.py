"""What frames of HTTP/2 look like (RFC 9113 §4.1, §6), for whoever must find one among bytes.

Other protocols have lengths in front, too. So a connection of which the beginning is missing is taken for
HTTP/2 only where a segment consists of frames, each of which is as its type must be, and one of which holds a
whole and valid field block with a method or a status.
"""

from collections.abc import Callable, Iterator
from struct import Struct

from shadow.wire.http2_fields import UNKNOWN_ENTRY, FieldDecoder, HuffmanTexts

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(5, 10)

END_STREAM = ACK = 0x01
END_HEADERS = 0x04
PADDED = 0x08
HAS_PRIORITY = 0x20

HEAD_BYTES = 9
USUAL_FRAME_BYTES = 16_384
"""What every receiver takes, and nearly all senders keep to (RFC 9113 §4.2)."""

unpack_head = Struct("!HBBBI").unpack_from
"""The length's upper 16 bits and lower 8, type, flags, and stream with the reserved bit."""

_FLAGS = (
    END_STREAM | PADDED,
    END_STREAM | END_HEADERS | PADDED | HAS_PRIORITY,
    0,
    0,
    ACK,
    END_HEADERS | PADDED,
    ACK,
    0,
    0,
    END_HEADERS,
)
_LENGTHS = {PRIORITY: 5, RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
_LEAST = {HEADERS: 1, PUSH_PROMISE: 5, GOAWAY: 8, CONTINUATION: 1}
_OF_CONNECTION = (SETTINGS, PING, GOAWAY)
_MAX_PROBED_BYTES = 65_536


def is_frame(kind: int, flags: int, length: int, word: int, max_bytes: int = USUAL_FRAME_BYTES) -> bool:
    """Whether a frame may have such a head; `word` is its stream with the reserved bit."""
    if kind > CONTINUATION or flags & ~_FLAGS[kind] or word >= 0x8000_0000 or length > max_bytes:
        return False
    if kind != WINDOW_UPDATE and (word == 0) != (kind in _OF_CONNECTION):
        return False
    if length != _LENGTHS.get(kind, length) or length < _LEAST.get(kind, 0):
        return False
    if kind == DATA:
        return length > 0 or flags == END_STREAM
    return kind != SETTINGS or not (length if flags else length % 6)


def frames(text: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Position, type, flags, length and stream (with the reserved bit) of each frame in `text`."""
    at = 0
    while at + HEAD_BYTES <= len(text):
        high, low, kind, flags, word = unpack_head(text, at)
        length = high << 8 | low
        yield at, kind, flags, length, word
        at += HEAD_BYTES + length


def begins_frames(text: bytes, may_be: Callable[[int, int], bool], max_bytes: int) -> bool:
    """Whether `text` may begin with a frame: all frames that begin in it are as they must be.

    `may_be` is asked of each whether its type and its stream are to be expected.
    """
    return len(text) >= HEAD_BYTES and all(
        is_frame(kind, flags, length, word, max_bytes)
        and may_be(kind, word)
        and _may_hold(kind, text[at + HEAD_BYTES : at + HEAD_BYTES + 4])
        for at, kind, flags, length, word in frames(text)
    )


def looks_like_frames(text: bytes) -> bool:
    """Whether `text`, a segment from the middle of a connection, can be nothing but HTTP/2."""
    if len(text) <= HEAD_BYTES or text[0] or text[3] > CONTINUATION or text[5] >= 0x80:
        return False
    if not begins_frames(text, _is_of_either_side, USUAL_FRAME_BYTES):
        return False
    for at, kind, flags, length, _ in frames(text[:_MAX_PROBED_BYTES]):
        start = at + HEAD_BYTES
        if kind == HEADERS and flags & END_HEADERS and start + length <= len(text):
            return _begins_message(field_block(text[start : start + length], flags))
    return False


def field_block(payload: bytes, flags: int) -> bytes:
    """The field block, or the part of one, in a HEADERS frame, without padding and priority.

    Of a payload shorter than it must be, nothing is left.
    """
    start, end = 0, len(payload)
    if flags & PADDED:
        start, end = 1, end - (payload[0] if payload else 0)
    if flags & HAS_PRIORITY:
        start += 5
    return payload[start:end] if end > start else b""


def is_malformed(fields: list[tuple[bytes, bytes]]) -> bool:
    """Whether `fields` break the rules that every peer must enforce (RFC 9113 §8.2.1, §8.3)."""
    names = [name for name, _ in fields]
    regular = [name for name in names if name[:1] != b":"]
    return names[len(names) - len(regular) :] != regular or any(
        not name or name != name.lower() or not name.isascii() or not name.decode("ascii").isprintable()
        for name in names
    )


def _may_hold(kind: int, start: bytes) -> bool:
    """Whether a frame of `kind` may hold what begins so: 4 bytes, or as many as are there."""
    if len(start) < 4:
        return True
    if kind == WINDOW_UPDATE:
        return start[0] < 0x80 and any(start)
    return kind != RST_STREAM or start[:3] == b"\0\0\0"


def _is_of_either_side(kind: int, stream: int) -> bool:
    return stream % 2 == 1 or kind not in (HEADERS, PUSH_PROMISE, CONTINUATION)


def _begins_message(block: bytes) -> bool:
    """Whether `block` is the head of a request or a response, as far as its fields are known."""
    fields, why = FieldDecoder(_MAX_PROBED_BYTES, HuffmanTexts(), is_whole=False).decode(block)
    if why not in ("", UNKNOWN_ENTRY) or is_malformed(fields):
        return False
    named = dict(reversed(fields))
    status, method = named.get(b":status", b""), named.get(b":method", b"")
    return (len(status) == 3 and status.isdigit() and not method) or (method.isalpha() and not status)
