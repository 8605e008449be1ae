"""Header fields: spelled otherwise, dropped, emptied, doubled, filled with odd text."""

from collections.abc import Callable
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._message import appended, editable, with_headers
from shadow.model import Edit, Expect, Known, Level, Request

_BLANKS = ("\u00a0", "\u2003", "\u2028", "\u3000", "\u1680", "\u200b", "\ufeff", "\u3164", "\x85", "  ")
_LISTS = frozenset({b"accept", b"accept-charset", b"accept-language", b"cache-control"})
"""Fields defined as lists (RFC 9110 §5.6.1) whose members may stand on lines of their own."""


@mutator(level=Level.HEADER, expect=Expect.SAME)
def flip_name_case(request: Request, rng: Random, known: Known) -> Edit | None:
    """Field names are case-insensitive (RFC 9110 §5.1), so the answer must not change."""
    found = [
        at
        for at in editable(request, known)
        if request.headers[at][0].upper() != request.headers[at][0].lower()
    ]
    if not found:
        return None
    at = rng.choice(found)
    name, value = request.headers[at]
    other = rng.choice(
        [case for case in (name.lower(), name.upper(), name.title(), name.swapcase()) if case != name]
    )
    return Edit(_with_line(request, at, (other, value)), f"wrote {_shown(name)} as {_shown(other)}")


@mutator(level=Level.HEADER, expect=Expect.SAME)
def reorder_fields(request: Request, rng: Random) -> Edit | None:
    """The order of fields with different names is not significant (RFC 9110 §5.3)."""
    names = list(dict.fromkeys(name.lower() for name, _ in request.headers))
    if len(names) < 2:
        return None
    shuffled = rng.sample(names, len(names))
    if shuffled == names:
        shuffled.reverse()
    headers = tuple(line for name in shuffled for line in request.headers if line[0].lower() == name)
    return (
        None if headers == request.headers else Edit(with_headers(request, headers), "reordered the fields")
    )


