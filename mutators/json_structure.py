"""JSON bodies of another shape: members and elements dropped, added, doubled, nested, of another type."""

from collections.abc import Mapping
from functools import lru_cache
from random import Random

from mutators._contract import mutator
from mutators._json import ARRAYS, CONTAINERS, OBJECTS, SCALARS, document_of, nodes, replaced, rewritten
from shadow.content import json
from shadow.content.json import Document, Kind, Node
from shadow.model import Edit, Expect, Known, Level, Request

_OF_TYPE = {
    Kind.OBJECT: (b"{}", b'{"":null}', b'{"a":{"b":1}}'),
    Kind.ARRAY: (b"[]", b"[null]", b"[[]]"),
    Kind.STRING: (b'""', b'"true"', b'"0"', b'"null"', b'"a"'),
    Kind.NUMBER: (b"0", b"1", b"-1", b"1.5"),
    Kind.BOOLEAN: (b"true", b"false"),
    Kind.NULL: (b"null",),
}
_ROOTS = (b"{}", b"[]", b"null", b"0", b'""', b"true", b"[{}]", b"[[]]", b'"\\u0000"', b"[null]")
_UNKNOWN_MEMBERS = (
    b'"shadow_unknown":1',
    b'"":1',
    b'"__proto__":{"shadow":1}',
    b'"constructor":{"prototype":{"shadow":1}}',
    b'"$type":"System.Object"',
    b'"@type":"java.lang.Object"',
    b'"\\u0000":1',
    b'"a.b[0]":1',
)
_PRIVILEGED: dict[str, tuple[bytes, ...]] = {
    "admin": (b"true", b"1"),
    "is_admin": (b"true",),
    "isAdmin": (b"true",),
    "role": (b'"admin"', b'"owner"'),
    "roles": (b'["admin"]',),
    "permissions": (b'["*"]',),
    "owner": (b'"0"', b"1", b'"admin"'),
    "owner_id": (b"1", b'"1"'),
    "user_id": (b"1", b'"1"'),
    "account_id": (b"1", b'"1"'),
    "id": (b"1", b'"1"'),
    "status": (b'"active"', b'"approved"', b'"deleted"'),
    "verified": (b"true",),
    "price": (b"0",),
    "balance": (b"1000000",),
    "created_at": (b'"1970-01-01T00:00:00Z"',),
    "version": (b"0", b"999999"),
    "tenant": (b'"other"',),
}
"""Names that services commonly set themselves, with values that would mean more rights."""
_DEPTHS = (64, 513, 1_025, 5_000, 20_000)
"""Around usual limits: 64 (.NET), 512 (PHP), 1 000 (Jackson, CPython's recursion), and far beyond."""
_MANY = (100, 1_001, 5_000)


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
def add_json_member(request: Request, rng: Random) -> Edit | None:
    """A name that the service does not know may be ignored or denied, but must not break it (RFC 8259 §4)."""
    return _with_member(request, rng, rng.choice(_UNKNOWN_MEMBERS))


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def add_many_json_members(request: Request, rng: Random) -> Edit | None:
    """Thousands of names may be refused, but not at a cost that grows out of hand (CWE-407, hash
    flooding).
    """
    count = rng.choice(_MANY)
    return _with_member(request, rng, _members(count))


