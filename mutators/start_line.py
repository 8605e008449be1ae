"""The request line: version, white space, form of the target, and what stands before it (RFC 9112 §3)."""

from random import Random

from mutators._contract import mutator
from mutators._message import (
    edit_lines,
    is_http11,
    is_signed,
    joined,
    lines_of,
    odd_edit,
    with_target,
)
from shadow.content.query import split_target
from shadow.model import Edit, Expect, Known, Level, Request, Wire, field

_BAD_VERSIONS = (b"HTTP/1", b"HTTP/1.", b"HTTP/x.1", b"HTTP/1.1.1", b"HTTP /1.1", b"HTTP/-1.1", b"HTTQ/1.1")
_LONG_VERSIONS = (
    b"HTTP/1.32",
    b"HTTP/4294967295.255",
    b"HTTP/01.1",
    b"HTTP/1.01",
    b"HTTP/11.1",
    b"HTTP/1.1x",
)
_ODD_VERSIONS = (b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/9.9", b"http/1.1", b"Http/1.1")


@mutator(level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def bad_version(request: Request, rng: Random) -> Edit | None:
    """HTTP-version is "HTTP/" digit "." digit (RFC 9112 §2.3); what breaks the grammar should be answered
    400 (§2.2).
    """
    version = rng.choice(_BAD_VERSIONS)
    return _with_start(
        request, b"%b %b %b" % (request.method, request.target, version), f"made the version {version!r}"
    )


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def long_version(request: Request, rng: Random) -> Edit | None:
    """One digit stands on each side of a version's dot (RFC 9112 §2.3): more should be answered 400, and
    must not wrap round to a version that is known (CWE-190).
    """
    version = rng.choice(_LONG_VERSIONS)
    return _with_start(
        request, b"%b %b %b" % (request.method, request.target, version), f"made the version {version!r}"
    )


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_version(request: Request, rng: Random) -> Edit | None:
    """A higher minor version is read as the highest known, another major one may be refused (RFC 9110
    §2.5).
    """
    version = rng.choice(_ODD_VERSIONS)
    return _with_start(
        request, b"%b %b %b" % (request.method, request.target, version), f"made the version {version!r}"
    )


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def older_version(request: Request, _rng: Random) -> Edit | None:
    """HTTP/1.0 is still to be answered (RFC 9110 §2.5); coding and connection may differ, the class
    should not.
    """
    if not is_http11(request) or field(request.headers, b"transfer-encoding") is not None:
        return None
    line = b"%b %b HTTP/1.0" % (request.method, request.target)
    return _with_start(request, line, "spoke HTTP/1.0")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_line_space(request: Request, rng: Random) -> Edit | None:
    """Parts of the request line are one space apart; a server may be lenient with white space (RFC 9112
    §3).
    """
    parts = (request.method, request.target, request.version)
    gap, name = rng.choice(
        ((b"  ", "two spaces"), (b"\t", "tabs"), (b"\x0b", "VT"), (b"\x0c", "FF"), (b" \r ", "a bare CR"))
    )
    line = rng.choice((gap.join(parts), b" ".join(parts) + gap, gap + b" ".join(parts)))
    return _with_start(request, line, f"put {name} into the request line")


@mutator(level=Level.FRAMING, expect=Expect.REJECT, is_stated=False)
def space_in_target(request: Request, _rng: Random) -> Edit | None:
    """No white space is allowed in a target: the line is invalid, should be answered 400 and not mended
    (RFC 9112 §3.2).
    """
    line = b"%b %b /shadow %b" % (request.method, request.target, request.version)
    return _with_start(request, line, "put a space into the target")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def shortened_line(request: Request, rng: Random) -> Edit | None:
    """A request line without its parts is no HTTP (RFC 9112 §3): answered 400 or closed. A line that
    merely lacks the version is spared: it is HTTP/0.9, which some servers answer without a status line.
    """
    line = rng.choice(
        (request.method, request.method + b" ", b"", b"\x00", b"\xff\xfe", b"\x16\x03\x01\x02\x00")
    )
    return _with_start(request, line, f"shortened the request line to {line[:40]!r}")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def empty_line_first(request: Request, _rng: Random) -> Edit | None:
    """A server should ignore an empty line before the request line (RFC 9112 §2.2), and some refuse it:
    releases must agree.
    """
    lines, body = lines_of(request)
    return odd_edit(request, b"\r\n" + joined(lines, body), "put an empty line before the request")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def odd_line_first(request: Request, rng: Random) -> Edit | None:
    """More than one empty line, or one that is not quite empty, before the request line: skipped or refused
    (RFC 9112 §2.2).
    """
    first = rng.choice(
        (b"\r\n" * 2, b"\n", b"\r", b"\r\n" * 200, b" \r\n", b"\x00", b"\xef\xbb\xbf", b"\r\r\n")
    )
    lines, body = lines_of(request)
    return odd_edit(request, first + joined(lines, body), f"put {first[:8]!r} before the request")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def absolute_target(request: Request, _rng: Random, known: Known) -> Edit | None:
    """A server must accept the absolute form of a target in any request (RFC 9112 §3.2.2), yet servers in
    wide use take all of it for the path (uvicorn and Hypercorn, by h11): releases must agree.

    Signed requests are left alone: schemes differ in whether they sign the target as sent or its path.
    """
    host = field(request.headers, b"host")
    if not host or not request.target.startswith(b"/") or not is_http11(request) or is_signed(request, known):
        return None
    absolute = b"http://" + host + request.target
    line = b"%b %b %b" % (request.method, absolute, request.version)
    return _with_start(request, line, "sent the target in absolute form")


@mutator(level=Level.FRAMING, expect=Expect.AGREE)
def conflicting_authority(request: Request, _rng: Random) -> Edit | None:
    """The host of an absolute target overrides Host (RFC 9112 §3.2.2): served, redirected or refused
    (421).
    """
    authority, _, _ = split_target(request.target)
    if authority or not request.target.startswith(b"/"):
        return None
    line = b"%b http://shadow.invalid%b %b" % (request.method, request.target, request.version)
    return _with_start(request, line, "named another host in the target")


@mutator(level=Level.FRAMING, expect=Expect.SURVIVE)
def odd_target_form(request: Request, rng: Random) -> Edit | None:
    """Asterisk and authority form belong to OPTIONS and CONNECT (RFC 9112 §3.2.3, §3.2.4): else
    refused, cleanly.
    """
    target = rng.choice(
        (b"*", b"!", b"shadow.invalid:443", b"http:", b"?", b"#", request.target + b"#shadow", b"//", b"\\")
    )
    if target == request.target:
        return None
    return Edit(with_target(request, target), f"made the target {target[:60]!r}")


@mutator(level=Level.FRAMING, expect=Expect.SAME)
def pause_after_line(request: Request, _rng: Random) -> Edit | None:
    """TCP is a byte stream (RFC 9293 §3.4): a pause of 20 ms after the request line carries no meaning."""
    lines, body = lines_of(request)
    rest = joined([b"", *lines[1:]], body)
    return Edit(request, "paused after the request line", Wire((lines[0], rest), 0.02), signs_again=False)


def _with_start(request: Request, line: bytes, what: str) -> Edit:
    def change(lines: list[bytes]) -> None:
        lines[0] = line

    return edit_lines(request, change, what)
