"""Endpoint templates: the paths that mean one thing get one name, and their number is bounded."""

import re
from collections.abc import Callable
from functools import lru_cache

from shadow.model import Request
from shadow.wire.grpc import is_grpc

_ID = re.compile(
    r"""\d+
    | [0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}   # UUID
    | (?=[^/]*\d)[0-9a-fA-F]{8,}                                                     # hash
    | (?=[^/]*\d)[0-9A-HJKMNP-TV-Z]{26}                                              # ULID
    | [a-z]{1,12}[-_](?=[^/]*\d)[0-9A-Za-z]{6,}                                      # prefixed
    | 0x[0-9a-fA-F]{6,}
    | (?=(?:[^/]*\d){3})(?=[^/]*[A-Za-z])[A-Za-z0-9_=-]{20,}                         # token
    | [^/]*%[0-9A-Fa-f]{2}[^/]*                                                      # escaped text
    | [^/@]+@[^/@]+                                                                  # e-mail address
    """,
    re.VERBOSE,
)
_VERSION = re.compile(r"v\d+")
_MAX_SEGMENTS = 12
_TOP_FACTOR = 8
"""The first segment names kinds of things more often than things."""
OTHER = "other"


class Endpoints:
    """Names endpoints ``"GET /v1/x/{id}"``; at most `limit` of them, all later ones are ``"other"``.

    A segment is ``{id}`` when it looks like an identifier, or once its place has shown more than `fan_out`
    different words: a path with free text in it must not make a name of each word. The path of a gRPC call
    names a method and nothing else, and stays as it is.
    """

    def __init__(
        self, *, limit: int = 500, fan_out: int = 25, names: Callable[[str, str], bool] | None = None
    ) -> None:
        """`names` tells of a segment and the one before it whether it is known to name a thing."""
        self._names_thing = names or _names_nothing
        self._limit = limit
        self._fan_out = fan_out
        self._children: dict[str, set[str]] = {}
        self._names: set[str] = set()
        self._latest: tuple[Request | None, str] = None, ""

    def name(self, request: Request) -> str:
        """The endpoint of `request`; later the same may get a more general name, never a narrower one."""
        if self._latest[0] is not request:  # who works on it asks several times
            self._latest = request, self._named(request)
        return self._latest[1]

    def _named(self, request: Request) -> str:
        path = path_of(request.target)
        template = path if is_grpc(request.headers) else self._template(path)
        name = f"{request.method.decode('latin-1')[:20]} {template}"
        if name in self._names:
            return name
        if len(self._names) >= self._limit:
            return OTHER
        self._names.add(name)
        return name

    def _template(self, path: str) -> str:
        place = before = ""
        segments = path.split("/")[1 : _MAX_SEGMENTS + 1]
        for segment in segments:
            is_known = self._names_thing(segment, before)
            place = f"{place}/{'{id}' if is_known else self._segment(place, segment)}"
            before = segment
        return place or "/"

    def _segment(self, place: str, segment: str) -> str:
        if _is_id(segment):
            return "{id}"
        seen = self._children.setdefault(place, set())
        limit = self._fan_out if place else self._fan_out * _TOP_FACTOR
        if len(seen) <= limit:
            seen.add(segment)
        return "{id}" if len(seen) > limit else segment


def _is_id(segment: str) -> bool:
    """Letters alone are none, and those are most."""
    if segment.isalpha():
        return False
    return (_known_id if len(segment) <= _MAX_KNOWN_CHARACTERS else _looks_like_id)(segment)


def _looks_like_id(segment: str) -> bool:
    return bool(_ID.fullmatch(segment)) and not _VERSION.fullmatch(segment)


_known_id = lru_cache(4096)(_looks_like_id)
_MAX_KNOWN_CHARACTERS = 64


def _names_nothing(word: str, before: str) -> bool:
    """Where nothing is known of the traffic."""
    del word, before
    return False


def path_of(target: bytes) -> str:
    """The path of a request target in origin, absolute or another form, without its query."""
    text = target.split(b"?", 1)[0].split(b"#", 1)[0].decode("latin-1")
    if "://" in text[:16]:
        _, _, rest = text.partition("://")
        return "/" + rest.partition("/")[2]
    return text if text.startswith("/") else f"/{text}"
