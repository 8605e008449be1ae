"""Between one connection's conversation and those who hear what it found."""

from typing import Protocol

import msgspec

from shadow.model import Exchange, Message, Request, Response
from shadow.wire.unanswered import Asked


class Listener(Protocol):
    """Hears what conversations found."""

    def begin(self, time: float) -> int:
        """A request began at Unix time `time`; the index to give to its exchange."""
        ...

    def found(self, exchange: Exchange) -> None: ...

    def unparsed(self, why: str, index: int) -> None:
        """What should have been an exchange could not be parsed as one. `index` as begun, or 0."""
        ...

    def unread(self, why: str) -> None:
        """A response could not be parsed; its exchange has none, or a cut one."""
        ...

    def other(self, kind: str, count: int) -> None:
        """A connection is no HTTP/1 but `kind`, and said `count` bytes before that was clear."""
        ...

    def passed(self, count: int) -> None:
        """`count` bytes were no HTTP."""
        ...

    def keep(self, count: int) -> bool:
        """`count` more bytes of unfinished exchanges are kept, fewer where negative; False when too many."""
        ...


class Link(msgspec.Struct, frozen=True):
    """Which connection it is: both sides as ``host:port``, a number of its own, and the tap that saw it."""

    tap: str
    sides: tuple[str, str]
    number: int
    is_whole: bool = True
    """Whether it is seen from its first byte."""
    tls_layers: int = 0
    """How often what is said was encrypted."""
    sessions: tuple[str, str] = ("", "")
    """What its exchanges are told by, for either side as the client; filled in by itself."""

    def __post_init__(self) -> None:
        one, other = self.sides
        names = f"{one}>{other}#{self.number}", f"{other}>{one}#{self.number}"
        msgspec.structs.force_setattr(self, "sessions", names)

    def exchange(
        self,
        client: int,
        index: int,
        time: float,
        request: Request,
        response: Response | None = None,
        *,
        answered_at: float | None = None,
        protocol: str = "http",
        messages: tuple[Message, ...] = (),
        is_complete: bool = True,
    ) -> Exchange:
        """What was seen on this connection, `client` being the side that asked; times are Unix seconds."""
        live = self.sides[1 - client]
        latency = None if answered_at is None else max(answered_at - time, 0.0)
        return Exchange(
            index,
            self.tap,
            self.sessions[client],
            time,
            request,
            response,
            latency,
            live,
            protocol,
            messages,
            is_complete,
        )


def settle(asked: Asked, link: Link, client: int, listener: Listener) -> None:
    """Tells the listener what became of a request of side `client`, once."""
    listener.keep(-asked.kept_bytes)
    asked.kept_bytes = 0
    if asked.is_settled:
        return
    asked.is_settled = True
    if asked.why:
        listener.unparsed(asked.why, asked.index)
    elif asked.request is not None:
        answered_at = None if asked.response is None else asked.answered_at
        listener.found(
            link.exchange(
                client, asked.index, asked.time, asked.request, asked.response, answered_at=answered_at
            )
        )
