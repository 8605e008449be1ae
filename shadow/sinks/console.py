"""What a person sees of a run: progress meanwhile, the findings and the ledger at the end. Home of rich."""

import os
import time
from collections import deque
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn, TextIO

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console as Terminal
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shadow.content.redaction import Redactor, redact_finding
from shadow.errors import SinkError
from shadow.judge.accepted import State
from shadow.model import (
    Broke,
    Event,
    Finding,
    Found,
    Judged,
    PluginFailed,
    Sent,
    Settled,
    Severity,
    StateChanged,
    TargetSeen,
)
from shadow.sinks._background import Background
from shadow.sinks.ledger import Ledger, severity_of
from shadow.sinks.lines import finding_line, json_line

_STYLES = {Severity.HIGH: "bold red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan"}
_RATE_SECONDS = 10.0
"""The rate is that of the last seconds: after a pause the remaining time is right again soon."""
_BUDGETS = {"endpoint": "an endpoint", "minute": "a minute"}
_KNOWN_WORDS = {
    State.GONE: "; not seen in {trials} trials, take it out of the file",
    State.EXPIRED: "; it was accepted until {until}",
    State.WORSE: "; it is worse than it was when it was accepted",
}
"""What is said of accepted findings one by one."""
_MAX_NOTES = 50
_MAX_REASONS = 10
_MAX_WHY_CHARACTERS = 800
"""Several suspects are named at once."""
_MAX_FAULT_CHARACTERS = len("mutation-regression")

type _Note = Found | TargetSeen | StateChanged | Broke | PluginFailed
"""What is told as soon as it is heard."""


class ConsoleSettings(msgspec.Struct, frozen=True):
    """How much is shown, and how."""

    is_quiet: bool = False
    """Only the findings, and nothing where there are none; what broke is said all the same."""
    is_json: bool = False
    """JSON lines in place of the table: the findings, and the summary last."""
    live_seconds: float = 0.25
    plain_seconds: float = 10.0
    """Between two progress lines where there is no terminal."""
    max_findings: int = 50
    """Shown in the table, the worst first; all are in the output folder."""
    total_exchanges: int | None = None
    """How many there will be, where that is known: gives the remaining time."""
    duration_seconds: float | None = None
    """How long the run may last, where that is limited."""


