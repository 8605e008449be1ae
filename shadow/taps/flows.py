"""Files of mitmproxy flows, read without mitmproxy: a row of tnetstrings, each the state of one flow."""

import re
from collections.abc import Iterator
from typing import Any

from shadow.model import Exchange, Fate, Headers, Request, Response, Settled, authority
from shadow.taps.source import Source

TAP = "flows"
_START = re.compile(rb"(\d{1,12}):")
_MAX_FLOW_BYTES = 268_435_456
_MAX_DEPTH = 32

type _Value = bool | int | float | bytes | str | list[Any] | dict[str, Any] | None


def is_flows(start: bytes) -> bool:
    """Whether a file that starts with these bytes is a row of flows."""
    outer = _START.match(start)
    return outer is not None and _START.match(start, outer.end()) is not None


def read(source: Source) -> Iterator[Exchange | Settled]:
    """The HTTP exchanges of one file in file order, which is that of their ends."""
    index = others = 0
    for text in _states(source):
        try:
            state = _decode(text)
        except ValueError as error:
            yield Settled(TAP, Fate.UNPARSED, 1, f"not a flow: {error}")
            continue
        if not isinstance(state, dict) or state.get("type") not in ("http", b"http"):
            others += 1
            continue
        found = _exchange(state, index)
        index += isinstance(found, Exchange)
        yield found
    if others:
        source.notice(f"skipped {others} flows that are no HTTP")


def _states(source: Source) -> Iterator[bytes]:
    """Each top-level tnetstring, whole."""
    rest = b""
    for piece in source.pieces():
        rest += piece
        at = 0
        while (match := _START.match(rest, at)) is not None:
            end = match.end() + int(match[1]) + 1
            if end > len(rest):
                break
            yield rest[at:end]
            at = end
        rest = rest[at:]
        if len(rest) > _MAX_FLOW_BYTES or (rest and len(rest) > 16 and _START.match(rest) is None):
            break
    if rest:
        source.close()
        source.notice("ends inside a flow, or holds something else there; the flows before it were read")


def _exchange(state: dict[str, Any], index: int) -> Exchange | Settled:
    try:
        request, seen_at = _request(state["request"])
        live = _authority(state.get("server_conn"), "address")
        client = state.get("client_conn") or {}
        session = f"{_authority(client, 'peername')}#{_text(client.get('id'))}"
        seen = state.get("response")
        if seen is None:
            return Exchange(index, TAP, session, seen_at, request, None, None, live)
        response = Response(
            int(seen["status_code"]),
            _bytes(seen.get("reason")),
            _bytes(seen.get("http_version")) or b"HTTP/1.1",
            _headers(seen.get("headers")),
            _bytes(seen.get("content")),
            _headers(seen.get("trailers")),
            seen.get("content") is not None,
        )
        latency = max(float(seen["timestamp_start"]) - seen_at, 0.0)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        return Settled(TAP, Fate.UNPARSED, 1, f"a flow of unknown shape: {error!r}")
    return Exchange(index, TAP, session, seen_at, request, response, latency, live)


def _request(seen: dict[str, Any]) -> tuple[Request, float]:
    """The request, and the Unix time at which it began."""
    if seen.get("content") is None:
        raise ValueError("the request's body was not recorded")
    version = _bytes(seen.get("http_version"))
    headers = _headers(seen.get("headers"))
    authority = _bytes(seen.get("authority"))
    if not version.startswith(b"HTTP/1"):
        # Later versions name the host in a pseudo-field that is not among the headers.
        if not any(name.lower() == b"host" for name, _ in headers):
            headers = ((b"Host", authority or _bytes(seen.get("host"))), *headers)
        version = b"HTTP/1.1"
    body = _bytes(seen["content"])
    target = _bytes(seen["path"])
    request = Request(_bytes(seen["method"]), target, version, headers, body, _headers(seen.get("trailers")))
    return request, float(seen["timestamp_start"])


def _headers(rows: object) -> Headers:
    if not isinstance(rows, list):
        return ()
    return tuple((_bytes(name), _bytes(value)) for name, value in rows)


def _authority(connection: object, place: str) -> str:
    address = connection.get(place) if isinstance(connection, dict) else None
    if not isinstance(address, list) or len(address) < 2:
        return ""
    return authority(_text(address[0]), address[1])


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _decode(text: bytes) -> _Value:
    """The value of one tnetstring. Raises ValueError where `text` is none."""
    value, end = _value(text, 0, _MAX_DEPTH)
    if end != len(text):
        raise ValueError("bytes after its end")
    return value


def _value(text: bytes, at: int, depth: int) -> tuple[_Value, int]:
    match = _START.match(text, at)
    if match is None or not depth:
        raise ValueError(f"no length at byte {at}")
    start, end = match.end(), match.end() + int(match[1])
    kind, inside = text[end : end + 1], text[start:end]
    if kind == b"}":
        return _pairs(_values(text, start, end, depth)), end + 1
    if kind == b"]":
        return _values(text, start, end, depth), end + 1
    return _scalar(kind, inside), end + 1


def _values(text: bytes, at: int, end: int, depth: int) -> list[_Value]:
    found: list[_Value] = []
    while at < end:
        value, at = _value(text, at, depth - 1)
        found.append(value)
    if at != end:
        raise ValueError("an element reaches beyond its list")
    return found


def _pairs(values: list[_Value]) -> dict[str, _Value]:
    keys = [key.decode("latin-1") if isinstance(key, bytes) else str(key) for key in values[::2]]
    if len(values) % 2:
        raise ValueError("a key without a value")
    return dict(zip(keys, values[1::2], strict=True))


def _scalar(kind: bytes, inside: bytes) -> _Value:
    match kind:
        case b",":
            return inside
        case b";":
            return inside.decode("utf-8", "replace")
        case b"#":
            return int(inside)
        case b"^":
            return float(inside)
        case b"!":
            return inside == b"true"
        case b"~":
            return None
        case _:
            raise ValueError(f"unknown type {kind!r}")
