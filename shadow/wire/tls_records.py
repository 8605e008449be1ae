"""The records of one side of a TLS connection, from its bytes; looked for where bytes are missing."""

import re
from typing import NamedTuple

_MASK = 0xFFFF_FFFF
HEAD_BYTES = 5
_MAX_FRAGMENT_BYTES = 16_384 + 2048
"""RFC 5246 §6.2.3; TLS 1.3 allows less."""
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION, HEARTBEAT = 20, 21, 22, 23, 24
_HEAD = re.compile(rb"[\x14-\x17]\x03[\x01-\x03][\x00-\x48]", re.DOTALL)
"""Once in five million places of random bytes; what opens the record has the last word."""


class Record(NamedTuple):
    """One record as it was sent."""

    head: bytes
    """Kind, version and length."""
    fragment: bytes
    start: int
    """Sequence number of its first byte."""
    time: float
    """When its last byte was seen."""
    ack: int
    """What its sender had acknowledged when it began."""

    @property
    def kind(self) -> int:
        return self.head[0]

    @property
    def size(self) -> int:
        """How long its fragment is, all of it."""
        return int.from_bytes(self.head[3:])

    @property
    def end(self) -> int:
        """Sequence number after its last byte."""
        return (self.start + HEAD_BYTES + self.size) & _MASK


class Records:
    """Bytes go in, and `peek` gives the record that is next; it stays so until `accept` or `reject`."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._seq = 0
        """Of the first byte in `_text`."""
        self._wanted = HEAD_BYTES
        """How many bytes `_text` must have at least, for a record to be there."""
        self._time = 0.0
        self._acks = 0, 0
        """Acknowledged when the first byte was sent, and when the last one was."""
        self._passing = 0
        """Bytes still to come of a record that is lost."""
        self.is_lost = False
        """A record may begin anywhere."""
        self._dropped_bytes = 0

    @property
    def is_within(self) -> bool:
        """Whether bytes of a record were read that is not complete."""
        return bool(self._text) or self._passing > 0

    @property
    def unread_bytes(self) -> int:
        """How many bytes were of no record that is whole."""
        return self._dropped_bytes + len(self._text)

    @property
    def lacks(self) -> int:
        """How many bytes at least nothing begins in: the rest of a record. 0 where one may begin."""
        if self._passing or self.is_lost or self._wanted == HEAD_BYTES:
            return self._passing
        return self._wanted - len(self._text)

    def pass_over(self, count: int) -> int:
        """How many of `count` missing bytes are of a record that is lost anyway."""
        passed = min(self._passing, count)
        self._passing -= passed
        return passed

    def feed(self, payload: bytes, time: float, seq: int, ack: int) -> None:
        """Takes the next bytes."""
        if self._passing:
            passed = self.pass_over(len(payload))
            self._dropped_bytes += passed
            payload, seq = payload[passed:], (seq + passed) & _MASK
        if not self._text:
            self._seq = seq
            self._acks = ack, ack
        else:
            self._acks = self._acks[0], ack
        self._time = time
        self._text += payload

    def peek(self) -> Record | None:
        """The next record, or a place that may be one where `is_lost`; None until it has come."""
        text = self._text
        if len(text) < self._wanted:
            return None
        if not self.is_lost and not _HEAD.match(text) and text[0] != HEARTBEAT:
            self.is_lost = True
        if self.is_lost and not self._find_head():
            return None
        end = HEAD_BYTES + int.from_bytes(text[3:5])
        if len(text) < end:
            self._wanted = end
            return None
        head = bytes(text[:HEAD_BYTES])
        return Record(head, bytes(text[HEAD_BYTES:end]), self._seq, self._time, self._acks[0])

    def accept(self, record: Record) -> None:
        """`record`, which `peek` gave, was read: the next one follows it."""
        self.is_lost = False
        self._drop(HEAD_BYTES + len(record.fragment))

    def reject(self) -> None:
        """What `peek` gave is no record: one may begin at any byte after."""
        self.is_lost = True
        self._drop(1, is_read=False)

    def skip(self, count: int) -> Record | None:
        """`count` bytes are missing. Where they are all of the record that was begun, that record, with as
        much of its fragment as was read; None where records must be looked for from now on."""
        text = self._text
        found: Record | None = None
        if not self.is_lost and len(text) >= HEAD_BYTES:
            end = HEAD_BYTES + int.from_bytes(text[3:5])
            if len(text) + count <= end:
                fragment = bytes(text[HEAD_BYTES:])
                found = Record(bytes(text[:HEAD_BYTES]), fragment, self._seq, self._time, self._acks[0])
                self._passing = end - len(text) - count
        self.is_lost = found is None
        self._drop(len(text), is_read=False)
        return found

    def _drop(self, count: int, *, is_read: bool = True) -> None:
        self._dropped_bytes += 0 if is_read else count
        del self._text[:count]
        self._seq = (self._seq + count) & _MASK
        self._acks = self._acks[1], self._acks[1]
        self._wanted = HEAD_BYTES

    def _find_head(self) -> bool:
        """Drops what is before the first place where a record may begin; whether there is one."""
        found = _HEAD.search(self._text)
        if found is None:
            self._drop(max(len(self._text) - 3, 0), is_read=False)
            return False
        if found.start():
            self._drop(found.start(), is_read=False)
        return len(self._text) >= HEAD_BYTES
