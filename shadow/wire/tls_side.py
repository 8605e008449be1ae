"""One side of a TLS connection: its records, what they are opened with, and how far its plain text is."""

from collections.abc import Iterator
from typing import NamedTuple

from shadow.wire.direction import End, distance
from shadow.wire.tls_epoch import Epoch, Stage
from shadow.wire.tls_hello import Handshake
from shadow.wire.tls_records import HEAD_BYTES, Record, Records

_MASK = 0xFFFF_FFFF
_MAX_SILENCES = 8
"""Of those that are remembered: an acknowledgement is seldom older."""
_MAX_FORETOLD = 1024
"""As many as there may be requests that wait for their answers."""
_MAX_TEXT_BYTES = 16_384
_MAX_FRAGMENT_BYTES = _MAX_TEXT_BYTES + 2048
_MAX_NUMBERS = 256
"""So many record numbers are tried where records are missing, from the least that is possible."""
_MAX_TRIED_BYTES = 67_108_864
"""Of opening in vain, one time after another, until a side is given up: about a tenth of a second."""
_EVENT_BYTES = 128
"""What keeping an event costs besides its bytes."""


class Event(NamedTuple):
    """What one side said, while it had to wait."""

    order: int
    """Of arrival, of both sides."""
    what: bytes | int | End
    """Bytes, how many are missing, or how it ended."""
    time: float = 0.0
    seq: int = 0
    ack: int = 0

    @property
    def size(self) -> int:
        return len(self.what) if isinstance(self.what, bytes) else 0


class Positions:
    """The sequence numbers of one side's plain text, which are TCP's.

    A text begins where the last one's record ended, a number that whoever acknowledged it gives before the
    next record is opened; what encryption adds, and records without plain text, come after its end.
    """

    def __init__(self) -> None:
        self.tcp = 0
        """After the last record that was read, or given up."""
        self._next = 0
        """After the last byte of plain text."""
        self._since = 0
        """After the last record with plain text."""
        self._silences: list[tuple[int, int, int]] = []
        """Where records without plain text began and ended, and the number that stands for all of it."""
        self._foretold: list[int] = []
        """Numbers that were given before what is acknowledged with them was read."""

    def begin(self, tcp: int) -> None:
        """The first record begins there."""
        self.tcp = self._since = self._next = tcp

    def say(self, end: int, size: int) -> int:
        """A record that ends there has so much plain text. The number of its first byte."""
        first = self._first()
        if self.tcp != self._since:
            self._silences = [*self._silences[1 - _MAX_SILENCES :], (self._since, self.tcp, first)]
        self._next = (first + size) & _MASK
        self.tcp = self._since = end
        return first

    def pass_over(self, end: int) -> None:
        """What ends there has no plain text."""
        self.tcp = end

    def miss(self, end: int, count: int | None) -> int:
        """What ends there is lost, and `count` bytes of plain text with it, where that is known. How many
        count as lost."""
        count = distance(self.tcp, end) if count is None else count
        self._next = (self._next + count) & _MASK
        self.tcp = self._since = end
        return count

    def of(self, tcp: int) -> int:
        """The number of the byte that follows what was acknowledged with `tcp`."""
        if _is_between(self._since, tcp, self.tcp):
            return self._first()
        for begin, end, first in self._silences:
            if _is_between(begin, tcp, end):
                return first
        if distance(self.tcp, tcp) > 0:
            self._foretold = [*self._foretold[1 - _MAX_FORETOLD :], tcp]
        return tcp

    def heard(self, tcp: int) -> int:
        """The number after the last byte that was acknowledged with `tcp`."""
        return self._next if _is_between(self._since, tcp, self.tcp) else self.of(tcp)

    def _first(self) -> int:
        """Where the next text begins: where the last one's record ended, or where it was foretold to."""
        while self._foretold and distance(self._since, self._foretold[0]) <= 0:
            del self._foretold[0]
        found = self._since
        for tcp in self._foretold:
            if _is_between(found, tcp, self.tcp):
                found = tcp
        return found


