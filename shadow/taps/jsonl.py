"""Exchanges as JSON lines, written and read. `docs/output.md` describes the keys.

Text that is no UTF-8 is written as Latin-1; `latin1` then names its place (``"target"``,
``"headers[3][1]"``), so that reading gives the same bytes.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec

from shadow.model import Exchange, Fate, Message, Request, Response, Settled
from shadow.taps.jsonl_dns import described
from shadow.taps.source import Source
from shadow.taps.text import as_bytes, as_fields, as_pairs, as_text

TAP = "jsonl"
_MAX_LINE_BYTES = 134_217_728
_TOO_LONG = f"a line longer than {_MAX_LINE_BYTES} bytes"

type _Index = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
type _Status = Annotated[int, msgspec.Meta(ge=0, le=999)]


class _Message(msgspec.Struct):
    headers: list[tuple[str, str]] = []
    version: str = "HTTP/1.1"
    body: bytes = b""
    trailers: list[tuple[str, str]] = []
    latin1: list[str | int] = []
    """Places. Older files name a header line by its number alone, and all trailers at once."""


class _Request(_Message, kw_only=True):
    method: str
    target: str


class _Response(_Message, kw_only=True):
    status: _Status
    reason: str = ""
    is_complete: bool = True


class _Said(msgspec.Struct, rename={"sender": "from"}):
    sender: str
    body: bytes = b""
    seen_at: float = 0.0
    kind: str = ""


class _Line(msgspec.Struct):
    request: _Request | None = None
    index: _Index = 0
    tap: str = TAP
    session: str = ""
    seen_at: float = 0.0
    response: _Response | None = None
    latency_seconds: float | None = None
    live: str = ""
    protocol: str = "http"
    messages: list[_Said] = []
    is_complete: bool = True


_DECODER = msgspec.json.Decoder(_Line)
_FIRST_KEY = re.compile(
    rb'\{\s*"(index|tap|session|seen_at|request|response|latency_seconds|live|protocol|messages)"\s*:'
)
_ENCODER = msgspec.json.Encoder()


def is_jsonl(start: bytes) -> bool:
    """Whether a file that starts with these bytes is lines of exchanges."""
    return _FIRST_KEY.match(start.lstrip()) is not None


def encode(exchange: Exchange) -> bytes:
    """`exchange` as one line, with its line end."""
    line: dict[str, Any] = {
        "index": exchange.index,
        "tap": exchange.tap,
        "session": exchange.session,
        "seen_at": exchange.seen_at,
    }
    if exchange.request.method or exchange.protocol == "http":
        line["request"] = _encoded_request(_as_seen(exchange))
        line["response"] = None if exchange.response is None else _encoded_response(exchange.response)
    line["latency_seconds"] = exchange.latency_seconds
    if exchange.live:
        line["live"] = exchange.live
    if exchange.protocol != "http":
        line["protocol"] = exchange.protocol
        line["messages"] = [_encoded_message(each) for each in exchange.messages]
        if not exchange.is_complete:
            line["is_complete"] = False
    if exchange.protocol == "dns":
        line |= described(exchange.messages)
    return _ENCODER.encode_lines((line,))


def _as_seen(exchange: Exchange) -> Request:
    """The request with the version that it was seen over, so that it goes the same way when it is read."""
    if not exchange.seen_over:
        return exchange.request
    return msgspec.structs.replace(exchange.request, version=exchange.seen_over)


def decode(line: bytes) -> Exchange | str:
    """The exchange in `line`, or why there is none."""
    try:
        seen = _DECODER.decode(line)
    except (msgspec.DecodeError, UnicodeError) as error:
        return f"not an exchange: {error}"
    if any(each.sender not in {"client", "server"} for each in seen.messages):
        return "not an exchange: a message is from neither client nor server"
    if seen.request is None and seen.protocol == "http":
        return "not an exchange: Object missing required field `request`"
    request = Request(b"", b"", b"") if seen.request is None else _decoded_request(seen.request)
    response = None if seen.response is None else _decoded_response(seen.response)
    return Exchange(
        seen.index,
        seen.tap,
        seen.session,
        seen.seen_at,
        request,
        response,
        seen.latency_seconds,
        seen.live,
        seen.protocol,
        tuple(Message(each.sender == "client", each.body, each.seen_at, each.kind) for each in seen.messages),
        seen.is_complete,
    )


def read(source: Source) -> Iterator[Exchange | Settled]:
    """The exchanges of one file in file order, with the indexes they have there."""
    bad = 0
    for number, (line, has_end) in enumerate(_lines(source), 1):
        found = _TOO_LONG if line is None else decode(line) if line.strip() else None
        if isinstance(found, Exchange):
            yield found
        elif found is not None and not has_end:
            source.notice("ends inside a line; the exchanges before it were read")
        elif found is not None:
            bad = bad or number
            yield Settled(TAP, Fate.UNPARSED, 1, found)
    if bad:
        source.notice(f"line {bad} is the first that is no exchange")


def _lines(source: Source) -> Iterator[tuple[bytes | None, bool]]:
    """Each line, None where it is too long to be held, and whether its end is there."""
    parts: list[bytes] = []
    size = 0
    for piece in source.pieces():
        for at, part in enumerate(piece.split(b"\n")):
            if at:
                yield (b"".join(parts) if size <= _MAX_LINE_BYTES else None), True
                parts, size = [], 0
            size += len(part)
            if size <= _MAX_LINE_BYTES:
                parts.append(part)
            else:
                parts.clear()
    if size:
        yield (b"".join(parts) if size <= _MAX_LINE_BYTES else None), False


def _encoded_request(request: Request) -> dict[str, Any]:
    latin1: list[str] = []
    line: dict[str, Any] = {
        "method": as_text(request.method, "method", latin1),
        "target": as_text(request.target, "target", latin1),
        "version": as_text(request.version, "version", latin1),
    }
    return _with_message(line, request, latin1)


def _encoded_response(response: Response) -> dict[str, Any]:
    latin1: list[str] = []
    line: dict[str, Any] = {"status": response.status, "reason": as_text(response.reason, "reason", latin1)}
    if response.version != b"HTTP/1.1":
        line["version"] = as_text(response.version, "version", latin1)
    if not response.is_complete:
        line["is_complete"] = False
    return _with_message(line, response, latin1)


def _encoded_message(message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {
        "from": "client" if message.is_from_client else "server",
        "seen_at": message.seen_at,
        "body": message.body,
    }
    return said | {"kind": message.kind} if message.kind else said


def _with_message(line: dict[str, Any], message: Request | Response, latin1: list[str]) -> dict[str, Any]:
    line["headers"] = as_pairs(message.headers, "headers", latin1)
    line["body"] = message.body
    if message.trailers:
        line["trailers"] = as_pairs(message.trailers, "trailers", latin1)
    if latin1:
        line["latin1"] = latin1
    return line


def _decoded_request(seen: _Request) -> Request:
    named = frozenset(seen.latin1)
    return Request(
        as_bytes(seen.method, named, "method"),
        as_bytes(seen.target, named, "target"),
        as_bytes(seen.version, named, "version"),
        as_fields(seen.headers, named, "headers"),
        seen.body,
        as_fields(seen.trailers, named, "trailers"),
    )


def _decoded_response(seen: _Response) -> Response:
    named = frozenset(seen.latin1)
    return Response(
        seen.status,
        as_bytes(seen.reason, named, "reason"),
        as_bytes(seen.version, named, "version"),
        as_fields(seen.headers, named, "headers"),
        seen.body,
        as_fields(seen.trailers, named, "trailers"),
        seen.is_complete,
    )
