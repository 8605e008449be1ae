"""Form bodies (application/x-www-form-urlencoded): spelled otherwise, dropped, doubled, with odd values."""

from collections.abc import Callable
from functools import lru_cache
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._pairs import recorded, shuffled, spelled_otherwise, with_text
from shadow.content.entity import replace_body
from shadow.content.form import form_of, with_form
from shadow.content.query import Pair, join_pairs
from shadow.model import Edit, Expect, Known, Level, Request

_EXTRA = (
    *(Pair(b"shadow_unknown", b"1"), Pair(b"", b"1"), Pair(b"admin", b"true"), Pair(b"role", b"admin")),
    *(Pair(b"_method", b"PUT"), Pair(b"__proto__[shadow]", b"1"), Pair(b"id", b"1"), Pair(b"owner", b"1")),
)
_BROKEN = (b"%", b"%zz", b"%ff", b"%00", b"%ed%a0%80", b"\xff", b"&&&", b"=", b"%u0041", b"\x00")


@mutator(level=Level.BODY, expect=Expect.SAME)
def swap_plus_in_form(request: Request, _rng: Random) -> Edit | None:
    """In a form ``+`` and ``%20`` are both a space (WHATWG URL §5.1)."""
    pairs = form_of(request)
    if not pairs:
        return None
    text = join_pairs(pairs)
    swapped = text.replace(b"+", b"%20") if b"+" in text else text.replace(b"%20", b"+")
    return None if swapped == text else Edit(replace_body(request, swapped), "swapped + and %20 in the form")


@mutator(level=Level.BODY, expect=Expect.SAME)
def encode_unreserved_in_form(request: Request, rng: Random) -> Edit | None:
    """Any byte of a form may be percent-encoded, and stays the same byte (WHATWG URL §5.1)."""
    other = spelled_otherwise(form_of(request) or [], rng)
    return None if other is None else _edit(request, other, "percent-encoded a character of the form")


@mutator(level=Level.BODY, expect=Expect.SAME)
def reorder_form(request: Request, rng: Random) -> Edit | None:
    """Fields of different names are found by name; those of one name keep their order (WHATWG URL §5.1)."""
    other = shuffled(form_of(request) or [], rng)
    return None if other is None else _edit(request, other, "reordered the form")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_form_field(request: Request, rng: Random) -> Edit | None:
    """A missing field may be required or not: any clean answer will do."""
    pairs = form_of(request)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    return _edit(request, pairs[:at] + pairs[at + 1 :], f"dropped the field {pairs[at].name!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def duplicate_form_field(request: Request, rng: Random) -> Edit | None:
    """Which of two fields of one name counts is not said anywhere (CWE-235): releases must agree on it."""
    pairs = form_of(request)
    if not pairs:
        return None
    name = rng.choice(pairs).name
    other = Pair(name, rng.choice((b"", b"shadow", b"0")))
    doubled = [other, *pairs] if rng.random() < 0.5 else [*pairs, other]
    return _edit(request, doubled, f"sent the field {name!r} twice")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def add_form_field(request: Request, rng: Random) -> Edit | None:
    """A field the client must not set, or that is not known: denied or ignored (CWE-915, WFC F203)."""
    pairs = form_of(request)
    if not pairs:
        return None
    extra = rng.choice(_EXTRA)
    return _edit(request, [*pairs, extra], f"added the field {extra.name!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def many_form_fields(request: Request, rng: Random) -> Edit | None:
    """Thousands of fields may be refused, at a cost that does not grow out of hand (CWE-407)."""
    pairs = form_of(request)
    count = rng.choice((1_001, 5_000))
    if not pairs:
        return None
    return Edit(replace_body(request, join_pairs(pairs) + _fields(count)), f"added {count} fields")


@lru_cache(maxsize=2)
def _fields(count: int) -> bytes:
    return b"".join(b"&s%d=" % n for n in range(count))


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def retype_form_field(request: Request, rng: Random) -> Edit | None:
    """A list or an object where a scalar stood, in the styles that frameworks know: any clean answer."""
    pairs = form_of(request)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    suffix = rng.choice((b"[]", b"[0]", b"[shadow]", b"[$ne]", b".shadow", b"[][][]"))
    other = Pair(pairs[at].name + suffix, pairs[at].value)
    return _edit(request, [*pairs[:at], other, *pairs[at + 1 :]], f"renamed a field to {other.name!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def hostile_form_field(request: Request, rng: Random) -> Edit | None:
    """Control characters, odd Unicode, templates and words are text, properly encoded: taken or refused."""
    return _with_text(
        request, rng, lambda text: strings.inserted(text, strings.hostile(rng), rng), "put odd text into"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def near_miss_form_field(request: Request, rng: Random) -> Edit | None:
    """Almost a date, number or address, or beside an enumeration's word: refused or read, never a crash."""
    return _with_text(
        request,
        rng,
        lambda text: strings.near_miss(text, rng) or strings.neighbour(text, rng),
        "put a near miss into",
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def lengthen_form_field(request: Request, rng: Random) -> Edit | None:
    """A very long or slowly matched value may be denied, but must not stall the service (CWE-400,
    CWE-1333).
    """
    size = rng.choice(strings.LONG_SIZES)
    is_slow = rng.random() < 0.5
    return _with_text(
        request,
        rng,
        lambda text: strings.long_run(text, rng) if is_slow else strings.stretched(text or "a", size),
        "lengthened",
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def break_form(request: Request, rng: Random) -> Edit | None:
    """Broken percent-encodings and bytes that are no UTF-8 are taken literally or refused (WHATWG URL
    §1.3).
    """
    pairs = form_of(request)
    if not pairs:
        return None
    piece = rng.choice(_BROKEN)
    text = join_pairs(pairs)
    at = rng.randint(0, len(text))
    return Edit(replace_body(request, text[:at] + piece + text[at:]), f"put {piece!r} into the form")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def recorded_in_form(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value that traffic showed for the same field is one that the service knows; any clean answer."""
    found = recorded(form_of(request) or [], known, "body", rng)
    return None if found is None else _edit(request, found[0], f"put a recorded value into {found[1]!r}")


def _with_text(request: Request, rng: Random, change: Callable[[str], str], what: str) -> Edit | None:
    pairs = form_of(request)
    if not pairs:
        return None
    at = rng.randrange(len(pairs))
    pair = Pair(pairs[at].name, with_text(pairs[at].value, change))
    return _edit(request, [*pairs[:at], pair, *pairs[at + 1 :]], f"{what} the field {pair.name!r}")


def _edit(request: Request, pairs: list[Pair], what: str) -> Edit | None:
    edited = with_form(request, pairs)
    return None if edited == request else Edit(edited, what)
