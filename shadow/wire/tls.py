"""TLS up to 1.3, read along with the secrets of a key log: what is said inside goes to a conversation.

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
from shadow.wire.tls_records import ALERT, APPLICATION, CHANGE_CIPHER_SPEC, HANDSHAKE, Record
from shadow.wire.tls_side import Event, Side

_MASK = 0xFFFF_FFFF
_MAX_WAITING_BYTES = 262_144
"""Of one connection: what is said while its secrets are on their way."""
_MAX_PASSED_BYTES = 1_048_576
_CLOSE_NOTIFY, _FATAL = 0, 2

_KEYLESS = "TLS"
_WRONG = "TLS (wrong or incomplete keys)"
_NO_HELLO = "TLS (its first messages were not captured)"
_UNFINISHED = "TLS (handshake not completed)"
_LOST = "TLS (lost after missing bytes)"


class Tls:
    """One connection's conversation over TLS, in the sense of `shadow.wire.direction.Conversation`."""

    def __init__(
        self, link: Link, listener: Listener, decryption: Decryption, begin: Callable[[Link], Conversation]
    ) -> None:
        """`begin` gives who hears what is said inside."""
        self._listener = listener
        self._decryption = decryption
        decryption.seen_count += 1
        self._sides = Side(0), Side(1)
        self._inside = Inside(link, self._sides, begin)
        self._agreement = Agreement(decryption)
        self._count = 0
        """Bytes of both sides."""
        self._arrivals = 0
        self._is_waiting = False
        self._is_read = False
        self._is_over = False
        self._now = 0.0
        self._end_count = 0
        self.ended_at: float | None = None

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> int:
        self._count += len(payload)
        if not self._hear(side, payload, time, seq, ack):
            return False
        return True if self._is_waiting else self._sides[side].records.lacks or True

    def skip(self, side: int, count: int, time: float) -> int:
        return self._hear(side, count, time)

    def end(self, side: int, how: End) -> None:
        self._end_count += 1
        if self._end_count == 2:
            self.ended_at = self._now
        self._hear(side, how, self._now)

    def look_again(self) -> None:
        """As `Waiting` has it."""
        self._go_on()

    def give_up(self) -> None:
        """As `Waiting` has it."""
        if self._is_read:
            self._stop(_WRONG)
        elif self._agreement.session is None:
            self._stop(_NO_HELLO)
        else:
            self._decryption.keyless_count += 1
            self._stop(_KEYLESS)

    def _hear(self, number: int, what: bytes | int | End, time: float, seq: int = 0, ack: int = 0) -> bool:
        if self._is_over:
            return False
        self._arrivals += 1
        self._now = time
        side, event = self._sides[number], Event(self._arrivals, what, time, seq, ack)
        if self._is_waiting:
            side.hold(event)
        else:
            self._take(side, event)
        if self._is_waiting or side.is_stalled:
            self._go_on()
        return not self._is_over

    def _go_on(self) -> None:
        """Reads what waits, as far as that can be read now, in the order in which it came."""
        while not self._is_over:
            if not any(self._advance(side) for side in sorted(self._sides, key=lambda side: side.order)):
                break
        self._is_waiting = any(side.order >= 0 for side in self._sides)
        held = sum(side.waiting_bytes for side in self._sides)
        if self._is_over or not self._is_waiting:
            self._decryption.leave(self)
        elif held > _MAX_WAITING_BYTES:
            self.give_up()
        else:
            self._decryption.wait(self, held)

    def _advance(self, side: Side) -> bool:
        """Takes one step of a side that waits; whether there was one to take."""
        if side.is_stalled:
            return self._read_records(side)
        event = side.next_event()
        if event is not None:
            self._take(side, event)
        return event is not None

    def _take(self, side: Side, event: Event) -> None:
        side.order_now = event.order
        self._now, what = event.time, event.what
        if isinstance(what, End):
            self._take_end(side, what)
        elif self._inside.is_closed(side):
            self._listener.passed(event.size)
        elif isinstance(what, int):
            self._take_gap(side, what)
        else:
            seq = event.seq
            if not side.is_begun:
                what, seq = self._begin(side, what, seq)
            if what:
                side.records.feed(what, event.time, seq, event.ack)
                self._read_records(side)

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

    def _read_records(self, side: Side) -> bool:
        """Reads what records are complete; whether any was read."""
        has_read = side.is_stalled = False
        while not self._is_over and (record := side.records.peek()) is not None:
            if side.is_encrypted or self._begins_to_encrypt(side, record):
                self._read_encrypted(side, record)
            if side.is_stalled:
                break
            has_read = True
        return has_read

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
        self._is_over |= self._inside.is_over

    def _fail(self, side: Side, record: Record, epoch: Epoch) -> None:
        """Nothing opens a record."""
        if side.records.is_lost:
            side.records.reject()
            if side.is_hopeless:
                self._stop(_LOST)
        elif epoch.opener is None or epoch.stage is Stage.EARLY:
            # Its secret is missing; or the server does not know it either (RFC 8446 §4.2.10).
            self._listener.passed(record.size)
            side.passed_bytes += record.size
            side.has_gap = True
            self._accept(side, record)
            if side.passed_bytes > _MAX_PASSED_BYTES:
                self._stop(_WRONG)
        elif epoch.is_proven or side.has_gap:
            side.has_gap = True
            side.records.reject()
        else:
            self._stop(_WRONG)

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
            self._stop(f"TLS ({self._agreement.refusal})")

    def _read_alert(self, side: Side, text: bytes) -> None:
        if text[1:2] == bytes((_CLOSE_NOTIFY,)):
            self._inside.close(side, End.CLOSED)
        elif text[:1] == bytes((_FATAL,)):
            self._inside.close(side, End.RESET)

    def _take_gap(self, side: Side, count: int) -> None:
        count -= side.records.pass_over(count)
        if not count:
            return
        side.has_gap = True
        lost = side.records.skip(count) if side.is_begun else None
        if lost is not None and not side.is_encrypted:
            if lost.kind == HANDSHAKE:
                self._read_messages(side, lost.fragment)
                side.positions.pass_over(lost.end)
            else:
                side.records.is_lost = True
        if lost is not None and side.is_encrypted:
            self._lose(side, lost)
        elif not self._agreement.lose(side):
            self._stop(_NO_HELLO)

    def _lose(self, side: Side, record: Record) -> None:
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
            self._inside.miss(side, side.text_bytes(record), record.end, self._now)
            self._is_over |= self._inside.is_over
        else:
            side.positions.pass_over(record.end)

    def _take_end(self, side: Side, how: End) -> None:
        if not self._inside.is_closed(side) and side.is_begun:
            records, epoch = side.records, side.epoch
            if (
                (records.is_within or records.is_lost)
                and epoch is not None
                and epoch.stage is not Stage.HANDSHAKE
            ):
                self._inside.miss(side, None, side.positions.tcp, self._now)
        self._inside.close(side, how)
        if (
            all(self._inside.is_closed(each) for each in self._sides)
            and not self._is_read
            and not self._is_over
        ):
            self._stop(_LOST if any(each.has_gap for each in self._sides) else _UNFINISHED)

    def _stop(self, kind: str) -> None:
        """It cannot be read, or not any further."""
        if self._is_over:
            return
        self._is_over = True
        self._listener.other(kind, 0 if self._is_read else self._count)
        self._decryption.leave(self)
        for side in self._sides:
            self._inside.close(side, End.LOST)
            side.forget()
