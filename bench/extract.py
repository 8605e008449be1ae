"""Times `shadow extract` side by side with tshark and tcpflow, on one capture, alternating in one run.

python -m bench.extract FILE [--rounds 3]

CPU seconds are those of the process and of all that it starts, wall seconds what one waits for. Ratios are
of CPU seconds, but for ``--workers 2``, which is meant to save waiting.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

_FIELDS = ["http.request.method", "http.request.uri", "http.response.code", "http.content_length"]
_EXCHANGES = (
    "import sys\nfrom shadow.taps.files import Recording\nprint(sum(1 for _ in Recording(sys.argv[1:])))\n"
)
_OURS, _SHARED = "shadow extract", "shadow extract --workers 2"


class Cost(msgspec.Struct, frozen=True):
    """What one run of a program took."""

    cpu_seconds: float
    wall_seconds: float
    peak_bytes: int


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    name = str(options.file)
    ours = [sys.executable, "-m", "shadow", "extract", name, "-o", "/dev/null"]
    with tempfile.TemporaryDirectory() as folder:
        contestants: dict[str, list[str]] = {
            _OURS: ours,
            _SHARED: [*ours, "--workers", "2"],
            "exchanges, not written": [sys.executable, "-c", _EXCHANGES, name],
            "tcpflow -a": ["tcpflow", "-a", "-r", name, "-o", folder],
            "tshark -q -z http,tree": ["tshark", "-r", name, "-q", "-z", "http,tree"],
            "tshark -T fields": ["tshark", "-r", name, "-Y", "http", "-T", "fields"]
            + [part for field in _FIELDS for part in ("-e", field)],
        }
        costs: dict[str, list[Cost]] = {label: [] for label in contestants}
        for _ in range(options.rounds):
            for label, command in contestants.items():
                if shutil.which(command[0]):
                    costs[label].append(_cost(command))
    _report({label: each for label, each in costs.items() if each})


def _report(costs: dict[str, list[Cost]]) -> None:
    """Prints the medians, and how many times as much as ours each takes."""
    base = median(each.cpu_seconds for each in costs[_OURS])
    for label, each in costs.items():
        cpu = median(cost.cpu_seconds for cost in each)
        wall = median(cost.wall_seconds for cost in each)
        peak = max(cost.peak_bytes for cost in each) / 1e6
        print(f"{label:28} cpu {cpu:6.2f} s {cpu / base:6.2f} x   wall {wall:6.2f} s   peak {peak:5.0f} MB")
    alone, shared = (median(cost.wall_seconds for cost in costs[label]) for label in (_OURS, _SHARED))
    print(f"{_SHARED}: {alone / shared:.2f} times as fast")


def _cost(command: list[str]) -> Cost:
    """What `command` takes; the peak is that of its first process."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(program.pid, 0)
    if status:
        sys.exit(f"{command[0]} ended with status {status}")
    program.returncode = 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, perf_counter() - began, usage.ru_maxrss * 1024)


if __name__ == "__main__":
    main()
