"""A shadow environment on the loopback, and recorded exchanges for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from shadow.config import Settings, load
from shadow.model import Event, Exchange, Request, Response, Settled
from shadow.pipeline.intake import Takes
from shadow.pipeline.source import Recorded
from shadow.replay import Pace, Pacer

type Answering = Callable[[bytes], tuple[int, bytes]]
"""Status and JSON body for a request target."""
type Reading = Callable[[bytes, bytes], tuple[int, bytes]]
"""Status and JSON body for the head and the body of a request."""


def serving(answering: Answering) -> AbstractAsyncContextManager[str]:
    """A service's URL; it answers until the context is left."""
    return reading(lambda head, _: answering(head.split(b" ", 2)[1]))


@asynccontextmanager
async def reading(answering: Reading) -> AsyncIterator[str]:
    """As `serving`, of a service that looks at all of a request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = dict(line.lower().partition(b":")[::2] for line in head.split(b"\r\n"))
                asked = await reader.readexactly(int(lines.get(b"content-length", b"0")))
                status, body = answering(head, asked)
                writer.write(
                    b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                    % (status, len(body), body)
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def recorded(*targets: str, body: bytes = b'{"a": 1}', first: int = 0) -> list[Exchange]:
    """One GET for each target, answered with `body`."""
    response = Response(200, headers=((b"Content-Type", b"application/json"),), body=body)
    return [
        Exchange(at, "test", f"s{at}", 1.6e9 + at, Request(b"GET", target.encode()), response)
        for at, target in enumerate(targets, first)
    ]


class Named(Recorded):
    """Exchanges of a tap that says it saw so many."""

    def __init__(self, items: Iterable[Exchange | Settled], captured: int = 0) -> None:
        super().__init__(items, Pacer(Pace()))
        self.captured = {"test": captured} if captured else {}
        self.heard: Callable[[Event], None] | None = None

    async def feed(self, intake: Takes, hear: Callable[[Event], None]) -> None:
        self.heard = hear
        await super().feed(intake, hear)


def settings_for(out: Path, candidate: str, **options: Any) -> Settings:
    """Settings of a small run without mutants."""
    usual: dict[str, Any] = {"candidate": candidate, "out": str(out), "mutants": 0, "confirmations": 1}
    return msgspec.structs.replace(load(None, usual | options))
