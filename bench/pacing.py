"""How well `shadow replay` keeps a schedule: ``python -m bench.pacing [seconds]``.

A server on loopback in a process of its own notes when each request arrived, on the clock that all processes
share. The distance of each arrival from its moment is taken from the earliest one's, which is thus on time.
Fixed rate, recorded time, and recorded time ten times as fast. Exits with 1 where a goal is missed.
"""

import asyncio
import json
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import NamedTuple

from shadow.model import Exchange, Request, Response
from shadow.taps.jsonl import encode

RATE = 500.0
CLIENTS = 40
"""Sessions, each in its order."""
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_RATE_ERROR_MAX = 0.01
_P99_SECONDS_MAX = 0.020


class Kept(NamedTuple):
    """How a schedule was kept."""

    missing: int
    rate_error: float
    """Share by which the mean rate of arrivals is off."""
    p50_seconds: float
    p99_seconds: float
    max_seconds: float
    told_p99_seconds: float
    """What the run itself says in its summary."""

    @property
    def is_good(self) -> bool:
        return (
            not self.missing and self.rate_error <= _RATE_ERROR_MAX and self.p99_seconds <= _P99_SECONDS_MAX
        )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    fixed = [at / RATE for at in range(round(seconds * RATE))]
    recorded = _poisson(seconds=min(seconds, 20.0), per_second=100.0)
    slow = _poisson(seconds=min(10 * seconds, 200.0), per_second=20.0)
    runs = {
        f"{RATE:g}/s for {seconds:g} s": measure(fixed, fixed, "--rate", f"{RATE:g}"),
        f"recorded, x1, {len(recorded)} requests": measure(recorded, recorded, "--speed", "1"),
        f"recorded, x10, {len(slow)} requests": measure(slow, [at / 10 for at in slow], "--speed", "10"),
    }
    heads = ("missing", "rate off", "p50 ms", "p99 ms", "max ms", "told p99")
    print(f"{'schedule':<34}" + "".join(f"{head:>10}" for head in heads))
    for name, kept in runs.items():
        times = (kept.p50_seconds, kept.p99_seconds, kept.max_seconds, kept.told_p99_seconds)
        p50, p99, most, told = (f"{each * 1000:.2f}" for each in times)
        print(f"{name:<34}{kept.missing:>10}{kept.rate_error:>10.3%}{p50:>10}{p99:>10}{most:>10}{told:>10}")
    sys.exit(not all(kept.is_good for kept in runs.values()))


def measure(recorded_at: list[float], due_at: list[float], *options: str) -> Kept:
    """Replay requests recorded at `recorded_at` and due at `due_at`, in seconds from the start."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "recorded.jsonl")
        file.write_bytes(b"".join(_line(index, at) for index, at in enumerate(recorded_at)))
        ours, theirs = multiprocessing.Pipe()
        server = multiprocessing.Process(target=_serve, args=(theirs,), daemon=True)
        server.start()
        port = ours.recv()
        command = ("replay", str(file), "--candidate", f"http://127.0.0.1:{port}", "--mutants", "0")
        done = subprocess.run(
            [sys.executable, "-m", "shadow", *command, "--out", f"{folder}/out", "--quiet", *options],
            check=False,
        )
        assert done.returncode == 0, done.returncode
        ours.send("end")
        arrived: dict[int, float] = ours.recv()
        server.join()
        told = json.loads(Path(folder, "out", "summary.json").read_bytes())["late"]["p99_seconds"]
    return _kept(arrived, due_at, told)


def _kept(arrived: dict[int, float], due_at: list[float], told: float) -> Kept:
    off = sorted(at - due_at[index] for index, at in arrived.items())
    late = [each - off[0] for each in off]
    span, wanted = max(arrived.values()) - min(arrived.values()), due_at[-1] - due_at[0]
    return Kept(
        len(due_at) - len(arrived),
        abs(span / wanted - 1),
        late[len(late) // 2],
        late[int(0.99 * len(late))],
        late[-1],
        told,
    )


def _poisson(seconds: float, per_second: float) -> list[float]:
    dice, at, found = Random(1), 0.0, []
    while at < seconds:
        found.append(at)
        at += dice.expovariate(per_second)
    return found


def _line(index: int, at: float) -> bytes:
    asked = Request(b"GET", b"/%d" % index, headers=((b"Host", b"bench"),))
    response = Response(200, b"OK", headers=((b"Content-Type", b"application/json"),), body=b"{}")
    return encode(Exchange(index, "bench", f"client {index % CLIENTS}", 1.7e9 + at, asked, response, 0.001))


def _serve(pipe: Connection) -> None:
    """Answers, and tells at the end when each request arrived first."""
    arrived: dict[int, float] = {}

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self._transport = transport
            self._rest = b""

        def data_received(self, data: bytes) -> None:
            now = time.monotonic()
            *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
            for head in heads:
                found = re.match(rb"GET /(\d+) ", head)
                assert found
                arrived.setdefault(int(found[1]), now)
                self._transport.write(_ANSWER)

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(pipe.recv)
        pipe.send(arrived)
        server.close()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
