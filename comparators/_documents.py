"""XML documents as they are meant: names with their namespaces, text and elements in their order."""

from collections.abc import Sequence
from typing import Any

import msgspec
from lxml import etree

from comparators._alignment import common_ends
from comparators._elements import AsWritten

_MAX_DEPTH = 100
"""Deeper elements are left out: no service nests so far."""
_MAX_BYTES = 4 << 20
_MAX_TAGS = 60_000
"""Larger documents are compared as lines: trees of them cost seconds."""
_MAX_ATTRIBUTES = 1000
"""Of one element: lxml looks through all of them for each, so twenty thousand take seconds."""
_MAX_PREFIXES = 20
"""Of an element whose children are looked at as they are written: each is, with all these."""
_PRESERVE = "{http://www.w3.org/XML/1998/namespace}space"


class _TooManyAttributesError(Exception):
    """An element has more attributes than can be read."""


class Node(msgspec.Struct, frozen=True):
    """One element. Attributes have their namespace in braces, if any."""

    name: str
    """Without a prefix."""
    namespace: str
    attributes: dict[str, str]
    kids: tuple["Node | str", ...]
    """Elements, and texts that are more than layout."""
    source: tuple[Any, int, bool] | None = None
    """Of one that stands alike in both documents, what it is read from once that is asked for; then it has
    neither attributes nor kids."""

    @property
    def elements(self) -> list["Node"]:
        return [kid for kid in self.kids if isinstance(kid, Node)]

    @property
    def text(self) -> str:
        return " ".join(kid for kid in self.kids if isinstance(kid, str))


def documents(left: bytes, right: bytes) -> tuple[Node | None, Node | None]:
    """The roots of two XML documents, None for one that is not well-formed, and for both where one has
    more attributes than can be read.

    Entities that a document itself declares are not put in, nothing is fetched, and what is nested too deep
    or too large is refused by the parser. What both have alike at their ends is read once.
    """
    ours, theirs = _root(left), _root(right)
    try:
        if ours is not None and theirs is not None and ours.tag == theirs.tag:
            return _both(ours, theirs, 0, is_kept=False)
        found = [None if each is None else _node(each, 0, is_kept=False) for each in (ours, theirs)]
    except _TooManyAttributesError:
        return None, None
    return found[0], found[1]


def _root(body: bytes) -> Any:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True, strip_cdata=True
    )
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None


def is_large(body: bytes) -> bool:
    return len(body) > _MAX_BYTES or body.count(b"<") > _MAX_TAGS


def plain(node: Node) -> Any:
    """The element as nested objects, to be shown and to be matched with others of its name: its text alone
    for one that holds nothing else; else ``@attribute``, ``#text`` and elements by name."""
    if node.source is not None:
        found_in, depth, is_kept = node.source
        node = _node(found_in, depth, is_kept=is_kept)
    if not node.attributes and not node.elements:
        return node.text
    found: dict[str, Any] = {f"@{local(name)}": value for name, value in node.attributes.items()}
    if text := node.text:
        found["#text"] = text
    named: dict[str, list[Any]] = {}
    for each in node.elements:
        named.setdefault(each.name, []).append(plain(each))
    return {**found, **{name: each if len(each) > 1 else each[0] for name, each in named.items()}}


def local(name: str) -> str:
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _both(left: Any, right: Any, depth: int, *, is_kept: bool) -> tuple[Node, Node]:
    is_kept = _is_kept(left, is_kept=is_kept)
    ours, theirs = list(left), list(right)
    if depth >= _MAX_DEPTH or is_kept is not _is_kept(right, is_kept=is_kept):
        return _node(left, depth, is_kept=is_kept), _node(right, depth, is_kept=is_kept)
    is_short = len(left.nsmap) <= _MAX_PREFIXES
    head, tail = common_ends(AsWritten(ours), AsWritten(theirs)) if is_short else (0, 0)
    mine, its = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    alike = [*ours[:head], *ours[len(ours) - tail :]]
    nodes = [_known(each, depth, is_kept=is_kept) for each in alike]
    first, last = nodes[:head], nodes[head:]
    if len(mine) == len(its) == 1 and mine[0].tag == its[0].tag and isinstance(mine[0].tag, str):
        one, other = _both(mine[0], its[0], depth + 1, is_kept=is_kept)
        return (
            _of_kids(left, [*first, one, *last], is_kept=is_kept),
            _of_kids(right, [*first, other, *last], is_kept=is_kept),
        )
    return (
        _of_kids(
            left, [*first, *(_child(each, depth, is_kept=is_kept) for each in mine), *last], is_kept=is_kept
        ),
        _of_kids(
            right, [*first, *(_child(each, depth, is_kept=is_kept) for each in its), *last], is_kept=is_kept
        ),
    )


def _node(found: Any, depth: int, *, is_kept: bool) -> Node:
    is_kept = _is_kept(found, is_kept=is_kept)
    children = [_child(each, depth, is_kept=is_kept) for each in found] if depth < _MAX_DEPTH else []
    return _of_kids(found, children, is_kept=is_kept)


def _known(found: Any, depth: int, *, is_kept: bool) -> Node | None:
    if not isinstance(found.tag, str):
        return None
    namespace, _, name = found.tag.rpartition("}")
    return Node(name, namespace[1:], {}, (), (found, depth + 1, is_kept))


def _child(found: Any, depth: int, *, is_kept: bool) -> Node | None:
    """None for a reference to an entity."""
    return _node(found, depth + 1, is_kept=is_kept) if isinstance(found.tag, str) else None


def _is_kept(found: Any, *, is_kept: bool) -> bool:
    """Whether white space is no layout in there."""
    space = found.get(_PRESERVE)
    return is_kept if space is None else space == "preserve"


def _of_kids(found: Any, children: Sequence[Node | None], *, is_kept: bool) -> Node:
    """`found` of the nodes that its `children` became, with the texts between them."""
    kids: list[Node | str] = []
    text = found.text or ""
    for child, node in zip(found, children, strict=False) if children else ():
        if node is not None:
            _put(kids, text, is_kept=is_kept)
            kids.append(node)
            text = child.tail or ""
        else:
            text += (child.text or "") + (child.tail or "")
    _put(kids, text, is_kept=is_kept)
    namespace, _, name = found.tag.rpartition("}")
    attributes = _attributes(found) if found.attrib else {}
    return Node(name, namespace[1:], attributes, tuple(kids))


def _attributes(found: Any) -> dict[str, str]:
    if len(found.attrib) > _MAX_ATTRIBUTES:
        raise _TooManyAttributesError
    prefixes = found.nsmap if any(":" in value for value in found.attrib.values()) else {}
    return {name: _value(name, value, prefixes) for name, value in found.attrib.items()}


def _put(kids: list[Node | str], text: str, *, is_kept: bool) -> None:
    if kept := text if is_kept else text.strip():
        kids.append(kept)


def _value(name: str, value: str, prefixes: dict[str | None, str]) -> str:
    """The type of an element names it with a prefix, which is free to choose (XML Schema §2.6.1)."""
    prefix, colon, rest = value.partition(":")
    if colon and local(name) == "type" and prefix in prefixes:
        return f"{{{prefixes[prefix]}}}{rest}"
    return value
