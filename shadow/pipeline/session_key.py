"""Which session an exchange belongs to, by what the settings say tells one from another."""

import hashlib
import re
from collections.abc import Callable, Iterator

from shadow.content import json, query
from shadow.content.cookie import crumbs
from shadow.model import Exchange, Request, Signs, field, fields

_CLIENT = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:\[\]]+):\d{1,5}(?=$|[>#])")
"""An address with its port, as taps name connections."""
_SHOWN_CHARACTERS = 64
"""What is longer is remembered as a digest."""


def session_of(exchange: Exchange, by: str, signer: Signs | None) -> str:
    """The session's name under `by` (``[session] by``); the connection's where the request does not say.

    Credentials are hashed. A client that the tap does not know by address is its connection.
    """
    if by == "connection":
        return exchange.session
    request = exchange.request
    if by == "client":
        found = _CLIENT.match(exchange.session)
        return f"client={found[1]}" if found else exchange.session
    if by == "identity":
        key = signer.key_id(request) if signer is not None else None
        return f"key:{key}" if key else exchange.session
    if by == "token":
        token = field(request.headers, b"authorization")
        return f"token:{_digest(token)}" if token else exchange.session
    kind, _, name = by.partition(":")
    value = _FINDERS[kind](request, name)
    return exchange.session if value is None else f"{by}={_short(value)}"


def _of_header(request: Request, name: str) -> bytes | None:
    return field(request.headers, name.lower().encode())


def _of_cookie(request: Request, name: str) -> bytes | None:
    wanted = f"{name}=".encode()
    found = (crumb[len(wanted) :] for crumb in _cookies(request) if crumb.startswith(wanted))
    return next(found, None)


def _of_query(request: Request, name: str) -> bytes | None:
    pairs = query.query_of(request.target)
    return next((query.decode(each.value or b"") for each in pairs if each.key == name.encode()), None)


def _of_body(request: Request, name: str) -> bytes | None:
    """The value at a path such as ``$.user.id`` of a JSON body."""
    document = json.document(request)
    node = json.find(document, name) if document is not None else None
    return None if document is None or node is None else document.text[node.start : node.end].strip(b'"')


def _cookies(request: Request) -> Iterator[bytes]:
    for line in fields(request.headers, b"cookie"):
        yield from crumbs(line)


def _short(value: bytes) -> str:
    return value.decode("latin-1") if len(value) <= _SHOWN_CHARACTERS else _digest(value)


def _digest(value: bytes) -> str:
    return hashlib.blake2b(value, digest_size=12).hexdigest()


_FINDERS: dict[str, Callable[[Request, str], bytes | None]] = {
    "header": _of_header,
    "cookie": _of_cookie,
    "query": _of_query,
    "body": _of_body,
}
