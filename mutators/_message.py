"""Requests changed in one part, and requests taken apart into the lines that go over the wire."""

from collections.abc import Callable, Sequence
from itertools import cycle
from random import Random

from shadow.auth.shown import may_show
from shadow.model import Edit, Ending, Headers, Known, Request, Wire, field
from shadow.wire.http1 import serialise_request

MARKS = frozenset({b"shadow-run", b"shadow-trial"})
"""What tells our requests from live ones: no edit may touch it."""

_FRAMING = frozenset(
    {b"content-length", b"transfer-encoding", b"connection", b"expect", b"te", b"trailer", b"upgrade"}
)
_CREDENTIALS = frozenset(
    {
        b"authorization",
        b"proxy-authorization",
        b"cookie",
        b"signature",
        b"signature-input",
        b"content-digest",
        b"repr-digest",
        b"digest",
        b"content-md5",
        b"x-api-key",
    }
)


def with_headers(request: Request, headers: Headers) -> Request:
    """`request` with other header fields."""
    return Request(request.method, request.target, request.version, headers, request.body, request.trailers)


def with_target(request: Request, target: bytes) -> Request:
    """`request` with another request target."""
    return Request(request.method, target, request.version, request.headers, request.body, request.trailers)


def with_method(request: Request, method: bytes) -> Request:
    """`request` with another method."""
    return Request(method, request.target, request.version, request.headers, request.body, request.trailers)


def appended(request: Request, *lines: tuple[bytes, bytes]) -> Request:
    """`request` with more header fields after those it has."""
    return with_headers(request, (*request.headers, *lines))


def asks_to_upgrade(request: Request) -> bool:
    """Whether another protocol may begin where the request ends (RFC 9110 §7.8)."""
    return field(request.headers, b"upgrade") is not None


def editable(request: Request, known: Known) -> list[int]:
    """Positions of the header fields that may be edited as such.

    Not the marks, Host, message framing, nor what carries credentials, digests or parts of a signature.
    """
    places = known.signer.places(request).values() if known.signer else ()
    kept = {name.lower().encode("latin-1") for name in places}
    return [
        at
        for at, (name, _) in enumerate(request.headers)
        if (lower := name.lower()) not in MARKS
        and lower not in _FRAMING
        and lower not in _CREDENTIALS
        and lower not in kept
        and lower != b"host"
        and b"signature" not in lower
    ]


def is_signed(request: Request, known: Known) -> bool:
    """Whether a configured scheme, or one that shows, signs the request: two spellings of one target may
    then differ in signature.
    """
    is_configured = known.signer is not None and known.signer.key_id(request) is not None
    return is_configured or may_show(request)


def lines_of(request: Request) -> tuple[list[bytes], bytes]:
    """(start line and field lines without line ends, framed body) of the request as it would be sent."""
    start = b"%b %b %b" % (request.method, request.target, request.version)
    lines = [start, *(b"%b: %b" % line for line in request.headers)]
    return lines, serialise_request(request)[len(joined(lines, b"")) :]


def joined(lines: Sequence[bytes], body: bytes, end: bytes = b"\r\n") -> bytes:
    """The bytes of a message with these lines."""
    return end.join(lines) + end + end + body


def raw_edit(request: Request, text: bytes, what: str, ending: Ending = Ending.READ) -> Edit:
    """An edit whose bytes are `text`, in one segment, final as they are."""
    return Edit(request, what, Wire((text,), ending=ending), signs_again=False)


def odd_edit(request: Request, text: bytes, what: str) -> Edit:
    """An edit whose bytes are no request, or one whose end is read in several ways: all that is answered is
    heard, and a server that waits for more learns that none comes.
    """
    return raw_edit(request, text, what, Ending.LISTEN)


def edit_lines(
    request: Request, change: Callable[[list[bytes]], None], what: str, ending: Ending = Ending.LISTEN
) -> Edit:
    """An edit that changes the head's lines (without line ends) in place; the body's bytes stay."""
    lines, body = lines_of(request)
    change(lines)
    return raw_edit(request, joined(lines, body), what, ending)


def insert_line(request: Request, rng: Random, line: bytes, what: str) -> Edit:
    """An edit with one more line anywhere after the start line."""
    return edit_lines(request, lambda lines: lines.insert(rng.randint(1, len(lines)), line), what)


def without_framing(request: Request) -> Headers:
    """The header fields without Content-Length and Transfer-Encoding."""
    return tuple(
        line for line in request.headers if line[0].lower() not in {b"content-length", b"transfer-encoding"}
    )


def framed(request: Request, framing: Sequence[bytes], body: bytes) -> bytes:
    """The bytes of `request` with the field lines `framing` in place of its own framing, then `body`."""
    bare = Request(request.method, request.target, request.version, without_framing(request))
    lines, _ = lines_of(bare)
    return joined([*lines, *framing], body)


def chunked(body: bytes, sizes: Sequence[int], extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """`body` in chunks of `sizes` bytes, taken round and round; each at least one byte."""
    if len(sizes) == 1:  # by far the quickest for very many chunks
        size = max(1, sizes[0])
        whole = len(body) - len(body) % size
        start = b"%x%b\r\n" % (size, extension)
        pieces = [body[at : at + size] for at in range(0, whole, size)]
        out = [start, (b"\r\n" + start).join(pieces), b"\r\n"] if pieces else []
        if whole < len(body):
            out.append(b"%x%b\r\n%b\r\n" % (len(body) - whole, extension, body[whole:]))
        return b"".join((*out, b"0%b\r\n%b\r\n" % (extension, trailers)))
    out = []
    at = 0
    heads = cycle([(max(1, size), b"%x%b\r\n" % (max(1, size), extension)) for size in sizes])
    for size, head in heads:
        if at + size > len(body):
            break
        out += (head, body[at : at + size], b"\r\n")
        at += size
    if at < len(body):
        out.append(b"%x%b\r\n%b\r\n" % (len(body) - at, extension, body[at:]))
    out.append(b"0%b\r\n%b\r\n" % (extension, trailers))
    return b"".join(out)


def is_http11(request: Request) -> bool:
    """Whether the request speaks HTTP/1.1, which chunked framing and Host rules need."""
    return request.version == b"HTTP/1.1"
