"""Bytes as text for formats that hold text alone: UTF-8, else Latin-1, and then the place is named."""

from collections.abc import Collection
from functools import lru_cache

from shadow.model import Headers

type Pairs = list[tuple[str, str]]


def as_text(value: bytes, place: str, latin1: list[str]) -> str:
    """`value` as text; where it is no UTF-8, `place` is added to `latin1`."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        latin1.append(place)
        return value.decode("latin-1")


def as_pairs(fields: Headers, place: str, latin1: list[str]) -> Pairs:
    """Names and values; their places are ``place[3][0]`` and ``place[3][1]``."""
    try:
        return [(name.decode(), value.decode()) for name, value in fields]
    except UnicodeDecodeError:
        return [
            (as_text(name, f"{place}[{at}][0]", latin1), as_text(value, f"{place}[{at}][1]", latin1))
            for at, (name, value) in enumerate(fields)
        ]


def as_bytes(text: str, named: Collection[str | int], *places: str | int) -> bytes:
    """The bytes that `text` was made of. In a named place, what is no Latin-1 was UTF-8 all the same."""
    if not named or not any(place in named for place in places):
        return text.encode("utf-8", "surrogatepass")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _field(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    """The field that `pair` was made of: one value for all that say the same, as most do."""
    return _known_field(pair) if len(pair[0]) + len(pair[1]) <= _MAX_KNOWN_CHARACTERS else _encoded(pair)


def _encoded(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return pair[0].encode("utf-8", "surrogatepass"), pair[1].encode("utf-8", "surrogatepass")


_known_field = lru_cache(4096)(_encoded)
_MAX_KNOWN_CHARACTERS = 256


def as_fields(pairs: Pairs, named: Collection[str | int], place: str) -> Headers:
    """The fields that `pairs` were made of. A place may also be named for a whole line, or for all of them:
    the line's number alone, or `place`."""
    if not named:
        return tuple([_field(pair) for pair in pairs])
    found = []
    for at, (name, value) in enumerate(pairs):
        line: str | int = at if place == "headers" else place
        name_place, value_place = f"{place}[{at}][0]", f"{place}[{at}][1]"
        found.append((as_bytes(name, named, name_place, line), as_bytes(value, named, value_place, line)))
    return tuple(found)
