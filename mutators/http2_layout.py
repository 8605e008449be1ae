"""The same request in other frames of HTTP/2 (RFC 9113 §4, §6)."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import HTTP2, mutator
from shadow.model import Edit, Expect, Known, Level, Request
from shadow.wire import http2_writing as w
from shadow.wire.http2_shape import DATA, END_HEADERS, END_STREAM, HAS_PRIORITY, HEADERS, PADDED

_UNKNOWN_KINDS = (0x0B, 0x2A, 0x49, 0x7F, 0xF0, 0xFF)
"""Not 0x0A, 0x0C and 0x10, which extensions have taken (RFC 7838, RFC 8336, RFC 9218)."""
_UNKNOWN_SETTINGS = (0x0A, 0x1234, 0x7FFF, 0xF000)
_ROOM = 1 << 20
_MAX_FRAMES = 200


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def pad_http2_frames(request: Request, rng: Random, known: Known) -> Edit | None:
    """Padding has no meaning and is left out by who reads it (RFC 9113 §6.1, §6.2). Not of calls: the
    libraries of gRPC refuse it.
    """
    one = h2.said(request, known)
    if one is None or one.is_call:
        return None
    pad = rng.choice((0, 1, 8, 100, 255))
    ends = END_STREAM if one.ends_at_once else 0
    block = bytes([pad]) + w.field_block(one.fields) + bytes(pad)
    head = w.frame(HEADERS, END_HEADERS | PADDED | ends, 1, block)
    body = w.data(1, one.body[:8_000], ends_stream=False, pad=pad) if one.body else b""
    left = _with_body(one, one.body[8_000:])
    end = b"" if one.ends_at_once else h2.rest(left) or w.data(1, b"", pad=pad)
    return h2.edit(one, f"padded the frames by {pad} bytes", head, body, end)


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def split_field_block(request: Request, rng: Random, known: Known) -> Edit | None:
    """A field block is one, however many CONTINUATION frames carry it (RFC 9113 §4.3, §6.10)."""
    one = h2.said(request, known)
    if one is None:
        return None
    size = max(1, len(w.field_block(one.fields)) // rng.randint(2, 6))
    head = w.split_headers(1, one.fields, size, ends_stream=one.ends_at_once)
    return h2.edit(one, f"split the fields into pieces of {size} bytes", head, h2.rest(one))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def split_data_frames(request: Request, rng: Random, known: Known) -> Edit | None:
    """The frames that carry a body have no meaning (RFC 9113 §8.1): its bytes are the same."""
    one = h2.said(request, known)
    if one is None or len(one.body) < 2:
        return None
    least = len(one.body) // _MAX_FRAMES + 1
    sizes = [min(least * rng.choice((1, 1, 2, 7, 100)), h2.MAX_FRAME_BYTES) for _ in range(3)]
    sizes[0] = min(sizes[0], len(one.body) - 1)
    return h2.edit(one, f"sent the body in frames of {sizes} bytes", h2.head(one), h2.rest(one, 1, sizes))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def end_on_empty_data(request: Request, rng: Random, known: Known) -> Edit | None:
    """An empty DATA frame adds nothing but the end of the stream (RFC 9113 §6.1, §8.1)."""
    one = h2.said(request, known)
    if one is None or one.trailers or not one.body:
        return None
    empty = w.data(1, b"", ends_stream=False) * rng.randint(0, 2)
    head = w.headers(1, one.fields, ends_stream=False)
    body = h2.data(one.body, sizes=(16_000,), ends_stream=False)
    return h2.edit(one, "ended the body with an empty frame", head, empty, body, empty, w.data(1, b""))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def ping_in_between(request: Request, rng: Random, known: Known) -> Edit | None:
    """A PING between the frames of a request is answered, and has nothing to do with it (RFC 9113 §6.7)."""
    return _between(request, rng, known, w.ping(rng.randbytes(8)), "sent a PING")


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def widen_windows(request: Request, rng: Random, known: Known) -> Edit | None:
    """A wider window lets the answer come, and does not change it (RFC 9113 §6.9)."""
    size = rng.choice((1, 1_000, _ROOM))
    return _between(
        request, rng, known, w.window_update(0, size), f"widened the connection's window by {size}"
    )


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def reserved_window_bit(request: Request, rng: Random, known: Known) -> Edit | None:
    """The bit before a window's increment is ignored (RFC 9113 §6.9); some libraries refuse it."""
    stray = w.window_update(0, 1 << 31 | 1_000)
    return _between(request, rng, known, stray, "set the reserved bit of a window")


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def change_settings_in_between(request: Request, rng: Random, known: Known) -> Edit | None:
    """Settings may be sent at any time (RFC 9113 §6.5); these bear on what the server may send alone."""
    setting = rng.choice(
        (
            (w.MAX_FRAME_SIZE, 16_384),
            (w.INITIAL_WINDOW_SIZE, _ROOM),
            (w.MAX_HEADER_LIST_SIZE, 65_536),
            (w.MAX_CONCURRENT_STREAMS, 100),
            (w.HEADER_TABLE_SIZE, 4_096),
        )
    )
    return _between(request, rng, known, w.settings_frame([setting]), f"sent the setting {setting}")


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def unknown_setting(request: Request, rng: Random, known: Known) -> Edit | None:
    """A setting that is not known is ignored (RFC 9113 §6.5.2), as those that keep others from ossifying
    are (RFC 8701)."""
    one = h2.said(request, known)
    if one is None:
        return None
    setting = (rng.choice(_UNKNOWN_SETTINGS), rng.choice((0, 1, 0xFFFF_FFFF)))
    return h2.edit(one, f"sent the unknown setting {setting}", h2.message(one), start=h2.start_with(setting))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def unknown_frame(request: Request, rng: Random, known: Known) -> Edit | None:
    """Frames of a type that is not known are ignored and discarded (RFC 9113 §4.1, §5.5)."""
    kind, size = rng.choice(_UNKNOWN_KINDS), rng.choice((0, 1, 8, 500))
    stray = w.frame(kind, rng.choice((0, 0xFF)), rng.choice((0, 1)), rng.randbytes(size))
    return _between(request, rng, known, stray, f"sent a frame of the type {kind:#x}")


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def prioritise_stream(request: Request, rng: Random, known: Known) -> Edit | None:
    """Priorities are advice that may be ignored, wherever they are said (RFC 9113 §5.3.2, §6.3)."""
    one = h2.said(request, known)
    if one is None:
        return None
    depends_on, weight = rng.choice((0, 3, 101)), rng.randrange(256)
    if rng.random() < 0.5:
        other = rng.choice((1, 3, 1_001))
        stray = w.priority(other, 0 if other == depends_on else depends_on, weight)
        return h2.edit(one, f"sent a priority of the stream {other}", stray, h2.message(one))
    exclusive = rng.choice((0, 1 << 31))
    ends = END_STREAM if one.ends_at_once else 0
    start = (depends_on | exclusive).to_bytes(4) + bytes([weight])
    block = start + w.field_block(one.fields)
    head = w.frame(HEADERS, END_HEADERS | HAS_PRIORITY | ends, 1, block)
    return h2.edit(one, f"gave the stream a priority below {depends_on}", head, h2.rest(one))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def later_stream(request: Request, rng: Random, known: Known) -> Edit | None:
    """Streams below the first that is used are closed by that, and may stay unused (RFC 9113 §5.1.1)."""
    one = h2.said(request, known)
    if one is None:
        return None
    stream = rng.choice((3, 5, 101, 99_999, 0x7FFF_FFFF))
    return h2.edit(one, f"used the stream {stream}", h2.message(one, stream), stream=stream)


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def reserved_stream_bit(request: Request, _rng: Random, known: Known) -> Edit | None:
    """The bit before a stream's number has no meaning and is ignored (RFC 9113 §4.1)."""
    one = h2.said(request, known)
    if one is None:
        return None
    return h2.edit(one, "set the reserved bit of the stream", h2.message(one, 1 << 31 | 1))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def unknown_flags(request: Request, rng: Random, known: Known) -> Edit | None:
    """Flags that a type does not define are ignored (RFC 9113 §4.1); some libraries refuse them."""
    one = h2.said(request, known)
    if one is None:
        return None
    flags = rng.choice((0x02, 0x10, 0x40, 0x80))
    ends = END_STREAM if one.ends_at_once else 0
    head = w.frame(HEADERS, END_HEADERS | flags | ends, 1, w.field_block(one.fields))
    body = b""
    if one.body and not one.trailers and len(one.body) <= 16_384:
        body = w.frame(DATA, END_STREAM | flags, 1, one.body)
    return h2.edit(one, f"set the unknown flags {flags:#x}", head, body or h2.rest(one))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def after_cancelled_stream(request: Request, rng: Random, known: Known) -> Edit | None:
    """A stream that its client cancels is over, and the next is not touched by that (RFC 9113 §5.4.2,
    §8.7). Of safe requests alone, as both may be served.
    """
    one = h2.said(request, known)
    if one is None or not one.is_safe:
        return None
    code = rng.choice((0, 5, 8))
    frames = (h2.head(one), w.rst_stream(1, code), h2.message(one, 3))
    return h2.edit(one, f"cancelled a stream with code {code} before it", *frames, stream=3)


def _between(request: Request, rng: Random, known: Known, stray: bytes, what: str) -> Edit | None:
    """`stray` before the request, or between its fields and its body."""
    one = h2.said(request, known)
    if one is None:
        return None
    if one.ends_at_once or rng.random() < 0.5:
        return h2.edit(one, f"{what} before the request", stray, h2.message(one))
    return h2.edit(one, f"{what} before the body", h2.head(one), stray, h2.rest(one))


def _with_body(one: h2.Said, body: bytes) -> h2.Said:
    return h2.Said(one.request, one.fields, body, one.trailers)
