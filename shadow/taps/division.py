"""One reading of captures by several processes: each extracts its share of the connections.

Each process reads all frames and leaves alone those of other shares, since finding a frame costs little and
reading it much. It sends its exchanges as JSON lines, which bear the number that the process itself gave
them, and the times at which all its requests began. From these their common order, and so the index that a
single process would have given, is put together here.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from shadow.errors import TapError
from shadow.model import Exchange, Fate, Settled
from shadow.taps import pcap
from shadow.taps.files import Recording
from shadow.taps.jsonl import encode
from shadow.taps.keylog import KeyLogFile
from shadow.wire.extraction import Extraction
from shadow.wire.protocols import Spoken
from shadow.wire.remarks import Remarks
from shadow.wire.shard import Shard

_MAX_WAITING_BYTES = 16_777_216
"""Of one process that is ahead of the others; it is not listened to meanwhile."""
_PART_BYTES = 262_144


class _Part(msgspec.Struct, array_like=True):
    """What one process has found since its last part."""

    horizon: float = 0.0
    """No request that begins before this Unix time will follow."""
    begun: list[float] = []
    """When its requests began, in the order of its own numbers."""
    lines: list[tuple[int, bytes]] = []
    """Its own numbers and lines, without ``{"index":`` and the index."""
    unparsed: dict[str, int] = {}
    remarks: Remarks | None = None
    """Of the last part."""
    notices: list[str] = []


class _Wanted(NamedTuple):
    """What is to be read."""

    paths: tuple[str | Path, ...]
    ports: frozenset[int] | None
    protocols: Mapping[int, Spoken]
    key_log: KeyLogFile | None


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_Part)


class Division:
    """Captures divided among `workers` processes. Iterate once; afterwards `notices` tells what else there is
    to know. Raises TapError where a process ends before its time."""

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        ports: Collection[int],
        protocols: Mapping[int, Spoken] = MappingProxyType({}),
        key_log: KeyLogFile | None = None,
        workers: int,
    ) -> None:
        self.notices: list[str] = []
        self.remarks = Remarks()
        """Of all processes, once they have ended."""
        self._wanted = _Wanted(tuple(paths), frozenset(ports) or None, protocols, key_log)
        self._workers = workers

    def __iter__(self) -> Iterator[bytes | Settled]:
        """Each exchange as a JSON line as it completes; a `Settled` for what could not be parsed."""
        context = multiprocessing.get_context("fork")
        shares = []
        for number in range(self._workers):
            here, there = context.Pipe(duplex=False)
            shard = Shard(number, self._workers)
            process = context.Process(target=_read, args=(self._wanted, shard, there), daemon=True)
            process.start()
            there.close()
            shares.append(_Share(here))
        order = _Order(shares)
        while open_ones := [share for share in shares if not share.is_over]:
            ready = [share.connection for share in open_ones if share.waiting_bytes < _MAX_WAITING_BYTES]
            for connection in wait(ready):
                share = next(each for each in open_ones if each.connection is connection)
                part = share.receive()
                yield from (
                    Settled(pcap.TAP, Fate.UNPARSED, count, why) for why, count in part.unparsed.items()
                )
                self.remarks += part.remarks or Remarks()
                self.notices += [each for each in part.notices if each not in self.notices]
            order.advance()
            for share in shares:
                yield from share.known_lines()
        self.notices.extend(self.remarks.lines())
        if self._wanted.key_log is not None:
            self.notices.extend(self._wanted.key_log.lines(self.remarks.tls))


class _Share:
    """What one process has sent."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.horizon = float("-inf")
        self.begun: deque[float] = deque()
        """Of requests whose index is not known yet."""
        self.indexes: dict[int, int] = {}
        """By the process's own numbers; of requests whose line is to come."""
        self.next_number = 0
        """The first whose index is not known."""
        self._waiting: list[tuple[int, bytes]] = []
        self.waiting_bytes = 0
        self.is_over = False

    def receive(self) -> _Part:
        try:
            part = _DECODER.decode(self.connection.recv_bytes())
        except (EOFError, OSError) as error:  # the latter in the middle of a part
            raise TapError("a process that reads the captures has died; try --workers 1") from error
        self.horizon = part.horizon
        self.begun += part.begun
        self._waiting += part.lines
        self.waiting_bytes += sum(len(line) for _, line in part.lines)
        if part.remarks is not None:
            self.is_over = True
            self.connection.close()
        return part

    def known_lines(self) -> Iterator[bytes]:
        """The lines whose index is known by now."""
        waiting, self._waiting, self.waiting_bytes = self._waiting, [], 0
        for number, rest in waiting:
            if number < self.next_number:
                yield b'{"index":%d%b' % (self.indexes.pop(number), rest)
            else:
                self._waiting.append((number, rest))
                self.waiting_bytes += len(rest)


class _Order:
    """Gives indexes in the order in which requests began, over all shares; of equals the first share's comes
    first."""

    def __init__(self, shares: list[_Share]) -> None:
        self._shares = shares
        self._next_index = 0

    def advance(self) -> None:
        shares = self._shares
        while waiting := [share for share in shares if share.begun]:
            first = min(waiting, key=lambda share: share.begun[0])
            limit = min((s.horizon for s in shares if not s.begun and not s.is_over), default=float("inf"))
            if first.begun[0] >= limit:
                return
            first.begun.popleft()
            first.indexes[first.next_number] = self._next_index
            first.next_number += 1
            self._next_index += 1


def _read(wanted: _Wanted, shard: Shard, out: Connection) -> None:
    """One process: extracts the share `shard` of the captures and sends it."""
    begun: list[float] = []
    numbers = iter(range(1 << 62))

    def begin(time: float) -> int:
        begun.append(time)
        return next(numbers)

    try:
        with Recording(wanted.paths, key_log=wanted.key_log) as recording:
            extraction = Extraction(
                pcap.TAP,
                begin,
                ports=wanted.ports,
                protocols=wanted.protocols,
                shard=shard,
                decryption=recording.decryption(),
            )
            _extract(recording, extraction, begun, lambda part: out.send_bytes(_ENCODER.encode(part)))
    except (BrokenPipeError, KeyboardInterrupt):
        pass  # whoever started this process has gone, or ends it


def _extract(
    recording: Recording, extraction: Extraction, begun: list[float], send: Callable[[_Part], None]
) -> None:
    lines: list[tuple[int, bytes]] = []
    unparsed: dict[str, int] = {}
    size, horizon = 0, float("-inf")
    for batch in recording.batches():
        extraction.take_all(batch)
        size += _take_found(extraction, lines, unparsed)
        if batch:
            horizon = max(horizon, extraction.horizon(batch[-1][0]))
        if size > _PART_BYTES or len(begun) > 1000:
            send(_Part(horizon, begun, lines, unparsed))
            begun.clear()
            lines, unparsed, size = [], {}, 0
    extraction.finish()
    _take_found(extraction, lines, unparsed)
    send(_Part(float("inf"), begun, lines, unparsed, extraction.remarks(), recording.notices))


def _take_found(extraction: Extraction, lines: list[tuple[int, bytes]], unparsed: dict[str, int]) -> int:
    """Moves what was found to `lines` and `unparsed`; how many bytes of lines that are."""
    size = 0
    for item in extraction.found:
        if isinstance(item, Exchange):
            line = encode(item)
            rest = line[line.index(b",") :]
            lines.append((item.index, rest))
            size += len(rest)
        else:
            unparsed[item.why] = unparsed.get(item.why, 0) + item.count
    extraction.found.clear()
    return size
