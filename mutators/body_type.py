"""The same content in formats that carry more, and the same bytes under another type."""

from random import Random

from mutators._contract import mutator
from mutators._message import with_headers
from mutators._scalars import as_typed, fields_of
from shadow.content import json
from shadow.content.entity import media_type
from shadow.model import Edit, Expect, Level, Request, with_field, without_field

_TYPES = (
    *(
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"application/xml",
        b"text/plain",
        b"text/html",
    ),
    *(b"application/octet-stream", b"application/yaml", b"application/msgpack", b"application/cbor", b"*/*"),
    *(
        b"application/vnd.shadow+json",
        b"text/json",
        b"application/json-seq",
        b"image/png",
        b"json",
        b"/",
        b"a/b/c",
    ),
)
_BOUNDARY = b"shadow-7c1f"


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def state_other_type(request: Request, rng: Random) -> Edit | None:
    """Bytes under a type that they are not of: 415 or 400 (RFC 9110 §15.5.16), or read for what they are,
    never a crash; text that a page of another site may send is under the same checks (CWE-352).
    """
    if not request.body:
        return None
    kind = rng.choice([each for each in _TYPES if each != media_type(request.headers)])
    made = with_headers(request, with_field(request.headers, b"Content-Type", kind))
    return Edit(made, f"stated the type {kind.decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_content_type(request: Request, _rng: Random) -> Edit | None:
    """Without a type the receiver may guess or refuse (RFC 9110 §8.3): any clean answer."""
    if not request.body or not media_type(request.headers):
        return None
    made = with_headers(request, without_field(request.headers, b"content-type"))
    return Edit(made, "left out the content type")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def fields_as_multipart(request: Request, _rng: Random) -> Edit | None:
    """A format that the service does not take is answered 415 (RFC 9110 §15.5.16); one that a framework takes
    by itself, with files among the fields, is under the same checks.
    """
    fields = fields_of(request)
    if not fields or media_type(request.headers).startswith(b"multipart/"):
        return None
    parts = b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (_BOUNDARY, name.replace(b'"', b"%22").replace(b"\r", b"%0D").replace(b"\n", b"%0A"), text)
        for name, text in fields
    )
    body = parts + b"--%b--\r\n" % _BOUNDARY
    return as_typed(
        request, b"multipart/form-data; boundary=" + _BOUNDARY, body, "wrote the fields as multipart"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def fields_as_yaml(request: Request, rng: Random) -> Edit | None:
    """YAML is refused (RFC 9110 §15.5.16), or read without making objects of its tags (CWE-502)."""
    fields = fields_of(request)
    if not fields:
        return None
    lines = b"".join(
        b"%b: %b\n" % (json.quote(_text(name)), json.quote(_text(text))) for name, text in fields
    )
    tag = rng.choice(
        (b"", b"x: !!python/object/apply:time.sleep [0]\n", b"x: !ruby/object:Shadow {}\n", b"<<: *a\n")
    )
    return as_typed(request, b"application/yaml", lines + tag, "wrote the fields as YAML")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def fields_as_json(request: Request, rng: Random) -> Edit | None:
    """XML or multipart as JSON: 415 (RFC 9110 §15.5.16), or read under the same checks."""
    kind = media_type(request.headers)
    fields = fields_of(request)
    if not fields or b"json" in kind or kind == b"application/x-www-form-urlencoded":
        return None
    odd = rng.choice((b"", b"null", b"[]"))
    members = [json.quote(_text(name)) + b":" + (odd or json.quote(_text(text))) for name, text in fields]
    return as_typed(request, b"application/json", b"{%b}" % b",".join(members), "wrote the fields as JSON")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def fields_as_xml(request: Request, _rng: Random) -> Edit | None:
    """A form or multipart as XML: 415 (RFC 9110 §15.5.16), or read without expanding an entity (CWE-611)."""
    kind = media_type(request.headers)
    fields = [(name, text) for name, text in fields_of(request) if name.isalpha()]
    if not fields or kind.endswith((b"xml", b"json")):
        return None
    inner = b"".join(b"<%b>%b</%b>" % (name, _escaped(text), name) for name, text in fields)
    return as_typed(request, b"application/xml", b"<root>%b</root>" % inner, "wrote the fields as XML")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _escaped(text: bytes) -> bytes:
    return text.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
