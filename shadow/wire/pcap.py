"""Records of a pcap file, from pieces of it: both byte orders, micro- and nanoseconds.

Format: draft-ietf-opsawg-pcap; and the "modified" variant with longer record headers.
"""

import struct
from enum import Enum

from shadow.wire.pcap_resync import MAX_SANE_BYTES, NEAR_SECONDS, Shape, find_record

type Record = tuple[float, int, bytes]
"""One captured frame: Unix time in seconds, link type (a LINKTYPE_ number), captured bytes."""

MAX_FRAME_BYTES = 16_777_216
"""A longer record means that its header is garbage: the largest real segments are below 1 MiB."""

_MAGICS = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000_000, 16),
    b"\xa1\xb2\xc3\xd4": (">", 1_000_000, 16),
    b"\x4d\x3c\xb2\xa1": ("<", 1_000_000_000, 16),
    b"\xa1\xb2\x3c\x4d": (">", 1_000_000_000, 16),
    b"\x34\xcd\xb2\xa1": ("<", 1_000_000, 24),
    b"\xa1\xb2\xcd\x34": (">", 1_000_000, 24),
}
_FILE_HEADER_BYTES = 24
_ZEROS = bytes(16)


def is_pcap(start: bytes) -> bool:
    """Whether a file that starts with these four bytes is a pcap file."""
    return start[:4] in _MAGICS


class _Verdict(Enum):
    """What stands where a record should begin."""

    RECORD = "record"
    CUT = "cut"
    """More bytes are needed to tell, or to read it."""
    FILE = "file"
    """The header of another pcap file: somebody joined them."""
    GARBAGE = "garbage"


