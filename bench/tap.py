"""What taps cost live traffic: requests per second and p99 through each, beside what they are measured by.

Proxies stand before one live service, and are measured in turn within each round, since the machine's
speed changes over time and only ratios within a round mean anything:

- ``bare``: mitmdump in reverse mode, with nothing of ours
- ``tapped``: our proxy on mitmproxy, with a pipeline in another process that reads the feed
- ``alone``: the same with no pipeline there
- ``marked``: the tapped proxy again, with requests that bear our own mark and so are not tapped; how much
  slower ``tapped`` is than this is what tapping itself costs
- ``aiohttp``: a plain reverse proxy of twenty lines on aiohttp
- ``light``: our light front with a pipeline; ``light stalled`` with one that never reads, ``light alone``
  with none
- ``mirror``, ``mirror stalled``, ``mirror alone``: the receiver of mirrored requests, which has no live
  service behind it

In the end it tells the memory of light front and mirror before and after 100 000 requests, and that of the
front through a download of 500 MB.

Run it as ``python -m bench.tap [--rounds 5] [--seconds 3] [--connections 16] [--only NAME]``. It needs
nginx and wrk.
"""

import argparse
import asyncio
import logging
import os
import re
import signal
import socket
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

from bench.load import Load, free_port, listens, nginx, running, until, wrk

_AIMS = {
    "tapped": 0.97,
    "alone": 0.97,
    "marked": 0.97,
    "light": 5.0,
    "light stalled": 5.0,
    "light alone": 5.0,
}
"""Times the bare proxy's requests per second."""
_FEEDS = {
    "tapped": "read",
    "light": "read",
    "mirror": "read",
    "light stalled": "stalled",
    "mirror stalled": "stalled",
}
_PART = {"tapped": "proxy", "alone": "proxy", "aiohttp": "aiohttp"}
_NAMES = (
    *("bare", "tapped", "alone", "marked", "aiohttp", "light", "light stalled", "light alone"),
    *("mirror", "mirror stalled", "mirror alone"),
)
_FIELDS = {"marked": "Shadow-Run: bench"}
_BODY = '{"id": "i-1", "name": "web", "status": "STARTED", "vcpus": 2}' * 16
_MANY_REQUESTS = 100_000
_LARGE_BYTES = 500_000_000


def main() -> None:
    options = _options()
    names = [name for name in _NAMES if name.startswith(("bare", options.only))]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (Path(folder) / "large").touch()
        os.truncate(Path(folder) / "large", _LARGE_BYTES)  # takes no room on the disk
        live = stack.enter_context(nginx(_BODY, files=Path(folder)))
        taps = _started(Path(folder), live, names, stack)
        direct = _load(live, options).requests_per_second
        print(f"load average {os.getloadavg()[0]:.1f}; without a proxy: {direct:.0f} requests/s")
        rounds = []
        for number in range(options.rounds):
            # Each goes first in turn, so that none always has the warmest or the most tired machine.
            order = names[number % len(names) :] + names[: number % len(names)]
            measured = {name: _load(taps[name][0], options, _FIELDS.get(name)) for name in order}
            rounds.append(measured)
            print(f"round {number + 1}: " + ", ".join(f"{name} {_told(measured[name])}" for name in names))
        _conclude(rounds, names)
        for name in {"light", "mirror"} & set(names):
            _tell_memory(name, *taps[name], options, rounds)


def _conclude(rounds: list[dict[str, Load]], names: list[str]) -> None:
    for name in names[1:]:
        speed = [r[name].requests_per_second / r["bare"].requests_per_second for r in rounds]
        p99 = [r[name].p99_seconds / r["bare"].p99_seconds for r in rounds]
        aim = _AIMS.get(name)
        verdict = (
            ""
            if aim is None
            else "; aim x{} {}".format(aim, "reached" if statistics.median(speed) >= aim else "MISSED")
        )
        print(
            f"{name}/bare: requests/s x{statistics.median(speed):.2f} "
            f"({min(speed):.2f} to {max(speed):.2f}), p99 x{statistics.median(p99):.2f} "
            f"({min(p99):.2f} to {max(p99):.2f}){verdict}"
        )


def _tell_memory(
    name: str, port: int, pid: int, options: argparse.Namespace, rounds: list[dict[str, Load]]
) -> None:
    """Resident memory around many requests, and around a large download."""
    rate = statistics.median(r[name].requests_per_second for r in rounds)
    before = _resident_mb(pid)
    wrk(f"http://127.0.0.1:{port}/", seconds=int(_MANY_REQUESTS / rate) + 1, connections=options.connections)
    said = f"{name}: {before} MB before {_MANY_REQUESTS} requests, {_resident_mb(pid)} MB after"
    if name == "light":
        said += f"; at most {_download(port, pid)} MB while {_LARGE_BYTES / 1e6:.0f} MB were downloaded"
    print(said)


def _download(port: int, pid: int) -> int:
    """The most memory that the process was seen to have while the large file came through it."""
    most, left = 0, _LARGE_BYTES
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /files/large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while piece := client.recv(1 << 20):
            left -= len(piece)
            most = max(most, _resident_mb(pid))
    assert left < 0, "the download was cut"
    return most


