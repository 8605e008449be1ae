"""JSON with positions: one value, key or member is edited, and every other byte stays as it was."""

import json
import re
from enum import StrEnum
from functools import lru_cache

import msgspec

from shadow.content.entity import entity
from shadow.model import Request, Response

MAX_BYTES = 256 * 1024
"""Larger documents are not parsed: positions cost some hundred bytes for each value."""

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_ITEM = re.compile(
    rb"[ \t\r\n]*+(,)?[ \t\r\n]*+(?:(" + _STRING + rb")[ \t\r\n]*+:[ \t\r\n]*+)?"
    rb"(?:([{\[])|([}\]])|(" + _STRING + rb")"
    rb"|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)|(true|false)|(null))"
)
"""A comma, a key with its colon, and a value or what opens or closes one: whatever of it there is."""
_OPENS, _CLOSES = 3, 4
_PLAIN_KEY = re.compile(r"[A-Za-z_$][\w$-]*", re.ASCII)


class Kind(StrEnum):
    """The type of a JSON value."""

    OBJECT = "object"
    ARRAY = "array"
    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"


_SCALARS = {5: Kind.STRING, 6: Kind.NUMBER, 7: Kind.BOOLEAN, 8: Kind.NULL}


class Node(msgspec.Struct, frozen=True, gc=False):
    """One value, ``text[start:end]``; of an object's member also the key, quotes included."""

    index: int
    """Position in `Document.nodes`."""
    kind: Kind
    start: int
    end: int
    parent: int
    """Index of the object or array that holds it; -1 for the root."""
    key_start: int
    """The key is ``text[key_start:key_end]``; both are -1 where it is not a member of an object."""
    key_end: int
    children: tuple[int, ...]
    """Indexes of members or elements, in order."""

    @property
    def begins(self) -> int:
        """Where the member (key included) or the element begins."""
        return self.key_start if self.key_start >= 0 else self.start


class Document(msgspec.Struct, frozen=True):
    """A parsed text. `nodes` are in the order in which they begin; the root is the first."""

    text: bytes
    nodes: tuple[Node, ...]

    @property
    def root(self) -> Node:
        return self.nodes[0]

    def raw(self, node: Node) -> bytes:
        """The value's own bytes."""
        return self.text[node.start : node.end]

    def raw_key(self, node: Node) -> bytes:
        """The key with its quotes; empty where the node is no member."""
        return self.text[node.key_start : node.key_end] if node.key_start >= 0 else b""

    def children(self, node: Node) -> tuple[Node, ...]:
        return tuple(self.nodes[index] for index in node.children)

    def keys(self, node: Node) -> list[bytes]:
        """The raw keys of an object, in order, duplicates kept."""
        return [self.raw_key(child) for child in self.children(node)]


@lru_cache(maxsize=16)  # one body is mutated many times over; at most 16 documents of MAX_BYTES stay
def parse(text: bytes) -> Document | None:
    """The document, or None where `text` is not JSON (RFC 8259) or over MAX_BYTES. A leading BOM is let pass.

    Duplicate keys, lone surrogates, numbers of any size and bytes that are not UTF-8 inside strings are kept.
    """
    if not text or len(text) > MAX_BYTES:
        return None
    return _read(text)


def document(message: Request | Response) -> Document | None:
    """The message's body as a document; None where it is empty, not JSON, or cannot be decoded."""
    body = entity(message)
    return parse(body) if body else None


def replace(document: Document, node: Node, value: bytes) -> bytes:
    """The text with `node`'s value replaced by `value`."""
    return document.text[: node.start] + value + document.text[node.end :]


def rename(document: Document, node: Node, key: bytes) -> bytes:
    """The text with the member's key replaced by `key` (quotes included)."""
    return document.text[: node.key_start] + key + document.text[node.key_end :]


def drop(document: Document, node: Node) -> bytes:
    """The text without the member or element and without one of the commas beside it; the root stays."""
    start, end = _reach(document, node)
    return document.text[:start] + document.text[end:]


def move(document: Document, node: Node, holder: Node) -> bytes:
    """The text with the member put into `holder`, last: another object, which is not within the member."""
    text = document.text
    start, end = _reach(document, node)
    has_any = bool(holder.children)
    at = document.nodes[holder.children[-1]].end if has_any else holder.start + 1
    member = (b"," if has_any else b"") + text[node.begins : node.end]
    if at <= start:
        return text[:at] + member + text[at:start] + text[end:]
    return text[:start] + text[end:at] + member + text[at:]


def _reach(document: Document, node: Node) -> tuple[int, int]:
    """From where to where a member or an element goes with one comma beside it; of the root nothing."""
    if node.parent < 0:
        return 0, 0
    siblings = document.nodes[node.parent].children
    at = siblings.index(node.index)
    start, end = node.begins, node.end
    if at + 1 < len(siblings):
        end = document.nodes[siblings[at + 1]].begins
    elif at > 0:
        start = document.nodes[siblings[at - 1]].end
    return start, end


