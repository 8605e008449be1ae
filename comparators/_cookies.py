"""Set-Cookie lines compared by cookie name and attribute."""

from collections.abc import Iterator

from comparators._bounded import bounded_pair
from shadow.model import Change, Difference

type Cookie = dict[str, str]
"""Attributes by lower-case name; the cookie's own value stands under ``""``."""


def compared(where: str, left: list[bytes], right: list[bytes]) -> Iterator[Difference]:
    """Differences at ``where[name]`` (the value) and ``where[name].attribute``."""
    ours, theirs = _cookies(left), _cookies(right)
    for name, cookie in ours.items():
        place = f"{where}[{name}]"
        if name not in theirs:
            yield Difference(place, Change.MISSING, cookie[""][:2048], None)
        else:
            yield from _attributes(place, cookie, theirs[name])
    for name, cookie in theirs.items():
        if name not in ours:
            yield Difference(f"{where}[{name}]", Change.ADDED, None, cookie[""][:2048])


def _attributes(place: str, left: Cookie, right: Cookie) -> Iterator[Difference]:
    for name, value in left.items():
        where = f"{place}.{name}" if name else place
        if name not in right:
            yield Difference(where, Change.MISSING, value or name, None)
        elif right[name] != value:
            yield Difference(where, Change.VALUE, *bounded_pair(value, right[name]))
    for name, value in right.items():
        if name not in left:
            yield Difference(f"{place}.{name}", Change.ADDED, None, value or name)


def _cookies(lines: list[bytes]) -> dict[str, Cookie]:
    """Cookies by name; of one name set twice the last counts (RFC 6265 §5.3)."""
    found: dict[str, Cookie] = {}
    for line in lines:
        pair, *attributes = line.decode("latin-1").split(";")
        name, _, value = pair.partition("=")
        cookie = {"": value.strip()}
        for piece in attributes:
            key, _, setting = piece.partition("=")
            lower = key.strip().lower()
            if lower:
                cookie[lower] = (
                    setting.strip().lower() if lower in ("samesite", "domain") else setting.strip()
                )
        found[name.strip()] = cookie
    return found
