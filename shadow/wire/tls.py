"""TLS up to 1.3, read along with the secrets of a key log: what waits for them keeps its order."""

from collections.abc import Callable

from shadow.wire.direction import Conversation, End
from shadow.wire.listener import Link, Listener
from shadow.wire.tls_decryption import Decryption
from shadow.wire.tls_reading import Reading
from shadow.wire.tls_side import Event, Side

_MAX_WAITING_BYTES = 262_144
"""Of one connection: what is said while its secrets are on their way."""


class Tls:
    """One connection's conversation over TLS, in the sense of `shadow.wire.direction.Conversation`.

    While a side is stalled, whatever comes of either side waits in line: what is said inside is then heard in
    the order in which it was said.
    """

    def __init__(
        self, link: Link, listener: Listener, decryption: Decryption, begin: Callable[[Link], Conversation]
    ) -> None:
        """`begin` gives who hears what is said inside."""
        self._listener = listener
        self._decryption = decryption
        self._reading = Reading(link, listener, decryption, begin)
        self._sides = self._reading.sides
        self._count = 0
        """Bytes of both sides."""
        self._arrivals = 0
        self._is_waiting = False
        self._is_over = False
        self._time = 0.0
        """When the last bytes came."""
        self._ends = 0
        self.ended_at: float | None = None
        """As `Waiting` has it."""

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> int:
        self._count += len(payload)
        self._time = time
        if not self._hear(side, payload, time, seq, ack):
            return False
        return True if self._is_waiting else self._sides[side].records.lacks or True

    def skip(self, side: int, count: int, time: float) -> int:
        self._time = time
        return self._hear(side, count, time)

    def end(self, side: int, how: End) -> None:
        self._ends += 1
        if self._ends == 2:
            self.ended_at = self._time
        self._hear(side, how, self._time)

    def look_again(self) -> None:
        """As `Waiting` has it."""
        self._go_on()

    def give_up(self) -> None:
        """As `Waiting` has it."""
        self._reading.give_up()
        self._notice_end()

    def _hear(self, number: int, what: bytes | int | End, time: float, seq: int = 0, ack: int = 0) -> bool:
        if self._is_over:
            return False
        self._arrivals += 1
        side, event = self._sides[number], Event(self._arrivals, what, time, seq, ack)
        if self._is_waiting:
            side.hold(event)
        else:
            self._take(side, event)
        if self._is_waiting or side.is_stalled:
            self._go_on()
        elif self._reading.is_over or self._ends == 2:
            self._notice_end()
        return not self._is_over

    def _take(self, side: Side, event: Event) -> None:
        side.order_now, what = event.order, event.what
        if isinstance(what, End):
            self._reading.end(side, what, event.time)
        elif isinstance(what, int):
            self._reading.skip(side, what, event.time)
        else:
            self._reading.take(side, what, event.time, event.seq, event.ack)

    def _go_on(self) -> None:
        """Reads what waits, as far as that can be read now, in the order in which it came."""
        while not self._reading.is_over:
            if not any(self._advance(side) for side in sorted(self._sides, key=lambda side: side.order)):
                break
        self._is_waiting = any(side.order >= 0 for side in self._sides)
        held = sum(side.waiting_bytes for side in self._sides)
        if self._is_waiting and held > _MAX_WAITING_BYTES:
            self._reading.give_up()
        if self._is_waiting and not self._reading.is_over:
            self._decryption.wait(self, held)
        else:
            self._decryption.leave(self)
            self._notice_end()

    def _advance(self, side: Side) -> bool:
        """Takes one step of a side that waits; whether there was one to take."""
        if self._reading.is_over:
            return False
        if side.is_stalled:
            return self._reading.read_on(side)
        event = side.next_event()
        if event is not None:
            self._take(side, event)
        return event is not None

    def _notice_end(self) -> None:
        """Tells, once, what could not be read, where it is over or both sides have ended."""
        reading = self._reading
        if self._is_over or not (reading.is_over or self._ends == 2):
            return
        self._is_over = True
        self._decryption.leave(self)
        unread = reading.unread_bytes
        rest = sum(side.forget() for side in self._sides) + (unread or 0)
        if reading.why:
            self._listener.other(reading.why, self._count if unread is None else rest)
        elif rest:
            self._listener.passed(rest)
