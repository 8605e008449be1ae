"""XML bodies spelled otherwise: the same document in other bytes (XML 1.0, fifth edition)."""

import re
from collections.abc import Callable
from itertools import pairwise
from random import Random

from mutators._contract import mutator
from mutators._xml import SIGNED, edited, has_text, shown, sound_of
from shadow.content.xml import Token, attributes, splice
from shadow.model import Edit, Expect, Level, Request


@mutator(level=Level.BODY, expect=Expect.SAME)
def reorder_attributes(request: Request, rng: Random) -> Edit | None:
    """The order of attributes in a tag is not significant (XML 1.0 §3.1)."""
    found = _drawn(request, rng, lambda token: token.kind == "open" and len(attributes(token)) > 1)
    if found is None:
        return None
    text, tag = found
    spans = attributes(tag)
    pieces = [tag.raw[span.start : span.end] for span in spans]
    raw = tag.raw[: spans[0].start] + b"".join(reversed(pieces)) + tag.raw[spans[-1].end :]
    return edited(request, splice(text, tag, raw), f"reordered the attributes of <{shown(tag)}>")


@mutator(level=Level.BODY, expect=Expect.SAME)
def requote_attribute(request: Request, rng: Random) -> Edit | None:
    """Attribute values stand in double or single quotes alike (XML 1.0 §2.3)."""
    found = _drawn(request, rng, lambda token: token.kind == "open" and bool(attributes(token)))
    if found is None:
        return None
    text, tag = found
    span = rng.choice(attributes(tag))
    old, new = (b'"', b"'") if span.raw[:1] == b'"' else (b"'", b'"')
    if new in span.raw:
        return None
    raw = tag.raw[: span.end - len(span.raw)] + span.raw.replace(old, new) + tag.raw[span.end :]
    return edited(request, splice(text, tag, raw), f"requoted an attribute of <{shown(tag)}>")