@lru_cache(maxsize=len(_MANY))
def _members(count: int) -> bytes:
    return b",".join(b'"shadow%d":%d' % (n, n) for n in range(count))


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def duplicate_json_key(request: Request, rng: Random) -> Edit | None:
    """With a name twice the receiver's behaviour is unpredictable (RFC 8259 §4), so releases must agree
    on it.
    """
    document = document_of(request)
    found = [node for node in document.nodes if node.key_start >= 0] if document else []
    if document is None or not found:
        return None
    node = rng.choice(found)
    value = rng.choice((document.raw(node), b"null", _other_type(node, rng)))
    member = document.raw_key(node) + b":" + value
    holder = document.nodes[node.parent]
    text = json.add(document, holder, member, first=rng.random() < 0.5)
    return rewritten(request, document, text, "duplicated the key of", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def repeat_json_element(request: Request, rng: Random) -> Edit | None:
    """An array that is longer, or holds an element twice, may be refused but must not break the service."""
    document = document_of(request)
    found = [node for node in nodes(document, ARRAYS) if node.children] if document else []
    if document is None or not found:
        return None
    holder = rng.choice(found)
    element = document.raw(rng.choice(document.children(holder)))
    count = rng.choice((1, 2, 100, max(1, min(5_000, 200_000 // (len(element) + 1)))))
    text = json.add(document, holder, b",".join([element] * count))
    return rewritten(request, document, text, f"repeated an element {count} times in", holder)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_json_type(request: Request, rng: Random) -> Edit | None:
    """A value of another type may be coerced or denied, never a crash (RESTler's Type kernel, FSE 2020)."""
    kinds = SCALARS | CONTAINERS
    return replaced(request, rng, kinds, lambda _, node: _other_type(node, rng), "changed the type of")


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
def rename_json_key(request: Request, rng: Random) -> Edit | None:
    """Names are compared exactly (RFC 8259 §8.3): a near miss is an unknown name, ignored or denied."""
    document = document_of(request)
    found = [node for node in document.nodes if node.key_start >= 0] if document else []
    if document is None or not found:
        return None
    node = rng.choice(found)
    key = json.text_of(document.raw_key(node))
    near = rng.choice(
        (key.upper(), key.title(), key + " ", key + "s", key[:-1], key + "\u200b", "$" + key, "")
    )
    return rewritten(request, document, json.rename(document, node, json.quote(near)), "renamed", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def replace_json_root(request: Request, rng: Random) -> Edit | None:
    """Any JSON value may be a text (RFC 8259 §2): one of an unexpected type is denied, never a crash."""
    document = document_of(request)
    if document is None:
        return None
    text = rng.choice(_ROOTS)
    return rewritten(request, document, text, f"replaced the body by {text.decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def assign_json_privilege(request: Request, rng: Random, known: Known) -> Edit | None:
    """A member the client must not set (owner, role, id, status): denied or ignored (CWE-915, WFC F203)."""
    document = document_of(request)
    if document is None or document.root.kind is not Kind.OBJECT:
        return None
    held = {json.text_of(document.raw_key(child)): child for child in document.children(document.root)}
    name, value = _privilege(held, known, rng)
    what = f"assigned {value.decode('utf-8', 'replace')[:40]} to $.{name}"
    if name in held:
        return rewritten(request, document, json.replace(document, held[name], value), what)
    member = json.quote(name) + b":" + value
    return rewritten(request, document, json.add(document, document.root, member), what)


def _privilege(held: Mapping[str, Node], known: Known, rng: Random) -> tuple[str, bytes]:
    """A name that the client does not set, and a raw value for it; both preferably such as answers showed."""
    shown: dict[str, tuple[str, ...]] = {}
    for place, seen in known.values.items():
        name = place.rpartition(".")[2]
        if place.startswith("body:$.") and name.isidentifier() and seen:
            shown[name] = seen
    told = sorted(name for name in shown if name in _PRIVILEGED)
    other = sorted(name for name in shown if name not in held)
    luck = rng.random()
    if told and luck < 0.5:
        name = rng.choice(told)
    elif other and luck < 0.75:
        name = rng.choice(other)
    else:
        name = rng.choice(tuple(_PRIVILEGED))
    if name in shown and (name not in _PRIVILEGED or rng.random() < 0.5):
        text = rng.choice(shown[name])
        raw = text.encode("utf-8", "surrogatepass")
        return name, raw if json.parse(raw) else json.quote(text)
    return name, rng.choice(_PRIVILEGED[name])


def _with_member(request: Request, rng: Random, member: bytes) -> Edit | None:
    document = document_of(request)
    found = nodes(document, OBJECTS) if document else []
    if document is None or not found:
        return None
    holder = rng.choice(found)
    shown = member[:40].decode()
    return rewritten(request, document, json.add(document, holder, member), f"added {shown} to", holder)


def _other_type(node: Node, rng: Random) -> bytes:
    kind = rng.choice([kind for kind in Kind if kind is not node.kind])
    return rng.choice(_OF_TYPE[kind])
