"""`store.db`: findings, where and when they occurred, and trials counted, in SQLite. Redacted."""

import logging
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from shadow.content.redaction import Redactor, redact_finding
from shadow.errors import SinkError
from shadow.model import Event, Finding, Found, Judged, Sent, Settled, Tally, Trial, Verdict
from shadow.sinks._background import Background
from shadow.sinks.lines import finding_line

_LOG = logging.getLogger(__name__)
_SCHEMA = """
pragma journal_mode = wal;
pragma synchronous = normal;
pragma user_version = 2;
create table if not exists findings (
    id text primary key, kind text not null, fault text not null, severity text not null, title text not null,
    endpoint text not null, mutator text, expect text not null, count integer not null,
    confirmed text not null, first_at real not null, last_at real not null,
    known text,  -- why it was accepted
    json text not null  -- the whole finding, as a line of findings.jsonl
) without rowid;
create index if not exists findings_by_severity on findings (severity, count desc);
create index if not exists findings_by_endpoint on findings (endpoint);
create index if not exists findings_by_fault on findings (fault, severity);
create index if not exists findings_by_time on findings (last_at);
create table if not exists endpoints (
    endpoint text not null, finding text not null references findings (id), count integer not null,
    last_at real not null, primary key (endpoint, finding)
) without rowid;
create index if not exists endpoints_of_finding on endpoints (finding);
create table if not exists minutes (
    finding text not null, minute integer not null, count integer not null, primary key (finding, minute)
) without rowid;
create table if not exists occurrences (
    finding text not null references findings (id), exchange integer not null, endpoint text not null,
    at real not null, primary key (finding, exchange)
) without rowid;
create index if not exists occurrences_by_exchange on occurrences (exchange);
create index if not exists occurrences_by_time on occurrences (at);
create table if not exists trials (
    endpoint text not null, mutator text not null, expect text not null, verdict text not null,
    count integer not null, primary key (endpoint, mutator, expect, verdict)
) without rowid;
create index if not exists trials_by_mutator on trials (mutator, verdict);
"""
"""`mutator` is '' for originals and `expect` is '' where none was stated; times are Unix seconds.

`endpoints` and `minutes` hold what is asked for most, added up: a million occurrences take long to count. A
`minute` is one of Unix time; the finding '' is all that were not accepted.
"""

_KEEP_FINDING = """
insert into findings values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set
    severity = excluded.severity, title = excluded.title, count = excluded.count,
    confirmed = excluded.confirmed, last_at = excluded.last_at, known = excluded.known, json = excluded.json
"""
_KEEP_OCCURRENCE = "insert or ignore into occurrences values (?, ?, ?, ?)"
_COUNT_ENDPOINT = """
insert into endpoints values (?, ?, ?, ?) on conflict (endpoint, finding) do update set
    count = count + excluded.count, last_at = excluded.last_at
"""
_COUNT_MINUTE = """
insert into minutes values (?, ?, ?) on conflict (finding, minute) do update set
    count = count + excluded.count
"""
_SECONDS = 60
_COUNT_TRIALS = """
insert into trials values (?, ?, ?, ?, ?)
    on conflict (endpoint, mutator, expect, verdict) do update set count = count + excluded.count
"""

type _Cell = tuple[str, str, str, str]
"""Endpoint, mutator, expectation and verdict."""
type _Heard = tuple[Finding, float, float]
"""A finding, and when it was first and last heard since the last write."""


class StoreSettings(msgspec.Struct, frozen=True):
    """How much waits to be written, and how long."""

    flush_seconds: float = 0.5
    max_pending: int = 20_000
    """Different trials, and different findings, that wait at most; more are counted in `lost`."""
    max_occurrences: int = 10_000
    """Listed of one finding, the first; its `count` goes on, by minute too."""
    busy_seconds: float = 5.0
    """Waited for a reader that has locked the file."""