class Side:
    """What is known of one side."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.records = Records()
        self.handshake = Handshake()
        self.positions = Positions()
        self.epoch: Epoch | None = None
        """None before its first encrypted record."""
        self.is_begun = False
        """Whether its first record has begun; what may stand before it is no TLS."""
        self.is_encrypted = False
        self.has_gap = False
        self.pads = False
        """Whether a record held less than it could."""
        self.passed_bytes = 0
        """Of records that nothing opens, for their secret is missing."""
        self._tried_bytes = 0
        self.is_stalled = False
        """Its next record must wait, for a secret or for the other side."""
        self.order_now = 0
        """Of arrival, of what was read last."""
        self._waiting: list[Event] = []
        self.waiting_bytes = 0

    @property
    def order(self) -> int:
        """Of arrival, of what it does next; negative where nothing waits."""
        if self.is_stalled:
            return self.order_now
        return self._waiting[0].order if self._waiting else -1

    @property
    def is_hopeless(self) -> bool:
        """Whether records were looked for long enough."""
        return self._tried_bytes > _MAX_TRIED_BYTES

    def unsealed(self, text: bytes) -> tuple[int, bytes]:
        """The kind and the text of what a record of TLS 1.3 holds (RFC 8446 §5.2)."""
        size = len(text)
        if not text.endswith(b"\x17"):
            text = text.rstrip(b"\0")
        self.pads |= len(text) != size
        return (text[-1], text[:-1]) if text else (0, b"")

    def text_bytes(self, record: Record) -> int | None:
        """How much plain text a record holds that cannot be opened; None where nobody can say."""
        overhead = self.epoch.overhead_bytes if self.epoch is not None else None
        return None if overhead is None or self.pads else max(record.size - overhead, 0)

    @property
    def is_cut(self) -> bool:
        """Whether plain text is missing where it ends: a record is not complete, or was not found."""
        if self.epoch is None or self.epoch.stage is Stage.HANDSHAKE:
            return False
        return self.records.is_within or self.records.is_lost

    def hold(self, event: Event) -> None:
        """Keeps what must wait its turn."""
        self._waiting.append(event)
        self.waiting_bytes += event.size + _EVENT_BYTES

    def next_event(self) -> Event | None:
        """What was kept first; None where nothing is left."""
        if not self._waiting:
            return None
        event = self._waiting.pop(0)
        self.waiting_bytes -= event.size + _EVENT_BYTES
        return event

    def forget(self) -> int:
        """Keeps nothing any longer; how many bytes that was."""
        size = sum(event.size for event in self._waiting)
        self._waiting, self.waiting_bytes = [], 0
        return size

    def find(self, record: Record, following: Iterator[Epoch]) -> tuple[bytes, int | None] | None:
        """What a record holds that need not be the next one, and how many bytes of plain text are missing
        before it, None where that cannot be told; None where nothing opens it.

        Beside the epoch that goes on, those that follow it are tried.
        """
        epoch, origin = self.epoch, self.positions.tcp
        assert epoch is not None
        size = max(distance(origin, record.start), 0)
        each_bytes = HEAD_BYTES + (epoch.overhead_bytes or 0)
        fewest = -(-size // (HEAD_BYTES + _MAX_FRAGMENT_BYTES))
        if not epoch.number:
            fewest = 0  # what is lost may be records that were not encrypted
        elif epoch.overhead_bytes is not None:
            fewest = -(-size // (each_bytes + _MAX_TEXT_BYTES))
        most = min(size // each_bytes, fewest + _MAX_NUMBERS - 1)
        due, was_proven = epoch.number, epoch.is_proven
        text = self._try(epoch, record, range(due + fewest, due + most + 1))
        if text is not None:
            lost = epoch.number - 1 - due
            if epoch.stage is Stage.HANDSHAKE or (not epoch.is_sealed and not due and lost <= 1):
                return text, 0  # handshake messages; up to TLS 1.2 the first record of an epoch is one
            is_certain = was_proven and not self.pads and epoch.overhead_bytes is not None
            return text, size - lost * each_bytes if is_certain else None
        for each in following:
            text = self._try(each, record, range(min(most + 1, _MAX_NUMBERS)))
            if text is not None:
                self.epoch = each
                is_first = epoch.stage is Stage.HANDSHAKE and each.number == 1
                return text, 0 if is_first else None
        return None

    def _try(self, epoch: Epoch, record: Record, numbers: range) -> bytes | None:
        text = epoch.open(record, numbers)
        if text is None:
            self._tried_bytes += len(record.fragment) * len(numbers) if epoch.opener is not None else 0
        else:
            self._tried_bytes = 0
        return text


def _is_between(low: int, number: int, high: int) -> bool:
    return distance(low, number) >= 0 >= distance(high, number)
