"""JSON bodies spelled otherwise: the same value in other bytes."""

import re
from random import Random

from mutators._contract import mutator
from mutators._json import NUMBERS, OBJECTS, nodes, replaced, rewritten, stated_document_of
from shadow.content import json
from shadow.content.json import Document, Kind, Node
from shadow.model import Edit, Expect, Level, Request

_PIECE = re.compile(r"\\u[0-9A-Fa-f]{4}|\\.|.", re.DOTALL)
_ORDERING = re.compile(rb'"[^"]*(?:sort|order_?by)[^"]*"', re.IGNORECASE)
_BLANKS = (b" ", b"\t", b"    ")
_SPACES = (b" ", b"\n", b"\t", b"\r\n", b"    ", b"\n\n\t ")


@mutator(level=Level.BODY, expect=Expect.SAME)
def reorder_json_keys(request: Request, rng: Random) -> Edit | None:
    """An object is an unordered collection of members (RFC 8259 §1), so their order carries no meaning.

    Objects in which a name occurs twice are left alone: there the order decides. So it does where readers
    stream: ``$type`` comes first (System.Text.Json), and databases sort in the order of the names given.
    """
    document = stated_document_of(request)
    holders = [node for node in nodes(document, OBJECTS) if len(node.children) > 1] if document else []
    if document is None or not holders:
        return None
    holder = rng.choice(holders)
    if not _is_unique(document, holder) or _is_ordered(document, holder):
        return None
    order = list(range(len(holder.children)))
    rng.shuffle(order)
    if order == sorted(order):
        order.reverse()
    return rewritten(
        request, document, json.reorder(document, holder, order), "reordered the keys of", holder
    )


@mutator(level=Level.BODY, expect=Expect.SAME)
def space_json(request: Request, rng: Random) -> Edit | None:
    """Insignificant white space is allowed around every structural character (RFC 8259 §2)."""
    document = stated_document_of(request)
    if document is None:
        return None
    text = document.text
    spaces = _BLANKS if text.endswith(b"\n") else _SPACES  # what ends in a line end may be a text per line
    at = sorted({rng.choice((node.start, node.end)) for node in rng.choices(document.nodes, k=4)})
    for place in reversed(at):
        text = text[:place] + rng.choice(spaces) + text[place:]
    return rewritten(request, document, text, f"put white space into the JSON at {len(at)} places")


@mutator(level=Level.BODY, expect=Expect.SAME)
def escape_json_value(request: Request, rng: Random) -> Edit | None:
    r"""Any character of a string may be escaped as ``\uXXXX`` (RFC 8259 §7) and stays the same character."""
    document = stated_document_of(request)
    found = [node for node in document.nodes if node.kind is Kind.STRING] if document else []
    if document is None or not found:
        return None
    node = rng.choice(found)
    escaped = _escaped(document.raw(node), rng)
    return rewritten(request, document, json.replace(document, node, escaped), "escaped characters of", node)


@mutator(level=Level.BODY, expect=Expect.SAME)
def escape_json_key(request: Request, rng: Random) -> Edit | None:
    r"""Names are strings too, and are compared after unescaping (RFC 8259 §7 and §8.3). Not those that begin
    with a dollar sign: escaped they are no metadata any more (System.Text.Json).
    """
    document = stated_document_of(request)
    found = (
        [node for node in document.nodes if node.key_start >= 0 and not _is_metadata(document.raw_key(node))]
        if document
        else []
    )
    if document is None or not found:
        return None
    node = rng.choice(found)
    escaped = _escaped(document.raw_key(node), rng)
    return rewritten(request, document, json.rename(document, node, escaped), "escaped the key of", node)


@mutator(level=Level.BODY, expect=Expect.SURVIVE)
def respell_json_number(request: Request, rng: Random) -> Edit | None:
    """1, 1.0, 1e0 and 10e-1 are one number in RFC 8259 §6, but typed parsers may tell integers from
    floats.
    """
    return replaced(
        request, rng, NUMBERS, lambda document, node: _respelled(document, node, rng), "respelled"
    )


def _is_unique(document: Document, holder: Node) -> bool:
    keys = [json.text_of(key) for key in document.keys(holder)]
    return len(set(keys)) == len(keys)


def _is_ordered(document: Document, holder: Node) -> bool:
    """Whether readers in wide use go by the order of its members."""
    is_sorting = _ORDERING.fullmatch(document.raw_key(holder)) is not None
    return is_sorting or any(map(_is_metadata, document.keys(holder)))


def _is_metadata(key: bytes) -> bool:
    return key.startswith((b'"$', b'"@'))


def _escaped(raw: bytes, rng: Random) -> bytes:
    """A raw string with one or all of its unescaped characters escaped; the same where there is none.

    A string that is not UTF-8 is left as it is.
    """
    try:
        text = raw[1:-1].decode()
    except UnicodeDecodeError:
        return raw
    pieces = _PIECE.findall(text)
    plain = [at for at, piece in enumerate(pieces) if len(piece) == 1]
    if not plain:
        return raw
    chosen = plain if rng.random() < 0.25 else [rng.choice(plain)]
    for at in chosen:
        pieces[at] = _escape(pieces[at])
    return b'"' + "".join(pieces).encode() + b'"'


def _escape(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _respelled(document: Document, node: Node, rng: Random) -> bytes | None:
    raw = document.raw(node)
    if raw.lstrip(b"-").isdigit():
        return rng.choice(
            (raw + b".0", raw + b"e0", raw + b"E+0", raw + b"0e-1", raw + b".000000000000000000")
        )
    if b"e" in raw.lower():
        return None
    return rng.choice((raw + b"0", raw + b"e0", raw + b"E-0"))
