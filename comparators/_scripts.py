"""JSON that pages carry in their scripts, for their own code or for search engines."""

import re

import orjson

from comparators._elements import Element

_JSON_TYPES = re.compile(r"(?i)\s*(?:application/(?:[\w.-]+\+)?json|importmap|speculationrules)\b.*")
_ASSIGNED = re.compile(r"(?s)(?:(?:var|let|const)\s+)?[\w$.\[\]'\"]{1,80}\s*=\s*(?P<value>[{\[].*[}\]])\s*;?")
"""A document that one statement assigns, as ``window.__STATE__ = {…};``."""


def documents(left: Element, ours: str, right: Element, theirs: str) -> tuple[bytes, bytes] | None:
    """The JSON texts that two scripts carry; None where one of them is other code."""
    mine, its = _document(left, ours), _document(right, theirs)
    return None if mine is None or its is None else (mine, its)


def _document(script: Element, text: str) -> bytes | None:
    if script.tag != "script":
        return None
    if _JSON_TYPES.fullmatch(script.attributes.get("type", "")):
        return text.encode("utf-8", "replace")
    found = _ASSIGNED.fullmatch(text.strip())
    if found is None:
        return None
    value = found["value"].encode("utf-8", "replace")
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return value
