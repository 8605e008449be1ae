"""The path of the target: spelled otherwise, traversing, ending oddly, with ids made wrong (RFC 3986)."""

import re
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._message import is_signed, with_target
from shadow.content.kinds import kind_of
from shadow.content.query import encode, split_target, with_path
from shadow.model import Edit, Expect, Known, Level, Request

_UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")
_TRIPLET = re.compile(rb"%[0-9A-Fa-f]{2}")
_ID = re.compile(rb"(?=.*[0-9])[A-Za-z0-9_-]{1,64}|[0-9a-fA-F-]{8,64}")
_VERSION = re.compile(rb"v\d+(\.\d+)*")
_TRAVERSALS = (
    *(
        b"../",
        b"..%2f",
        b"%2e%2e/",
        b"%2e%2e%2f",
        b"..%252f",
        b"..%5c",
        b"..\\",
        b"....//",
        b"..;/",
        b"%c0%ae%c0%ae/",
    ),
    *(b"..%00/", b"%252e%252e%252f", b"..%u2215", b".%2e/", b"..%c0%af"),
)
_BOUND_IDS = (
    *(b"0", b"-1", b"1.5", b"99999999999999999999", b"9223372036854775808", b"2147483648", b"1e3", b"0x1"),
    *(b"01", b"+1", b"00000000-0000-0000-0000-000000000000"),
)
_WRONG_IDS = (
    *(b"NaN", b"null", b"undefined", b"true", b"*", b"%", b"%25", b"%20", b".", b"a" * 300, b"me", b"self"),
    *(b"%F0%9F%98%80", b"%00", b"1%00", b"%0a", b"[]", b"()", b"@", b"1,2"),
)
_RESTLER_IDS = (b"%b?injected_query_string=123", b"%b/?/", b"%b??", b"%b/%b", b"{}")


@mutator(level=Level.TARGET, expect=Expect.SAME)
def encode_unreserved(request: Request, rng: Random, known: Known) -> Edit | None:
    """An unreserved character and its percent-encoding are equivalent (RFC 3986 §2.3, §6.2.2.2).

    In an id alone, as routers that compare other segments undecoded are common (Express's). Signed requests
    are left alone: schemes differ in the spelling that they sign.
    """
    _, path, _ = split_target(request.target)
    places = (at for start, end in _ids(request) for at in range(start, end))
    plain = [at for at in places if _is_plain(path, at)]
    if not plain or is_signed(request, known):
        return None
    at = rng.choice(plain)
    spelled = path[:at] + b"%%%02X" % path[at] + path[at + 1 :]
    return _edit(request, spelled, f"percent-encoded {path[at : at + 1]!r} in the path")


