"""Which kind of content a response carries, and its bytes with content codings undone."""

from enum import StrEnum

import msgspec
import orjson

from shadow.content.coding import Fault
from shadow.content.entity import media_type, undone
from shadow.model import Response
from shadow.wire.grpc import is_grpc


class Content(StrEnum):
    """Kinds of content that are compared by different rules."""

    EMPTY = "empty"
    JSON = "json"
    JSON_LINES = "json lines"
    EVENTS = "event stream"
    XML = "xml"
    FORM = "form"
    GRPC = "grpc"
    GRPC_WEB = "grpc-web"
    PROTOBUF = "protobuf"
    PACKED = "packed"
    TEXT = "text"
    BINARY = "binary"


_BY_TYPE = {
    "application/json": Content.JSON,
    "text/json": Content.JSON,
    "application/x-ndjson": Content.JSON_LINES,
    "application/ndjson": Content.JSON_LINES,
    "application/jsonl": Content.JSON_LINES,
    "application/json-seq": Content.JSON_LINES,
    "application/jsonlines": Content.JSON_LINES,
    "application/x-jsonlines": Content.JSON_LINES,
    "application/json-lines": Content.JSON_LINES,
    "application/stream+json": Content.JSON_LINES,
    "application/geo+json-seq": Content.JSON_LINES,
    "application/x-protobuf": Content.PROTOBUF,
    "application/protobuf": Content.PROTOBUF,
    "application/vnd.google.protobuf": Content.PROTOBUF,
    "application/msgpack": Content.PACKED,
    "application/x-msgpack": Content.PACKED,
    "application/vnd.msgpack": Content.PACKED,
    "application/cbor": Content.PACKED,
    "text/event-stream": Content.EVENTS,
    "application/xml": Content.XML,
    "text/xml": Content.XML,
    "application/xhtml+xml": Content.XML,
    "application/x-www-form-urlencoded": Content.FORM,
    "application/javascript": Content.TEXT,
    "application/yaml": Content.TEXT,
    "application/toml": Content.TEXT,
    "image/svg+xml": Content.XML,
}
_BY_SUFFIX = {
    "json": Content.JSON,
    "xml": Content.XML,
    "cbor": Content.PACKED,
    "msgpack": Content.PACKED,
    "protobuf": Content.PROTOBUF,
    "proto": Content.PROTOBUF,
}
"""What follows the last ``+`` of a media type (RFC 6839)."""
_MAX_SNIFFED_BYTES = 4096
_CONTROL_BYTES = bytes(set(range(32)) - set(b"\t\n\r\f\x1b"))


def unequal(control: Response, other: Response, wanted: Content) -> tuple[bytes, bytes] | None:
    """Both plain bodies where each is of the `wanted` kind and they are not the same bytes, else None."""
    left, right = plain(control), plain(other)
    if left == right or _kind(control, left) is not wanted or _kind(other, right) is not wanted:
        return None
    return left, right


class Read(msgspec.Struct, frozen=True, gc=False):
    """What is known of a body before it is compared."""

    kind: Content
    body: bytes
    """Its content codings undone as far as that works."""
    fault: Fault | None


def read(response: Response) -> Read:
    """The kind of content of `response`, and its plain body."""
    found = undone(response)
    return Read(_kind(response, found.body), found.body, found.fault)


def content(response: Response) -> Content:
    """The kind of content of `response`: by the stated media type, else by its looks."""
    return _kind(response, plain(response)) if response.body else Content.EMPTY


def plain(response: Response) -> bytes:
    """The body with its content codings undone as far as that works."""
    return undone(response).body


def _kind(response: Response, body: bytes) -> Content:
    if not body:
        return Content.EMPTY
    stated = media_type(response.headers).decode("latin-1")
    if kind := _BY_TYPE.get(stated):
        return kind
    if is_grpc(response.headers):
        return Content.GRPC
    if stated.startswith("application/grpc-web"):
        return Content.GRPC_WEB
    return _BY_SUFFIX.get(stated.rpartition("+")[2]) or _sniffed(body)


def _sniffed(body: bytes) -> Content:
    if body.lstrip()[:1] in (b"{", b"[") and _is_json(body):
        return Content.JSON
    head = body[:_MAX_SNIFFED_BYTES]
    if head.translate(None, _CONTROL_BYTES) != head:
        return Content.BINARY
    return Content.TEXT if _is_utf8(body) else Content.BINARY


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
