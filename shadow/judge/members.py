"""Members and elements of JSON bodies that may be left out, by their places, all else byte for byte."""

from collections.abc import Collection, Iterator

from shadow.content import json
from shadow.content.entity import replace_body
from shadow.content.json import Document, Kind, Node
from shadow.model import Request

type Path = tuple[bytes | int, ...]
"""A place from the root on: raw keys with their quotes, and positions in arrays as they were at first."""
type _Place = tuple[Path, Node | None, Node]
"""A place in the edited body, the node there of the plain one, and that of the edited one."""


def spare_members(
    plain: Request, edited: Request, depth: int, gone: Collection[Path], *, is_free: bool = False
) -> list[Path] | None:
    """Places so deep that are in both bodies with the same value, or with `is_free` any of the edited one;
    those below `gone` are left out.

    None where nothing lies so deep, or one of the bodies is no JSON.
    """
    ours, theirs = json.document(plain), json.document(edited)
    if ours is None or theirs is None:
        return None
    level: list[_Place] = [((), ours.root, theirs.root)]
    for _ in range(depth):
        level = [
            place
            for path, mine, its in level
            for place in _below(ours, theirs, path, mine, its)
            if place[0] not in gone and (is_free or place[1] is not None)
        ]
    if not level:
        return None
    return [
        path
        for path, mine, its in level
        if is_free or (mine is not None and ours.raw(mine) == theirs.raw(its))
    ]


def without_members(request: Request, paths: Collection[Path]) -> Request:
    """`request` without the members and elements at `paths`; what is not there is no matter."""
    document = json.document(request)
    if document is None:
        return request
    gone = {node.index for path in paths if (node := _at(document, path)) is not None and node.parent >= 0}
    return replace_body(request, _without(document, gone)) if gone else request


def _below(ours: Document, theirs: Document, path: Path, mine: Node | None, its: Node) -> Iterator[_Place]:
    """What the edited container holds, each with what stands in its place in the plain one, if anything: by
    name in objects, and by position in arrays in which none came or went."""
    is_like = mine is not None and mine.kind is its.kind
    if its.kind is Kind.OBJECT:
        members = _named(ours, mine) if mine is not None and is_like else {}
        yield from (((*path, key), members.get(key), node) for key, node in _named(theirs, its).items())
    elif its.kind is Kind.ARRAY:
        elements = ours.children(mine) if mine is not None and is_like else ()
        if len(elements) != len(its.children):
            elements = ()
        for at, node in enumerate(theirs.children(its)):
            yield (*path, at), elements[at] if elements else None, node


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
