"""The canonical string of a signed request: the bytes that its signature is made over."""

from collections.abc import Callable, Mapping
from functools import partial
from hashlib import sha256

from shadow.auth.place import Place
from shadow.errors import ConfigError, nearest
from shadow.model import Request, field, fields

type Reader = Callable[[Request], bytes]
"""Reads one part of the canonical string from a request whose signing fields are in place."""


def reader(part: str, places: Mapping[str, Place]) -> Reader:
    """What reads `part`, one entry of ``signing.canonical``.

    `places` tells where each configured part of a signature stands. Raises ConfigError for an unknown part
    and for one whose header is not configured.
    """
    if part == "query" and (signature := places.get("signature")) and signature.name.startswith("query:"):
        return lambda request: _sorted_query(signature.drop(request))
    if part in _READERS:
        return _READERS[part]
    if part in _STATED_PARTS:
        if part not in places:
            raise ConfigError(f"signing.canonical has {part!r}, but signing.{part} names no header; set it")
        return partial(_stated, places[part])
    if part.startswith("header:") and len(part) > len("header:"):
        return partial(_joined, part.removeprefix("header:").lower().encode("latin-1", "replace"))
    if len(part) >= 2 and part[0] == part[-1] == "'":
        return partial(_literal, part[1:-1].encode())
    choices = (*_READERS, *_STATED_PARTS, "header:NAME", "'literal'")
    raise ConfigError(
        f"signing.canonical has {part!r}, which is none of {', '.join(choices)}{nearest(part, choices)}"
    )


def path_of(target: bytes) -> bytes:
    """The raw path of a request target, without query; of an absolute-form target its path alone."""
    path = target.partition(b"?")[0]
    _, scheme_mark, rest = path.partition(b"://")
    if scheme_mark and not path.startswith(b"/"):
        return b"/" + rest.partition(b"/")[2]
    return path


def query_of(target: bytes) -> bytes:
    """The raw query of a request target, empty when there is none."""
    return target.partition(b"?")[2]


def body_digest(request: Request) -> bytes:
    """The SHA-256 of the body in lower-case hex."""
    return sha256(request.body).hexdigest().encode("ascii")


def _sorted_query(request: Request) -> bytes:
    return b"&".join(sorted(pair for pair in query_of(request.target).split(b"&") if pair))


def _first(name: bytes, request: Request) -> bytes:
    return field(request.headers, name) or b""


def _stated(place: Place, request: Request) -> bytes:
    return place.read(request) or b""


def _joined(name: bytes, request: Request) -> bytes:
    return b", ".join(fields(request.headers, name))


def _literal(text: bytes, _request: Request) -> bytes:
    return text


_READERS: Mapping[str, Reader] = {
    "method": lambda request: request.method,
    "path": lambda request: path_of(request.target),
    "query": _sorted_query,
    "target": lambda request: request.target,
    "body": lambda request: request.body,
    "body_digest": body_digest,
    "host": partial(_first, b"host"),
}
_STATED_PARTS = ("timestamp", "nonce", "key_id", "algorithm")
"""Parts that stand in a header of their own."""
