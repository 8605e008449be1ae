"""Records of a pcap file, from pieces of it: both byte orders, micro- and nanoseconds.

Format: draft-ietf-opsawg-pcap; and the "modified" variant with longer record headers.
"""

import struct

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


def is_pcap(start: bytes) -> bool:
    """Whether a file that starts with these four bytes is a pcap file."""
    return start[:4] in _MAGICS


class PcapReader:
    """Reads one pcap file. `fault` says what is wrong with it; nothing is read after that."""

    stray_count = 0
    """A pcap file has one interface, which its header describes."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self._buffer = b""
        self._record: struct.Struct | None = None
        self._per_second = 1
        self._header_bytes = 0
        self._link = 0
        self._position = 0

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
            at = self._begin(text)
        records: list[Record] = []
        if self._record is not None:
            at = self._take_records(text, at, records)
        self._buffer = text[at:]
        self._position += at
        return records

    def finish(self) -> str | None:
        """What is wrong or missing at the end of the file, or None."""
        if self.fault is not None:
            return self.fault
        if self._record is None:
            return "ends inside its header"
        if self._buffer:
            return f"ends inside a record at byte {self._position}"
        return None

    def _begin(self, text: bytes) -> int:
        known = _MAGICS.get(text[:4])
        if known is None:
            self.fault = f"begins with {text[:4]!r}, which is no pcap"
            return 0
        order, self._per_second, self._header_bytes = known
        self._record = struct.Struct(order + "IIII")
        self._link = struct.unpack_from(order + "I", text, 20)[0] & 0xFFFF  # above: frame check sequence
        return _FILE_HEADER_BYTES

    def _take_records(self, text: bytes, at: int, records: list[Record]) -> int:
        assert self._record is not None
        unpack, per_second = self._record.unpack_from, self._per_second
        header, link = self._header_bytes, self._link
        last = len(text) - header
        while at <= last:
            seconds, fraction, captured, _ = unpack(text, at)
            end = at + header + captured
            if end > len(text):
                if captured > MAX_FRAME_BYTES:
                    self.fault = f"has no record at byte {self._position + at}, but garbage"
                break
            records.append((seconds + fraction / per_second, link, text[at + header : end]))
            at = end
        return at
