"""HTML by its elements."""

from collections.abc import Iterator

from comparators._body import Content, decoded, unequal
from comparators._contract import comparator
from comparators._elements import pages
from comparators._page_places import ROOT
from comparators._pages import compared
from comparators.text_body import compared as compared_text
from shadow.model import Difference, Response


@comparator
def html_body(control: Response, other: Response) -> Iterator[Difference]:
    """A page is the tree of its elements: order of attributes and of classes, quotes, entities, comments,
    end tags that may be left out and white space that is layout mean nothing (HTML Living Standard §13).

    A page that is too large or too deep for that is compared line by line.
    """
    bodies = unequal(control, other, Content.HTML)
    if bodies is None:
        return
    left, right = decoded(control, bodies[0]), decoded(other, bodies[1])
    found = pages(left, right)
    if found is None:
        yield from compared_text(left.encode("utf-8", "replace"), right.encode("utf-8", "replace"))
    else:
        yield from compared(*found, ROOT)
