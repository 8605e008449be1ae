"""A candidate that misbehaves in mid-run: the run goes on, all is counted, and nothing is left open."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shadow.model import Exchange
from shadow.run.execution import RunSettings, execute
from shadow.sinks.console import ConsoleSettings
from tests.replay.test_replay_faults import (
    Behave,
    asked,
    few_descriptors,
    flooding,
    hang,
    nothing_left,
    reset,
    saying,
    trickling,
)
from tests.run.conftest import Named, recorded, settings_for

FILE = RunSettings(is_live=False, view=ConsoleSettings(is_quiet=True))
GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'
FAULTS: dict[str, Behave] = {
    "hangs": hang,
    "garbage": saying(b"\x00\xff garbage\r\n\r\n"),
    "closes in the head": saying(GOOD[:20]),
    "closes in the body": saying(GOOD[:-3]),
    "resets": saying(b"", resets=True),
    "a body without end": flooding(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536),
    "1xx without end": flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "a byte at a time": trickling(GOOD),
    "a head without end": flooding(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
}

AIOHTTP_READS_ON = ("1xx without end", "aiohttp")
"""It takes interim responses as long as they come, and so fast that others wait."""


class Candidate:
    """A service that is well, but for some of its connections or requests; it can be killed and started."""

    def __init__(self) -> None:
        self.port = 0
        self.seen: list[bytes] = []
        self.on: Callable[[int], Behave | None] = lambda _: None
        """What the request of that number is answered with, where not well."""
        self.changed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self._server = await asyncio.start_server(self._serve, sock=listening)
        self.port = listening.getsockname()[1]

    async def kill(self) -> None:
        """As with SIGKILL: what was open is reset."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for _ in range(5):  # what was accepted just now begins in one of the next turns
            await asyncio.sleep(0)
            for task in tuple(self._tasks):
                task.cancel()
            if self._tasks:
                await asyncio.wait(tuple(self._tasks))

    async def until(self, count: int) -> None:
        """Wait until so many requests were seen."""
        while len(self.seen) < count:
            self.changed.clear()
            await self.changed.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await self._answer(reader, writer)
            except asyncio.CancelledError:
                reset(writer)
        self._tasks.discard(task)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.seen.append(head.split(b" ", 2)[1])
            self.changed.set()
            behave = self.on(len(self.seen))
            if behave is not None:
                fed = asyncio.StreamReader()
                fed.feed_data(head)
                if behave is hang:
                    await reader.read()
                await behave(fed, writer)
                return
            writer.write(GOOD)


@asynccontextmanager
async def candidate() -> AsyncIterator[Candidate]:
    one = Candidate()
    await one.start()
    try:
        yield one
    finally:
        await one.kill()


async def run(out: Path, one: Candidate, items: list[Exchange], **options: Any) -> dict[str, Any]:
    """The summary, once its ledger was found to add up."""
    settings = settings_for(out, one.url, **{"timeout_seconds": 0.2, "fail_on": "never"} | options)
    async with asyncio.timeout(60):
        await execute(settings, Named(items), FILE)
    summary: dict[str, Any] = json.loads((out / "summary.json").read_bytes())
    fates = {key: count for key, count in summary["ledger"].items() if key != "captured"}
    assert sum(fates.values()) == summary["ledger"]["captured"] == len(items)
    return summary


@pytest.mark.parametrize(
    ("fault", "transport"),
    [(fault, kind) for fault in FAULTS for kind in ("raw", "aiohttp") if (fault, kind) != AIOHTTP_READS_ON],
)
async def test_every_tenth_answer_is_bad_and_all_others_are_heard(
    tmp_path: Path, fault: str, transport: str
) -> None:
    async with nothing_left(), candidate() as one:
        one.on = lambda number: FAULTS[fault] if number % 10 == 5 else None
        items = recorded(*(f"/{at}" for at in range(40)))
        summary = await run(tmp_path / "out", one, items, transport=transport)
    assert summary["ledger"]["replayed"] == 40
    assert summary["state"] in ("normal", "throttled")