class Store:
    """Writes one run's database in batches from its own thread.

    Raises SinkError where the file cannot be made. Later trouble is logged once; what could not be written
    stays pending and is tried again, and what finds no room is counted in `lost`.
    """

    ignores: frozenset[type] = frozenset((Sent, Settled))

    def __init__(
        self,
        path: Path,
        redactor: Redactor,
        settings: StoreSettings,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.lost = 0
        """Events that are not in the database."""
        self.trouble: str | None = None
        """The first thing that went wrong, for a person."""
        self._path = path
        self._redactor = redactor
        self._settings = settings
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._trials: Counter[_Cell] = Counter()
        self._findings: dict[str, _Heard] = {}
        self._endpoints: dict[int, str] = {}
        self._stored: dict[str, set[int]] = {}
        self._counted: dict[str, int] = {}
        """Of each finding how many occurrences are in `minutes`."""
        try:
            self._database = sqlite3.connect(
                path, timeout=settings.busy_seconds, check_same_thread=False, isolation_level=None
            )
            self._database.executescript(_SCHEMA)
        except sqlite3.Error as error:
            way_out = "free space, grant access or choose another --out"
            raise SinkError(f"cannot make {str(path)!r}: {error}; {way_out}") from error
        self._background = Background("store", self._write, settings.flush_seconds)

    def hear(self, event: Event) -> None:
        match event:
            case Judged():
                self._count(event.trial)
            case Found():
                self._keep(event.finding)
            case Tally():
                with self._lock:
                    for (endpoint, mutator, expect, verdict), count in event.trials.items():
                        self._add((_text(endpoint), mutator or "", expect, verdict), count)

    @property
    def broken(self) -> int:
        """How often writing met a bug."""
        return self._background.broken

    def flush(self) -> None:
        """Write what was heard, in the caller's own thread, which waits for the disk: not for a run."""
        self._write()

    def close(self) -> None:
        """What was heard is written, and the write-ahead log folded into the file."""
        if not self._background.close():
            self._say(f"{str(self._path)!r} did not take the last of the run in time")
            return
        try:
            self._database.close()
        except sqlite3.Error as error:
            self._say(f"cannot close {str(self._path)!r}: {error}")

    def _count(self, trial: Trial) -> None:
        expect = trial.expect or trial.judgement.expect
        verdict = trial.judgement.verdict
        cell = (_text(trial.endpoint), trial.label or "", expect.value if expect else "", verdict.value)
        with self._lock:
            if self._add(cell, 1) and verdict is Verdict.FAILED:  # others never become an occurrence
                self._remember(trial.exchange, trial.endpoint)

    def _add(self, cell: _Cell, count: int) -> bool:
        """Count trials; False where there is no room for more kinds of them."""
        if cell not in self._trials and len(self._trials) >= self._settings.max_pending:
            self.lost += count
            return False
        self._trials[cell] += count
        return True

    def _keep(self, finding: Finding) -> None:
        now = self._wall_clock()
        with self._lock:
            known = self._findings.get(finding.id)
            if known is None and len(self._findings) >= self._settings.max_pending:
                self.lost += 1
                return
            self._findings[finding.id] = (finding, known[1] if known else now, now)

    def _remember(self, exchange: int, endpoint: str) -> None:
        """Which endpoint an exchange belongs to: an occurrence is of that, not of the finding's first."""
        self._endpoints[exchange] = endpoint
        if len(self._endpoints) > self._settings.max_pending:
            del self._endpoints[next(iter(self._endpoints))]

    def _write(self) -> None:
        with self._lock:
            trials, self._trials = self._trials, Counter()
            heard, self._findings = self._findings, {}
        if not trials and not heard:
            return
        try:
            new = {finding.id: self._new_occurrences(finding) for finding, _, _ in heard.values()}
            self._insert(trials, heard, new)
        except sqlite3.Error as error:
            self._say(f"cannot write {str(self._path)!r}: {error}; trying again")
            self._put_back(trials, heard)
            return
        except BaseException:
            self.lost += trials.total() + len(heard)  # a bug would meet them again
            raise
        for finding, exchanges in new.items():
            self._stored.setdefault(finding, set()).update(exchanges)
            self._counted[finding] = heard[finding][0].count

    def _insert(
        self, trials: Counter[_Cell], heard: dict[str, _Heard], new: dict[str, tuple[int, ...]]
    ) -> None:
        with self._transaction() as database:
            database.executemany(_COUNT_TRIALS, [(*cell, count) for cell, count in trials.items()])
            for finding, first_at, last_at in heard.values():
                database.execute(_KEEP_FINDING, self._row(finding, first_at, last_at))
                rows = [
                    (_text(finding.id), at, _text(self._endpoints.get(at, finding.endpoint)), last_at)
                    for at in new[finding.id]
                ]
                database.executemany(_KEEP_OCCURRENCE, rows)
                self._add_up(database, finding, rows, last_at)

    def _add_up(
        self,
        database: sqlite3.Connection,
        finding: Finding,
        rows: list[tuple[str, int, str, float]],
        at: float,
    ) -> None:
        """Count what was heard since the last write, by endpoint and by minute."""
        name = _text(finding.id)
        by_endpoint = Counter(endpoint for _, _, endpoint, _ in rows) or Counter({_text(finding.endpoint): 0})
        told = [(endpoint, name, count, at) for endpoint, count in by_endpoint.items()]
        database.executemany(_COUNT_ENDPOINT, told)
        more = finding.count - self._counted.get(finding.id, 0)
        if more > 0:
            names = [name] if finding.known is not None else [name, ""]
            database.executemany(_COUNT_MINUTE, [(each, int(at) // _SECONDS, more) for each in names])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: what is tried again must not count twice."""
        self._database.execute("begin immediate")
        try:
            yield self._database
            self._database.execute("commit")
        except sqlite3.Error:
            if self._database.in_transaction:  # a full disk may have rolled it back already
                self._database.execute("rollback")
            raise

    def _row(self, finding: Finding, first_at: float, last_at: float) -> tuple[object, ...]:
        clean = redact_finding(self._redactor, finding)
        texts = (clean.id, clean.kind, clean.fault, clean.severity, clean.title, clean.endpoint)
        mutator = None if clean.mutator is None else _text(clean.mutator)
        known = None if clean.known is None else _text(str(clean.known.get("reason", "")))
        tail = (_text(clean.confirmed), first_at, last_at, known, finding_line(clean).decode())
        return (*map(_text, texts), mutator, _text(clean.expect), clean.count, *tail)

    def _new_occurrences(self, finding: Finding) -> tuple[int, ...]:
        stored = self._stored.get(finding.id, set())
        room = self._settings.max_occurrences - len(stored)
        return tuple(at for at in finding.exchanges if at not in stored)[: max(0, room)]

    def _put_back(self, trials: Counter[_Cell], heard: dict[str, _Heard]) -> None:
        with self._lock:
            self._trials.update(trials)
            for finding, (latest, first_at, last_at) in heard.items():
                again = self._findings.get(finding)
                self._findings[finding] = (
                    (again[0], first_at, again[2]) if again else (latest, first_at, last_at)
                )

    def _say(self, trouble: str) -> None:
        if self.trouble is None:
            self.trouble = trouble
            _LOG.warning("%s", trouble)


def _text(text: str) -> str:
    """SQLite takes no lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
