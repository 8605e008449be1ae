"""What HTTP/2 can say, and becomes two requests where a proxy says it on in HTTP/1 (CWE-444)."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import HTTP2, mutator
from shadow.model import Edit, Expect, Known, Level, Request, without_field
from shadow.wire import http2_writing as w

_SMUGGLED = b"GET /shadow-smuggled HTTP/1.1\r\nHost: shadow.invalid\r\n\r\n"
_LINES = (
    (b"x-shadow-extra", b"a\r\nx-shadow-smuggled: 1"),
    (b"x-shadow-extra", b"a\nx-shadow-smuggled: 1"),
    (b"x-shadow-extra", b"a\r\n\r\n" + _SMUGGLED),
    (b"x-shadow-extra: a\r\nx-shadow-smuggled", b"1"),
)
_CODINGS = (b"chunked", b"identity", b"Chunked", b"chunked, identity")
_PATH_TAILS = (b" HTTP/1.1\r\nx-shadow-smuggled: 1\r\nx-shadow-extra:", b"\r\nx-shadow-smuggled: 1", b"\x00")
_ODD_PATH_TAILS = (b" shadow", b"\tshadow", b" HTTP/1.1", b"#shadow", b"\x7f")
_METHODS = (b"GET / HTTP/1.1\r\nx-shadow-smuggled: 1\r\n\r\nGET", b"GET\r\n", b"GET\x00")
_ODD_METHODS = (b"GET /shadow", b" GET", b"GE(T", b"")
_SCHEMES = (
    b"",
    b"ftp",
    b"http://shadow.invalid/?",
    b"http ",
    b"javascript",
    b"http\r\nx-shadow-smuggled: 1\r\n",
)
_AUTHORITIES = (
    b"",
    b"shadow.invalid",
    b"user@shadow.invalid",
    b"shadow.invalid:99999",
    b"shadow.invalid\x00",
)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def line_end_in_http2_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """CR or LF in a name or value makes a request malformed (RFC 9113 §8.2.1, §10.3): in HTTP/1 it would
    be two fields, or two requests. A widely used library leaves such a field out.
    """
    return h2.other_fields(request, rng, known, _LINES)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def transfer_coding_in_http2(request: Request, rng: Random, known: Known) -> Edit | None:
    """Transfer-Encoding makes a request malformed (RFC 9113 §8.2.2), for a proxy that says it on smuggles
    the body's rest (h2.TE); some servers leave it out instead.
    """
    one = h2.said(request, known)
    if one is None or one.is_call:
        return None
    coding = rng.choice(_CODINGS)
    left = without_field(one.fields, b"content-length")
    fields = h2.put(left, rng, (b"transfer-encoding", coding))
    body = b"0\r\n\r\n" + _SMUGGLED if rng.random() < 0.5 or not one.body else one.body
    frames = (w.headers(1, fields, ends_stream=False), h2.data(body))
    return h2.edit(one, f"stated the transfer coding {coding.decode()}", *frames)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def short_length_in_http2(request: Request, rng: Random, known: Known) -> Edit | None:
    """A length below that of the DATA frames makes a request malformed (RFC 9113 §8.1.1): a proxy that says
    both on smuggles the rest (h2.CL). Who answers before reading the body does not see it.
    """
    one = h2.said(request, known)
    if one is None or one.is_call:
        return None
    stated = rng.choice((b"0", b"%d" % len(one.body)))
    left = without_field(one.fields, b"content-length")
    fields = h2.put(left, rng, (b"content-length", stated))
    frames = (w.headers(1, fields, ends_stream=False), h2.data(one.body + _SMUGGLED))
    return h2.edit(one, f"stated the length {stated.decode()} and sent more", *frames)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def line_end_in_path(request: Request, rng: Random, known: Known) -> Edit | None:
    """NUL, CR and LF have no place in a pseudo-field (RFC 9113 §8.2.1, §8.3.1): in HTTP/1 the request line
    would end there.
    """
    tails = [request.target + tail for tail in _PATH_TAILS]
    return h2.other_pseudo(request, rng, known, b":path", tails)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def odd_path(request: Request, rng: Random, known: Known) -> Edit | None:
    """Spaces, controls and fragments have no place in a path (RFC 9113 §8.3.1, RFC 3986 §3.3), and are
    taken by some servers.
    """
    return h2.other_pseudo(request, rng, known, b":path", [request.target + tail for tail in _ODD_PATH_TAILS])


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def line_end_in_method(request: Request, rng: Random, known: Known) -> Edit | None:
    """NUL, CR and LF have no place in a pseudo-field (RFC 9113 §8.2.1, §8.3.1): in HTTP/1 the request line
    would begin anew.
    """
    return h2.other_pseudo(request, rng, known, b":method", _METHODS)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def odd_method_in_http2(request: Request, rng: Random, known: Known) -> Edit | None:
    """A method is a token (RFC 9110 §9.1): what is none makes a request malformed (RFC 9113 §8.3.1), or a
    method that nobody knows.
    """
    return h2.other_pseudo(request, rng, known, b":method", _ODD_METHODS)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def odd_scheme(request: Request, rng: Random, known: Known) -> Edit | None:
    """A scheme that is none, or not that of the connection, is ignored or refused (RFC 9113 §8.3.1); it
    must not become part of a URL (CWE-444).
    """
    return h2.other_pseudo(request, rng, known, b":scheme", _SCHEMES)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def odd_authority(request: Request, rng: Random, known: Known) -> Edit | None:
    """An authority with user information, or of another host, is refused or served by who serves any
    (RFC 9113 §8.3.1).
    """
    return h2.other_pseudo(request, rng, known, b":authority", _AUTHORITIES)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def host_against_authority(request: Request, rng: Random, known: Known) -> Edit | None:
    """Host that is not :authority should make a request malformed (RFC 9113 §8.3.1), as two readers may
    each believe another.
    """
    return h2.other_fields(request, rng, known, ((b"host", b"shadow.invalid"), (b"host", b"")))
