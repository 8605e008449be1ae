"""Bodies framed in other ways: by length, by chunks of any size, with extensions and trailers."""

from random import Random

from mutators._contract import mutator
from mutators._message import chunked, framed, raw_edit
from mutators.chunk_syntax import may_chunk
from shadow.model import Edit, Expect, Level, Request
from shadow.wire.http1 import is_chunked

_CHUNKED = b"Transfer-Encoding: chunked"
_EXTENSIONS = (b";a", b";a=b", b';a="b"', b";a=1;b=2", b';a="\\""', b";" + b"a" * 200)
_MAX_EXTENSION_BYTES = 4_096
"""Of all chunks together. Servers limit what is no content to 16 kB (Go's net/http, llhttp, hyper)."""
_MAX_TINY_BYTES = 32_768
"""Longer bodies are not cut into chunks of a byte, which make six bytes of one."""
_TRAILERS = (b"X-Shadow-Trailer: 1\r\n", b"Content-MD5: AAAAAAAAAAAAAAAAAAAAAA==\r\n")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def rechunk_body(request: Request, rng: Random) -> Edit | None:
    """How a chunked body is cut into chunks carries no meaning (RFC 9112 §7.1)."""
    if not (request.body and may_chunk(request) and is_chunked(request.headers)):
        return None
    sizes = _sizes(request.body, rng)
    text = framed(request, [_CHUNKED], chunked(request.body, sizes, trailers=_trailer_lines(request)))
    return raw_edit(request, text, f"cut the body into chunks of {_shown(sizes)} bytes")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def extend_chunks(request: Request, rng: Random) -> Edit | None:
    """A recipient must ignore chunk extensions that it does not recognise (RFC 9112 §7.1.1)."""
    if not (request.body and may_chunk(request) and is_chunked(request.headers)):
        return None
    extension = rng.choice(_EXTENSIONS)
    least = len(request.body) * len(extension) // _MAX_EXTENSION_BYTES + 1
    sizes = tuple(max(least, size) for size in _sizes(request.body, rng))
    body = chunked(request.body, sizes, extension, _trailer_lines(request))
    text = framed(request, [_CHUNKED], body)
    return raw_edit(request, text, f"gave every chunk the extension {extension[:20]!r}")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def length_for_chunks(request: Request, _rng: Random) -> Edit | None:
    """Content-Length frames the same body as chunks did (RFC 9112 §6.3), where no trailers are lost."""
    if request.trailers or not (may_chunk(request) and is_chunked(request.headers)):
        return None
    length = b"Content-Length: %d" % len(request.body)
    return raw_edit(request, framed(request, [length], request.body), "framed the body by its length")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def chunks_for_length(request: Request, rng: Random) -> Edit | None:
    """A recipient must be able to decode chunks (RFC 9112 §7.1), yet may ask for a length (411, §6.3)."""
    if not (request.body and may_chunk(request)) or is_chunked(request.headers):
        return None
    sizes = _sizes(request.body, rng)
    text = framed(request, [_CHUNKED], chunked(request.body, sizes))
    return raw_edit(request, text, f"sent the body in chunks of {_shown(sizes)} bytes")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def trail_chunks(request: Request, rng: Random) -> Edit | None:
    """Trailers may be kept apart or discarded, never a crash (RFC 9110 §6.5.1, RFC 9112 §7.1.2)."""
    if not (request.body and may_chunk(request)):
        return None
    trailer = rng.choice((*_TRAILERS, b"X: 1\r\n" * 1_000))
    text = framed(request, [_CHUNKED], chunked(request.body, _sizes(request.body, rng), trailers=trailer))
    return raw_edit(request, text, f"put the trailers {trailer[:30]!r} after the chunks")


def _sizes(body: bytes, rng: Random) -> tuple[int, ...]:
    largest = max(1, len(body))
    least = 1 if len(body) <= _MAX_TINY_BYTES else 64
    sizes = rng.choice(
        ((1,), (largest,), (1, 2, 3), (16,), (rng.randint(1, largest), rng.randint(1, largest)))
    )
    return tuple(max(least, size) for size in sizes)


def _shown(sizes: tuple[int, ...]) -> str:
    return ", ".join(map(str, sizes))


def _trailer_lines(request: Request) -> bytes:
    return b"".join(b"%b: %b\r\n" % line for line in request.trailers)
