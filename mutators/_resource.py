"""Which resource a request is about, read from the shape of its path."""

import re

from shadow.auth.canonical import path_of
from shadow.model import Exchange, Request

_ID = re.compile(
    rb"\d+"
    rb"|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    rb"|0x[0-9a-fA-F]+"
    rb"|[a-z]{1,12}[_-](?=[A-Za-z]*\d)[A-Za-z0-9]+"
    rb"|(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{8,64}"
)
"""A number, a UUID, an address, ``inst-7``, or eight and more letters with a digit among them (ULID)."""
_NO_ID = re.compile(rb"v\d+([a-z]+\d*)?|\d{4}-\d\d(-\d\d)?")
"""Version prefixes and dates."""

SAFE_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS", b"TRACE"})
"""RFC 9110 §9.2.1."""


def is_id(segment: bytes) -> bool:
    """Whether a path segment looks like the id of one resource among many."""
    return _ID.fullmatch(segment) is not None and _NO_ID.fullmatch(segment) is None


def ids_of(request: Request) -> tuple[bytes, ...]:
    """The ids in the path, outermost first."""
    return tuple(segment for segment in path_of(request.target).split(b"/") if is_id(segment))


def resource_of(request: Request) -> bytes | None:
    """The path up to its last id (``/v1/x/7`` of ``/v1/x/7/start``); None where it has no id."""
    segments = path_of(request.target).split(b"/")
    last = max((at for at, segment in enumerate(segments) if is_id(segment)), default=None)
    return None if last is None else b"/".join(segments[: last + 1])


def action_of(request: Request) -> tuple[bytes, bytes]:
    """Method and path with each id as ``{id}``: the same for every resource of a kind."""
    segments = path_of(request.target).split(b"/")
    return request.method, b"/".join(b"{id}" if is_id(segment) else segment for segment in segments)


def writes(request: Request) -> bool:
    """Whether `request` asks for a change, as its method says (RFC 9110 §9.2.1)."""
    return request.method not in SAFE_METHODS


def succeeded(exchange: Exchange) -> bool:
    """Whether the live service answered with 2xx."""
    return exchange.response is not None and 200 <= exchange.response.status < 300
