"""The state of a mitmproxy flow, and the exchange that it tells of.

What a flow has no place for, we keep in its metadata, under `OWN`.
"""

from math import isfinite
from typing import Any

from shadow.model import Exchange, Headers, Message, Request, Response, authority
from shadow.taps.flow_dns import packed
from shadow.taps.har_entry import OPCODES
from shadow.taps.versions import version_of

TAP = "flows"
OWN = "shadow"
KINDS = ("http", b"http", "tcp", b"tcp", "udp", b"udp", "dns", b"dns")
_SOCKET_KINDS = {code: kind for kind, code in OPCODES.items()}
_NO_STATUS, _NO_END = 1005, 1006
"""A close without a code, and a connection that ended without any (RFC 6455 §7.4.1)."""

type State = dict[str, Any]


def exchange_of(state: State) -> Exchange | str:
    """The exchange in `state`, or why there is none."""
    try:
        kind = _text(state["type"])
        found = _http(state) if kind == "http" else _conversation(state, kind)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        return f"a flow of unknown shape: {_brief(error)}"
    return found


def _http(state: State) -> Exchange:
    own, seen_at = _own(state), _time(state["request"]["timestamp_start"])
    request = _request(state["request"], own)
    response, latency = None, None
    if (seen := state.get("response")) is not None:
        response = _response(seen, own)
        latency = max(_time(seen["timestamp_start"]) - seen_at, 0.0)
    socket = state.get("websocket")
    return Exchange(
        0,
        TAP,
        _session(state, own),
        seen_at,
        request,
        response,
        None if own.get("latency") == "unknown" else latency,
        _live(state, own),
        "http" if socket is None else "websocket",
        () if socket is None else _socket_messages(socket, seen_at),
        bool(own.get("is_complete", True)),
    )


def _conversation(state: State, kind: str) -> Exchange:
    own = _own(state)
    said = _dns_messages(state, own) if kind == "dns" else _messages(state["messages"])
    begun = state["request"]["timestamp"] if kind == "dns" else state.get("timestamp_created")
    seen_at = said[0].seen_at if begun is None and said else _time(begun)
    latency = own.get("latency")
    if latency is None and kind == "dns" and len(said) > 1:
        latency = max(said[1].seen_at - seen_at, 0.0)
    return Exchange(
        0,
        TAP,
        _session(state, own),
        seen_at,
        Request(b"", b"", b""),
        None,
        _time(latency) if isinstance(latency, int | float) else None,
        _live(state, own),
        kind,
        _turns(said) if kind == "tcp" else said,
        bool(own.get("is_complete", True)),
    )


def _request(seen: State, own: State) -> Request:
    if seen.get("content") is None:
        raise ValueError("the request's body was not recorded")
    version = version_of(_text(seen.get("http_version")))
    headers = _headers(seen.get("headers"))
    # Later versions name the host in a pseudo-field that is not among the headers, unless we wrote it there.
    has_host = bool(own) or any(name.lower() == b"host" for name, _ in headers)
    if not has_host and not version.startswith(b"HTTP/1"):
        headers = ((b"Host", _bytes(seen.get("authority")) or _bytes(seen.get("host"))), *headers)
    return Request(
        _bytes(seen["method"]),
        _bytes(own.get("target")) or _bytes(seen["path"]),
        version,
        headers,
        _bytes(seen["content"]),
        _headers(seen.get("trailers")),
    )


def _response(seen: State, own: State) -> Response:
    return Response(
        _status(seen["status_code"]),
        _bytes(seen.get("reason")),
        version_of(_text(seen.get("http_version"))),
        _headers(seen.get("headers")),
        _bytes(seen.get("content")),
        _headers(seen.get("trailers")),
        seen.get("content") is not None and not own.get("is_cut"),
    )


def _status(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= 999:
        raise ValueError("a status that is none")
    return value


def _messages(rows: object) -> tuple[Message, ...]:
    if not isinstance(rows, list):
        raise TypeError("messages are no list")
    return tuple(Message(bool(row[0]), _bytes(row[1]), _time(row[2])) for row in rows)


def _turns(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """All that one side of a stream says until the other speaks is one message."""
    turns: list[list[Message]] = []
    for each in messages:
        if turns and turns[-1][0].is_from_client == each.is_from_client:
            turns[-1].append(each)
        else:
            turns.append([each])
    return tuple(
        Message(turn[0].is_from_client, b"".join(each.body for each in turn), turn[-1].seen_at)
        for turn in turns
    )


def _socket_messages(socket: State, seen_at: float) -> tuple[Message, ...]:
    """What was said and heard: neither what was made up on the way, nor what was held back there."""
    said = [
        Message(bool(row[1]), _bytes(row[2]), _time(row[3]), _SOCKET_KINDS.get(row[0], ""))
        for row in socket.get("messages") or ()
        if not any(row[4:6])
    ]
    code = socket.get("close_code")
    if isinstance(code, int) and code != _NO_END and not any(each.kind == "close" for each in said):
        body = b"" if code == _NO_STATUS else code.to_bytes(2) + _bytes(socket.get("close_reason"))
        ended_at = socket.get("timestamp_end")
        ended_at = seen_at if ended_at is None else _time(ended_at)
        said.append(Message(bool(socket.get("closed_by_client")), body, ended_at, "close"))
    return tuple(said)


def _dns_messages(state: State, own: State) -> tuple[Message, ...]:
    if isinstance(own.get("messages"), list):
        return _messages(own["messages"])
    said = [(True, state["request"]), (False, state.get("response"))]
    return tuple(
        Message(is_query, packed(seen), _time(seen.get("timestamp") or 0.0))
        for is_query, seen in said
        if seen is not None
    )


def _headers(rows: object) -> Headers:
    if not isinstance(rows, list):
        return ()
    return tuple((_bytes(name), _bytes(value)) for name, value in rows)


def _own(state: State) -> State:
    metadata = state.get("metadata")
    own = metadata.get(OWN) if isinstance(metadata, dict) else None
    return own if isinstance(own, dict) else {}


def _session(state: State, own: State) -> str:
    if isinstance(own.get("session"), str):
        return str(own["session"])
    client = state.get("client_conn") or {}
    return f"{_authority(client, 'peername')}#{_text(client.get('id'))}"


def _live(state: State, own: State) -> str:
    return (
        str(own["live"])
        if isinstance(own.get("live"), str)
        else _authority(state.get("server_conn"), "address")
    )


def _authority(connection: object, place: str) -> str:
    address = connection.get(place) if isinstance(connection, dict) else None
    if not isinstance(address, list) or len(address) < 2:
        return ""
    return authority(_text(address[0]), address[1])


def _time(value: object) -> float:
    """A number of seconds. Raises ValueError for what is none that anyone could have measured."""
    found = float(value)  # type: ignore[arg-type]  # float() says what it cannot take
    if not isfinite(found):
        raise ValueError("a time that is none")
    return found


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else b""


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")


def _brief(error: Exception) -> str:
    """What is wrong, without what was recorded: foreign messages quote it."""
    return f"no {error.args[0]!r}" if isinstance(error, KeyError) else type(error).__name__
