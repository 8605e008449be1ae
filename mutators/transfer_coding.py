"""Transfer-Encoding in every wrong form, and the pairs that smuggle a request past a hop (RFC 9112 §6.1,
§11.2).
"""

from random import Random

from mutators._contract import mutator
from mutators._message import MARKS, chunked, framed, is_http11, raw_edit
from shadow.model import Edit, Ending, Expect, Level, Request, Wire, field

_NOT_FINAL = (
    b"chunked, identity",
    b"chunked, cow",
    b"gzip",
    b"cow",
    b"chunked;q=1, gzip",
    b"xchunked",
    b"chunkedx",
)
_DISGUISED = (
    *(
        b"\x0bchunked",
        b"\xa0chunked",
        b"chunked\xa0",
        b"\x00chunked",
        b"chunked\x00",
        b'"chunked"',
        b"chun ked",
    ),
    *(
        b"chunked\x0b",
        b"\x85chunked",
        b"chunked;",
        b"chunked; a=b",
        b"CHUNKED",
        b"Chunked",
        b"\tchunked\t",
        b",chunked",
    ),
    *(
        b"chunked,",
        b"chunked, chunked",
        b"cow, chunked",
        b"identity, chunked",
        b"",
        b"\x7fchunked",
        b"chunked\\",
    ),
)
_NAMES = (
    *(b"Transfer-Encoding : chunked", b"Transfer_Encoding: chunked", b"Transfer-Encoding\t: chunked"),
    *(b" Transfer-Encoding: chunked", b"X: x\nTransfer-Encoding: chunked", b"Transfer-Encoding\x00: chunked"),
    *(b"Transfer-Encoding:\r\n chunked", b"Transfer\\-Encoding: chunked", b"TRANSFER-ENCODING: chunked"),
)


@mutator(level=Level.FRAMING, expect=Expect.REJECT)
def not_chunked_at_last(request: Request, rng: Random) -> Edit | None:
    """Where chunked is not the final coding of a request its length is unknown: the server must answer
    400 (RFC 9112 §6.3).
    """
    if not is_http11(request):
        return None
    coding = rng.choice(_NOT_FINAL)
    text = framed(request, [b"Transfer-Encoding: " + coding], chunked(request.body, (4096,)))
    return raw_edit(request, text, f"made Transfer-Encoding {coding!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def disguised_chunked(request: Request, rng: Random) -> Edit | None:
    """Spellings of chunked that some hops read and others do not; refusing is right, reading may be
    (RFC 9112 §6.1), and a change of mind between releases opens a way to smuggle.
    """
    if not is_http11(request):
        return None
    coding = rng.choice(_DISGUISED)
    text = framed(request, [b"Transfer-Encoding: " + coding], chunked(request.body, (4096,)))
    return _half_closed(request, text, f"made Transfer-Encoding {coding!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def disguised_coding_name(request: Request, rng: Random) -> Edit | None:
    """Names beside Transfer-Encoding, next to a length: read as it, ignored or refused (RFC 9112 §5.1,
    §11.2).
    """
    if not (is_http11(request) and request.body):
        return None
    line = rng.choice(_NAMES)
    body = chunked(request.body, (4096,))
    text = framed(request, [b"Content-Length: %d" % len(body), line], body)
    return _half_closed(request, text, f"wrote {line[:24]!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def length_and_chunks(request: Request, rng: Random) -> Edit | None:
    """Both Content-Length and Transfer-Encoding: rejected, or the length ignored (RFC 9112 §6.1).
    CL.TE, TE.CL.
    """
    if not is_http11(request):
        return None
    body = chunked(request.body, (4096,))
    length = rng.choice((len(body), 0, len(request.body), 3, len(body) - 5))
    lines = [b"Content-Length: %d" % length, b"Transfer-Encoding: chunked"]
    if rng.random() < 0.5:
        lines.reverse()
    return _half_closed(request, framed(request, lines, body), f"stated the length {length} beside chunks")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def chunks_in_http10(request: Request, _rng: Random) -> Edit | None:
    """HTTP/1.0 has no transfer codings: the framing is faulty, and the connection must be closed (RFC
    9112 §6.1).
    """
    if not is_http11(request):
        return None
    body = chunked(request.body, (4096,))
    older = Request(request.method, request.target, b"HTTP/1.0", request.headers, request.body)
    return _half_closed(
        older, framed(older, [b"Transfer-Encoding: chunked"], body), "sent chunks in HTTP/1.0"
    )


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def repeated_coding(request: Request, rng: Random) -> Edit | None:
    """Chunked must not be applied twice (RFC 9112 §6.1): two lines are one list, refused or undone once."""
    if not is_http11(request):
        return None
    first = rng.choice((b"chunked", b"identity", b"cow", b"gzip"))
    lines = [b"Transfer-Encoding: " + first, b"Transfer-Encoding: chunked"]
    text = framed(request, lines, chunked(request.body, (4096,)))
    return _half_closed(request, text, f"wrote Transfer-Encoding {first.decode()} before chunked")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def smuggle_by_disagreement(request: Request, rng: Random) -> Edit | None:
    """A second request hidden in the body of the first: CL.TE, TE.CL, TE.0 and CL.0 (RFC 9112 §11.2).
    The first answer must be of the same class in both releases; a second answer would be surplus.
    """
    host = field(request.headers, b"host")
    if host is None or not is_http11(request):
        return None
    marks = b"".join(b"%b: %b\r\n" % line for line in request.headers if line[0].lower() in MARKS)
    hidden = b"GET /shadow-smuggled HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (host, marks)
    lines, body, name = rng.choice(_smuggled(hidden))
    return _half_closed(request, framed(request, lines, body), f"hid a request after this one ({name})")


def _smuggled(hidden: bytes) -> tuple[tuple[list[bytes], bytes, str], ...]:
    te = b"Transfer-Encoding: chunked"
    ended = b"0\r\n\r\n" + hidden
    wrapped = b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden)
    return (
        ([b"Content-Length: %d" % len(ended), te], ended, "CL.TE"),
        ([te, b"Content-Length: 4"], wrapped, "TE.CL"),
        ([te], ended, "TE.0"),
        ([b"Content-Length: 0"], hidden, "CL.0"),
        ([b"Content-Length: %d" % len(ended), b"Transfer-Encoding: xchunked"], ended, "CL.unknown"),
    )


def _half_closed(request: Request, text: bytes, what: str) -> Edit:
    """An edit after which our side is closed, so that a server that waits for more knows that none will
    come.
    """
    return Edit(request, what, Wire((text,), ending=Ending.HALF_CLOSE), signs_again=False)