def _resident_mb(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    return int(found[1]) // 1000 if found else 0


def _told(load: Load) -> str:
    failures = f", {load.failures} FAILED" if load.failures else ""
    return f"{load.requests_per_second:.0f}/s p99 {load.p99_seconds * 1000:.1f} ms{failures}"


def _started(folder: Path, live: int, names: list[str], stack: ExitStack) -> dict[str, tuple[int, int]]:
    """Ports and process ids of what is measured, by name; it runs until `stack` is closed."""
    me = [sys.executable, "-W", "ignore", "-m", "bench.tap", "--live", str(live)]
    feeds = {}
    for part in ("read", "stalled"):
        feeds[part] = folder / part / "feed.sock"
        stack.enter_context(running([*me, "--part", part, "--feed", str(feeds[part])]))
        until(feeds[part].exists)
    found: dict[str, tuple[int, int]] = {}
    for name in names:
        port = free_port()
        if name == "bare":
            command = _mitmdump(folder, live, port)
        elif name == "marked":
            found[name] = found["tapped"]
            continue
        else:
            feed = feeds.get(_FEEDS.get(name, ""), folder / "nobody.sock")
            part = _PART.get(name) or name.partition(" ")[0]
            command = [*me, "--part", part, "--feed", str(feed), "--port", str(port)]
        found[name] = port, stack.enter_context(running(command))
    for port, _ in found.values():
        until(partial(listens, port))
    return found


def _mitmdump(folder: Path, live: int, port: int) -> list[str]:
    bare = ["--mode", f"reverse:http://127.0.0.1:{live}", "--listen-host", "127.0.0.1", "--quiet"]
    bare += ["--set", "keep_host_header=true", "--set", "connection_strategy=lazy"]
    bare += ["--set", f"confdir={folder}/bare", "--listen-port", str(port)]
    return [str(Path(sys.executable).with_name("mitmdump")), *bare]


def _load(port: int, options: argparse.Namespace, field: str | None = None) -> Load:
    url = f"http://127.0.0.1:{port}/vm"
    return wrk(url, seconds=options.seconds, connections=options.connections, field=field)


async def _run_tap(options: argparse.Namespace) -> None:
    """One of our own; each part pays only for its own imports."""
    from shadow.feed.frames import Hello  # noqa: PLC0415 - as said
    from shadow.feed.sender import Sender  # noqa: PLC0415 - as said

    async with _stop() as stop:
        sender = Sender(options.feed, Hello(options.part))
        if options.part == "proxy":
            from shadow.taps.mitm import ProxySettings, run_proxy  # noqa: PLC0415 - as said

            proxy = ProxySettings(f"http://127.0.0.1:{options.live}", listen_port=options.port)
            await run_proxy(proxy, sender, ready=lambda *_: None, stop=stop)
        elif options.part == "light":
            from shadow.taps.front import FrontSettings, run_front  # noqa: PLC0415 - as said

            front = FrontSettings("127.0.0.1", options.live, listen_port=options.port)
            await run_front(front, sender, ready=lambda *_: None, stop=stop)
        else:
            from shadow.taps.mirror import MirrorSettings, run_mirror  # noqa: PLC0415 - as said

            mirror = MirrorSettings(listen_port=options.port)
            await run_mirror(mirror, sender, ready=lambda *_: None, stop=stop)
        ledger = await asyncio.to_thread(sender.close)
        seconds = ledger.tap_seconds
        mean_microseconds = 1e6 * seconds.sum_seconds / max(seconds.count, 1)
        print(
            f"{options.part}: {ledger.captured} captured, {ledger.acknowledged} acknowledged, dropped "
            f"{ledger.dropped}; {mean_microseconds:.0f} us in the path of a request on average, "
            f"p99 at most {1e6 * seconds.quantile(0.99):.0f} us"
        )


async def _run_aiohttp(options: argparse.Namespace) -> None:
    """The public alternative to the light front, as anyone would write it."""
    from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web  # noqa: PLC0415 - as above

    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # wrk leaves while it is answered

    async def pass_on(request: web.Request) -> web.StreamResponse:
        url = f"http://127.0.0.1:{options.live}{request.raw_path}"
        body = request.content if request.body_exists else None
        async with session.request(
            request.method, url, headers=request.headers, data=body, allow_redirects=False
        ) as live:
            answer = web.StreamResponse(status=live.status, headers=live.headers)
            await answer.prepare(request)
            async for chunk in live.content.iter_any():
                await answer.write(chunk)
            await answer.write_eof()
            return answer

    async with (
        _stop() as stop,
        ClientSession(
            connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(), auto_decompress=False
        ) as session,
    ):
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", pass_on)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options.port).start()
        await stop.wait()
        await runner.cleanup()


async def _run_receiver(options: argparse.Namespace) -> None:
    from shadow.feed.receiver import Listener, receive  # noqa: PLC0415 - as above

    async with _stop() as stop:
        await receive(options.feed, Listener(lambda _: None), stop=stop)


async def _run_stalled(options: argparse.Namespace) -> None:
    """A pipeline that takes a connection and never reads."""
    options.feed.parent.mkdir(mode=0o700)
    async with _stop() as stop:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(options.feed))
            sock.listen()
            await stop.wait()


@asynccontextmanager
async def _stop() -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    yield stop


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load on each in each round")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--only", default="", help="those whose name begins so, beside the bare proxy")
    parser.add_argument("--part", choices=_PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--feed", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--live", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


_PARTS = {
    **dict.fromkeys(("proxy", "light", "mirror"), _run_tap),
    "aiohttp": _run_aiohttp,
    "read": _run_receiver,
    "stalled": _run_stalled,
}

if __name__ == "__main__":
    part = _PARTS.get(_options().part)
    if part is None:
        main()
    else:
        asyncio.run(part(_options()))
