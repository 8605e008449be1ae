"""Multipart bodies (RFC 2046 §5.1, RFC 7578) split into parts and joined byte for byte."""

import re
from itertools import pairwise

import msgspec

from shadow.content.entity import entity, media_type, parameter
from shadow.model import Request, field

_MAX_PARTS = 1000


class Part(msgspec.Struct, frozen=True, gc=False):
    """One part. `head` is its field lines with their line ends, without the empty line; `body` its bytes."""

    head: bytes
    body: bytes
    delimiter_tail: bytes = b"\r\n"
    """What follows ``--boundary``: the line end, sometimes white space before it."""
    blank: bytes = b"\r\n"
    """The empty line between head and body."""

    @property
    def name(self) -> bytes:
        """The field's name from Content-Disposition; empty where there is none."""
        return disposition(self.head, b"name") or b""


class Multipart(msgspec.Struct, frozen=True):
    """A body: preamble, parts, and what follows the last boundary (``--`` and an epilogue)."""

    boundary: bytes
    preamble: bytes
    """Up to the first ``--boundary``; may end in a line end."""
    parts: tuple[Part, ...]
    closing: bytes

    def render(self) -> bytes:
        """The body's bytes."""
        mark = b"--" + self.boundary
        out = [self.preamble]
        for part in self.parts:
            out += (mark, part.delimiter_tail, part.head, part.blank, part.body, b"\r\n")
        out += (mark, self.closing)
        return b"".join(out)


def multipart_of(request: Request) -> Multipart | None:
    """The request's multipart body; None where it bears none, or one that is not well formed."""
    if not media_type(request.headers).startswith(b"multipart/"):
        return None
    boundary = parameter(field(request.headers, b"content-type") or b"", b"boundary")
    body = entity(request)
    return parse(body, boundary) if body and boundary else None


def parse(body: bytes, boundary: bytes) -> Multipart | None:
    """`body` split at `boundary`; None where a delimiter or a part's empty line is missing."""
    spans = list(_delimiters(body, boundary))
    if len(spans) < 2 or len(spans) > _MAX_PARTS or not body.startswith(b"--", spans[-1][1]):
        return None
    parts = []
    for (_, start), (end, _) in pairwise(spans):
        part = _part(body[start:end])
        if part is None:
            return None
        parts.append(part)
    return Multipart(boundary, body[: spans[0][0]], tuple(parts), body[spans[-1][1] :])


def disposition(head: bytes, name: bytes) -> bytes | None:
    """The parameter `name` of the part's Content-Disposition, or None."""
    found = _DISPOSITION.search(head)
    return parameter(found[0], name) if found else None


def _delimiters(body: bytes, boundary: bytes) -> list[tuple[int, int]]:
    """(start, end) of each ``--boundary`` at the start of a line."""
    mark = b"--" + boundary
    spans: list[tuple[int, int]] = []
    at = body.find(mark)
    while at >= 0 and len(spans) <= _MAX_PARTS:
        end = at + len(mark)
        begins_line = at == 0 or body.endswith(b"\r\n", 0, at)
        ends_well = body.startswith((b"--", b"\r\n", b" ", b"\t"), end)
        if begins_line and ends_well:
            spans.append((at, end))
            if body.startswith(b"--", end):
                break
        at = body.find(mark, end)
    return spans


def _part(text: bytes) -> Part | None:
    """The part between two delimiters: ``<tail>CRLF head CRLF body CRLF``."""
    found = _PART.fullmatch(text)
    return Part(found[2], found[4], found[1], found[3]) if found else None


_DISPOSITION = re.compile(rb"(?im)^content-disposition:[^\r\n]*")
_PART = re.compile(rb"([ \t]*\r\n)((?:[^\r\n]++\r\n)*+)(\r\n)(.*)\r\n", re.DOTALL)
