"""Which protocol is read where: the one place that knows all of them."""

from shadow.model import Exchange
from shadow.wire.direction import Conversation
from shadow.wire.http1 import Limits
from shadow.wire.http2 import Http2
from shadow.wire.http2_fields import HuffmanTexts
from shadow.wire.listener import Link, Listener
from shadow.wire.pairing import Pairing


class Protocols:
    """Opens the conversations of connections, and those that follow them; a `Succession`."""

    def __init__(self, listener: Listener, limits: Limits | None = None) -> None:
        self._listener = listener
        self._limits = limits or Limits()
        self._texts = HuffmanTexts()

    def open(self, link: Link) -> Conversation:
        """Hears a connection of which nothing is known yet."""
        return Pairing(link, self._listener, self._limits, self)

    def begin(self, kind: str, link: Link) -> Conversation | None:
        """As `Succession` has it."""
        if kind == "HTTP/2":
            return Http2(link, self._listener, self._limits, self._texts)
        return None

    def switch(self, upgrade: bytes, link: Link, client: int, exchange: Exchange) -> Conversation | None:
        """As `Succession` has it."""
        if upgrade == b"h2c":
            return Http2(link, self._listener, self._limits, self._texts, upgrade=(client, exchange))
        return None
