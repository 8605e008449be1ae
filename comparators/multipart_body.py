"""Bodies of several parts."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from comparators._body import Content, content, unequal
from comparators._contract import Comparator, comparator
from comparators._places import member
from comparators.binary_body import binary_body
from comparators.form_body import form_body
from comparators.headers import headers
from comparators.html_body import html_body
from comparators.json_body import json_body
from comparators.json_lines import json_lines
from comparators.presence import presence
from comparators.table_body import table_body
from comparators.text_body import text_body
from comparators.xml_body import xml_body
from shadow.content.entity import parameter
from shadow.content.multipart import Part, disposition, parse
from shadow.model import Change, Difference, Headers, Response, field

_OF_PART: dict[Content, Comparator] = {
    Content.JSON: json_body,
    Content.JSON_LINES: json_lines,
    Content.XML: xml_body,
    Content.HTML: html_body,
    Content.TABLE: table_body,
    Content.FORM: form_body,
    Content.TEXT: text_body,
    Content.BINARY: binary_body,
}


@comparator
def multipart_body(control: Response, other: Response) -> Iterator[Difference]:
    """Part by part, by name where parts have names and else in order; each as an answer of its own. The
    boundary, the preamble and the epilogue mean nothing (RFC 2046 §5.1.1)."""
    bodies = unequal(control, other, Content.MULTIPART)
    if bodies is None:
        return
    ours, theirs = _parts(control, bodies[0]), _parts(other, bodies[1])
    if ours is None or theirs is None:
        if ours is not theirs:
            yield Difference("body", Change.TYPE, _kind(ours), _kind(theirs))
        else:
            yield from binary_body(_bare(control, bodies[0]), _bare(other, bodies[1]))
        return
    mine, its = _named(ours), _named(theirs)
    if len(ours) != len(theirs) and not any(part.name for part in (*ours, *theirs)):
        yield Difference("body:parts", Change.LENGTH, len(ours), len(theirs))
    for place, part in mine.items():
        if place in its:
            yield from _compared(place, part, its[place])
        elif part.name:
            yield Difference(place, Change.MISSING, _shown(part), None)
    for place, part in its.items():
        if place not in mine and part.name:
            yield Difference(place, Change.ADDED, None, _shown(part))


def _compared(place: str, left: Part, right: Part) -> Iterator[Difference]:
    ours, theirs = _answer(left), _answer(right)
    for each in headers(ours, theirs):
        yield replace(each, where=f"{place}:{each.where}")
    kind = content(ours)
    member_of = presence if kind is not content(theirs) else _OF_PART.get(kind)
    for each in member_of(ours, theirs) if member_of is not None and ours.body != theirs.body else ():
        yield replace(each, where=f"{place}{each.where.removeprefix('body')}")


def _answer(part: Part) -> Response:
    lines = (line.partition(b":") for line in part.head.split(b"\r\n") if line)
    found: Headers = tuple((name.strip(), value.strip()) for name, _, value in lines)
    return Response(200, headers=found, body=part.body)


def _bare(response: Response, body: bytes) -> Response:
    return Response(response.status, headers=(), body=b"\0" + body)


def _parts(response: Response, body: bytes) -> Sequence[Part] | None:
    boundary = parameter(field(response.headers, b"content-type") or b"", b"boundary")
    found = parse(body, boundary) if boundary else None
    return None if found is None else found.parts


def _named(parts: Sequence[Part]) -> dict[str, Part]:
    """Parts by their places; of one name, each further one with its number."""
    found: dict[str, Part] = {}
    for at, part in enumerate(parts):
        place = f"body:part[{at}]"
        if part.name:
            place, copy = member("body:part", part.name.decode("utf-8", "replace")), 2
            while place in found:
                place, copy = f"{member('body:part', part.name.decode('utf-8', 'replace'))}[{copy}]", copy + 1
        found[place] = part
    return found


def _shown(part: Part) -> str:
    name = disposition(part.head, b"filename")
    return f"{len(part.body)} bytes" + (f" called {name.decode('utf-8', 'replace')[:80]}" if name else "")


def _kind(parts: Sequence[Part] | None) -> str:
    return "not multipart" if parts is None else "multipart"
