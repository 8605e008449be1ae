"""Multipart bodies: other boundaries, parts dropped and doubled, odd file names, broken ends (RFC 2046,
RFC 7578).
"""

import re
from collections.abc import Callable
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._message import with_headers
from shadow.content.entity import replace_body
from shadow.content.multipart import Multipart, Part, disposition, multipart_of
from shadow.model import Edit, Expect, Level, Request, field, with_field

_FILE_NAMES = (
    *(
        b"../../shadow.txt",
        b"..\\..\\shadow.txt",
        b"/etc/passwd",
        b"C:\\shadow.txt",
        b".htaccess",
        b"",
        b".",
        b"..",
    ),
    *(
        b"a.php",
        b"a.jpg.php",
        b"a.php;.jpg",
        b"a.svg",
        b"CON",
        b"a%00.txt",
        b"a\x00.txt",
        b"a" * 300 + b".txt",
    ),
    *(
        b"%2e%2e%2fshadow",
        b"\xff.txt",
        "\u202etxt.exe".encode(),
        "\ud800.txt".encode("utf-8", "surrogatepass"),
        b"|id",
        b"$(id)",
    ),
)
_PART_TYPES = (
    b"text/html",
    b"image/svg+xml",
    b"application/x-shadow",
    b"text/plain; charset=utf-16",
    b"",
    b"multipart/mixed",
)
_FILE_NAME = re.compile(rb'filename="(?:[^"\\\r\n]|\\.)*"')
_PART_TYPE = re.compile(rb"(?im)^content-type:[^\r\n]*\r\n")


@mutator(level=Level.BODY, expect=Expect.SAME)
def rename_boundary(request: Request, rng: Random) -> Edit | None:
    """The boundary is any string that does not occur in the parts (RFC 2046 §5.1.1)."""
    body = multipart_of(request)
    content_type = field(request.headers, b"content-type")
    boundary = b"shadow-%016x" % rng.getrandbits(64)
    if body is None or content_type is None or boundary in request.body:
        return None
    renamed = re.sub(rb"""(?i)(;\s*boundary=)("[^"]*"|[^\s;]*)""", rb"\1" + boundary, content_type)
    if renamed == content_type:
        return None
    edited = with_headers(request, with_field(request.headers, b"Content-Type", renamed))
    text = Multipart(boundary, body.preamble, body.parts, body.closing).render()
    return Edit(replace_body(edited, text), "renamed the boundary")


