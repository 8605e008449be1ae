"""The kind of a value, by how it looks: numbers, identifiers, times, addresses, words."""

import re
from functools import lru_cache

KINDS = ("integer", "decimal", "uuid", "date", "email", "url", "id", "token", "word", "text")

_SHAPES = tuple(
    (kind, re.compile(shape, re.ASCII))
    for kind, shape in (
        ("integer", r"-?\d{1,19}"),
        ("decimal", r"-?\d{1,19}\.\d{1,19}"),
        ("uuid", r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
        ("date", r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[\d:.]{0,16}(?:Z|[+-]\d\d:?\d\d)?)?"),
        ("email", r"[^@\s]{1,64}@[^@\s]{1,255}"),
        ("url", r"[a-z][a-z0-9+.-]{0,15}://\S+"),
        ("id", r"[a-z]{1,12}[-_](?=[^-_]*\d)[0-9A-Za-z]{1,40}"),
        ("token", r"(?=(?:\D*\d){3})(?=\d*[A-Za-z])[A-Za-z0-9_=.~+/-]{24,}"),
        ("id", r"(?=[^\d]*\d)[0-9A-Za-z_-]{6,64}"),
        ("word", r"[A-Za-z][A-Za-z0-9_.-]{0,31}"),
    )
)
_MAX_CHARACTERS = 256


@lru_cache(4096)
def kind_of(text: str) -> str:
    """One of `KINDS`; "text" for whatever is nothing else."""
    if len(text) > _MAX_CHARACTERS:
        return "text"
    return next((kind for kind, shape in _SHAPES if shape.fullmatch(text)), "text")
