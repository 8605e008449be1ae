"""The mirror tap: takes the copies of requests that proxies send, and answers each of them with 202."""

import asyncio
from collections.abc import Callable

import msgspec

from shadow.taps.mirror_connection import Mirror, MirrorConnection
from shadow.taps.serving import listen, serve
from shadow.taps.taker import TakesExchanges

_SWEEP_SECONDS = 1.0
_CUT_SECONDS = 2.0
"""How long connections that were told to close may take to go."""


class MirrorSettings(msgspec.Struct, frozen=True):
    """Where the receiver stands, and what it takes."""

    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    """0 lets the system choose."""
    live: str = ""
    """``host:port`` of the live service, or its host alone, as clients write it; empty where not known."""
    max_body_bytes: int = 1 << 20
    """A request with a longer body is answered, and counted as too large."""
    max_head_bytes: int = 1 << 16
    max_held_bytes: int = 64 << 20
    """What all requests that are not complete may hold together."""
    max_connections: int = 1024
    """Whoever connects beyond is answered 503 at once: kept waiting, it would keep its clients waiting."""
    idle_seconds: float = 120.0
    """How long a connection may be silent. Longer than mirrors keep theirs, which nobody then loses."""
    linger_seconds: float = 2.0
    """How long one that was refused may take to read why."""
    grace_seconds: float = 2.0
    """How long requests under way may take to end once the receiver stops."""


async def run_mirror(
    settings: MirrorSettings,
    taker: TakesExchanges,
    *,
    ready: Callable[[str, int], object],
    stop: asyncio.Event,
) -> None:
    """Take mirrored requests until `stop`.

    `ready` is told the address once it is listening. Raises TapError where it cannot listen. The process
    should be the tap's own: the garbage collector is told to leave alone what is there at the start, and more
    files may be open than before.
    """
    mirror = Mirror(
        taker,
        live=settings.live,
        max_connections=settings.max_connections,
        max_head_bytes=settings.max_head_bytes,
        max_body_bytes=settings.max_body_bytes,
        max_held_bytes=settings.max_held_bytes,
    )
    server = await listen(lambda: MirrorConnection(mirror), settings.listen_host, settings.listen_port)
    async with asyncio.TaskGroup() as group:
        sweeping = group.create_task(_sweep(mirror, settings), name="sweep")
        try:
            await serve(server, ready, stop)
        finally:
            sweeping.cancel()
            await _drain(mirror, settings.grace_seconds)


async def _sweep(mirror: Mirror, settings: MirrorSettings) -> None:
    """Cut off who is silent for too long."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(min(_SWEEP_SECONDS, settings.idle_seconds, settings.linger_seconds))
        now = loop.time()
        for each in mirror.connections:
            if now - each.heard_at > (settings.linger_seconds if each.is_over else settings.idle_seconds):
                each.abort()


async def _drain(mirror: Mirror, grace_seconds: float) -> None:
    for each in mirror.connections:
        each.end_when_idle()
    if not await mirror.connections.goes_empty(grace_seconds):
        for each in mirror.connections:
            each.abort()
        await mirror.connections.goes_empty(_CUT_SECONDS)
