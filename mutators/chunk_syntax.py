"""Chunks that break the grammar, or strain it (RFC 9112 §7.1)."""

from random import Random

from mutators._contract import mutator
from mutators._message import chunked, framed, is_http11, odd_edit, raw_edit
from shadow.model import Edit, Ending, Expect, Level, Request

_CHUNKED = b"Transfer-Encoding: chunked"
_LAST = b"0\r\n\r\n"
_BAD_SIZES = (
    *(
        b"0_1",
        b"+1",
        b"-1",
        b"0x1",
        b"1zz",
        b"",
        b" ",
        b"g",
        b"1.0",
        b"\xef\xbc\x91",
        b"1,1",
        b"1 1",
        b"\x001",
    ),
    *(b"1\x00", b'"1"'),
)
_EXTENSIONS: dict[str, bytes] = {
    "space around": b" ; a = 1",
    "tab": b"\t;a",
    "nothing in it": b";",
    "nothing twice": b";;",
    "no value": b";a=",
    "an open quote": b';a="b',
    "a CRLF in quotes": b';a="\r\nb"',
    "LF": b";a\nb",
    "bare CR": b";a\rb",
    "NUL": b";a=\x00",
    "a high byte": b";\xff=\xff",
    "no semicolon": b" shadow",
    "20 kB": b";a=" + b"b" * 20_000,
}
_LINE_ENDS: dict[str, bytes] = {
    "LF": b"\n",
    "CR": b"\r",
    "CR CR LF": b"\r\r\n",
    "CR CR X": b"\r\rX",
    "CR NUL": b"\r\x00",
    "LF CR": b"\n\r",
    "X CRLF": b"X\r\n",
    "NUL CRLF": b"\x00\r\n",
    "VT CRLF": b"\x0b\r\n",
    "CR X": b"\rX",
}
_TRAILERS: dict[str, bytes] = {
    "Content-Length": b"Content-Length: 1\r\n",
    "Transfer-Encoding": b"Transfer-Encoding: chunked\r\n",
    "Host": b"Host: shadow.invalid\r\n",
    "Content-Type": b"Content-Type: text/x-shadow\r\n",
    "no colon": b"shadow\r\n",
    "no name": b": shadow\r\n",
    "a space before the colon": b"X-Shadow : 1\r\n",
    "a fold": b"X-Shadow: 1\r\n 2\r\n",
    "a bare LF": b"X-Shadow: 1\n",
    "a bare CR": b"X-Shadow: 1\rX: 2\r\n",
    "NUL": b"X-Shadow: \x00\r\n",
    "white space first": b" X-Shadow: 1\r\n",
}


