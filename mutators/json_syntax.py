"""JSON bodies that are broken as text: grammar, encoding, stated charset."""

from random import Random

from mutators._contract import mutator
from mutators._json import document_of, rewritten
from mutators._message import with_headers
from shadow.content import json
from shadow.content.entity import media_type, replace_body
from shadow.content.json import Document, Kind
from shadow.model import Edit, Expect, Level, Request, with_field

_CHARSETS = (
    *(
        b"utf-16",
        b"utf-32",
        b"iso-8859-1",
        b"windows-1252",
        b"utf-7",
        b"ebcdic-cp-us",
        b"shift_jis",
        b"x-shadow",
    ),
    *(
        b"idna",
        b"punycode",
        b"unicode_escape",
        b"raw_unicode_escape",
        b"base64",
        b"zlib",
        b"rot13",
        b"undefined",
    ),
    *(b"\xff", b'""', b""),
)
"""Among them names that look-ups in a language's codec table find although they are no charset (CPython's
rot13).
"""
_SURPLUS = (b"}", b"]", b",", b"{}", b"null", b"\x00", b"//", b"bla", b"/**/", b"\n{}\n", b"\xff")
_BAD_UTF8 = (b"\xff", b"\xc3", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"\xe2\x82")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def truncate_json(request: Request, rng: Random) -> Edit | None:
    """Half a text is no JSON (RFC 8259 §2): denied, save where the body is not read, and never a crash."""
    document = document_of(request)
    if document is None or len(document.text) < 2:
        return None
    size = rng.choice(
        (1, len(document.text) // 2, len(document.text) - 1, rng.randrange(1, len(document.text)))
    )
    return rewritten(request, document, document.text[:size], f"cut the JSON after {size} bytes")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def surplus_after_json(request: Request, rng: Random) -> Edit | None:
    """A text is one value and white space (RFC 8259 §2); what follows is an error or ignored, never a
    crash.
    """
    document = document_of(request)
    surplus = rng.choice(_SURPLUS)
    if document is None:
        return None
    return rewritten(request, document, document.text + surplus, f"put {surplus!r} after the JSON")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def loosen_json_grammar(request: Request, rng: Random) -> Edit | None:
    """Trailing commas, comments, single quotes and bare keys: a parser may take extensions (RFC 8259
    §9) or refuse.
    """
    document = document_of(request)
    if document is None or document.root.kind not in {Kind.OBJECT, Kind.ARRAY}:
        return None
    what, loose = rng.choice(_LOOSE)
    node = rng.choice(document.nodes)
    return rewritten(request, document, loose(document, node.index), what)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def mark_json_byte_order(request: Request, rng: Random) -> Edit | None:
    """A byte order mark must not be sent and may be ignored or refused (RFC 8259 §8.1), without a crash."""
    document = document_of(request)
    if document is None:
        return None
    mark = rng.choice((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf\xef\xbb\xbf"))
    return rewritten(
        request, document, mark + document.text, f"put the byte order mark {mark.hex()} before the JSON"
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def recode_json(request: Request, rng: Random) -> Edit | None:
    """JSON between systems is UTF-8 (RFC 8259 §8.1); UTF-16 and UTF-32 are denied or detected, never a
    crash.
    """
    document = document_of(request)
    if document is None:
        return None
    charset = rng.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "cp037"))
    text = document.text.decode("utf-8", "replace").encode(charset, "replace")
    return rewritten(request, document, text, f"wrote the JSON in {charset}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def bad_utf8_in_json(request: Request, rng: Random) -> Edit | None:
    """Bytes that are no UTF-8 (RFC 3629 §3) in a string: denied or replaced, never a crash."""
    document = document_of(request)
    found = [node for node in document.nodes if node.kind is Kind.STRING] if document else []
    if document is None or not found:
        return None
    node = rng.choice(found)
    raw = document.raw(node)
    bad = rng.choice(_BAD_UTF8)
    return rewritten(
        request, document, json.replace(document, node, raw[:-1] + bad + b'"'), f"put {bad.hex()} into", node
    )


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def state_wrong_charset(request: Request, rng: Random) -> Edit | None:
    """JSON has no charset parameter (RFC 8259 §11): ignored, or 415; a codec that does not exist is no
    crash.
    """
    kind = media_type(request.headers)
    if not request.body or not kind:
        return None
    charset = rng.choice(_CHARSETS)
    headers = with_field(request.headers, b"Content-Type", kind + b"; charset=" + charset)
    if headers == request.headers:
        return None
    return Edit(with_headers(request, headers), f"stated the charset {charset.decode('latin-1')!r}")


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def replace_json_bytes(request: Request, rng: Random) -> Edit | None:
    """A body that is no JSON at all under a JSON content type: 400 or 415 (RFC 9110 §15.5.1), never a
    crash.
    """
    document = document_of(request)
    if document is None:
        return None
    text = rng.choice(
        (b"", b"\x00", b"<a/>", b"a=1", b"\xff\xfe\xfd", b"undefined", b" ", b"\x1f\x8b\x08", b"---\n- a\n")
    )
    return Edit(replace_body(request, text), f"replaced the JSON by {text!r}")


def _insert(text: bytes, at: int, piece: bytes) -> bytes:
    return text[:at] + piece + text[at:]


def _comma(document: Document, index: int) -> bytes:
    return _insert(document.text, document.nodes[index].end - (document.nodes[index].kind in _CLOSED), b",")


def _commented(document: Document, index: int) -> bytes:
    return _insert(document.text, document.nodes[index].start, b"/*a*/" if index % 2 else b"//a\n")


def _quoted_singly(document: Document, index: int) -> bytes:
    node = document.nodes[index]
    raw = document.raw(node)
    return json.replace(document, node, b"'" + raw.strip(b'"') + b"'")


def _unquoted(document: Document, index: int) -> bytes:
    node = document.nodes[index]
    return (
        json.rename(document, node, document.raw_key(node)[1:-1])
        if node.key_start >= 0
        else document.text[1:]
    )


def _uncoloned(document: Document, index: int) -> bytes:
    node = document.nodes[index]
    at = node.key_end if node.key_start >= 0 else node.start
    return document.text[:at] + document.text[at:].replace(b":", b" ", 1)


def _newlined(document: Document, index: int) -> bytes:
    return _insert(document.text, document.nodes[index].start, b'"\n"')


_CLOSED = frozenset({Kind.OBJECT, Kind.ARRAY})
_LOOSE = (
    ("put in a surplus comma", _comma),
    ("put in a comment", _commented),
    ("put in single quotes", _quoted_singly),
    ("took quotes off a key", _unquoted),
    ("took a colon out", _uncoloned),
    ("put in a raw line end", _newlined),
)