@mutator(level=Level.TARGET, expect=Expect.SAME)
def flip_hex_case(request: Request, _rng: Random, known: Known) -> Edit | None:
    """The hexadecimal digits of a percent-encoding are case-insensitive (RFC 3986 §2.1, §6.2.2.1)."""
    flipped = _TRIPLET.sub(lambda found: found[0].swapcase(), request.target)
    if flipped == request.target or is_signed(request, known):
        return None
    return Edit(with_target(request, flipped), "flipped the case of percent-encodings")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def traverse_path(request: Request, rng: Random) -> Edit | None:
    """Dot segments in any disguise must not leave the root (RFC 3986 §5.2.4, CWE-22): refused or
    normalised.
    """
    steps = rng.choice(_TRAVERSALS) * rng.choice((1, 3, 8))
    end = rng.choice((b"etc/passwd", b"etc%2fpasswd", b"windows/win.ini", b"", b"etc/passwd%00.json"))
    _, path, _ = split_target(request.target)
    base = rng.choice((b"/", path.rstrip(b"/") + b"/", path.rpartition(b"/")[0] + b"/"))
    return _edit(request, base + steps + end, f"traversed the path with {steps[:20]!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def add_dot_segment(request: Request, rng: Random) -> Edit | None:
    """Dot segments are removed in normalisation (RFC 3986 §6.2.2.3), or refused, or routed as they are."""
    _, path, _ = split_target(request.target)
    at = path.rfind(b"/") if rng.random() < 0.5 else path.find(b"/")
    if at < 0:
        return None
    segment = rng.choice((b"/.", b"/shadow/..", b"/%2e", b"/shadow/%2e%2e", b"/./."))
    return _edit(request, path[:at] + segment + path[at:], f"put {segment!r} into the path")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def respell_slashes(request: Request, rng: Random) -> Edit | None:
    """Doubled, trailing, encoded and backward slashes are other paths (RFC 3986 §3.3) that many servers
    merge.
    """
    _, path, _ = split_target(request.target)
    slashes = [at for at, byte in enumerate(path) if byte == 0x2F]
    if not slashes:
        return None
    at = rng.choice(slashes)
    odd = rng.choice((b"//", b"/%2f", b"%2F", b"\\", b"/%5c", b"///", b"/ /".replace(b" ", b"%20")))
    variants = (path[:at] + odd + path[at + 1 :], path + b"/", path.rstrip(b"/") or b"//", b"/" + path)
    return _edit(request, rng.choice(variants), "respelled the slashes of the path")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def add_path_parameter(request: Request, rng: Random) -> Edit | None:
    """Path parameters after ``;`` are part of the segment (RFC 3986 §3.3) that some servers take off
    (CWE-436).
    """
    _, path, _ = split_target(request.target)
    piece = rng.choice((b";", b";a=1", b";jsessionid=1", b";/", b"..;/"))
    at = rng.choice([len(path), *(at for at, byte in enumerate(path) if byte == 0x2F and at)])
    return _edit(request, path[:at] + piece + path[at:], f"put {piece!r} into the path")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def odd_bytes_in_path(request: Request, rng: Random) -> Edit | None:
    """NUL, overlong UTF-8 and broken percent-encodings are denied or taken literally (RFC 3986 §2.1,
    RFC 3629 §3).
    """
    _, path, _ = split_target(request.target)
    piece = rng.choice(
        (
            b"%00",
            b"%c0%af",
            b"%e0%80%af",
            b"%ff",
            b"%ed%a0%80",
            b"%",
            b"%g1",
            b"%1",
            b"%u0041",
            b"%0d%0aX:1",
            b"%252f",
            b"\xff",
            b"\xc3\xa9",
        )
    )
    at = rng.randint(1, len(path)) if path else 0
    return _edit(request, path[:at] + piece + path[at:], f"put {piece!r} into the path")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def swap_path_case(request: Request, rng: Random) -> Edit | None:
    """Paths are case-sensitive by default (RFC 3986 §6.2.2.1): another resource, or the same where the
    server says.
    """
    _, path, _ = split_target(request.target)
    other = rng.choice((path.upper(), path.swapcase(), path.title(), path.lower()))
    return _edit(request, other, "changed the letter case of the path")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def lengthen_path(request: Request, rng: Random) -> Edit | None:
    """A target longer than the server wishes to parse is answered 414 (RFC 9112 §3), cheaply."""
    size = rng.choice((1_025, 4_097, 8_200, 65_537))
    piece = rng.choice((b"a", b"a/", b"%20", b"../"))
    _, path, _ = split_target(request.target)
    return _edit(
        request, path.rstrip(b"/") + b"/" + strings.stretched(piece, size), f"added {size} bytes to the path"
    )


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def drop_segment(request: Request, rng: Random) -> Edit | None:
    """A path with a segment less is another resource, mostly none: 404, 405 or its own answer."""
    found = _segments(request)
    if not found:
        return None
    start, end = rng.choice(found)
    _, path, _ = split_target(request.target)
    shorter = path[: max(0, start - 1)] + path[end:] or b"/"
    return _edit(request, shorter, f"dropped the segment {path[start:end][:40]!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def bound_id(request: Request, rng: Random) -> Edit | None:
    """Zero, negative, huge and otherwise written numbers for an id: 400, 404 or 422, never a crash (CATS
    InvalidReferences, CWE-190).
    """
    found = _ids(request)
    if not found:
        return None
    start, end = rng.choice(found)
    _, path, _ = split_target(request.target)
    wrong = rng.choice(_BOUND_IDS)
    return _edit(request, path[:start] + wrong + path[end:], f"made the id {path[start:end]!r} {wrong!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def wrong_id(request: Request, rng: Random) -> Edit | None:
    """An id that is none, or of another type: 400, 404 or 422, never a crash (CATS InvalidReferences,
    CWE-20).
    """
    found = _ids(request)
    if not found:
        return None
    start, end = rng.choice(found)
    _, path, _ = split_target(request.target)
    old = path[start:end]
    near = strings.near_miss(old.decode("latin-1"), rng)
    wrong = rng.choice(
        (rng.choice(_WRONG_IDS), encode((near or old.decode("latin-1") + "x").encode()), old[:-1] + b"0")
    )
    return _edit(request, path[:start] + wrong + path[end:], f"made the id {old!r} {wrong[:40]!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def corrupt_id(request: Request, rng: Random) -> Edit | None:
    """An id with a piece of URL syntax in it must not be glued into another URL (RESTler
    InvalidDynamicObject).
    """
    found = _ids(request)
    if not found:
        return None
    start, end = rng.choice(found)
    _, path, _ = split_target(request.target)
    old = path[start:end]
    shape = rng.choice(_RESTLER_IDS)
    new = shape.replace(b"%b", old)
    return _edit(request, path[:start] + new + path[end:], f"made the id {old!r} {new!r}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def nudge_id(request: Request, rng: Random) -> Edit | None:
    """The next number over is another's resource or none: its answer, 403 or 404 (CWE-639), cleanly."""
    _, path, _ = split_target(request.target)
    found = [(start, end) for start, end in _ids(request) if path[start:end].isdigit() and end - start < 20]
    if not found:
        return None
    start, end = rng.choice(found)
    number = int(path[start:end])
    other = rng.choice((number + 1, max(0, number - 1), number * 2 + 1, number + 1_000_000))
    return _edit(request, path[:start] + b"%d" % other + path[end:], f"made the id {number} {other}")


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def recorded_in_path(request: Request, rng: Random, known: Known) -> Edit | None:
    """An id that traffic showed elsewhere: served, or denied for whom it does not belong to; any clean
    answer.
    """
    found = _ids(request)
    alike = known.kinds.get("integer", ()), known.kinds.get("uuid", ()), known.kinds.get("id", ())
    if not found or not any(alike):
        return None
    start, end = rng.choice(found)
    _, path, _ = split_target(request.target)
    kind = kind_of(path[start:end].decode("latin-1"))
    seen = known.kinds.get(kind) or rng.choice([each for each in alike if each])
    places = [each for each in seen if each[0].lower().endswith(("id", "name", "{id}", "id>"))]
    if not places:
        return None
    place, value = rng.choice(places)
    word = encode(value.encode("utf-8", "surrogatepass"))
    return _edit(request, path[:start] + word + path[end:], f"put a value of {place} into the path")


def _edit(request: Request, path: bytes, what: str) -> Edit | None:
    target = with_path(request.target, path)
    return None if target == request.target else Edit(with_target(request, target), what)


def _is_plain(path: bytes, at: int) -> bool:
    """Whether an unreserved character stands there for itself: no dot (dot segments), no part of a
    triplet.
    """
    if not _UNRESERVED.match(path, at) or path[at] == 0x2E:
        return False
    return path[max(0, at - 1) : at] != b"%" and not (at > 1 and path[at - 2] == 0x25)


def _segments(request: Request) -> list[tuple[int, int]]:
    """(start, end) of each non-empty segment of the path."""
    _, path, _ = split_target(request.target)
    return [found.span() for found in re.finditer(rb"[^/]+", path)]


def _ids(request: Request) -> list[tuple[int, int]]:
    """(start, end) of the segments that look like an id: with a digit in them, and no API version."""
    _, path, _ = split_target(request.target)
    return [
        (start, end)
        for start, end in _segments(request)
        if _ID.fullmatch(path, start, end) and not _VERSION.fullmatch(path, start, end)
    ]
