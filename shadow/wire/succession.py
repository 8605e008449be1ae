"""What reads on where a connection speaks, or switches to, something other than HTTP/1."""

from collections.abc import Callable
from typing import Protocol

from shadow.model import Exchange
from shadow.wire.direction import Conversation
from shadow.wire.listener import Link, Listener
from shadow.wire.remarks import TlsRemarks


class Succession(Protocol):
    """Chooses who hears a connection once it is known what is spoken there."""

    def begin(self, kind: str, link: Link) -> Conversation | None:
        """Hears a connection, or the inside of a tunnel, of `kind` from its first byte on; None: nobody does.

        `kind` is as in `Opening.kind`: ``"TLS"``, ``"SSH"``, ``"HTTP/2"``.
        """
        ...

    def switch(self, upgrade: bytes, link: Link, client: int, exchange: Exchange) -> Conversation | None:
        """Hears what follows `exchange`, which switched to the protocol `upgrade` (lower case); None: nobody.

        `client` is the side that asked. `exchange` is told to the listener by whoever read it.
        """
        ...


class Decrypting(Protocol):
    """Reads the TLS connections of one capture, as far as their secrets are known."""

    def open(self, link: Link, listener: Listener, begin: Callable[[Link], Conversation]) -> Conversation:
        """Hears one connection from its first byte on; `begin` gives who hears what is said inside."""
        ...

    def tick(self, time: float) -> None:
        """It is Unix time `time`, of live traffic: secrets may have come."""
        ...

    def finish(self) -> None:
        """The capture has ended, and no more secrets will come."""
        ...

    def remarks(self) -> TlsRemarks:
        """What became of the connections so far."""
        ...
