"""Recorded traffic from files of any kind: recognised by content, merged by time, read as a stream."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Self

import msgspec

from shadow.errors import TapError
from shadow.model import Exchange, Settled
from shadow.taps import flows, gor, har, jsonl, pcap
from shadow.taps.handle import Handles
from shadow.taps.keylog import KeyLogFile, decryption
from shadow.taps.merging import AT_ONCE, Row, merged
from shadow.taps.packing import KINDS, refused
from shadow.taps.source import Source
from shadow.wire.extraction import Extraction
from shadow.wire.http1 import Limits
from shadow.wire.pcap import Record
from shadow.wire.protocols import Spoken
from shadow.wire.remarks import Remarks
from shadow.wire.succession import Decrypting
from shadow.wire.tls_keylog import KeyLog

FORMATS = (
    f"pcap, pcapng, HAR, exchanges as JSON lines, mitmproxy flows, GoReplay; each may be packed with {KINDS}"
)
_PEEK_BYTES = 256

type Item = Exchange | Settled
type _Reader = Callable[[Source], Iterator[Item]]
type _Timed = tuple[float, Item | Record]


class Recording:
    """What some files hold. Iterating gives each exchange as it completes, and a `Settled` for each one that
    was seen but could not be parsed; afterwards `notices` tells what else there is to know, a line each.

    A context manager, which closes the files, whether they were read to their ends or not.

    Indexes count from 0 in the order in which the requests began, over all files. A single file of JSON
    lines keeps its own. Iterate once: pipes cannot be read again.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        ports: Collection[int] = (),
        protocols: Mapping[int, Spoken] | None = None,
        limits: Limits | None = None,
        key_log: KeyLogFile | None = None,
    ) -> None:
        """Opens the files (``-`` is standard input) and recognises what they are.

        With `ports`, only connections from or to one of them are read from captures, and what `protocols`
        names. `key_log` has the secrets of their TLS connections, beside those that they hold themselves.
        Raises TapError where a file cannot be read or is nothing that is known.
        """
        self.notices: list[str] = []
        self._ports = frozenset(ports) or None
        self._protocols = protocols
        self._limits = limits
        self.remarks = Remarks()
        """Of the captures, once they were read."""
        self._key_log = key_log
        self._keys = KeyLog() if key_log is None else key_log.keys
        self._seen_key_logs: set[int] = set()
        self._captures: list[Source] = []
        self._others: list[tuple[Source, _Reader]] = []
        handles, seen = Handles(), set[object]()
        try:
            for path in paths:
                self._add(Source(str(path), self.notices, handles), seen)
        except TapError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files; standard input stays open. May be called again, and after reading."""
        for source in [*self._captures, *(source for source, _ in self._others)]:
            source.close()

    def __iter__(self) -> Iterator[Item]:
        if not self._others:
            yield from self._extracted()
        elif len(self._others) == 1 and not self._captures:
            source, reader = self._others[0]
            yield from reader(source)
        else:
            yield from self._merged()

    def _add(self, source: Source, seen: set[object]) -> None:
        if source.identity in seen:
            source.notice("is given more than once, and read once")
            source.close()
            return
        if source.identity is not None:
            seen.add(source.identity)
        reader = _recognise(source)
        if reader is None and pcap.holds_secrets(source):
            self._keys.may_grow = True
        source.let_go()
        if reader is None:
            self._captures.append(source)
        else:
            self._others.append((source, reader))

    def _extracted(self) -> Iterator[Item]:
        """The exchanges of the captures."""
        extraction = self._extraction(count())
        found = extraction.found
        for batch in self.batches():
            extraction.take_all(batch)
            if found:
                yield from found
                found.clear()
        yield from self._finished(extraction)

    @property
    def is_divisible(self) -> bool:
        """Whether several may read the files side by side: captures alone, and none a pipe."""
        return not self._others and all(source.is_lasting for source in self._captures)

    def batches(self) -> Iterator[Sequence[Record]]:
        """The frames of the captures alone, merged by time."""
        if len(self._captures) == 1:
            return self._records(self._captures[0])
        return merged([_row(source, self._records) for source in self._captures])

    def decryption(self) -> Decrypting | None:
        """What reads TLS connections, of one extraction; None where there can be no secrets."""
        if self._key_log is None and not self._keys.may_grow:
            return None
        return decryption(self._keys)

    def _merged(self) -> Iterator[Item]:
        """The exchanges of captures and other files together, each number given when its request begins."""
        numbers = count()
        extraction = self._extraction(numbers)
        rows = [_row(source, partial(_timed_items, reader)) for source, reader in self._others]
        rows += [_row(source, self._timed_records) for source in self._captures]
        for batch in merged(rows):
            for _, item in batch:
                if isinstance(item, Exchange):
                    yield msgspec.structs.replace(item, index=next(numbers))
                elif isinstance(item, Settled):
                    yield item
                else:
                    extraction.take(*item)
                    yield from extraction.found
                    extraction.found.clear()
        yield from self._finished(extraction)

    def _extraction(self, numbers: Iterator[int]) -> Extraction:
        return Extraction(
            pcap.TAP,
            lambda _: next(numbers),
            ports=self._ports,
            protocols=self._protocols,
            limits=self._limits,
            decryption=self.decryption(),
        )

    def _records(self, source: Source) -> Iterator[list[Record]]:
        return pcap.records(source, self._take_key_log)

    def _timed_records(self, source: Source) -> Iterator[list[_Timed]]:
        for batch in self._records(source):
            yield [(record[0], record) for record in batch]

    def _take_key_log(self, text: bytes) -> None:
        """Takes the secrets in a capture, once: the start of a file may be looked at before it is read."""
        if (known := hash(text)) not in self._seen_key_logs:
            self._seen_key_logs.add(known)
            self._keys.add(text)

    def _finished(self, extraction: Extraction) -> Iterator[Item]:
        """What is left when all files are read, and what there is to know besides."""
        extraction.finish()
        yield from extraction.found
        extraction.found.clear()
        self.remarks = extraction.remarks()
        self.notices.extend(self.remarks.lines())
        if self._key_log is not None:
            self.notices.extend(self._key_log.lines(self.remarks.tls))


def _recognise(source: Source) -> _Reader | None:
    """What reads `source`; None for a capture. Raises TapError for what is not known."""
    start = source.peek(4)
    if pcap.is_capture(start):
        return None
    start = source.peek(_PEEK_BYTES)
    for is_one, reader in (
        (gor.is_gor, gor.read),
        (flows.is_flows, flows.read),
        (har.is_har, har.read),
        (jsonl.is_jsonl, jsonl.read),
    ):
        if is_one(start):
            return reader
    source.close()
    kind = refused(start)
    if kind is not None:
        raise TapError(f"{source.name!r} is packed with {kind}, which is not undone here: unpack it first")
    found = f"begins with {start[:16]!r}" if start else "is empty"
    raise TapError(f"{source.name!r} is no recorded traffic: it {found}; accepted are {FORMATS}")


def _row[Timed: _Timed | Record](
    source: Source, read: Callable[[Source], Iterable[Sequence[Timed]]]
) -> Row[Timed]:
    """What `read` finds in `source`, begun when the time of its first item has come."""
    probe = source.probe()
    first = AT_ONCE
    if probe is not None:
        first = next((batch[0][0] for batch in read(probe) if batch), AT_ONCE)
        probe.close()
    return Row(first, lambda: iter(read(source)))


def _timed_items(reader: _Reader, source: Source) -> Iterator[list[_Timed]]:
    """Each item with the time it is to be merged by; one without a time follows the one before it."""
    time = 0.0
    for item in reader(source):
        if isinstance(item, Exchange):
            time = item.seen_at
        yield [(time, item)]
