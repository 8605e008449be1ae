"""XML bodies that have their parser read, call or expand something: entities, DTDs, XInclude, schemas."""

import re
from random import Random

from mutators._contract import mutator
from mutators._xml import drawn, edited, has_text, pieces_of, root_of, xml_of
from shadow.content.xml import splice
from shadow.model import Edit, Expect, Level, Request, Shows, Sign

_BOMB = b"".join(
    b'<!ENTITY s%d "%b">' % (depth, b"&s%d;" % (depth - 1) * 10 if depth else b"shadow")
    for depth in range(10)
)
_FILE = Sign(Shows.FILE, "file-disclosure", "an external entity of an XML body brought a file of the system")
_CALL = Sign(Shows.CALL, "F202", "an address in an XML body was called from the service's host")
_DOCTYPES = (
    (
        b'<!DOCTYPE %b [<!ENTITY shadow SYSTEM "file:///etc/passwd">]>',
        b"&shadow;",
        "a file as external entity",
        _FILE,
    ),
    (
        b'<!DOCTYPE %b [<!ENTITY shadow SYSTEM "http://127.0.0.1:1/shadow">]>',
        b"&shadow;",
        "a URL as external entity",
        _CALL,
    ),
    (
        b'<!DOCTYPE %b [<!ENTITY shadow PUBLIC "x" "file:///etc/passwd">]>',
        b"&shadow;",
        "a public external entity",
        _FILE,
    ),
    (
        b'<!DOCTYPE %b [<!ENTITY %% shadow SYSTEM "file:///etc/passwd"> %%shadow;]>',
        b"",
        "a parameter entity",
        _FILE,
    ),
    (
        b'<!DOCTYPE %b [<!ENTITY %% shadow SYSTEM "http://127.0.0.1:1/shadow.dtd"> %%shadow;]>',
        b"",
        "a parameter entity elsewhere",
        _CALL,
    ),
    (
        b"<!DOCTYPE %b [" + _BOMB.replace(b"%", b"%%") + b"]>",
        b"&s9;",
        "entities that expand a billion times",
        None,
    ),
    (b'<!DOCTYPE %b [<!ENTITY a "&b;"><!ENTITY b "&a;">]>', b"&a;", "entities that hold each other", None),
    (b'<!DOCTYPE %b SYSTEM "http://127.0.0.1:1/shadow.dtd">', b"", "an external DTD", _CALL),
    (
        b'<!DOCTYPE %b [<!ENTITY q "' + b"a" * 50_000 + b'">]>',
        b"&q;" * 500,
        "entities that grow quadratically",
        None,
    ),
)
_XINCLUDE = b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" parse="text" href="file:///etc/passwd"/>'
_XSI = b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:'
_DOCTYPE = re.compile(rb"<!DOCTYPE[^\[>]*(?:\[[^\]]*\]\s*)?>")
_DECLARATION = re.compile(rb"^\s*<\?xml.*?\?>", re.DOTALL)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def declare_entities(request: Request, rng: Random) -> Edit | None:
    """DTDs in a message are refused or not expanded (CWE-611, CWE-776): no file is read, no host
    called, no hang.
    """
    whole = pieces_of(request)
    if whole is None:
        return None
    text, pieces = whole
    root = root_of(pieces)
    doctype, reference, name, sign = rng.choice(_DOCTYPES)
    values = [piece for piece in pieces if has_text(piece) and piece.start > root.start]
    if reference and values:
        text = splice(text, rng.choice(values), reference)
    kept = _DOCTYPE.sub(b"", text[: root.start])
    return edited(request, kept + doctype % root.name + text[root.start :], f"declared {name}", sign)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def hide_entities(request: Request, rng: Random) -> Edit | None:
    """An external entity in UTF-16 or UTF-7 is one all the same: filters that look for its bytes miss it
    (CWE-611).
    """
    text, pieces = pieces_of(request) or (b"", ())
    found = [piece for piece in pieces if has_text(piece)]
    if not found:
        return None
    root = root_of(pieces)
    inner = splice(text, rng.choice(found), b"&shadow;")[root.start :].decode("utf-8", "replace")
    name = root.name.decode("utf-8", "replace")
    charset = rng.choice(("utf-16", "utf-16-be", "utf-7", "cp037"))
    whole = (
        f'<?xml version="1.0" encoding="{charset}"?>'
        f'<!DOCTYPE {name} [<!ENTITY shadow SYSTEM "file:///etc/passwd">]>{inner}'
    )
    what = f"declared an external entity in {charset}"
    return edited(request, whole.encode(charset, "replace"), what, _FILE)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def include_by_xinclude(request: Request, rng: Random) -> Edit | None:
    """XInclude is processed only where it is asked for (XInclude 1.0 §3): no file may come back (CWE-611)."""
    found = drawn(request, rng, has_text)
    return edited(request, splice(*found, _XINCLUDE), "put in an XInclude", _FILE) if found else None


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def refer_to_stylesheet(request: Request, rng: Random) -> Edit | None:
    """Whoever receives a document need not style it (Associating Style Sheets §1): nothing is fetched or run
    (CWE-91, CWE-918).
    """
    whole = pieces_of(request)
    if whole is None:
        return None
    text, pieces = whole
    href = rng.choice((b"http://127.0.0.1:1/shadow.xsl", b"file:///etc/passwd", b"#shadow"))
    instruction = b'<?xml-stylesheet type="text/xsl" href="%b"?>' % href
    at = root_of(pieces).start
    what = f"referred to the style sheet {href.decode()}"
    return edited(request, text[:at] + instruction + text[at:], what, _CALL)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def refer_to_schema(request: Request, rng: Random) -> Edit | None:
    """A schema's location is a hint that may be ignored (XML Schema Part 1 §4.3.2): no host is called for it
    (CWE-918).
    """
    whole = pieces_of(request)
    if whole is None or b"XMLSchema-instance" in whole[0]:
        return None
    text, pieces = whole
    root = root_of(pieces)
    at = root.start + 1 + len(root.name)
    hint = rng.choice(
        (
            b'schemaLocation="urn:x http://127.0.0.1:1/x.xsd"',
            b'noNamespaceSchemaLocation="file:///etc/passwd"',
        )
    )
    return edited(request, text[:at] + _XSI + hint + text[at:], "referred to a schema elsewhere", _CALL)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def declare_other_encoding(request: Request, rng: Random) -> Edit | None:
    """An encoding that is not the document's, or not known, is a fatal error (XML 1.0 §4.3.3), never a
    crash.
    """
    text = xml_of(request)
    if not text:
        return None
    declared = b'<?xml version="1.%d" encoding="%b"?>' % (
        rng.choice((0, 1, 9)),
        rng.choice((b"utf-16", b"x-shadow", b"utf-7", b"")),
    )
    return edited(
        request,
        declared + _DECLARATION.sub(b"", text),
        f"declared {declared.decode()}",
    )
