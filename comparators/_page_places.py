"""What places in a page are called: by what a reader knows them by, without positions.

``page.form#login.input[user]@value`` is an attribute, ``page.main.p:you-have`` a stretch of text after the
words "you have", ``page.table#t.td[price]`` a cell of the column "price". What only lays a page out is left
out, an id begins anew, as no other element bears it, and digits are ``*``.
"""

import re

from comparators._elements import Element, text_of, whole
from comparators._line import label

ROOT = "body:page"

_LANDMARKS = frozenset(
    [
        "head",
        "form",
        "fieldset",
        "table",
        "nav",
        "header",
        "footer",
        "main",
        "article",
        "section",
        "aside",
        "ul",
        "ol",
        "dl",
        "select",
        "dialog",
        "svg",
        "script",
        "style",
        "title",
        "h1",
        "h2",
        "h3",
    ]
)
_NEVER = frozenset({"html", "body"})
_MAX_STEPS = 6
_MAX_CHARS = 40
_NOT_PLAIN = re.compile(r"[^\w-]+")
_DIGITS = re.compile(r"\d+")
_MADE_UP = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[0-9A-Za-z]{8,}|[0-9a-f]{8,}(?:-[0-9a-f]{4,}){2,}")
_KNOWN_BY = ("name", "property", "itemprop", "http-equiv", "rel", "for", "data-testid", "class", "type")


def below(path: str, element: Element, column: str = "") -> str:
    """The path of `element` in the element at `path`; `column` is what heads its column."""
    head, dot, last = path.rpartition(".")
    kept = path if not dot or _is_landmark(last) else head
    step = _step(element, column)
    if "#" in step and "*" not in step:
        return f"{ROOT}.{step}"
    parts = [*kept.split("."), step]
    return ".".join([parts[0], *parts[1:][-_MAX_STEPS:]])


def columns(table: Element) -> tuple[str, ...]:
    """What heads the columns of a table; nothing where its first row is no head."""
    row = _first_row(table)
    cells = [kid for kid in whole(row).kids if isinstance(kid, Element)] if row is not None else []
    if cells and all(cell.tag == "th" for cell in cells):
        return tuple(label(text_of(cell), 3) for cell in cells)
    return ()


def _first_row(element: Element) -> Element | None:
    for kid in whole(element).kids:
        if isinstance(kid, Element) and kid.tag in ("tr", "thead"):
            return kid if kid.tag == "tr" else _first_row(kid)
    return None


def _step(element: Element, column: str) -> str:
    if found := _plain(element.attributes.get("id", "")):
        return f"{element.tag}#{found}"
    found = column
    for name in () if found else _KNOWN_BY:
        if value := element.attributes.get(name):
            found = _plain(value.split()[0])
            break
    return f"{element.tag}[{found}]" if found else element.tag


def _plain(text: str) -> str:
    """`text` as part of a place: ids made up by machines and digits as ``*``."""
    named = _NOT_PLAIN.sub("-", text[:200]).strip("-")
    return _DIGITS.sub("*", _MADE_UP.sub("*", named))[:_MAX_CHARS]


def _is_landmark(step: str) -> bool:
    return "#" in step or step.partition("[")[0] in _LANDMARKS
