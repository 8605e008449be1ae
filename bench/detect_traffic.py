"""Traffic of the reference service's stable release, recorded as a tap sees it."""

import asyncio

from bench.detect_service import running_service
from shadow.demo.traffic import drive
from shadow.model import Exchange
from shadow.taps.front import FrontSettings, run_front
from shadow.taps.jsonl import encode


class Recorder:
    """Keeps every exchange that a tap hands on."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.skipped = 0

    def offer(self, exchange: Exchange) -> bool:
        self.exchanges.append(exchange)
        return True

    def skip(self, why: str) -> None:  # noqa: ARG002 - that there is anything unread is reason enough
        self.skipped += 1

    def time(self, seconds: float) -> None:
        """How long requests were held up is of no interest here."""


async def recorded(*, seed: int, sessions: int) -> list[bytes]:
    """What `sessions` sessions of several principals say to the stable release, a JSON line an exchange.

    Raises RuntimeError where the stable release did not answer as its users expect.
    """
    recorder, stop = Recorder(), asyncio.Event()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with running_service("stable", seed=seed) as url, asyncio.TaskGroup() as tasks:
        settings = FrontSettings("127.0.0.1", int(url.rpartition(":")[2]), listen_port=0)
        tasks.create_task(
            run_front(
                settings,
                recorder,
                ready=lambda host, port: listening.set_result(f"http://{host}:{port}"),
                stop=stop,
            ),
            name="front",
        )
        try:
            summary = await drive(await listening, seed=seed, sessions=sessions)
        finally:
            stop.set()
    if summary.unexpected or recorder.skipped:
        raise RuntimeError(f"the recording is no good: {summary.unexpected}, {recorder.skipped} unread")
    recorder.exchanges.sort(key=lambda each: each.index)
    return [encode(each) for each in recorder.exchanges]