@mutator(level=Level.BODY, expect=Expect.SAME)
def surround_multipart(request: Request, rng: Random) -> Edit | None:
    """What comes before the first boundary and after the last is to be ignored (RFC 2046 §5.1.1)."""
    body = multipart_of(request)
    if body is None or body.preamble or body.closing not in {b"--", b"--\r\n"}:
        return None
    if rng.random() < 0.5:
        return _edit(
            request, Multipart(body.boundary, b"preamble\r\n", body.parts, body.closing), "put in a preamble"
        )
    return _edit(request, Multipart(body.boundary, b"", body.parts, b"--\r\nepilogue"), "put in an epilogue")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def pad_boundary(request: Request, rng: Random) -> Edit | None:
    """Receivers must handle white space after a boundary although senders must not put it there (RFC
    2046 §5.1.1).
    """
    return _change_part(
        request,
        rng,
        lambda part: Part(part.head, part.body, b" \t\r\n", part.blank),
        "padded the boundary of",
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_part(request: Request, rng: Random) -> Edit | None:
    """A missing part may be required or not: any clean answer will do (RFC 7578 §4)."""
    body = multipart_of(request)
    if body is None:
        return None
    at = rng.randrange(len(body.parts))
    rest = body.parts[:at] + body.parts[at + 1 :]
    return _edit(request, _with_parts(body, rest), f"dropped the part {body.parts[at].name!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def duplicate_part(request: Request, rng: Random) -> Edit | None:
    """Parts of one name are legal (RFC 7578 §4.3): one counts, or both, or none, but cleanly."""
    body = multipart_of(request)
    if body is None:
        return None
    part = rng.choice(body.parts)
    count = rng.choice((1, 1, 100))
    return _edit(
        request,
        _with_parts(body, (*body.parts, *(part,) * count)),
        f"repeated the part {part.name!r} {count} times",
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def reorder_parts(request: Request, rng: Random) -> Edit | None:
    """Receivers should not rely on the order of parts, yet some stream them (RFC 7578 §5.2): any clean
    answer.
    """
    body = multipart_of(request)
    if body is None or len(body.parts) < 2:
        return None
    parts = tuple(rng.sample(body.parts, len(body.parts)))
    return None if parts == body.parts else _edit(request, _with_parts(body, parts), "reordered the parts")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def end_multipart_early(request: Request, rng: Random) -> Edit | None:
    """Without its last boundary a body is incomplete (RFC 2046 §5.1.1): refused, or what came is taken."""
    body = multipart_of(request)
    if body is None:
        return None
    text = body.render()
    end = len(text) - len(body.closing)
    cut = rng.choice((end, end - len(body.boundary) - 2, end // 2, end - len(body.boundary) // 2))
    return Edit(replace_body(request, text[:cut]), "left out the last boundary")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def misstate_boundary(request: Request, rng: Random) -> Edit | None:
    """A boundary that is missing, empty, too long or another's leaves no part to find: 400, never a crash."""
    if multipart_of(request) is None:
        return None
    boundary = rng.choice(
        (
            b"",
            b"; boundary=",
            b"; boundary=shadow",
            b"; boundary=" + b"a" * 71,
            b'; boundary="',
            b"; boundary=\xff",
        )
    )
    headers = with_field(request.headers, b"Content-Type", b"multipart/form-data" + boundary)
    return Edit(with_headers(request, headers), f"misstated the boundary as {boundary[:40]!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def trick_file_name(request: Request, rng: Random) -> Edit | None:
    """The file name is the client's word: never used as a path (RFC 7578 §4.2, CWE-22, CWE-434)."""
    name = rng.choice(_FILE_NAMES)
    quoted = b'filename="%b"' % name.replace(b'"', b"")
    odd = rng.choice((quoted, quoted + b'; filename="a.txt"', quoted + b"; filename*=UTF-8''..%2fshadow"))

    def change(part: Part) -> Part:
        if disposition(part.head, b"filename") is None:
            head = part.head.replace(b"form-data", b"form-data; " + odd, 1)
        else:
            head = _FILE_NAME.sub(lambda _: odd, part.head, count=1)
        return Part(head, part.body, part.delimiter_tail, part.blank)

    return _change_part(request, rng, change, f"made the file name {name[:40]!r} in")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def retype_part(request: Request, rng: Random) -> Edit | None:
    """A part's content type is the client's word (RFC 7578 §4.4): checked or ignored, never a crash."""
    kind = rng.choice(_PART_TYPES)

    def change(part: Part) -> Part:
        head = _PART_TYPE.sub(b"", part.head) + b"Content-Type: " + kind + b"\r\n"
        return Part(head, part.body, part.delimiter_tail, part.blank)

    return _change_part(request, rng, change, f"made the content type {kind!r} in")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_part_body(request: Request, rng: Random) -> Edit | None:
    """An empty, long, odd or doubled content of a part: refused or taken, never a crash."""
    hostile = strings.raw(strings.hostile(rng))
    size = rng.choice(strings.LONG_SIZES)

    def change(part: Part) -> Part:
        body = rng.choice(
            (
                b"",
                hostile,
                part.body + hostile,
                ((part.body or b"a") * size)[:size],
                part.body[: len(part.body) // 2],
            )
        )
        return Part(part.head, body, part.delimiter_tail, part.blank)

    return _change_part(request, rng, change, "changed the content of")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def malform_part_head(request: Request, rng: Random) -> Edit | None:
    """A part without Content-Disposition or name, or with odd or huge fields: 400 or ignored (RFC 7578
    §4.2).
    """
    odd = rng.choice(
        (
            b"",
            b"X: 1\r\n" * 200,
            b"X: " + b"a" * 20_000 + b"\r\n",
            b"Content-Disposition: form-data\r\n",
            b"\x00: \xff\r\n",
        )
    )
    return _change_part(
        request,
        rng,
        lambda part: Part(odd, part.body, part.delimiter_tail, part.blank),
        "malformed the head of",
    )


def _change_part(request: Request, rng: Random, change: Callable[[Part], Part], what: str) -> Edit | None:
    body = multipart_of(request)
    if body is None:
        return None
    at = rng.randrange(len(body.parts))
    parts = (*body.parts[:at], change(body.parts[at]), *body.parts[at + 1 :])
    return _edit(request, _with_parts(body, parts), f"{what} the part {body.parts[at].name!r}")


def _with_parts(body: Multipart, parts: tuple[Part, ...]) -> Multipart:
    return Multipart(body.boundary, body.preamble, parts, body.closing)


def _edit(request: Request, body: Multipart, what: str) -> Edit | None:
    edited = replace_body(request, body.render())
    return None if edited.body == request.body else Edit(edited, what)
