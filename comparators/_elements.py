"""Pages as trees of elements, with all taken off that has no meaning (HTML Living Standard §13).

The only home of HTML parsing: real pages are read as browsers nearly read them, hostile ones are refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lxml import etree

from comparators._alignment import common_ends
from comparators._attributes import attributes

MAX_PAGE_BYTES = 1 << 20
"""Larger pages are compared as lines: trees of them cost seconds."""
_MAX_ATTRIBUTES = 500
"""Of one tag: libxml2 looks through all earlier ones for each, so sixty thousand take a quarter minute."""
_MAX_NEAR = 8
_VERBATIM = frozenset({"pre", "textarea", "xmp", "listing"})
CODE = frozenset({"script", "style"})
_TRANSPARENT = frozenset({"tbody"})
"""May be left out (HTML Living Standard §13.1.2.4), and parsers differ in whether they put it in."""
_MAX_TAG_BYTES = 2000
"""So many bytes hold fewer than a thousand attributes."""
_QUOTED_END = re.compile(rb"""=\s*+(?:"[^">]*+>|'[^'>]*+>)""")
"""A quoted value that holds the sign that ends tags, in which alone a tag can go on after one."""
_TAG = re.compile(
    rb"<(?:(?P<comment>!--)|(?P<raw>script|style|textarea|title|xmp)(?=[\s/>])|[a-z][^\s/>]*+)", re.IGNORECASE
)
_ODD_END = re.compile(rb"^--?>|--!>")
"""Ends of comments at which readers part."""
_ATTRIBUTE = re.compile(rb"""[\s/]*+[^\s/>=][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+))?""")


class Element:
    """One element. `sig` is equal for elements that mean the same, whole subtrees included."""

    __slots__ = ("attributes", "kids", "sig", "size", "source", "tag", "twin", "words")

    def __init__(
        self, tag: str, found: dict[str, str], kids: "list[Element | str]", source: Any = None
    ) -> None:
        self.tag = tag
        self.attributes: Mapping[str, str] = found
        self.kids = kids
        """Elements, and texts between them without white space that is layout."""
        self.size = 1
        self.sig: int
        marks = []
        for kid in kids:
            if isinstance(kid, str):
                marks.append(hash(kid))
                self.size += 1
            else:
                marks.append(kid.sig)
                self.size += kid.size
        self.source = source
        """Of one that stands alike in both pages, as it was parsed, in place of `kids`; else None."""
        self.sig = hash((tag, frozenset(found.items()), tuple(marks)) if source is None else (id(source),))
        self.twin: object = None
        """The same for the two elements of two pages that are known to share some of what they hold."""
        self.words: frozenset[str] | None = None
        """What is known of its contents, once it was asked for."""


def pages(left: str, right: str) -> "tuple[Element, Element] | None":
    """The roots of two pages, None where one cannot be read within bounds: too large, too deep, tags without
    end. What stands alike at both ends of both is one `Element`, whose contents are not looked at."""
    ours, theirs = _root(left), _root(right)
    if ours is None or theirs is None:
        return None
    return _both(ours, theirs, is_verbatim=False)


def whole(element: Element) -> Element:
    """`element` with its contents, where these were left out as they stand alike in both pages."""
    return element if element.source is None else _element(element.source, is_verbatim=False)


def text_of(element: Element) -> str:
    """All text within, as one line."""
    return " ".join(_texts(element))


def tag_text(element: Element) -> str:
    """The opening tag as it might be written."""
    settings = "".join(f' {name}="{value}"' for name, value in element.attributes.items())
    return f"<{element.tag}{settings}>"


def outline(element: Element) -> str:
    """The element as text, shortened."""
    return f"{tag_text(element)[:400]}{text_of(element)[:400]}"


def _texts(element: Element) -> Iterator[str]:
    if element.source is not None:
        yield " ".join("".join(element.source.itertext()).split())
    for kid in element.kids:
        if isinstance(kid, str):
            yield kid
        else:
            yield from _texts(kid)


def _root(text: str) -> Any:
    body = text.encode("utf-8", "replace")
    if len(body) > MAX_PAGE_BYTES or not _is_harmless(body):
        return None
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    is_too_deep = any("depth" in each.message.lower() for each in parser.error_log)
    return None if is_too_deep else root


def _both(left: Any, right: Any, *, is_verbatim: bool) -> tuple[Element, Element]:
    tag = left.tag.lower()
    if left.tag != right.tag or tag in CODE:
        return _element(left, is_verbatim=is_verbatim), _element(right, is_verbatim=is_verbatim)
    is_verbatim = is_verbatim or tag in _VERBATIM
    ours, theirs = _children(left), _children(right)
    head, tail = common_ends(AsWritten(ours), AsWritten(theirs))
    mine, its = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    ours, theirs, head, tail = _fewer(ours, theirs, head, tail)
    first = [_element(each, is_verbatim=is_verbatim, is_known=True) for each in ours[:head]]
    last = [_element(each, is_verbatim=is_verbatim, is_known=True) for each in ours[len(ours) - tail :]]
    if len(mine) == len(its) == 1:
        alone, partner = _both(mine[0], its[0], is_verbatim=is_verbatim)
        middle, its_middle = [alone], [partner]
    else:
        middle = [_element(each, is_verbatim=is_verbatim) for each in mine]
        its_middle = [_element(each, is_verbatim=is_verbatim) for each in its]
    one = _parent(left, tag, ours, [*first, *middle, *last], is_verbatim=is_verbatim)
    other = _parent(right, tag, theirs, [*first, *its_middle, *last], is_verbatim=is_verbatim)
    if head or tail or (len(middle) == 1 and middle[0].twin is not None):
        one.twin = other.twin = object()
    return one, other


def _fewer(ours: list[Any], theirs: list[Any], head: int, tail: int) -> tuple[list[Any], list[Any], int, int]:
    """Both without most of what stands alike at their ends; what names the rest is near, or at the start."""
    if head > 2 * _MAX_NEAR:
        cut = slice(_MAX_NEAR, head - _MAX_NEAR)
        ours, theirs = [*ours[: cut.start], *ours[cut.stop :]], [*theirs[: cut.start], *theirs[cut.stop :]]
        head = 2 * _MAX_NEAR
    if tail > _MAX_NEAR:
        left_out = tail - _MAX_NEAR
        ours, theirs, tail = ours[:-left_out], theirs[:-left_out], _MAX_NEAR
    return ours, theirs, head, tail


class AsWritten(Sequence[bytes]):
    """Elements as they are written, one by one and when asked for."""

    def __init__(self, found: Sequence[Any]) -> None:
        self._found = found

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, at: Any) -> Any:
        return etree.tostring(self._found[at])


def _children(found: Any) -> list[Any]:
    children: list[Any] = []
    for child in found:
        if not isinstance(child.tag, str):
            continue  # a reference to an entity that nobody knows
        if child.tag == "meta" and _says_charset(child):
            continue  # which was undone, and means nothing more
        if child.tag == "head" and not child.attrib and not _children(child):
            continue  # it goes without saying
        if child.tag in _TRANSPARENT:
            children += _children(child)
        else:
            children.append(child)
    return children


def _says_charset(meta: Any) -> bool:
    return meta.get("charset") is not None or (meta.get("http-equiv") or "").lower() == "content-type"


def _parent(
    found: Any, tag: str, children: Sequence[Any], elements: Sequence[Element], *, is_verbatim: bool
) -> Element:
    """`found` of the `elements` that its `children` became, with the texts between them."""
    kids: list[Element | str] = []
    _put(kids, found.text, is_verbatim=is_verbatim)
    for child, element in zip(children, elements, strict=True):
        kids.append(element)
        if child.tail is not None:
            _put(kids, child.tail, is_verbatim=is_verbatim)
    return Element(tag, attributes(tag, found.attrib) if found.attrib else {}, kids)


def _element(found: Any, *, is_verbatim: bool, is_known: bool = False) -> Element:
    """`found` as an `Element`; without its contents where these are known to be the other page's too."""
    tag = found.tag.lower()
    settings = attributes(tag, found.attrib) if found.attrib else {}
    if is_known:
        return Element(tag, settings, [], found)
    if tag in CODE:
        return Element(tag, settings, _code(found.text or ""))
    is_verbatim = is_verbatim or tag in _VERBATIM
    children = _children(found)
    elements = [_element(each, is_verbatim=is_verbatim) for each in children]
    return _parent(found, tag, children, elements, is_verbatim=is_verbatim)


