"""The values that a message shows, with their places: what a dictionary of the traffic is made from."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

import orjson

from shadow.content.cookie import crumbs
from shadow.content.entity import entity, media_type
from shadow.content.form import form_of
from shadow.content.json import member_step
from shadow.content.query import decode
from shadow.model import Request, Response

MAX_BODY_BYTES = 256 * 1024
MAX_VALUES = 400
"""Of one body."""
_MAX_VALUE_CHARACTERS = 256
_MAX_KEY_CHARACTERS = 256
"""A longer key is a value, and no name that others have."""
_MAX_DEPTH = 6
_MAX_ELEMENTS = 8
_ELEMENT = re.compile(rb"<(?:[A-Za-z_][\w.-]{0,30}:)?([A-Za-z_][\w.-]{0,63})[^<>]{0,200}>([^<>&]{1,256})</")
_UNTOLD = frozenset(
    (
        *(
            b"host",
            b"content-length",
            b"transfer-encoding",
            b"connection",
            b"expect",
            b"te",
            b"trailer",
            b"upgrade",
        ),
        *(
            b"cookie",
            b"authorization",
            b"proxy-authorization",
            b"signature",
            b"signature-input",
            b"content-digest",
        ),
        *(b"repr-digest", b"digest", b"content-md5", b"x-api-key", b"shadow-run", b"shadow-trial", b"date"),
    )
)
"""Fields that are framing, credentials, or no two messages' own."""

type Spot = tuple[str, str | int | float]
"""A place, as `Known.values` has it, and the value there."""


def spots_of_head(request: Request) -> Iterator[Spot]:
    """Parameters, cookies and fields."""
    query = request.target.partition(b"?")[2]
    if query:
        for name, value in parse_qsl(query.decode("latin-1"), max_num_fields=None)[:64]:
            yield f"query:{name}", value[:_MAX_VALUE_CHARACTERS]
    for field, line in request.headers[:64]:
        lower = field.lower()
        if lower == b"cookie":
            for crumb in crumbs(line)[:32]:
                named, _, held = crumb.partition(b"=")
                yield f"cookie:{named.decode('latin-1')}", held[:_MAX_VALUE_CHARACTERS].decode("latin-1")
        elif lower not in _UNTOLD and len(line) <= _MAX_VALUE_CHARACTERS:
            yield f"header:{lower.decode('latin-1')}", line.decode("latin-1")


def spots_of_body(message: Request | Response) -> Iterator[Spot]:
    """Leaves of JSON, fields of a form, texts of XML; nothing of any other body."""
    body = entity(message) if len(message.body) <= MAX_BODY_BYTES else None
    if not body or len(body) > MAX_BODY_BYTES:
        return
    first = body[:1]
    if first in b"{[" or body[:16].lstrip()[:1] in (b"{", b"["):
        try:
            tree = orjson.loads(body)
        except orjson.JSONDecodeError:
            return
        yield from leaves(tree)
    elif first == b"<" and b"html" not in media_type(message.headers):
        for found in list(_ELEMENT.finditer(body[: 16 * 1024]))[:MAX_VALUES]:
            name, text = found[1].decode("utf-8", "replace"), found[2].decode("utf-8", "replace")
            if text.strip():
                yield f"body:<{name}>", text
    elif isinstance(message, Request) and (pairs := form_of(message)):
        for pair in pairs[:64]:
            value = decode(pair.value or b"")[:_MAX_VALUE_CHARACTERS].decode("utf-8", "replace")
            yield f"body:{pair.key.decode('utf-8', 'replace')}", value


def leaves(tree: object) -> list[Spot]:
    """Texts and numbers of a decoded JSON document, at most `MAX_VALUES`; of arrays the first elements."""
    found: list[Spot] = []
    _walk(tree, "body:$", 0, found)
    return found


def _walk(value: object, place: str, depth: int, found: list[Spot]) -> None:
    if len(found) >= MAX_VALUES or depth > _MAX_DEPTH:
        return
    kind = type(value)
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]  # kind
            if len(key) > _MAX_KEY_CHARACTERS:
                continue
            at = place + member_step(key)
            if type(item) is str:
                found.append((at, item[:_MAX_VALUE_CHARACTERS]))
            else:
                _walk(item, at, depth + 1, found)
    elif kind is list:
        for item in value[:_MAX_ELEMENTS]:  # type: ignore[index]  # kind
            _walk(item, f"{place}[]", depth + 1, found)
    elif kind is str or kind is int or kind is float:
        found.append((place, value[:_MAX_VALUE_CHARACTERS] if kind is str else value))  # type: ignore[index,arg-type]  # kind
