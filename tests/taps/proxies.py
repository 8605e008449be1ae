"""Proxies that run for a test, the live services behind them, and what their taps take."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from shadow.model import Exchange

with warnings.catch_warnings():
    # What mitmproxy imports warns of its own old habits.
    warnings.simplefilter("ignore", DeprecationWarning)
    from shadow.taps.mitm import ProxySettings, TakesExchanges, run_proxy

PATIENCE_SECONDS = 10
MIB = 1 << 20

type Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Taken:
    """What a tap handed on, in order."""

    def __init__(self) -> None:
        self.all: asyncio.Queue[Exchange | str] = asyncio.Queue()
        self.seconds: list[float] = []

    def offer(self, exchange: Exchange) -> bool:
        self.all.put_nowait(exchange)
        return True

    def skip(self, why: str) -> None:
        self.all.put_nowait(why)

    def time(self, seconds: float) -> None:
        self.seconds.append(seconds)

    async def exchange(self) -> Exchange:
        taken = await self.next()
        assert isinstance(taken, Exchange), taken
        return taken

    async def next(self) -> Exchange | str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.all.get()


class Broken:
    """Raises wherever it can."""

    def offer(self, exchange: Exchange) -> bool:
        raise RuntimeError("offer")

    def skip(self, why: str) -> None:
        raise RuntimeError("skip")

    def time(self, seconds: float) -> None:
        raise RuntimeError("time")


class Proxy:
    """A running proxy."""

    def __init__(self, host: str, port: int, stop: asyncio.Event) -> None:
        self.host, self.port, self.stop = host, port, stop

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)

    async def ask(self, request: bytes) -> bytes:
        """All that comes back on a connection of its own, which `request` must ask to be closed."""
        reader, writer = await self.connect()
        writer.write(request)
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await reader.read(-1)
            writer.close()
            await writer.wait_closed()
        return answer


@asynccontextmanager
async def serving(respond: Respond, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a live service that lets `respond` have each connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await respond(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side has gone, as some tests want it to
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=16 * MIB, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def proxied(
    taker: TakesExchanges, live_port: int, *, scheme: str = "http", **settings: Any
) -> AsyncIterator[Proxy]:
    chosen = ProxySettings(f"{scheme}://127.0.0.1:{live_port}", listen_port=0, **settings)
    stop = asyncio.Event()
    listening: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    def ready(host: str, port: int) -> None:
        listening.set_result((host, port))

    async with asyncio.timeout(3 * PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        tasks.create_task(run_proxy(chosen, taker, ready=ready, stop=stop))
        yield Proxy(*await listening, stop)
        stop.set()


def answering(answer: bytes, seen: list[bytes] | None = None) -> Respond:
    """Reads one request's head and declared body, writes it down, and sends `answer`."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await _body_of(head, reader)
        if seen is not None:
            seen.append(head + body)
        writer.write(answer)
        await writer.drain()

    return respond


async def _body_of(head: bytes, reader: asyncio.StreamReader) -> bytes:
    if b"chunked" in head:
        return await reader.readuntil(b"0\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return await reader.readexactly(int(line.split(b":")[1]))
    return b""


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
