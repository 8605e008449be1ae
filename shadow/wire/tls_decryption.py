"""What all TLS connections of one capture share: the secrets, the ciphers, and room for those that wait."""

from collections.abc import Callable
from typing import Protocol

from shadow.wire.direction import Conversation
from shadow.wire.listener import Link, Listener
from shadow.wire.remarks import TlsRemarks
from shadow.wire.tls_derivation import Protection
from shadow.wire.tls_epoch import MakeOpener, Opener
from shadow.wire.tls_keylog import KeyLog

_MAX_WAITING_BYTES = 33_554_432
_WAITING_COST_BYTES = 8192
"""Of a connection besides what it holds."""
_MAX_SECONDS = 10.0
"""How long the secret of a connection that has ended is waited for, in live traffic."""


class Waiting(Protocol):
    """A connection that waits for a secret."""

    ended_at: float | None
    """Unix time; None where it goes on."""

    def look_again(self) -> None:
        """Secrets were added."""
        ...

    def give_up(self) -> None:
        """Its secret will not come."""
        ...


type Read = Callable[[Link, Listener, "Decryption", Callable[[Link], Conversation]], Conversation]


class Decryption:
    """Opens the TLS connections of one capture, as far as `keys` has their secrets."""

    def __init__(self, keys: KeyLog, load: Callable[[], MakeOpener], read: Read) -> None:
        """`load` gives what makes ciphers; it is called when the first secret is used, for it may be slow.
        `read` makes the conversation that reads one connection."""
        self.keys = keys
        self._read = read
        self._load = load
        self._make: MakeOpener | None = None
        self._waiting: dict[Waiting, int] = {}
        self._waiting_bytes = 0
        self._seen_secrets = 0
        self.seen_count = 0
        """Connections that are seen from their beginning."""
        self.read_count = 0
        """Connections of which a record was opened."""
        self.keyless_count = 0
        """Connections that were not read because their secrets are missing."""

    def open(self, link: Link, listener: Listener, begin: Callable[[Link], Conversation]) -> Conversation:
        """As `Decrypting` has it, as have all without a word here."""
        self.seen_count += 1
        return self._read(link, listener, self, begin)

    def remarks(self) -> TlsRemarks:
        junk = self.keys.junk_count if self.keys.secret_count else 0  # with none at all, that is what to say
        return TlsRemarks(self.seen_count, self.read_count, self.keyless_count, junk)

    def make(self, protection: Protection) -> Opener:
        """What opens records with that protection."""
        if self._make is None:
            self._make = self._load()
        return self._make(protection)

    def wait(self, one: Waiting, held_bytes: int) -> None:
        """`one` holds so many bytes. Where all hold too much, who has waited for longest gives up."""
        cost = held_bytes + _WAITING_COST_BYTES
        self._waiting_bytes += cost - self._waiting.get(one, 0)
        self._waiting[one] = cost
        while self._waiting_bytes > _MAX_WAITING_BYTES:
            next(iter(self._waiting)).give_up()

    def leave(self, one: Waiting) -> None:
        """`one` waits no longer."""
        self._waiting_bytes -= self._waiting.pop(one, 0)

    def tick(self, time: float) -> None:
        if not self._waiting:
            return
        self.keys.look()
        if self.keys.secret_count != self._seen_secrets:
            self._seen_secrets = self.keys.secret_count
            for one in list(self._waiting):
                one.look_again()
        for one in list(self._waiting):
            if one.ended_at is not None and time - one.ended_at > _MAX_SECONDS:
                one.give_up()

    def finish(self) -> None:
        for one in list(self._waiting):
            one.look_again()
        for one in list(self._waiting):
            one.give_up()
