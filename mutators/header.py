"""Header fields: spelled otherwise, dropped, emptied, doubled, filled with odd text."""

from collections.abc import Callable
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._message import appended, editable, with_headers
from shadow.model import Edit, Expect, Headers, Known, Level, Request, field, fields, with_field

_LISTS = frozenset({b"accept", b"accept-charset", b"accept-language", b"cache-control"})
"""Fields defined as lists (RFC 9110 §5.6.1) whose members may stand on lines of their own."""
_AGENTS = (b"curl/8.5.0", b"Mozilla/5.0 (Windows NT 10.0; Win64; x64)", b"Googlebot/2.1", b"", b"a" * 2_000)
_UNACCEPTABLE = (
    b"application/x-shadow",
    b"image/png",
    b"*/*;q=0",
    b"text",
    b"",
    b"a/b/c",
    b"application/xml",
    b"*",
)
_MEDIA = (
    *(b"text/plain", b"application/xml", b"application/x-www-form-urlencoded", b"multipart/form-data"),
    *(
        b"application/json",
        b"application/octet-stream",
        b"application/x-shadow",
        b"json",
        b"",
        b"application/json,a/b",
    ),
    *(b"application/json;;;", b"text/html; charset=\xff", b"application/" + b"a" * 300, b"*/*"),
)
_LANGUAGES = (
    b"de",
    b"xx-XX",
    b"*",
    b"en;q=0",
    b"../../etc",
    b"en-" + b"a" * 300,
    b"en;q=2",
    b"zh-Hant-TW, tr;q=0.5",
)
_HOSTS = (b"shadow.invalid", b"127.0.0.1", b"localhost:1", b"", b"a" * 300, b"shadow.invalid/x", b"[::1]")
_FORWARDED = (
    *((b"X-Forwarded-For", b"127.0.0.1"), (b"X-Forwarded-For", b"::1"), (b"X-Real-IP", b"127.0.0.1")),
    *(
        (b"X-Forwarded-Host", b"shadow.invalid"),
        (b"X-Forwarded-Proto", b"https"),
        (b"X-Forwarded-Port", b"99999"),
    ),
    *(
        (b"Forwarded", b'for="_shadow";host=shadow.invalid'),
        (b"X-Original-URL", b"/admin"),
        (b"X-Rewrite-URL", b"/admin"),
    ),
    *(
        (b"X-Original-Host", b"shadow.invalid"),
        (b"True-Client-IP", b"127.0.0.1"),
        (b"X-HTTP-Host-Override", b"a"),
    ),
    *(
        (b"X-Forwarded-Prefix", b"/shadow"),
        (b"X-Custom-IP-Authorization", b"127.0.0.1"),
        (b"Via", b"1.1 shadow"),
    ),
)
_RANGES = (
    b"bytes=0-0",
    b"bytes=-1",
    b"bytes=5-2",
    b"bytes=0-",
    b"bytes=9999999-",
    b"bytes=0-0,0-0",
    b"lines=1-2",
    b"bytes=",
)
_HOP_BY_HOP = (
    b"close, X-Forwarded-For",
    b"Cookie",
    b"Authorization",
    b"Content-Length",
    b"Host",
    b"X-Shadow-Extra",
)


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


@mutator(level=Level.HEADER, expect=Expect.SAME)
def split_list_field(request: Request, rng: Random) -> Edit | None:
    """A list on one line and its members on lines of their own are one value (RFC 9110 §5.3)."""
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
        request, rng, known, lambda value: ((value or b"a") * size)[:size], f"made {size} bytes long:"
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


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def change_user_agent(request: Request, rng: Random) -> Edit | None:
    """A server may tailor its answer to the agent (RFC 9110 §10.1.5), but must answer every one cleanly."""
    return _set(request, b"User-Agent", rng.choice(_AGENTS))


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def accept_otherwise(request: Request, rng: Random) -> Edit | None:
    """A media type that cannot be had: 406, or the default in disregard of it (RFC 9110 §12.4.1)."""
    return _set(request, b"Accept", rng.choice(_UNACCEPTABLE))


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def accept_other_language(request: Request, rng: Random) -> Edit | None:
    """A language that cannot be had is disregarded, or 406 (RFC 9110 §12.5.4)."""
    return _set(request, b"Accept-Language", rng.choice(_LANGUAGES))


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def accept_other_coding(request: Request, rng: Random) -> Edit | None:
    """Any answer may be sent without coding (RFC 9110 §12.5.3): a coding list changes bytes, not meaning."""
    return _set(
        request,
        b"Accept-Encoding",
        rng.choice((b"gzip", b"br", b"zstd", b"identity", b"x-shadow", b"gzip;q=0", b"*;q=0")),
    )


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def change_content_type(request: Request, rng: Random) -> Edit | None:
    """A body under another media type: 415, 400 or read nevertheless (RFC 9110 §15.5.16), never a crash."""
    return _set(request, b"Content-Type", rng.choice(_MEDIA)) if request.body else None


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def forward_from_elsewhere(request: Request, rng: Random) -> Edit | None:
    """Forwarding fields may be forged by any client (RFC 7239 §8.1): believed from trusted proxies alone."""
    line = rng.choice(_FORWARDED)
    return Edit(appended(request, line), f"added {_shown(line[0])}: {line[1].decode()}")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def forge_host(request: Request, rng: Random) -> Edit | None:
    """A host that the service does not serve: its default, or 421 (RFC 9110 §7.4), and no link to that
    host.
    """
    if field(request.headers, b"host") is None:
        return None
    return _set(request, b"Host", rng.choice(_HOSTS))


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def name_hop_by_hop(request: Request, rng: Random) -> Edit | None:
    """Connection options name fields that a proxy takes off (RFC 9110 §7.6.1): end-to-end ones must not
    be.
    """
    return _set(request, b"Connection", rng.choice(_HOP_BY_HOP))


