"""The two sides of a TLS connection, read record by record; what is said inside goes to a conversation.

Nothing that was not opened, whole and authenticated, is handed on.
"""

from collections.abc import Callable

from shadow.wire.direction import Conversation, End
from shadow.wire.listener import Link, Listener
from shadow.wire.opening import proxy_header_bytes
from shadow.wire.tls_agreement import Agreement
from shadow.wire.tls_decryption import Decryption
from shadow.wire.tls_epoch import Epoch, Stage
from shadow.wire.tls_inside import Inside
from shadow.wire.tls_records import ALERT, APPLICATION, CHANGE_CIPHER_SPEC, HANDSHAKE, HEAD_BYTES, Record
from shadow.wire.tls_side import Side

_MASK = 0xFFFF_FFFF
_MAX_PASSED_BYTES = 1_048_576
_CLOSE_NOTIFY, _FATAL = 0, 2

_KEYLESS = "TLS"
_WRONG = "TLS (wrong or incomplete keys)"
_NO_HELLO = "TLS (its first messages were not captured)"
_UNFINISHED = "TLS (handshake not completed)"
_LOST = "TLS (lost after missing bytes)"


class Reading:
    """What was understood of one connection so far. Each method takes what comes next of one of `sides`.

    A side whose next record needs a secret, or a word of the other side, that is not known yet, is stalled:
    then `read_on` is called first, and nothing else taken of it until that has helped.
    """

    def __init__(
        self, link: Link, listener: Listener, decryption: Decryption, begin: Callable[[Link], Conversation]
    ) -> None:
        """`begin` gives who hears what is said inside."""
        self._listener = listener
        self._decryption = decryption
        self.sides = Side(0), Side(1)
        self._inside = Inside(link, self.sides, begin)
        self._agreement = Agreement(decryption)
        self._is_read = False
        self.why = ""
        """Why it is not read any further: the kind of connection it counts as; empty while it is."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more need be taken."""
        return bool(self.why) or self._inside.is_over

    @property
    def unread_bytes(self) -> int | None:
        """How many of the bytes that were taken could not be read; None where that is all."""
        return sum(side.records.unread_bytes for side in self.sides) if self._is_read else None

    def take(self, side: Side, payload: bytes, time: float, seq: int, ack: int) -> None:
        """The next bytes."""
        if self._inside.is_closed(side):
            self._listener.passed(len(payload))
            return
        if not side.is_begun:
            payload, seq = self._begin(side, payload, seq)
        if payload:
            side.records.feed(payload, time, seq, ack)
            self.read_on(side)

    def skip(self, side: Side, count: int, time: float) -> None:
        """`count` bytes are missing."""
        count -= side.records.pass_over(count)
        if not count or self._inside.is_closed(side):
            return
        side.has_gap = True
        lost = side.records.skip(count) if side.is_begun else None
        if lost is not None and side.is_encrypted:
            self._lose(side, lost, time)
            return
        if lost is not None:
            # An encrypted record would be the first: it is looked for, as its number is known no longer.
            side.records.is_lost = lost.kind != HANDSHAKE
            if lost.kind == HANDSHAKE:
                self._read_messages(side, lost.fragment)
                side.positions.pass_over(lost.end)
        if not self._agreement.lose(side):
            self.stop(_NO_HELLO)

    def end(self, side: Side, how: End, time: float) -> None:
        """The side says nothing more."""
        if side.is_cut and not self._inside.is_closed(side):
            self._inside.miss(side, None, side.positions.tcp, time)
        self._inside.close(side, how)
        if self._is_read or not all(self._inside.is_closed(each) for each in self.sides):
            return
        if any(each.passed_bytes for each in self.sides):
            self.stop(_WRONG)
        else:
            self.stop(_LOST if any(each.has_gap for each in self.sides) else _UNFINISHED)

    def read_on(self, side: Side) -> bool:
        """Reads what records are complete; whether any was read."""
        has_read = side.is_stalled = False
        while not self.is_over and (record := side.records.peek()) is not None:
            if self._inside.is_closed(side):
                self._listener.passed(HEAD_BYTES + record.size)
                self._accept(side, record)
            elif side.is_encrypted or self._begins_to_encrypt(side, record):
                self._read_encrypted(side, record)
            if side.is_stalled:
                break
            has_read = True
        return has_read

    def give_up(self) -> None:
        """What a stalled side needs will not come."""
        if self._is_read:
            self.stop(_WRONG)
        elif self._agreement.session is None:
            self.stop(_NO_HELLO)
        else:
            self._decryption.keyless_count += 1
            self.stop(_KEYLESS)

    def stop(self, why: str) -> None:
        """Nothing more is read; the first reason counts."""
        if not self.is_over:
            self.why = why
            for side in self.sides:
                self._inside.close(side, End.LOST)

    def _begin(self, side: Side, payload: bytes, seq: int) -> tuple[bytes, int]:
        """The part of a piece with which TLS begins: other words may stand before it (PROXY, STARTTLS)."""
        before = proxy_header_bytes(payload)
        if not b"\x16\x03".startswith(payload[before : before + 2]):
            before = len(payload)
        if before:
            self._listener.passed(before)
        seq = (seq + before) & _MASK
        if before < len(payload):
            side.is_begun = True
            side.positions.begin(seq)
        return payload[before:], seq

    def _begins_to_encrypt(self, side: Side, record: Record) -> bool:
        """Whether a record is the first that is encrypted; reads it where it is not."""
        kind, agreement = record.kind, self._agreement
        if kind == APPLICATION or (side.records.is_lost and kind != CHANGE_CIPHER_SPEC):
            # What changed the keys may be among what is lost.
            side.is_stalled = agreement.session is None or agreement.awaits_answer(side)
            side.is_encrypted = not side.is_stalled
            return side.is_encrypted
        if kind == CHANGE_CIPHER_SPEC:
            if record.fragment != b"\x01":
                side.records.reject()
                return False
            if agreement.session is None and not agreement.is_sealed:
                side.is_stalled = True
                return False
            side.is_encrypted = not agreement.is_sealed  # there it means nothing (RFC 8446 §5)
        self._accept(side, record)
        if kind == HANDSHAKE:
            self._read_messages(side, record.fragment)
        elif kind == ALERT:
            self._read_alert(side, record.fragment)
        return False

    def _read_encrypted(self, side: Side, record: Record) -> None:
        """Reads a record, or a place that may be one. Stalls the side where that must wait."""
        epoch = self._agreement.epoch(side)
        if epoch is None or (epoch.opener is None and not self._agreement.is_readable(side)):
            side.is_stalled = epoch is None or self._decryption.keys.may_grow
            if not side.is_stalled:
                self.give_up()
            return
        is_lost = side.records.is_lost
        if epoch.is_sealed and record.kind != APPLICATION:
            if is_lost:
                side.records.reject()
            else:
                self._accept(side, record)
            return
        text = None if is_lost else epoch.open(record)
        if text is None:
            found = side.find(record, self._agreement.following(side))
            if found is None:
                self._fail(side, record, epoch)
                return
            text, missing = found
            self._agreement.lose(side)
            if missing == 0 or (epoch.stage is Stage.EARLY and not self._agreement.takes_early_data):
                side.positions.pass_over(record.start)
            else:
                self._inside.miss(side, missing, record.start, record.time)
        self._read_text(side, record, text)

    def _fail(self, side: Side, record: Record, epoch: Epoch) -> None:
        """Nothing opens a record."""
        if side.records.is_lost:
            side.records.reject()
            if side.is_hopeless:
                self.stop(_LOST)
        elif epoch.opener is None or epoch.stage is Stage.EARLY:
            # Its secret is missing; or the server does not know it either (RFC 8446 §4.2.10).
            self._listener.passed(record.size)
            side.passed_bytes += record.size
            side.has_gap = True
            self._accept(side, record)
            if side.passed_bytes > _MAX_PASSED_BYTES:
                self.stop(_WRONG)
        elif epoch.is_proven or side.has_gap:
            side.has_gap = True
            side.records.reject()
        else:
            self.stop(_WRONG)

    def _accept(self, side: Side, record: Record) -> None:
        """A record was read that holds nothing for the inner conversation."""
        side.records.accept(record)
        side.positions.pass_over(record.end)

    def _read_text(self, side: Side, record: Record, text: bytes) -> None:
        """Reads what a record holds that was opened."""
        if not self._is_read:
            self._is_read = True
            self._decryption.read_count += 1
        epoch, kind = side.epoch, record.kind
        assert epoch is not None
        if epoch.is_sealed:
            kind, text = side.unsealed(text)
        is_wanted = epoch.stage is not Stage.EARLY or self._agreement.takes_early_data
        if kind == APPLICATION and text and is_wanted:
            side.records.accept(record)
            self._inside.say(side, record, text, is_client=self._agreement.is_client(side))
            return
        self._accept(side, record)
        if kind == APPLICATION:
            self._listener.passed(len(text))
        elif kind == HANDSHAKE:
            self._read_messages(side, text)
        elif kind == ALERT:
            self._read_alert(side, text)
        elif kind == CHANGE_CIPHER_SPEC:  # of another handshake
            side.epoch = None

    def _read_messages(self, side: Side, fragment: bytes) -> None:
        self._agreement.read(side, fragment)
        if self._agreement.refusal:
            self.stop(f"TLS ({self._agreement.refusal})")

    def _read_alert(self, side: Side, text: bytes) -> None:
        if text[1:2] == bytes((_CLOSE_NOTIFY,)):
            self._inside.close(side, End.CLOSED)
        elif text[:1] == bytes((_FATAL,)):
            self._inside.close(side, End.RESET)

    def _lose(self, side: Side, record: Record, time: float) -> None:
        """Bytes of one encrypted record are missing, and no others."""
        epoch = side.epoch
        if epoch is None or epoch.opener is None:
            side.records.is_lost = True
            return
        is_plain = epoch.is_sealed and record.kind != APPLICATION
        epoch.number += not is_plain
        if epoch.is_sealed or record.kind != APPLICATION:
            self._agreement.lose(side)
        if record.kind == CHANGE_CIPHER_SPEC and not epoch.is_sealed:
            side.epoch = None
        is_said = epoch.stage is Stage.TRAFFIC or (
            epoch.stage is Stage.EARLY and self._agreement.takes_early_data
        )
        if record.kind == APPLICATION and is_said:
            self._inside.miss(side, side.text_bytes(record), record.end, time)
        else:
            side.positions.pass_over(record.end)
