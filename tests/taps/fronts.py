"""Light fronts that run for a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shadow.taps.front import FrontSettings, run_front
from shadow.taps.front_reading import Open, Readings
from shadow.taps.taker import TakesExchanges
from tests.taps.proxies import PATIENCE_SECONDS, Proxy


class Front(Proxy):
    """A running front; `readings` is there once it has stopped."""

    readings: Readings


@asynccontextmanager
async def fronted(
    taker: TakesExchanges, live_port: int, *, open_with: Open | None = None, **settings: Any
) -> AsyncIterator[Front]:
    chosen = FrontSettings("127.0.0.1", live_port, listen_port=0, **settings)
    stop = asyncio.Event()
    listening: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()

    def ready(host: str, port: int) -> None:
        listening.set_result((host, port))

    async with asyncio.timeout(3 * PATIENCE_SECONDS), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(run_front(chosen, taker, ready=ready, stop=stop, open_with=open_with))
        front = Front(*await listening, stop)
        try:
            yield front
        finally:
            stop.set()
        front.readings = await running
