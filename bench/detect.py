"""Which bugs of the reference service are detected, each alone, and with how many mutants.

``python -m bench.detect [--bugs B01,B07|all|none] [--mutants-budget N] [--seed N] [--jobs N] [--json FILE]``

Each run replays one recording of the stable release, of several principals, to a candidate with one bug and
to the stable release as baseline; the run without any bug says what is found falsely. The tool is given the
configuration that `shadow demo config` prints, and nothing else. Exits with 1 where the goal is missed.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.detect_traffic import recorded
from bench.detect_trial import Conditions, Result, tried
from shadow.demo.vmctl import parse_bugs

_NEEDED = {"P": 1.0, "M": 0.95, "S": 0.9, "R": 1.0}
_KINDS = {"P": "plain traffic", "M": "a mutant", "S": "a sequence", "R": "a race"}


def main(arguments: Sequence[str]) -> int:
    given = _parser().parse_args(arguments)
    conditions = Conditions(
        seed=given.seed,
        sessions=given.sessions,
        mutants_budget=given.mutants_budget,
        mutants_per_exchange=given.mutants,
        seconds=given.seconds,
    )
    with tempfile.TemporaryDirectory(prefix="shadow-detect-") as folder:
        recording = Path(folder) / "stable.jsonl"
        lines = asyncio.run(recorded(seed=conditions.seed, sessions=conditions.sessions))
        recording.write_bytes(b"".join(lines))
        said = f"{len(lines)} exchanges in {conditions.sessions} sessions, seed {conditions.seed}"
        print(said, flush=True)
        bugs = sorted(parse_bugs(given.bugs, "candidate"))
        results = asyncio.run(measured(bugs, recording, conditions, given))
    print(table(results))
    print(total(results))
    if given.json:
        document = {"conditions": conditions, "exchanges": len(lines), "results": results}
        Path(given.json).write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
    return 0 if is_goal_met(results) else 1


async def measured(
    bugs: Sequence[str], recording: Path, conditions: Conditions, given: argparse.Namespace
) -> list[Result]:
    """The run without any bug first, then each of `bugs`, some at a time."""
    places = asyncio.Semaphore(given.jobs)
    results: list[Result] = []
    known: frozenset[str] = frozenset()

    async def run(bug: str) -> None:
        async with places:
            result = await tried(bug, recording, conditions, known)
        results.append(result)
        print(row(result), flush=True)

    if not given.no_clean:
        await run("none")
        known = frozenset(results[0].ids)
    async with asyncio.TaskGroup() as tasks:
        for bug in bugs:
            tasks.create_task(run(bug), name=bug)
    return sorted(results, key=lambda each: each.bug)


def table(results: Sequence[Result]) -> str:
    """Markdown, a line for each run."""
    head = ("| bug | kind | detected | mutants | told by |", "|---|---|---|---|---|")
    return "\n".join((*head, *map(row, results)))


def row(result: Result) -> str:
    if result.bug == "none":
        said = "; ".join(result.others) or "no finding"
        return f"| none | | | {result.mutants} | {said} |"
    mark = "yes" if result.is_detected else "no"
    return f"| {result.bug} | {result.kind} | {mark} | {result.mutants} | {result.told_by} |"


def total(results: Sequence[Result]) -> str:
    """How many of each kind were detected."""
    lines = []
    for kind, words in _KINDS.items():
        of_kind = [each for each in results if each.kind == kind]
        detected = sum(each.is_detected for each in of_kind)
        missed = ", ".join(each.bug for each in of_kind if not each.is_detected)
        lines.append(
            f"{kind} ({words}): {detected} of {len(of_kind)}{f', missed {missed}' if missed else ''}"
        )
    false = sum(len(each.others) for each in results if each.bug == "none")
    return "\n".join((*lines, f"false findings without a bug: {false}"))


def is_goal_met(results: Sequence[Result]) -> bool:
    """Whether enough of each kind that was tried was detected, and nothing found where there is nothing."""
    for kind, needed in _NEEDED.items():
        of_kind = [each.is_detected for each in results if each.kind == kind]
        if of_kind and sum(of_kind) < needed * len(of_kind):
            return False
    return not any(each.others for each in results if each.bug == "none")


def _parser() -> argparse.ArgumentParser:
    default = Conditions()
    parser = argparse.ArgumentParser("bench.detect", description="detection of the reference service's bugs")
    parser.add_argument("--bugs", default="all", help="B01,B07, all or none")
    parser.add_argument("--mutants-budget", type=int, default=default.mutants_budget, help="of one run")
    parser.add_argument("--mutants", type=int, default=default.mutants_per_exchange, help="for an exchange")
    parser.add_argument("--sessions", type=int, default=default.sessions, help="that are recorded")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="of one run, at most")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--json", default="", metavar="FILE", help="write the results there too")
    parser.add_argument("--no-clean", action="store_true", help="leave the run without a bug out")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
