"""The ledger: everything captured is accounted for, and what was sent, judged and found is counted."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from shadow.model import (
    RUN_STATES,
    Broke,
    ConditionMet,
    Doubt,
    Event,
    Fate,
    Finding,
    Found,
    HeldBack,
    Judged,
    NoReply,
    Parcel,
    PluginFailed,
    Sent,
    SentLate,
    Settled,
    Severity,
    Silence,
    StateChanged,
    Tally,
    Verdict,
)
from shadow.sinks.lateness import Lateness

_STATES_MAX = 100

_MAX_REASONS = 50


class Ledger:
    """Counts the events of one run. Other threads may read it: its dicts never change in size, save the
    reasons, which are copied whole."""

    def __init__(self, wall_clock: Callable[[], float] = time.time) -> None:
        self._wall_clock = wall_clock
        self.fates = dict.fromkeys(Fate, 0)
        self.sent = dict.fromkeys(Parcel, 0)
        self.verdicts = dict.fromkeys(Verdict, 0)
        self.doubts = dict.fromkeys(Doubt, 0)
        """Undecided trials by the reason."""
        self.findings = dict.fromkeys(Severity, 0)
        """Without those that were accepted."""
        self.known_findings = dict.fromkeys(Severity, 0)
        """Those that were accepted."""
        self.reasons: dict[str, int] = {}
        """Why exchanges were filtered: a target that cannot carry a protocol is easily overlooked."""
        self.plugins: dict[str, int] = {}
        """Failures of mutators and comparators of third parties, by plugin."""
        self.held_back = {"endpoint": 0, "minute": 0}
        """Mutants that a budget kept from being made, at most."""
        self.broke = 0
        """Exchanges whose work failed because of a bug in Shadow."""
        self.late = Lateness()
        self.state = "normal"
        """The latest of `RUN_STATES`."""
        self.states: tuple[dict[str, Any], ...] = ()
        """The changes of state, with their reasons and when they were heard."""
        self.conditions: dict[str, dict[str, list[int]]] = {}
        """Requests and bytes that network conditions of ours met, by target and ``"up latency"``. Replaced as
        a whole, as all that grows here."""
        self._places: dict[str, tuple[dict[Severity, int], Severity]] = {}
        """Where each finding is counted, by its id."""

    @property
    def captured(self) -> int:
        """Exchanges whose fate is known: the sum of all fates, always."""
        return sum(self.fates.values())

    def hear(self, event: Event) -> None:
        match event:
            case Settled():
                self.fates[event.fate] += event.count
                if event.fate is Fate.FILTERED and event.why:
                    self._count_reason(event.why, event.count)
            case Sent() if not is_unsent(event):
                self.sent[event.parcel] += 1
            case Judged():
                self._judge(event)
            case Found():
                self._found(event.finding)
            case Broke() | PluginFailed():
                self._count_failure(event)
            case Tally():
                self._add(event)
            case ConditionMet():
                self._meet(event)
            case HeldBack():
                self.held_back[event.budget] += event.count
            case SentLate():
                self.late.add(event.late_seconds)
            case StateChanged() if event.state in RUN_STATES:
                self._change(event)

    def _judge(self, event: Judged) -> None:
        judgement = event.trial.judgement
        self.verdicts[judgement.verdict] += 1
        if judgement.verdict is Verdict.UNDECIDED:
            self.doubts[judgement.doubt] += 1

    def resume(self, summary: dict[str, Any]) -> None:
        """Go on counting from where `summary`, of an earlier process of the same run, had come to.

        Findings are not taken over: they are heard again.
        """
        for fate in self.fates:
            self.fates[fate] += summary["ledger"].get(fate.value, 0)
        for why, count in summary.get("filtered", {}).items():
            self._count_reason(why, count)
        for verdict in self.verdicts:
            self.verdicts[verdict] += summary["trials"].get(verdict.value, 0)
        for doubt in self.doubts:
            self.doubts[doubt] += summary.get("undecided", {}).get(doubt.value, 0)
        for parcel in self.sent:
            self.sent[parcel] += summary["sent"].get(f"{parcel.value}s", 0)
        self.broke += summary.get("broke", 0)
        self.plugins = dict(summary.get("plugins", {}))
        for budget in self.held_back:
            self.held_back[budget] += summary.get("held_back", {}).get(budget, 0)
        self.conditions = {
            target: {name: [met["requests"], met["bytes"]] for name, met in names.items()}
            for target, names in summary.get("conditions", {}).items()
        }

    def close(self) -> None:
        """Nothing is buffered."""

    def summary(
        self,
        run: str,
        seed: int,
        started_at: float,
        seconds: float,
        unwritten: Mapping[str, int] | None = None,
        known: Mapping[str, Any] | None = None,
        targets: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """The content of ``summary.json``; `started_at` is Unix time, `unwritten` what no file has, `known`
        what came of the findings that were accepted, `targets` the URLs by role."""
        fates = dict(self.fates)
        return {
            "run": run,
            "seed": seed,
            "targets": dict(targets or {}),
            "started_at": started_at,
            "seconds": seconds,
            "ledger": {"captured": sum(fates.values())}
            | {fate.value: count for fate, count in fates.items()},
            "sent": {f"{parcel.value}s": count for parcel, count in self.sent.items()},
            "trials": {verdict.value: count for verdict, count in self.verdicts.items()},
            "findings": {severity.value: self.findings[severity] for severity in reversed(Severity)},
            "known": {} if known is None else dict(known),
            "late": self.late.summary(),
            "state": self.state,
            "states": list(self.states),
            "unwritten": dict(unwritten or {}),
            "conditions": _conditions(self.conditions),
            "filtered": dict(self.reasons),
            "broke": self.broke,
            "plugins": dict(self.plugins),
            "held_back": dict(self.held_back),
            "undecided": {doubt.value: count for doubt, count in self.doubts.items() if count},
        }

    def _count_failure(self, event: Broke | PluginFailed) -> None:
        if isinstance(event, Broke):
            self.broke += 1
        else:
            self.plugins[event.plugin] = self.plugins.get(event.plugin, 0) + 1

    def _count_reason(self, why: str, count: int) -> None:
        if why in self.reasons or len(self.reasons) < _MAX_REASONS:
            self.reasons[why] = self.reasons.get(why, 0) + count

    def _add(self, tally: Tally) -> None:
        for (_, parcel), replies in tally.replies.items():
            self.sent[Parcel(parcel)] += replies.sent
        for (*_, verdict), count in tally.trials.items():
            self.verdicts[Verdict(verdict)] += count
        for doubt, count in tally.doubts.items():
            self.doubts[Doubt(doubt)] += count

    def _meet(self, event: ConditionMet) -> None:
        name = f"{event.direction} {event.condition}"
        of_target = self.conditions.get(event.target, {})
        count, byte_count = of_target.get(name, (0, 0))
        met = {**of_target, name: [count + event.count, byte_count + event.byte_count]}
        self.conditions = {**self.conditions, event.target: met}

    def _change(self, event: StateChanged) -> None:
        """Remember a change, and the first and the last of very many."""
        self.state = event.state
        change = {"state": event.state, "why": event.why, "at": round(self._wall_clock(), 3)}
        kept = self.states if len(self.states) < _STATES_MAX else self.states[: _STATES_MAX // 2]
        self.states = (*kept, change)

    def _found(self, finding: Finding) -> None:
        """A finding heard again counts once, under its latest severity."""
        counts = self.findings if finding.known is None else self.known_findings
        severity = severity_of(finding.severity)
        before = self._places.get(finding.id)
        if before is not None:
            before[0][before[1]] -= 1
        counts[severity] += 1
        self._places[finding.id] = counts, severity


def _conditions(met: dict[str, dict[str, list[int]]]) -> dict[str, Any]:
    return {
        target: {
            name: {"requests": count, "bytes": byte_count} for name, (count, byte_count) in names.items()
        }
        for target, names in met.items()
    }


def is_unsent(event: Sent) -> bool:
    """Whether nothing left: the transport could not say it, or a safety rule held it back."""
    return isinstance(event.outcome, NoReply) and event.outcome.why is Silence.UNSENT


def severity_of(word: str) -> Severity:
    """The severity called `word`; HIGH where there is none such, so that nothing is overlooked."""
    return Severity(word) if word in Severity else Severity.HIGH
