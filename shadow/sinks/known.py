"""What came of the findings that were accepted before: which showed, which are gone, which were not tried."""

import threading
from collections import Counter
from typing import Any

from shadow.judge.accepted import Acceptance, State
from shadow.model import Event, Finding, Found, Judged, Sent, Settled, Severity, Tally, Verdict

_MAX_CELLS = 50_000
"""Endpoints times mutators; far more than there are endpoints with names."""


class KnownFindings:
    """Counts what was tried, and remembers what was found. `summary` may be called by any thread."""

    ignores: frozenset[type] = frozenset((Sent, Settled))

    def __init__(self, name: str, acceptance: Acceptance) -> None:
        """`name` is the file's."""
        self._name = name
        self._acceptance = acceptance
        self._lock = threading.Lock()
        self._trials: Counter[tuple[str, str]] = Counter()
        self._findings: dict[str, Finding] = {}

    def hear(self, event: Event) -> None:
        match event:
            case Judged():
                trial = event.trial
                self._count(trial.endpoint, trial.label, trial.judgement.verdict, 1)
            case Tally():
                for (endpoint, mutator, _, verdict), count in event.trials.items():
                    self._count(endpoint, mutator, Verdict(verdict), count)
            case Found():
                with self._lock:
                    self._findings[event.finding.id] = event.finding

    def close(self) -> None:
        """Nothing is buffered."""

    def summary(self) -> dict[str, Any]:
        """What ``summary.json`` says of them."""
        with self._lock:
            findings, trials = tuple(self._findings.values()), Counter(self._trials)
        states = self._acceptance.states(findings, trials)
        accepted = [each for each in findings if each.known is not None]
        counts = Counter(state for _, state, _ in states)
        return {
            "file": self._name,
            "findings": {
                severity.value: sum(each.severity == severity for each in accepted)
                for severity in reversed(Severity)
            },
            **{state.name.lower(): counts[state] for state in State},
            "entries": [
                {"finding": entry.label, "title": entry.title or entry.endpoint, "reason": entry.reason}
                | {"state": state.value, "trials": count}
                | ({} if entry.until is None else {"until": entry.until.isoformat()})
                for entry, state, count in states
            ],
        }

    def _count(self, endpoint: str, mutator: str | None, verdict: Verdict, count: int) -> None:
        cell = endpoint, mutator or ""
        if verdict is not Verdict.UNDECIDED:
            with self._lock:
                if cell in self._trials or len(self._trials) < _MAX_CELLS:
                    self._trials[cell] += count
