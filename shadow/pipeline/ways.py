"""Which transport carries an exchange: over HTTP/2 what was seen over it, where the targets speak it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec

from shadow.model import Event, Exchange, StateChanged
from shadow.replay import Target
from shadow.wire.grpc import is_grpc

HTTP2 = "http2"

_NOT_SAID = "HTTP/2 cannot say the request exactly as it is"


def is_call(exchange: Exchange) -> bool:
    """Whether it is one of gRPC; recordings do not always say so."""
    return exchange.protocol == "grpc" or is_grpc(exchange.request.headers)


def was_in_http2(exchange: Exchange) -> bool:
    """Whether it was seen over HTTP/2, or over HTTP/3, which says the same: so it is sent where it can be."""
    return is_call(exchange) or bool(exchange.seen_over)


class Speaker(Protocol):
    """A link, as far as it matters here."""

    target: Target

    async def http2_refusal(self) -> str:
        """Why the target does not take HTTP/2; empty where it does, or where that is not known."""
        ...


class Way(msgspec.Struct, frozen=True):
    """How one exchange, its mutants and its controls are carried."""

    via: str = ""
    """Name of the transport; empty to choose among those of HTTP/1.1."""
    refusal: str = ""
    """Why the exchange cannot be replayed at all; empty where it can."""


class Ways:
    """One for a run. The targets are asked once, when the first exchange comes that was seen over HTTP/2."""

    def __init__(
        self,
        links: Sequence[Speaker],
        transport: str = "auto",
        *,
        hear: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._links = links
        self._transport = transport
        self._hear = hear
        self._is_told = False

    async def of(self, exchange: Exchange, *, is_sayable: Callable[[], bool]) -> Way:
        """The way of `exchange`; `is_sayable` tells whether HTTP/2 can say its request at all targets."""
        why = f"transport is {self._transport!r}"
        if self._wants_http2(exchange):
            why = await self._refusal() or ("" if is_sayable() else _NOT_SAID)
            if not why:
                return Way(HTTP2)
            if self._transport == HTTP2:
                return Way(refusal=why)
        if is_call(exchange):
            return Way(refusal=f"gRPC goes over HTTP/2 alone: {why}")
        return Way("" if self._transport == "auto" else self._transport)

    async def of_step(self, exchange: Exchange) -> str:
        """The transport of a request made of that of `exchange`, where several are sent in a row."""
        is_http2 = self._wants_http2(exchange) and not await self._refusal()
        return HTTP2 if is_http2 else "raw"

    def _wants_http2(self, exchange: Exchange) -> bool:
        if self._transport == HTTP2:
            return True
        return self._transport == "auto" and was_in_http2(exchange)

    async def _refusal(self) -> str:
        """Why not both targets take HTTP/2; empty where they do."""
        for link in self._links:
            if why := await link.http2_refusal():
                self._tell(link.target.name, why)
                return f"{link.target.name}: {why}"
        return ""

    def _tell(self, name: str, why: str) -> None:
        if self._is_told or self._transport == HTTP2:
            return
        self._is_told = True
        text = f"{name}: {why}; what was seen over it is sent over HTTP/1.1 instead, and gRPC is not sent"
        self._hear(StateChanged("without HTTP/2", text))


type Refusal = Callable[[], Awaitable[str]]


async def never_refuses() -> str:
    """For targets of which nobody knows better."""
    return ""