def _put(kids: list[Element | str], text: str | None, *, is_verbatim: bool) -> None:
    if not text or (not is_verbatim and text.isspace()):
        return
    if is_verbatim:
        lines = text.replace("\r\n", "\n").split("\n")
        text = "\n".join(line.rstrip() for line in (lines if lines[0] or kids else lines[1:])).rstrip()
    else:
        text = " ".join(text.split())
    if text:
        kids.append(text)


def _code(text: str) -> list[Element | str]:
    """Lines without indents: what they mean does not hang on these."""
    lines = "\n".join(line for each in text.splitlines() if (line := each.strip()))
    return [lines] if lines else []


def _is_harmless(body: bytes) -> bool:
    """Whether no tag has more attributes than the parser can bear, read as HTML §13.2.5 reads tags."""
    if _QUOTED_END.search(body) is None and max(map(len, body.split(b">"))) < _MAX_TAG_BYTES:
        return True  # no tag holds a ">" but its last
    lower = body.lower()
    at = 0
    while (found := _TAG.search(body, at)) is not None:
        at = found.end()
        if end := found["comment"] or found["raw"]:
            mark = b"-->" if found["comment"] else b"</" + end.lower()
            at = _after_tag(body, at) if found["raw"] else at
            if at < 0:
                return False
            at = lower.find(mark, at)
            if at < 0:
                return True
            if found["comment"] and _ODD_END.search(body, found.end() - 2, at + 1):
                return False
        elif (at := _after_tag(body, at)) < 0:
            return False
    return True


def _after_tag(body: bytes, at: int) -> int:
    """Where the attributes from `at` on end; -1 where they are too many."""
    for _ in range(_MAX_ATTRIBUTES):
        found = _ATTRIBUTE.match(body, at)
        if found is None:
            return at
        at = found.end()
    return -1
