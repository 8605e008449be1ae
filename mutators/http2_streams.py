"""Frames where a stream does not allow them (RFC 9113 §5.1, §6)."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import HTTP2, mutator
from shadow.model import Edit, Expect, Known, Level, Request
from shadow.wire import http2_writing as w
from shadow.wire.http2_shape import DATA, END_HEADERS, END_STREAM, HEADERS, PADDED

_IDLE: tuple[h2.Fault, ...] = (
    ("sent DATA on an idle stream", w.data(1, b"shadow")),
    ("reset an idle stream", w.rst_stream(1)),
)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def frame_on_idle_stream(request: Request, rng: Random, known: Known) -> Edit | None:
    """On a stream that has not begun only HEADERS and PRIORITY may come, else the connection ends
    (RFC 9113 §5.1, §6.4); widely used servers ignore the others.
    """
    return h2.fault_before(request, rng, known, _IDLE, 3)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def window_of_idle_stream(request: Request, rng: Random, known: Known) -> Edit | None:
    """A window of a stream that has not begun is an error of the connection (RFC 9113 §5.1); some servers
    let it pass.
    """
    return h2.fault_before(
        request, rng, known, (("widened the window of an idle stream", w.window_update(3, 100)),)
    )


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def even_stream(request: Request, rng: Random, known: Known) -> Edit | None:
    """A client's streams have odd numbers: an even one is an error of the connection (RFC 9113 §5.1.1).
    Libraries of gRPC ignore it.
    """
    one = h2.said(request, known)
    if one is None or one.is_call:
        return None
    stream = rng.choice((2, 4, 1_000, 0x7FFF_FFFE))
    return h2.edit(one, f"used the stream {stream}", h2.message(one, stream), stream=stream)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def lower_stream(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A stream below one that was used cannot begin any more: an error of the connection (RFC 9113
    §5.1.1); who cannot tell it from one that has ended ignores it.
    """
    one = h2.said(request, known)
    if one is None or not one.is_safe:
        return None
    frames = (h2.message(one, 5), w.rst_stream(5), h2.message(one, 3))
    return h2.edit(one, "began stream 3 after stream 5", *frames, stream=3)


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def frame_after_end(request: Request, rng: Random, known: Known) -> Edit | None:
    """After its end a stream takes no more DATA or HEADERS: an error of the stream or of the connection
    (RFC 9113 §5.1). A request on another stream is served, or not any more.
    """
    one = h2.said(request, known)
    if one is None or not one.is_safe or not one.ends_at_once:
        return None
    what, stray = rng.choice(
        (
            ("DATA", w.data(1, b"shadow")),
            ("DATA that does not end it", w.data(1, b"", ends_stream=False)),
            ("HEADERS", w.headers(1, one.fields)),
        )
    )
    frames = (h2.message(one), stray, h2.message(one, 3))
    return h2.edit(one, f"sent {what} after the end of a stream", *frames, stream=3)


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def frame_after_reset(request: Request, rng: Random, known: Known) -> Edit | None:
    """On a stream that was reset DATA is an error, of the stream or the connection (RFC 9113 §5.1). A
    request on another stream is served, or not any more.
    """
    one = h2.said(request, known)
    if one is None or not one.is_safe or not one.ends_at_once:
        return None
    begun = w.headers(1, one.fields, ends_stream=False) + w.rst_stream(1)
    stray = rng.choice((w.data(1, b"shadow"), w.headers(1, one.fields)))
    return h2.edit(one, "sent more on a stream that was reset", begun, stray, h2.message(one, 3), stream=3)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def padding_beyond_frame(request: Request, rng: Random, known: Known) -> Edit | None:
    """Padding as long as what it pads, or longer, is an error of the connection (RFC 9113 §6.1, §6.2)."""
    one = h2.said(request, known)
    if one is None:
        return None
    if one.is_safe and rng.random() < 0.5:
        begun = w.headers(1, one.fields, ends_stream=False)
        lying = w.frame(DATA, PADDED, 1, bytes([rng.choice((10, 200))]) + b"shadow")
        return h2.edit(one, "padded DATA beyond the frame", begun, lying, h2.message(one, 3), stream=3)
    block = w.field_block(one.fields)[: rng.randint(0, 100)]
    lying = bytes([len(block) + rng.choice((1, 5, 100))]) + block
    flags = END_HEADERS | PADDED | (END_STREAM if one.ends_at_once else 0)
    return h2.edit(
        one,
        "padded HEADERS beyond the frame",
        w.frame(HEADERS, flags, 1, lying),
        h2.message(one, 3),
        stream=3,
    )


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def interrupt_field_block(request: Request, rng: Random, known: Known) -> Edit | None:
    """Between HEADERS and its CONTINUATION no other frame may come: an error of the connection (RFC 9113
    §4.3, §6.2, §6.10).
    """
    one = h2.said(request, known)
    if one is None:
        return None
    block = w.field_block(one.fields)
    cut = rng.randint(0, len(block))
    first = w.frame(HEADERS, END_STREAM if one.ends_at_once else 0, 1, block[:cut])
    what, stray = rng.choice(
        (
            ("a PING", w.ping()),
            ("a PRIORITY", w.priority(1)),
            ("settings", w.settings_frame()),
            ("an unknown frame", w.frame(0x2A, 0, 0, b"")),
            ("a CONTINUATION of another stream", w.continuation(3, block[cut:])),
            ("DATA", w.data(1, b"", ends_stream=False)),
        )
    )
    return h2.edit(
        one, f"put {what} into the fields", first, stray, w.continuation(1, block[cut:]), h2.rest(one)
    )


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def continue_nothing(request: Request, rng: Random, known: Known) -> Edit | None:
    """CONTINUATION that no unfinished field block precedes is an error of the connection (RFC 9113
    §6.10).
    """
    one = h2.said(request, known)
    if one is None:
        return None
    stray = w.continuation(1, b"", ends_headers=rng.random() < 0.5)
    if not one.is_safe or rng.random() < 0.5:
        return h2.edit(one, "continued no fields", stray, h2.message(one, 3), stream=3)
    begun = w.headers(1, one.fields, ends_stream=False)
    before = rng.choice((begun, begun + w.data(1, b"", ends_stream=False)))
    return h2.edit(one, "continued fields that were whole", before, stray, h2.message(one, 3), stream=3)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def wrong_stream_window(request: Request, rng: Random, known: Known) -> Edit | None:
    """A stream's window widened by 0, or beyond 2^31-1, is an error of that stream (RFC 9113 §6.9,
    §6.9.1), which may have ended before.
    """
    one = h2.said(request, known)
    if one is None or one.ends_at_once:
        return None
    what, stray = rng.choice((("0", w.window_update(1, 0)), ("too much", w.window_overflow(1))))
    return h2.edit(one, f"widened the stream's window by {what}", h2.head(one), stray, h2.rest(one))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def trailers_without_end(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A second HEADERS that does not end the stream makes a request malformed (RFC 9113 §8.1); who answers
    before does not see it.
    """
    one = h2.said(request, known)
    if one is None or one.trailers:
        return None
    begun = w.headers(1, one.fields, ends_stream=False)
    body = h2.data(one.body, ends_stream=False)
    more = w.headers(1, ((b"x-shadow-extra", b"1"),), ends_stream=False)
    return h2.edit(one, "sent trailers that end nothing", begun, body, more, w.data(1, b""))
