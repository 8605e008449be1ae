"""Set-Cookie lines compared by cookie name and attribute."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from comparators import _lifetimes, _tree
from comparators._bounded import bounded_pair
from shadow.model import Change, Difference

type Cookie = dict[str, str]
"""Attributes by lower-case name; the cookie's own value stands under ``""``."""

_ENDS = frozenset({"expires", "max-age"})
"""Two ways to say how long a cookie lasts."""
_LONG_AGO = re.compile(r"(?:19\d\d|200\d)|^(?:0|-1)?$|[- ](?:7\d|0\d) \d\d:")
"""Dates that services write to have a cookie deleted."""
_FLAGS = frozenset({"secure", "httponly", "partitioned"})
"""Attributes whose value, if any, means nothing (RFC 6265 §5.2.5)."""
_ESCAPED = ("%7B", "%5B", "%7b", "%5b")


def compared(
    where: str, left: list[bytes], right: list[bytes], dates: tuple[str, str]
) -> Iterator[Difference]:
    """Differences at ``where[name]`` (the value) and ``where[name].attribute``; `dates` are both answers'."""
    ours, theirs = _cookies(left), _cookies(right)
    for name, cookie in ours.items():
        place = f"{where}[{name}]"
        if name not in theirs:
            yield Difference(place, Change.MISSING, cookie[""][:2048], None)
        else:
            yield from _attributes(place, cookie, theirs[name], dates)
    for name, cookie in theirs.items():
        if name not in ours:
            yield Difference(f"{where}[{name}]", Change.ADDED, None, cookie[""][:2048])


def _attributes(place: str, left: Cookie, right: Cookie, dates: tuple[str, str]) -> Iterator[Difference]:
    ends, end = _lifetime(left, dates[0]), _lifetime(right, dates[1])
    if ends != end:
        yield Difference(f"{place}.lifetime", Change.VALUE, ends, end)
    if ends != end or ends == "deleted" or left.keys() & _ENDS != right.keys() & _ENDS:
        kept = _ENDS & left.keys() & right.keys() if ends == end == "kept" else frozenset()
        left, right = _less(left, _ENDS - kept), _less(right, _ENDS - kept)
    for name, value in left.items():
        where = f"{place}.{name}" if name else place
        if name not in right:
            yield Difference(where, Change.MISSING, value or name, None)
        elif right[name] != value:
            yield from _changed(where, name, (value, right[name]), dates)
    for name, value in right.items():
        if name not in left:
            yield Difference(f"{place}.{name}", Change.ADDED, None, value or name)


def _lifetime(cookie: Cookie, date: str) -> str:
    """What becomes of the cookie: Max-Age goes before Expires (RFC 6265 §5.3)."""
    if (age := cookie.get("max-age")) is not None and age.lstrip("-").isdigit():
        return "deleted" if age.startswith("-") or not age.strip("0") else "kept"
    if "expires" not in cookie:
        return "session"
    is_past = _LONG_AGO.search(cookie["expires"]) or _lifetimes.lifetime(cookie["expires"], date) == 0
    return "deleted" if is_past else "kept"


def _less(cookie: Cookie, names: frozenset[str]) -> Cookie:
    return {name: value for name, value in cookie.items() if name not in names}


def _changed(where: str, name: str, values: tuple[str, str], dates: tuple[str, str]) -> Iterator[Difference]:
    if not name:
        yield from _tree.texts(_plain(values[0]), _plain(values[1]), where)
        return
    lives = (
        [_lifetimes.lifetime(*each) for each in zip(values, dates, strict=True)] if name == "expires" else []
    )
    match lives:
        case [float() as ours, float() as theirs]:
            if not _lifetimes.are_one(ours, theirs):
                yield Difference(where, Change.VALUE, _lifetimes.words(ours), _lifetimes.words(theirs))
        case _:
            yield Difference(where, Change.VALUE, *bounded_pair(*values))


def _plain(value: str) -> str:
    """A value that was escaped to be JSON nevertheless, as that."""
    return unquote(value) if value.startswith(_ESCAPED) else value


def _cookies(lines: list[bytes]) -> dict[str, Cookie]:
    """Cookies by name; of one name set twice the last counts (RFC 6265 §5.3)."""
    found: dict[str, Cookie] = {}
    for line in lines:
        pair, *attributes = line.decode("latin-1").split(";")
        name, _, value = pair.partition("=")
        cookie = {"": value.strip().strip('"')}
        for piece in attributes:
            key, _, setting = piece.partition("=")
            lower = key.strip().lower()
            if lower:
                cookie[lower] = _setting(lower, setting.strip())
        found[name.strip()] = cookie
    return found


def _setting(name: str, text: str) -> str:
    if name in _FLAGS:
        return ""
    if name == "domain":
        return text.lower().removeprefix(".")  # RFC 6265 §5.2.3
    return text.lower() if name in ("samesite", "priority") else text
