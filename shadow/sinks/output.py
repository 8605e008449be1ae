"""The files of a run: `summary.json`, `findings.jsonl` and `exchanges.jsonl`, redacted, off the loop."""

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shadow.content.redaction import Redactor, redact_exchange, redact_finding
from shadow.model import Event, Exchange, Fate, Finding, Found, Judged, Sent, Settled, Tally
from shadow.sinks._background import Background
from shadow.sinks.folder import Folder, unwritable
from shadow.sinks.lines import finding_line

_LOG = logging.getLogger(__name__)
_WAKE_SECONDS = 0.5


class OutputSettings(msgspec.Struct, frozen=True):
    """How much is kept, and how often what is kept is written."""

    max_exchanges_bytes: int = 1 << 30
    """Size limit of `exchanges.jsonl`; 0 writes none."""
    max_pending_bytes: int = 64 << 20
    """Bodies of exchanges that wait to be written; beyond, exchanges are counted and not kept."""
    findings_every_seconds: float = 1.0
    summary_every_seconds: float = 5.0


class Output:
    """Writes one run's folder. Only replayed exchanges are kept: what a filter left out stays out of files.

    `summary` gives the present content of ``summary.json``, `encode` a line of ``exchanges.jsonl``. Raises
    SinkError where the folder cannot be written at the start; later trouble is logged once, counted in
    `unwritten`, and tried again.
    """

    ignores: frozenset[type] = frozenset((Sent, Judged))

    def __init__(
        self,
        folder: Folder,
        summary: Callable[[], dict[str, Any]],
        redactor: Redactor,
        encode: Callable[[Exchange], bytes],
        settings: OutputSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.unwritten = {"pending": 0, "size": 0, "disk": 0, "broken": 0}
        """Exchanges not in the file, by reason: too many waited, the file's limit, the disk, a bug."""
        self.troubles: dict[str, str] = {}
        """What could not be written, for a person, by reason; each is logged once."""
        self._folder = folder
        self._summary = summary
        self._redactor = redactor
        self._encode = encode
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: deque[Exchange] = deque()
        self._waiting_lines: list[bytes] = []
        self._waiting_bytes = 0
        self._changed: dict[str, Finding] = {}
        self._lines: dict[str, bytes] = {}
        self._is_stale = False
        self._findings_due = self._summary_due = clock()
        self._is_closing = False
        try:
            folder.replace("summary.json", _document(summary()))
            if folder.earlier is None:
                folder.replace("findings.jsonl", b"")
            self._journal = _Journal(folder.path / "exchanges.jsonl", settings.max_exchanges_bytes)
        except OSError as error:
            raise unwritable(folder.path, error) from error
        self._background = Background("output", self._write, _WAKE_SECONDS)

    def hear(self, event: Event) -> None:
        match event:
            case Settled(fate=Fate.REPLAYED, exchange=Exchange() as exchange):
                self._keep(exchange)
            case Found():
                with self._lock:
                    self._changed[event.finding.id] = event.finding
            case Tally() if event.lines:
                self._keep_lines(event.lines)

    @property
    def broken(self) -> int:
        """How often writing met a bug."""
        return self._background.broken

    def rewrite(self) -> None:
        """Have the summary and the findings written now rather than when they are due."""
        self._findings_due = self._summary_due = self._clock()
        self._background.wake()

    def close(self) -> None:
        """Everything heard is written; what cannot be is told in `troubles` and `unwritten`."""
        self._is_closing = True
        if not self._background.close():
            self._say("disk", f"{str(self._folder.path)!r} did not take the last of the run in time")
            return
        self._journal.close()
        self._folder.close()

    def _keep(self, exchange: Exchange) -> None:
        weight = len(exchange.request.body) + (len(exchange.response.body) if exchange.response else 0) + 1024
        weight += sum(len(each.body) + 128 for each in exchange.messages)
        with self._lock:
            if self._journal.is_full:
                self.unwritten["size"] += 1
                return
            if self._waiting_bytes + weight > self._settings.max_pending_bytes:
                self.unwritten["pending"] += 1
                self._say(
                    "pending", "the disk is slower than the run: not all exchanges are in exchanges.jsonl"
                )
                return
            self._waiting.append(exchange)
            self._waiting_bytes += weight
            is_much = self._waiting_bytes * 4 > self._settings.max_pending_bytes
        if is_much:
            self._background.wake()

    def _keep_lines(self, lines: Sequence[bytes]) -> None:
        weight = sum(map(len, lines))
        with self._lock:
            if self._journal.is_full or self._waiting_bytes + weight > self._settings.max_pending_bytes:
                self.unwritten["size" if self._journal.is_full else "pending"] += len(lines)
                return
            self._waiting_lines += lines
            self._waiting_bytes += weight
            is_much = self._waiting_bytes * 4 > self._settings.max_pending_bytes
        if is_much:
            self._background.wake()

    def _write(self) -> None:
        self._write_exchanges()
        with self._lock:
            changed, self._changed = self._changed, {}
        for finding in changed.values():
            self._lines[finding.id] = finding_line(redact_finding(self._redactor, finding))
            self._is_stale = True
        started = self._clock()
        if self._is_stale and (self._is_closing or started >= self._findings_due):
            self._is_stale = not self._replace("findings.jsonl", b"".join(self._lines.values()))
            # with many findings a rewrite takes long: it may use a tenth of the time
            took = self._clock() - started
            self._findings_due = started + max(self._settings.findings_every_seconds, 10 * took)
        if self._is_closing or started >= self._summary_due:
            self._replace("summary.json", _document(self._summary()))
            self._summary_due = started + self._settings.summary_every_seconds

    def _write_exchanges(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
            made, self._waiting_lines = self._waiting_lines, []
            self._waiting_bytes = 0
        self._append(made)
        lines: list[bytes] = []
        for at, exchange in enumerate(waiting):
            if self._journal.is_full:
                self._miss("size", len(waiting) - at)
                break
            lines.extend(self._line(exchange))
            if len(lines) == 100:
                self._append(lines)
                lines = []
        self._append(lines)

    def _line(self, exchange: Exchange) -> tuple[bytes, ...]:
        """The exchange's line; none where a bug keeps it from being made, which must not cost the others."""
        try:
            return (self._encode(redact_exchange(self._redactor, exchange)),)
        except Exception as error:  # noqa: BLE001  # see above
            self._miss("broken", 1)
            self._say("broken", f"exchanges that cannot be written are left out ({type(error).__name__})")
            return ()

    def _append(self, lines: Sequence[bytes]) -> None:
        try:
            written = self._journal.append(lines)
        except OSError as error:
            self._miss("disk", len(lines))
            self._say(
                "disk", f"{error.strerror or error}: not all exchanges are in {str(self._folder.path)!r}"
            )
            return
        self._miss("size", len(lines) - written)
        if written < len(lines):
            self._say("size", "exchanges.jsonl has reached its size limit; later exchanges are counted only")

    def _replace(self, name: str, content: bytes) -> bool:
        try:
            self._folder.replace(name, content, is_durable=self._is_closing)
        except OSError as error:
            path = str(self._folder.path / name)
            self._say(name, f"cannot write {path!r}: {error.strerror or error}; trying again")
            return False
        return True

    def _miss(self, reason: str, exchanges: int) -> None:
        with self._lock:
            self.unwritten[reason] += exchanges

    def _say(self, reason: str, trouble: str) -> None:
        if reason not in self.troubles:
            self.troubles[reason] = trouble
            _LOG.warning("%s", trouble)


class _Journal:
    """A file of lines up to a size. A line is written whole or not at all."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._file = path.open("ab", buffering=0)
        self._max_bytes = max_bytes
        self._size_bytes = self._file.tell()
        self.is_full = max_bytes <= 0

    def append(self, lines: Sequence[bytes]) -> int:
        """How many of `lines` were written before the size limit. Raises OSError: none was."""
        fitting = 0
        size_bytes = self._size_bytes
        for line in lines:
            if size_bytes + len(line) > self._max_bytes:
                self.is_full = True
                break
            size_bytes += len(line)
            fitting += 1
        rest = memoryview(b"".join(lines[:fitting]))
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            os.ftruncate(self._file.fileno(), self._size_bytes)
            self._file.seek(self._size_bytes)
            raise
        self._size_bytes = size_bytes
        return fitting

    def close(self) -> None:
        self._file.close()


def _document(summary: dict[str, Any]) -> bytes:
    return json.dumps(summary, indent=2).encode() + b"\n"
