"""`shadow replay` with one process and with several, the whole command, alternating in one run.

python -m bench.workers [--workers 2] [--exchanges 100000] [--rounds 3] [--sessions 64] [--form jsonl]

Needs nginx. CPU seconds are those of the command and all that it starts, nginx left out. To be believed on a
machine that does nothing else, with as many cores as workers: there is no more to be had than its cores, less
what nginx needs of them.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from bench.capture import Talk, pcap
from bench.load import nginx
from shadow.model import Exchange, Request, Response
from shadow.taps.jsonl import encode

_ANSWER = b'{"id":"0f1e2d3c-4b5a-4968-8796-a5b4c3d2e1f0","name":"web","status":"STARTED","vcpus":4}'
_ASKED = ((b"Host", b"live.example"), (b"User-Agent", b"bench"), (b"Accept", b"application/json"))
_ANSWERED = ((b"Content-Type", b"application/json"), (b"Content-Length", b"%d" % len(_ANSWER)))


class Cost(msgspec.Struct, frozen=True):
    """What one run of the command took."""

    wall_seconds: float
    cpu_seconds: float
    result: tuple[str, str]
    """Its ledger and its findings."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--exchanges", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=64)
    parser.add_argument("--form", choices=["jsonl", "pcap"], default="jsonl")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, nginx(_ANSWER.decode()) as port:
        recording = Path(folder) / f"traffic.{options.form}"
        write = _write_lines if options.form == "jsonl" else _write_capture
        write(recording, options.exchanges, options.sessions)
        costs: dict[int, list[Cost]] = {1: [], options.workers: []}
        for _ in range(options.rounds):
            for workers, each in costs.items():
                each.append(_cost(recording, f"http://127.0.0.1:{port}", workers, Path(folder) / "out"))
    _report(costs, options.exchanges)


def _exchanges(count: int, sessions: int) -> list[Exchange]:
    """Traffic of many clients at once; all of it reads."""
    response = Response(200, b"OK", headers=_ANSWERED, body=_ANSWER)
    return [
        Exchange(
            index,
            "jsonl",
            f"s{index % sessions}",
            1_700_000_000 + index / 1000,
            Request(b"GET", b"/v1/instances/%d" % (index % 1000), headers=_ASKED),
            response,
            0.002,
        )
        for index in range(count)
    ]


def _write_lines(path: Path, count: int, sessions: int) -> None:
    with path.open("wb") as file:
        file.writelines(map(encode, _exchanges(count, sessions)))


def _write_capture(path: Path, count: int, sessions: int) -> None:
    """The same as packets, each session a connection."""
    talks = [Talk(("10.0.0.1", 20_000 + number), at=1_700_000_000.0).open() for number in range(sessions)]
    asked = b"".join(b"%b: %b\r\n" % each for each in _ASKED)
    answered = b"".join(b"%b: %b\r\n" % each for each in _ANSWERED)
    for each in _exchanges(count, sessions):
        talk = talks[each.index % sessions]
        talk.say(0, b"GET %b HTTP/1.1\r\n%b\r\n" % (each.request.target, asked))
        talk.say(1, b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (answered, _ANSWER))
    packets = [packet for talk in talks for packet in talk.packets]
    path.write_bytes(pcap(sorted(packets, key=lambda packet: packet[0])))


def _cost(recording: Path, candidate: str, workers: int, out: Path) -> Cost:
    command = [sys.executable, "-m", "shadow", "replay", str(recording), "--candidate", candidate]
    command += ["--mutants", "0", "--workers", str(workers), "--out", str(out), "--quiet"]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    subprocess.run(command, check=True)
    wall, after = perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    summary = json.loads((out / "summary.json").read_bytes())
    return Cost(wall, cpu, (json.dumps(summary["ledger"]), json.dumps(summary["findings"])))


def _report(costs: dict[int, list[Cost]], exchanges: int) -> None:
    results = {cost.result for each in costs.values() for cost in each}
    print(f"{'workers':<10}{'exchanges/s':>14}{'wall s':>10}{'CPU s':>10}")
    walls = {}
    for workers, each in costs.items():
        walls[workers] = wall = median(cost.wall_seconds for cost in each)
        cpu = median(cost.cpu_seconds for cost in each)
        print(f"{workers:<10}{exchanges / wall:>14,.0f}{wall:>10.2f}{cpu:>10.2f}")
    one, *others = walls
    for workers in others:
        print(f"{workers} workers / 1: {walls[one] / walls[workers]:.2f} times the throughput")
    print("ledger and findings agree" if len(results) == 1 else f"they DIFFER: {results}")


if __name__ == "__main__":
    main()
