"""Exchanges and findings as JSON lines, as `docs/output.md` describes them."""

import json
import math
from base64 import b64encode
from typing import Any

import msgspec

from shadow.model import Exchange, Finding, Headers


def exchange_line(exchange: Exchange) -> bytes:
    """`exchange` as one JSON line with its line end. What is not said has its usual value."""
    request, response = exchange.request, exchange.response
    line: dict[str, Any] = {
        "index": exchange.index,
        "tap": exchange.tap,
        "session": exchange.session,
        "seen_at": exchange.seen_at,
        "request": {
            "method": as_text(request.method),
            "target": as_text(request.target),
            "version": as_text(request.version),
            "headers": _pairs(request.headers),
            "body": b64encode(request.body).decode(),
        },
        "response": None,
        "latency_seconds": exchange.latency_seconds,
    }
    if request.trailers:
        line["request"]["trailers"] = _pairs(request.trailers)
    if response is not None:
        line["response"] = {
            "status": response.status,
            "reason": as_text(response.reason),
            "version": as_text(response.version),
            "headers": _pairs(response.headers),
            "body": b64encode(response.body).decode(),
        }
        if response.trailers:
            line["response"]["trailers"] = _pairs(response.trailers)
        if not response.is_complete:
            line["response"]["is_complete"] = False
    if exchange.live:
        line["live"] = exchange.live
    if exchange.protocol != "http":
        line["protocol"] = exchange.protocol
    return json_line(line)


def finding_line(finding: Finding) -> bytes:
    """`finding` as one JSON line with its line end."""
    return json_line(msgspec.structs.asdict(finding))


def json_line(value: dict[str, Any]) -> bytes:
    """`value` as JSON that any parser takes, with a line end: no NaN, no lone surrogate, no bytes."""
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def as_text(raw: bytes) -> str:
    """`raw` as UTF-8 where it is, else as Latin-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _pairs(headers: Headers) -> list[list[str]]:
    return [[as_text(name), as_text(value)] for name, value in headers]


def _plain(value: Any) -> Any:
    match value:
        case str():
            return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
        case bytes():
            return as_text(value)
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {str(_plain(key)): _plain(inner) for key, inner in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
    return str(value)
