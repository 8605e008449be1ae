"""XML bodies: the same document in other bytes, and documents that attack their parser (XML 1.0, fifth
edition).
"""

import re
from collections.abc import Callable
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from shadow.content.entity import entity, media_type, replace_body
from shadow.content.xml import Token, attributes, splice, tokens
from shadow.model import Edit, Expect, Level, Request

_BOMB = b"".join(
    b'<!ENTITY s%d "%b">' % (depth, b"&s%d;" % (depth - 1) * 10 if depth else b"shadow")
    for depth in range(10)
)
_DOCTYPES = (
    (
        b'<!DOCTYPE %b [<!ENTITY shadow SYSTEM "file:///etc/passwd">]>',
        b"&shadow;",
        "a file as external entity",
    ),
    (
        b'<!DOCTYPE %b [<!ENTITY shadow SYSTEM "http://127.0.0.1:1/shadow">]>',
        b"&shadow;",
        "a URL as external entity",
    ),
    (b'<!DOCTYPE %b [<!ENTITY %% shadow SYSTEM "file:///etc/passwd"> %%shadow;]>', b"", "a parameter entity"),
    (b"<!DOCTYPE %b [" + _BOMB.replace(b"%", b"%%") + b"]>", b"&s9;", "entities that expand a billion times"),
    (b'<!DOCTYPE %b [<!ENTITY a "&b;"><!ENTITY b "&a;">]>', b"&a;", "entities that hold each other"),
    (b'<!DOCTYPE %b SYSTEM "http://127.0.0.1:1/shadow.dtd">', b"", "an external DTD"),
    (b'<!DOCTYPE %b [<!ENTITY q "' + b"a" * 50_000 + b'">]>', b"&q;" * 500, "a quadratic blow-up"),
)
_BROKEN = (
    b"<",
    b"&",
    b"&shadow;",
    b"<![CDATA[",
    b"<!--",
    b"</shadow>",
    b"<?xml?>",
    b"\x00",
    b"&#0;",
    b"&#xD800;",
    b"\xff",
    b"]]>",
)


@mutator(level=Level.BODY, expect=Expect.SAME)
def reorder_attributes(request: Request, rng: Random) -> Edit | None:
    """The order of attributes in a tag is not significant (XML 1.0 §3.1)."""
    found = _draw(request, rng, lambda token: token.kind == "open" and len(attributes(token)) > 1)
    if found is None:
        return None
    text, tag = found
    spans = attributes(tag)
    pieces = [tag.raw[span.start : span.end] for span in spans]
    raw = tag.raw[: spans[0].start] + b"".join(reversed(pieces)) + tag.raw[spans[-1].end :]
    return _edit(request, splice(text, tag, raw), f"reordered the attributes of <{_shown(tag)}>")


@mutator(level=Level.BODY, expect=Expect.SAME)
def requote_attribute(request: Request, rng: Random) -> Edit | None:
    """Attribute values stand in double or single quotes alike (XML 1.0 §2.3)."""
    found = _draw(request, rng, lambda token: token.kind == "open" and bool(attributes(token)))
    if found is None:
        return None
    text, tag = found
    span = rng.choice(attributes(tag))
    old, new = (b'"', b"'") if span.raw[:1] == b'"' else (b"'", b'"')
    if new in span.raw:
        return None
    raw = tag.raw[: span.end - len(span.raw)] + span.raw.replace(old, new) + tag.raw[span.end :]
    return _edit(request, splice(text, tag, raw), f"requoted an attribute of <{_shown(tag)}>")


@mutator(level=Level.BODY, expect=Expect.SAME)
def cdata_for_text(request: Request, rng: Random) -> Edit | None:
    """Text may stand in a CDATA section (XML 1.0 §2.7): the same characters, none of them markup."""
    found = _draw(
        request, rng, lambda token: token.kind == "text" and bool(token.raw.strip()) and b"&" not in token.raw
    )
    if found is None or b"]]>" in found[1].raw or b"\r" in found[1].raw:
        return None
    text, token = found
    return _edit(request, splice(text, token, b"<![CDATA[%b]]>" % token.raw), "put text into a CDATA section")