class Console:
    """Shows a run: progress and notes on `err`, findings and ledger on `out` when it is closed.

    `ledger` must hear the same events. What hostile peers sent is redacted and escaped before it is shown.
    """

    ignores: frozenset[type] = frozenset((Sent, Settled, Judged))

    def __init__(
        self,
        settings: ConsoleSettings,
        ledger: Ledger,
        summary: Callable[[], dict[str, Any]],
        redactor: Redactor,
        out: TextIO,
        err: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._summary = summary
        self._redactor = redactor
        self._out = out
        self._clock = clock
        self._started = clock()
        self._progress_due = self._started + settings.plain_seconds
        self._is_closing = False
        self._ticks = deque([(self._started, 0)])
        self._findings: dict[str, Finding] = {}
        self._notes: deque[_Note] = deque(maxlen=_MAX_NOTES)
        self._broken = 0
        self._first_broken: Broke | None = None
        self._failed: set[str] = set()
        self._terminal = _terminal(err)
        self._live: Live | None = None
        self._background: Background | None = None
        if not settings.is_quiet:
            self._open()

    def hear(self, event: Event) -> None:
        match event:
            case Found():
                if event.finding.known is None and event.finding.id not in self._findings:
                    self._note(event)
                self._keep(event.finding)
            case TargetSeen() | StateChanged():
                self._note(event)
            case PluginFailed():
                if event.plugin not in self._failed:
                    self._failed.add(event.plugin)
                    self._note(event)
            case Broke():
                self._broken += 1
                if self._broken == 1:
                    self._first_broken = event
                if self._broken <= 3:  # the same bug meets many exchanges
                    self._note(event)

    def _keep(self, finding: Finding) -> None:
        """Remember what is to be shown in the end: not what was accepted."""
        if finding.known is None:
            self._findings[finding.id] = finding
        else:
            self._findings.pop(finding.id, None)

    def close(self) -> None:
        """End the progress and show what was found, as the settings say."""
        self._is_closing = True
        if self._background is not None:
            self._background.close()
        if self._live is not None:
            self._live.stop()
        findings = [redact_finding(self._redactor, finding) for finding in self._findings.values()]
        findings.sort(
            key=lambda finding: (-list(Severity).index(severity_of(finding.severity)), -finding.count)
        )
        try:
            self._show_broken()
            self._show(findings)
        except OSError as error:
            with Path(os.devnull).open("wb") as nowhere:  # what is still buffered would fail once more
                os.dup2(nowhere.fileno(), self._out.fileno())
            if not isinstance(error, BrokenPipeError):  # else the reader has simply seen enough
                why = f"{error.strerror}; what was found is in the output folder"
                raise SinkError(f"cannot write to standard output: {why}") from error

    def _show_broken(self) -> None:
        """A run that a bug cut short must not look clean, whoever listens."""
        if self._settings.is_quiet and self._first_broken is not None:
            self._terminal.print(self._told(self._first_broken), soft_wrap=True)
            self._terminal.print(Text(_broken_line(self._broken)), soft_wrap=True)

    def progress(self) -> str:
        """One line: what has been done, how fast, and how long it will take yet."""
        now, captured = self._clock(), self._ledger.captured
        self._ticks.append((now, captured))
        while len(self._ticks) > 2 and now - self._ticks[0][0] > _RATE_SECONDS:
            self._ticks.popleft()
        then, before = self._ticks[0]
        rate = (captured - before) / (now - then) if now > then else 0.0
        parts = [
            f"{captured:,} exchanges",
            f"{rate:,.0f}/s",
            f"{sum(self._ledger.sent.values()):,} sent",
            f"{sum(self._ledger.findings.values()):,} findings",
        ]
        remaining = self._remaining_seconds(now, captured, rate)
        return " · ".join(parts if remaining is None else [*parts, f"{_clock_time(remaining)} left"])

    def _remaining_seconds(self, now: float, captured: int, rate: float) -> float | None:
        remaining: list[float] = []
        if self._settings.total_exchanges is not None and rate > 0:
            remaining.append(max(0, self._settings.total_exchanges - captured) / rate)
        if self._settings.duration_seconds is not None:
            remaining.append(max(0.0, self._started + self._settings.duration_seconds - now))
        return min(remaining, default=None)

    def _open(self) -> None:
        if self._terminal.is_terminal and not self._terminal.is_dumb_terminal:
            self._live = Live(console=self._terminal, auto_refresh=False, transient=True)
            self._live.start()
        seconds = self._settings.live_seconds if self._live else self._settings.plain_seconds
        self._background = Background("console", self._tell, seconds)

    def _tell(self) -> None:
        try:
            while self._notes:
                self._terminal.print(self._told(self._notes.popleft()), soft_wrap=True)
            if self._live is not None:
                self._live.update(Text(self.progress(), no_wrap=True, overflow="ellipsis"), refresh=True)
            elif self._is_closing or self._clock() >= self._progress_due:
                self._progress_due = self._clock() + self._settings.plain_seconds
                self._terminal.print(Text(self.progress()), soft_wrap=True)
        except OSError:  # the terminal is gone; the run is not
            self._notes.clear()

    def _note(self, event: _Note) -> None:
        if self._background is not None:
            self._notes.append(event)
            if self._live is None:
                self._background.wake()

    def _told(self, event: _Note) -> Text:
        match event:
            case Found():
                return _headline(redact_finding(self._redactor, event.finding))
            case TargetSeen():
                who, what, why = event.target, "is up" if event.is_up else "is down", event.detail
            case StateChanged():
                who, what, why = "the run", f"is {event.state}", event.why
            case Broke():
                who, what, why = f"exchange {event.exchange}", "broke, please report", event.error
            case PluginFailed():
                who, what = f"the {event.plugin} of a plugin", "failed; that is counted, and told this once"
                why = event.why
        why = f": {shown(self._redactor.text(why), _MAX_WHY_CHARACTERS)}" if why else ""
        return Text(f"{shown(who)} {shown(what)}{why}")

    def _show(self, findings: list[Finding]) -> None:
        if self._settings.is_json:
            lines = [*map(finding_line, findings), json_line(self._summary())]
            self._out.write(b"".join(lines).decode())
            self._out.flush()
            return
        terminal = _terminal(self._out)
        if findings:
            terminal.print(_table(findings[: self._settings.max_findings], terminal))
        if len(findings) > self._settings.max_findings:
            terminal.print(
                Text(f"{len(findings) - self._settings.max_findings} more are in the output folder")
            )
        if not self._settings.is_quiet:
            for line in _ledger_lines(self._summary(), self._ledger.broke):
                terminal.print(Text(line), soft_wrap=not terminal.is_terminal)


def shown(text: str, limit: int = 200) -> str:
    """`text` fit for a terminal: control and invisible characters as escapes, at most `limit` characters."""
    text = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class _Terminal(Terminal):
    """Where rich would end the process once the reader is gone, the error goes to whoever writes."""

    def on_broken_pipe(self) -> NoReturn:
        raise  # noqa: PLE0704 (rich calls this while it deals with the BrokenPipeError)


def _terminal(file: TextIO) -> Terminal:
    """No markup, emoji or highlighting: captured text must look as it is. NO_COLOR is respected by rich."""
    if isinstance(file, TextIOWrapper):
        file.reconfigure(errors="backslashreplace")  # what the encoding lacks is shown as an escape
    return _Terminal(file=file, markup=False, emoji=False, highlight=False)


def _headline(finding: Finding) -> Text:
    return Text.assemble(
        (shown(finding.severity, 8).ljust(6), _STYLES[severity_of(finding.severity)]),
        f" {shown(finding.fault, 20)} {shown(finding.title)}",
    )


def _table(findings: list[Finding], terminal: Terminal) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False, width=min(terminal.width, 120))
    table.add_column("severity", width=8)
    table.add_column("fault", max_width=_MAX_FAULT_CHARACTERS, overflow="fold")
    table.add_column("finding", ratio=1, overflow="fold")
    table.add_column("count", justify="right")
    table.add_column("seen", justify="right")
    for finding in findings:
        places = ", ".join(finding.where[:3]) + (
            f" +{len(finding.where) - 3}" if len(finding.where) > 3 else ""
        )
        lines = [
            finding.title,
            "" if finding.endpoint in finding.title else finding.endpoint,
            places,
            f"by {finding.mutator}" if finding.mutator else "",
            finding.id,
        ]
        table.add_row(
            Text(shown(finding.severity, 8), _STYLES[severity_of(finding.severity)]),
            Text(shown(finding.fault, 40)),
            Text("\n".join(shown(line) for line in lines if line)),
            Text(f"{finding.count}"),
            Text(shown(finding.confirmed, 9)),
        )
    return table


