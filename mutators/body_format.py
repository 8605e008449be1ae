"""The same content in another format: JSON as a form, a form as JSON, either as XML."""

from random import Random

from mutators._contract import mutator
from mutators._json import document_of
from mutators._scalars import as_typed, scalars_of
from shadow.content import json
from shadow.content.form import form_of
from shadow.content.query import Pair, encode, join_pairs
from shadow.model import Edit, Expect, Level, Request

_FORM = b"application/x-www-form-urlencoded"


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def json_as_form(request: Request, rng: Random) -> Edit | None:
    """A format that the service does not take is answered 415 (RFC 9110 §15.5.16); one that it takes
    must be under the same checks, cross-site ones included (CWE-352).
    """
    members = scalars_of(document_of(request))
    if not members:
        return None
    kind = rng.choice((_FORM, _FORM, b"text/plain"))
    pairs = [Pair(encode(name), encode(text)) for name, text in members]
    return as_typed(request, kind, join_pairs(pairs), "wrote the JSON as a form")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def json_as_xml(request: Request, rng: Random) -> Edit | None:
    """A format that the service does not take is answered 415 (RFC 9110 §15.5.16), and where some
    framework takes it by default no entity is expanded (CWE-611).
    """
    members = scalars_of(document_of(request))
    if not members:
        return None
    doctype = rng.choice((b"", b"", b'<!DOCTYPE root [<!ENTITY s SYSTEM "file:///etc/passwd">]>'))
    named = [(name, text) for name, text in members if name.isalpha()]
    inner = b"".join(
        b"<%b>%b</%b>" % (name, b"&s;" if doctype else _escaped(text), name) for name, text in named
    )
    return as_typed(
        request, b"application/xml", doctype + b"<root>" + inner + b"</root>", "wrote the JSON as XML"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def form_as_json(request: Request, rng: Random) -> Edit | None:
    """A format that the service does not take is answered 415 (RFC 9110 §15.5.16); one that it takes
    brings types that a form does not have: lists, objects, null.
    """
    pairs = form_of(request)
    if not pairs:
        return None
    odd = rng.choice((b"null", b"[]", b"{}", b"1", b""))
    at = rng.randrange(len(pairs))
    members = [
        json.quote(pair.key.decode("utf-8", "replace"))
        + b":"
        + (odd if odd and place == at else json.quote(Pair(pair.value or b"").key.decode("utf-8", "replace")))
        for place, pair in enumerate(pairs)
    ]
    return as_typed(request, b"application/json", b"{%b}" % b",".join(members), "wrote the form as JSON")


def _escaped(text: bytes) -> bytes:
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;")
