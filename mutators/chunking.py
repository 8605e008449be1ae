"""Bodies framed in other ways: by chunks of any size, with extensions and trailers, and by broken chunks."""

from random import Random

from mutators._contract import mutator
from mutators._message import chunked, framed, is_http11, raw_edit
from shadow.model import Edit, Ending, Expect, Level, Request, Wire
from shadow.wire.http1 import is_chunked

_CHUNKED = b"Transfer-Encoding: chunked"
_EXTENSIONS = (b";a", b";a=b", b';a="b"', b";a=1;b=2", b';a="\\""', b";" + b"a" * 200)
_TRAILERS = (b"X-Shadow-Trailer: 1\r\n", b"Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n")
_BAD_SIZES = (b"0_1", b"+1", b"-1", b"0x1", b"1zz", b"", b" ", b"g", b"1.0", b"\xef\xbc\x91", b"1,1")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def rechunk_body(request: Request, rng: Random) -> Edit | None:
    """How a chunked body is cut into chunks carries no meaning (RFC 9112 §7.1)."""
    if not (request.body and _may_chunk(request) and is_chunked(request.headers)):
        return None
    sizes = _sizes(request.body, rng)
    text = framed(request, [_CHUNKED], chunked(request.body, sizes, trailers=_trailer_lines(request)))
    return raw_edit(request, text, f"cut the body into chunks of {_shown(sizes)} bytes")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def extend_chunks(request: Request, rng: Random) -> Edit | None:
    """A recipient must ignore chunk extensions that it does not recognise (RFC 9112 §7.1.1)."""
    if not (request.body and _may_chunk(request) and is_chunked(request.headers)):
        return None
    extension = rng.choice(_EXTENSIONS)
    body = chunked(request.body, _sizes(request.body, rng), extension, _trailer_lines(request))
    text = framed(request, [_CHUNKED], body)
    return raw_edit(request, text, f"gave every chunk the extension {extension[:20]!r}")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def length_for_chunks(request: Request, _rng: Random) -> Edit | None:
    """Content-Length frames the same body as chunks did (RFC 9112 §6.3), where no trailers are lost."""
    if request.trailers or not (_may_chunk(request) and is_chunked(request.headers)):
        return None
    length = b"Content-Length: %d" % len(request.body)
    return raw_edit(request, framed(request, [length], request.body), "framed the body by its length")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def chunks_for_length(request: Request, rng: Random) -> Edit | None:
    """A recipient must be able to decode chunks (RFC 9112 §7.1), yet may ask for a length (411, §6.3)."""
    if not (request.body and _may_chunk(request)) or is_chunked(request.headers):
        return None
    sizes = _sizes(request.body, rng)
    text = framed(request, [_CHUNKED], chunked(request.body, sizes))
    return raw_edit(request, text, f"sent the body in chunks of {_shown(sizes)} bytes")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def trail_chunks(request: Request, rng: Random) -> Edit | None:
    """Trailers may be kept apart or discarded, never a crash (RFC 9110 §6.5.1, RFC 9112 §7.1.2)."""
    if not (request.body and _may_chunk(request)):
        return None
    trailer = rng.choice(
        (*_TRAILERS, b"Host: shadow.invalid\r\n", b"Content-Length: 1\r\n", b"X: 1\r\n" * 1_000)
    )
    text = framed(request, [_CHUNKED], chunked(request.body, _sizes(request.body, rng), trailers=trailer))
    return raw_edit(request, text, f"put the trailers {trailer[:30]!r} after the chunks")


@mutator(level=Level.FRAMING, expect=Expect.REJECT)
def bad_chunk_size(request: Request, rng: Random) -> Edit | None:
    """A chunk-size is hexadecimal digits alone (RFC 9112 §7.1): a server that reads anything else as
    size lets two hops disagree on where the request ends (§11.2), and must answer 400 to what breaks the
    grammar (§2.2).
    """
    if not (request.body and _may_chunk(request)):
        return None
    size = rng.choice(_BAD_SIZES)
    body = size + b"\r\n" + request.body[:1] + b"\r\n0\r\n\r\n"
    return raw_edit(request, framed(request, [_CHUNKED], body), f"made the first chunk-size {size!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_chunk_syntax(request: Request, rng: Random) -> Edit | None:
    """Leading zeros, white space, bare LF and surplus after chunks are read in several ways (RFC 9112
    §2.2, §7.1).
    """
    if not (request.body and _may_chunk(request)):
        return None
    body = request.body
    size = b"%x" % len(body)
    variant, text = rng.choice(
        (
            ("leading zeros in", b"0" * rng.choice((1, 15, 400)) + size + b"\r\n" + body + b"\r\n0\r\n\r\n"),
            ("white space after", size + b" \t\r\n" + body + b"\r\n0\r\n\r\n"),
            ("white space before", b" " + size + b"\r\n" + body + b"\r\n0\r\n\r\n"),
            ("bare LF after", size + b"\n" + body + b"\n0\n\n"),
            ("a bare CR in", size + b"\r\rX" + body + b"\r\n0\r\n\r\n"),
            ("no line end after the data of", size + b"\r\n" + body + b"0\r\n\r\n"),
            ("white space round the extension of", size + b" ; a = 1\r\n" + body + b"\r\n0\r\n\r\n"),
            ("surplus data beyond", size + b"\r\n" + body + b"XX\r\n0\r\n\r\n"),
            ("a LF extension on", size + b";a\nb\r\n" + body + b"\r\n0\r\n\r\n"),
            ("a size beyond 64 bits on", b"1" + b"0" * 16 + size + b"\r\n" + body + b"\r\n0\r\n\r\n"),
            ("surplus after the last of", size + b"\r\n" + body + b"\r\n0\r\n\r\nX"),
        )
    )
    return raw_edit(request, framed(request, [_CHUNKED], text), f"put {variant} the chunks")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def cut_chunks(request: Request, rng: Random) -> Edit | None:
    """Chunks without their end are an incomplete message (RFC 9112 §8): a time-out or 400, and nothing
    done.
    """
    if not (request.body and _may_chunk(request)):
        return None
    whole = chunked(request.body, _sizes(request.body, rng))
    kept = whole[: rng.choice((len(whole) - 5, len(whole) - 2, len(whole) // 2))]
    edit = raw_edit(
        request, framed(request, [_CHUNKED], kept), f"sent {len(kept)} of {len(whole)} chunked bytes"
    )
    return _half_closed(edit)


def _half_closed(edit: Edit) -> Edit:
    """The edit, with our side closed after the last byte, so that the server knows that no more will come."""
    assert edit.wire is not None
    wire = Wire(edit.wire.segments, ending=Ending.HALF_CLOSE)
    return Edit(edit.request, edit.what, wire, signs_again=False)


def _may_chunk(request: Request) -> bool:
    """Only HTTP/1.1 has chunks (RFC 9112 §6.1); other codings beside them are left alone."""
    others = [value for name, value in request.headers if name.lower() == b"transfer-encoding"]
    return is_http11(request) and all(value.strip().lower() == b"chunked" for value in others)


def _sizes(body: bytes, rng: Random) -> tuple[int, ...]:
    largest = max(1, len(body))
    return rng.choice(
        ((1,), (largest,), (1, 2, 3), (16,), (rng.randint(1, largest), rng.randint(1, largest)))
    )


def _shown(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes))


def _trailer_lines(request: Request) -> bytes:
    return b"".join(b"%b: %b\r\n" % line for line in request.trailers)
