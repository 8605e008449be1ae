"""XML in positions (XML 1.0, fifth edition): tags, attributes, text and CDATA, found without expanding.

Light on purpose: no entity is ever resolved and no DTD read, so that no document can harm the reader.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from xml.parsers import expat

import msgspec

MAX_BYTES = 1024 * 1024
"""Larger documents are not parsed."""

_NAME = rb"[A-Za-z_:\x80-\xff][\w:.\-\x80-\xff]*+"
_ATTRIBUTE = re.compile(rb"(\s+)(" + _NAME + rb")(\s*=\s*)(\"[^\"<]*+\"|'[^'<]*+')")
_TOKEN = re.compile(
    rb"(?P<comment><!--.*?-->)|(?P<cdata><!\[CDATA\[.*?\]\]>)|(?P<instruction><\?.*?\?>)"
    rb"|(?P<doctype><!DOCTYPE[^\[>]*+(?:\[[^\]]*+\]\s*+)?>)"
    rb"|(?P<close></" + _NAME + rb"\s*+>)"
    rb"|(?P<open><" + _NAME + rb"(?:\s++" + _NAME + rb"\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'))*+\s*+/?>)"
    rb"|(?P<text>[^<]++)",
    re.DOTALL,
)
_TAG_NAME = re.compile(rb"</?(" + _NAME + rb")")


class Token(msgspec.Struct, frozen=True, gc=False):
    """One piece of a document: ``text[start:end]``."""

    kind: str
    """``comment``, ``cdata``, ``instruction``, ``doctype``, ``open``, ``close`` or ``text``."""
    start: int
    end: int
    raw: bytes

    @property
    def name(self) -> bytes:
        """The tag's name with its prefix; empty for what is no tag."""
        found = _TAG_NAME.match(self.raw)
        return found[1] if found else b""

    @property
    def is_empty_element(self) -> bool:
        return self.kind == "open" and self.raw.endswith(b"/>")


class Attribute(msgspec.Struct, frozen=True, gc=False):
    """One attribute of an opening tag; the spans count from the tag's own start, `raw` has the quotes."""

    name: bytes
    raw: bytes
    start: int
    """Where the white space before the name begins."""
    end: int


@lru_cache(maxsize=4)  # one body is mutated many times over
def tokens(text: bytes) -> tuple[Token, ...] | None:
    """The document's pieces in order; None where it is no well-nested XML document, or over MAX_BYTES."""
    if not text.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<") or len(text) > MAX_BYTES:
        return None
    found = tuple(_scan(text))
    is_whole = bool(found) and found[-1].end == len(text)
    return found if is_whole and _is_nested(found) else None


@lru_cache(maxsize=16)
def is_sound(text: bytes, charset: str | None) -> bool:
    """Whether every reader takes `text` and makes the same of it: well-formed, prefixes declared, in UTF-8 or
    a charset of single bytes, and without a DTD.

    `charset` is what stands beside the document; None where nothing does.
    """
    pieces = tokens(text)
    if pieces is None or any(piece.kind == "doctype" for piece in pieces):
        return False
    try:
        expat.ParserCreate(charset, "\n").Parse(text, True)
    except (expat.ExpatError, ValueError, LookupError):
        return False
    return True


def attributes(tag: Token) -> list[Attribute]:
    """The attributes of an opening tag, in order."""
    return [Attribute(item[2], item[4], item.start(), item.end()) for item in _ATTRIBUTE.finditer(tag.raw)]


def splice(text: bytes, token: Token, raw: bytes) -> bytes:
    """`text` with one piece replaced by `raw`."""
    return text[: token.start] + raw + text[token.end :]


def _scan(text: bytes) -> Iterator[Token]:
    at = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            return
        yield Token(found.lastgroup or "", at, found.end(), found[0])
        at = found.end()


def _is_nested(found: tuple[Token, ...]) -> bool:
    """Whether every opening tag has its closing one, around exactly one root."""
    stack: list[bytes] = []
    roots = 0
    for token in found:
        if token.kind == "open":
            roots += not stack
            if not token.is_empty_element:
                stack.append(token.name)
        elif token.kind == "close":
            if not stack or stack.pop() != token.name:
                return False
        elif token.kind in {"text", "cdata"} and not stack and token.raw.strip():
            return False
    return roots == 1 and not stack