@mutator(level=Level.HEADER, expect=Expect.SAME)
def add_unknown_field(request: Request, rng: Random) -> Edit | None:
    """Fields that a recipient does not know should be ignored (RFC 9110 §5.1)."""
    name = b"X-Shadow-Extra-%d" % rng.randrange(1_000)
    return Edit(appended(request, (name, b"1")), f"added {_shown(name)}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def split_list_field(request: Request, rng: Random) -> Edit | None:
    """A list on one line and its members on lines of their own are one value (RFC 9110 §5.3), yet what many
    frameworks hand out is the first line (Go's Header.Get, Starlette, aiohttp): releases must agree.
    """
    found = [
        at
        for at, (name, value) in enumerate(request.headers)
        if name.lower() in _LISTS and b"," in value and b'"' not in value
    ]
    if not found:
        return None
    at = rng.choice(found)
    name, value = request.headers[at]
    lines = tuple((name, member.strip()) for member in value.split(b","))
    headers = request.headers[:at] + lines + request.headers[at + 1 :]
    return Edit(with_headers(request, headers), f"split {_shown(name)} into {len(lines)} lines")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def drop_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A missing field may be required or not: any clean answer will do (RFC 9110 §5)."""
    found = editable(request, known)
    if not found:
        return None
    at = rng.choice(found)
    headers = request.headers[:at] + request.headers[at + 1 :]
    return Edit(with_headers(request, headers), f"dropped {_shown(request.headers[at][0])}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def empty_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """An empty field value is legal (RFC 9110 §5.5): taken for absent, or denied, never a crash."""
    found = [at for at in editable(request, known) if request.headers[at][1]]
    if not found:
        return None
    at = rng.choice(found)
    name, _ = request.headers[at]
    return Edit(_with_line(request, at, (name, b"")), f"emptied {_shown(name)}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def duplicate_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A field twice is one list, or malformed where it is no list (RFC 9110 §5.3): releases must agree
    on it.
    """
    found = editable(request, known)
    if not found:
        return None
    name, value = request.headers[rng.choice(found)]
    other = rng.choice((value, b"", value + b"x", b"shadow"))
    line = (name, other)
    headers = (line, *request.headers) if rng.random() < 0.5 else (*request.headers, line)
    return Edit(with_headers(request, headers), f"sent {_shown(name)} a second time as {other[:40]!r}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def lengthen_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value larger than the server wishes to process is refused with 4xx (RFC 9110 §5.4), cheaply."""
    size = rng.choice((256, 1_025, 4_097, 7_000))
    return _with_value(
        request, rng, known, lambda value: strings.stretched(value or b"a", size), f"made {size} bytes long:"
    )


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def unusual_text_in_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """Bytes over 127 in a value are opaque (RFC 9110 §5.5): kept, replaced or refused, never a crash."""
    text = strings.raw(
        rng.choice(strings.INVISIBLE + strings.BIDI + strings.EMOJI + strings.ODD + strings.LONE_SURROGATES)
    )
    piece = rng.choice((text, b"\xe9", b"\xff\xfe", b"\xc0\xaf"))
    return _with_value(request, rng, known, lambda value: value + piece, "put unusual text into")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def blank_in_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """White space of Unicode is none in a field (RFC 9110 §5.6.3), though many languages take it off: kept,
    taken off or refused, before, behind and in place of a value, never a crash.
    """
    blank = strings.raw(rng.choice(_BLANKS))
    place = rng.choice(("before", "behind", "around", "in place of"))
    spaced = {
        "before": lambda value: blank + value,
        "behind": lambda value: value + blank,
        "around": lambda value: blank + value + blank,
        "in place of": lambda _: blank,
    }
    return _with_value(request, rng, known, spaced[place], f"put {blank!r} {place}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def control_in_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """Control characters in a value are invalid, and may be kept where that is safe (RFC 9110 §5.5): in a
    field that the service reads they are refused or kept, never a crash.
    """
    byte = bytes((rng.choice((*range(1, 9), *range(0x0E, 0x20), 0x7F)),))

    def change(value: bytes) -> bytes:
        at = rng.randint(0, len(value))
        return value[:at] + byte + value[at:]

    return _with_value(request, rng, known, change, f"put {byte!r} into")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def hostile_word_in_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """Format strings, templates and odd words are opaque text in a field (RFC 9110 §5.5): never evaluated."""
    piece = rng.choice(strings.FORMATS + strings.WORDS).encode()
    return _with_value(request, rng, known, lambda _: piece, f"put {piece[:40]!r} into")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def near_miss_in_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """Almost a date, number, UUID or address in a field: refused or ignored, never a crash (RFC 9110
    §5.5).
    """
    found = [
        (at, near)
        for at in editable(request, known)
        if (near := strings.near_miss(request.headers[at][1].decode("latin-1"), rng)) is not None
    ]
    if not found:
        return None
    at, near = rng.choice(found)
    name = request.headers[at][0]
    line = (name, near.encode())
    return (
        None
        if line == request.headers[at]
        else Edit(_with_line(request, at, line), f"made {_shown(name)} {near!r}")
    )


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def recorded_in_field(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value that traffic showed in the same field is one that the service knows; any clean answer
    will do.
    """
    found = [
        (at, seen)
        for at in editable(request, known)
        if (seen := known.values.get("header:" + request.headers[at][0].decode("latin-1").lower()))
    ]
    if not found:
        return None
    at, seen = rng.choice(found)
    name, value = request.headers[at]
    other = rng.choice(seen).encode("utf-8", "surrogatepass").replace(b"\r", b"").replace(b"\n", b"")
    return (
        None
        if other == value
        else Edit(_with_line(request, at, (name, other)), f"put a recorded value into {_shown(name)}")
    )


def _with_line(request: Request, at: int, line: tuple[bytes, bytes]) -> Request:
    return with_headers(request, (*request.headers[:at], line, *request.headers[at + 1 :]))


def _with_value(
    request: Request, rng: Random, known: Known, change: Callable[[bytes], bytes], what: str
) -> Edit | None:
    """An edit of the value of one field, drawn by the dice; of a new field where none may be edited."""
    found = editable(request, known)
    if not found:
        line = (b"X-Shadow-Extra", change(b"a"))
        return Edit(appended(request, line), f"{what} a new field")
    at = rng.choice(found)
    name, value = request.headers[at]
    new = change(value)
    return None if new == value else Edit(_with_line(request, at, (name, new)), f"{what} {_shown(name)}")


def _shown(name: bytes) -> str:
    return repr(name.decode("latin-1"))
