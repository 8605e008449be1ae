"""Fields that have a meaning in HTTP: content negotiation, conditions, forwarding, connection options."""

from random import Random

from mutators._contract import mutator
from mutators._message import appended, with_headers
from shadow.model import Edit, Expect, Headers, Level, Request, field, fields, with_field

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
    b"bytes=0-0,",
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
def ask_for_range_if(request: Request, rng: Random) -> Edit | None:
    """A range on a condition that does not hold: the whole (200), or 412 and 416 where the field is not
    read so (RFC 9110 §13.1.5).
    """
    if request.method != b"GET" or field(request.headers, b"if-range") is not None:
        return None
    condition = rng.choice((b'"shadow"', b'W/"shadow"', b"Thu, 01 Jan 1970 00:00:00 GMT", b"shadow", b""))
    asked = appended(request, (b"If-Range", condition))
    return _set(asked, b"Range", rng.choice(_RANGES))


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


def _set(request: Request, name: bytes, value: bytes) -> Edit | None:
    headers: Headers = with_field(request.headers, name, value)
    if headers == request.headers:
        return None
    return Edit(with_headers(request, headers), f"made {_shown(name)} {value[:60]!r}")


def _shown(name: bytes) -> str:
    return repr(name.decode("latin-1"))
