"""What the JSON mutators share: drawing a value to edit, and making the edit."""

from collections.abc import Callable
from random import Random

from shadow.content import json
from shadow.content.entity import media_type, replace_body
from shadow.content.json import Document, Kind, Node
from shadow.model import Edit, Request

SCALARS = frozenset({Kind.STRING, Kind.NUMBER, Kind.BOOLEAN, Kind.NULL})
CONTAINERS = frozenset({Kind.OBJECT, Kind.ARRAY})
STRINGS = frozenset({Kind.STRING})
NUMBERS = frozenset({Kind.NUMBER})
OBJECTS = frozenset({Kind.OBJECT})
ARRAYS = frozenset({Kind.ARRAY})

OF_TYPE = {
    Kind.OBJECT: (b"{}", b'{"":null}', b'{"a":{"b":1}}'),
    Kind.ARRAY: (b"[]", b"[null]", b"[[]]"),
    Kind.STRING: (b'""', b'"true"', b'"0"', b'"null"', b'"a"'),
    Kind.NUMBER: (b"0", b"1", b"-1", b"1.5"),
    Kind.BOOLEAN: (b"true", b"false"),
    Kind.NULL: (b"null",),
}
_BY_BYTES = (b"ndjson", b"jsonl", b"json-seq", b"manifest", b"image.index")
_SINGLE_SHARE = 0.75
_MAX_TOGETHER = 8
_MAX_GROWTH_BYTES = 100_000
"""Strings that are edited in one go, and what they may add before no further one is: long runs in all of a
large document would be a load test."""


def document_of(request: Request) -> Document | None:
    """The request's JSON body: one that says that it is JSON, or an object or array that does not."""
    document = json.document(request) if request.body else None
    if document is None or document.root.kind in CONTAINERS or b"json" in media_type(request.headers):
        return document
    return None


def stated_document_of(request: Request) -> Document | None:
    """As `document_of`, where the request says that its body is JSON, or nothing of what it is.

    Of any other content the bytes may be what counts, so another spelling is not the same: of a text per
    line, and of manifests, which are known by their hash (OCI Distribution §Pushing Manifests).
    """
    kind = media_type(request.headers)
    is_by_bytes = any(word in kind for word in _BY_BYTES)
    return document_of(request) if not kind or (b"json" in kind and not is_by_bytes) else None


def nodes(document: Document, kinds: frozenset[Kind]) -> list[Node]:
    """Every value of these kinds, in order."""
    return [node for node in document.nodes if node.kind in kinds]


def member(document: Document, name: str, holder: Node | None = None) -> Node | None:
    """The member of that name, spelled without escapes: of `holder`, else of the root; None of no object."""
    held = document.root if holder is None else holder
    if held.kind is not Kind.OBJECT:
        return None
    key = b'"%b"' % name.encode()
    return next((child for child in document.children(held) if document.raw_key(child) == key), None)


def replaced(
    request: Request,
    rng: Random,
    kinds: frozenset[Kind],
    value: Callable[[Document, Node], bytes | None],
    what: str,
) -> Edit | None:
    """An edit in which one value of `kinds`, drawn by the dice, becomes ``value(document, node)`` (raw JSON).

    None where there is no such value, `value` gives None for the one that was drawn, or nothing would change.
    """
    document = document_of(request)
    found = nodes(document, kinds) if document else []
    if document is None or not found:
        return None
    node = rng.choice(found)
    new = value(document, node)
    return (
        None if new is None else rewritten(request, document, json.replace(document, node, new), what, node)
    )


def rewritten(
    request: Request, document: Document, text: bytes, what: str, node: Node | None = None
) -> Edit | None:
    """An edit with `text` as the JSON body, unless it is the text there was; `what` ends with the
    node's path.
    """
    if text == document.text:
        return None
    return Edit(replace_body(request, text), f"{what} {json.path(document, node)}" if node else what)


def string_edit(request: Request, rng: Random, change: Callable[[str], str | None], what: str) -> Edit | None:
    """An edit in which one string value becomes ``change(text)``, sometimes several: a service that
    gives up at the first fault shows the others' only one by one, one that does not shows them sooner.
    None as in `replaced`.
    """
    document = document_of(request)
    found = nodes(document, STRINGS) if document else []
    if document is None or not found:
        return None
    is_single = len(found) == 1 or rng.random() < _SINGLE_SHARE
    chosen = rng.sample(found, 1 if is_single else min(len(found), _MAX_TOGETHER))
    text, count = document.text, 0
    for node in sorted(chosen, key=lambda node: node.start, reverse=True):
        if len(text) - len(document.text) > _MAX_GROWTH_BYTES:
            break
        new = change(json.text_of(document.raw(node)))
        if new is not None:
            text, count = text[: node.start] + json.quote(new) + text[node.end :], count + 1
    if is_single:
        return rewritten(request, document, text, what, chosen[0])
    return rewritten(request, document, text, f"{what} {count} strings")


def other_type(node: Node, rng: Random) -> bytes:
    """A value of another type than the node's, raw."""
    kind = rng.choice([kind for kind in Kind if kind is not node.kind])
    return rng.choice(OF_TYPE[kind])
