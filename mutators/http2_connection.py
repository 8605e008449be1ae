"""Frames that no connection of HTTP/2 may outlive: RFC 9113 calls each an error of the connection."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import GRPC, HTTP2, mutator
from shadow.model import Edit, Expect, Known, Level, Request
from shadow.wire import http2_writing as w
from shadow.wire.grpc import is_grpc
from shadow.wire.http2_shape import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
)

_ENDS = (b"XX\r\n\r\n", b"SM\r\nX\r\n", b"sm\r\n\r\n")
_PREFACES = (
    ("another version", PREFACE.replace(b"2.0", b"2.1")),
    ("another method", PREFACE.replace(b"PRI", b"PRX")),
    ("another target", PREFACE.replace(b"*", b"/")),
)
_ON_CONNECTION: tuple[h2.Fault, ...] = (
    ("sent DATA on no stream", w.frame(DATA, 0, 0, b"shadow")),
    ("sent RST_STREAM on no stream", w.frame(RST_STREAM, 0, 0, bytes(4))),
    ("sent CONTINUATION on no stream", w.frame(CONTINUATION, END_HEADERS, 0, b"")),
)
_ON_STREAM: tuple[h2.Fault, ...] = (
    ("sent SETTINGS on a stream", w.settings_frame(stream=1)),
    ("sent PING on a stream", w.frame(PING, 0, 1, bytes(8))),
    ("sent GOAWAY on a stream", w.frame(GOAWAY, 0, 1, bytes(8))),
)
_SIZES: tuple[h2.Fault, ...] = (
    ("sent a PING of 7 bytes", w.frame(PING, 0, 0, bytes(7))),
    ("sent a PING of 9 bytes", w.frame(PING, 0, 0, bytes(9))),
    ("sent settings of 5 bytes", w.frame(SETTINGS, 0, 0, bytes(5))),
    ("sent settings of 7 bytes", w.frame(SETTINGS, 0, 0, b"\0\5\0\0\x40\0\0")),
    ("acknowledged settings with some", w.frame(SETTINGS, ACK, 0, b"\0\4\0\1\0\0")),
    ("sent a WINDOW_UPDATE of 3 bytes", w.frame(WINDOW_UPDATE, 0, 0, b"\0\0\1")),
    ("sent a WINDOW_UPDATE of 5 bytes", w.frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\1\0")),
)
_SETTINGS: tuple[h2.Fault, ...] = (
    ("set ENABLE_PUSH to 2", w.settings_frame([(w.ENABLE_PUSH, 2)])),
    ("set INITIAL_WINDOW_SIZE beyond its limit", w.settings_frame([(w.INITIAL_WINDOW_SIZE, 1 << 31)])),
    ("set MAX_FRAME_SIZE below its limit", w.settings_frame([(w.MAX_FRAME_SIZE, 16_383)])),
    ("set MAX_FRAME_SIZE beyond its limit", w.settings_frame([(w.MAX_FRAME_SIZE, 1 << 24)])),
)
_WINDOWS: tuple[h2.Fault, ...] = (
    ("widened the connection's window by 0", w.window_update(0, 0)),
    ("widened the connection's window beyond its limit", w.window_overflow(0)),
)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def wrong_preface_end(request: Request, rng: Random, known: Known) -> Edit | None:
    """A preface that is not the one must end the connection (RFC 9113 §3.4)."""
    one = h2.said(request, known)
    if one is None:
        return None
    end = rng.choice(_ENDS)
    start = h2.start_with(preface=PREFACE[: -len(end)] + end)
    return h2.edit(one, f"ended the preface with {end!r}", h2.message(one), start=start)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def other_preface(request: Request, rng: Random, known: Known) -> Edit | None:
    """What does not begin like the preface may be a request of HTTP/1 to who speaks both (RFC 9113 §3.4)."""
    one = h2.said(request, known)
    if one is None:
        return None
    what, preface = rng.choice(_PREFACES)
    return h2.edit(one, f"sent a preface with {what}", h2.message(one), start=h2.start_with(preface=preface))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def no_settings_first(request: Request, rng: Random, known: Known) -> Edit | None:
    """Settings, though empty, come before all other frames (RFC 9113 §3.4); many servers do not insist."""
    one = h2.said(request, known)
    if one is None:
        return None
    late = rng.choice((b"", w.settings_frame()))
    return h2.edit(one, "sent no settings first", h2.message(one), late, start=PREFACE)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def frame_on_no_stream(request: Request, rng: Random, known: Known) -> Edit | None:
    """Frames that belong to a stream are an error of the connection on stream 0 (RFC 9113 §6.1, §6.4,
    §6.10). Libraries of gRPC ignore some.
    """
    return None if is_grpc(request.headers) else h2.fault_before(request, rng, known, _ON_CONNECTION)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def fields_on_no_stream(request: Request, _rng: Random, known: Known) -> Edit | None:
    """HEADERS on stream 0 are an error of the connection (RFC 9113 §6.2)."""
    one = h2.said(request, known)
    if one is None or not one.is_safe:
        return None
    return h2.edit(one, "sent HEADERS on no stream", h2.message(one, 0), h2.message(one))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def wrong_priority(request: Request, rng: Random, known: Known) -> Edit | None:
    """A PRIORITY on stream 0, or of another size, is an error (RFC 9113 §6.3), yet priorities are obsolete,
    and who ignores them ignores this.
    """
    faults = (
        ("sent PRIORITY on no stream", w.priority(0, 0)),
        ("made a stream depend on itself", w.priority(1, 1)),
        ("sent a PRIORITY of 4 bytes", w.frame(PRIORITY, 0, 1, bytes(4))),
    )
    return h2.fault_before(request, rng, known, faults)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def connection_frame_on_stream(request: Request, rng: Random, known: Known) -> Edit | None:
    """SETTINGS, PING and GOAWAY on a stream are an error of the connection (RFC 9113 §6.5, §6.7, §6.8).
    Libraries of gRPC ignore the stream.
    """
    return None if is_grpc(request.headers) else h2.fault_before(request, rng, known, _ON_STREAM)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def wrong_frame_size(request: Request, rng: Random, known: Known) -> Edit | None:
    """A frame of a fixed size that has another is a FRAME_SIZE_ERROR of the connection (RFC 9113 §6.5,
    §6.7, §6.9).
    """
    return h2.fault_before(request, rng, known, _SIZES)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def too_large_frame(request: Request, rng: Random, known: Known) -> Edit | None:
    """A frame beyond what the receiver allows is an error (RFC 9113 §4.2); what it allows is 16384 bytes,
    unless its settings say more.
    """
    one = h2.said(request, known)
    if one is None:
        return None
    kind = rng.choice((0x2A, PING, SETTINGS))
    size = 16_386
    return h2.edit(one, f"sent a frame of {size} bytes", w.frame(kind, 0, 0, bytes(size)), h2.message(one))


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def wrong_setting(request: Request, rng: Random, known: Known) -> Edit | None:
    """A setting beyond its range is an error of the connection (RFC 9113 §6.5.2)."""
    return h2.fault_before(request, rng, known, _SETTINGS)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def wrong_window(request: Request, rng: Random, known: Known) -> Edit | None:
    """A connection's window widened by 0, or beyond 2^31-1, is an error of it (RFC 9113 §6.9, §6.9.1).
    Libraries of gRPC count on.
    """
    return None if is_grpc(request.headers) else h2.fault_before(request, rng, known, _WINDOWS)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=GRPC)
def lax_frames_of_call(request: Request, rng: Random, known: Known) -> Edit | None:
    """Frames on the wrong stream, and windows too wide, are errors of the connection (RFC 9113 §6), which
    libraries of gRPC let pass in part.
    """
    if not is_grpc(request.headers):
        return None
    return h2.fault_before(request, rng, known, (*_ON_CONNECTION, *_ON_STREAM, *_WINDOWS))


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def promise_from_client(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A client cannot push: its PUSH_PROMISE is an error of the connection (RFC 9113 §6.6, §8.4)."""
    one = h2.said(request, known)
    if one is None or not one.is_safe or not one.ends_at_once:
        return None
    promised = w.frame(PUSH_PROMISE, END_HEADERS, 1, (2).to_bytes(4) + w.field_block(one.fields))
    begun = w.headers(1, one.fields, ends_stream=False)
    return h2.edit(one, "sent PUSH_PROMISE", begun, promised, h2.message(one, 3), stream=3)


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def say_goaway_first(request: Request, rng: Random, known: Known) -> Edit | None:
    """Who says GOAWAY may still be answered, or find the connection closed (RFC 9113 §6.8)."""
    one = h2.said(request, known)
    if one is None:
        return None
    code = rng.choice((0, 1, 11, 0xFFFF_FFFF))  # unknown codes mean nothing special (RFC 9113 §7)
    goaway = w.goaway(0, code, rng.choice((b"", b"shadow")))
    frames = [goaway, h2.message(one)] if rng.random() < 0.5 else [h2.message(one), goaway]
    return h2.edit(one, f"said GOAWAY with the code {code}", *frames)


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def unasked_acknowledgement(request: Request, rng: Random, known: Known) -> Edit | None:
    """An answer to a PING that nobody sent, or a second acknowledgement of settings: ignored, or the
    connection's end (RFC 9113 §6.5.3, §6.7).
    """
    stray = rng.choice((w.ping(is_ack=True), w.settings_ack() * 3))
    return h2.fault_before(request, rng, known, (("acknowledged what was not asked", stray),))