@mutator(level=Level.HEADER, expect=Expect.SAME)
def ask_to_close(request: Request, _rng: Random) -> Edit | None:
    """Whether the connection persists has no bearing on the answer's content (RFC 9112 §9.6)."""
    if field(request.headers, b"connection") is not None:
        return None
    return Edit(appended(request, (b"Connection", b"close")), "asked to close the connection")


@mutator(level=Level.HEADER, expect=Expect.SAME)
def expect_continue(request: Request, _rng: Random) -> Edit | None:
    """A client may await 100 (Continue) before the body; the final answer is the same (RFC 9110 §10.1.1)."""
    if not request.body or request.version != b"HTTP/1.1" or field(request.headers, b"expect") is not None:
        return None
    return Edit(appended(request, (b"Expect", b"100-continue")), "asked for 100 (Continue)")


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def expect_the_unknown(request: Request, rng: Random) -> Edit | None:
    """An expectation that is not known may be answered 417, or ignored (RFC 9110 §10.1.1)."""
    return _set(request, b"Expect", rng.choice((b"shadow", b"100-continue, shadow", b"", b"200-ok")))


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def ask_for_range(request: Request, rng: Random) -> Edit | None:
    """A range of a GET is served (206), refused (416) or ignored (200): all are right (RFC 9110 §14.2)."""
    return _set(request, b"Range", rng.choice(_RANGES)) if request.method == b"GET" else None


@mutator(level=Level.HEADER, expect=Expect.SURVIVE)
def add_precondition(request: Request, rng: Random) -> Edit | None:
    """Preconditions may be evaluated (304, 412) or not be supported (RFC 9110 §13.2): any clean answer."""
    line = rng.choice(
        (
            (b"If-Match", b'"shadow"'),
            (b"If-None-Match", b"*"),
            (b"If-None-Match", b'W/"shadow"'),
            (b"If-Modified-Since", b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (b"If-Unmodified-Since", b"Thu, 01 Jan 1970 00:00:00 GMT"),
            (b"If-Modified-Since", b"yesterday"),
            (b"If-Match", b"shadow"),
        )
    )
    return None if field(request.headers, line[0].lower()) is not None else _set(request, *line)


@mutator(level=Level.HEADER, expect=Expect.REJECT)
def stale_if_match(request: Request, rng: Random) -> Edit | None:
    """A writing request whose If-Match names no current entity tag must not be performed (RFC 9110 §13.1.1).

    Only requests that bear If-Match are edited: their client relies on it.
    """
    tags = list(fields(request.headers, b"if-match"))
    if (
        len(tags) != 1
        or tags[0].strip() == b"*"
        or request.method not in {b"PUT", b"PATCH", b"POST", b"DELETE"}
    ):
        return None
    tag = b'"shadow-%016x"' % rng.getrandbits(64)
    return Edit(
        with_headers(request, with_field(request.headers, b"If-Match", tag)), f"made If-Match {tag.decode()}"
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


def _set(request: Request, name: bytes, value: bytes) -> Edit | None:
    headers: Headers = with_field(request.headers, name, value)
    if headers == request.headers:
        return None
    return Edit(with_headers(request, headers), f"made {_shown(name)} {value[:60]!r}")


def _shown(name: bytes) -> str:
    return repr(name.decode("latin-1"))
