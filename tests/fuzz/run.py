"""Fuzzes the targets, one after the other, for as long as is given.

python -m tests.fuzz.run [--seconds 60] [--target NAME]...

With atheris (the extra `fuzz`) inputs are led by what code they reach. Without it the seeds are mutated
blindly, and it is said so. What fails is kept in tests/fuzz/crashes/TARGET/, and tried again by the tests.
"""

import argparse
import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS

CRASHES = Path(__file__).parent / "crashes"
_MAX_BYTES = 20_000
_SLOW_SECONDS = 10
_MAX_MEBIBYTES = 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all targets together")
    parser.add_argument("--target", action="append", choices=list(TARGETS), dest="targets")
    options = parser.parse_args()
    names = options.targets or list(TARGETS)
    seconds = options.seconds / len(names)
    is_guided = importlib.util.find_spec("atheris") is not None
    if not is_guided:
        print("atheris is not installed: seeds are mutated blindly (pip install atheris)")
    failed = [name for name in names if not (_guided(name, seconds) if is_guided else _blind(name, seconds))]
    print(f"failed: {', '.join(failed)}; see {CRASHES}" if failed else "nothing failed")
    return len(failed)


def _guided(name: str, seconds: float) -> bool:
    """Whether a process of its own, led by coverage, found nothing. The corpus is kept for the next time."""
    folder = CRASHES / name
    folder.mkdir(parents=True, exist_ok=True)
    corpus = Path(tempfile.gettempdir()) / "shadow-fuzz" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(TARGETS[name].seeds()):
        (corpus / f"seed{number:02}").write_bytes(text)
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(corpus), "-print_final_stats=1"]
    command += [f"-max_total_time={max(int(seconds), 1)}", f"-max_len={_MAX_BYTES}"]
    command += [f"-timeout={_SLOW_SECONDS}", f"-rss_limit_mb={_MAX_MEBIBYTES}", f"-artifact_prefix={folder}/"]
    print(f"{name}: {int(seconds)} s", flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stderr.splitlines()
    shown = [line for line in lines if line.startswith(("stat::number_of", "stat::peak"))]
    print("\n".join(shown if done.returncode == 0 else [done.stdout, *lines[-20:]]), flush=True)
    return done.returncode == 0


def _blind(name: str, seconds: float) -> bool:
    """Whether mutated seeds found nothing."""
    target, rng = TARGETS[name], Random()
    seeds = target.seeds()
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        text = mutated(rng, seeds)[:_MAX_BYTES]
        number += 1
        try:
            target.run(text)
        except Exception:  # noqa: BLE001 - whatever it is, it is what is looked for
            traceback.print_exc()
            folder = CRASHES / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"crash-{hashlib.sha256(text).hexdigest()[:16]}").write_bytes(text)
            return False
    print(f"{name}: {number} inputs")
    return True


if __name__ == "__main__":
    sys.exit(main())
