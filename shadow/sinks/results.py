"""The output folder of a run, read again: its summary, its findings and its exchanges."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shadow.errors import SinkError
from shadow.model import Finding
from shadow.sinks.lines import read_findings

_MIN_PREFIX = 4
"""Fewer digits of an id are a slip rather than a name."""
_SHOWN = 5


def findings_in(folder: Path) -> tuple[Finding, ...]:
    """The findings of the run that wrote `folder`. Raises SinkError where there is no such run, or where a
    line of its findings is none."""
    lines = _read(folder, "findings.jsonl")
    found = read_findings(lines)
    if len(found) != len([line for line in lines.splitlines() if line.strip()]):
        raise SinkError(
            f"{str(folder / 'findings.jsonl')!r} has lines that are no findings of this version; run again"
        )
    return found


def summary_in(folder: Path) -> dict[str, Any]:
    """The summary of the run that wrote `folder`. Raises SinkError where there is none."""
    try:
        summary = json.loads(_read(folder, "summary.json"))
    except (ValueError, RecursionError):
        summary = None
    if not isinstance(summary, dict) or "run" not in summary:
        raise SinkError(f"{str(folder / 'summary.json')!r} is no summary of a run; give another folder")
    return summary


def finding_called(word: str, findings: tuple[Finding, ...], folder: Path) -> Finding:
    """The finding whose id is `word`, or begins with it. Raises SinkError where none does, or several do."""
    fitting = [each for each in findings if each.id.startswith(word)] if len(word) >= _MIN_PREFIX else []
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SinkError(f"several findings begin with {word!r}: {_listed(fitting)}; give more of the id")
    if not findings:
        raise SinkError(f"no finding {word!r}: the run in {str(folder)!r} found nothing")
    why = f"give {_MIN_PREFIX} digits or more; " if len(word) < _MIN_PREFIX else ""
    raise SinkError(f"no finding {word!r} in {str(folder)!r}; {why}there are {_listed(findings)}")


def lines_of(folder: Path, name: str) -> Iterator[bytes]:
    """The lines of a file of `folder`. Raises SinkError where it cannot be read."""
    try:
        with (folder / name).open("rb") as file:
            yield from file
    except OSError as error:
        raise _unreadable(folder, name, error) from error


def _read(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise _unreadable(folder, name, error) from error


def _unreadable(folder: Path, name: str, error: OSError) -> SinkError:
    return SinkError(
        f"cannot read {str(folder / name)!r}: {error.strerror}; give the output folder of a run (--out)"
    )


def _listed(findings: tuple[Finding, ...] | list[Finding]) -> str:
    names = ", ".join(each.id for each in findings[:_SHOWN])
    return names if len(findings) <= _SHOWN else f"{names} and {len(findings) - _SHOWN} more"
