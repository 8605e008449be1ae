"""An entry of a HAR (HTTP Archive 1.2), and the exchange that it tells of.

Members that begin with an underscore are their writers' own. `_webSocketMessages` is Chrome's; `_shadow` is
ours, and holds what the format has no place for.
"""

import json
import re
from base64 import b64decode
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from shadow.model import (
    Exchange,
    Headers,
    Message,
    Request,
    Response,
    authority,
    with_field,
    without_field,
)
from shadow.taps.text import as_bytes, as_fields
from shadow.taps.versions import version_of

TAP = "har"
OPCODES = {"": 0, "text": 1, "binary": 2, "close": 8, "ping": 9, "pong": 10}
"""Of the kinds of WebSocket messages (RFC 6455 §11.8)."""
_KINDS = {code: kind for kind, code in OPCODES.items()}
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FRACTION = re.compile(r"\.(\d{1,6})\d*")


class Pair(msgspec.Struct):
    name: str = ""
    value: str = ""


class Text(msgspec.Struct):
    text: str | None = None
    encoding: str = ""
    size: float = 0
    params: list[Pair] = []


class SeenRequest(msgspec.Struct, rename={"post_data": "postData", "version": "httpVersion"}):
    method: str
    url: str
    version: str = ""
    headers: list[Pair] = []
    post_data: Text | None = None


class SeenResponse(msgspec.Struct, rename={"reason": "statusText", "version": "httpVersion"}):
    status: int = 0
    reason: str = ""
    version: str = ""
    headers: list[Pair] = []
    content: Text | None = None


class Timings(msgspec.Struct):
    send: float | None = None
    wait: float | None = None


class SocketMessage(msgspec.Struct):
    type: str = ""
    time: float = 0.0
    opcode: int = 1
    data: str = ""
    encoding: str = msgspec.field(default="", name="_encoding")


class Own(msgspec.Struct, omit_defaults=True):
    """What we write besides, so that nothing of an exchange is lost that can be kept."""

    session: str = ""
    live: str = ""
    target: str | None = None
    """Where it cannot be told from the URL."""
    latin1: list[str] = []
    """Places that were no UTF-8; see `shadow.taps.text`."""
    request_trailers: list[tuple[str, str]] = []
    response_trailers: list[tuple[str, str]] = []
    is_decoded: bool = False
    """Whether the response's content coding was undone."""
    is_cut: bool = False
    """Whether the response is not complete."""
    is_complete: bool = True
    """Whether no messages of the conversation are missing."""


class Entry(
    msgspec.Struct,
    rename={"started": "startedDateTime", "messages": "_webSocketMessages", "own": "_shadow"},
):
    """An entry as it is read."""

    request: SeenRequest
    response: SeenResponse | None = None
    started: str = ""
    timings: Timings | None = None
    messages: list[SocketMessage] | None = None
    own: Own | None = None


_DECODER = msgspec.json.Decoder(Entry, strict=False)


def decode(text: bytes, session: str) -> Exchange | str:
    """The exchange that an entry tells of, or why there is none; `session` where it does not name its own."""
    try:
        entry = _decoded(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return f"not a HAR entry: {error}"
    try:
        url = urlsplit(entry.request.url)
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        return "not a URL"
    if port is None or not url.netloc:
        return "not an HTTP URL"
    return _exchange(entry, url, port, session)


def target_of(url: SplitResult) -> str:
    """The request target that a client makes of a URL."""
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _decoded(text: bytes) -> Entry:
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError) as error:
        if isinstance(error, msgspec.ValidationError):
            raise
        # Halves of surrogate pairs, as browsers write them, and text that is no UTF-8 are read as they are.
        loose: Any = json.loads(text.decode("utf-8", "replace"), parse_constant=_refused, parse_float=_finite)
        return msgspec.convert(loose, Entry, strict=False)


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    found = float(text)
    if not isfinite(found):
        raise ValueError("a number that is too large")
    return found


def _exchange(entry: Entry, url: SplitResult, port: int, session: str) -> Exchange:
    own = entry.own
    live = authority(url.hostname or "", port)
    if own is not None:
        session, live = own.session, own.live
    response = _response(entry)
    messages = tuple(_message(each) for each in entry.messages or () if each.type in ("send", "receive"))
    return Exchange(
        0,
        TAP,
        _whole(session),
        _unix_time(entry.started),
        _request(entry, url),
        response,
        None if response is None else _latency(entry.timings),
        _whole(live),
        "http" if entry.messages is None else "websocket",
        messages,
        own is None or own.is_complete,
    )


