"""Multipart bodies: parts dropped, doubled, moved, nested, with odd names and contents (RFC 2046,
RFC 7578).
"""

import re
from random import Random

from mutators import _strings as strings
from mutators._bytes import repeats
from mutators._contract import mutator
from mutators._multipart import change_part, parts_edit, with_parts
from shadow.content.multipart import Part, disposition, multipart_of
from shadow.model import Edit, Expect, Level, Request

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


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_part(request: Request, rng: Random) -> Edit | None:
    """A missing part may be required or not: any clean answer will do (RFC 7578 §4)."""
    body = multipart_of(request)
    if body is None:
        return None
    at = rng.randrange(len(body.parts))
    rest = body.parts[:at] + body.parts[at + 1 :]
    return parts_edit(request, with_parts(body, rest), f"dropped the part {body.parts[at].name!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def duplicate_part(request: Request, rng: Random) -> Edit | None:
    """Parts of one name are legal (RFC 7578 §4.3): one counts, or both, or none, but cleanly."""
    body = multipart_of(request)
    if body is None:
        return None
    part = rng.choice(body.parts)
    count = repeats(part.head + part.body, rng.choice((1, 1, 100)))
    return parts_edit(
        request,
        with_parts(body, (*body.parts, *(part,) * count)),
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
    return (
        None if parts == body.parts else parts_edit(request, with_parts(body, parts), "reordered the parts")
    )


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

    return change_part(request, rng, change, f"made the file name {name[:40]!r} in")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def retype_part(request: Request, rng: Random) -> Edit | None:
    """A part's content type is the client's word (RFC 7578 §4.4): checked or ignored, never a crash."""
    kind = rng.choice(_PART_TYPES)

    def change(part: Part) -> Part:
        head = _PART_TYPE.sub(b"", part.head) + b"Content-Type: " + kind + b"\r\n"
        return Part(head, part.body, part.delimiter_tail, part.blank)

    return change_part(request, rng, change, f"made the content type {kind!r} in")


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
                strings.stretched(part.body or b"a", size),
                part.body[: len(part.body) // 2],
            )
        )
        return Part(part.head, body, part.delimiter_tail, part.blank)

    return change_part(request, rng, change, "changed the content of")


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
    return change_part(
        request,
        rng,
        lambda part: Part(odd, part.body, part.delimiter_tail, part.blank),
        "malformed the head of",
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def nest_multipart(request: Request, rng: Random) -> Edit | None:
    """Parts that are multipart themselves are deprecated in forms (RFC 7578 §4.3): taken as they are, or
    limited in depth (CWE-674).
    """
    depth = rng.choice((1, 20, 300))

    def change(part: Part) -> Part:
        inner = part.body
        for level in range(depth):
            mark = b"shadow%d" % level
            kind = b"" if level == depth - 1 else b"Content-Type: multipart/mixed; boundary=%b\r\n" % mark
            inner = b"--%b\r\n%b\r\n%b\r\n--%b--" % (mark, kind, inner[:4_096] if not level else inner, mark)
        head = _PART_TYPE.sub(b"", part.head)
        head += b"Content-Type: multipart/mixed; boundary=shadow%d\r\n" % (depth - 1)
        return Part(head, inner, part.delimiter_tail, part.blank)

    return change_part(request, rng, change, f"nested {depth} multipart bodies in")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def many_parts(request: Request, rng: Random) -> Edit | None:
    """Thousands of parts may be refused, at a cost that stays in hand (CVE-2023-25577, CWE-770)."""
    body = multipart_of(request)
    if body is None:
        return None
    count = rng.choice((129, 1_001, 3_000))
    empty = Part(b'Content-Disposition: form-data; name="s"\r\n', b"")
    return parts_edit(request, with_parts(body, (*body.parts, *(empty,) * count)), f"added {count} parts")
