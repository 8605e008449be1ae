"""How well Shadow judges: releases with known causes beside harmless change, scored by request and by cause.

A service is recorded; its candidate is a re-run with ids, dates, tokens and sets of its own, in which some
causes are wrong. Which requests show which cause is known. `shadow replay` is run as a user runs it.

Run it as ``python -m bench.judging [--seed 1] [--exchanges 300] [--cause WORD] [--alone] [--json FILE]``.
Exits with 1 where a cause was missed or something false was told.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import msgspec

from bench.judging_causes import CAUSES, Cause, batches
from bench.judging_recording import recorded
from bench.judging_scoring import Score, Told, scored
from bench.judging_serving import Release, serving
from bench.judging_shop import Shop

_RAN = datetime(2026, 3, 1, 9, tzinfo=UTC)
_LIVE_HOST = "shop.example.com"


class Outcome(msgspec.Struct, frozen=True):
    """One run."""

    causes: tuple[str, ...]
    has_baseline: bool
    score: Score
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--exchanges", type=int, default=300)
    parser.add_argument("--cause", action="append", default=[], help="only causes whose name has this")
    parser.add_argument("--alone", action="store_true", help="each cause in a run of its own")
    parser.add_argument("--baseline", choices=("with", "without", "both"), default="both")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--keep", type=Path, help="keep recordings and output folders here")
    parser.add_argument("--pcap", action="store_true", help="record as a capture")
    parser.add_argument("option", nargs="*", help="further options of shadow replay, after --")
    options = parser.parse_args()
    dice = Random(options.seed)
    chosen = [each for each in CAUSES if not options.cause or any(w in each.name for w in options.cause)]
    groups = [[each] for each in chosen] if options.alone else list(batches(chosen, dice))
    groups = groups if options.cause else [[], *groups]
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        here = options.keep or Path(folder)
        for has_baseline in {"with": (True,), "without": (False,), "both": (True, False)}[options.baseline]:
            for number, group in enumerate(groups):
                place = here / f"{number}-{'with' if has_baseline else 'without'}"
                outcomes.append(_run(place, group, options, has_baseline=has_baseline))
                _tell(outcomes[-1])
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcomes)))
    sys.exit(_total(outcomes))


def _run(place: Path, group: Sequence[Cause], options: argparse.Namespace, *, has_baseline: bool) -> Outcome:
    place.mkdir(parents=True, exist_ok=True)
    seed = options.seed
    live = Shop(seed, _LIVE_HOST, _RAN)
    path = place / ("recording.pcap" if options.pcap else "recording.jsonl")
    truth = recorded(path, live, options.exchanges, group, Random(seed))

    def candidate(host: str) -> Release:
        return Release(Shop(seed + 10, host, _RAN + timedelta(days=40)), group, seed + 11, is_new=True)

    def baseline(host: str) -> Release:
        return Release(Shop(seed + 20, host, _RAN + timedelta(days=40)), (), seed + 21, is_new=False)

    began = datetime.now(UTC)
    with serving([candidate, baseline] if has_baseline else [candidate]) as hosts:
        _replay(path, place / "out", hosts, options.option)
    told = _told(place / "out")
    seconds = (datetime.now(UTC) - began).total_seconds()
    return Outcome(tuple(c.name for c in group), has_baseline, scored(truth, told, group), seconds)


def _replay(path: Path, out: Path, hosts: Sequence[str], more: Sequence[str]) -> None:
    command = [sys.executable, "-m", "shadow", "replay", str(path), "--out", str(out), "--mutants", "0"]
    command += ["--candidate", f"http://{hosts[0]}", "--fail-on", "never", "--quiet"]
    command += ["--live", f"http://{_LIVE_HOST}"] if path.suffix == ".jsonl" else []
    command += ["--baseline", f"http://{hosts[1]}"] if len(hosts) > 1 else []
    ran = subprocess.run([*command, *more], capture_output=True, text=True, timeout=300, check=False)
    if ran.returncode:
        sys.exit(f"shadow replay ended with {ran.returncode}: {ran.stderr[-2000:]}")


def _told(out: Path) -> list[Told]:
    lines = (out / "findings.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Told) for line in lines]


def _tell(outcome: Outcome) -> None:
    with_it = "with a baseline" if outcome.has_baseline else "without"
    print(f"--- {with_it}, {outcome.seconds:.1f} s")
    for each in outcome.score.causes:
        is_told = each.findings == 1 and each.found == each.shown
        mark = "ok  " if is_told else "few " if each.findings and each.found < each.shown else "many"
        mark = mark if each.findings else "MISS" if each.shown else "none"
        mark = "(-) " if mark == "MISS" and each.needs_baseline and not outcome.has_baseline else mark
        print(f"  {mark} {each.name:34} {each.found:3}/{each.shown:3} requests, {each.findings} findings")
    for false in outcome.score.false:
        print(f"  FALSE {false}")


def _total(outcomes: Sequence[Outcome]) -> int:
    """The exit code, after the totals were told."""
    code = 0
    for has_baseline in (True, False):
        scores = [each.score for each in outcomes if each.has_baseline == has_baseline]
        causes = [
            each
            for score in scores
            for each in score.causes
            if each.shown and (has_baseline or not each.needs_baseline)
        ]
        if not scores:
            continue
        found, shown = sum(each.found for each in causes), sum(each.shown for each in causes)
        wrong, claimed = sum(s.wrong for s in scores), sum(s.claimed for s in scores)
        missed, false = sum(not c.findings for c in causes), sum(len(s.false) for s in scores)
        print(f"{'with' if has_baseline else 'without'} a baseline: {len(causes)} causes, {missed} missed,")
        print(f"  told more than once {sum(c.findings > 1 for c in causes)}, false findings {false}")
        print(f"  requests: recall {found / max(shown, 1):.4f}, precision {1 - wrong / max(claimed, 1):.4f}")
        code |= bool(missed or false)
    return code


if __name__ == "__main__":
    main()
