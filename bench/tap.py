"""What the inline tap costs live traffic: requests per second and p99 through mitmproxy, bare and tapped.

Proxies stand before one live service, and are measured in turn within each round, since the machine's
speed changes over time and only ratios within a round mean anything:

- ``bare``: mitmdump in the same reverse mode, with nothing of ours
- ``tapped``: our proxy, with a pipeline in another process that reads the feed
- ``alone``: our proxy, with no pipeline there
- ``marked``: the tapped proxy again, with requests that bear our own mark and so are not tapped; how much
  slower ``tapped`` is than this is what tapping itself costs

Run it as ``python -m bench.tap [--rounds 5] [--seconds 3] [--connections 16]``. It needs wrk on the PATH, and
nginx for the live service (else a small asyncio server of its own takes the part).
"""

import argparse
import asyncio
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic, sleep

import msgspec

_START_SECONDS = 30
_AIM = 0.97  # of the bare proxy's requests per second
_NAMES = ("bare", "tapped", "alone", "marked")
_FIELDS = {"marked": "Shadow-Run: bench"}
_BODY = b'{"id": "i-1", "name": "web", "status": "STARTED", "vcpus": 2}\n' * 16

_NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000;
  server {{ listen 127.0.0.1:{port}; location / {{ root {folder}; default_type application/json; }} }}
}}
"""


class Load(msgspec.Struct, frozen=True):
    """What one run of the load generator saw."""

    requests_per_second: float
    p99_seconds: float
    failures: int


def main() -> None:
    options = _options()
    wrk = shutil.which("wrk")
    if wrk is None:
        sys.exit("wrk is not on the PATH")
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        live = running.enter_context(_live(folder))
        ports = _proxies(folder, live, running)
        print(f"without a proxy: {_load(wrk, live, options).requests_per_second:.0f} requests/s")
        rounds = []
        for number in range(options.rounds):
            # Each goes first in turn, so that none always has the warmest or the most tired machine.
            order = _NAMES[number % 4 :] + _NAMES[: number % 4]
            measured = {name: _load(wrk, ports[name], options, _FIELDS.get(name)) for name in order}
            rounds.append(measured)
            print(f"round {number + 1}: " + ", ".join(f"{name} {_told(measured[name])}" for name in _NAMES))
    _conclude(rounds)


def _conclude(rounds: list[dict[str, Load]]) -> None:
    for name in _NAMES[1:]:
        speed = [r[name].requests_per_second / r["bare"].requests_per_second for r in rounds]
        p99 = [r[name].p99_seconds / r["bare"].p99_seconds for r in rounds]
        verdict = "reached" if statistics.median(speed) >= _AIM else "MISSED"
        print(
            f"{name}/bare: requests/s x{statistics.median(speed):.2f} "
            f"({min(speed):.2f} to {max(speed):.2f}), p99 x{statistics.median(p99):.2f} "
            f"({min(p99):.2f} to {max(p99):.2f}); aim x{_AIM} {verdict}"
        )


def _told(load: Load) -> str:
    failures = f", {load.failures} FAILED" if load.failures else ""
    return f"{load.requests_per_second:.0f}/s p99 {load.p99_seconds * 1000:.1f} ms{failures}"


def _proxies(folder: Path, live: int, running: ExitStack) -> dict[str, int]:
    """Ports of the proxies by name."""
    me, feed = [sys.executable, __file__], folder / "feed" / "feed.sock"
    running.enter_context(_process([*me, "--part", "receiver", "--feed", str(feed)]))
    _until(feed.exists)
    ports = {name: _free_port() for name in _NAMES[:3]}
    bare = ["--mode", f"reverse:http://127.0.0.1:{live}", "--listen-host", "127.0.0.1", "--quiet"]
    bare += ["--set", "keep_host_header=true", "--set", "connection_strategy=lazy"]
    bare += ["--set", f"confdir={folder}/bare", "--listen-port", str(ports["bare"])]
    mitmdump = Path(sys.executable).with_name("mitmdump")
    running.enter_context(_process([str(mitmdump), *bare]))
    for name, socket_path in (("tapped", feed), ("alone", folder / "nobody.sock")):
        part = [
            "--part",
            "proxy",
            "--feed",
            str(socket_path),
            "--port",
            str(ports[name]),
            "--live",
            str(live),
        ]
        running.enter_context(_process(me + part))
    for port in ports.values():
        _until(lambda port=port: _answers(port))
    return ports | {"marked": ports["tapped"]}


@contextmanager
def _live(folder: Path) -> Iterator[int]:
    """The port of a live service that answers a kilobyte of JSON."""
    port = _free_port()
    (folder / "vm").write_bytes(_BODY)
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        command = [sys.executable, __file__, "--part", "live", "--port", str(port)]
    else:
        (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port))
        command = [nginx, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
        folder.chmod(0o755)  # its worker gives up root's rights
    with _process(command):
        _until(lambda: _answers(port))
        yield port


def _load(wrk: str, port: int, options: argparse.Namespace, field: str | None = None) -> Load:
    command = [wrk, "-t1", f"-c{options.connections}", f"-d{options.seconds}s", "--latency"]
    command += ["-H", field] if field else []
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/vm"], capture_output=True, text=True, check=True
    ).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", told)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s)", told)
    assert rate is not None, told
    assert p99 is not None, told
    failures = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    return Load(
        requests_per_second=float(rate[1]),
        p99_seconds=float(p99[1]) * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[p99[2]],
        failures=int(failures[1]) if failures else 0,
    )


@contextmanager
def _process(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
    return port


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


def _until(holds: object) -> None:
    deadline = monotonic() + _START_SECONDS
    assert callable(holds)
    while not holds():
        if monotonic() > deadline:
            sys.exit("a part of the benchmark did not start")
        sleep(0.05)


async def _run_proxy(options: argparse.Namespace) -> None:
    from shadow.feed.frames import Hello  # noqa: PLC0415 - each part pays only for its own imports
    from shadow.feed.sender import Sender  # noqa: PLC0415 - so too
    from shadow.taps.mitm import ProxySettings, run_proxy  # noqa: PLC0415 - so too

    async with _stop() as stop:
        sender = Sender(options.feed, Hello("mitm"))
        settings = ProxySettings(f"http://127.0.0.1:{options.live}", listen_port=options.port)
        await run_proxy(settings, sender, ready=lambda *_: None, stop=stop)
        ledger = await asyncio.to_thread(sender.close)
        seconds = ledger.tap_seconds
        mean_microseconds = 1e6 * seconds.sum_seconds / max(seconds.count, 1)
        print(
            f"tap: {ledger.captured} captured, {ledger.acknowledged} acknowledged, dropped {ledger.dropped}; "
            f"{mean_microseconds:.0f} us in the path of a request on average, "
            f"p99 at most {1e6 * seconds.quantile(0.99):.0f} us"
        )


async def _run_receiver(options: argparse.Namespace) -> None:
    from shadow.feed.receiver import Listener, receive  # noqa: PLC0415 - so too

    async with _stop() as stop:
        await receive(options.feed, Listener(lambda _: None), stop=stop)


async def _run_live(options: argparse.Namespace) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer + _BODY)

    async with _stop() as stop, await asyncio.start_server(serve, "127.0.0.1", options.port):
        await stop.wait()


@asynccontextmanager
async def _stop() -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    yield stop


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load on each proxy in each round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--part", choices=_PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--feed", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--live", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


_PARTS = {"proxy": _run_proxy, "receiver": _run_receiver, "live": _run_live}

if __name__ == "__main__":
    part = _PARTS.get(_options().part)
    if part is None:
        main()
    else:
        asyncio.run(part(_options()))