def _ledger_lines(summary: dict[str, Any], broke: int) -> list[str]:
    ledger = summary["ledger"]
    terms = " + ".join(
        f"{name.replace('_', ' ')} {count:,}" for name, count in ledger.items() if name != "captured"
    )
    lines = [f"captured {ledger['captured']:,} = {terms}"]
    lines += [
        f"{name}: " + ", ".join(f"{count:,} {kind}" for kind, count in summary[name].items())
        for name in ("sent", "trials", "findings")
    ]
    if doubts := summary.get("undecided"):
        told = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in doubts.items())
        lines.insert(3, f"undecided: {told}")
    lines += _known_lines(summary.get("known", {}))
    reasons = list(summary.get("filtered", {}).items())[:_MAX_REASONS]
    lines[1:1] = [f"filtered {count:,}: {why}" for why, count in reasons]
    if (late := summary["late"])["requests"]:
        lines.append(
            f"late: p50 {late['p50_seconds'] * 1000:.1f} ms, p99 {late['p99_seconds'] * 1000:.1f} ms,"
            f" at most {late['max_seconds'] * 1000:.1f} ms"
        )
    if any(each["state"] in ("throttled", "safe", "stopped") for each in summary["states"]):
        words = ", ".join(each["state"] for each in summary["states"][:10])
        lines.append(f"the shadow environment suffered, and was asked less: {words}")
    if unwritten := {name: count for name, count in summary["unwritten"].items() if count}:
        lines.append("not written: " + ", ".join(f"{count:,} {name}" for name, count in unwritten.items()))
    if held := {name: count for name, count in summary.get("held_back", {}).items() if count}:
        told = ", ".join(f"{count:,} by the budget of {_BUDGETS[name]}" for name, count in held.items())
        lines.append(f"mutants held back: {told}")
    for target, met in summary.get("conditions", {}).items():
        told = ", ".join(f"{name} {count['requests']:,}" for name, count in met.items())
        lines.append(f"requests of {target} that network conditions met: {told}")
    return [*lines, _broken_line(broke)] if broke else lines


def _broken_line(broke: int) -> str:
    return f"work on exchanges broke {broke:,} times: a bug in shadow, please report; not all was tried"


def _known_lines(known: dict[str, Any]) -> list[str]:
    """What came of accepted findings; nothing where none were given."""
    if not known:
        return []
    counts = ", ".join(f"{known[state.name.lower()]:,} {state.value}" for state in State)
    lines = [f"known, by {shown(known['file'])}: {counts}"]
    for state, words in _KNOWN_WORDS.items():
        of_state = [each for each in known["entries"] if each["state"] == state.value]
        for each in of_state[:_MAX_REASONS]:
            told = words.format(trials=each["trials"], until=each.get("until", ""))
            lines.append(f"  {state.value}: {shown(each['finding'])} {shown(each['title'])}{told}")
        if len(of_state) > _MAX_REASONS:
            lines.append(f"  {state.value}: {len(of_state) - _MAX_REASONS} more, in summary.json")
    return lines


def _clock_time(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
