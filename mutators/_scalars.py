"""Names and texts that a body holds, whatever its format, and a body of another format."""

from itertools import pairwise

from mutators._json import document_of
from mutators._message import with_headers
from mutators._xml import pieces_of
from shadow.content import json
from shadow.content.entity import replace_body
from shadow.content.form import form_of
from shadow.content.json import Document, Kind
from shadow.content.multipart import multipart_of
from shadow.content.query import decode
from shadow.model import Edit, Request, with_field

_MAX_FIELDS = 100
_MAX_TEXT_BYTES = 65_536


def fields_of(request: Request) -> list[tuple[bytes, bytes]]:
    """(name, text) of the body's fields: scalars of a JSON object, of a form, of parts, of XML elements."""
    if not request.body:
        return []
    if (document := document_of(request)) is not None:
        return scalars_of(document)[:_MAX_FIELDS]
    if form := form_of(request):
        return [(pair.key, decode(pair.value or b"")) for pair in form[:_MAX_FIELDS]]
    if (body := multipart_of(request)) is not None:
        return [(part.name, part.body[:_MAX_TEXT_BYTES]) for part in body.parts[:_MAX_FIELDS]]
    _, pieces = pieces_of(request) or (b"", ())
    found = [
        (tag.name, piece.raw) for tag, piece in pairwise(pieces) if (tag.kind, piece.kind) == ("open", "text")
    ]
    return [(name, raw) for name, raw in found if raw.strip()][:_MAX_FIELDS]


def scalars_of(document: Document | None) -> list[tuple[bytes, bytes]]:
    """(name, text) of the scalars of the root object."""
    if document is None or document.root.kind is not Kind.OBJECT:
        return []
    found = []
    for child in document.children(document.root):
        if child.kind not in {Kind.OBJECT, Kind.ARRAY}:
            raw = document.raw(child)
            text = json.text_of(raw) if child.kind is Kind.STRING else raw.decode()
            name = json.text_of(document.raw_key(child))
            found.append((name.encode("utf-8", "surrogatepass"), text.encode("utf-8", "surrogatepass")))
    return found


def as_typed(request: Request, kind: bytes, body: bytes, what: str) -> Edit:
    """An edit with `body` of the type `kind`."""
    typed = with_headers(request, with_field(request.headers, b"Content-Type", kind))
    return Edit(replace_body(typed, body), what)
