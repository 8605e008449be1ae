"""Records of a pcapng file, from pieces of it: several sections and interfaces, any time resolution.

Format: draft-ietf-opsawg-pcapng. Blocks that hold neither packets nor the secrets of TLS are read over.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

from shadow.wire.pcap import Record
from shadow.wire.pcapng_resync import LEAST_BYTES, find_block, is_closed, order_of

MAX_BLOCK_BYTES = 33_554_432
"""A longer block means that its length is garbage; also the most that is ever buffered."""

_MAX_INTERFACES = 65_536

_SECTION, _INTERFACE, _PACKET, _SIMPLE, _ENHANCED, _SECRETS = 0x0A0D0D0A, 1, 2, 3, 6, 10
_TLS_KEY_LOG = 0x544C534B
_TIME_RESOLUTION, _TIME_OFFSET = 9, 14


def is_pcapng(start: bytes) -> bool:
    """Whether a file that starts with these bytes is a pcapng file."""
    return start[:4] == b"\x0a\x0d\x0d\x0a"


class _Interface(NamedTuple):
    link: int
    snap_bytes: int
    per_second: int
    offset_seconds: int


class PcapngReader:
    """Reads one pcapng file. `fault` says what is wrong with it; nothing is read after that.

    `stray_count` counts packets of interfaces that the file does not describe; they are skipped, and so are
    bytes that are no block, which `lost_bytes` counts.
    """

    def __init__(self, take_key_log: Callable[[bytes], None] | None = None) -> None:
        """`take_key_log` is given the TLS key log in each block of secrets, before the packets after it."""
        self._take_key_log = take_key_log
        self.fault: str | None = None
        self.stray_count = 0
        self.lost_bytes = 0
        self._buffer = b""
        self._position = 0
        self._garbage_at = -1
        """The position in the file from which no block is known; -1 where one is."""
        self._is_over = False
        self._order = "<"
        self._has_section = False
        self._interfaces: list[_Interface] = []
        self._time = 0.0
        """Of the last packet: simple packet blocks carry none of their own."""

    def feed(self, piece: bytes) -> list[Record]:
        """The records that `piece` completes, in file order."""
        records: list[Record] = []
        text = self._buffer + piece if self._buffer else piece
        at = 0
        while self.fault is None and len(text) - at >= LEAST_BYTES:
            if self._garbage_at >= 0:
                at = self._search(text, at)
                if self._garbage_at >= 0:
                    break
            length = self._block_bytes(text, at)
            if length is None or at + length > len(text):
                break
            if not length:
                at += 4
                continue
            self._take_block(text[at : at + length], records)
            at += length
        self._buffer = text[at:] if self.fault is None else b""
        self._position += at
        return records

    def flush(self) -> list[Record]:
        """The packets behind a block that never ends, or behind what looks like its beginning in garbage."""
        self._is_over = True
        if self._has_section and self._garbage_at >= 0:
            return self.feed(b"")
        if self._has_section and len(self._buffer) > LEAST_BYTES:
            _, is_block = find_block(self._buffer, 4, self._order, is_over=True)
            if is_block:
                self._garbage_at = self._position
                return self.feed(b"")
        return []

    def finish(self) -> str | None:
        """What is wrong or missing at the end of the file, or None."""
        if self.fault is not None:
            return self.fault
        if not self._has_section:
            return "ends inside its header"
        if self._garbage_at >= 0:
            return f"has no block from byte {self._garbage_at} on, but garbage"
        return f"ends inside a block at byte {self._position}" if self._buffer else None

    def _block_bytes(self, text: bytes, at: int) -> int | None:
        """The length of the block at position `at`, 0 where there is none, None where that is a fault."""
        order = order_of(text, at)
        if order is not None:
            self._order = order
            self._has_section = True
        elif not self._has_section:
            self.fault = f"has no section header at byte {self._position + at}, but garbage"
            return None
        length: int = struct.unpack_from(self._order + "I", text, at + 4)[0]
        size = (length + 3) & ~3
        is_whole = at + size <= len(text)
        if length < LEAST_BYTES or length > MAX_BLOCK_BYTES or (is_whole and not is_closed(text, at, size)):
            self._garbage_at = self._position + at
            return 0
        return size

    def _search(self, text: bytes, at: int) -> int:
        """The position of the next block, or the one from which to search on."""
        found, is_block = find_block(text, at, self._order, is_over=self._is_over)
        if is_block:
            self.lost_bytes += self._position + found - self._garbage_at
            self._garbage_at = -1
        return found

    def _take_block(self, block: bytes, records: list[Record]) -> None:
        order, size = self._order, len(block)
        kind = struct.unpack_from(order + "I", block)[0]
        if kind == _ENHANCED and size >= 32:
            interface, high, low, captured, _ = struct.unpack_from(order + "IIIII", block, 8)
            self._add(records, interface, high << 32 | low, block[28 : min(28 + captured, size - 4)])
        elif kind == _SIMPLE and size >= 16 and self._interfaces:
            snap = self._interfaces[0].snap_bytes or size
            length = min(struct.unpack_from(order + "I", block, 8)[0], snap, size - 16)
            records.append((self._time, self._interfaces[0].link, block[12 : 12 + length]))
        elif kind == _INTERFACE and size >= 20 and len(self._interfaces) < _MAX_INTERFACES:
            self._interfaces.append(_interface(order, block))
        elif kind == _PACKET and size >= 32:
            interface, _, high, low, captured, _ = struct.unpack_from(order + "HHIIII", block, 8)
            self._add(records, interface, high << 32 | low, block[28 : min(28 + captured, size - 4)])
        elif kind == _SECRETS and size >= 20 and self._take_key_log is not None:
            what, length = struct.unpack_from(order + "II", block, 8)
            if what == _TLS_KEY_LOG:
                self._take_key_log(block[16 : min(16 + length, size - 4)])
        elif kind == _SECTION:
            self._interfaces = []
        elif kind == _SIMPLE:
            self.stray_count += 1

    def _add(self, records: list[Record], interface: int, ticks: int, frame: bytes) -> None:
        if interface >= len(self._interfaces):
            self.stray_count += 1
            return
        link, _, per_second, offset = self._interfaces[interface]
        self._time = ticks / per_second + offset
        records.append((self._time, link, frame))


def _interface(order: str, block: bytes) -> _Interface:
    """The interface that an interface description block describes."""
    link, _, snap = struct.unpack_from(order + "HHI", block, 8)
    per_second, offset = 1_000_000, 0
    at, end = 16, len(block) - 4
    while at + 4 <= end:
        code, length = struct.unpack_from(order + "HH", block, at)
        value = block[at + 4 : min(at + 4 + length, end)]
        if code == 0:
            break
        if code == _TIME_RESOLUTION and len(value) == 1:
            exponent = value[0] & 0x7F
            per_second = (2 if value[0] & 0x80 else 10) ** exponent
        elif code == _TIME_OFFSET and len(value) == 8:
            offset = struct.unpack(order + "q", value)[0]
        at += 4 + ((length + 3) & ~3)
    return _Interface(link, snap, per_second, offset)
