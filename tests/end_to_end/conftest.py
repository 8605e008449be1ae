"""A shop on loopback in several releases, recordings of it, and the program run as a user runs it."""

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from bench.capture import Talk, pcap

PATIENCE_SECONDS = 60.0
"""Nothing here takes as long; what does has hung."""

type Ask = tuple[str, str, bytes]
"""Method, target and body of a request."""
type Answer = tuple[int, dict[str, str], bytes]


def answer(ask: Ask, faults: frozenset[str] = frozenset()) -> Answer:
    """What a release of the shop with `faults` says: the same to the same question, always."""
    method, target, body = ask
    status, said = _answer(method, target.partition("?")[0], body, faults)
    headers = {
        "Content-Type": "application/json",
        "Cache-Control": "max-age=60" if "caches" in faults else "no-store",
    }
    return status, headers, json.dumps(said).encode()


def _answer(method: str, path: str, body: bytes, faults: frozenset[str]) -> tuple[int, dict[str, object]]:
    if method == "POST" and path == "/orders":
        return (201, {"accepted": True}) if body else (400, {"error": "an order has lines"})
    if method == "GET" and (found := re.fullmatch(r"/items/([1-9][0-9]{0,2})", path)):
        number = int(found[1])
        item: dict[str, object] = {"id": number, "name": f"item {number}", "price": number * 10}
        if "no price" in faults:
            del item["price"]
        return 200, item
    if method == "GET" and path == "/stock":
        return (503, {"error": "busy"}) if "no stock" in faults else (200, {"left": 7})
    return 404, {"error": "there is no such thing"}


class Shop:
    """One release that runs. `seen` holds what it was sent, with whether that bore Shadow's mark."""

    def __init__(self, *faults: str) -> None:
        self.url = ""
        self.seen: list[tuple[Ask, bool]] = []
        self._faults = frozenset(faults)
        self._news = asyncio.Condition()

    @property
    def asked(self) -> list[Ask]:
        return [ask for ask, _ in self.seen]

    @property
    def marked(self) -> list[Ask]:
        return [ask for ask, is_marked in self.seen if is_marked]

    async def until(self, holds: Callable[["Shop"], bool]) -> None:
        """Wait for requests until `holds`."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: holds(self))

    async def handle(self, request: web.Request) -> web.Response:
        ask = request.method, request.raw_path, await request.read()
        async with self._news:
            self.seen.append((ask, "Shadow-Run" in request.headers))
            self._news.notify_all()
        status, headers, body = answer(ask, self._faults)
        return web.Response(status=status, headers=headers, body=body)


@asynccontextmanager
async def serving(shop: Shop, port: int = 0) -> AsyncIterator[Shop]:
    """The shop at a port of the system's choice, which is in its `url` then."""
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", shop.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        shop.url = "http://{}:{}".format(*runner.addresses[0])
        yield shop
    finally:
        await runner.cleanup()