@mutator(level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def bad_chunk_size(request: Request, rng: Random) -> Edit | None:
    """A chunk-size is hexadecimal digits alone (RFC 9112 §7.1): a server that reads anything else as
    size lets two hops disagree on where the request ends (§11.2), and should answer 400 to what breaks the
    grammar (§2.2).
    """
    size = rng.choice(_BAD_SIZES)
    return _edit(
        request, size + b"\r\n" + request.body[:1] + b"\r\n" + _LAST, f"made the first chunk-size {size!r}"
    )


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_chunk_size(request: Request, rng: Random) -> Edit | None:
    """Leading zeros are digits like others; white space before or behind a size is none (RFC 9112 §7.1),
    though some servers take it off.
    """
    body = request.body
    size = b"%x" % len(body)
    first, last = rng.choice(
        (
            (b"0" * rng.choice((1, 15)) + size, b"0"),
            (b"0" * 400 + size, b"0"),
            (size + b" ", b"0"),
            (size + b"\t", b"0"),
            (size + b" " * 200, b"0"),
            (b" " + size, b"0"),
            (b"\t" + size, b"0"),
            (size.upper(), b"0"),
            (size, b"00000000"),
            (size, b"  0"),
            (size, b"0 "),
            (size, b"0x0"),
            (size, b"-0"),
            (size, b"+0"),
        )
    )
    text = first + b"\r\n" + body + b"\r\n" + last + b"\r\n\r\n"
    return _edit(request, text, f"made the chunk-sizes {first[-20:]!r} and {last!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def huge_chunk_size(request: Request, rng: Random) -> Edit | None:
    """A size beyond 31, 32, 63 or 64 bits must not wrap round (RFC 9112 §7.1): refused, or waited for in
    vain.
    """
    size = rng.choice((2**31, 2**32, 2**63, 2**64, 2**128, 2**64 - len(request.body) * 2)) + len(request.body)
    text = b"%x\r\n" % size + request.body + b"\r\n" + _LAST
    return _edit(request, text, f"made the chunk-size {size:#x}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_chunk_extension(request: Request, rng: Random) -> Edit | None:
    """Chunk extensions outside their grammar, or long: read over or refused (RFC 9112 §7.1.1), and never
    taken for the end of the line.
    """
    name = rng.choice(tuple(_EXTENSIONS))
    text = b"%x%b\r\n%b\r\n0\r\n\r\n" % (len(request.body), _EXTENSIONS[name], request.body)
    return _edit(request, text, f"gave the chunk an extension with {name}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_chunk_line_end(request: Request, rng: Random) -> Edit | None:
    """Sizes end with CRLF (RFC 9112 §7.1); LF alone may be read as a line end in the head, not here (§2.2),
    yet some servers do.
    """
    name = rng.choice(tuple(_LINE_ENDS))
    end = _LINE_ENDS[name]
    size = b"%x" % len(request.body)
    text = rng.choice(
        (
            size + end + request.body + b"\r\n" + _LAST,
            size + b"\r\n" + request.body + b"\r\n0" + end + b"\r\n",
        )
    )
    return _edit(request, text, f"ended a chunk-size with {name}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_chunk_data_end(request: Request, rng: Random) -> Edit | None:
    """A chunk's data end with CRLF (RFC 9112 §7.1): without it, or with more or other bytes in its place,
    the size is wrong; who reads on nevertheless can be made to disagree (§11.2).
    """
    end = rng.choice((b"", b"\n", b"\r", b"XX", b"XX\r\n", b"X\r\n", b"\r\n\r\n", b"\rX", b"X\n", b"\n\n"))
    text = b"%x\r\n%b%b%b" % (len(request.body), request.body, end, _LAST)
    return _edit(request, text, f"ended a chunk's data with {end!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def bare_line_feeds_in_chunks(request: Request, _rng: Random) -> Edit | None:
    """LF alone in all of the chunks: refused, or read as CRLF (RFC 9112 §2.2, §7.1)."""
    text = b"%x\n%b\n0\n\n" % (len(request.body), request.body)
    return _edit(request, text, "ended all lines of the chunks with LF")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def bytes_after_last_chunk(request: Request, rng: Random) -> Edit | None:
    """What follows the last chunk is the next request (RFC 9112 §9.3), and mostly none: refused, or left
    unread.
    """
    more = rng.choice((b"X", b"0\r\n\r\n", b"\r\n", b"1\r\nx\r\n0\r\n\r\n", b"\x00" * 16, b"shadow\r\n\r\n"))
    return _edit(request, chunked(request.body, (4096,)) + more, f"put {more!r} after the last chunk")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def lone_last_chunk(request: Request, rng: Random) -> Edit | None:
    """The last chunk without what must follow it, then nothing: an incomplete message (RFC 9112 §7.1, §8),
    though some servers take it for whole.
    """
    text = rng.choice((chunked(request.body, (4096,))[:-2], b"0\r\n", b"0", b"0\r", b"0\r\n\r"))
    return _edit(request, text, f"ended the chunks with {text[-6:]!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_trailers(request: Request, rng: Random) -> Edit | None:
    """Trailers must not frame, route or describe the content (RFC 9110 §6.5.1), nor break the grammar of
    fields (RFC 9112 §7.1.2): left out or refused, and never obeyed.
    """
    name = rng.choice(tuple(_TRAILERS))
    text = chunked(request.body, (4096,), trailers=_TRAILERS[name])
    return _edit(request, text, f"put a trailer with {name} after the chunks")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def cut_chunks(request: Request, rng: Random) -> Edit | None:
    """Chunks without their end are an incomplete message (RFC 9112 §8): a time-out or 400, and nothing
    done.
    """
    if not (request.body and may_chunk(request)):
        return None
    whole = chunked(request.body, (rng.randint(1, len(request.body)),))
    kept = whole[: rng.choice((len(whole) - 5, len(whole) - 2, len(whole) // 2))]
    text = framed(request, [_CHUNKED], kept)
    return raw_edit(request, text, f"sent {len(kept)} of {len(whole)} chunked bytes", Ending.HALF_CLOSE)


def may_chunk(request: Request) -> bool:
    """Only HTTP/1.1 has chunks (RFC 9112 §6.1); other codings beside them are left alone."""
    others = [value for name, value in request.headers if name.lower() == b"transfer-encoding"]
    return is_http11(request) and all(value.strip().lower() == b"chunked" for value in others)


def _edit(request: Request, body: bytes, what: str) -> Edit | None:
    """The request with these bytes for its chunks."""
    if not (request.body and may_chunk(request)):
        return None
    return odd_edit(request, framed(request, [_CHUNKED], body), what)
