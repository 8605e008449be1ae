"""Exchanges per second of each transport against a local nginx: ``python -m bench.replay [seconds]``.

Needs nginx and wrk. Believe the ratios: on a shared machine the absolute figures move.
"""

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from shadow.model import Reply, Request
from shadow.replay import Guard, GuardSettings, RawTransport, Sending, Target, Transport
from shadow.replay.http import HttpTransport

LANES = 32
_NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type application/json;
    return 200
      '{{"id":"0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0","name":"web","status":"STARTED","vcpus":4}}'; }} }} }}
"""


class Rate(NamedTuple):
    """How fast something sent."""

    per_second: float
    per_cpu_second: float | None
    """Exchanges per second of our own CPU; None where that is not ours to measure."""


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    missing = [tool for tool in ("nginx", "wrk") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"needs {' and '.join(missing)}")
    with nginx() as port:
        rates = {"wrk": wrk(port, seconds)}
        for kind in (RawTransport, HttpTransport):
            rates[kind.name] = asyncio.run(drive(kind, port, seconds))
    whole = rates["wrk"].per_second
    print(f"{'client':<10}{'exchanges/s':>14}{'per CPU second':>18}{'of wrk':>10}")
    for name, rate in rates.items():
        cpu = "" if rate.per_cpu_second is None else f"{rate.per_cpu_second:,.0f}"
        print(f"{name:<10}{rate.per_second:>14,.0f}{cpu:>18}{rate.per_second / whole:>10.1%}")
    raw, full = rates["raw"].per_cpu_second, rates["aiohttp"].per_cpu_second
    assert raw is not None
    assert full is not None
    print(f"raw / aiohttp, per CPU second: {raw / full:.1f}")


@contextlib.contextmanager
def nginx() -> Iterator[int]:
    """The port of an nginx with one worker, which ends with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "nginx.conf"
        settings.write_text(_NGINX.format(folder=folder, port=port))
        with subprocess.Popen(
            ["nginx", "-p", folder, "-c", str(settings)], stderr=subprocess.DEVNULL
        ) as server:
            try:
                _await_port(port)
                yield port
            finally:
                server.terminate()


def wrk(port: int, seconds: float) -> Rate:
    """What wrk reaches with one thread and as many connections."""
    command = ["wrk", "-t1", f"-c{LANES}", f"-d{max(round(seconds), 1)}s", f"http://127.0.0.1:{port}/v1/x"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return Rate(float(found[1]), None)


async def drive(kind: type[RawTransport] | type[HttpTransport], port: int, seconds: float) -> Rate:
    """What a transport reaches with as many lanes, each waiting for its answers."""
    target = Target("candidate", "http", "127.0.0.1", port)
    transport: Transport = kind(target, Guard(GuardSettings(), [target]))
    end = time.perf_counter() + seconds
    counts: list[int] = []

    async def lane(number: int) -> None:
        headers = (
            (b"Host", target.authority.encode()),
            (b"User-Agent", b"bench"),
            (b"Accept", b"application/json"),
            (b"Authorization", b"Bearer 0f1e2d3c4b5a49688796a5b4c3d2e1f0"),
        )
        sending = Sending(Request(b"GET", b"/v1/x", headers=headers), lane=str(number))
        count = 0
        while time.perf_counter() < end:
            outcome = await transport.send(sending)
            assert isinstance(outcome, Reply), outcome
            count += 1
        counts.append(count)

    began, cpu_began = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for number in range(LANES):
            group.create_task(lane(number), name=f"lane {number}")
    spent, cpu_spent = time.perf_counter() - began, time.process_time() - cpu_began
    await transport.close()
    return Rate(sum(counts) / spent, sum(counts) / cpu_spent)


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 5.0
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


if __name__ == "__main__":
    main()