def _request(entry: Entry, url: SplitResult) -> Request:
    seen, own = entry.request, entry.own or Own()
    body = _posted(seen.post_data)
    headers = _fields(seen.headers, own, "request.headers")
    if entry.own is None:
        if not any(name.lower() == b"host" for name, _ in headers):
            headers = ((b"Host", as_bytes(url.netloc.rpartition("@")[2], ())), *headers)
        headers = _framed(headers, body)
    return Request(
        as_bytes(seen.method, own.latin1, "request.method"),
        as_bytes(target_of(url) if own.target is None else own.target, own.latin1, "request.target"),
        version_of(seen.version),
        headers,
        body,
        as_fields(own.request_trailers, own.latin1, "request.trailers"),
    )


def _response(entry: Entry) -> Response | None:
    """The response; None where the client got none, which is written as status 0."""
    seen, own = entry.response, entry.own or Own()
    if seen is None or not 100 <= seen.status <= 999:
        return None
    content = seen.content or Text()
    body = _content(content)
    headers = _fields(seen.headers, own, "response.headers")
    if entry.own is None or own.is_decoded:
        # The text of a HAR has its content coding undone, so the field that names it would no longer be true.
        headers = without_field(headers, b"content-encoding")
        if body or not _is_bodiless(entry.request.method, seen.status):
            headers = _framed(headers, body)
    return Response(
        seen.status,
        as_bytes(seen.reason, own.latin1, "response.reason"),
        version_of(seen.version),
        headers,
        body,
        as_fields(own.response_trailers, own.latin1, "response.trailers"),
        not own.is_cut if entry.own else content.text is not None or not content.size,
    )


def _message(seen: SocketMessage) -> Message:
    is_text = seen.opcode == OPCODES["text"] and seen.encoding != "base64"
    body = as_bytes(seen.data, ()) if is_text else _from_base64(seen.data)
    return Message(seen.type == "send", body, seen.time, _KINDS.get(seen.opcode, ""))


def _fields(pairs: list[Pair], own: Own, place: str) -> Headers:
    """The field lines without the pseudo-fields of HTTP/2."""
    lines = [(pair.name, pair.value) for pair in pairs if not pair.name.startswith(":")]
    return as_fields(lines, own.latin1, place)


def _is_bodiless(method: str, status: int) -> bool:
    """Whether the fields speak of a body that is not there (RFC 9110 §6.4.1)."""
    return method.upper() == "HEAD" or status in (204, 304)


def _framed(headers: Headers, body: bytes) -> Headers:
    """`headers` with the body's own length: what is written may be another's, or missing with HTTP/2."""
    headers = without_field(headers, b"transfer-encoding")
    if body or any(name.lower() == b"content-length" for name, _ in headers):
        return with_field(headers, b"Content-Length", b"%d" % len(body))
    return headers


def _posted(data: Text | None) -> bytes:
    if data is None:
        return b""
    if data.text is None and data.params:
        return b"&".join(as_bytes(f"{pair.name}={pair.value}", ()) for pair in data.params)
    return _content(data)


def _content(content: Text) -> bytes:
    text = content.text or ""
    return _from_base64(text) if content.encoding.lower() == "base64" else as_bytes(text, ())


def _from_base64(text: str) -> bytes:
    """What `text` stands for; itself, where it is no base64 after all."""
    try:
        return b64decode(text)
    except ValueError:
        return as_bytes(text, ())


def _whole(text: str) -> str:
    """`text` without halves of surrogate pairs, which no file could hold."""
    return text.encode("utf-8", "replace").decode()


def _latency(timings: Timings | None) -> float | None:
    """Seconds from the start of sending to the first byte of the answer; negative times are unknown ones."""
    if timings is None or timings.wait is None or timings.wait < 0:
        return None
    return (max(timings.send or 0.0, 0.0) + timings.wait) / 1000


def _unix_time(text: str) -> float:
    """The Unix time of an ISO 8601 date; 0.0 where it is none."""
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r".\1", text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return 0.0
