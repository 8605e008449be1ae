"""Content-Length in every wrong and unusual form (RFC 9112 §6.3)."""

from random import Random

from mutators._contract import mutator
from mutators._message import framed, is_http11, odd_edit, raw_edit
from shadow.model import Edit, Ending, Expect, Level, Request, Wire, field
from shadow.wire.http1 import is_chunked

_ODD_BYTES = bytes((*range(0x01, 0x20), *range(0x7F, 0x100)))
"""What no field value may hold, or what only some parsers take for white space."""
_NAMES = (
    *(b"Content_Length", b"Content Length", b"Content-Length ", b" Content-Length", b"Content-Length\x00"),
    *(b"content.length", b"Content-\rLength", b"X: x\nContent-Length", b"CONTENT_LENGTH"),
)
_EXPECTATIONS = (
    *(b"Expect: y 100-continue", b"Expect:\r\n 100-continue", b"Expect: 100-continue, 100-continue"),
    *(b"Expect: 100-Continue", b"Expect : 100-continue", b"Expect: 100-continue;a=b", b"Expect:"),
)


@mutator(level=Level.FRAMING, expect=Expect.REJECT)
def bad_content_length(request: Request, rng: Random) -> Edit | None:
    """A Content-Length that is no digits is an unrecoverable error: the server must answer 400 (RFC
    9112 §6.3).
    """
    if not _is_plain(request):
        return None
    size = b"%d" % len(request.body)
    bad = rng.choice(
        (
            b"+" + size,
            b"-" + size,
            b"0x" + size,
            b"0_" + size,
            size + b"Z",
            size + b".0",
            size + b"e0",
            b"one",
            size + b" " + size,
        )
    )
    text = framed(request, [b"Content-Length: " + bad], request.body)
    return odd_edit(request, text, f"made Content-Length {bad!r}")


