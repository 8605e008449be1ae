"""Bodies made of many JSON documents, one a line."""

from collections.abc import Iterator
from typing import Any

from comparators import _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from comparators.json_body import has_long_number, parse
from shadow.model import Difference, Response

_RECORD_SEPARATOR = b"\x1e"
"""Begins each text of a JSON sequence (RFC 7464 §2.2)."""


@comparator
def json_lines(control: Response, other: Response) -> Iterator[Difference]:
    """Each line is a JSON text of its own, so its layout means nothing; blank lines are skipped."""
    if bodies := unequal(control, other, Content.JSON_LINES):
        left, right = bodies
        is_exact = any(word in body for body in bodies for word in (b"true", b"false"))
        yield from _tree.walk(_documents(left), _documents(right), "body:$", is_exact=is_exact)


def _documents(body: bytes) -> list[Any]:
    is_exact = has_long_number(body)
    lines = (line.strip(b"\x1e \t\r") for line in body.replace(_RECORD_SEPARATOR, b"\n").split(b"\n"))
    return [_document(line, is_exact=is_exact) for line in lines if line]


def _document(line: bytes, *, is_exact: bool) -> Any:
    parsed = parse(line, is_exact=is_exact)
    return line.decode("utf-8", "backslashreplace") if parsed is None else parsed.value
