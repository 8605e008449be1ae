"""Members and elements of JSON bodies that may be left out, by their places, all else byte for byte."""

from collections.abc import Collection, Iterator

from shadow.content import json
from shadow.content.entity import replace_body
from shadow.content.json import Document, Kind, Node
from shadow.model import Request

type Path = tuple[bytes | int, ...]
"""A place from the root on: raw keys with their quotes, and positions in arrays as they were at first."""


def spare_members(plain: Request, edited: Request, depth: int, gone: Collection[Path]) -> list[Path] | None:
    """Places so deep that are in both bodies with the same value; those below `gone` are left out.

    None where nothing lies so deep in both, or one of the bodies is no JSON.
    """
    ours, theirs = json.document(plain), json.document(edited)
    if ours is None or theirs is None:
        return None
    level = [((), ours.root, theirs.root)]  # type: list[tuple[Path, Node, Node]]
    for _ in range(depth):
        level = [
            (place, one, other)
            for path, mine, its in level
            for place, one, other in _paired(ours, theirs, path, mine, its)
            if place not in gone
        ]
    if not level:
        return None
    return [path for path, mine, its in level if _is_same(ours, theirs, mine, its)]


def without_members(request: Request, paths: Collection[Path]) -> Request:
    """`request` without the members and elements at `paths`; what is not there is no matter."""
    document = json.document(request)
    if document is None:
        return request
    gone = {node.index for path in paths if (node := _at(document, path)) is not None and node.parent >= 0}
    return replace_body(request, _without(document, gone)) if gone else request


def _paired(
    ours: Document, theirs: Document, path: Path, mine: Node, its: Node
) -> Iterator[tuple[Path, Node, Node]]:
    """What is in both containers, with its place: of objects by name, of arrays only where none came or
    went."""
    if mine.kind is not its.kind:
        return
    if mine.kind is Kind.ARRAY and len(mine.children) == len(its.children):
        pairs = zip(ours.children(mine), theirs.children(its), strict=True)
        yield from (((*path, at), one, other) for at, (one, other) in enumerate(pairs))
    if mine.kind is Kind.OBJECT:
        members, others = _named(ours, mine), _named(theirs, its)
        yield from (((*path, key), node, others[key]) for key, node in members.items() if key in others)


def _named(document: Document, holder: Node) -> dict[bytes, Node]:
    """Members whose key is there once, by the raw key."""
    found: dict[bytes, Node] = {}
    twice: set[bytes] = set()
    for child in document.children(holder):
        key = document.raw_key(child)
        if key in found:
            twice.add(key)
        found[key] = child
    return {key: node for key, node in found.items() if key not in twice}


def _is_same(ours: Document, theirs: Document, mine: Node, its: Node) -> bool:
    return ours.raw(mine) == theirs.raw(its)


def _at(document: Document, path: Path) -> Node | None:
    node = document.root
    for step in path:
        if isinstance(step, int):
            if node.kind is not Kind.ARRAY or step >= len(node.children):
                return None
            node = document.nodes[node.children[step]]
        elif node.kind is not Kind.OBJECT or (found := _named(document, node).get(step)) is None:
            return None
        else:
            node = found
    return node


def _without(document: Document, gone: Collection[int]) -> bytes:
    """The text without these nodes, nor the commas that they leave behind."""
    spans = sorted(_spans(document, gone))
    out, at = [], 0
    for start, end in spans:
        if start >= at:  # else it lies in one that is gone already
            out.append(document.text[at:start])
            at = end
    return b"".join((*out, document.text[at:]))


def _spans(document: Document, gone: Collection[int]) -> Iterator[tuple[int, int]]:
    for holder in {document.nodes[index].parent for index in gone}:
        children = document.children(document.nodes[holder])
        kept = [at for at, child in enumerate(children) if child.index not in gone]
        if not kept:
            yield children[0].begins, children[-1].end
            continue
        if kept[0]:
            yield children[0].begins, children[kept[0]].begins
        for before, after in zip(kept, [*kept[1:], len(children)], strict=True):
            if after > before + 1:
                yield children[before].end, children[after - 1].end
