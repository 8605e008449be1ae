"""Patches in JSON: JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396), by what their members mean."""

from random import Random

from mutators._contract import mutator
from mutators._json import document_of, member, rewritten
from mutators._message import with_headers
from shadow.content import json
from shadow.content.entity import media_type
from shadow.content.json import Document, Kind, Node
from shadow.model import Edit, Expect, Level, Request, with_field

_OPERATIONS = (b'"add"', b'"remove"', b'"replace"', b'"move"', b'"copy"', b'"test"', b'"Add"', b"null", b'""')
_POINTERS = (
    *(
        "",
        "/",
        "/-",
        "/0",
        "/-1",
        "/00",
        "//",
        "/~2",
        "/~",
        "~0",
        "#/a",
        "/__proto__/shadow",
        "/id",
        "/owner",
    ),
    *("/constructor/prototype/shadow", "/99999999999", "/a" * 2_000, "/\u0000", "/role", "/*", "/owner"),
)
_PATCHES = (b"application/json-patch+json", b"application/merge-patch+json", b"application/json")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_patch_operation(request: Request, rng: Random) -> Edit | None:
    """Another operation on the same path may lack members or a target: refused (RFC 6902 §5) or done."""
    return _changed(request, rng, "op", rng.choice(_OPERATIONS))


@mutator(level=Level.BODY, expect=Expect.REJECT)
def unknown_patch_operation(request: Request, rng: Random) -> Edit | None:
    """With an operation that is none of the six a patch is in error (RFC 6902 §4), and none of it is applied
    (RFC 5789 §2). Where the media type says that it is one.
    """
    if media_type(request.headers) != _PATCHES[0]:
        return None
    return _changed(request, rng, "op", b'"shadow"')


@mutator(level=Level.BODY, expect=Expect.REJECT)
def fail_patch_test(request: Request, rng: Random) -> Edit | None:
    """A test that fails makes the whole patch fail (RFC 6902 §4.6, §5), and then none of it is applied (RFC
    5789 §2). Where the media type says that it is one.
    """
    document = document_of(request)
    if document is None or not _operations(document) or media_type(request.headers) != _PATCHES[0]:
        return None
    test = b'{"op":"test","path":"","value":"shadow-%08x"}' % rng.getrandbits(32)
    text = json.add(document, document.root, test, first=rng.random() < 0.3)
    return rewritten(request, document, text, "put in a test that fails")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_patch_path(request: Request, rng: Random) -> Edit | None:
    """A pointer to nothing, to the whole, or malformed (RFC 6901 §3): refused, or applied where it points."""
    name = rng.choice(("path", "path", "from"))
    return _changed(request, rng, name, json.quote(rng.choice(_POINTERS)))


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def reorder_patch(request: Request, rng: Random) -> Edit | None:
    """Operations apply one after the other (RFC 6902 §3): in another order another state, or an error."""
    document = document_of(request)
    found = _operations(document) if document else []
    if document is None or len(found) < 2:
        return None
    order = rng.sample(range(len(found)), len(found))
    return rewritten(request, document, json.reorder(document, document.root, order), "reordered the patch")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def move_into_itself(request: Request, rng: Random) -> Edit | None:
    """A value must not be moved into its own child (RFC 6902 §4.4): an error, never a loop."""
    document = document_of(request)
    found = _operations(document) if document else []
    path = member(document, "path", rng.choice(found)) if document and found else None
    if document is None or path is None or path.kind is not Kind.STRING:
        return None
    place = json.text_of(document.raw(path))
    moved = b'{"op":"move","from":%b,"path":%b}' % (json.quote(place), json.quote(place + "/shadow"))
    return rewritten(request, document, json.add(document, document.root, moved), "moved a value into itself")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def swap_patch_type(request: Request, rng: Random) -> Edit | None:
    """The same body as another kind of patch means another change, or none: 415, 400, or applied as what it
    says it is (RFC 5789 §2.2).
    """
    kind = media_type(request.headers)
    if kind not in _PATCHES or request.method != b"PATCH":
        return None
    other = rng.choice([each for each in _PATCHES if each != kind])
    headers = with_field(request.headers, b"Content-Type", other)
    return Edit(with_headers(request, headers), f"called the patch {other.decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def merge_null(request: Request, rng: Random) -> Edit | None:
    """In a merge patch null removes (RFC 7396 §1): a member that must stay is refused, one that is not there
    is left alone.
    """
    document = document_of(request)
    if document is None or document.root.kind is not Kind.OBJECT or request.method != b"PATCH":
        return None
    name = rng.choice((b'"id"', b'"shadow"', b'"owner"', b'"created_at"', b'"name"', b'""'))
    if name in document.keys(document.root):
        return None
    text = json.add(document, document.root, name + b":null")
    return rewritten(request, document, text, f"removed {name.decode()} by a merge patch")


def _operations(document: Document) -> list[Node]:
    """The operations of a JSON Patch document; none where it is not one."""
    if document.root.kind is not Kind.ARRAY:
        return []
    found = list(document.children(document.root))
    return found if all(member(document, "op", each) for each in found) else []


def _changed(request: Request, rng: Random, name: str, value: bytes) -> Edit | None:
    document = document_of(request)
    found = _operations(document) if document else []
    node = member(document, name, rng.choice(found)) if document and found else None
    if document is None or node is None:
        return None
    shown = value[:40].decode("utf-8", "replace")
    return rewritten(request, document, json.replace(document, node, value), f"set {shown} as", node)
