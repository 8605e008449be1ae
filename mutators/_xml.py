"""What the XML mutators share: the document, a drawn piece of it, and the edit."""

from collections.abc import Callable
from random import Random

from shadow.content.entity import entity, media_type, parameter, replace_body
from shadow.content.xml import Token, is_sound, tokens
from shadow.model import Edit, Request, Sign, field

SIGNED = b"http://www.w3.org/2000/09/xmldsig#"
"""Stands in signed XML, in which canonical form decides what may be spelled otherwise."""


def xml_of(request: Request) -> bytes | None:
    """The body where it says that it is XML and can be decoded."""
    kind = media_type(request.headers)
    return entity(request) if request.body and kind.endswith((b"/xml", b"+xml")) else None


def pieces_of(request: Request) -> tuple[bytes, tuple[Token, ...]] | None:
    """(document, its pieces) where it can be cut into them; None elsewhere."""
    text = xml_of(request)
    pieces = tokens(text) if text else None
    return (text, pieces) if text and pieces else None


def sound_of(request: Request) -> tuple[bytes, tuple[Token, ...]] | None:
    """(document, its pieces) where every reader makes the same of it; None elsewhere: who refuses a document
    may tell the line, and what is not well-formed has no other spelling.
    """
    text = xml_of(request)
    if not text:
        return None
    charset = parameter(field(request.headers, b"content-type") or b"", b"charset")
    pieces = tokens(text) if is_sound(text, charset.decode("latin-1") if charset else None) else None
    return (text, pieces) if pieces else None


def drawn(request: Request, rng: Random, wanted: Callable[[Token], bool]) -> tuple[bytes, Token] | None:
    """(document, one of its pieces that is wanted); None where there is none."""
    text, pieces = pieces_of(request) or (b"", ())
    found = [piece for piece in pieces if wanted(piece)]
    return (text, rng.choice(found)) if found else None


def has_text(piece: Token) -> bool:
    """Whether it is character data that is more than white space."""
    return piece.kind == "text" and bool(piece.raw.strip())


def root_of(pieces: tuple[Token, ...]) -> Token:
    """The root's opening tag."""
    return next(piece for piece in pieces if piece.kind == "open")


def edited(request: Request, text: bytes, what: str, sign: Sign | None = None) -> Edit | None:
    """An edit with `text` as the document, unless nothing would change; `sign` as `Edit` has it."""
    made = replace_body(request, text)
    return None if made.body == request.body else Edit(made, what, sign=sign)


def escaped(text: str) -> bytes:
    """`text` as character data (XML 1.0 §2.4)."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return plain.encode("utf-8", "surrogatepass")


def shown(tag: Token) -> str:
    """A tag's name for a person."""
    return tag.name.decode("utf-8", "replace")