def add(document: Document, holder: Node, member: bytes, *, first: bool = False) -> bytes:
    """The text with `member` (``b'"k":1'`` or an element) put into an object or array, last or first."""
    text = document.text
    if not holder.children:
        at = holder.start + 1
        return text[:at] + member + text[at:]
    if first:
        at = document.nodes[holder.children[0]].begins
        return text[:at] + member + b"," + text[at:]
    at = document.nodes[holder.children[-1]].end
    return text[:at] + b"," + member + text[at:]


def reorder(document: Document, holder: Node, order: list[int]) -> bytes:
    """The text with the members or elements of `holder` in `order`; what is between stays in place."""
    children = document.children(holder)
    text = document.text
    pieces = [text[: children[0].begins]]
    for at, old in enumerate(order):
        chosen = children[old]
        pieces.append(text[chosen.begins : chosen.end])
        gap_end = children[at + 1].begins if at + 1 < len(children) else len(text)
        pieces.append(text[children[at].end : gap_end])
    return b"".join(pieces)


def path(document: Document, node: Node) -> str:
    """The node's place: ``$.items[3].price``; a key that is no plain word as ``$["odd key"]``."""
    steps: list[str] = []
    while node.parent >= 0:
        holder = document.nodes[node.parent]
        steps.append(_step(document, holder, node))
        node = holder
    return "$" + "".join(reversed(steps))


def place(document: Document, node: Node) -> str:
    """The node's place with array positions left out: ``$.items[].price``."""
    steps: list[str] = []
    while node.parent >= 0:
        holder = document.nodes[node.parent]
        steps.append("[]" if holder.kind is Kind.ARRAY else _step(document, holder, node))
        node = holder
    return "$" + "".join(reversed(steps))


def find(document: Document, wanted: str) -> Node | None:
    """The first node whose `path` is `wanted`."""
    return next((node for node in document.nodes if path(document, node) == wanted), None)


@lru_cache(maxsize=4096)
def member_step(key: str) -> str:
    """What a member of this name adds to the place of its object: ``.price``, ``["odd key"]``."""
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{json.dumps(key, ensure_ascii=False)}]"


def text_of(raw: bytes) -> str:
    """The text of a raw JSON string with its quotes; lone surrogates kept, bytes not UTF-8 replaced."""
    try:
        value = json.loads(raw.decode("utf-8", "replace"))
    except ValueError:
        return raw.decode("utf-8", "replace")
    return value if isinstance(value, str) else raw.decode("utf-8", "replace")


def quote(text: str) -> bytes:
    """`text` as a raw JSON string: UTF-8, with lone surrogates escaped."""
    raw = json.dumps(text, ensure_ascii=False)
    try:
        return raw.encode()
    except UnicodeEncodeError:
        return json.dumps(text).encode()


def _step(document: Document, holder: Node, node: Node) -> str:
    if holder.kind is Kind.ARRAY:
        return f"[{holder.children.index(node.index)}]"
    return member_step(text_of(document.raw_key(node)))


def _read(text: bytes) -> Document | None:  # one loop: a call for each value would double it
    """The document, or None where the grammar is broken. Depth costs no stack."""
    kinds: list[Kind] = []
    starts: list[int] = []
    ends: list[int] = []
    parents: list[int] = []
    keys: list[tuple[int, int]] = []
    children: list[list[int]] = []
    siblings: list[int] = []
    none: list[int] = []
    holder, is_object = -1, False
    at = len(_BOM) if text.startswith(_BOM) else 0
    match = _ITEM.match
    while True:
        found = match(text, at)
        if found is None:
            return None
        group = found.lastindex or 0
        start, at = found.span(group)
        key = found.span(2)
        has_comma = found.start(1) >= 0
        if group == _CLOSES:
            if holder < 0 or has_comma or key[0] >= 0 or (text[start] == 0x7D) is not is_object:
                return None
            ends[holder] = at
            holder = parents[holder]
            if holder < 0:
                break
            is_object, siblings = kinds[holder] is Kind.OBJECT, children[holder]
            continue
        if (key[0] >= 0) is not is_object or has_comma is not bool(siblings):
            return None
        index = len(kinds)
        if holder >= 0:
            siblings.append(index)
        starts.append(start)
        ends.append(at)
        parents.append(holder)
        keys.append(key)
        if group == _OPENS:
            is_object, siblings, holder = text[start] == 0x7B, [], index
            kinds.append(Kind.OBJECT if is_object else Kind.ARRAY)
            children.append(siblings)
        else:
            kinds.append(_SCALARS[group])
            children.append(none)
            if holder < 0:
                break
    end = _SPACE.match(text, at)
    if end is None or end.end() != len(text):
        return None
    columns = zip(kinds, starts, ends, parents, keys, children, strict=True)
    return Document(
        text,
        tuple(
            [
                Node(index, kind, start, stop, parent, key[0], key[1], tuple(held))
                for index, (kind, start, stop, parent, key, held) in enumerate(columns)
            ]
        ),
    )
