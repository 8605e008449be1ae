"""XML bodies of another content or shape, and XML that is broken (XML 1.0, fifth edition)."""

import re
from random import Random

from mutators import _strings as strings
from mutators._contract import mutator
from mutators._xml import drawn, edited, escaped, has_text, pieces_of, root_of, shown, xml_of
from shadow.content.xml import Token, attributes, splice
from shadow.model import Edit, Expect, Level, Request

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
_BOUNDS = (b"-1", b"0", b"2147483648", b"9223372036854775808", b"1e400", b"NaN", b"INF", b"0x10", b" 1 ", b"")
_SOAP = re.compile(rb"http://schemas\.xmlsoap\.org/soap/envelope/|http://www\.w3\.org/2003/05/soap-envelope")
_MAX_DOUBLED_BYTES = 100_000


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_element(request: Request, rng: Random) -> Edit | None:
    """A missing element may be optional or not: any clean answer will do."""
    found = drawn(request, rng, lambda token: token.is_empty_element or has_text(token))
    return edited(request, splice(*found, b""), "dropped text or an empty element") if found else None


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_element_text(request: Request, rng: Random) -> Edit | None:
    """Another text in an element: odd, long or almost valid; taken or refused, never a crash."""
    found = drawn(request, rng, has_text)
    if found is None:
        return None
    old = found[1].raw.decode("utf-8", "replace")
    size = rng.choice(strings.LONG_SIZES)
    near = strings.near_miss(old.strip(), rng) or strings.neighbour(old, rng)
    new = rng.choice(
        (near, strings.hostile(rng), strings.stretched(old, size), "", strings.long_run(old, rng))
    )
    return edited(request, splice(*found, escaped(new)), "changed the text of an element")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def nest_elements(request: Request, rng: Random) -> Edit | None:
    """Deep nesting may be refused, but must not exhaust the stack (CWE-674)."""
    found = drawn(request, rng, has_text)
    if found is None:
        return None
    depth = rng.choice((257, 1_025, 20_000))
    return edited(
        request, splice(*found, b"<s>" * depth + found[1].raw + b"</s>" * depth), f"nested {depth} elements"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def break_xml(request: Request, rng: Random) -> Edit | None:
    """A document that is not well formed is a fatal error (XML 1.0 §1.2): refused where it is read,
    never a crash.
    """
    text = xml_of(request)
    if not text:
        return None
    at = rng.randint(0, len(text))
    if rng.random() < 0.3:
        return edited(request, text[:at], f"cut the XML after {at} bytes")
    piece = rng.choice(_BROKEN)
    return edited(request, text[:at] + piece + text[at:], f"put {piece!r} into the XML")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def duplicate_element(request: Request, rng: Random) -> Edit | None:
    """An element twice or a hundred times over: which one counts is for a schema to say, and releases must
    agree on it (CWE-235).
    """
    span = _element(request, rng)
    if span is None:
        return None
    text, tag, end = span
    element = text[tag.start : end]
    count = rng.choice((1, 1, 100))
    if len(element) * count > _MAX_DOUBLED_BYTES:
        return None
    return edited(
        request, text[:end] + element * count + text[end:], f"repeated <{shown(tag)}> {count} times"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def drop_whole_element(request: Request, rng: Random) -> Edit | None:
    """An element gone with all that it holds may be optional or not: any clean answer (RESTler's Drop)."""
    span = _element(request, rng)
    if span is None:
        return None
    text, tag, end = span
    return edited(request, text[: tag.start] + text[end:], f"dropped <{shown(tag)}> with its content")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def add_element(request: Request, rng: Random) -> Edit | None:
    """An element that the service does not know, or that a client must not set, is ignored or refused
    (CWE-915).
    """
    whole = pieces_of(request)
    if whole is None:
        return None
    text, pieces = whole
    name, value = rng.choice(
        ((b"shadow_unknown", b"1"), (b"admin", b"true"), (b"role", b"admin"), (b"id", b"1"))
    )
    root = root_of(pieces)
    if root.is_empty_element:
        return None
    element = b"<%b>%b</%b>" % (name, value, name)
    return edited(request, text[: root.end] + element + text[root.end :], f"added <{name.decode()}>")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_attribute(request: Request, rng: Random) -> Edit | None:
    """An attribute dropped, doubled (a fatal error, XML 1.0 §3.1), emptied or at a boundary: no crash."""
    found = drawn(request, rng, lambda token: token.kind == "open" and bool(attributes(token)))
    if found is None:
        return None
    text, tag = found
    span = rng.choice(attributes(tag))
    whole = tag.raw[span.start : span.end]
    bound = whole[: len(whole) - len(span.raw)] + b'"%b"' % rng.choice(_BOUNDS)
    other = rng.choice((b"", whole + whole, bound))
    raw = tag.raw[: span.start] + other + tag.raw[span.end :]
    return edited(request, splice(text, tag, raw), f"changed an attribute of <{shown(tag)}>")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def misuse_namespace(request: Request, rng: Random) -> Edit | None:
    """A prefix that is not declared is an error of namespaces (Namespaces in XML 1.0 §5), another default
    namespace makes other elements: refused or not understood, never a crash.
    """
    whole = pieces_of(request)
    if whole is None:
        return None
    text, pieces = whole
    root = root_of(pieces)
    at = root.start + 1 + len(root.name)
    declared = re.sub(rb"\sxmlns(:[\w.-]+)?\s*=\s*(\"[^\"]*\"|'[^']*')", b"", root.raw)
    choices = [text[:at] + b' shadow:a="1"' + text[at:], splice(text, root, declared)]
    if b"xmlns=" not in root.raw:
        choices.append(text[:at] + b' xmlns="urn:shadow"' + text[at:])
    return edited(request, rng.choice(choices), f"misused namespaces in <{shown(root)}>")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def put_instruction(request: Request, rng: Random) -> Edit | None:
    """Processing instructions are passed to the application (XML 1.0 §2.6), which ignores those it does not
    know; PHP's and SSI's are never run (CWE-96).
    """
    found = drawn(request, rng, lambda token: token.kind == "open")
    if found is None:
        return None
    text, tag = found
    piece = rng.choice((b"<?shadow x?>", b"<?php echo 1;?>", b'<?xml-model href="shadow"?>'))
    return edited(request, text[: tag.start] + piece + text[tag.start :], f"put in {piece.decode()}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def change_soap_envelope(request: Request, rng: Random) -> Edit | None:
    """A SOAP message of another version, with a header that must be understood and is not (a fault, SOAP
    1.2 §2.4), or with two bodies: a fault, never a crash.
    """
    text, pieces = pieces_of(request) or (b"", ())
    version = _SOAP.search(text)
    if version is None:
        return None
    root = root_of(pieces)
    prefix = b"".join(root.name.rpartition(b":")[:2])
    header = b'<%bHeader><x:s xmlns:x="urn:shadow" %bmustUnderstand="1"/></%bHeader>' % (
        prefix,
        prefix,
        prefix,
    )
    bodies = b"<%bBody/>" % prefix
    choices = (
        text.replace(version[0], b"http://www.w3.org/2003/05/soap-envelope"),
        text.replace(version[0], b"urn:shadow"),
        text[: root.end] + header + text[root.end :],
        text[: root.end] + bodies + text[root.end :],
    )
    return edited(request, rng.choice(choices), "changed the SOAP envelope")


def _element(request: Request, rng: Random) -> tuple[bytes, Token, int] | None:
    """(document, a drawn element's opening tag, where the element ends); never the root. None without one."""
    text, pieces = pieces_of(request) or (b"", ())
    opens = [at for at, piece in enumerate(pieces) if piece.kind == "open"][1:]
    if not opens:
        return None
    at = rng.choice(opens)
    depth = 0
    for piece in pieces[at:]:
        depth += (piece.kind == "open" and not piece.is_empty_element) - (piece.kind == "close")
        if depth == 0:
            return text, pieces[at], piece.end
    return None
