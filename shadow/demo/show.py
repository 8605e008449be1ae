"""The demonstration: real processes, real traffic, the pipeline as anyone runs it."""

import asyncio
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec

from shadow.demo.settings import shadow_config
from shadow.demo.traffic import drive
from shadow.demo.vmctl import BUGS, parse_bugs
from shadow.errors import TargetError

_READY_SECONDS = 30.0
_WORK_SECONDS = 60.0
_POLL_SECONDS = 0.2
_SHOWN_METRICS = ("shadow_exchanges_total{", "shadow_findings{", "shadow_sent_total{", "shadow_target_up{")


class ShowSettings(msgspec.Struct, frozen=True):
    """What is shown."""

    bugs: str
    sessions: int
    mutants: int
    seed: int
    out: Path


class Show:
    """Runs once. `tell` is given one line for a person at a time."""

    def __init__(self, settings: ShowSettings, *, tell: Callable[[str], None]) -> None:
        self._settings = settings
        self._tell = tell
        self._folder = Path()

    async def run(self) -> int:
        """0 when all went its way, whatever was found; else the proxy's exit code."""
        bugs = parse_bugs(self._settings.bugs, "candidate")
        async with AsyncExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shadow-demo-")))
            live = await self._service(stack, "live", "stable")
            baseline = await self._service(stack, "baseline", "stable")
            candidate = await self._service(stack, "candidate", "candidate")
            self._tell(f"live {live} and baseline {baseline} are the stable release")
            self._tell(f"candidate {candidate} has {len(bugs)} bugs:")
            for each in sorted(bugs):
                self._tell(f"  {each} {BUGS[each]}")
            listen, metrics = (f"127.0.0.1:{_free_port()}" for _ in range(2))
            proxy = await self._proxy(stack, live, candidate, baseline, listen, metrics)
            await _connectable(listen, proxy)
            summary = await drive(
                f"http://{listen}", seed=self._settings.seed, sessions=self._settings.sessions
            )
            self._tell(f"clients sent {summary.requests} requests in {summary.sessions} sessions")
            await self._scrape(metrics, summary.requests)
            proxy.send_signal(signal.SIGINT)
            code = await proxy.wait()
        files = "findings.jsonl, summary.json, exchanges.jsonl, store.db"
        self._tell(f"\nall of it is in {self._settings.out}/ : {files}")
        return 0 if code in {0, 1} else code

    async def _service(self, stack: AsyncExitStack, name: str, release: str) -> str:
        """The URL of a process of the reference service with a database of its own."""
        bugs = self._settings.bugs if release == "candidate" else "none"
        process = await self._started(
            stack,
            *("demo", "vmctl", "--release", release, "--bugs", bugs, "--seed", str(self._settings.seed)),
            *("--db", str(self._folder / f"{name}.db")),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(_READY_SECONDS):
            line = (await process.stdout.readline()).decode()
        if "http://" not in line:
            raise TargetError(f"the reference service did not start ({name})")
        return line.split()[-1]

    async def _proxy(
        self, stack: AsyncExitStack, live: str, candidate: str, baseline: str, listen: str, metrics: str
    ) -> asyncio.subprocess.Process:
        settings = self._settings
        config = self._folder / "vmctl.toml"
        config.write_text(shadow_config(settings.seed), encoding="utf-8")
        settings.out.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy(config, settings.out / "vmctl.toml")
        command = (
            *("proxy", "--config", str(settings.out / "vmctl.toml"), "--live", live, "--listen", listen),
            *("--candidate", candidate, "--baseline", baseline, "--metrics", metrics, "--allow-writes"),
            *("--mutants", str(settings.mutants), "--seed", str(settings.seed), "--out", str(settings.out)),
        )
        self._tell(f"\n$ shadow {' '.join(command)}\n")
        return await self._started(stack, *command)

    async def _started(
        self, stack: AsyncExitStack, *arguments: str, stdout: int | None = None
    ) -> asyncio.subprocess.Process:
        """A `shadow` command as a process of its own, ended with the demonstration."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "shadow", *arguments, stdout=stdout, start_new_session=True
        )
        stack.push_async_callback(_end, process)
        return process

    async def _scrape(self, metrics: str, expected: int) -> None:
        """Wait until every exchange has met its fate, and show what a scrape of the endpoint gives then."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _WORK_SECONDS
        text = ""
        while loop.time() < deadline:
            text = await _get(metrics)
            if _total(text, "shadow_exchanges_total{") >= expected:
                break
            await asyncio.sleep(_POLL_SECONDS)
        self._tell(f"\n$ curl http://{metrics}/metrics")
        for line in text.splitlines():
            if line.startswith(_SHOWN_METRICS):
                self._tell(line)
        self._tell("")


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


async def _connectable(address: str, process: asyncio.subprocess.Process) -> None:
    host, _, port = address.partition(":")
    async with asyncio.timeout(_READY_SECONDS):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
            except OSError:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            writer.close()
            return
    raise TargetError("the proxy did not start; what it says stands above")


async def _get(address: str) -> str:
    """The body of ``GET /metrics``."""
    host, _, port = address.partition(":")
    async with asyncio.timeout(_READY_SECONDS):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()


def _total(text: str, prefix: str) -> float:
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(prefix))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
