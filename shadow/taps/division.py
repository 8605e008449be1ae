"""One reading of captures by several processes: each extracts its share of the connections.

Each process reads all frames and leaves alone those of other shares, since finding a frame costs little and
reading it much. It tells the times at which its requests began; from these their common order is put together
here, and so the index that a single process would have given to each. With them each process writes its own
lines, for these are far too long to be handed about.
"""

import multiprocessing
import os
from array import array
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.synchronize import Lock
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

import msgspec

from shadow.errors import TapError
from shadow.model import Exchange
from shadow.taps import pcap
from shadow.taps.files import Recording
from shadow.taps.jsonl import encode
from shadow.taps.keylog import KeyLogFile
from shadow.wire.extraction import Extraction
from shadow.wire.protocols import Spoken
from shadow.wire.remarks import Remarks
from shadow.wire.shard import Shard

_MAX_WAITING_BYTES = 16_777_216
"""Of lines in one process that wait for their index; it then reads no further."""
_PART_REQUESTS = 256
_WRITE_BYTES = 262_144
_NEVER = float("inf")


class _Wanted(NamedTuple):
    """What is to be read."""

    paths: tuple[str | Path, ...]
    ports: frozenset[int] | None
    protocols: Mapping[int, Spoken]
    key_log: KeyLogFile | None


class _Part(msgspec.Struct, array_like=True):
    """What one process has to tell since its last part."""

    horizon: float = 0.0
    """No request that begins before this Unix time will follow."""
    begun: list[float] = []
    """When its requests began, in the order of its own numbers."""
    lines: int = 0
    """How many lines it wrote."""
    unparsed: dict[str, int] = {}
    remarks: Remarks | None = None
    notices: list[str] = []
    failure: tuple[int, str] | None = None
    """Number and text of the error that ended its writing."""
    is_last: bool = False


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Part)


class Division:
    """Captures divided among `workers` processes."""

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        ports: Collection[int] = (),
        protocols: Mapping[int, Spoken] = MappingProxyType({}),
        key_log: KeyLogFile | None = None,
        workers: int,
    ) -> None:
        self.exchanges = 0
        self.unparsed: Counter[str] = Counter()
        """What could not be read as an exchange, by reason."""
        self.notices: list[str] = []
        self.remarks = Remarks()
        """Of all processes, once they have ended."""
        self._wanted = _Wanted(tuple(paths), frozenset(ports) or None, protocols, key_log)
        self._workers = workers

    def write(self, stream: BinaryIO) -> None:
        """Writes all exchanges to `stream`, a file or pipe, as JSON lines, each as it completes.

        Raises OSError where it cannot be written, TapError where a process ends before its time.
        """
        stream.flush()
        context = multiprocessing.get_context("fork")
        lock = context.Lock()
        shares, processes = [], []
        try:
            for number in range(self._workers):
                here, there = context.Pipe()
                arguments = self._wanted, Shard(number, self._workers), there, stream.fileno(), lock
                process = context.Process(target=_read, args=arguments, daemon=True)
                process.start()
                there.close()
                processes.append(process)
                shares.append(_Share(here))
            self._follow(shares)
        finally:
            for process in processes:
                process.terminate()  # only where something went wrong: the others have ended
                process.join()

    def _follow(self, shares: "list[_Share]") -> None:
        order = _Order(shares)
        while open_ones := {share.connection: share for share in shares if not share.is_over}:
            for connection in wait(open_ones):
                part = open_ones[connection].receive()  # type: ignore[index]  # only connections were given
                if part.failure is not None:
                    raise OSError(*part.failure)
                self.exchanges += part.lines
                self.unparsed.update(part.unparsed)
                self.remarks += part.remarks or Remarks()
                self.notices += [each for each in part.notices if each not in self.notices]
            order.advance()
        self.notices.extend(self.remarks.lines())
        if self._wanted.key_log is not None:
            self.notices.extend(self._wanted.key_log.lines(self.remarks.tls))


