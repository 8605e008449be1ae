"""Places in answers as patterns: array positions and identifiers taken out, so that like places are one."""

import re

_INDEX = re.compile(r"\[\d+\]")
_ENTRY = re.compile(r"\.?\{[^}]*\}")
_KEY = re.compile(r"""\.([^.\[\]{}<]+)|\["((?:[^"\\]|\\.)*)"\]""")
_ID = re.compile(
    r"[0-9]+"
    r"|[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
    r"|(?=[0-9a-f]*[0-9])(?=[0-9]*[a-f])[0-9a-f]{8,}"
    r"|[A-Za-z]{1,8}[-_:]?(?=[0-9A-Za-z]*[0-9])[0-9A-Za-z]{6,}"
)
"""Numbers, UUIDs, hexadecimal, prefixed random ids."""
_DIGIT = re.compile(r"[0-9]")
_MIN_ID_DIGITS = 5
"""Whatever holds so many digits is no name that a programmer gave."""
_LAST_NAME = re.compile(r"""(?:\.|\[")?([^.\[\]{}":]+)"?\]?(?:\[\d*\])*$""")
_QUOTED_END = re.compile(r"""\["((?:[^"\\]|\\.)*)"\]$""")
"""A member whose name may hold anything, dots and brackets too."""
_ENTRY_END = re.compile(r"\.?\{[^}]*\}$")
_TRAILING = re.compile(r"(?:\[\d*\]|<[a-z0-9]+>)+$")
"""Positions in arrays, and what a text was read as: ``<json>``."""


_PAGE_STEP = re.compile(r"[\[#]([^\]]+)")
_PAGE_VALUES = frozenset({"content", "value"})
_PAGE_IDS = frozenset({"id", "for", "aria-describedby", "aria-labelledby", "aria-controls"})


def template(where: str) -> str:
    """`where` with array positions as ``[]`` and members that are identifiers as ``.{id}``."""
    if where == "status":
        return where
    pattern = _INDEX.sub("[]", where)
    if "{" in pattern:
        pattern = _ENTRY.sub(".{id}", pattern)
    if not is_json(where) or not _DIGIT.search(pattern):
        return pattern
    return _KEY.sub(_without_id, pattern)


def is_json(where: str) -> bool:
    """Whether it is a place in a JSON document: a body, a message of a conversation, JSON within a page, or
    what a text that was read as such holds (``header:x-user<json>.id``)."""
    if where.startswith("body:$") or ">." in where:
        return True
    return where.startswith(("message[", "body:page", "body:part[")) and ":$" in where


def is_text(where: str) -> bool:
    """Whether it is a line of a text, of a body or of a message of a conversation, or a part of a page."""
    if where.startswith("body:line[") or is_page(where):
        return True
    return where.startswith("message[") and "]:line[" in where


def is_page(where: str) -> bool:
    """Whether it is a part of a page: an element, an attribute or a text, but no JSON in a script."""
    return where.startswith("body:page") and not is_json(where)


def is_within(where: str, outer: str) -> bool:
    """Whether place (or pattern) `where` is `outer` itself or stands below it."""
    if where == outer:
        return True
    if outer == "body":
        return where.startswith("body:")
    return where.startswith(outer) and where[len(outer)] in ".[{:@<"


def name(where: str) -> str:
    """The innermost member or field name: ``"price"`` of ``"body:$.items[3].price"``; "" at the top.

    Of a page what its value is known by: a field's name, the words before, or ``@`` and the attribute.
    """
    if is_page(where):
        return _page_name(where)
    tail = where.rpartition(".")[2].removeprefix("@")
    if tail.isidentifier():
        return tail
    bare = _TRAILING.sub("", where)
    if quoted := _QUOTED_END.search(bare):
        return quoted[1]
    if bare.endswith("}"):
        return ""
    found = _LAST_NAME.search(bare)
    return found[1] if found else ""


def parent(where: str) -> str:
    """The place of the object or field that holds `where`; `where` itself at the top."""
    bare = _TRAILING.sub("", where)
    if found := _QUOTED_END.search(bare) or _ENTRY_END.search(bare):
        return bare[: found.start()]
    cut = max(bare.rfind("."), bare.rfind('["'), bare.rfind("}") + 1)
    return bare[:cut] if cut > 0 else where


def _page_name(where: str) -> str:
    path, at, attribute = where.partition("@")
    if at and attribute not in _PAGE_VALUES:
        return "id" if attribute in _PAGE_IDS else f"@{attribute}"
    path, _, words = path.removeprefix("body:").partition(":")
    step = path.rpartition(".")[2]
    found = _PAGE_STEP.search(step)
    return words or (found[1] if found else step)


def _without_id(found: re.Match[str]) -> str:
    key = found[1] if found[1] is not None else found[2]
    is_id = _ID.fullmatch(key) or sum(map(str.isdigit, key)) >= _MIN_ID_DIGITS
    return ".{id}" if is_id else found[0]
