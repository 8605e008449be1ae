"""What a person sees, on a terminal and without one."""

import fcntl
import json
import os
import pty
import struct
import termios
from collections.abc import Callable, Iterator
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shadow.content.redaction import RedactionSettings, Redactor
from shadow.model import Broke, Event, Fate, Finding, Found, SentLate, Settled, StateChanged, TargetSeen
from shadow.sinks.console import Console, ConsoleSettings, shown
from shadow.sinks.ledger import Ledger


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A console with its ledger and what it wrote."""

    def __init__(self, out: Any = None, err: Any = None, **settings: Any) -> None:
        self.out, self.err = out or StringIO(), err or StringIO()
        self.clock = Clock()
        self.unwritten: dict[str, int] = {}
        self.ledger = Ledger()
        self.console = Console(
            ConsoleSettings(**settings),
            self.ledger,
            lambda: self.ledger.summary("r1", 7, 1.0, 2.0, self.unwritten),
            Redactor(RedactionSettings(), b"k"),
            self.out,
            self.err,
            self.clock,
        )

    def hear(self, *events: Event) -> None:
        for event in events:
            self.ledger.hear(event)
            self.console.hear(event)


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def terminal() -> Iterator[tuple[TextIOWrapper, Callable[[], str]]]:
    """A pseudo-terminal of 80 columns, and what was written to it so far."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.set_blocking(ours, False)

    def read() -> str:
        seen = b""
        while True:
            try:
                seen += os.read(ours, 65536)
            except BlockingIOError:
                return seen.decode()

    with os.fdopen(theirs, "w", encoding="utf-8") as file:
        yield file, read
    os.close(ours)


def test_the_end_shows_findings_worst_first_and_a_ledger_that_adds_up(
    finding: Callable[..., Finding],
) -> None:
    watched = Watched()
    watched.hear(Settled("pcap", Fate.REPLAYED, 1200), Settled("pcap", Fate.DROPPED, 34))
    watched.hear(Found(finding(id="a", severity="low", title="a field was added", count=900, mutator=None)))
    watched.hear(Found(finding(id="b", count=3)), Found(finding(id="b", count=17)))
    watched.console.close()
    text = watched.out.getvalue()
    assert text.index("without its signature") < text.index("a field was added")
    for word in ("high", "F205", "GET /v1/x/{id}", "status", "drop_signature", "17", "5/5", "900"):
        assert word in text
    assert (
        "captured 1,234 = replayed 1,200 + filtered 0 + sampled out 0 + dropped 34 + unparsed 0"
        in " ".join(text.split())
    )
    assert max(map(len, text.partition("captured")[0].splitlines())) <= 80


def test_only_the_worst_are_shown_where_there_are_many(finding: Callable[..., Finding]) -> None:
    watched = Watched(max_findings=2)
    for number in range(10):
        watched.hear(Found(finding(id=f"f{number}", title=f"cause number {number}", count=number)))
    watched.console.close()
    text = watched.out.getvalue()
    assert "cause number 9" in text
    assert "cause number 1" not in text
    assert "8 more are in the output folder" in text


HOSTILE = "\x1b]0;owned\x07\x1b[2J[bold red]x[/] :skull: \u202e\r\n\x9b31m token=hunter2"


def test_what_peers_sent_is_escaped_and_redacted(finding: Callable[..., Finding]) -> None:
    watched = Watched()
    hostile = finding(
        title=HOSTILE,
        endpoint=HOSTILE,
        where=(HOSTILE,),
        mutator="\x1b[31m",
        fault="\x1b[31m",
        confirmed="\x1b[31m",
        severity="\x1b[31m",
    )
    watched.hear(
        Found(hostile),
        TargetSeen("candidate", is_up=False, detail=HOSTILE),
        Broke(1, HOSTILE),
        StateChanged("\x1b[31m", HOSTILE),
    )
    watched.console.close()
    text = watched.out.getvalue() + watched.err.getvalue()
    assert not set(text) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
    assert "[bold red]x[/] :skull:" in " ".join(text.split())
    assert "\\x1b]0;owned" in text
    assert "hunter2" not in text


@given(st.text())
def test_shown_text_is_printable_and_short(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text, 10)) <= 100


def test_json_mode_writes_the_findings_and_then_the_summary(finding: Callable[..., Finding]) -> None:
    watched = Watched(is_json=True)
    watched.hear(Settled("pcap", Fate.REPLAYED, 3), Found(finding(title=HOSTILE)))
    watched.console.close()
    found, summary = map(json.loads, watched.out.getvalue().splitlines())
    assert (found["id"], found["where"]) == ("f1", ["status"])
    assert summary["ledger"]["captured"] == 3
    assert "hunter2" not in watched.out.getvalue()


def test_quiet_shows_findings_and_nothing_else(finding: Callable[..., Finding]) -> None:
    silent, loud = Watched(is_quiet=True), Watched(is_quiet=True)
    silent.hear(Settled("pcap", Fate.REPLAYED, 3), TargetSeen("candidate", is_up=False))
    loud.hear(Found(finding()))
    for watched in (silent, loud):
        watched.console.close()
        assert watched.err.getvalue() == ""
    assert silent.out.getvalue() == ""
    assert "drop_signature" in loud.out.getvalue()
    assert "captured" not in loud.out.getvalue()