class _Share:
    """One process, seen from where the order is put together."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.horizon = -_NEVER
        self.begun: deque[float] = deque()
        """Of requests whose index is not known yet."""
        self.indexes = array("Q")
        """To be told: of its requests, in the order of its own numbers."""
        self.is_over = False

    def receive(self) -> _Part:
        try:
            part = _DECODER.decode(self.connection.recv_bytes())
        except (EOFError, OSError) as error:  # the latter in the middle of a part
            raise TapError("a process that reads the captures has died; try --workers 1") from error
        self.horizon = part.horizon
        self.begun += part.begun
        self.is_over = part.is_last
        return part


class _Order:
    """Gives indexes in the order in which requests began, over all shares; of equals the first share's comes
    first."""

    def __init__(self, shares: list[_Share]) -> None:
        self._shares = shares
        self._next_index = 0

    def advance(self) -> None:
        """Tells each process the indexes that are known by now."""
        shares = self._shares
        while waiting := [share for share in shares if share.begun]:
            first = min(waiting, key=lambda share: share.begun[0])
            limit = min((share.horizon for share in shares if not share.begun), default=_NEVER)
            if first.begun[0] >= limit:
                break
            first.begun.popleft()
            first.indexes.append(self._next_index)
            self._next_index += 1
        for share in shares:
            if share.indexes:
                share.connection.send_bytes(share.indexes.tobytes())
                share.indexes = array("Q")


def _read(wanted: _Wanted, shard: Shard, link: Connection, out: int, lock: Lock) -> None:
    """One process: extracts the share `shard` of the captures and writes its lines to the file `out`."""
    work = _Work(link, out, lock)
    try:
        with Recording(wanted.paths, key_log=wanted.key_log) as recording:
            extraction = Extraction(
                pcap.TAP,
                work.begin,
                ports=wanted.ports,
                protocols=wanted.protocols,
                shard=shard,
                decryption=recording.decryption(),
            )
            for batch in recording.batches():
                extraction.take_all(batch)
                work.take(extraction)
                if batch:
                    work.horizon = max(work.horizon, extraction.horizon(batch[-1][0]))
                work.tell(at_least=_PART_REQUESTS)
            extraction.finish()
            work.take(extraction)
            work.horizon = _NEVER
            work.tell()
            work.end(_Part(_NEVER, [], 0, {}, extraction.remarks(), recording.notices, is_last=True))
    except OSError as error:
        link.send_bytes(_ENCODER.encode(_Part(failure=(error.errno or 0, error.strerror or str(error)))))
    except KeyboardInterrupt:
        link.close()  # whoever asked for it asked the other processes too


class _Work:
    """What one process has found and not yet written."""

    def __init__(self, link: Connection, out: int, lock: Lock) -> None:
        self.horizon = -_NEVER
        self._link = link
        self._out = out
        self._lock = lock
        self._begun: list[float] = []
        self._count = 0
        self._lines: list[tuple[int, bytes]] = []
        """Own numbers and lines without the index, whose index is not known."""
        self._waiting_bytes = 0
        self._indexes: dict[int, int] = {}
        """By own number; of requests whose line is to come."""
        self._known_count = 0
        self._unparsed: dict[str, int] = {}
        self._written = 0

    def begin(self, time: float) -> int:
        """The own number of a request that begins at Unix time `time`."""
        self._begun.append(time)
        self._count += 1
        return self._count - 1

    def take(self, extraction: Extraction) -> None:
        """Takes what was found."""
        for item in extraction.found:
            if isinstance(item, Exchange):
                line = encode(item)
                rest = line[line.index(b",") :]
                self._lines.append((item.index, rest))
                self._waiting_bytes += len(rest)
            else:
                self._unparsed[item.why] = self._unparsed.get(item.why, 0) + item.count
        extraction.found.clear()

    def tell(self, *, at_least: int = 0) -> None:
        """Tells what requests began, where they are so many, and writes what can be written."""
        if len(self._begun) >= at_least:
            self._send()
        while self._link.poll():
            self._learn()
        if self._waiting_bytes > _MAX_WAITING_BYTES:
            self._send()
            while self._waiting_bytes > _MAX_WAITING_BYTES:
                self._learn()
        if self._waiting_bytes > _WRITE_BYTES:
            self._write()

    def end(self, last: _Part) -> None:
        """Writes all that is left, and says good-bye."""
        while self._known_count < self._count:
            self._learn()
        self._write()
        last.lines = self._written
        self._link.send_bytes(_ENCODER.encode(last))
        self._link.close()

    def _send(self) -> None:
        part = _Part(self.horizon, self._begun, self._written, self._unparsed)
        self._link.send_bytes(_ENCODER.encode(part))
        self._begun, self._unparsed, self._written = [], {}, 0

    def _learn(self) -> None:
        told = array("Q")
        told.frombytes(self._link.recv_bytes())
        self._indexes.update(enumerate(told, self._known_count))
        self._known_count += len(told)
        if self._waiting_bytes > _WRITE_BYTES:
            self._write()

    def _write(self) -> None:
        """Writes the lines whose index is known."""
        known, unknown = [], []
        for number, rest in self._lines:
            if number < self._known_count:
                known.append(b'{"index":%d' % self._indexes.pop(number))
                known.append(rest)
                self._written += 1
            else:
                unknown.append((number, rest))
        self._lines = unknown
        self._waiting_bytes = sum(len(rest) for _, rest in unknown)
        text = memoryview(b"".join(known))
        with self._lock:
            while text:
                text = text[os.write(self._out, text) :]
