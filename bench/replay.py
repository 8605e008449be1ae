"""What replaying costs, beside wrk and bare client loops, against one local nginx, alternating in one run:
``python -m bench.replay [EXCHANGES] [ROUNDS] [MOST]``.

`MOST` is how many exchanges the last row on memory replays. Needs nginx and wrk. Believe CPU seconds and the
ratios, of which the median is told: on a shared machine the absolute figures move.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.bare import Asked, aiohttp_loop, httptools_loop
from bench.load import nginx, tool
from bench.recorded import ANSWER, asked, record
from shadow.model import Reply, Request, Response
from shadow.replay import Guard, GuardSettings, RawTransport, Sending, Target, Transport
from shadow.replay.http import HttpTransport
from shadow.run.loop import LOOP

LANES = 32
_SHORT = 20_000
_MUTATED_OF = 10
"""So many times fewer exchanges where each has three mutants."""
_MIN_MEMORY = 10_000
_WRK_SECONDS = 3


class Spent(NamedTuple):
    """What one contestant did, and what it took."""

    done: int
    cpu_seconds: float
    seconds: float
    peak_mb: float = 0.0


type Contestant = Callable[[], Spent]
type _Loop = Callable[[int, Sequence[Asked], int], Coroutine[Any, Any, int]]


def main() -> None:
    given = [int(each) for each in sys.argv[1:4]]
    count, rounds, most = *given, *(_SHORT, 3, 0)[len(given) :]
    with nginx(ANSWER) as port, tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        recording = recorded(here, port, count)
        mutated = recorded(here, port, max(count // _MUTATED_OF, 1000))
        contestants = _contestants(port, count, recording, mutated)
        rates: dict[str, list[float]] = {name: [] for name in contestants}
        speeds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(rounds):
            for name, contestant in contestants.items():
                spent = contestant()
                rates[name].append(spent.done / spent.cpu_seconds)
                speeds[name].append(spent.done / spent.seconds)
        _tell(rates, speeds)
        _tell_memory(here, port, [*_tens(count), *([most] if most else [])])


def _contestants(port: int, count: int, recording: Path, mutated: Path) -> dict[str, Contestant]:
    todo = list(asked(count))

    def bare(loop: _Loop, *, fast: bool) -> Contestant:
        return lambda: timed(loop(port, todo, LANES), LOOP if fast else asyncio.new_event_loop)

    def alone(kind: type[RawTransport] | type[HttpTransport]) -> Contestant:
        return lambda: timed(drive(kind, port, todo), LOOP)

    def whole(path: Path, *options: str) -> Contestant:
        return lambda: replayed(path, port, "--mutants", "0", *options)

    return {
        "wrk": lambda: _wrk(port),
        "aiohttp loop": bare(aiohttp_loop, fast=False),
        "aiohttp loop, uvloop": bare(aiohttp_loop, fast=True),
        "httptools loop": bare(httptools_loop, fast=False),
        "httptools loop, uvloop": bare(httptools_loop, fast=True),
        "aiohttp transport": alone(HttpTransport),
        "raw transport": alone(RawTransport),
        "shadow replay, aiohttp": whole(recording, "--config", str(_config(recording.parent, "aiohttp"))),
        "shadow replay, raw": whole(recording, "--config", str(_config(recording.parent, "raw"))),
        "shadow replay, 3 mutants": lambda: replayed(mutated, port, "--mutants", "3"),
    }


def recorded(folder: Path, port: int, count: int) -> Path:
    """A recording of `count` exchanges with that nginx."""
    path = folder / f"{count}.jsonl"
    if not path.exists():
        record(path, count, timed_answer(port))
    return path


def timed_answer(port: int) -> Response:
    """What the nginx answers."""

    async def ask() -> Response:
        target = Target("candidate", "http", "127.0.0.1", port)
        transport = RawTransport(target, Guard(GuardSettings(), [target]))
        outcome = await transport.send(Sending(Request(b"GET", b"/", headers=((b"Host", b"x"),))))
        await transport.close()
        assert isinstance(outcome, Reply), outcome
        return outcome.response

    return asyncio.run(ask())


def timed(work: Coroutine[Any, Any, int], loop: Callable[[], asyncio.AbstractEventLoop]) -> Spent:
    """What `work`, which gives how much it did, spends in this process."""
    began, cpu_began = time.perf_counter(), time.process_time()
    with asyncio.Runner(loop_factory=loop) as runner:
        done = runner.run(work)
    return Spent(done, time.process_time() - cpu_began, time.perf_counter() - began)


async def drive(kind: type[RawTransport] | type[HttpTransport], port: int, todo: Sequence[Asked]) -> int:
    """A transport alone, with as many lanes, each waiting for its answers."""
    target = Target("candidate", "http", "127.0.0.1", port)
    transport: Transport = kind(target, Guard(GuardSettings(), [target]))
    rest = iter(todo)

    async def lane(number: int) -> int:
        done = 0
        for path, headers in rest:
            outcome = await transport.send(Sending(Request(b"GET", path, headers=headers), lane=str(number)))
            done += isinstance(outcome, Reply)
        return done

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(lane(number), name=f"lane {number}") for number in range(LANES)]
    await transport.close()
    return sum(task.result() for task in tasks)


def replayed(path: Path, port: int, *options: str, lanes: int = LANES) -> Spent:
    """A whole ``shadow replay`` of `path`, with all its processes, from its start to its end.

    What is done are the trials: the originals, and the mutants that were made of them.
    """
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "shadow", "replay", str(path), "--out", f"{out}/out", "--quiet"]
        command += ["--candidate", f"http://127.0.0.1:{port}", "--concurrency", str(lanes), *options]
        began = time.perf_counter()
        program = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - began
        assert program.returncode in (0, 1), program.returncode
        summary = Path(out, "out", "summary.json").read_text()
    trials = sum(int(each) for each in re.findall(r'"(?:passed|failed|undecided)": (\d+)', summary))
    return Spent(trials, usage.ru_utime + usage.ru_stime, seconds, usage.ru_maxrss / 1024)


def _wrk(port: int) -> Spent:
    command = [tool("wrk"), "-t1", f"-c{LANES}", f"-d{_WRK_SECONDS}s", f"http://127.0.0.1:{port}/v1/x"]
    began = time.perf_counter()
    program = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    told = program.stdout.read()
    _, status, usage = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    found = re.search(r"(\d+) requests in", told)
    assert found is not None, told
    return Spent(int(found[1]), usage.ru_utime + usage.ru_stime, time.perf_counter() - began)


def _config(folder: Path, transport: str) -> Path:
    path = folder / f"{transport}.toml"
    path.write_text(f'transport = "{transport}"\n')
    return path


def _tens(count: int) -> list[int]:
    return [_MIN_MEMORY, count] if count > _MIN_MEMORY else [count]


def _tell(rates: dict[str, list[float]], speeds: dict[str, list[float]]) -> None:
    whole = median(speeds["wrk"])
    print(f"{'':<26}{'done per CPU second':>22}{'a second':>12}{'of wrk':>9}")
    for name, found in rates.items():
        speed = median(speeds[name])
        print(f"{name:<26}{median(found):>22,.0f}{speed:>12,.0f}{speed / whole:>9.1%}")

    def ratio(one: str, other: str) -> float:
        return median([a / b for a, b in zip(rates[one], rates[other], strict=True)])

    for one, other, goal in (
        ("shadow replay, aiohttp", "aiohttp loop", 0.75),
        ("shadow replay, raw", "httptools loop, uvloop", None),
        ("raw transport", "aiohttp transport", None),
    ):
        print(
            f"{one} / {other}, per CPU second: {ratio(one, other):.2f}" + (f", goal {goal}" if goal else "")
        )
    for name, least in (("shadow replay, raw", 12_000), ("shadow replay, 3 mutants", 8_000)):
        print(f"{name}: {median(rates[name]):,.0f} per CPU second, goal {least:,}")


def _tell_memory(folder: Path, port: int, counts: Sequence[int]) -> None:
    for count in counts:
        spent = replayed(recorded(folder, port, count), port, "--mutants", "0")
        print(f"peak memory after {count:>9,} exchanges: {spent.peak_mb:.0f} MB")


if __name__ == "__main__":
    main()