def test_without_a_terminal_progress_is_plain_lines(finding: Callable[..., Finding]) -> None:
    watched = Watched(plain_seconds=3600.0)
    watched.hear(Settled("pcap", Fate.REPLAYED, 1234), Found(finding()), Found(finding(), is_new=False))
    watched.hear(
        TargetSeen("candidate", is_up=False, detail="refused"), StateChanged("paused", "the breaker is open")
    )
    for number in range(9):
        watched.hear(Broke(number, "ValueError: x"))
    watched.console.close()
    lines = watched.err.getvalue().splitlines()
    text = " ".join(lines)
    assert "\x1b" not in text
    assert text.count("without its signature") == 1
    assert "candidate is down: refused" in lines
    assert "the run is paused: the breaker is open" in lines
    assert text.count("broke, please report") == 3
    assert text.count("exchanges · ") == 1
    assert lines[-1].startswith("1,234 exchanges · ")


def test_quiet_says_on_stderr_that_work_broke() -> None:
    watched = Watched(is_quiet=True)
    watched.hear(Broke(7, "ValueError: x at trials.py:1"), Broke(8, "ValueError: x"))
    watched.console.close()
    told = watched.err.getvalue()
    assert "exchange 7 broke, please report: ValueError: x at trials.py:1" in told
    assert "broke 2 times" in told
    assert watched.out.getvalue() == ""


def test_rate_and_remaining_time_follow_the_last_seconds() -> None:
    watched = Watched(total_exchanges=1000, is_quiet=True)
    watched.clock.now = 110.0
    watched.hear(Settled("pcap", Fate.REPLAYED, 100))
    assert "10/s" in watched.console.progress()
    assert "1:30 left" in watched.console.progress()
    watched.clock.now = 115.0
    watched.hear(Settled("pcap", Fate.REPLAYED, 500))
    assert "100/s" in watched.console.progress()
    assert "0:04 left" in watched.console.progress()


def test_the_remaining_time_is_that_of_the_nearer_end() -> None:
    watched = Watched(total_exchanges=10, duration_seconds=7200.0, is_quiet=True)
    assert "2:00:00 left" in watched.console.progress()
    watched.clock.now = 101.0
    watched.hear(Settled("pcap", Fate.REPLAYED, 5))
    assert "0:01 left" in watched.console.progress()
    assert "left" not in Watched(is_quiet=True).console.progress()


def test_a_terminal_shows_live_progress_and_colour(
    terminal: tuple[TextIOWrapper, Callable[[], str]], finding: Callable[..., Finding]
) -> None:
    file, read = terminal
    watched = Watched(out=file, err=file, live_seconds=0.001)
    watched.hear(Settled("pcap", Fate.REPLAYED, 7), Found(finding()))
    watched.console.close()
    text = read()
    assert "7 exchanges" in text
    assert "\x1b[1;31mhigh" in text
    assert text.rstrip().endswith("1 high, 0 medium, 0 low")


def test_the_ledger_wraps_on_a_terminal_and_stays_whole_in_a_file(
    terminal: tuple[TextIOWrapper, Callable[[], str]],
) -> None:
    file, read = terminal
    for watched in (Watched(out=file), Watched()):
        watched.hear(Settled("pcap", Fate.REPLAYED, 123_456_789), Settled("pcap", Fate.DROPPED, 987_654))
        watched.console.close()
    assert max(map(len, read().splitlines())) <= 80
    assert any(line.endswith("dropped 987,654 + unparsed 0") for line in watched.out.getvalue().splitlines())


def test_no_color_is_respected(
    terminal: tuple[TextIOWrapper, Callable[[], str]],
    finding: Callable[..., Finding],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file, read = terminal
    watched = Watched(out=file, err=file)
    watched.hear(Found(finding()))
    watched.console.close()
    text = read()
    assert "high" in text
    assert "\x1b[31" not in text
    assert ";31m" not in text


def test_a_poor_encoding_gets_escapes_and_no_error(finding: Callable[..., Finding]) -> None:
    out, err = (TextIOWrapper(BytesIO(), encoding="ascii") for _ in range(2))
    watched = Watched(out=out, err=err)
    watched.hear(Found(finding(title="é → ü")))
    watched.console.close()
    out.seek(0)
    assert "\\xe9 \\u2192 \\xfc" in out.read()


def test_a_reader_that_leaves_early_is_no_error(finding: Callable[..., Finding]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as out:
        watched = Watched(out=out, is_quiet=True)
        watched.hear(Found(finding()))
        watched.console.close()


def test_what_suffered_came_late_or_was_not_written_is_told_at_the_end() -> None:
    watched = Watched()
    watched.hear(StateChanged("throttled", "it is slow"), StateChanged("normal", ""), SentLate(0.004))
    watched.unwritten = {"exchanges": 1200, "store": 0}
    watched.console.close()
    told = watched.out.getvalue()
    assert "late: p50 4.0 ms, p99 4.0 ms, at most 4.0 ms" in told
    assert "the shadow environment suffered, and was asked less: throttled, normal" in told
    assert "not written: 1,200 exchanges\n" in told


def test_what_did_not_happen_is_not_told() -> None:
    watched = Watched()
    watched.hear(StateChanged("stopping", "the time is over"))
    watched.console.close()
    assert not [word for word in ("late", "suffered", "not written") if word in watched.out.getvalue()]
