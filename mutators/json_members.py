"""Members of JSON objects: added, doubled, renamed, and such as the client must not set."""

from collections.abc import Collection, Mapping
from functools import lru_cache
from random import Random

from mutators._contract import mutator
from mutators._json import OBJECTS, document_of, nodes, other_type, rewritten
from shadow.content import json
from shadow.content.json import Kind, Node
from shadow.model import Edit, Expect, Known, Level, Request

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
_WEAK = frozenset({"id", "created_at", "version", "verified"})
"""Of these the names that give little to whoever sets them."""
_ANSWERS_READ = 4
_REDIRECTED = 300
_MANY = (100, 1_001, 5_000)
_DISCRIMINATORS = frozenset(
    {b"type", b"kind", b"class", b"objecttype", b"object", b"event", b"action", b"op", b"mode"}
)


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
    value = rng.choice((document.raw(node), b"null", other_type(node, rng)))
    member = document.raw_key(node) + b":" + value
    holder = document.nodes[node.parent]
    text = json.add(document, holder, member, first=rng.random() < 0.5)
    return rewritten(request, document, text, "duplicated the key of", node)


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
def assign_json_privilege(request: Request, rng: Random, known: Known) -> Edit | None:
    """A member the client must not set (owner, role, id, status): denied or ignored (CWE-915, WFC F203)."""
    document = document_of(request)
    if document is None or document.root.kind is not Kind.OBJECT:
        return None
    held = {json.text_of(document.raw_key(child)): child for child in document.children(document.root)}
    name, value = _privilege(held, known, rng, _members_of(request, known))
    what = f"assigned {value.decode('utf-8', 'replace')[:40]} to $.{name}"
    if name in held:
        return rewritten(request, document, json.replace(document, held[name], value), what)
    member = json.quote(name) + b":" + value
    return rewritten(request, document, json.add(document, document.root, member), what)


def _members_of(request: Request, known: Known) -> frozenset[str]:
    """The members of what the request is about, as late answers about it showed them; none where none did."""
    path = request.target.partition(b"?")[0]
    found: set[str] = set()
    parsed = 0
    for each in reversed(known.others):
        answer = each.response
        is_of_it = each.request.target.startswith(path)
        if not is_of_it or answer is None or answer.status >= _REDIRECTED:
            continue
        document = json.parse(answer.body)
        if document is not None and document.root.kind is Kind.OBJECT:
            found |= {json.text_of(document.raw_key(child)) for child in document.children(document.root)}
        parsed += 1
        if parsed == _ANSWERS_READ:
            break
    return frozenset(found)


def _privilege(
    held: Mapping[str, Node], known: Known, rng: Random, own: Collection[str]
) -> tuple[str, bytes]:
    """A name that the client does not set, and a raw value for it; both preferably such as answers showed,
    best those about the same thing, whose members are its `own`."""
    shown: dict[str, tuple[str, ...]] = {}
    for place, seen in known.values.items():
        name = place.rpartition(".")[2]
        if place.startswith("body:$.") and name.isidentifier() and seen:
            shown[name] = seen
    told = sorted(name for name in shown if name in _PRIVILEGED)
    other = sorted(name for name in shown if name not in held)
    strong = [name for name in told if name not in _WEAK and name not in held]
    strong = [name for name in strong if name in own] or strong
    luck = rng.random()
    if strong and luck < 0.6:
        name = rng.choice(strong)
    elif told and luck < 0.75:
        name = rng.choice(told)
    elif other and luck < 0.9:
        name = rng.choice(other)
    else:
        name = rng.choice(tuple(_PRIVILEGED))
    if name in shown and (name not in _PRIVILEGED or rng.random() < 0.75):
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


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def swap_json_discriminator(request: Request, rng: Random, known: Known) -> Edit | None:
    """The member that says which kind of object this is, set to another kind: the members no longer fit it:
    denied, or read leniently, never a crash (CATS discriminator, CWE-843).
    """
    document = document_of(request)
    found = (
        [
            node
            for node in document.nodes
            if node.kind is Kind.STRING and node.key_start >= 0 and _is_discriminator(document.raw_key(node))
        ]
        if document
        else []
    )
    if document is None or not found:
        return None
    node = rng.choice(found)
    seen = known.values.get("body:" + json.place(document, node), ())
    old = json.text_of(document.raw(node))
    others = [each for each in seen if each != old] or [
        "shadow",
        "",
        old.upper(),
        old + "2",
        "object",
        "Object",
    ]
    text = json.replace(document, node, json.quote(rng.choice(others)))
    return rewritten(request, document, text, "swapped the discriminator", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def move_json_member(request: Request, rng: Random) -> Edit | None:
    """A member put into another object: missing where it belongs and unknown where it stands, cleanly."""
    document = document_of(request)
    holders = nodes(document, OBJECTS) if document else []
    found = [node for node in document.nodes if node.key_start >= 0] if document else []
    if document is None or len(holders) < 2 or not found:
        return None
    node, holder = rng.choice(found), rng.choice(holders)
    is_within = node.start <= holder.start < node.end
    if is_within or holder.index == node.parent:
        return None
    text = json.move(document, node, holder)
    return rewritten(request, document, text, "moved to another object", node)


def _is_discriminator(key: bytes) -> bool:
    return key.strip(b'"').lower().lstrip(b"@$_") in _DISCRIMINATORS