@pytest.mark.parametrize("transport", ["raw", "aiohttp"])
async def test_a_candidate_that_is_killed_and_started_again_is_used_again_without_a_restart(
    tmp_path: Path, transport: str
) -> None:
    async with nothing_left(), candidate() as one:
        items = recorded(*(f"/{at}" for at in range(400)))

        async def restart() -> None:
            await one.until(100)
            await one.kill()
            await asyncio.sleep(0.3)
            await one.start()

        async with asyncio.TaskGroup() as group:
            group.create_task(restart())
            summary = await run(tmp_path / "out", one, items, transport=transport)
    replayed, dropped = summary["ledger"]["replayed"], summary["ledger"]["dropped"]
    assert replayed + dropped == 400
    assert dropped <= 30, "what was under way, and what found out that it is down"
    assert b"/399" in one.seen


async def test_a_candidate_that_stays_down_leaves_all_counted(tmp_path: Path) -> None:
    async with nothing_left(), candidate() as one:
        items = recorded(*(f"/{at}" for at in range(300)))

        async def kill() -> None:
            await one.until(50)
            await one.kill()

        async with asyncio.TaskGroup() as group:
            group.create_task(kill())
            summary = await run(tmp_path / "out", one, items, duration="3s")
    assert summary["ledger"]["dropped"] > 200
    assert summary["states"][-1]["why"] == "the time is over"


async def test_without_descriptors_the_run_goes_on_and_recovers(tmp_path: Path) -> None:
    async with nothing_left(), candidate() as one:
        items = recorded(*(f"/{at}" for at in range(300)))

        async def starve() -> None:
            await one.until(60)
            with few_descriptors(0):
                await asyncio.sleep(0.3)

        async with asyncio.TaskGroup() as group:
            group.create_task(starve())
            summary = await run(tmp_path / "out", one, items, concurrency=2)
    assert summary["ledger"]["replayed"] >= 200
    assert b"/299" in one.seen


async def test_a_candidate_that_grows_slow_is_spared_and_taken_up_again(tmp_path: Path) -> None:
    is_slow = False

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        await asyncio.sleep(0.06)
        writer.write(GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    async with nothing_left(), candidate() as one:
        one.on = lambda _: slowly if is_slow else None
        items = recorded(*["/x"] * 2000)
        quick = {"hold_seconds": 0.5, "window_seconds": 2.0, "slow_seconds": 0.02, "per_second": 100.0}
        settings = {"safe_mode": quick | {"stop_seconds": 0}, "timeout_seconds": 5.0}

        async def change() -> None:
            nonlocal is_slow
            await one.until(200)
            is_slow = True
            await one.until(330)
            is_slow = False

        async with asyncio.TaskGroup() as group:
            group.create_task(change())
            summary = await run(tmp_path / "out", one, items, **settings)
    modes = [each["state"] for each in summary["states"]]
    assert modes[:1] == ["throttled"]
    assert "normal" in modes, "and was taken up again"
    assert summary["ledger"]["replayed"] == 2000


@pytest.mark.parametrize("by", ["header:x-user", "client"])
async def test_a_session_waits_for_each_answer_while_others_run_beside_it(tmp_path: Path, by: str) -> None:
    """Over a slow server: requests of one session never overlap, and those of different ones do."""
    at_work: dict[bytes, int] = {}
    most = {"session": 0, "all": 0}
    order: dict[bytes, list[int]] = {}

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
        session, number = target[1:].split(b"-")
        order.setdefault(session, []).append(int(number))
        at_work[session] = at_work.get(session, 0) + 1
        most["session"] = max(most["session"], at_work[session])
        most["all"] = max(most["all"], sum(at_work.values()))
        await asyncio.sleep(0.01)
        at_work[session] -= 1
        writer.write(GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

    items = [
        Exchange(
            each.index,
            each.tap,
            f"10.0.0.{at % 5}:{40000 + at}",
            each.seen_at,
            type(each.request)(b"GET", each.request.target, headers=((b"X-User", b"u%d" % (at % 5)),)),
            each.response,
        )
        for at, each in enumerate(recorded(*(f"/{at % 5}-{at}" for at in range(60))))
    ]
    async with nothing_left(), candidate() as one:
        one.on = lambda _: slowly
        summary = await run(tmp_path / "out", one, items, session={"by": by}, timeout_seconds=5.0)
    assert summary["ledger"]["replayed"] == 60
    assert most["session"] == 1
    assert most["all"] > 2
    assert all(numbers == sorted(numbers) for numbers in order.values())
