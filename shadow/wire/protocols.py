"""Which protocol is read where: the one place that knows all of them."""

from collections.abc import Container, Mapping
from types import MappingProxyType
from typing import Literal

from shadow.model import Exchange, field
from shadow.wire.direction import Conversation
from shadow.wire.dns import Queries
from shadow.wire.dns_stream import DnsStream
from shadow.wire.http1 import Limits
from shadow.wire.http2 import Http2
from shadow.wire.http2_fields import HuffmanTexts
from shadow.wire.listener import Link, Listener
from shadow.wire.pairing import Pairing
from shadow.wire.succession import Decrypting
from shadow.wire.talk import Talk
from shadow.wire.websocket import WebSocket

type Spoken = Literal["tcp", "udp", "dns"]
"""What may be said to be spoken at a port: DNS over either, or bytes of which no more is known."""

_MAX_TLS_LAYERS = 2
"""To a proxy, and through it; no more, for each one is a conversation inside another."""
_DNS_PORT = 53
_DNS_DATAGRAM_PORTS: Mapping[int, Spoken] = MappingProxyType({_DNS_PORT: "dns", 5353: "dns", 5355: "dns"})
"""DNS, multicast DNS (RFC 6762) and link-local multicast name resolution (RFC 4795)."""


class Protocols:
    """Opens the conversations of connections, and those that follow them; a `Succession`."""

    def __init__(
        self,
        listener: Listener,
        limits: Limits | None = None,
        named: Mapping[int, Spoken] = MappingProxyType({}),
        decryption: Decrypting | None = None,
    ) -> None:
        """`named` says what is spoken at ports that the user names; `decryption` has the secrets of TLS."""
        self._listener = listener
        self._limits = limits or Limits()
        self._named = {port: spoken for port, spoken in named.items() if spoken != "udp"}
        self._decryption = decryption
        self.queries = Queries(listener)
        """What waits for its answer, over TCP and UDP; to be finished by whoever reads datagrams."""
        self._texts = HuffmanTexts()

    def open(self, link: Link) -> Conversation:
        """Hears a connection of which nothing is known yet."""
        for client, side in enumerate(reversed(link.sides)):
            port = int(side.rpartition(":")[2])
            if self._named.get(port) == "tcp":
                return Talk(link, client, self._listener, self._limits)
            if self._named.get(port) == "dns":
                return DnsStream(link, self._listener, self.queries)
            if port == _DNS_PORT:
                return DnsStream(link, self._listener, self.queries, lambda: self._http(link))
        return self._http(link)

    def begin(self, kind: str, link: Link) -> Conversation | None:
        """As `Succession` has it."""
        if kind == "HTTP/2":
            return Http2(link, self._listener, self._limits, self._texts)
        if kind == "TLS" and self._decryption is not None and link.tls_layers < _MAX_TLS_LAYERS:
            return self._decryption.open(link, self._listener, self.open)
        return None

    def switch(self, upgrade: bytes, link: Link, client: int, exchange: Exchange) -> Conversation | None:
        """As `Succession` has it."""
        if upgrade == b"websocket" and field(exchange.request.headers, b"sec-websocket-key") is not None:
            return WebSocket(client, exchange, self._listener, self._limits)
        if upgrade == b"h2c":
            return Http2(link, self._listener, self._limits, self._texts, upgrade=(client, exchange))
        return None

    def _http(self, link: Link) -> Conversation:
        return Pairing(link, self._listener, self._limits, self)


def datagram_protocols(named: Mapping[int, Spoken], wanted: Container[int] | None) -> dict[int, Spoken]:
    """What is spoken in datagrams at which ports; with `wanted`, only at those."""
    every = dict(_DNS_DATAGRAM_PORTS) | {port: spoken for port, spoken in named.items() if spoken != "tcp"}
    return {port: spoken for port, spoken in every.items() if wanted is None or port in wanted}