class PcapReader:
    """Reads one pcap file. `fault` says what is wrong with it; nothing is read after that.

    Bytes that are no record are skipped, up to the next that is one; `lost_bytes` counts them. The record
    before them is skipped too, where it was not given yet: what is damaged may begin inside it.
    """

    stray_count = 0
    """A pcap file has one interface, which its header describes."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.lost_bytes = 0
        self._buffer = b""
        self._record: struct.Struct | None = None
        self._shape = Shape("<", 1, 16)
        self._link = 0
        self._position = 0
        self._seconds = -1
        """Of the last record that was believed; -1 before the first."""
        self._garbage_at = -1
        """The position in the file from which no record is known; -1 where one is."""
        self._doubtful: Record | None = None
        """The record before it."""
        self._is_over = False

    def feed(self, piece: bytes) -> list[Record]:
        """The records that `piece` completes, in file order."""
        if self.fault is not None:
            return []
        text = self._buffer + piece if self._buffer else piece
        at = 0
        if self._record is None:
            if len(text) < _FILE_HEADER_BYTES:
                self._buffer = text
                return []
            at = self._begin(text, 0)
        records: list[Record] = []
        while self.fault is None:
            if self._garbage_at >= 0:
                at = self._search(text, at)
                if self._garbage_at >= 0:
                    break
            at, verdict = self._take_records(text, at, records)
            if verdict is _Verdict.FILE:
                at = self._begin(text, at)
            elif verdict is _Verdict.GARBAGE:
                at = self._lose(at, records)
            else:
                break
        self._buffer = text[at:]
        self._position += at
        return records

    def flush(self) -> list[Record]:
        """The records that were held back in case that something follows; nothing does."""
        self._is_over = True
        records = self.feed(b"")
        if self._doubtful is not None:
            records.append(self._doubtful)
            self._doubtful = None
        return records

    def finish(self) -> str | None:
        """What is wrong or missing at the end of the file, or None."""
        if self.fault is not None:
            return self.fault
        if self._record is None:
            return "ends inside its header"
        if self._garbage_at >= 0:
            return f"has no record from byte {self._garbage_at} on, but garbage"
        if self._buffer:
            return f"ends inside a record at byte {self._position}"
        return None

    def _begin(self, text: bytes, at: int) -> int:
        known = _MAGICS.get(text[at : at + 4])
        if known is None:
            self.fault = f"begins with {text[at : at + 4]!r}, which is no pcap"
            return at
        self._shape = Shape(*known)
        self._record = struct.Struct(self._shape.order + "IIII")
        (link,) = struct.unpack_from(self._shape.order + "I", text, at + 20)
        self._link = link & 0xFFFF  # above: frame check sequence
        self._seconds = -1
        return at + _FILE_HEADER_BYTES

    def _take_records(self, text: bytes, at: int, records: list[Record]) -> tuple[int, _Verdict]:
        """Adds what records there are to `records`; where they end, and what stands there."""
        assert self._record is not None
        _, per_second, header = self._shape
        unpack, link = self._record.unpack_from, self._link
        low, high = self._seconds - NEAR_SECONDS, self._seconds + NEAR_SECONDS
        if self._seconds < 0:
            low = high + 1  # the first is looked at more closely
        size = len(text)
        last = size - header
        verdict = _Verdict.CUT
        while at <= last:
            seconds, fraction, captured, sent = unpack(text, at)
            end = at + header + captured
            if (
                end > size
                or not captured <= sent <= MAX_SANE_BYTES
                or fraction >= per_second
                or not low <= seconds <= high
            ):
                verdict = self._judge(text, at)
                if verdict is not _Verdict.RECORD:
                    break
                self._seconds, verdict = seconds, _Verdict.CUT
                low, high = seconds - NEAR_SECONDS, seconds + NEAR_SECONDS
            records.append((seconds + fraction / per_second, link, text[at + header : end]))
            at = end
        if records:
            self._seconds = int(records[-1][0])
        return at, verdict

    def _judge(self, text: bytes, at: int) -> _Verdict:
        """What stands at position `at`, where a record should begin and something about it is unusual."""
        if text[at : at + 4] in _MAGICS:
            return _Verdict.FILE if at + _FILE_HEADER_BYTES <= len(text) else _Verdict.CUT
        shape, size = self._shape, len(text)
        seconds, _, captured, _ = shape.header(text, at)
        end = at + shape.header_bytes + captured
        expected = self._seconds if self._seconds >= 0 else max(seconds, 1)
        is_in_time = shape.is_in_time(text, at, expected)
        is_header = is_in_time or shape.has_sane_sizes(text, at)
        if captured > MAX_FRAME_BYTES or not is_header or text.startswith(_ZEROS, at):
            return _Verdict.GARBAGE
        if end > size:
            if self._is_over and self._find(text, at + 1)[1]:
                return _Verdict.GARBAGE
            return _Verdict.CUT
        if end == size or (is_in_time and shape.has_sane_sizes(text, at)):
            return _Verdict.RECORD
        if end + shape.header_bytes > size:
            return _Verdict.RECORD if self._is_over else _Verdict.CUT
        is_followed = shape.is_in_time(text, end, seconds) or text[end : end + 4] in _MAGICS
        if not is_in_time:
            is_followed = is_followed or shape.has_sane_sizes(text, end)
        return _Verdict.RECORD if is_followed else _Verdict.GARBAGE

    def _lose(self, at: int, records: list[Record]) -> int:
        """No record stands at `at`; the position from which to search for one."""
        self._garbage_at = self._position + at
        if not records:
            return at
        self._doubtful = records.pop()
        return at - len(self._doubtful[2])

    def _search(self, text: bytes, at: int) -> int:
        """The position of the next record, or the one from which to search on."""
        found, is_record = self._find(text, at)
        if is_record:
            begun = self._garbage_at
            if self._doubtful is not None:
                begun -= len(self._doubtful[2]) + self._shape.header_bytes
            self.lost_bytes += self._position + found - begun
            self._garbage_at, self._doubtful = -1, None
        return found

    def _find(self, text: bytes, at: int) -> tuple[int, bool]:
        return find_record(text, at, self._shape, self._seconds, is_over=self._is_over)
