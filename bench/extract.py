"""Times extraction side by side with tshark, on one capture, in one run: CPU seconds and their ratio.

python -m bench.extract FILE [--rounds 3]
"""

import argparse
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

_EXTRACT = (
    "import sys\n"
    "from shadow.taps.files import Recording\n"
    "from shadow.taps.jsonl import encode\n"
    "from shadow.model import Exchange\n"
    "found = count = 0\n"
    "for each in Recording(sys.argv[2:]):\n"
    "    count += 1\n"
    "    if sys.argv[1] == 'lines' and isinstance(each, Exchange):\n"
    "        found += len(encode(each))\n"
    "print(count, file=sys.stderr)\n"
)
_FIELDS = ["http.request.method", "http.request.uri", "http.response.code", "http.content_length"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    name = str(options.file)
    contestants: dict[str, list[str]] = {
        "cat": ["cat", name],
        "exchanges": [sys.executable, "-c", _EXTRACT, "exchanges", name],
        "exchanges as JSON lines": [sys.executable, "-c", _EXTRACT, "lines", name],
        "tshark -q -z http,tree": ["tshark", "-r", name, "-q", "-z", "http,tree"],
        "tshark -T fields": ["tshark", "-r", name, "-Y", "http", "-T", "fields"]
        + [part for field in _FIELDS for part in ("-e", field)],
    }
    seconds: dict[str, list[float]] = {label: [] for label in contestants}
    for _ in range(options.rounds):
        for label, command in contestants.items():
            if shutil.which(command[0]):
                seconds[label].append(_cpu_seconds(command))
    report(seconds, print)


def report(seconds: dict[str, list[float]], write: Callable[[str], object]) -> None:
    """Writes a table: the median of each, and how many times as long as extraction it takes."""
    ours = median(seconds["exchanges"])
    for label, each in seconds.items():
        if each:
            write(f"{label:26} {median(each):8.2f} s {median(each) / ours:8.2f} x")


def _cpu_seconds(command: list[str]) -> float:
    """User and system seconds that `command` takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
