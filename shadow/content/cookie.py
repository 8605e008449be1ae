"""Cookie field values split into crumbs and joined byte for byte (RFC 6265 §4.2.1)."""

from collections.abc import Iterable


def crumbs(value: bytes) -> list[bytes]:
    """``a=1``, ``b=2`` of ``a=1; b=2``, in order, white space around them taken off, empty ones left out."""
    return [crumb for piece in value.split(b";") if (crumb := piece.strip(b" \t"))]


def join(pieces: Iterable[bytes]) -> bytes:
    """The crumbs as one field value, with the separator that the RFC has."""
    return b"; ".join(pieces)


def name_of(crumb: bytes) -> bytes:
    """The cookie's name; cookie names are case-sensitive."""
    return crumb.partition(b"=")[0].rstrip(b" \t")
