"""XML by its elements."""

from collections.abc import Iterable, Iterator, Sequence
from operator import ne
from typing import Any

from comparators import _tree
from comparators._alignment import Pairs, aligned, common_ends, order
from comparators._body import Content, unequal
from comparators._bounded import bounded, bounded_pair
from comparators._contract import comparator
from comparators._documents import Node, documents, is_large, local, plain
from comparators._places import member
from comparators.text_body import compared as compared_text
from shadow.model import Change, Difference, Response

_MAX_NAMES = 40


@comparator
def xml_body(control: Response, other: Response) -> Iterator[Difference]:
    """Prefixes, attribute order, CDATA, comments, character references, layout between elements and the
    encoding mean nothing (Namespaces in XML §2; XML §3.1); the order of elements does.

    What no reader takes for XML, and what is too large, is compared line by line.
    """
    bodies = unequal(control, other, Content.XML)
    if bodies is None:
        return
    left, right = bodies
    if is_large(left) or is_large(right):
        yield from compared_text(left, right)
        return
    ours, theirs = documents(left, right)
    if ours is None and theirs is None:
        yield from compared_text(left, right)
    elif ours is None or theirs is None:
        yield Difference("body", Change.TYPE, _kind(ours), _kind(theirs))
    elif ours.name != theirs.name:
        yield Difference(member("body:$", ours.name), Change.MISSING, bounded(plain(ours)), None)
        yield Difference(member("body:$", theirs.name), Change.ADDED, None, bounded(plain(theirs)))
    else:
        yield from _elements(ours, theirs, member("body:$", ours.name), ("", ""))


def _elements(left: Node, right: Node, where: str, spaces: tuple[str, str]) -> Iterator[Difference]:
    """`spaces` are the namespaces that were found to differ above, which are not told again."""
    if left == right:
        return
    own = (left.namespace, right.namespace)
    if own[0] != own[1] and own != spaces:
        yield Difference(f"{where}:namespace", Change.TYPE, *bounded_pair(*own))
        spaces = own
    yield from _attributes(left, right, where)
    if bool(left.elements) != bool(right.elements) and (left.text or right.text):
        yield Difference(where, Change.TYPE, bounded(plain(left)), bounded(plain(right)))
        return
    if (ours := _text(left)) != (theirs := _text(right)):
        yield Difference(where, Change.VALUE, *bounded_pair(ours, theirs))
    yield from _children(left, right, where, spaces)


def _attributes(left: Node, right: Node, where: str) -> Iterator[Difference]:
    ours, theirs = left.attributes, right.attributes
    for name, value in ours.items():
        place = member(where, f"@{local(name)}")
        if name not in theirs:
            yield Difference(place, Change.MISSING, bounded(value), None)
        elif theirs[name] != value:
            yield Difference(place, Change.VALUE, *bounded_pair(value, theirs[name]))
    for name, value in theirs.items():
        if name not in ours:
            yield Difference(member(where, f"@{local(name)}"), Change.ADDED, None, bounded(value))


def _children(left: Node, right: Node, where: str, spaces: tuple[str, str]) -> Iterator[Difference]:
    """Elements of one name are matched like those of an array; then the order of all is looked at."""
    ours, theirs = _by_name(left), _by_name(right)
    partners: dict[int, int] = {}
    for name in {**ours, **theirs}:
        mine, its = ours.get(name, []), theirs.get(name, [])
        place = member(where, name)
        if len(mine) == len(its) == 1:
            partners[id(mine[0])] = id(its[0])
            yield from _elements(mine[0], its[0], place, spaces)
        else:
            yield from _repeated(mine, its, place, spaces, partners)
    yield from _sequence(left, right, where, partners)


def _repeated(
    mine: Sequence[Node], its: Sequence[Node], where: str, spaces: tuple[str, str], partners: dict[int, int]
) -> Iterator[Difference]:
    is_list = max(len(mine), len(its)) > 1
    if mine and its and len(mine) != len(its):
        yield Difference(where, Change.LENGTH, len(mine), len(its))
    if len(mine) == len(its) and sum(map(ne, mine, its)) <= 1:  # nothing can have moved
        for at, (node, partner) in enumerate(zip(mine, its, strict=True)):
            partners[id(node)] = id(partner)
            yield from _elements(node, partner, f"{where}[{at}]", spaces)
        return
    ours, theirs = [plain(each) for each in mine], [plain(each) for each in its]
    pairs = aligned(ours, theirs, _tree.canonical)
    if pairs.is_reordered:
        yield Difference(where, Change.ORDER, *_orders(ours, theirs, pairs))
    for one, other in pairs.both:
        partners[id(mine[one])] = id(its[other])
        yield from _elements(mine[one], its[other], f"{where}[{one}]", spaces)
    for at in pairs.missing:
        yield Difference(f"{where}[{at}]" if is_list else where, Change.MISSING, bounded(ours[at]), None)
    for at in pairs.added:
        yield Difference(f"{where}[{at}]" if is_list else where, Change.ADDED, None, bounded(theirs[at]))


def _sequence(left: Node, right: Node, where: str, partners: dict[int, int]) -> Iterator[Difference]:
    """Names of elements, and texts between them, where both have the same ones in another order."""
    matched = set(partners.values())
    ours = _names(kid for kid in left.kids if isinstance(kid, str) or id(kid) in partners)
    theirs = _names(kid for kid in right.kids if isinstance(kid, str) or id(kid) in matched)
    if ours != theirs and (sorted(ours) == sorted(theirs) or _text(left) == _text(right)):
        start, _ = common_ends(ours, theirs)
        end = start + _MAX_NAMES
        yield Difference(f"{where}:sequence", Change.ORDER, ours[start:end], theirs[start:end])


def _names(kids: Iterable[Node | str]) -> list[str]:
    """The names of `kids`; texts that follow each other are one."""
    found: list[str] = []
    for kid in kids:
        name = "#text" if isinstance(kid, str) else kid.name
        if name != "#text" or found[-1:] != ["#text"]:
            found.append(name)
    return found


def _text(node: Node) -> str:
    """What stands between elements is broken and indented at will; a text alone is kept as it is."""
    return " ".join(node.text.split()) if node.elements else node.text


def _by_name(node: Node) -> dict[str, list[Node]]:
    found: dict[str, list[Node]] = {}
    for each in node.elements:
        found.setdefault(each.name, []).append(each)
    return found


def _orders(left: list[Any], right: list[Any], pairs: Pairs) -> tuple[Any, Any]:
    """The order of the elements that both hold, from the first that moved on."""
    moved = next((at for at, (ours, theirs) in enumerate(pairs.both) if ours != theirs), 0)
    shown = pairs.both[moved : moved + _MAX_NAMES]
    partners = sorted(theirs for _, theirs in shown)
    return (
        bounded(order(left, (ours for ours, _ in shown), pairs.named_by)),
        bounded(order(right, partners, pairs.named_by)),
    )


def _kind(parsed: Node | None) -> str:
    return "not xml" if parsed is None else "xml"
