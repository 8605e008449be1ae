"""Which protocol is read where: the one place that knows all of them."""

from shadow.model import Exchange
from shadow.wire.direction import Conversation
from shadow.wire.http1 import Limits
from shadow.wire.listener import Link, Listener
from shadow.wire.pairing import Pairing
from shadow.wire.tls import Tls
from shadow.wire.tls_decryption import Decryption

_MAX_TLS_LAYERS = 2
"""To a proxy, and through it; no more, for each one is a conversation inside another."""


class Protocols:
    """Opens the conversations of connections, and those that follow them; a `Succession`."""

    def __init__(
        self, listener: Listener, limits: Limits | None = None, decryption: Decryption | None = None
    ) -> None:
        self._listener = listener
        self._limits = limits or Limits()
        self._decryption = decryption

    def open(self, link: Link) -> Conversation:
        """Hears a connection of which nothing is known yet."""
        return Pairing(link, self._listener, self._limits, self)

    def begin(self, kind: str, link: Link) -> Conversation | None:
        """As `Succession` has it."""
        if kind == "TLS" and self._decryption is not None and link.tls_layers < _MAX_TLS_LAYERS:
            return Tls(link, self._listener, self._decryption, self.open)
        return None

    def switch(  # nothing is read on yet
        self,
        upgrade: bytes,  # noqa: ARG002
        link: Link,  # noqa: ARG002
        client: int,  # noqa: ARG002
        exchange: Exchange,  # noqa: ARG002
    ) -> Conversation | None:
        """As `Succession` has it."""
        return None
