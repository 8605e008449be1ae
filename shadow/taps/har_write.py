"""Exchanges as entries of a HAR (HTTP Archive 1.2), for browsers, proxies and load tools to read."""

import re
from base64 import b64encode
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, unquote_plus, urlsplit

import msgspec

from shadow.content import cookie
from shadow.content.coding import undo
from shadow.content.entity import content_encoding
from shadow.content.query import query_of, split_pairs
from shadow.model import Exchange, Headers, Message, Request, Response, field, fields
from shadow.taps.har_entry import OPCODES, Own, target_of
from shadow.taps.text import as_pairs, as_text
from shadow.taps.versions import name_of

TAIL = b"\n]}}\n"
BETWEEN = b",\n"

_MAX_DECODED_BYTES = 33_554_432
_HOST = re.compile(rb"[A-Za-z0-9._~-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?")
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"
"""What may stand in a URL after its host; all else is written with its number."""
_FORM = b"application/x-www-form-urlencoded"
_UNKNOWN_TYPE = "x-unknown"
_ENCODER = msgspec.json.Encoder()

type _Json = dict[str, Any]


def head() -> bytes:
    """What stands before the entries."""
    creator = _ENCODER.encode({"name": "Shadow", "version": version("shadow")})
    return b'{"log":{"version":"1.2","creator":%b,"entries":[\n' % creator


def encode(exchange: Exchange) -> bytes | None:
    """`exchange` as an entry; None for a conversation that is no HTTP, which has no place in a HAR."""
    if not exchange.request.method:
        return None
    own = Own(
        session=exchange.session,
        live=exchange.live,
        is_cut=exchange.response is not None and not exchange.response.is_complete,
        is_complete=exchange.is_complete,
    )
    is_socket = exchange.protocol == "websocket"
    wait = -1.0 if exchange.latency_seconds is None else round(exchange.latency_seconds * 1000, 6)
    if exchange.response is None:
        wait = 0.0
    entry: _Json = {
        "startedDateTime": _moment(exchange.seen_at),
        "time": max(wait, 0.0),
        "request": _request(exchange, own, is_socket=is_socket),
        "response": _no_response() if exchange.response is None else _response(exchange.response, own),
        "cache": {},
        "timings": {
            "blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": wait, "receive": 0,
        },
        "connection": exchange.session,
        **_server(exchange.live),
    }  # fmt: skip
    if is_socket:
        entry["_resourceType"] = "websocket"
        entry["_webSocketMessages"] = [_socket_message(each) for each in exchange.messages]
    entry["_shadow"] = own
    return _ENCODER.encode(entry)


def _request(exchange: Exchange, own: Own, *, is_socket: bool) -> _Json:
    request = exchange.request
    headers = as_pairs(request.headers, "request.headers", own.latin1)
    own.request_trailers = as_pairs(request.trailers, "request.trailers", own.latin1)
    found: _Json = {
        "method": as_text(request.method, "request.method", own.latin1),
        "url": _url(exchange, own, is_socket=is_socket),
        "httpVersion": name_of(request.version),
        "cookies": [
            _pair(*_named(crumb))
            for value in fields(request.headers, b"cookie")
            for crumb in cookie.crumbs(value)
        ],
        "headers": [_pair(*each) for each in headers],
        "queryString": [_decoded_pair(each.name, each.value or b"") for each in query_of(request.target)],
        "headersSize": -1,
        "bodySize": len(request.body),
    }
    if request.body:
        found["postData"] = _posted(request)
    return found


def _response(response: Response, own: Own) -> _Json:
    headers = as_pairs(response.headers, "response.headers", own.latin1)
    own.response_trailers = as_pairs(response.trailers, "response.trailers", own.latin1)
    return {
        "status": response.status,
        "statusText": as_text(response.reason, "response.reason", own.latin1),
        "httpVersion": name_of(response.version),
        "cookies": [_set_cookie(value) for value in fields(response.headers, b"set-cookie")],
        "headers": [_pair(*each) for each in headers],
        "content": _content(response, own),
        "redirectURL": _readable(field(response.headers, b"location") or b""),
        "headersSize": -1,
        "bodySize": len(response.body),
    }


def _no_response() -> _Json:
    """What browsers write where there was no answer."""
    return {
        "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [],
        "content": {"size": 0, "mimeType": _UNKNOWN_TYPE}, "redirectURL": "", "headersSize": -1,
        "bodySize": -1,
    }  # fmt: skip


