"""Transfer-Encoding in every wrong form (RFC 9112 §6.1, §6.3)."""

from random import Random

from mutators._contract import mutator
from mutators._message import asks_to_upgrade, chunked, framed, is_http11, odd_edit
from shadow.model import Edit, Expect, Level, Request

_NOT_FINAL = (
    *(b"chunked, identity", b"chunked, cow", b"gzip", b"cow", b"identity", b"xchunked", b"chunkedx"),
    *(b"chunked;q=1, gzip", b"chunk", b"chunked-", b"chunked cow"),
)
_LISTS = (
    *(b",chunked", b"chunked,", b", chunked", b"chunked, chunked", b"cow, chunked", b"identity, chunked"),
    *(b"gzip, chunked", b"chunked ,", b",,chunked", b"gzip,chunked"),
)
_DISGUISES = (
    *(b"\x0bchunked", b"\xa0chunked", b"chunked\xa0", b"\xa0chunked\xa0", b"\x85chunked", b"chunked\x0b"),
    *(b"\x00chunked", b"chunked\x00", b"\x7fchunked", b'"chunked"', b"'chunked'", b"chun ked", b"chunked\\"),
    *(b"chunked;", b"chunked; a=b", b"CHUNKED", b"Chunked", b"cHuNkEd", b"\tchunked\t", b"", b"ch\x96nked"),
    *(
        b"%63hunked",
        b"chunked\r",
        b"\rchunked",
        b"x\r chunked",
        b"chun\xe2\x84\xaaed",
        b"=?UTF-8?B?Y2h1bmtlZA==?=",
    ),
)
"""The last but one has a Kelvin sign, whose lower case is k."""


@mutator(level=Level.FRAMING, expect=Expect.REJECT)
def not_chunked_at_last(request: Request, rng: Random) -> Edit | None:
    """Where chunked is not the final coding of a request its length is unknown: the server must answer
    400 (RFC 9112 §6.3), or 501 to a coding that it does not know (§6.1). Who switches to another protocol
    does not look at a body, so of other requests alone.
    """
    if asks_to_upgrade(request):
        return None
    coding = rng.choice(_NOT_FINAL)
    return _coded(request, [b"Transfer-Encoding: " + coding], f"made Transfer-Encoding {coding!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def listed_coding(request: Request, rng: Random) -> Edit | None:
    """Chunked among others, twice, or beside an empty member: refused, or undone (RFC 9112 §6.1, RFC 9110
    §5.6.1.2), and a change of mind between releases opens a way to smuggle.
    """
    coding = rng.choice(_LISTS)
    return _coded(request, [b"Transfer-Encoding: " + coding], f"made Transfer-Encoding {coding!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def disguised_chunked(request: Request, rng: Random) -> Edit | None:
    """Spellings of chunked that some hops read and others do not; refusing is right, reading may be
    (RFC 9112 §6.1), and a change of mind between releases opens a way to smuggle.
    """
    coding = rng.choice(_DISGUISES)
    return _coded(request, [b"Transfer-Encoding: " + coding], f"made Transfer-Encoding {coding!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def length_and_chunks(request: Request, rng: Random) -> Edit | None:
    """Both Content-Length and Transfer-Encoding: rejected, or the length ignored (RFC 9112 §6.1).
    CL.TE, TE.CL.
    """
    body = chunked(request.body, (4096,))
    length = rng.choice((len(body), 0, len(request.body), 3, len(body) - 5))
    lines = [b"Content-Length: %d" % length, b"Transfer-Encoding: chunked"]
    if rng.random() < 0.5:
        lines.reverse()
    return _coded(request, lines, f"stated the length {length} beside chunks")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def chunks_in_http10(request: Request, rng: Random) -> Edit | None:
    """HTTP/1.0 has no transfer codings: the framing is faulty, and the connection must be closed (RFC
    9112 §6.1).
    """
    if not is_http11(request):
        return None
    body = chunked(request.body, (4096,))
    older = Request(request.method, request.target, b"HTTP/1.0", request.headers, request.body)
    lines = [b"Transfer-Encoding: chunked", *rng.choice(([], [b"Connection: keep-alive"]))]
    return odd_edit(older, framed(older, lines, body), "sent chunks in HTTP/1.0")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def repeated_coding(request: Request, rng: Random) -> Edit | None:
    """Chunked must not be applied twice (RFC 9112 §6.1): two lines are one list, refused or undone once."""
    first = rng.choice((b"chunked", b"identity", b"cow", b"gzip", b""))
    lines = [b"Transfer-Encoding: " + first, b"Transfer-Encoding: chunked"]
    if first != b"chunked" and rng.random() < 0.5:
        lines.reverse()
    return _coded(request, lines, f"wrote Transfer-Encoding {first.decode()!r} beside chunked")


def _coded(request: Request, lines: list[bytes], what: str) -> Edit | None:
    if not is_http11(request):
        return None
    return odd_edit(request, framed(request, lines, chunked(request.body, (4096,))), what)
