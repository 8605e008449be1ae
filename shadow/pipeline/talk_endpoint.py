"""Names for conversations, of bounded number: ``"WS /chat"``, ``"DNS A"``, ``"TCP :6379"``."""

import msgspec

from shadow.model import Exchange
from shadow.pipeline.endpoint import OTHER, Endpoints
from shadow.wire.dns_message import parse
from shadow.wire.dns_records import type_name

_MAX_PORTS = 200
_MAX_SCOPES = 10_000
"""Names asked for, each with noise of its own; later ones share that of their type."""


class TalkEndpoints:
    """Names conversations; those of WebSockets are among the given endpoints of HTTP."""

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._ports: set[str] = set()
        self._scopes: set[str] = set()

    def name(self, exchange: Exchange, *, is_handshake: bool = False) -> str:
        """What findings and metrics call it. What is about a handshake is the exchange of HTTP's."""
        match exchange.protocol:
            case "websocket":
                request = exchange.request
                if not is_handshake:
                    request = msgspec.structs.replace(request, method=b"WS")
                return self._endpoints.name(request)
            case "dns":
                kind = _question(exchange)[1]
                return "DNS other" if kind.startswith("TYPE") else f"DNS {kind}"
        name = f"{exchange.protocol.upper()} :{exchange.live.rpartition(':')[2]}"
        if name not in self._ports and len(self._ports) >= _MAX_PORTS:
            return OTHER
        self._ports.add(name)
        return name

    def scope(self, exchange: Exchange) -> str:
        """Where one kind of noise is at home: an endpoint, of DNS a name with its type."""
        name = self.name(exchange)
        if exchange.protocol != "dns":
            return name
        scope = f"{name} {_question(exchange)[0]}"
        if scope not in self._scopes and len(self._scopes) >= _MAX_SCOPES:
            return name
        self._scopes.add(scope)
        return scope


def _question(exchange: Exchange) -> tuple[str, str]:
    """The name in lower case and the type that are asked for."""
    for each in exchange.messages:
        message = parse(each.body)
        if each.is_from_client and not isinstance(message, str) and message.questions:
            name, kind, _ = message.questions[0]
            return name.lower(), type_name(kind)
    return "", "other"
