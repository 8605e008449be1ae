"""What two texts in one place say: that one names what the other names, whole or part by part."""

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from urllib.parse import unquote

import msgspec

from shadow.content.query import split_target
from shadow.model import Request
from shadow.replay.token import (
    are_base64,
    are_drawn,
    is_id_key,
    is_plain,
    is_token,
    kind_of_key,
    kind_of_path,
    kind_of_word,
)

URL_START = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*|(?=/)")
"""What stands before the path of a URL, or of an absolute path."""

type Find = Callable[[str, str | None], str | None]
"""A live value, as the name of a thing of that kind or (None) by itself, to what it stands for."""


class Evidence(msgspec.Struct, frozen=True, gc=False):
    """One live value stands for one shadow value, as far as one place of one pair of answers tells."""

    live: str
    shadow: str
    kind: str | None = None
    """None where the value speaks for itself anywhere; else the kind of thing that it names, and it holds
    only where that kind is meant: ``"instance"``, ``"cookie:sid"``, ``"etag:/v1/x"``, ``"path:job"``."""
    is_sure: bool = True
    """False for a guess by position; it never overrides anything."""
    is_told: bool = False
    """True where the client was told to adopt it (Set-Cookie), whoever made up the old one."""
    place: str = ""
    """Where it stood: ``"body:$.items[].id"``, ``"header:location"``, ``"cookie:sid"``."""


class Asked:
    """What was asked: tells what a bare id in the answer is about."""

    def __init__(
        self, request: Request, find: Find, cookie_name: Callable[[str], str] = lambda name: name
    ) -> None:
        """`cookie_name` tells what the shadow calls a cookie of a live name."""
        self.cookie_name = cookie_name
        self.is_making = request.method == b"POST"
        """Whether the answer may be about a thing that was made just now."""
        self.find = find
        self._target = request.target

    @cached_property
    def segments(self) -> list[str]:
        """Of the path, as written."""
        return path_segments(self._target)

    @cached_property
    def kind(self) -> str:
        return kind_of_path(self.segments, self.find)


def path_segments(target: bytes) -> list[str]:
    """The segments of a request target's path, as written: ``["", "v1", "x"]``."""
    return split_target(target)[1].decode("latin-1").split("/")


def urls(live: str, shadow: str, asked: Asked, place: str, *, is_made: bool = False) -> Iterator[Evidence]:
    """Evidence in two URLs or absolute paths of the same build: by segment, and by query name.

    With `is_made` the last segment names what was made just now.
    """
    mine, its = URL_START.match(live), URL_START.match(shadow)
    if mine is None or its is None:
        return
    path, _, query = live[mine.end() :].partition("#")[0].partition("?")
    other_path, _, other_query = shadow[its.end() :].partition("#")[0].partition("?")
    segments, others = path.split("/"), other_path.split("/")
    if len(segments) == len(others):
        for at, (one, other) in enumerate(zip(segments, others, strict=True)):
            if one != other:
                kind = kind_of_word(segments[at - 1]) if at else ""
                is_child = asked.is_making and segments[:at] == asked.segments and are_drawn(one, other)
                is_id = is_child or any(map(str.isdigit, one)) or (is_made and at == len(segments) - 1)
                yield from named(unquote(one), unquote(other), kind, place, is_id=is_id)
    yield from pairs(query, other_query, place)


def pairs(live: str, shadow: str, place: str) -> Iterator[Evidence]:
    """Evidence in two texts ``a=1&b=2``, by name."""
    theirs = dict(pair.partition("=")[::2] for pair in shadow.split("&"))
    for pair in live.split("&"):
        key, _, value = pair.partition("=")
        other = theirs.get(key)
        if value and other and value != other:
            yield from named(unquote(value), unquote(other), kind_of_key(key), place, is_id=is_id_key(key))


def named(
    live: str, shadow: str, kind: str, place: str, *, is_id: bool, is_sure: bool = True
) -> Iterator[Evidence]:
    """Evidence of two texts that differ, the first of which names a thing of `kind` if it names any."""
    if not shadow or any(map(str.isspace, live)):
        return
    if is_token(live, has_id_key=is_id) or (is_id and are_base64(live, shadow)):
        yield Evidence(live, shadow, None, is_sure, place=place)
    elif kind and len(live) <= 128:
        if is_id:
            yield Evidence(live, shadow, kind, is_sure, place=place)
        elif is_sure and any(map(str.isdigit, live)) and not is_plain(live):
            yield Evidence(live, shadow, f"path:{kind}", place=place)
