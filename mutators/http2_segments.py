"""The same frames of HTTP/2 in other segments, or cut short: TCP is a byte stream (RFC 9293 §3.4)."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import HTTP2, mutator
from shadow.model import Edit, Ending, Expect, Known, Level, Request
from shadow.wire import http2_writing as w
from shadow.wire.http2_shape import HEAD_BYTES, PREFACE

_MAX_SEGMENTS = 1_024


@mutator(level=Level.NETWORK, expect=Expect.SAME, over=HTTP2)
def http2_byte_per_segment(request: Request, _rng: Random, known: Known) -> Edit | None:
    """One byte to a segment is the same connection (RFC 9293 §3.4, RFC 9113 §4.1)."""
    one = h2.said(request, known)
    if one is None:
        return None
    text = w.opening() + h2.message(one)
    singles = [text[at : at + 1] for at in range(min(len(text), _MAX_SEGMENTS))]
    return h2.sliced(one, "sent one byte per segment", (*singles, text[_MAX_SEGMENTS:]))


@mutator(level=Level.NETWORK, expect=Expect.SAME, over=HTTP2)
def split_inside_preface(request: Request, rng: Random, known: Known) -> Edit | None:
    """A segment may end within the preface (RFC 9293 §3.4): it is whole when it is whole."""
    one = h2.said(request, known)
    if one is None:
        return None
    text = w.opening() + h2.message(one)
    cut = rng.randint(
        18, len(PREFACE) - 1
    )  # before that, who speaks both versions may see a request of HTTP/1
    return h2.sliced(one, f"split the preface after {cut} bytes", (text[:cut], text[cut:]), 0.02)


@mutator(level=Level.NETWORK, expect=Expect.SAME, over=HTTP2)
def split_inside_frame_head(request: Request, rng: Random, known: Known) -> Edit | None:
    """A segment may end within the nine bytes before a frame (RFC 9293 §3.4, RFC 9113 §4.1)."""
    one = h2.said(request, known)
    if one is None:
        return None
    cut = rng.randint(1, HEAD_BYTES - 1)
    first, then = h2.head(one), h2.rest(one)
    pieces = [w.opening() + first[:cut], first[cut:] + then[:cut], then[cut:]]
    return h2.sliced(one, f"split the frames after {cut} bytes", pieces, 0.02)


@mutator(level=Level.NETWORK, expect=Expect.SAME, over=HTTP2)
def split_body_from_fields(request: Request, rng: Random, known: Known) -> Edit | None:
    """The frames of a request need not come at once (RFC 9113 §8.1)."""
    one = h2.said(request, known)
    if one is None or one.ends_at_once:
        return None
    then = h2.rest(one)
    cut = rng.randint(0, len(then) - 1)
    return h2.sliced(one, "sent the body later", (w.opening() + h2.head(one) + then[:cut], then[cut:]), 0.05)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE, over=HTTP2)
def stall_before_end(request: Request, _rng: Random, known: Known) -> Edit | None:
    """All but the last byte, then a pause of 1 s: answered or timed out, and others not blocked (CWE-400)."""
    one = h2.said(request, known)
    if one is None:
        return None
    text = w.opening() + h2.message(one)
    return h2.sliced(one, "held the last byte back", (text[:-1], text[-1:]), 1.0)


@mutator(level=Level.NETWORK, expect=Expect.SURVIVE, over=HTTP2)
def reset_inside_request(request: Request, rng: Random, known: Known) -> Edit | None:
    """A connection that is reset within a request leaves nothing but a service in good health (RFC 9293
    §3.5.2).
    """
    one = h2.said(request, known)
    if one is None:
        return None
    text = w.opening() + h2.message(one)
    cut = rng.choice((len(PREFACE), len(text) - 1, rng.randrange(1, len(text))))
    return h2.sliced(one, f"reset after {cut} bytes", (text[:cut],), 0.0, Ending.RESET)
