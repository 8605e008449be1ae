"""Boundaries of multipart bodies: others, moved, missing, doubled; and how lines end (RFC 2046 §5.1)."""

import re
from random import Random

from mutators._contract import mutator
from mutators._message import with_headers
from mutators._multipart import change_part, parts_edit, with_parts
from shadow.content.entity import replace_body
from shadow.content.multipart import Multipart, Part, multipart_of
from shadow.model import Edit, Expect, Level, Request, field, with_field

_BOUNDARY = re.compile(rb"""(?i)(;\s*boundary=)("[^"]*"|[^\s;]*)""")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@mutator(level=Level.BODY, expect=Expect.SAME)
def rename_boundary(request: Request, rng: Random) -> Edit | None:
    """The boundary is any string that does not occur in the parts (RFC 2046 §5.1.1)."""
    body = multipart_of(request)
    content_type = field(request.headers, b"content-type")
    boundary = b"shadow-%016x" % rng.getrandbits(64)
    if body is None or content_type is None or boundary in request.body:
        return None
    renamed = _BOUNDARY.sub(rb"\1" + boundary, content_type)
    if renamed == content_type:
        return None
    edited = with_headers(request, with_field(request.headers, b"Content-Type", renamed))
    text = Multipart(boundary, body.preamble, body.parts, body.closing).render()
    return Edit(replace_body(edited, text), "renamed the boundary")


@mutator(level=Level.BODY, expect=Expect.SAME)
def quote_boundary(request: Request, _rng: Random) -> Edit | None:
    """A parameter's value is the same quoted and not, where it is a token (RFC 9110 §5.6.6)."""
    kind = field(request.headers, b"content-type")
    found = _BOUNDARY.search(kind) if kind and multipart_of(request) else None
    if kind is None or found is None:
        return None
    value = found[2]
    bare = value.strip(b'"')
    if not _TOKEN.fullmatch(bare):
        return None
    other = bare if value.startswith(b'"') else b'"%b"' % bare
    quoted = kind[: found.start(2)] + other + kind[found.end(2) :]
    headers = with_field(request.headers, b"Content-Type", quoted)
    return Edit(with_headers(request, headers), "quoted the boundary, or took the quotes off it")


@mutator(level=Level.BODY, expect=Expect.SAME)
def put_epilogue(request: Request, _rng: Random) -> Edit | None:
    """What comes after the last boundary is to be ignored (RFC 2046 §5.1.1)."""
    body = multipart_of(request)
    if body is None or body.closing not in {b"--", b"--\r\n"}:
        return None
    ended = Multipart(body.boundary, body.preamble, body.parts, b"--\r\nepilogue")
    return parts_edit(request, ended, "put in an epilogue")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def put_preamble(request: Request, _rng: Random) -> Edit | None:
    """What comes before the first boundary is to be ignored (RFC 2046 §5.1.1), yet parsers of forms in wide
    use refuse it (python-multipart): releases must agree.
    """
    body = multipart_of(request)
    if body is None or body.preamble:
        return None
    begun = Multipart(body.boundary, b"preamble\r\n", body.parts, body.closing)
    return parts_edit(request, begun, "put in a preamble")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def pad_boundary(request: Request, rng: Random) -> Edit | None:
    """Receivers must handle white space after a boundary although senders must not put it there (RFC
    2046 §5.1.1).
    """
    return change_part(
        request,
        rng,
        lambda part: Part(part.head, part.body, b" \t\r\n", part.blank),
        "padded the boundary of",
    )


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
def close_multipart_early(request: Request, rng: Random) -> Edit | None:
    """After the last boundary there is an epilogue, which is ignored (RFC 2046 §5.1.1): parts behind it do
    not count, to filters and services alike.
    """
    body = multipart_of(request)
    if body is None:
        return None
    at = rng.randrange(len(body.parts) + 1)
    text = body.render()
    mark = b"--" + body.boundary
    places = [found.start() for found in re.finditer(re.escape(mark), text)]
    if at >= len(places):
        return None
    place = places[at]
    return Edit(
        replace_body(request, text[:place] + mark + b"--\r\n" + text[place:]), "closed the body in between"
    )


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
def state_two_boundaries(request: Request, rng: Random) -> Edit | None:
    """Of two boundaries, or one in the extended notation, filters and services may take different ones
    (CWE-436): refused, or read alike by both releases.
    """
    kind = field(request.headers, b"content-type")
    if kind is None or multipart_of(request) is None:
        return None
    other = rng.choice(
        (
            kind + b"; boundary=shadow",
            kind.replace(b"boundary", b"boundary=shadow; boundary", 1),
            kind + b"; boundary*=UTF-8''shadow",
            kind.replace(b"boundary", b"boundary*0=a; boundary", 1),
            kind.replace(b"boundary", b"BOUNDARY", 1),
            kind + b", multipart/form-data; boundary=shadow",
        )
    )
    headers = with_field(request.headers, b"Content-Type", other)
    return Edit(with_headers(request, headers), "stated two boundaries")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def put_boundary_inside(request: Request, rng: Random) -> Edit | None:
    """What looks like a boundary inside of a part is none unless it stands alone at the start of a line (RFC
    2046 §5.1.1).
    """
    body = multipart_of(request)
    if body is None:
        return None
    mark = b"--" + body.boundary
    piece = rng.choice((mark, b"x" + mark, b"\r\n" + mark + b"x", b"\n" + mark + b"\n", b"\r\n" + mark[:-1]))
    return change_part(
        request,
        rng,
        lambda part: Part(part.head, part.body + piece, part.delimiter_tail, part.blank),
        f"put {piece!r} into",
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def end_lines_otherwise(request: Request, rng: Random) -> Edit | None:
    """Lines of a multipart body end in CRLF (RFC 2046 §4.1.1): a lone LF or CR is refused, or read alike by
    both releases.
    """
    body = multipart_of(request)
    if body is None:
        return None
    end = rng.choice((b"\n", b"\r", b"\n\r"))
    heads = tuple(
        Part(
            part.head.replace(b"\r\n", end),
            part.body,
            part.delimiter_tail.replace(b"\r\n", end),
            part.blank.replace(b"\r\n", end),
        )
        for part in body.parts
    )
    return parts_edit(request, with_parts(body, heads), f"ended the lines in {end!r}")
