"""The contract of a transport: what is sent is a value, and so is what came back, silence included."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import msgspec

from shadow.model import Outcome, Request, Wire, authority


class Target(msgspec.Struct, frozen=True):
    """One place in the shadow environment."""

    name: str
    """``"candidate"`` or ``"baseline"``."""
    scheme: str
    host: str
    port: int
    path_prefix: str = ""

    @property
    def authority(self) -> str:
        """``host:port`` as it stands in a Host field; the scheme's default port is left out."""
        default = {"http": 80, "https": 443}.get(self.scheme)
        return authority(self.host, None if self.port == default else self.port)


class Sending(msgspec.Struct, frozen=True):
    """One request, ready to leave: translated for its target, signed, marked."""

    request: Request
    wire: Wire | None = None
    """Exact bytes to send in place of `request`; its method still tells how the answer is framed."""
    timeout_seconds: float = 10.0
    lane: str = ""
    """Sendings of one lane may share a connection and keep their order; usually the session."""


class Transport(Protocol):
    """Sends to one target and never raises for anything the network or the peer does."""

    name: str

    def can_send(self, sending: Sending) -> bool:
        """Whether this transport can say exactly what `sending` means."""
        ...

    async def send(self, sending: Sending) -> Outcome: ...

    async def close(self) -> None: ...


@runtime_checkable
class Synchronised(Protocol):
    """What a transport may do besides: complete several requests at one moment, for races."""

    async def send_together(self, sendings: Sequence[Sending]) -> list[Outcome]:
        """The outcomes in the order of `sendings`; all but the ends of these are sent ahead."""
        ...
