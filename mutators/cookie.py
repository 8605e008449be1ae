"""Cookies: reordered, dropped one by one, doubled, malformed (RFC 6265)."""

from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._message import with_headers
from shadow.content.cookie import crumbs, join, name_of
from shadow.model import Edit, Expect, Known, Level, Request

_ODD_CRUMBS = (
    b"=",
    b"=a",
    b"a",
    b";;;",
    b'a="b',
    b"a=b=c",
    b"\xff=\xff",
    b"$Version=1",
    b"a=" + b"b" * 5_000,
    b"__Host-a=1",
)


@mutator(level=Level.COOKIE, expect=Expect.SAME)
def reorder_cookies(request: Request, rng: Random) -> Edit | None:
    """Servers should not rely on the order in which cookies of different names come (RFC 6265 §4.2.2)."""
    found = _cookies(request)
    if found is None:
        return None
    at, pieces = found
    names = [name_of(piece) for piece in pieces]
    if len(pieces) < 2 or len(set(names)) < len(names):
        return None
    shuffled = rng.sample(pieces, len(pieces))
    if shuffled == pieces:
        shuffled.reverse()
    return _edit(request, at, shuffled, "reordered the cookies")


@mutator(level=Level.COOKIE, expect=Expect.SURVIVE)
def drop_cookie(request: Request, rng: Random) -> Edit | None:
    """Which cookies matter? Without one of them any clean answer will do (ZAP's slacker-cookie test)."""
    found = _cookies(request)
    if found is None:
        return None
    at, pieces = found
    dropped = rng.randrange(len(pieces))
    rest = pieces[:dropped] + pieces[dropped + 1 :]
    return _edit(request, at, rest, f"dropped the cookie {name_of(pieces[dropped])!r}")


@mutator(level=Level.COOKIE, expect=Expect.SURVIVE)
def duplicate_cookie(request: Request, rng: Random) -> Edit | None:
    """One name twice, with another value first or last: which counts is unsaid (RFC 6265 §4.2.2); both
    cleanly.
    """
    found = _cookies(request)
    if found is None:
        return None
    at, pieces = found
    name = name_of(rng.choice(pieces))
    other = name + b"=" + rng.choice((b"", b"shadow", b"1"))
    doubled = [other, *pieces] if rng.random() < 0.5 else [*pieces, other]
    return _edit(request, at, doubled, f"sent the cookie {name!r} twice")


@mutator(level=Level.COOKIE, expect=Expect.SURVIVE)
def change_cookie_value(request: Request, rng: Random) -> Edit | None:
    """A cookie is whatever the client sends (RFC 6265 §8.3): an unexpected value is denied or ignored,
    cleanly.
    """
    found = _cookies(request)
    if found is None:
        return None
    at, pieces = found
    chosen = rng.randrange(len(pieces))
    name, _, value = pieces[chosen].partition(b"=")
    text = value.decode("latin-1")
    near = strings.near_miss(text, rng)
    hostile = strings.raw(strings.hostile(rng)).translate(None, b"\x00\r\n;")
    other = rng.choice((b"", hostile, value[:-1], value[::-1], value + value, (near or text + "x").encode()))
    changed = [*pieces[:chosen], name + b"=" + other, *pieces[chosen + 1 :]]
    return _edit(request, at, changed, f"changed the cookie {name!r}")


@mutator(level=Level.COOKIE, expect=Expect.SURVIVE)
def fixate_cookie(request: Request, rng: Random) -> Edit | None:
    """A session's id that the client made up, of the same length and alphabet, must not become a session's
    (CWE-384): denied or replaced, cleanly.
    """
    found = _cookies(request)
    if found is None:
        return None
    at, pieces = found
    chosen = rng.randrange(len(pieces))
    name, _, value = pieces[chosen].partition(b"=")
    letters = bytes(byte for byte in value if chr(byte).isalnum())
    if len(set(letters)) < 2:
        letters = b"shadow1234"
    other = bytes(rng.choice(letters) if chr(byte).isalnum() else byte for byte in value) or b"shadow"
    changed = [*pieces[:chosen], name + b"=" + other, *pieces[chosen + 1 :]]
    return _edit(request, at, changed, f"made up a value of the cookie {name!r}")


@mutator(level=Level.COOKIE, expect=Expect.SURVIVE)
def lengthen_cookie(request: Request, rng: Random) -> Edit | None:
    """Browsers keep 4096 bytes for each cookie (RFC 6265 §6.1); more may be refused, not crash."""
    found = _cookies(request)
    if found is None:
        return None
    at, pieces = found
    size = rng.choice((4_097, 7_000))
    chosen = rng.randrange(len(pieces))
    longer = [*pieces[:chosen], name_of(pieces[chosen]) + b"=" + b"a" * size, *pieces[chosen + 1 :]]
    return _edit(request, at, longer, f"made the cookie {name_of(pieces[chosen])!r} {size} bytes long")


@mutator(level=Level.COOKIE, expect=Expect.SURVIVE)
def malform_cookies(request: Request, rng: Random) -> Edit | None:
    """Crumbs outside the grammar (RFC 6265 §4.2.1) are ignored or denied, and take no other cookie with
    them.
    """
    odd = rng.choice(_ODD_CRUMBS)
    found = _cookies(request)
    if found is None:
        headers = (*request.headers, (b"Cookie", odd))
        return Edit(with_headers(request, headers), f"sent the cookie {odd[:30]!r}")
    at, pieces = found
    return _edit(request, at, [odd, *pieces], f"put {odd[:30]!r} before the cookies")


@mutator(level=Level.COOKIE, expect=Expect.SURVIVE)
def recorded_cookie(request: Request, rng: Random, known: Known) -> Edit | None:
    """A value that traffic showed for the same cookie; an old or another's one may be denied, cleanly."""
    found = _cookies(request)
    if found is None:
        return None
    at, pieces = found
    chosen = rng.randrange(len(pieces))
    name = name_of(pieces[chosen])
    seen = known.values.get("cookie:" + name.decode("latin-1"))
    if not seen:
        return None
    other = name + b"=" + rng.choice(seen).encode("utf-8", "surrogatepass").translate(None, b"\x00\r\n;")
    return _edit(
        request, at, [*pieces[:chosen], other, *pieces[chosen + 1 :]], f"put a recorded value into {name!r}"
    )


def _cookies(request: Request) -> tuple[int, list[bytes]] | None:
    """(position of the first Cookie line, its crumbs); None without cookies."""
    for at, (name, value) in enumerate(request.headers):
        if name.lower() == b"cookie" and (pieces := crumbs(value)):
            return at, pieces
    return None


def _edit(request: Request, at: int, pieces: list[bytes], what: str) -> Edit | None:
    """An edit of the Cookie line at `at`; the line goes with its last crumb."""
    line = ((request.headers[at][0], join(pieces)),) if pieces else ()
    headers = request.headers[:at] + line + request.headers[at + 1 :]
    return None if headers == request.headers else Edit(with_headers(request, headers), what)
