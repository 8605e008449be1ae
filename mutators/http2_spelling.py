"""The same fields, written otherwise (RFC 9113 §8.2, RFC 7541)."""

from collections.abc import Callable
from random import Random

from mutators import _http2 as h2
from mutators._contract import HTTP2, mutator
from mutators._message import is_signed
from shadow.model import Edit, Expect, Known, Level, Request, without_field
from shadow.wire import http2_writing as w
from shadow.wire.http2_shape import END_HEADERS, END_STREAM, HEADERS
from shadow.wire.http2_spelling import INDEXED_LITERAL, NEVER_INDEXED, PLAIN_LITERAL, line

_FIRST_DYNAMIC = 62


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def huffman_fields(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A string means the same in the Huffman code (RFC 7541 §5.2)."""
    return _spelled(
        request,
        known,
        "wrote the fields in the Huffman code",
        lambda name, value: line(name, value, is_coded=True),
    )


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def index_fields(request: Request, rng: Random, known: Known) -> Edit | None:
    """A field may be a number of a table, or be put into one (RFC 7541 §6.1, §6.2.1)."""
    is_coded = rng.random() < 0.5

    def spell(name: bytes, value: bytes) -> bytes:
        return line(name, value, INDEXED_LITERAL, is_coded=is_coded, by_index=True)

    return _spelled(request, known, "put the fields into the table", spell)


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def never_index_fields(request: Request, rng: Random, known: Known) -> Edit | None:
    """A field that no table may take means the same (RFC 7541 §6.2.3)."""
    by_index = rng.random() < 0.5
    return _spelled(
        request,
        known,
        "wrote the fields so that no table takes them",
        lambda name, value: line(name, value, NEVER_INDEXED, by_index=by_index),
    )


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def mix_field_forms(request: Request, rng: Random, known: Known) -> Edit | None:
    """Each field may be written in a form of its own (RFC 7541 §6)."""

    def spell(name: bytes, value: bytes) -> bytes:
        form = rng.choice((PLAIN_LITERAL, INDEXED_LITERAL, NEVER_INDEXED))
        return line(name, value, form, is_coded=rng.random() < 0.5, by_index=rng.random() < 0.5)

    return _spelled(request, known, "wrote each field in another form", spell)


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def resize_field_table(request: Request, rng: Random, known: Known) -> Edit | None:
    """A block may begin with the size of the table, up to the 4096 bytes that all allow (RFC 7541 §4.2,
    §6.3).
    """
    sizes = rng.choice(((0,), (0, 4_096), (1_024,), (100, 4_096)))
    updates = b"".join(map(w.table_size_update, sizes))

    def spell(name: bytes, value: bytes) -> bytes:
        return line(name, value, INDEXED_LITERAL, by_index=True)

    return _spelled(request, known, f"resized the table to {sizes}", spell, updates)


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def fields_from_table(request: Request, _rng: Random, known: Known) -> Edit | None:
    """What an earlier request put into the table need only be named by its number (RFC 7541 §2.3.2). The
    earlier one is safe, and is cancelled.
    """
    one = h2.said(request, known)
    if one is None or not one.is_safe or one.trailers:
        return None
    block = b"".join(line(name, value, INDEXED_LITERAL) for name, value in one.fields)
    count = len(one.fields)
    if sum(len(name) + len(value) + 32 for name, value in one.fields) > 4_000:
        return None
    again = b"".join(w.indexed(_FIRST_DYNAMIC + count - 1 - at) for at in range(count))
    ends = END_STREAM if one.ends_at_once else 0
    first = w.frame(HEADERS, END_HEADERS | ends, 1, block) + w.rst_stream(1)
    second = w.frame(HEADERS, END_HEADERS | ends, 3, again)
    return h2.edit(one, "named fields of an earlier request", first, second, h2.rest(one, 3), stream=3)


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def reorder_http2_fields(request: Request, rng: Random, known: Known) -> Edit | None:
    """The order of fields of different names has no meaning (RFC 9110 §5.3); pseudo-fields stay first, in
    any order among themselves (RFC 9113 §8.3).
    """
    one = h2.said(request, known)
    if one is None or is_signed(request, known):
        return None
    count = h2.pseudo_count(one.fields)
    pseudo = rng.sample(one.fields[:count], count)
    names = list(dict.fromkeys(name for name, _ in one.fields[count:]))
    order = rng.sample(names, len(names))
    regular = [each for name in order for each in one.fields[count:] if each[0] == name]
    fields = (*pseudo, *regular)
    if fields == one.fields:
        return None
    return h2.edit(one, "reordered the fields", h2.message(one, 1, fields))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def join_cookie_crumbs(request: Request, rng: Random, known: Known) -> Edit | None:
    """A Cookie field may be said whole or in crumbs, which are joined again (RFC 9113 §8.2.3)."""
    one = h2.said(request, known)
    if one is None or one.is_call:
        return None
    crumbs = [value for name, value in one.fields if name == b"cookie"]
    if len(crumbs) < 2:
        return None
    cut = rng.randint(0, len(crumbs) - 2)
    joined = [b"; ".join(crumbs[: cut + 2]), *crumbs[cut + 2 :]]
    others = without_field(one.fields, b"cookie")
    fields = (*others, *((b"cookie", value) for value in joined))
    return h2.edit(one, f"said the cookies in {len(joined)} fields", h2.message(one, 1, fields))


@mutator(level=Level.FRAMING, expect=Expect.SAME, over=HTTP2)
def state_content_length(request: Request, rng: Random, known: Known) -> Edit | None:
    """The length may be stated where it is right; DATA frames tell it anyway (RFC 9113 §8.1.1)."""
    one = h2.said(request, known)
    if one is None or not one.body or one.is_call:
        return None
    if any(name == b"content-length" for name, _ in one.fields):
        return None
    fields = h2.put(one.fields, rng, (b"content-length", b"%d" % len(one.body)))
    return h2.edit(one, "stated the length", h2.message(one, 1, fields))


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def omit_content_length(request: Request, _rng: Random, known: Known) -> Edit | None:
    """The end of the stream ends the body (RFC 9113 §8.1.1): the same answer, or 411 from who insists."""
    one = h2.said(request, known)
    if one is None or not one.body:
        return None
    fields = without_field(one.fields, b"content-length")
    if fields == one.fields:
        return None
    return h2.edit(one, "left out the length", h2.message(one, 1, fields))


@mutator(level=Level.FRAMING, expect=Expect.AGREE, over=HTTP2)
def host_besides_authority(request: Request, rng: Random, known: Known) -> Edit | None:
    """Host may stand besides :authority, or for it, where it says the same (RFC 9113 §8.3.1); not all
    servers take it.
    """
    one = h2.said(request, known)
    if one is None:
        return None
    host = (b"host", h2.host_of(one))
    if rng.random() < 0.5:
        return h2.edit(one, "said Host as well", h2.message(one, 1, h2.put(one.fields, rng, host)))
    fields = h2.put(h2.with_pseudo(one.fields, b":authority", None), rng, host)
    return h2.edit(one, "said Host for :authority", h2.message(one, 1, fields))


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE, over=HTTP2)
def add_trailer_fields(request: Request, rng: Random, known: Known) -> Edit | None:
    """Trailers may be read, passed on or left out (RFC 9110 §6.5.1), and are refused by some: no crash."""
    one = h2.said(request, known)
    if one is None or one.trailers:
        return None
    names = rng.choice(((b"x-shadow-extra",), (b"x-shadow-extra", b"x-shadow-extra"), (b"expires",)))
    trailers = w.headers(1, tuple((name, b"1") for name in names))
    begun = w.headers(1, one.fields, ends_stream=False)
    return h2.edit(one, "added trailers", begun, h2.data(one.body, ends_stream=False), trailers)


def _spelled(
    request: Request, known: Known, what: str, spell: Callable[[bytes, bytes], bytes], before: bytes = b""
) -> Edit | None:
    one = h2.said(request, known)
    if one is None:
        return None
    block = before + b"".join(spell(name, value) for name, value in one.fields)
    if len(block) > 16_384:
        return None
    flags = END_HEADERS | (END_STREAM if one.ends_at_once else 0)
    return h2.edit(one, what, w.frame(HEADERS, flags, 1, block), h2.rest(one))
