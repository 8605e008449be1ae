"""What came of a finding that was sent again."""

from enum import StrEnum
from typing import Any

import msgspec

from shadow.content.redaction import Redactor, redact_finding
from shadow.judge import causes_of, message
from shadow.model import Event, Finding, Found, Judged, SecretTaken, Settled, StateChanged, Trial, Verdict


class Standing(StrEnum):
    """What came of a finding that was sent again."""

    THERE = "still there"
    GONE = "gone"
    UNKNOWN = "cannot tell"


class Told(msgspec.Struct, frozen=True):
    """What came of one time."""

    standing: Standing
    why: str
    trial: Trial | None = None
    others: tuple[Finding, ...] = ()
    """What showed in its place, or besides."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of all times."""

    standing: Standing
    why: str
    seen: int
    times: int
    trial: Trial | None
    """The one that says so; None where nothing came back."""
    others: tuple[Finding, ...]
    notes: tuple[str, ...]
    """What a reader should know of how it was sent."""
    redactor: Redactor

    def as_json(self, finding: Finding) -> dict[str, Any]:
        """For a machine; redacted."""
        trial = self.trial
        return {
            "finding": finding.id,
            "title": finding.title,
            "verdict": self.standing.value,
            "why": self.redactor.text(self.why),
            "seen": f"{self.seen}/{self.times}",
            "control": self.redactor.value(message(trial.control) if trial else None),
            "answer": self.redactor.value(message(trial.answer) if trial else None),
            "baseline": self.redactor.value(message(trial.baseline) if trial else None),
            "others": [
                {"id": each.id, "severity": each.severity, "title": each.title}
                for each in (redact_finding(self.redactor, other) for other in self.others)
            ],
            "notes": list(self.notes),
        }


class Heard:
    """What is told of a run in small."""

    def __init__(self, redactor: Redactor) -> None:
        self.trials: list[Trial] = []
        self.findings: dict[str, Finding] = {}
        self.reasons: dict[str, None] = {}
        self._redactor = redactor

    def hear(self, event: Event) -> None:
        match event:
            case Judged():
                self.trials.append(event.trial)
            case Found():
                self.findings[event.finding.id] = event.finding
            case Settled() if event.why:
                self.reasons[event.why] = None
            case StateChanged(state="stopping"):
                self.reasons[event.why] = None
            case SecretTaken():
                self._redactor.learn(event.value)

    def first(self, finding: Finding) -> Trial | None:
        """A trial that showed `finding`."""
        ids = {finding.id, *finding.also}
        shown = (each for each in self.trials if ids & {cause.id for cause in causes_of_failed(each)})
        return next(shown, None)


def causes_of_failed(trial: Trial) -> tuple[Any, ...]:
    """The causes of a trial that failed; none of any other."""
    return causes_of(trial) if trial.judgement.verdict is Verdict.FAILED else ()
