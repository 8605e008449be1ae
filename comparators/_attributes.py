"""Attributes of elements of pages, in the one form in which equal ones are equal."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote

_LISTS = frozenset({"class", "rel", "sandbox", "headers", "itemprop"})
"""Sets of words in any order (HTML Living Standard §2.3.7)."""
_FLAGS = frozenset(
    [
        "allowfullscreen",
        "async",
        "autofocus",
        "autoplay",
        "checked",
        "controls",
        "default",
        "defer",
        "disabled",
        "formnovalidate",
        "hidden",
        "inert",
        "ismap",
        "itemscope",
        "loop",
        "multiple",
        "muted",
        "nomodule",
        "novalidate",
        "open",
        "playsinline",
        "readonly",
        "required",
        "reversed",
        "selected",
    ]
)
"""There or not: their value means nothing (HTML Living Standard §2.3.2)."""
_BY_PRESENCE = frozenset({"nonce", "integrity", "data-nonce"})
"""New in every answer, or with every change of the file that is named."""
_SCRIPTS = frozenset({"", "text/javascript", "application/javascript", "javascript"})
_DEFAULTS: dict[str, dict[str, frozenset[str]]] = {
    "script": {"type": _SCRIPTS, "language": _SCRIPTS},
    "style": {"type": frozenset({"", "text/css"})},
    "link": {"type": frozenset({"text/css"})},
    "form": {"method": frozenset({"get"})},
    "input": {"type": frozenset({"text"})},
    "button": {"type": frozenset({"submit"})},
    "td": {"colspan": frozenset({"1"}), "rowspan": frozenset({"1"})},
    "th": {"colspan": frozenset({"1"}), "rowspan": frozenset({"1"})},
}
ADDRESSES = frozenset(
    [
        "action",
        "background",
        "cite",
        "data",
        "formaction",
        "href",
        "longdesc",
        "manifest",
        "poster",
        "src",
        "srcset",
        "xlink:href",
    ]
)
_ASCII = "".join(map(chr, range(33, 127)))
"""Of an address all else is sent as UTF-8 in escapes, however it is written (URL Standard §1.3)."""
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_KINDS = "css js mjs png jpe?g gif svg webp avif ico woff2? ttf eot map webmanifest".replace(" ", "|")
_ASSET = re.compile(rf"(?P<stem>[^?#\s]*)\.(?P<kind>{_KINDS})(?:\?(?P<query>[^#\s]*))?", re.IGNORECASE)
_STAMP_NAMES = "_|[a-z]?v|ver|version|rev|revision|t|ts|time|timestamp|hash|h|cb|cachebuster|build|c|m"
_STAMP = re.compile(rf"(?:(?:{_STAMP_NAMES})=[^&]*|[0-9A-Fa-f]{{4,64}}|\d+(?:\.\d+)*)", re.IGNORECASE)
_HASHED = re.compile(
    r"(?<=[.-])(?:[0-9a-f]{8,64}|(?=[0-9A-Za-z_]*\d)(?=[0-9_]*[A-Za-z])[0-9A-Za-z_]{8,64})(?=\.|$)"
)


def attributes(tag: str, found: Mapping[str, str]) -> dict[str, str]:
    """`found` by name, each value in its one form; without those that say what goes without saying."""
    settings = {name: _value(tag, name, value) for name, value in found.items()}
    for name in _DEFAULTS.get(tag, ()):
        if name in settings and settings[name].lower() in _DEFAULTS[tag][name]:
            del settings[name]
    return settings


def asset(address: str) -> str:
    """The address of a file that a page loads, without what only tells its versions apart for caches.

    A hash in its name or a number in its query changes with the file's contents, which are compared where
    they are asked for.
    """
    found = _ASSET.fullmatch(address)
    if found is None:
        return address
    folder, slash, name = found["stem"].rpartition("/")
    parts = [part for part in (found["query"] or "").split("&") if part and not _STAMP.fullmatch(part)]
    query = f"?{'&'.join(parts)}" if parts else ""
    return f"{folder}{slash}{_HASHED.sub('*', name)}.{found['kind']}{query}"


def _upper(found: re.Match[str]) -> str:
    return found[0].upper()


def _value(tag: str, name: str, value: str) -> str:
    if name in _FLAGS:
        return ""
    if name in _BY_PRESENCE:
        return ""
    if name in _LISTS:
        return _words(value.lower().split() if name == "rel" else value.split())
    if name == "style":
        return "; ".join(sorted(_declarations(value)))
    if name in ADDRESSES:
        value = _ESCAPE.sub(_upper, quote(value.strip(), _ASCII))
        return asset(value) if tag in ("script", "link", "img", "source", "use", "image") else value
    return " ".join(value.split()) if len(value) < 10_000 else value


def _words(found: Iterable[str]) -> str:
    return " ".join(sorted(set(found)))


def _declarations(text: str) -> list[str]:
    parts = (part.partition(":") for part in text.split(";"))
    return [f"{name.strip().lower()}: {' '.join(value.split())}" for name, _, value in parts if name.strip()]
