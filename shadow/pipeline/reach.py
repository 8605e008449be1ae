"""What a target's scheme can carry."""

from ipaddress import ip_address

from shadow.model import CONVERSATIONS, Exchange

_CARRIERS: dict[str, tuple[str, ...]] = {
    "http": ("http", "https"),
    "grpc": ("http", "https"),
    "websocket": ("http", "https"),
    "tcp": ("tcp", "tls"),
    "udp": ("udp",),
    "dns": ("dns",),
}
"""By protocol, the schemes of targets that take it."""
_MULTICAST_PORT = "5353"
"""Of multicast DNS (RFC 6762)."""
_UNSAYABLE = "compressed"
"""The kind of a WebSocket's message that the tap could not inflate."""


def unreachable(exchange: Exchange, scheme: str) -> str:
    """Why `exchange` cannot be sent to a target of that scheme; empty where it can."""
    carriers = _CARRIERS.get(exchange.protocol)
    if carriers is None:
        return f"protocol {exchange.protocol} is not replayed"
    if scheme not in carriers:
        wanted = " or ".join(f"{each}://" for each in carriers)
        return f"{exchange.protocol} needs a target of {wanted}, not {scheme}://"
    return _unsayable(exchange) if exchange.protocol in CONVERSATIONS else ""


def _unsayable(exchange: Exchange) -> str:
    mine = [each for each in exchange.messages if each.is_from_client]
    if exchange.protocol == "websocket":
        if any(each.kind == _UNSAYABLE for each in mine):
            return "a WebSocket message was captured compressed and cannot be said again"
        return ""
    if exchange.request.method:
        return "what followed an upgrade of HTTP is not replayed"
    if exchange.protocol == "dns" and _is_multicast(exchange.live):
        return "multicast DNS has no target"
    return "" if mine else "the client said nothing"


def _is_multicast(live: str) -> bool:
    host, _, port = live.rpartition(":")
    try:
        return port == _MULTICAST_PORT or ip_address(host.strip("[]").partition("%")[0]).is_multicast
    except ValueError:
        return False