def _content(response: Response, own: Own) -> _Json:
    """The body with its content coding undone, where that can be done."""
    body, coding = response.body, content_encoding(response.headers)
    comment = ""
    if coding is not None and body:
        undone = undo(body, coding, _MAX_DECODED_BYTES)
        if undone.fault is None:
            body, own.is_decoded = undone.body, True
        else:
            comment = f"as it was sent: its coding {_readable(coding)} cannot be undone ({undone.fault})"
    content: _Json = {
        "size": len(body),
        "mimeType": _type(response.headers) or _UNKNOWN_TYPE,
        **_as_json(body),
    }
    if own.is_decoded:
        content["compression"] = len(body) - len(response.body)
    if comment:
        content["comment"] = comment
    return content


def _posted(request: Request) -> _Json:
    kind = _type(request.headers)
    posted: _Json = {"mimeType": kind, **_as_json(request.body)}
    if kind.lower().startswith(_FORM.decode()) and "encoding" not in posted:
        posted["params"] = [_decoded_pair(each.name, each.value or b"") for each in split_pairs(request.body)]
    return posted


def _socket_message(message: Message) -> _Json:
    """As Chrome writes them; what is no text is in base64."""
    opcode = OPCODES.get(message.kind, 0)
    said: _Json = {
        "type": "send" if message.is_from_client else "receive",
        "time": message.seen_at,
        "opcode": opcode,
    }
    if opcode != OPCODES["text"]:
        return said | {"data": b64encode(message.body).decode()}
    found = _as_json(message.body)
    return said | {"data": found["text"]} | ({"_encoding": "base64"} if "encoding" in found else {})


def _as_json(body: bytes) -> _Json:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"text": b64encode(body).decode(), "encoding": "base64"}


def _url(exchange: Exchange, own: Own, *, is_socket: bool) -> str:
    """The URL that a client would have asked for. Where the target cannot be told from it, `own` keeps it."""
    target = exchange.request.target
    scheme = ("ws" if is_socket else "http") + ("s" if exchange.live.endswith(":443") else "")
    base = f"{scheme}://{_host(exchange)}"
    is_absolute = target[:7].lower() == b"http://" or target[:8].lower() == b"https://"
    url = ("" if is_absolute else base if target[:1] == b"/" else f"{base}/") + quote(target, safe=_URL_SAFE)
    if not _is_url(url):
        url = f"{base}/"
    shown = as_text(target, "request.target", own.latin1)
    if target_of(urlsplit(url)) != shown:
        own.target = shown
    return url


def _host(exchange: Exchange) -> str:
    """The host that was asked for: as the client named it, else where it was sent."""
    for value in (field(exchange.request.headers, b"host") or b"", exchange.live.encode()):
        if _HOST.fullmatch(value) and _is_url(f"//{value.decode()}"):
            return value.decode()
    return "unknown.invalid"


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(parts.netloc) and parts.port != 0
    except ValueError:
        return False


def _server(live: str) -> _Json:
    """The server's address, where it is one."""
    host = live.rpartition(":")[0].strip("[]")
    try:
        return {"serverIPAddress": str(ip_address(host))}
    except ValueError:
        return {}


def _set_cookie(value: bytes) -> _Json:
    first, *attributes = cookie.crumbs(value) or [b""]
    found = _pair(*_named(first))
    for attribute in attributes:
        name, text = _named(attribute)
        match name.lower():
            case "path" | "domain":
                found[name.lower()] = text
            case "expires":
                found |= _expiry(text)
            case "httponly":
                found["httpOnly"] = True
            case "secure":
                found["secure"] = True
    return found


def _expiry(text: str) -> _Json:
    try:
        return {"expires": parsedate_to_datetime(text).isoformat()}
    except (ValueError, OverflowError, IndexError):
        return {}


def _moment(seen_at: float) -> str:
    """ISO 8601, to the microsecond; the nearest that it can say for times before 1970 or after 9999."""
    moment = datetime.fromtimestamp(min(max(seen_at, 0.0), 253_402_300_799.0), UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _named(crumb: bytes) -> tuple[str, str]:
    name, _, value = crumb.partition(b"=")
    return _readable(name.strip(b" \t")), _readable(value.strip(b" \t"))


def _decoded_pair(name: bytes, value: bytes) -> _Json:
    return _pair(unquote_plus(_readable(name)), unquote_plus(_readable(value)))


def _pair(name: str, value: str) -> _Json:
    return {"name": name, "value": value}


def _type(headers: Headers) -> str:
    return _readable(field(headers, b"content-type") or b"")


def _readable(value: bytes) -> str:
    return value.decode("utf-8", "replace")