@mutator(level=Level.BODY, expect=Expect.SAME)
def refer_to_character(request: Request, rng: Random) -> Edit | None:
    """A character reference is the character it names (XML 1.0 §4.1)."""
    found = _draw(
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
    return _edit(
        request,
        splice(text, token, token.raw[:at] + reference + token.raw[at + 1 :]),
        "referred to a character",
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def expand_empty_element(request: Request, rng: Random) -> Edit | None:
    """An empty-element tag and a start tag with its end tag are the same element (XML 1.0 §3.1)."""
    found = _draw(request, rng, lambda token: token.is_empty_element)
    if found is None:
        return None
    text, tag = found
    return _edit(
        request, splice(text, tag, b"%b></%b>" % (tag.raw[:-2], tag.name)), f"expanded <{_shown(tag)}/>"
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def rename_prefix(request: Request, rng: Random) -> Edit | None:
    """A namespace prefix stands for its URI alone (Namespaces in XML 1.0 §4).

    Left alone where the prefix occurs in text or values, which may hold names too, and in what is signed:
    canonical XML keeps prefixes (XML Signature §4.4.3).
    """
    text = _xml(request)
    pieces = tokens(text) if text else None
    if text is None or pieces is None or b"http://www.w3.org/2000/09/xmldsig#" in text:
        return None
    found = sorted(set(re.findall(rb"\sxmlns:([A-Za-z_][\w.-]*)\s*=", text)))
    if not found:
        return None
    prefix = rng.choice(found)
    other = b"s%x" % rng.getrandbits(32)
    renamed = b"".join(_renamed(piece, prefix, other) for piece in pieces)
    leftover = re.search(rb"\b" + re.escape(prefix) + rb":", renamed)
    return (
        None
        if leftover
        else _edit(
            request, text[: pieces[0].start] + renamed, f"renamed the prefix {prefix.decode('latin-1')!r}"
        )
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def comment_in_xml(request: Request, rng: Random) -> Edit | None:
    """Comments are not part of the document's character data (XML 1.0 §2.5)."""
    found = _draw(request, rng, lambda token: token.kind in {"open", "close"})
    if found is None:
        return None
    text, tag = found
    return _edit(request, text[: tag.start] + b"<!-- shadow -->" + text[tag.start :], "put in a comment")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def declare_entities(request: Request, rng: Random) -> Edit | None:
    """DTDs in a message are refused or not expanded (CWE-611, CWE-776): no file is read, no host
    called, no hang.
    """
    text = _xml(request)
    pieces = tokens(text) if text else None
    if text is None or pieces is None:
        return None
    root = next(piece for piece in pieces if piece.kind == "open")
    doctype, reference, name = rng.choice(_DOCTYPES)
    values = [
        piece for piece in pieces if piece.kind == "text" and piece.raw.strip() and piece.start > root.start
    ]
    if reference and values:
        text = splice(text, rng.choice(values), reference)
    kept = re.sub(rb"<!DOCTYPE[^\[>]*(?:\[[^\]]*\]\s*)?>", b"", text[: root.start])
    return _edit(request, kept + doctype % root.name + text[root.start :], f"declared {name}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def include_by_xinclude(request: Request, rng: Random) -> Edit | None:
    """XInclude is processed only where it is asked for (XInclude 1.0 §3): no file may come back (CWE-611)."""
    found = _draw(request, rng, lambda token: token.kind == "text" and bool(token.raw.strip()))
    if found is None:
        return None
    element = (
        b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" href="file:///etc/passwd"/>'
    )
    return _edit(request, splice(*found, element), "put in an XInclude")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_element(request: Request, rng: Random) -> Edit | None:
    """A missing element may be optional or not: any clean answer will do."""
    found = _draw(
        request,
        rng,
        lambda token: token.is_empty_element or (token.kind == "text" and bool(token.raw.strip())),
    )
    return _edit(request, splice(*found, b""), "dropped text or an empty element") if found else None


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_element_text(request: Request, rng: Random) -> Edit | None:
    """Another text in an element: odd, long or almost valid; taken or refused, never a crash."""
    found = _draw(request, rng, lambda token: token.kind == "text" and bool(token.raw.strip()))
    if found is None:
        return None
    old = found[1].raw.decode("utf-8", "replace")
    size = rng.choice(strings.LONG_SIZES)
    near = strings.near_miss(old.strip(), rng) or strings.neighbour(old, rng)
    new = strings.raw(
        rng.choice((near, strings.hostile(rng), (old * size)[:size], "", strings.long_run(old, rng)))
    )
    escaped = new.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return _edit(request, splice(*found, escaped), "changed the text of an element")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def nest_elements(request: Request, rng: Random) -> Edit | None:
    """Deep nesting may be refused, but must not exhaust the stack (CWE-674)."""
    found = _draw(request, rng, lambda token: token.kind == "text" and bool(token.raw.strip()))
    if found is None:
        return None
    depth = rng.choice((257, 1_025, 20_000))
    return _edit(
        request, splice(*found, b"<s>" * depth + found[1].raw + b"</s>" * depth), f"nested {depth} elements"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def break_xml(request: Request, rng: Random) -> Edit | None:
    """A document that is not well formed is a fatal error (XML 1.0 §1.2): refused where it is read,
    never a crash.
    """
    text = _xml(request)
    if not text:
        return None
    at = rng.randint(0, len(text))
    if rng.random() < 0.3:
        return _edit(request, text[:at], f"cut the XML after {at} bytes")
    piece = rng.choice(_BROKEN)
    return _edit(request, text[:at] + piece + text[at:], f"put {piece!r} into the XML")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def declare_other_encoding(request: Request, rng: Random) -> Edit | None:
    """An encoding that is not the document's, or not known, is a fatal error (XML 1.0 §4.3.3), never a
    crash.
    """
    text = _xml(request)
    if not text:
        return None
    declared = b'<?xml version="1.%d" encoding="%b"?>' % (
        rng.choice((0, 1, 9)),
        rng.choice((b"utf-16", b"x-shadow", b"utf-7", b"")),
    )
    return _edit(
        request,
        declared + re.sub(rb"^\s*<\?xml.*?\?>", b"", text, flags=re.DOTALL),
        f"declared {declared.decode()}",
    )


def _xml(request: Request) -> bytes | None:
    """The body where it says that it is XML and can be decoded."""
    kind = media_type(request.headers)
    return entity(request) if request.body and (kind.endswith((b"/xml", b"+xml"))) else None


def _draw(request: Request, rng: Random, wanted: Callable[[Token], bool]) -> tuple[bytes, Token] | None:
    """(document, one of its pieces that is wanted); None where there is none."""
    text = _xml(request)
    pieces = tokens(text) if text else None
    found = [piece for piece in pieces if wanted(piece)] if pieces else []
    return (text, rng.choice(found)) if text is not None and found else None


def _renamed(piece: Token, prefix: bytes, other: bytes) -> bytes:
    if piece.kind not in {"open", "close"}:
        return piece.raw
    raw = re.sub(rb"^(</?)" + re.escape(prefix) + rb":", lambda found: found[1] + other + b":", piece.raw)
    raw = re.sub(
        rb"(\s)xmlns:" + re.escape(prefix) + rb"(\s*=)",
        lambda found: found[1] + b"xmlns:" + other + found[2],
        raw,
    )
    return re.sub(
        rb"(\s)" + re.escape(prefix) + rb"(:[\w.-]+\s*=)", lambda found: found[1] + other + found[2], raw
    )


def _edit(request: Request, text: bytes, what: str) -> Edit | None:
    edited = replace_body(request, text)
    return None if edited.body == request.body else Edit(edited, what)


def _shown(tag: Token) -> str:
    return tag.name.decode("utf-8", "replace")
