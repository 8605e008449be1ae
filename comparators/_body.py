"""Which kind of content a response carries, and its bytes with content codings undone."""

import re
from enum import StrEnum

import msgspec
import orjson

from shadow.content.coding import Fault
from shadow.content.entity import media_type, parameter, undone
from shadow.model import Response, field
from shadow.wire.grpc import is_grpc


class Content(StrEnum):
    """Kinds of content that are compared by different rules."""

    EMPTY = "empty"
    JSON = "json"
    JSON_LINES = "json lines"
    EVENTS = "event stream"
    XML = "xml"
    HTML = "html"
    TABLE = "table"
    METRICS = "metrics"
    MULTIPART = "multipart"
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
    "text/csv": Content.TABLE,
    "text/tab-separated-values": Content.TABLE,
    "application/openmetrics-text": Content.METRICS,
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
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_PAGE = re.compile(rb"(?i)(?:\xef\xbb\xbf)?\s*(?:<!--(?:(?!-->).){0,500}-->\s*)?<(?:!doctype\s+html|html)\b")
_DOCUMENT = re.compile(
    rb"(?i)(?:\xef\xbb\xbf)?\s*(?:<\?xml\s[^>]{0,200}\?>\s*<(?!!|html\b)|<(?!html\b)[a-z][\w:.-]{0,100}\s+xmlns[=:]"
    rb"|(?-i:<[A-Z][a-z]+[A-Z][A-Za-z]{0,100}>))"
)
"""XML, whatever is said of it: frameworks call `text/html` what nobody gave a type."""
_META = re.compile(rb"""(?i)<meta\s[^>]{0,200}charset\s*=\s*["']?\s*([\w.:-]{1,40})""")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
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
    if stated == "text/plain" and _is_exposition(response):
        return Content.METRICS
    if stated.startswith("multipart/"):
        return Content.MULTIPART
    if is_grpc(response.headers):
        return Content.GRPC
    if stated.startswith("application/grpc-web"):
        return Content.GRPC_WEB
    return _BY_SUFFIX.get(stated.rpartition("+")[2]) or _sniffed(response, body, stated)


def decoded(response: Response, body: bytes) -> str:
    """The text of a plain body, by the charset that its mark or its fields state; UTF-8 where none does."""
    return _decoded(_charset(response, body), body) or body.decode("utf-8", "backslashreplace")


def _is_exposition(response: Response) -> bool:
    """Whether the type says that metrics are exposed to Prometheus, of which each version has a number."""
    return parameter(field(response.headers, b"content-type") or b"", b"version") is not None


def _sniffed(response: Response, body: bytes, stated: str) -> Content:
    if body.lstrip()[:1] in (b"{", b"[") and _is_json(body):
        return Content.JSON
    if not _is_text(response, body, stated):
        return Content.BINARY
    if stated in ("text/html", "text/plain", "") and _DOCUMENT.match(body):
        return Content.XML
    if stated == "text/html" or (not stated and _PAGE.match(body)):
        return Content.HTML
    return Content.TEXT


def _is_text(response: Response, body: bytes, stated: str) -> bool:
    """Whether it reads as text: as UTF-8 or, where it is said to be text, in a charset that is stated."""
    head = body[:_MAX_SNIFFED_BYTES]
    if head.startswith(b"%PDF-"):
        return False  # of which little but the pages need be text
    if head.translate(None, _CONTROL_BYTES) == head and (stated.startswith("text/") or _is_utf8(body)):
        return True
    charset = _charset(response, body)
    if not charset or not stated.startswith(("text/", "application/")):
        return False
    text = _decoded(charset, body)
    return text is not None and not _CONTROLS.search(text[:_MAX_SNIFFED_BYTES])


def _charset(response: Response, body: bytes) -> str:
    """The charset of a text: its own mark goes before the field (Encoding Standard §6); "" where unknown."""
    for mark, name in _MARKS:
        if body.startswith(mark):
            return name
    stated = parameter(field(response.headers, b"content-type") or b"", b"charset")
    if not stated and (found := _META.search(body[:1024])):
        stated = found[1]
    name = (stated or b"").decode("latin-1").strip().lower()
    return "cp1252" if name in ("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii") else name


def _decoded(charset: str, body: bytes) -> str | None:
    """None where `charset` is none of text, or these bytes are not in it."""
    try:
        text = body.decode(charset or "utf-8-sig", "backslashreplace" if charset == "cp1252" else "strict")
    except (LookupError, ValueError):
        return None
    return text.removeprefix("\ufeff")


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
