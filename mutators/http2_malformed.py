"""Requests that are malformed in HTTP/2: an error of the stream, or 400 (RFC 9113 §8.1.1, §8.2, §8.3)."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import HTTP2, mutator
from shadow.model import Edit, Expect, Known, Level, Request, without_field
from shadow.wire import http2_writing as w

_UPPER = ((b"X-Shadow-Extra", b"1"), (b"x-shadow-Extra", b"1"), (b"Accept", b"*/*"))
_BAD_NAMES = ((b"x shadow", b"1"), (b"x-shadow\x00", b"1"), (b"x-shadow\r", b"1"), (b"x:shadow", b"1"))
_ODD_NAMES = (
    (b"", b"1"),
    (b"x-shad\xc3\xb6w", b"1"),
    (b"x(shadow)", b"1"),
    (b'x"shadow', b"1"),
    (b"x\x7f", b"1"),
)
_BAD_VALUES = ((b"x-shadow-extra", b"a\x00b"), (b"x-shadow-extra", b"a\nb"), (b"x-shadow-extra", b"a\rb"))
_ODD_VALUES = ((b"x-shadow-extra", b" a"), (b"x-shadow-extra", b"a\t"), (b"x-shadow-extra", b"a\x01b"))
_OF_CONNECTION = (
    (b"connection", b"keep-alive"),
    (b"connection", b"close"),
    (b"keep-alive", b"timeout=5"),
    (b"proxy-connection", b"keep-alive"),
    (b"upgrade", b"h2c"),
    (b"te", b"gzip"),
    (b"te", b"trailers, deflate"),
)
_UNKNOWN_PSEUDO = ((b":shadow", b"1"), (b":host", b"shadow.invalid"), (b":status", b"200"))
_PATHS = (b"shadow", b"v1/shadow", b"?shadow=1")
_NEEDED = (b":method", b":path")


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def uppercase_field_name(request: Request, rng: Random, known: Known) -> Edit | None:
    """A name with a capital letter makes a request malformed (RFC 9113 §8.2.1)."""
    return h2.other_fields(request, rng, known, _UPPER)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def bad_field_name(request: Request, rng: Random, known: Known) -> Edit | None:
    """A name with a control character, a space or a colon makes a request malformed (RFC 9113 §8.2.1); a
    widely used library leaves such a field out.
    """
    return h2.other_fields(request, rng, known, _BAD_NAMES)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def odd_field_name(request: Request, rng: Random, known: Known) -> Edit | None:
    """A name that is no token breaks the grammar (RFC 9110 §5.1); HTTP/2 bids to refuse only some of them
    (RFC 9113 §8.2.1).
    """
    return h2.other_fields(request, rng, known, _ODD_NAMES)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def bad_field_value(request: Request, rng: Random, known: Known) -> Edit | None:
    """NUL, CR or LF in a value makes a request malformed (RFC 9113 §8.2.1); a widely used library leaves
    such a field out.
    """
    return h2.other_fields(request, rng, known, _BAD_VALUES)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def odd_field_value(request: Request, rng: Random, known: Known) -> Edit | None:
    """White space around a value makes a request malformed (RFC 9113 §8.2.1), yet is widely taken; control
    characters break the grammar (RFC 9110 §5.5).
    """
    return h2.other_fields(request, rng, known, _ODD_VALUES)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def connection_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """Fields of a connection, and TE but for trailers, make a request malformed (RFC 9113 §8.2.2); many
    servers leave them out instead.
    """
    return h2.other_fields(request, rng, known, _OF_CONNECTION)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def missing_pseudo_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A request without :method or :path is malformed (RFC 9113 §8.3.1)."""
    return _without(request, known, rng.choice(_NEEDED))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def missing_scheme_or_authority(request: Request, rng: Random, known: Known) -> Edit | None:
    """A request without :scheme is malformed, and one without :authority and Host may be (RFC 9113
    §8.3.1); not all servers need them.
    """
    return _without(request, known, rng.choice((b":scheme", b":authority")))


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def repeated_pseudo_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A pseudo-field that stands twice makes a request malformed (RFC 9113 §8.3). Libraries of gRPC take
    one of them.
    """
    one = h2.said(request, known)
    if one is None or one.is_call:
        return None
    count = h2.pseudo_count(one.fields)
    at = rng.choice([at for at in range(count) if one.fields[at][0] in (b":method", b":path", b":scheme")])
    fields = (*one.fields[: at + 1], one.fields[at], *one.fields[at + 1 :])
    return h2.edit(one, f"said {one.fields[at][0].decode()} twice", h2.message(one, 1, fields))


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def unknown_pseudo_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A pseudo-field that is not defined for requests makes one malformed (RFC 9113 §8.3)."""
    one = h2.said(request, known)
    if one is None:
        return None
    # libraries of gRPC know the last, as they read answers by the same code
    name, value = rng.choice(_UNKNOWN_PSEUDO[:2] if one.is_call else _UNKNOWN_PSEUDO)
    at = h2.pseudo_count(one.fields)
    fields = (*one.fields[:at], (name, value), *one.fields[at:])
    return h2.edit(one, f"put in {name.decode()}", h2.message(one, 1, fields))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def late_pseudo_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A pseudo-field after a regular one makes a request malformed (RFC 9113 §8.3); not all servers mind."""
    one = h2.said(request, known)
    if one is None:
        return None
    at = h2.pseudo_count(one.fields)
    moved = rng.choice(one.fields[:at])
    left = tuple(each for each in one.fields if each is not moved)
    if at == len(one.fields):
        left = (*left, (b"x-shadow-extra", b"1"))
    return h2.edit(one, f"put {moved[0].decode()} last", h2.message(one, 1, (*left, moved)))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def pseudo_field_in_trailers(request: Request, rng: Random, known: Known) -> Edit | None:
    """Pseudo-fields have no place in trailers: the request is malformed (RFC 9113 §8.1, §8.3), though some
    servers leave them out.
    """
    one = h2.said(request, known)
    if one is None or one.trailers:
        return None
    begun = w.headers(1, one.fields, ends_stream=False)
    body = h2.data(one.body, ends_stream=False)
    trailers = w.headers(1, (rng.choice(((b":path", b"/"), (b":method", b"GET"), (b":shadow", b"1"))),))
    return h2.edit(one, "put a pseudo-field into trailers", begun, body, trailers)


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def empty_path(request: Request, rng: Random, known: Known) -> Edit | None:
    """A path is not empty, else the request is malformed (RFC 9113 §8.3.1)."""
    return h2.other_pseudo(request, rng, known, b":path", (b"",))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def relative_path(request: Request, rng: Random, known: Known) -> Edit | None:
    """A path begins with a slash, else the request is malformed (RFC 9113 §8.3.1); some servers take any."""
    return h2.other_pseudo(request, rng, known, b":path", _PATHS)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def length_without_body(request: Request, rng: Random, known: Known) -> Edit | None:
    """A length of some bytes of which no DATA frame comes makes a request malformed (RFC 9113
    §8.1.1); some libraries do not compare them, as those of gRPC, of whose calls there is none.
    """
    one = h2.said(request, known)
    if one is None or one.is_call:
        return None
    left = without_field(one.fields, b"content-length")
    fields = h2.put(left, rng, (b"content-length", rng.choice((b"1", b"5", b"100000"))))
    return h2.edit(one, "stated a length and sent no body", w.headers(1, fields))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def wrong_content_length(request: Request, rng: Random, known: Known) -> Edit | None:
    """A length that is not the sum of the DATA frames makes a request malformed (RFC 9113 §8.1.1); who
    answers before reading the body does not see it.
    """
    one = h2.said(request, known)
    if one is None or not one.body or one.is_call:
        return None
    size = len(one.body)
    stated = rng.choice(
        (b"%d" % (size - 1), b"%d" % (size + 1), b"0", b"-1", b"+%d" % size, b"%d, %d" % (size, size))
    )
    left = without_field(one.fields, b"content-length")
    fields = h2.put(left, rng, (b"content-length", stated))
    return h2.edit(one, f"stated the length {stated.decode()} of {size}", h2.message(one, 1, fields))


def _without(request: Request, known: Known, name: bytes) -> Edit | None:
    one = h2.said(request, known)
    if one is None:
        return None
    return h2.edit(
        one, f"left out {name.decode()}", h2.message(one, 1, h2.with_pseudo(one.fields, name, None))
    )
