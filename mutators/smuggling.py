"""Requests hidden behind a request, for whoever reads its length in another way (RFC 9112 §11.2).

Each hidden request is a GET of a path of ours, with the marks, and the releases must answer equally many.
"""

from random import Random

from mutators._contract import mutator
from mutators._message import MARKS, framed, is_http11, odd_edit
from mutators.coding_disguise import NAMES, WRAPS
from shadow.model import Edit, Expect, Level, Request, field

_TE = b"Transfer-Encoding: chunked"
_CHUNK_SYNTAX: dict[str, bytes] = {
    "LF in an extension": b"\n",
    "CR in an extension": b"\r",
    "CR CR in an extension": b"\r\r",
    "XX behind the data": b"1\r\nxXX0\r\n\r\n",
    "no line end behind the data": b"1\r\nx0\r\n\r\n",
    "data behind the data": b"1\r\nxyz\r\n0\r\n\r\n",
    "a length in the trailers": b"1\r\nx\r\n0\r\nContent-Length: 5\r\n\r\n",
    "CR CR LF behind a trailer": b"1\r\nx\r\n0\r\nX: x\r\r\n\r\n",
    "no empty line behind the last chunk": b"1\r\nx\r\n0\r\n",
    "LF behind the last chunk": b"1\r\nx\r\n0\n\n",
    "a size of 2^64": b"10000000000000000\r\n\r\n",
    "0x0 as the last size": b"1\r\nx\r\n0x0\r\n\r\n",
    "0_0 as the last size": b"1\r\nx\r\n0_0\r\n\r\n",
    "-0 as the last size": b"1\r\nx\r\n-0\r\n\r\n",
    "no size at all": b"1\r\nx\r\n\r\n\r\n",
}
"""What is read in several ways, before the hidden request; of an extension, what ends its line for some."""


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def smuggle_by_disagreement(request: Request, rng: Random) -> Edit | None:
    """A length and chunks that end at different places: CL.TE and TE.CL. Refused, or read by the chunks
    alone and the connection closed (RFC 9112 §6.1).
    """
    hidden = _hidden(request)
    if not hidden:
        return None
    ended, wrapped = _ended(hidden), _wrapped(hidden)
    lines, body, name = rng.choice(
        (
            ([b"Content-Length: %d" % len(ended), _TE], ended, "CL.TE"),
            ([_TE, b"Content-Length: %d" % (wrapped.index(b"\n") + 1)], wrapped, "TE.CL"),
        )
    )
    return _edit(request, lines, body, name)


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def smuggle_as_content(request: Request, rng: Random) -> Edit | None:
    """A request that is another's content, by its length or in a chunk: CL.0 and TE.0 for who leaves that
    out. Content where the method has no use for it may be refused, and must be read (RFC 9110 §9.3.1).
    """
    hidden = _hidden(request)
    if not hidden:
        return None
    lines, body, name = rng.choice(
        (([b"Content-Length: %d" % len(hidden)], hidden, "CL.0"), ([_TE], _wrapped(hidden), "TE.0"))
    )
    return _edit(request, lines, body, name)


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def smuggle_by_two_lengths(request: Request, rng: Random) -> Edit | None:
    """Two lengths, the one with the hidden request and the one without: an unrecoverable error (RFC 9112
    §6.3), and CL.CL for who takes the first or the last.
    """
    hidden = _hidden(request)
    if not hidden:
        return None
    short = b"Content-Length: %d" % len(request.body)
    name = rng.choice((b"Content-Length", b"Content-Length", b"Content-Length ", b"Content_Length"))
    lines = [short, name + b": %d" % (len(request.body) + len(hidden))]
    if rng.random() < 0.5:
        lines.reverse()
    return _edit(request, lines, request.body + hidden, "CL.CL")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def smuggle_by_disguise(request: Request, rng: Random) -> Edit | None:
    """Chunks under a disguised Transfer-Encoding, with a length that covers the hidden request: answered
    once or refused where the disguise is no coding, twice where it is read as one (RFC 9112 §6.1).
    """
    hidden = _hidden(request)
    if not hidden:
        return None
    disguises = {**NAMES, **WRAPS}
    name = rng.choice(tuple(disguises))
    ended = _ended(hidden)
    return _edit(request, [b"Content-Length: %d" % len(ended), disguises[name]], ended, f"CL.TE {name}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def smuggle_by_unknown_coding(request: Request, rng: Random) -> Edit | None:
    """A coding that is not chunked must be refused (RFC 9112 §6.3): who leaves it out reads the length, who
    takes it for chunked the chunks, and who takes it for nothing the hidden request.
    """
    hidden = _hidden(request)
    if not hidden:
        return None
    coding = rng.choice(
        (b"xchunked", b"identity", b"chunked, identity", b"gzip", b"", b"\x0bchunked", b"chunk")
    )
    ended = _ended(hidden)
    lines = [b"Content-Length: %d" % len(ended), b"Transfer-Encoding: " + coding]
    if rng.random() < 0.3:
        del lines[0]
    return _edit(request, lines, ended, f"CL.TE {coding!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def smuggle_by_chunk_syntax(request: Request, rng: Random) -> Edit | None:
    """A hidden request in a chunk's extension, behind its data or in the trailers: content for who keeps to
    the grammar (RFC 9112 §7.1), or a refusal.
    """
    hidden = _hidden(request)
    if not hidden:
        return None
    name = rng.choice(tuple(_CHUNK_SYNTAX))
    size = b"%x" % (len(hidden) + 5)
    in_extension = b"%x;%%b%b\r\n%b\r\n%b\r\n0\r\n\r\n" % (
        *(len(size), b"x" * len(size), size),
        _ended(hidden),
    )
    body = in_extension % _CHUNK_SYNTAX[name] if "extension" in name else _CHUNK_SYNTAX[name] + hidden
    return _edit(request, [_TE], body, name)


def _hidden(request: Request) -> bytes:
    """The request to hide; empty where there is no saying it, as it needs HTTP/1.1 and a host."""
    host = field(request.headers, b"host")
    if host is None or not is_http11(request):
        return b""
    marks = b"".join(b"%b: %b\r\n" % line for line in request.headers if line[0].lower() in MARKS)
    return b"GET /shadow-smuggled HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (host, marks)


def _ended(hidden: bytes) -> bytes:
    return b"0\r\n\r\n" + hidden


def _wrapped(hidden: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(hidden), hidden)


def _edit(request: Request, lines: list[bytes], body: bytes, name: str) -> Edit:
    return odd_edit(request, framed(request, lines, body), f"hid a request after this one ({name})")
