"""What a request means to a reader that shares no code with the project."""

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit
from xml.etree import ElementTree

import brotli  # type: ignore[import-untyped]  # it has no types
import h11
import zstandard

MAX_EVENT_BYTES = 2_000_000
OF_THE_CONNECTION = frozenset(
    {
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "expect",
        "trailer",
        "te",
        "content-encoding",
    }
)
"""Fields that say how a message comes, and not what it is."""
OF_THE_BODY = frozenset({"content-md5", "digest", "content-digest", "repr-digest"})
"""Fields that are put right after a body."""


class Meaning(NamedTuple):
    """What an application is told."""

    method: str
    path: list[bytes]
    query: dict[str, list[str]]
    fields: dict[str, list[str]]
    cookies: dict[str, list[str]]
    kind: tuple[str, dict[str, str]]
    """The media type and its parameters, but for the boundary."""
    body: Any


class UnreadableError(Exception):
    """The reader refuses the message, as a server built on it would."""


def meanings(sent: bytes) -> list[Meaning]:
    """What each request in `sent` means. Raises UnreadableError."""
    return [_meaning(request, body) for request, body in _messages(sent)]


def _messages(sent: bytes) -> Iterator[tuple[h11.Request, bytes]]:
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_EVENT_BYTES)
    try:
        connection.receive_data(sent)
        request, body, count = None, b"", 0
        while True:
            event = connection.next_event()
            match event:
                case h11.Request():
                    request, body = event, b""
                case h11.Data():
                    body += bytes(event.data)
                case h11.EndOfMessage():
                    assert request is not None
                    yield request, body
                    count += 1
                    if request.method == b"CONNECT":
                        return
                    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                    connection.send(h11.EndOfMessage())
                    if connection.our_state is not h11.DONE or not connection.trailing_data[0]:
                        return
                    connection.start_next_cycle()
                case _:
                    raise UnreadableError(f"incomplete after {count} requests: {event!r}")
    except h11.RemoteProtocolError as error:
        raise UnreadableError(str(error)) from error


def _meaning(request: h11.Request, body: bytes) -> Meaning:
    fields: dict[str, list[str]] = {}
    cookies: dict[str, list[str]] = {}
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name == "cookie":
            for pair in value.split(";"):
                key, _, text = pair.strip().partition("=")
                cookies.setdefault(key, []).append(text)
        elif name not in OF_THE_CONNECTION | OF_THE_BODY | {"content-type"}:
            fields.setdefault(name, []).extend(part.strip(" \t") for part in value.split(","))
    codings = ",".join(_values(request, "content-encoding"))
    kinds = _values(request, "content-type")
    path, query = _target(request.target, fields)
    return Meaning(
        request.method.decode("latin-1"),
        path,
        query,
        fields,
        cookies,
        _kind(kinds[0] if kinds else ""),
        entity_meaning(_unpacked(body, codings), kinds[0] if kinds else ""),
    )


def _values(request: h11.Request, name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in request.headers if key == name.encode()]


def _target(target: bytes, fields: dict[str, list[str]]) -> tuple[list[bytes], dict[str, list[str]]]:
    text = target.decode("latin-1")
    if not text.startswith("/") and "://" in text:
        parts = urlsplit(text)
        assert [parts.netloc] == fields.get("host"), "an absolute target names the host, too"
        text = (parts.path or "/") + (f"?{parts.query}" if "?" in text else "")
    path, _, query = text.partition("?")
    segments = [unquote_to_bytes(each.encode("latin-1")) for each in path.split("/")]
    return segments, _grouped(parse_qsl(query, keep_blank_values=True, encoding="latin-1"))


def _grouped(pairs: list[tuple[str, Any]]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def _kind(text: str) -> tuple[str, dict[str, str]]:
    message = Message()
    message["Content-Type"] = text
    params = dict(message.get_params(failobj=[])[1:]) if text else {}
    params.pop("boundary", None)
    return message.get_content_type() if text else "", params


def _unpacked(body: bytes, codings: str) -> bytes:
    try:
        return _decoded(body, codings)
    except (EOFError, OSError, zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise UnreadableError(f"{codings}: {error}") from error


def _decoded(body: bytes, codings: str) -> bytes:
    for coding in reversed([each.strip().lower() for each in codings.split(",") if each.strip()]):
        match coding:
            case "gzip" | "x-gzip":
                body = gzip.decompress(body)
            case "deflate":
                body = zlib.decompress(body)
            case "br":
                body = brotli.decompress(body)
            case "zstd":
                body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body


def entity_meaning(body: bytes, kind: str) -> Any:
    """What a body of this media type says; the bytes themselves where the type's reader cannot tell."""
    media = kind.partition(";")[0].strip().lower()
    try:
        if media == "application/json" or media.endswith("+json") or media == "application/graphql+json":
            return json.loads(body, object_pairs_hook=_pairs, parse_float=str, parse_int=str)
        if media == "application/x-www-form-urlencoded":
            pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
            return _grouped(pairs)
        if media.startswith("multipart/"):
            return _parts(body, kind)
        if media in ("application/xml", "text/xml") or media.endswith("+xml"):
            return ElementTree.canonicalize(body.decode(), rewrite_prefixes=True)
        if media in ("application/x-protobuf", "application/protobuf"):
            return protobuf_fields(body)
    except (ValueError, ElementTree.ParseError, RecursionError, IndexError):
        return body
    return body


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    """Where a name stands twice the order decides, so it is kept."""
    grouped = dict(pairs)
    grouped = {key: _tokens(key, value) for key, value in grouped.items()}
    return grouped if len(grouped) == len(pairs) else pairs


_GRAPHQL = re.compile(
    r'"""(?:\\"""|[^"]|"(?!""))*"""|"(?:\\.|[^"\\\n])*"|\.\.\.|[A-Za-z_][A-Za-z0-9_]*'
    r"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|#[^\n\r]*|[^\s,\ufeff]"
)


def _tokens(key: str, value: Any) -> Any:
    """A GraphQL document as its tokens, but for those that are to be ignored (its specification, §2.1)."""
    if key != "query" or not isinstance(value, str):
        return value
    return [each for each in _GRAPHQL.findall(value) if not each.startswith("#")]


def _parts(body: bytes, kind: str) -> list[tuple[Any, ...]]:
    message = BytesParser(policy=HTTP).parse(
        io.BytesIO(b"Content-Type: " + kind.encode("latin-1") + b"\r\n\r\n" + body)
    )
    if not message.is_multipart() or message.defects:
        raise ValueError(f"defects: {message.defects}")
    found = []
    for part in message.iter_parts():
        fields = sorted((name.lower(), str(value)) for name, value in part.items())
        found.append((fields, part.get_payload(decode=True)))
    return found


def protobuf_fields(body: bytes) -> dict[int, list[tuple[int, bytes]]]:
    """Wire type and content by field number, in the order of each field. Raises IndexError, ValueError."""
    found: dict[int, list[tuple[int, bytes]]] = {}
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        start = at
        match tag & 7:
            case 0:
                _, at = _varint(body, at)
            case 1:
                at += 8
            case 5:
                at += 4
            case 2:
                size, start = _varint(body, at)
                at = start + size
            case _:
                raise ValueError("a group, or no wire type")
        if at > len(body):
            raise ValueError("ends early")
        found.setdefault(tag >> 3, []).append((tag & 7, body[start:at]))
    return found


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
