"""Field blocks that cannot be decoded: each ends the connection (RFC 9113 §4.3, RFC 7541)."""

from random import Random

from mutators import _http2 as h2
from mutators._contract import HTTP2, mutator
from shadow.model import Edit, Expect, Known, Level, Request
from shadow.wire import http2_writing as w
from shadow.wire.grpc import is_grpc
from shadow.wire.http2_shape import END_HEADERS, END_STREAM, HEADERS

_NAMED = b"\x00\x08x-shadow"
"""A literal field as far as its value."""
_HUFFMAN = (
    ("padded by zeros", b"\x81\x18"),
    ("with the end of string in it", b"\x84\xff\xff\xff\xff"),
)
_CUT = (
    ("a name that is cut", b"\x00\x0ax-shadow"),
    ("a value that is cut", _NAMED + b"\x05ab"),
    ("no value", _NAMED),
    ("an integer that is cut", b"\xff\x80"),
)
_ENDLESS = (b"\xff" + b"\xff" * 12 + b"\x01", _NAMED + b"\x7f" + b"\xff" * 12 + b"\x01")


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def wrong_field_index(request: Request, rng: Random, known: Known) -> Edit | None:
    """Index 0, and an index beyond both tables, are errors of decoding (RFC 7541 §2.3.3, §6.1)."""
    index = rng.choice((0, 62, 70, 200, 1 << 20))
    return _spoilt(request, known, w.indexed(index), f"referred to the index {index}")


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def wrong_name_index(request: Request, rng: Random, known: Known) -> Edit | None:
    """A name at an index beyond both tables is an error of decoding (RFC 7541 §2.3.3, §6.2)."""
    bits, form = rng.choice(((6, 0x40), (4, 0x00), (4, 0x10)))
    index = rng.choice((62, 100, 1 << 20))
    return _spoilt(
        request, known, w.integer(index, bits, form) + b"\x011", f"took a name of the index {index}"
    )


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def too_large_field_table(request: Request, rng: Random, known: Known) -> Edit | None:
    """A table larger than the receiver allows is an error of decoding (RFC 7541 §6.3); none allows this."""
    size = rng.choice(((1 << 31) - 1, 1 << 30))
    return _spoilt(request, known, w.table_size_update(size), f"resized the table to {size}", at_start=True)


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def late_table_size(request: Request, rng: Random, known: Known) -> Edit | None:
    """A size of the table stands before the first field, else it is an error (RFC 7541 §4.2); some decoders
    take it anywhere.
    """
    return _spoilt(
        request, known, w.table_size_update(rng.choice((0, 100))), "resized the table after a field"
    )


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def wrong_huffman(request: Request, rng: Random, known: Known) -> Edit | None:
    """Padding other than the highest bits of EOS, and EOS itself, are errors of decoding (RFC 7541 §5.2)."""
    what, text = rng.choice(_HUFFMAN[:1] if is_grpc(request.headers) else _HUFFMAN)  # theirs take EOS
    return _spoilt(request, known, _NAMED + text, f"wrote a Huffman code {what}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def overlong_huffman_padding(request: Request, _rng: Random, known: Known) -> Edit | None:
    """Padding of more than 7 bits is an error of decoding (RFC 7541 §5.2), which some decoders do not see."""
    return _spoilt(request, known, _NAMED + b"\x82\x1f\xff", "padded a Huffman code by 11 bits")


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def cut_field_block(request: Request, rng: Random, known: Known) -> Edit | None:
    """A block that ends within a field cannot be decoded: an error of the connection (RFC 9113 §4.3)."""
    what, text = rng.choice(_CUT)
    return _spoilt(request, known, text, f"wrote {what}")


@mutator(level=Level.FRAMING, expect=Expect.REJECT, over=HTTP2)
def endless_integer(request: Request, rng: Random, known: Known) -> Edit | None:
    """An integer beyond what a decoder can hold is an error of decoding (RFC 7541 §5.1, §7.4)."""
    return _spoilt(request, known, rng.choice(_ENDLESS), "wrote an integer of 13 bytes")


def _spoilt(
    request: Request, known: Known, fault: bytes, what: str, *, at_start: bool = False
) -> Edit | None:
    """The request with `fault` at the end of its field block, or at its start."""
    one = h2.said(request, known)
    if one is None:
        return None
    block = w.field_block(one.fields)
    flags = END_HEADERS | (END_STREAM if one.ends_at_once else 0)
    spoilt = fault + block if at_start else block + fault
    return h2.edit(one, what, w.frame(HEADERS, flags, 1, spoilt), h2.rest(one))
