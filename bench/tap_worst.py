"""What the inline tap costs live traffic at its worst, and whether its memory stays flat.

In turn within each round, since only ratios within a round mean anything on a machine that others use too:

- ``bare``: mitmdump in reverse mode, with nothing of ours
- ``stalled``: our proxy, with a pipeline that takes its connection and never reads
- ``dead``: our proxy, with no pipeline there

Then 100 000 requests through the last, whose queue is full all the time, and its resident memory.

Run it as ``python -m bench.tap_worst [--rounds 5] [--seconds 3] [--connections 16]``. It needs nginx and wrk.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from bench.load import Load, free_port, listens, nginx, until, wrk

_AIM, _P99_AIM = 0.98, 1.05  # of the bare proxy's requests per second, and of its p99
_NAMES = ("bare", "stalled", "dead")
_BODY = '{"id": "i-1", "name": "web", "status": "STARTED", "vcpus": 2}' * 16
_REQUESTS = 100_000
_GROWTH_MAX_MB = 10
"""From when all queues and caches have filled."""


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        live = stack.enter_context(nginx(_BODY))
        proxies = _started(Path(folder), live, stack)
        print(f"load average {os.getloadavg()[0]:.1f}")
        rounds = []
        for number in range(options.rounds):
            # Each goes first in turn, so that none always has the warmest or the most tired machine.
            order = _NAMES[number % 3 :] + _NAMES[: number % 3]
            measured = {name: _load(proxies[name][0], options.seconds, options) for name in order}
            rounds.append(measured)
            print(f"round {number + 1}: " + ", ".join(f"{name} {_told(measured[name])}" for name in _NAMES))
        for name in _NAMES[1:]:
            _conclude(name, rounds)
        _measure_memory(*proxies["dead"], options)


def _conclude(name: str, rounds: list[dict[str, Load]]) -> None:
    speed = [r[name].requests_per_second / r["bare"].requests_per_second for r in rounds]
    p99 = [r[name].p99_seconds / r["bare"].p99_seconds for r in rounds]
    is_reached = statistics.median(speed) >= _AIM and statistics.median(p99) <= _P99_AIM
    print(
        f"{name}/bare: requests/s x{statistics.median(speed):.2f} ({min(speed):.2f} to {max(speed):.2f}), "
        f"p99 x{statistics.median(p99):.2f} ({min(p99):.2f} to {max(p99):.2f}); "
        f"aim x{_AIM} and x{_P99_AIM} {'reached' if is_reached else 'MISSED'}"
    )


def _measure_memory(port: int, pid: int, options: argparse.Namespace) -> None:
    done, sizes = 0.0, [_resident_mb(pid)]
    print(f"memory: {sizes[0]:.0f} MB")
    while done < _REQUESTS:
        done += 10 * _load(port, 10, options).requests_per_second
        sizes.append(_resident_mb(pid))
        print(f"memory after {done:.0f} requests more: {sizes[-1]:.0f} MB")
    growth = sizes[-1] - sizes[1]
    verdict = "reached" if growth <= _GROWTH_MAX_MB else "MISSED"
    print(f"growth since the first of these: {growth:.1f} MB; aim {_GROWTH_MAX_MB} MB {verdict}")


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _started(folder: Path, live: int, stack: ExitStack) -> dict[str, tuple[int, int]]:
    """Port and process id of each proxy."""
    bare = [str(Path(sys.executable).with_name("mitmdump")), "--mode", f"reverse:http://127.0.0.1:{live}"]
    bare += ["--listen-host", "127.0.0.1", "--quiet", "--set", "keep_host_header=true"]
    bare += ["--set", "connection_strategy=lazy", "--set", f"confdir={folder}/bare", "--listen-port"]
    ours = [sys.executable, "-W", "ignore", "-m", "bench.tap", "--part", "proxy", "--live", str(live)]
    stalled = stack.enter_context(_never_read(folder / "stalled.sock"))
    commands = {
        "bare": bare,
        "stalled": [*ours, "--feed", str(stalled), "--port"],
        "dead": [*ours, "--feed", str(folder / "nobody.sock"), "--port"],
    }
    found = {}
    for name, command in commands.items():
        port = free_port()
        process = stack.enter_context(subprocess.Popen([*command, str(port)]))
        stack.callback(process.terminate)
        found[name] = port, process.pid
    for port, _ in found.values():
        until(partial(listens, port))
    return found


@contextmanager
def _never_read(path: Path) -> Iterator[Path]:
    """A socket whose connections the system accepts, and nobody ever reads from."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        yield path


def _load(port: int, seconds: int, options: argparse.Namespace) -> Load:
    return wrk(f"http://127.0.0.1:{port}/vm", seconds=seconds, connections=options.connections)


def _told(load: Load) -> str:
    failures = f", {load.failures} FAILED" if load.failures else ""
    return f"{load.requests_per_second:.0f}/s p99 {load.p99_seconds * 1000:.1f} ms{failures}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load on each proxy in each round")
    parser.add_argument("--connections", type=int, default=16)
    return parser.parse_args()


if __name__ == "__main__":
    main()