type Opened = Callable[..., Awaitable[Shop]]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Opens a shop with the faults that are named; all are closed in the end."""
    async with AsyncExitStack() as stack:

        async def open_shop(*faults: str) -> Shop:
            return await stack.enter_async_context(serving(Shop(*faults)))

        yield open_shop


class Ended(msgspec.Struct, frozen=True):
    """A program that has ended."""

    code: int
    out: str
    err: str


async def shadow(*arguments: str | Path, cwd: Path, stdin: bytes = b"") -> Ended:
    """Run the program to its end."""
    process = await _start(*arguments, cwd=cwd, stdin=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            out, err = await process.communicate(stdin)
    finally:
        await _end(process)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def _start(*arguments: str | Path, cwd: Path, stdin: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shadow", *map(str, arguments)),
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200"},
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.communicate()


class Running:
    """The program while it runs. Clients of `shadow proxy` connect to `url`."""

    def __init__(self, process: asyncio.subprocess.Process, out: Path) -> None:
        self.url = ""
        self.out = out
        self._process = process
        self._told: list[str] = []

    @property
    def told(self) -> str:
        """What it has said to a person up to now."""
        return "\n".join(self._told)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def pipeline(self) -> int:
        """Process id of its one child."""
        pid = self._process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii"))

    async def until(self, pattern: str) -> re.Match[str]:
        """Wait for a line that `pattern` is found in."""
        assert self._process.stderr is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for line in self._process.stderr:
                self._told.append(line.decode().rstrip())
                if found := re.search(pattern, self._told[-1]):
                    return found
        raise AssertionError(f"ended without {pattern!r}:\n{self.told}")

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def send_signal(self, name: signal.Signals) -> None:
        self._process.send_signal(name)

    async def end(self) -> int:
        """Ctrl-C, and the exit code."""
        self.interrupt()
        return await self.ended()

    async def ended(self) -> int:
        """The exit code, once it has ended by itself."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, err = await self._process.communicate()
        self._told.extend(err.decode().splitlines())
        assert self._process.returncode is not None
        return self._process.returncode


@asynccontextmanager
async def running(*arguments: str | Path, cwd: Path) -> AsyncIterator[Running]:
    """The program from its start; killed where it has not ended."""
    process = await _start(*arguments, cwd=cwd, stdin=asyncio.subprocess.DEVNULL)
    try:
        yield Running(process, cwd / "shadow-out")
    finally:
        await _end(process)


@asynccontextmanager
async def proxying(
    cwd: Path, *, live: Shop, candidate: Shop, arguments: Iterable[str] = ()
) -> AsyncIterator[Running]:
    """`shadow proxy` from when clients may connect, at a port of the system's choice."""
    targets = ("--live", live.url, "--candidate", candidate.url)
    async with running("proxy", "--listen", "127.0.0.1:0", *targets, *arguments, cwd=cwd) as proxy:
        proxy.url = (await proxy.until(r"clients connect to (http://\S+?),"))[1]
        yield proxy


@asynccontextmanager
async def receiving(
    cwd: Path, *, candidate: Shop, baseline: Shop | None = None, arguments: Iterable[str] = ()
) -> AsyncIterator[Running]:
    """`shadow mirror` from when mirrors may send, at a port of the system's choice."""
    targets = ("--candidate", candidate.url, *(("--baseline", baseline.url) if baseline else ()))
    async with running("mirror", "--listen", "127.0.0.1:0", *targets, *arguments, cwd=cwd) as tap:
        tap.url = (await tap.until(r"mirrors send to (http://\S+?),"))[1]
        yield tap


def recording(asks: Iterable[Ask], *, port: int = 40000, per_connection: int = 5) -> bytes:
    """A capture of the shop's traffic before it got any faults."""
    packets, talk = [], Talk()
    for count, ask in enumerate(asks):
        if count % per_connection == 0:
            talk = Talk(("10.0.0.1", port + count), at=1_700_000_000.0 + count).open()
            packets.append(talk.packets)
        method, target, body = ask
        status, headers, said = answer(ask)
        talk.say(0, message(f"{method} {target} HTTP/1.1", {"Host": "shop.test"}, body))
        talk.say(1, message(f"HTTP/1.1 {status} OK", headers, said))
    return pcap(packet for each in packets for packet in each)


def message(start: str, headers: dict[str, str], body: bytes) -> bytes:
    """A request or response as it stands on the wire."""
    fields = headers | {"Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{start}\r\n{head}\r\n".encode() + body


def findings(out: Path) -> list[dict[str, Any]]:
    """The lines of the findings file."""
    return [json.loads(line) for line in (out / "findings.jsonl").read_bytes().splitlines()]


def ledger(out: Path) -> dict[str, int]:
    """The summary's ledger, checked: what was captured went somewhere."""
    found: dict[str, int] = json.loads((out / "summary.json").read_bytes())["ledger"]
    assert found["captured"] == sum(found.values()) - found["captured"]
    return found
