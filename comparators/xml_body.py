"""XML bodies."""

from collections.abc import Iterator
from typing import Any

from lxml import etree

from comparators import _tree
from comparators._body import Content, unequal
from comparators._contract import comparator
from shadow.model import Change, Difference, Response

_MAX_DEPTH = 100


@comparator
def xml_body(control: Response, other: Response) -> Iterator[Difference]:
    """Prefixes, attribute order, CDATA, comments and layout mean nothing (Namespaces in XML §2; XML §3.1)."""
    bodies = unequal(control, other, Content.XML)
    if bodies is None:
        return
    left, right = bodies
    ours, theirs = _parsed(left), _parsed(right)
    if ours is None or theirs is None:
        if ours is not theirs:
            yield Difference("body", Change.TYPE, _kind(ours), _kind(theirs))
        else:
            yield Difference("body", Change.VALUE, _start(left), _start(right))
        return
    yield from _tree.walk(ours, theirs, "body:$")


def _parsed(body: bytes) -> dict[str, Any] | None:
    """The document as nested objects; entities are left alone and nothing is fetched."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return {str(root.tag): _element(root, 0)}


def _element(element: Any, depth: int) -> Any:
    """Text alone for a leaf; else an object of ``@attribute``, ``#text`` and children by name."""
    text = " ".join(piece.strip() for piece in _texts(element) if piece.strip())
    if not element.attrib and not len(element):
        return text
    found: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    if text:
        found["#text"] = text
    if depth < _MAX_DEPTH:
        for child in element:
            if isinstance(child.tag, str):
                found.setdefault(child.tag, []).append(_element(child, depth + 1))
    return {name: _single(value) for name, value in found.items()}


def _texts(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if not isinstance(child.tag, str):
            yield child.text or ""  # an entity reference, as written
        yield child.tail or ""


def _single(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _kind(parsed: dict[str, Any] | None) -> str:
    return "not xml" if parsed is None else "xml"


def _start(body: bytes) -> str:
    return body[:256].decode("utf-8", "backslashreplace")
