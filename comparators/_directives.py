"""Values of header fields that are made of named parts, as objects of these parts."""

import re
from collections.abc import Iterator

from comparators._bounded import bounded_pair
from shadow.model import Change, Difference

type Parts = dict[str, str]
"""Values by name in lower case; the leading part of some fields has none (``""``)."""

_BARE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NONCE = re.compile(r"'nonce-[^']*'")
"""New in every answer, as it must be (Content Security Policy Level 3 §2.3.1)."""
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9._~+-]*)(?:\s+|$)(?!=)(.*)", re.DOTALL)
_OF_THE_MOMENT = frozenset({"nonce", "opaque", "cnonce"})
"""Parts of a challenge that are new each time (RFC 7616 §3.3): their presence counts."""
_COUNTERS = frozenset({"r", "t", "remaining", "reset"})
_MAX_NAME_CHARS = 40


def compared(where: str, left: Parts, right: Parts) -> Iterator[Difference]:
    """The differences of two fields, each at ``where[name]``."""
    for name, value in left.items():
        if name not in right:
            yield Difference(_place(where, name), Change.MISSING, value or name, None)
        elif right[name] != value:
            yield Difference(_place(where, name), Change.VALUE, *bounded_pair(value, right[name]))
    for name, value in right.items():
        if name not in left:
            yield Difference(_place(where, name), Change.ADDED, None, value or name)


def named(text: str, separator: str) -> Parts:
    """Parts by lower-case name; the leading part of a ``;`` list (the media type) is called ``""``."""
    found: Parts = {}
    for at, piece in enumerate(split(text, separator)):
        name, equals, value = piece.partition("=")
        name = name.strip().lower()
        if at == 0 and separator == ";" and not equals:
            found[""] = name
        elif name == "boundary":
            continue  # a multipart boundary is free to choose (RFC 2046 §5.1.1)
        elif name:
            found[name] = _unquoted(value).lower() if name == "charset" else _unquoted(value)
    return found


def policy(text: str) -> Parts:
    """The sources of each directive, sorted; of a directive that stands twice the first counts."""
    found: Parts = {}
    for piece in re.split("[;,]", text):
        if words := piece.split():
            sources = sorted({_NONCE.sub("'nonce-'", source) for source in words[1:]})
            found.setdefault(words[0].lower(), " ".join(sources))
    return found


def challenges(text: str) -> Parts:
    """Schemes, and their parameters as ``"bearer realm"`` (RFC 9110 §11.6.1)."""
    found: Parts = {}
    scheme = ""
    for piece in split(text, ","):
        parameter = piece
        if begins := _SCHEME.fullmatch(piece):
            scheme, parameter = begins[1].lower(), begins[2]
            found[scheme] = ""
        name, _, value = parameter.partition("=")
        if name := name.strip().lower():
            is_new = name in _OF_THE_MOMENT
            found[f"{scheme} {name}".strip()] = "" if is_new else _unquoted(value)
    return found


def limits(text: str) -> Parts:
    """Limits by name and parameter, without what is left of them and until when."""
    found: Parts = {}
    for member in split(text, ","):
        first, *parameters = split(member, ";")
        name, equals, value = first.partition("=")
        name = _unquoted(name)
        if name not in _COUNTERS:
            found[name] = _unquoted(value) if equals else ""
        for each in parameters:
            key, _, setting = each.partition("=")
            found[f"{name} {key.strip()}"] = "" if key.strip() in _COUNTERS else _unquoted(setting)
    return found


def split(text: str, separator: str) -> Iterator[str]:
    """Parts of `text`, separators within double quotes left alone."""
    start, is_quoted, at = 0, False, 0
    while at < len(text):
        char = text[at]
        if is_quoted and char == "\\":
            at += 1
        elif char == '"':
            is_quoted = not is_quoted
        elif char == separator and not is_quoted:
            yield text[start:at]
            start = at + 1
        at += 1
    yield text[start:]


def _unquoted(value: str) -> str:
    return value.strip().strip('"')


def _place(where: str, name: str) -> str:
    if not name:
        return where
    return f"{where}[{name if _BARE_NAME.fullmatch(name) else name.replace(']', ' ')[:_MAX_NAME_CHARS]}]"
