"""The contract of a transport: what is sent is a value, and so is what came back, silence included."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from shadow.model import Ending, Message, Outcome, Request, Wire, authority


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


type Wording = Callable[[Message, Sequence[Message]], Message]
"""A message of the client, as recorded, and what the peer has said so far, to the message to send."""


class Manner(msgspec.Struct, frozen=True):
    """How a mutant of a conversation, or its control, is said: exactly, and impatient once it went wrong."""

    pause_seconds: float = 0.0
    """Waited before each message that follows another of the client's own."""
    ending: Ending = Ending.READ
    listens_seconds: float = 0.0
    """How long at least is listened for more at the end: a refusal may come late."""


class Sending(msgspec.Struct, frozen=True):
    """One request, ready to leave: translated for its target, signed, marked."""

    request: Request
    wire: Wire | None = None
    """Exact bytes to send in place of `request`; its method still tells how the answer is framed."""
    timeout_seconds: float = 10.0
    lane: str = ""
    """Sendings of one lane may share a connection and keep their order; usually the session."""
    protocol: str = "http"
    """As an `Exchange` has it. Of a conversation, `request` is a WebSocket's handshake, else empty."""
    messages: tuple[Message, ...] = ()
    """A conversation as recorded, both sides: the client's are sent, each once the peer has said as much as
    it had live."""
    wording: Wording | None = None
    """What makes the client's messages fit the target; None to send them as they are."""
    manner: Manner | None = None
    """None for a conversation as recorded."""
    after_seconds: float = 0.0
    """Of several that are sent together: how long after the first it is completed."""

    @property
    def size_bytes(self) -> int:
        """What leaves for it, as HTTP/1.1 says it, save for chunk sizes and trailers."""
        if self.wire is not None:
            return sum(map(len, self.wire.segments))
        request = self.request
        head = len(request.method) + len(request.target) + len(request.version) + 6
        fields = sum([len(name) + len(value) + 4 for name, value in request.headers])
        said = sum([len(each.body) for each in self.messages if each.is_from_client])
        return head + fields + len(request.body) + said


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