@mutator(level=Level.FRAMING, expect=Expect.REJECT)
def conflicting_content_lengths(request: Request, rng: Random) -> Edit | None:
    """Content-Length values that differ are an unrecoverable error: the server must answer 400 (RFC
    9112 §6.3).
    """
    if not _is_plain(request):
        return None
    size = len(request.body)
    other = rng.choice((size + 1, 0 if size else 2, size + 10))
    lines = [b"Content-Length: %d" % size, b"Content-Length: %d" % other]
    if rng.random() < 0.5:
        lines.reverse()
    if rng.random() < 0.3:
        lines = [b"Content-Length: %d, %d" % (size, other)]
    return odd_edit(request, framed(request, lines, request.body), f"stated the lengths {size} and {other}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def repeated_content_length(request: Request, rng: Random) -> Edit | None:
    """The same length twice is rejected, or read as one: the server may choose (RFC 9110 §8.6)."""
    if not _is_plain(request):
        return None
    size = len(request.body)
    line = b"Content-Length: %d" % size
    lines = rng.choice(([line, line], [b"Content-Length: %d, %d" % (size, size)], [line, line.lower()]))
    return odd_edit(request, framed(request, lines, request.body), f"stated the length {size} twice")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def empty_content_length(request: Request, rng: Random) -> Edit | None:
    """Content-Length has one digit at least (RFC 9110 §8.6): none must be answered 400 (RFC 9112 §6.3); as
    many servers take it for absent, only a change of mind between releases counts.
    """
    if not _is_plain(request):
        return None
    value = rng.choice((b"", b" ", b"\t", b","))
    text = framed(request, [b"Content-Length:" + value], request.body)
    return odd_edit(request, text, f"made Content-Length {value!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def listed_content_length(request: Request, rng: Random) -> Edit | None:
    """A list with an empty member is read over or refused (RFC 9110 §5.6.1.2, §8.6)."""
    if not _is_plain(request):
        return None
    size = b"%d" % len(request.body)
    value = rng.choice((size + b",", b"," + size, size + b",," + size, size + b";", size + b", "))
    text = framed(request, [b"Content-Length: " + value], request.body)
    return odd_edit(request, text, f"made Content-Length {value!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def huge_content_length(request: Request, rng: Random) -> Edit | None:
    """A length beyond 31, 63 or 64 bits must not wrap round (RFC 9110 §8.6): refused, or waited for in
    vain.
    """
    if not _is_plain(request):
        return None
    size = len(request.body)
    length = rng.choice((2**31 + size, 2**32 + size, 2**63 - 1, 2**63 + size, 2**64 + size, 10**400))
    text = framed(request, [b"Content-Length: %d" % length], request.body)
    return odd_edit(request, text, f"made Content-Length {length if length < 2**65 else '10**400'}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def spaced_length(request: Request, rng: Random) -> Edit | None:
    """One odd byte before, within, after or behind Content-Length: taken for white space, left out or
    refused (RFC 9112 §5.1, §6.3), which hops must not do differently (§11.2).
    """
    if not _is_plain(request):
        return None
    byte = bytes((rng.choice(_ODD_BYTES),))
    size = b"%d" % len(request.body)
    line = rng.choice(
        (
            byte + b"Content-Length: " + size,
            b"Content-Length" + byte + b": " + size,
            b"Content-Length:" + byte + size,
            b"Content-Length: " + size + byte,
            b"X: x" + byte + b"Content-Length: " + size,
        )
    )
    return odd_edit(request, framed(request, [line], request.body), f"wrote {line!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def disguised_length_name(request: Request, rng: Random) -> Edit | None:
    """Names beside Content-Length, with a length that Content-Length contradicts: read as it, ignored or
    refused (RFC 9112 §5.1, §11.2).
    """
    if not (_is_plain(request) and request.body):
        return None
    name = rng.choice(_NAMES)
    lines = [b"Content-Length: %d" % len(request.body), name + b": 1"]
    if rng.random() < 0.5:
        lines.reverse()
    return odd_edit(request, framed(request, lines, request.body), f"wrote {name!r}: 1 beside the length")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def expect_oddly(request: Request, rng: Random) -> Edit | None:
    """An expectation other than 100-continue may be answered 417 (RFC 9110 §10.1.1); the body comes anyway,
    and must not be taken for the next request.
    """
    if not (_is_plain(request) and request.body):
        return None
    line = rng.choice(_EXPECTATIONS)
    lines = [line, b"Content-Length: %d" % len(request.body)]
    return odd_edit(request, framed(request, lines, request.body), f"wrote {line!r}")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def padded_content_length(request: Request, rng: Random) -> Edit | None:
    """Content-Length is any number of decimal digits (RFC 9110 §8.6): leading zeros do not change the
    number.
    """
    if not (_is_plain(request) and request.body):
        return None
    padded = b"Content-Length: " + b"0" * rng.randint(1, 4) + b"%d" % len(request.body)
    return raw_edit(request, framed(request, [padded], request.body), "put zeros before Content-Length")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def state_empty_length(request: Request, _rng: Random) -> Edit | None:
    """A request without a body may say so: Content-Length 0 is no body either (RFC 9112 §6.3)."""
    if request.body or not _is_plain(request) or field(request.headers, b"content-length") is not None:
        return None
    return raw_edit(request, framed(request, [b"Content-Length: 0"], b""), "stated the length 0")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def content_on_any_method(request: Request, rng: Random) -> Edit | None:
    """Content where the method gives it no meaning may be refused, and must be read (RFC 9110 §9.3.1)."""
    if request.body or not _is_plain(request):
        return None
    body = rng.choice((b"x", b"{}", b"\x00" * 64))
    text = framed(request, [b"Content-Length: %d" % len(body)], body)
    return odd_edit(request, text, f"gave a bodiless request the body {body[:20]!r}")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def overstate_content_length(request: Request, rng: Random) -> Edit | None:
    """Fewer bytes than stated, then the end of our side: an incomplete message, not to be acted on (RFC
    9112 §8).
    """
    if not _is_plain(request):
        return None
    stated = len(request.body) + rng.choice((1, 10, 1_000_000))
    wire = Wire((framed(request, [b"Content-Length: %d" % stated], request.body),), ending=Ending.HALF_CLOSE)
    return Edit(request, f"stated {stated} bytes, sent {len(request.body)}", wire, signs_again=False)


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def understate_content_length(request: Request, rng: Random) -> Edit | None:
    """Bytes beyond the stated length are the next request (RFC 9112 §9.3): the body is cut, the rest
    refused.
    """
    if not (_is_plain(request) and request.body):
        return None
    stated = rng.choice((0, len(request.body) - 1, len(request.body) // 2))
    text = framed(request, [b"Content-Length: %d" % stated], request.body)
    return odd_edit(request, text, f"stated {stated} bytes, sent {len(request.body)}")


def _is_plain(request: Request) -> bool:
    """Whether the length decides: no chunks, and a version whose rules are those of RFC 9112."""
    has_coding = field(request.headers, b"transfer-encoding") is not None
    return is_http11(request) and not has_coding and not is_chunked(request.headers)
