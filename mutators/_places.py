"""Places of a request that hold text, wherever they are, and the request with another text in one of them."""

import re
from collections.abc import Callable
from functools import partial
from random import Random

import msgspec

from mutators._json import document_of
from mutators._message import with_target
from mutators._xml import escaped, pieces_of
from shadow.content import json, xml
from shadow.content.entity import replace_body
from shadow.content.form import form_of, with_form
from shadow.content.json import Document, Kind, Node
from shadow.content.multipart import Multipart, Part, disposition, multipart_of
from shadow.content.query import Pair, decode, encode, query_of, split_target, with_path, with_query
from shadow.model import Edit, Question, Request, Sign, Twin

_TEXT = frozenset({Kind.STRING, Kind.NUMBER})
_MAX_PART_BYTES = 4_096
"""Longer parts are files."""
_WORD_SHARE = 0.15
_VALUE = re.compile(rb"/[^/?#]*[0-9%.][^/?#]*(?:[?#]|$)")
_PLAIN_TEXT = re.compile(rb"[^<&]*\S[^<&]*")


class Place(msgspec.Struct, frozen=True):
    """One place, what stands in it, and how it is called for a person."""

    text: str
    name: str
    put: Callable[[str], Request]
    """The request with another text there, coded as the place demands; all else stays byte for byte."""


def draw(request: Request, rng: Random) -> Place | None:
    """One of all the places, drawn by the dice: strings and numbers of JSON, fields of a form, parts that are
    no files, text of XML, parameters of the query, the path's last segment. None where there is none.

    A last segment without a digit is a word of the service more often than a value: it is seldom drawn.
    """
    found = _of_body(request)
    query = query_of(request.target) if b"?" in request.target else []
    count = len(found) + len(query)
    has_path = not count or _has_value(request.target) or rng.random() < _WORD_SHARE
    at = rng.randrange(count + has_path)
    if at < len(found):
        return found[at]()
    at -= len(found)
    return _of_query(request, query, at) if at < len(query) else _of_path(request)


def injected(
    request: Request,
    rng: Random,
    change: Callable[[str], str],
    what: str,
    sign: Callable[[str], Sign] | None = None,
) -> Edit | None:
    """An edit in which a drawn place has ``change(text)``; `sign` tells, for the place's name, how an answer
    shows that this was obeyed. None where there is no place, or it already holds that.
    """
    place = draw(request, rng)
    if place is None:
        return None
    text = change(place.text)
    made = place.put(text)
    if made == request:
        return None
    return Edit(made, f"{what} {place.name}", sign=None if sign is None else sign(place.name))


def asked(place: Place, fault: str, what: str, texts: list[tuple[str, bool, float]], shown: str) -> Edit:
    """The edit that puts the first of `texts` into `place`, with the others as its twins.

    Of each text: whether it must be answered as the unedited request is, and the seconds it delays. `what`
    is the finding, with ``{}`` for the place; `shown` what the edit did.
    """
    (text, _, delay), *rest = texts
    twins = tuple(
        Twin(Edit(place.put(other), f"put {other!r} into {place.name}"), other, is_alike, seconds)
        for other, is_alike, seconds in rest
    )
    asks = Question(fault, what.format(place.name), place.text, text, twins, delay)
    return Edit(place.put(text), f"{shown} {place.name}", asks=asks)


def shown(name: bytes) -> str:
    """A name as a finding tells it."""
    return repr(name.decode("utf-8", "backslashreplace"))


def _of_body(request: Request) -> list[Callable[[], Place]]:
    if not request.body:
        return []
    if (document := document_of(request)) is not None:
        return [partial(_of_json, request, document, node) for node in document.nodes if node.kind in _TEXT]
    if form := form_of(request):
        return [partial(_of_form, request, form, at) for at in range(len(form))]
    if (body := multipart_of(request)) is not None:
        return [
            partial(_of_part, request, body, at)
            for at, part in enumerate(body.parts)
            if len(part.body) <= _MAX_PART_BYTES and disposition(part.head, b"filename") is None
        ]
    text, pieces = pieces_of(request) or (b"", ())
    return [
        partial(_of_xml, request, text, piece)
        for piece in pieces
        if piece.kind == "text" and _PLAIN_TEXT.fullmatch(piece.raw)
    ]


def _of_json(request: Request, document: Document, node: Node) -> Place:
    def put(text: str) -> Request:
        return replace_body(request, json.replace(document, node, json.quote(text)))

    raw = document.raw(node)
    text = json.text_of(raw) if node.kind is Kind.STRING else raw.decode()
    return Place(text, json.path(document, node), put)


def _of_form(request: Request, form: list[Pair], at: int) -> Place:
    return Place(
        _decoded(form[at].value),
        f"the field {shown(form[at].name)}",
        lambda text: with_form(request, _with(form, at, text)),
    )


def _of_query(request: Request, query: list[Pair], at: int) -> Place:
    return Place(
        _decoded(query[at].value),
        f"the parameter {shown(query[at].name)}",
        lambda text: with_target(request, with_query(request.target, _with(query, at, text))),
    )


def _of_part(request: Request, body: Multipart, at: int) -> Place:
    part = body.parts[at]

    def put(text: str) -> Request:
        other = Part(part.head, text.encode("utf-8", "surrogatepass"), part.delimiter_tail, part.blank)
        parts = (*body.parts[:at], other, *body.parts[at + 1 :])
        return replace_body(request, Multipart(body.boundary, body.preamble, parts, body.closing).render())

    return Place(part.body.decode("utf-8", "replace"), f"the part {shown(part.name)}", put)


def _of_xml(request: Request, document: bytes, piece: xml.Token) -> Place:
    return Place(
        piece.raw.decode("utf-8", "replace"),
        "the text of an element",
        lambda text: replace_body(request, xml.splice(document, piece, escaped(text))),
    )


def _of_path(request: Request) -> Place | None:
    _, path, _ = split_target(request.target)
    before, slash, last = path.rpartition(b"/")
    if not last or not slash:
        return None
    head = before + slash
    text = decode(last.replace(b"+", b"%2B")).decode("utf-8", "replace")

    def put(other: str) -> Request:
        return with_target(
            request, with_path(request.target, head + encode(other.encode("utf-8", "surrogatepass")))
        )

    return Place(text, "the path's end", put)


def _has_value(target: bytes) -> bool:
    """Whether the path's last segment looks like an id or a name of the client's."""
    return _VALUE.search(target) is not None


def _decoded(value: bytes | None) -> str:
    return decode(value or b"").decode("utf-8", "replace")


def _with(pairs: list[Pair], at: int, text: str) -> list[Pair]:
    pair = Pair(pairs[at].name, encode(text.encode("utf-8", "surrogatepass")))
    return [*pairs[:at], pair, *pairs[at + 1 :]]
