"""Recorded traffic from files of any kind: recognised by content, merged by time, read as a stream."""

from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import merge
from itertools import count
from pathlib import Path
from typing import Self

import msgspec

from shadow.errors import TapError
from shadow.model import Exchange, Settled
from shadow.taps import flows, gor, har, jsonl, pcap
from shadow.taps.keylog import KeyLogFile, ciphers
from shadow.taps.source import Source
from shadow.wire.extraction import Extraction
from shadow.wire.http1 import Limits
from shadow.wire.pcap import Record
from shadow.wire.tls_decryption import Decryption
from shadow.wire.tls_keylog import KeyLog

FORMATS = "pcap, pcapng, HAR, exchanges as JSON lines, mitmproxy flows, GoReplay; each may be gzipped"
_PEEK_BYTES = 256

type Item = Exchange | Settled
type _Reader = Callable[[Source], Iterator[Item]]


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
        limits: Limits | None = None,
        keylog: str | Path = "",
    ) -> None:
        """Opens the files (``-`` is standard input) and recognises what they are.

        With `ports`, only connections from or to one of them are read from captures. `keylog` has the secrets
        of their TLS connections, beside those that they hold themselves. Raises TapError where a file cannot
        be read or is nothing that is known.
        """
        self.notices: list[str] = []
        self._ports = frozenset(ports) or None
        self._limits = limits
        self._key_log = KeyLogFile(keylog) if str(keylog) else None
        self._decryption: Decryption | None = None
        self._captures: list[Source] = []
        self._others: list[tuple[Source, _Reader]] = []
        try:
            for path in paths:
                self._add(Source(str(path), self.notices))
        except TapError:
            self.close()
            raise

    @property
    def tls_counts(self) -> tuple[int, int] | None:
        """How many TLS connections were read so far, and for how many no key was found; None without keys."""
        decryption = self._decryption
        if decryption is None or not (self._key_log or decryption.keys.secret_count):
            return None
        return decryption.read_count, decryption.keyless_count

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

    def _add(self, source: Source) -> None:
        reader = _recognise(source)
        if reader is None:
            self._captures.append(source)
        else:
            self._others.append((source, reader))

    def _extracted(self) -> Iterator[Item]:
        """The exchanges of the captures."""
        extraction = self._extraction(count())
        take, found = extraction.take, extraction.found
        if len(self._captures) == 1:
            batches = pcap.records(self._captures[0], self._take_key_log)
        else:
            batches = ([record] for record in pcap.merged(self._captures, self._take_key_log))
        for batch in batches:
            for time, link, frame in batch:
                take(time, link, frame)
            if found:
                yield from found
                found.clear()
        yield from self._finished(extraction)

    def _merged(self) -> Iterator[Item]:
        """The exchanges of captures and other files together, each number given when its request begins."""
        numbers = count()
        extraction = self._extraction(numbers)
        rows: list[Iterator[tuple[float, Item | Record]]] = [
            _timed(reader(source)) for source, reader in self._others
        ]
        if self._captures:
            rows.append((record[0], record) for record in pcap.merged(self._captures, self._take_key_log))
        for _, item in merge(*rows, key=lambda row: row[0]):
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
        if self._key_log is not None or any(map(pcap.holds_secrets, self._captures)):
            keys = KeyLog() if self._key_log is None else self._key_log.keys
            keys.may_grow = any(map(pcap.holds_secrets, self._captures))
            self._decryption = Decryption(keys, ciphers)
        return Extraction(
            pcap.TAP,
            lambda _: next(numbers),
            ports=self._ports,
            limits=self._limits,
            decryption=self._decryption,
        )

    def _take_key_log(self, text: bytes) -> None:
        """Takes the secrets in a capture."""
        if self._decryption is not None:
            self._decryption.keys.add(text)

    def _finished(self, extraction: Extraction) -> Iterator[Item]:
        """What is left when all files are read, and what there is to know besides."""
        extraction.finish()
        yield from extraction.found
        extraction.found.clear()
        self.notices.extend(_remarks(extraction))
        if self._decryption is None:
            return
        if self._key_log is not None:
            self.notices.extend(self._key_log.remarks(self._decryption))
        elif junk := self._decryption.keys.junk_count:
            self.notices.append(f"{junk} lines of key logs in captures are no secrets and were skipped")


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
    found = f"begins with {start[:16]!r}" if start else "is empty"
    raise TapError(f"{source.name!r} is no recorded traffic: it {found}; accepted are {FORMATS}")


def _timed(items: Iterator[Item]) -> Iterator[tuple[float, Item | Record]]:
    """Each item with the time it is to be merged by; one without a time follows the one before it."""
    time = 0.0
    for item in items:
        if isinstance(item, Exchange):
            time = item.seen_at
        yield time, item


def _remarks(extraction: Extraction) -> Iterator[str]:
    if extraction.others:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(extraction.others.items()))
        yield f"skipped connections that are no HTTP/1: {kinds}"
    if extraction.other_bytes:
        yield f"skipped {extraction.other_bytes} bytes of TCP payload that are no HTTP/1"
    if extraction.gap_bytes:
        yield f"{extraction.gap_bytes} bytes of HTTP connections were not captured; their messages are cut"
    unread, why = extraction.unread
    if unread:
        yield f"{unread} responses could not be read, the first because of: {why}"
    if extraction.unknown_links:
        numbers = ", ".join(map(str, sorted(extraction.unknown_links)))
        yield f"frames of unknown link type {numbers} were skipped"
    if extraction.malformed_count:
        yield f"{extraction.malformed_count} frames that end inside their headers were skipped"
