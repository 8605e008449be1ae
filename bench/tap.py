"""What the inline tap costs live traffic: requests per second and p99 through mitmproxy, bare and tapped.

Proxies stand before one live service, and are measured in turn within each round, since the machine's
speed changes over time and only ratios within a round mean anything:

- ``bare``: mitmdump in the same reverse mode, with nothing of ours
- ``tapped``: our proxy, with a pipeline in another process that reads the feed
- ``alone``: our proxy, with no pipeline there
- ``marked``: the tapped proxy again, with requests that bear our own mark and so are not tapped; how much
  slower ``tapped`` is than this is what tapping itself costs

Run it as ``python -m bench.tap [--rounds 5] [--seconds 3] [--connections 16]``. It needs
nginx and wrk.
"""

import argparse
import asyncio
import signal
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from bench.load import Load, free_port, listens, nginx, running, until, wrk

_AIM = 0.97  # of the bare proxy's requests per second
_NAMES = ("bare", "tapped", "alone", "marked")
_FIELDS = {"marked": "Shadow-Run: bench"}
_BODY = '{"id": "i-1", "name": "web", "status": "STARTED", "vcpus": 2}' * 16


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        live = stack.enter_context(nginx(_BODY))
        ports = _proxies(folder, live, stack)
        print(f"without a proxy: {_load(live, options).requests_per_second:.0f} requests/s")
        rounds = []
        for number in range(options.rounds):
            # Each goes first in turn, so that none always has the warmest or the most tired machine.
            order = _NAMES[number % 4 :] + _NAMES[: number % 4]
            measured = {name: _load(ports[name], options, _FIELDS.get(name)) for name in order}
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


def _proxies(folder: Path, live: int, stack: ExitStack) -> dict[str, int]:
    """Ports of the proxies by name."""
    me, feed = [sys.executable, "-W", "ignore", "-m", "bench.tap"], folder / "feed" / "feed.sock"
    stack.enter_context(running([*me, "--part", "receiver", "--feed", str(feed)]))
    until(feed.exists)
    ports = {name: free_port() for name in _NAMES[:3]}
    bare = ["--mode", f"reverse:http://127.0.0.1:{live}", "--listen-host", "127.0.0.1", "--quiet"]
    bare += ["--set", "keep_host_header=true", "--set", "connection_strategy=lazy"]
    bare += ["--set", f"confdir={folder}/bare", "--listen-port", str(ports["bare"])]
    mitmdump = Path(sys.executable).with_name("mitmdump")
    stack.enter_context(running([str(mitmdump), *bare]))
    for name, socket_path in (("tapped", feed), ("alone", folder / "nobody.sock")):
        part = ["--part", "proxy", "--feed", str(socket_path)]
        part += ["--port", str(ports[name]), "--live", str(live)]
        stack.enter_context(running(me + part))
    for port in ports.values():
        until(partial(listens, port))
    return ports | {"marked": ports["tapped"]}


def _load(port: int, options: argparse.Namespace, field: str | None = None) -> Load:
    url = f"http://127.0.0.1:{port}/vm"
    return wrk(url, seconds=options.seconds, connections=options.connections, field=field)


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


_PARTS = {"proxy": _run_proxy, "receiver": _run_receiver}

if __name__ == "__main__":
    part = _PARTS.get(_options().part)
    if part is None:
        main()
    else:
        asyncio.run(part(_options()))
