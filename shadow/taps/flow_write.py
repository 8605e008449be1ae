"""Exchanges as mitmproxy flows (format 21, that of mitmproxy 12), written without it."""

import hashlib
import re
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from shadow.model import Exchange, Headers, Message, Request, Response, field
from shadow.taps.flow_dns import unpacked
from shadow.taps.flow_read import OWN
from shadow.taps.har_entry import OPCODES
from shadow.taps.tnetstring import encode as as_tnetstring
from shadow.taps.versions import name_of

_FORMAT = 21
_END = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:>#]+):(\d{1,5})")
_NOWHERE = ("0.0.0.0", 0)  # noqa: S104  # a client whose address is not known
_PORTS = {"http": 80, "https": 443}

type State = dict[str, Any]


def encode(exchange: Exchange) -> bytes | None:
    """`exchange` as a flow; None for a conversation that no flow can be."""
    own: State = {"session": exchange.session, "live": exchange.live}
    if not exchange.is_complete:
        own["is_complete"] = False
    match exchange.protocol:
        case "tcp" | "udp":
            state = _talk(exchange, own)
        case "dns":
            found = _dns(exchange, own)
            if found is None:
                return None
            state = found
        case _ if exchange.request.method:
            state = _http(exchange, own)
        case _:
            return None
    return as_tnetstring({**_frame(exchange), **state, "metadata": {OWN: own}})


def _frame(exchange: Exchange) -> State:
    """What flows of all kinds have."""
    transport = "udp" if exchange.protocol in ("udp", "dns") else "tcp"
    server = _END.fullmatch(exchange.live)
    client = _END.match(exchange.session)
    secured = exchange.live.endswith(":443") and exchange.protocol not in ("tcp", "udp", "dns")
    return {
        "version": _FORMAT,
        "type": exchange.protocol if exchange.protocol in ("tcp", "udp", "dns") else "http",
        "id": _uuid(f"{exchange.session} {exchange.index} {exchange.seen_at}"),
        "error": None,
        "intercepted": False,
        "is_replay": None,
        "marked": "",
        "comment": "",
        "timestamp_created": exchange.seen_at,
        "backup": None,
        "client_conn": {
            **_connection(f"client {exchange.session}", exchange, transport, secured=secured),
            "peername": _NOWHERE if client is None else _address(client),
            "sockname": _NOWHERE,
            "mitmcert": None,
            "proxy_mode": "regular",
        },
        "server_conn": {
            **_connection(f"server {exchange.session}", exchange, transport, secured=secured),
            "address": None if server is None else _address(server),
            "peername": None if server is None or not _is_ip(_address(server)[0]) else _address(server),
            "sockname": None,
            "timestamp_tcp_setup": exchange.seen_at,
            "via": None,
        },
    }


def _connection(name: str, exchange: Exchange, transport: str, *, secured: bool) -> State:
    return {
        "id": _uuid(name),
        "alpn": None,
        "alpn_offers": [],
        "certificate_list": [],
        "cipher": None,
        "cipher_list": [],
        "error": None,
        "sni": None,
        "timestamp_start": exchange.seen_at,
        "timestamp_end": None,
        "timestamp_tls_setup": exchange.seen_at if secured else None,
        "tls": secured,
        "tls_version": None,
        "transport_protocol": transport,
    }


def _http(exchange: Exchange, own: State) -> State:
    response = exchange.response
    state: State = {
        "request": _request(exchange, own),
        "response": None,
        "websocket": _socket(exchange) if exchange.protocol == "websocket" else None,
    }
    if response is not None:
        if exchange.latency_seconds is None:
            own["latency"] = "unknown"
        if not response.is_complete:
            own["is_cut"] = True
        state["response"] = _response(response, exchange.seen_at + (exchange.latency_seconds or 0.0))
    return state


def _request(exchange: Exchange, own: State) -> State:
    request = exchange.request
    host, port, scheme = _place(exchange)
    is_later = not request.version.startswith(b"HTTP/1")
    if request.target[:1] != b"/":
        own["target"] = request.target
    return {
        **_message(request, exchange.seen_at),
        "method": request.method,
        "scheme": scheme.encode(),
        "host": host,
        "port": port,
        "authority": (field(request.headers, b"host") or b"") if is_later else b"",
        "path": request.target,
    }


def _response(response: Response, began_at: float) -> State:
    return {
        **_message(response, began_at),
        "status_code": response.status,
        "reason": response.reason,
    }


def _message(message: Request | Response, began_at: float) -> State:
    return {
        "http_version": name_of(message.version).encode("latin-1"),
        "headers": _rows(message.headers),
        "content": message.body,
        "trailers": _rows(message.trailers) if message.trailers else None,
        "timestamp_start": began_at,
        "timestamp_end": began_at,
    }


def _socket(exchange: Exchange) -> State:
    """What a WebSocket said; its end stands beside it too, where viewers look for it."""
    close = next((each for each in exchange.messages if each.kind == "close"), None)
    ended_at = exchange.messages[-1].seen_at if exchange.messages else exchange.seen_at
    return {
        "messages": [
            (OPCODES.get(each.kind, 0), each.is_from_client, each.body, each.seen_at, False, False)
            for each in exchange.messages
        ],
        "closed_by_client": None if close is None else close.is_from_client,
        "close_code": None if close is None else int.from_bytes(close.body[:2]) if close.body[:2] else 1005,
        "close_reason": None if close is None else close.body[2:].decode("utf-8", "replace"),
        "timestamp_end": ended_at,
    }


def _talk(exchange: Exchange, own: State) -> State:
    own["latency"] = exchange.latency_seconds
    return {"messages": [_said(each) for each in exchange.messages]}


def _dns(exchange: Exchange, own: State) -> State | None:
    """A query, and its answer where there is one; None where it is more, or nothing that can be read."""
    states = [unpacked(each.body, each.seen_at) for each in exchange.messages]
    if not 1 <= len(states) <= 2 or None in states or not exchange.messages[0].is_from_client:
        return None
    # What mitmproxy keeps has no compressed names: the messages as they were stand beside it.
    own["messages"] = [_said(each) for each in exchange.messages]
    own["latency"] = exchange.latency_seconds
    return {"request": states[0], "response": states[1] if len(states) > 1 else None}


def _said(message: Message) -> tuple[bool, bytes, float]:
    return message.is_from_client, message.body, message.seen_at


def _rows(fields: Headers) -> list[tuple[bytes, bytes]]:
    return list(fields)


def _place(exchange: Exchange) -> tuple[str, int, str]:
    """Host, port and scheme of the live service: where it was reached, else as the client named it."""
    scheme = "https" if exchange.live.endswith(":443") else "http"
    asked = (field(exchange.request.headers, b"host") or b"").decode("latin-1")
    for text in (exchange.live, asked, f"{asked}:{_PORTS[scheme]}"):
        found = _END.fullmatch(text)
        if found is not None:
            return *_address(found), scheme
    return "unknown.invalid", _PORTS[scheme], scheme


def _address(found: re.Match[str]) -> tuple[str, int]:
    return found[1].strip("[]"), min(int(found[2]), 65535)


def _is_ip(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False


def _uuid(name: str) -> str:
    """An id that is the same for the same name."""
    return str(UUID(bytes=hashlib.sha256(name.encode("utf-8", "replace")).digest()[:16]))
