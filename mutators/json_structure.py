"""JSON bodies of another shape: values dropped, repeated, nested, swapped, of another type."""

import re
from itertools import pairwise
from random import Random

from mutators._bytes import repeats
from mutators._contract import mutator
from mutators._json import (
    ARRAYS,
    CONTAINERS,
    OBJECTS,
    SCALARS,
    document_of,
    nodes,
    other_type,
    replaced,
    rewritten,
)
from shadow.content import json
from shadow.content.json import Document, Kind, Node
from shadow.model import Edit, Expect, Level, Request

_ROOTS = (b"{}", b"[]", b"null", b"0", b'""', b"true", b"[{}]", b"[[]]", b'"\\u0000"', b"[null]")
_DEPTHS = (64, 513, 1_025, 5_000, 20_000)
"""Around usual limits: 64 (.NET), 512 (PHP), 1 000 (Jackson, CPython's recursion), and far beyond."""
_DATE = re.compile(rb'"\d{4}-\d\d-\d\d')


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_json_value(request: Request, rng: Random) -> Edit | None:
    """A missing member or element may be optional or not: any clean answer will do (RESTler's Drop, FSE
    2020).
    """
    document = document_of(request)
    found = document.nodes[1:] if document else ()
    if document is None or not found:
        return None
    node = rng.choice(found)
    return rewritten(request, document, json.drop(document, node), "dropped", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def keep_one_json_value(request: Request, rng: Random) -> Edit | None:
    """With a single member or element left, checks on combinations run on their own (RESTler's Select)."""
    document = document_of(request)
    found = [node for node in nodes(document, CONTAINERS) if len(node.children) > 1] if document else []
    if document is None or not found:
        return None
    holder = rng.choice(found)
    kept = rng.choice(document.children(holder))
    brackets = b"{%b}" if holder.kind is Kind.OBJECT else b"[%b]"
    text = json.replace(document, holder, brackets % document.text[kept.begins : kept.end])
    return rewritten(request, document, text, "kept only", kept)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def repeat_json_element(request: Request, rng: Random) -> Edit | None:
    """An array that is longer, or holds an element twice, may be refused but must not break the service."""
    document = document_of(request)
    found = [node for node in nodes(document, ARRAYS) if node.children] if document else []
    if document is None or not found:
        return None
    holder = rng.choice(found)
    element = document.raw(rng.choice(document.children(holder)))
    count = repeats(element, rng.choice((1, 2, 100, 5_000)))
    text = json.add(document, holder, b",".join([element] * count))
    return rewritten(request, document, text, f"repeated an element {count} times in", holder)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_json_type(request: Request, rng: Random) -> Edit | None:
    """A value of another type may be coerced or denied, never a crash (RESTler's Type kernel, FSE 2020)."""
    kinds = SCALARS | CONTAINERS
    return replaced(request, rng, kinds, lambda _, node: other_type(node, rng), "changed the type of")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def retype_json_scalar(request: Request, rng: Random) -> Edit | None:
    """The same text as string instead of number or the reverse: coerced or denied, never a crash
    (CWE-843).
    """

    def value(document: Document, node: Node) -> bytes:
        raw = document.raw(node)
        if node.kind is Kind.STRING:
            inner = raw[1:-1]
            is_number = json.parse(inner) is not None and inner[:1] not in b"{["
            return inner if is_number else rng.choice((b"[%b]" % raw, b'{"a":%b}' % raw))
        return rng.choice((b'"%b"' % raw, b"[%b]" % raw))

    return replaced(request, rng, SCALARS, value, "retyped")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def null_json_value(request: Request, rng: Random) -> Edit | None:
    """Null where a value stood: optional, or denied; a null dereference is a crash (CWE-476)."""
    kinds = (SCALARS | CONTAINERS) - {Kind.NULL}
    return replaced(request, rng, kinds, lambda _, __: b"null", "nulled")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def empty_json_value(request: Request, rng: Random) -> Edit | None:
    """An empty string, array or object where there was a filled one: accepted or denied, never a crash."""

    def value(_: Document, node: Node) -> bytes:
        return {Kind.OBJECT: b"{}", Kind.ARRAY: b"[]"}.get(node.kind, b'""')

    return replaced(request, rng, CONTAINERS | {Kind.STRING}, value, "emptied")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def nest_json_value(request: Request, rng: Random) -> Edit | None:
    """A parser may limit the depth of nesting (RFC 8259 §9); exhausting the stack is a crash (CWE-674)."""
    depth = rng.choice(_DEPTHS)
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))

    def value(document: Document, node: Node) -> bytes:
        return opening * depth + document.raw(node) + closing * depth

    return replaced(request, rng, SCALARS | CONTAINERS, value, f"nested {depth} deep:")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def swap_json_values(request: Request, rng: Random) -> Edit | None:
    """Two members' values exchanged may break what holds between them (start before end): denied or
    not, clean.
    """
    document = document_of(request)
    found = [node for node in nodes(document, OBJECTS) if len(node.children) > 1] if document else []
    if document is None or not found:
        return None
    left, right = sorted(rng.sample(rng.choice(found).children, 2))
    first, second = document.nodes[left], document.nodes[right]
    text = document.text
    swapped = (
        text[: first.start]
        + document.raw(second)
        + text[first.end : second.start]
        + document.raw(first)
        + text[second.end :]
    )
    return rewritten(request, document, swapped, f"swapped {json.path(document, first)} and", second)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def replace_json_root(request: Request, rng: Random) -> Edit | None:
    """Any JSON value may be a text (RFC 8259 §2): one of an unexpected type is denied, never a crash."""
    document = document_of(request)
    if document is None:
        return None
    text = rng.choice(_ROOTS)
    return rewritten(request, document, text, f"replaced the body by {text.decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def invert_json_range(request: Request, rng: Random) -> Edit | None:
    """A start after its end, a least above its most: two dates or numbers of one object exchanged, or one set
    to lie beyond the other (CATS date inversion): denied, or an empty range, never a crash.
    """
    document = document_of(request)
    pairs = _ranges(document) if document else []
    if document is None or not pairs:
        return None
    first, second = rng.choice(pairs)
    text = document.text
    swapped = (
        text[: first.start]
        + document.raw(second)
        + text[first.end : second.start]
        + document.raw(first)
        + text[second.end :]
    )
    return rewritten(request, document, swapped, f"inverted {json.path(document, first)} and", second)


def _ranges(document: Document) -> list[tuple[Node, Node]]:
    """Neighbours of one object that may be a range: both numbers, or both dates."""
    found = []
    for holder in nodes(document, OBJECTS):
        for first, second in pairwise(document.children(holder)):
            if first.kind is not second.kind:
                continue
            is_dates = all(_DATE.match(document.raw(each)) for each in (first, second))
            if first.kind is Kind.NUMBER or is_dates:
                found.append((first, second))
    return found