@mutator(level=Level.BODY, expect=Expect.SAME)
def cdata_for_text(request: Request, rng: Random) -> Edit | None:
    """Text may stand in a CDATA section (XML 1.0 §2.7): the same characters, none of them markup."""
    found = _drawn(request, rng, lambda token: has_text(token) and b"&" not in token.raw)
    if found is None or b"]]>" in found[1].raw or b"\r" in found[1].raw:
        return None
    text, token = found
    return edited(
        request, splice(text, token, b"<![CDATA[%b]]>" % token.raw), "put text into a CDATA section"
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def refer_to_character(request: Request, rng: Random) -> Edit | None:
    """A character reference is the character it names (XML 1.0 §4.1)."""
    found = _drawn(
        request, rng, lambda token: token.kind == "text" and re.search(rb"[A-Za-z0-9]", token.raw) is not None
    )
    if found is None:
        return None
    text, token = found
    plain = re.sub(rb"&[^;]*;", lambda entity_: b"&" * len(entity_[0]), token.raw)
    at = rng.choice([item.start() for item in re.finditer(rb"[A-Za-z0-9]", plain)] or [-1])
    if at < 0:
        return None
    reference = rng.choice((b"&#%d;", b"&#x%x;")) % token.raw[at]
    return edited(
        request,
        splice(text, token, token.raw[:at] + reference + token.raw[at + 1 :]),
        "referred to a character",
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def expand_empty_element(request: Request, rng: Random) -> Edit | None:
    """An empty-element tag and a start tag with its end tag are the same element (XML 1.0 §3.1)."""
    found = _drawn(request, rng, lambda token: token.is_empty_element)
    if found is None:
        return None
    text, tag = found
    return edited(
        request, splice(text, tag, b"%b></%b>" % (tag.raw[:-2], tag.name)), f"expanded <{shown(tag)}/>"
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def close_empty_element(request: Request, rng: Random) -> Edit | None:
    """A start tag directly followed by its end tag may be written as an empty-element tag (XML 1.0 §3.1)."""
    text, pieces = sound_of(request) or (b"", ())
    found = [
        (tag, end)
        for tag, end in pairwise(pieces)
        if tag.kind == "open" and end.kind == "close" and not tag.is_empty_element
    ]
    if not found:
        return None
    tag, end = rng.choice(found)
    return edited(
        request, text[: tag.end - 1] + b"/>" + text[end.end :], f"closed <{shown(tag)}/> in one tag"
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def space_in_tag(request: Request, rng: Random) -> Edit | None:
    """White space between attributes and before the end of a tag carries no meaning (XML 1.0 §3.1)."""
    found = _drawn(request, rng, lambda token: token.kind in {"open", "close"})
    if found is None:
        return None
    text, tag = found
    tail = b"/>" if tag.is_empty_element else b">"
    ends = [*(span.start for span in attributes(tag)), len(tag.raw) - len(tail)]
    at = tag.start + rng.choice(ends if tag.kind == "open" else ends[-1:])
    return edited(
        request, text[:at] + rng.choice((b" ", b"\n", b"\t ")) + text[at:], f"spaced <{shown(tag)}>"
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def text_for_cdata(request: Request, rng: Random) -> Edit | None:
    """What stands in a CDATA section is text, and may be escaped instead (XML 1.0 §2.4, §2.7)."""
    found = _drawn(request, rng, lambda token: token.kind == "cdata")
    if found is None or b"\r" in found[1].raw:
        return None
    plain = found[1].raw.removeprefix(b"<![CDATA[").removesuffix(b"]]>")
    written = plain.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return edited(request, splice(*found, written), "wrote a CDATA section as text")


@mutator(level=Level.BODY, expect=Expect.SAME)
def rename_prefix(request: Request, rng: Random) -> Edit | None:
    """A namespace prefix stands for its URI alone (Namespaces in XML 1.0 §4).

    Left alone where the prefix occurs in text or values, which may hold names, or lists of prefixes, and in
    what is signed: canonical XML keeps prefixes (XML Signature §4.4.3).
    """
    text, pieces = sound_of(request) or (b"", ())
    if SIGNED in text:
        return None
    found = sorted(set(re.findall(rb"\sxmlns:([A-Za-z_][\w.-]*)\s*=", text)) - {b"xml"})
    if not found:
        return None
    prefix = rng.choice(found)
    other = b"s%x" % rng.getrandbits(32)
    renamed = b"".join(_renamed(piece, prefix, other) for piece in pieces)
    leftover = re.search(rb"\b" + re.escape(prefix) + rb"\b", renamed)
    return (
        None
        if leftover
        else edited(
            request, text[: pieces[0].start] + renamed, f"renamed the prefix {prefix.decode('latin-1')!r}"
        )
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def comment_in_xml(request: Request, rng: Random) -> Edit | None:
    """Comments are not part of the document's character data (XML 1.0 §2.5).

    What is signed is left alone: a canonical form may keep them (Canonical XML 1.1 §2.1).
    """
    found = _drawn(request, rng, lambda token: token.kind in {"open", "close"})
    if found is None or SIGNED in found[0]:
        return None
    text, tag = found
    return edited(request, text[: tag.start] + b"<!-- shadow -->" + text[tag.start :], "put in a comment")


def _drawn(request: Request, rng: Random, wanted: Callable[[Token], bool]) -> tuple[bytes, Token] | None:
    """(document, one of its pieces that is wanted) of a sound document; None where there is none."""
    text, pieces = sound_of(request) or (b"", ())
    found = [piece for piece in pieces if wanted(piece)]
    return (text, rng.choice(found)) if found else None


def _renamed(piece: Token, prefix: bytes, other: bytes) -> bytes:
    if piece.kind not in {"open", "close"} or prefix not in piece.raw:
        return piece.raw
    raw = piece.raw
    begin = 2 if piece.kind == "close" else 1
    if raw.startswith(prefix + b":", begin):
        raw = raw[:begin] + other + raw[begin + len(prefix) :]
    if prefix not in raw:
        return raw
    name = re.escape(prefix)
    raw = re.sub(rb"(\s)xmlns:" + name + rb"(\s*=)", rb"\1xmlns:" + other + rb"\2", raw)
    return re.sub(rb"(\s)" + name + rb"(:[\w.-]+\s*=)", rb"\g<1>" + other + rb"\2", raw)
