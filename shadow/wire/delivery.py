"""Each direction's bytes in sent order: segments wait for what is missing, until that is given up.

Overlaps: bytes delivered first are final; of segments that wait, the one that begins earlier wins, and of two
with one beginning the first captured. Bytes that never come are told as a gap and never made up.
"""

from heapq import heappop, heappush

import msgspec

from shadow.wire.direction import Direction, End, distance
from shadow.wire.packet import ACK, Segment

_MASK = 0xFFFF_FFFF
_ENTRY_BYTES = 256
"""What a waiting segment costs besides its payload."""


class Bounds(msgspec.Struct, frozen=True):
    """What may be held of all connections, and how long a missing segment is waited for, in captured time."""

    waiting_bytes_per_direction: int = 16_777_216
    waiting_bytes: int = 268_435_456
    flows: int = 65_536
    idle_seconds: float = 1800.0
    closed_seconds: float = 120.0
    """How long a closed connection is remembered, so that late retransmits are not taken for a new one."""
    acked_hole_seconds: float = 1.0
    """The receiver has acknowledged the missing bytes: nobody will send them again."""
    acked_hole_packets: int = 1000
    hole_seconds: float = 30.0
    withheld_bytes_per_direction: int = 262_144
    withheld_bytes: int = 67_108_864
    """Of bodies that are collected, to be handed on in one piece; where it is reached, they are not."""


class Delivery:
    """Hands the conversations what was said, in order. What waits stays within `bounds`."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._holed: dict[Direction, float] = {}
        """Directions in which segments wait, and since when."""
        self.waiting_bytes = 0
        """Of all directions."""
        self._arrivals = 0
        self._withheld_bytes = 0
        """That may be withheld in all directions."""
        self.gap_bytes = 0
        self.skipped_bytes = 0
        """Payload of connections that nobody wanted to hear more of."""

    def hand_on(self, one: Direction, payload: bytes, time: float, ack: int) -> None:
        """Hands on the next bytes of `one`, or withholds them; they were counted in its numbers before."""
        size = len(payload)
        if one.lacks > size:
            one.withheld.append(payload)
            one.lacks -= size
            return
        conversation = one.conversation
        if conversation is None:
            self.skipped_bytes += size + len(self._collected(one))
            return
        assert one.next_seq is not None
        seq = (one.next_seq - size) & _MASK
        if one.lacks:
            payload, seq = self._collected(one, payload), one.withheld_seq
        needs = conversation.take(one.side, payload, time, seq, ack)
        if needs > 1:
            self._withhold(one, needs)
        elif not needs:
            one.conversation = one.peer.conversation = None

    def take(self, one: Direction, segment: Segment, time: float) -> None:
        """Takes a segment of `one` that may be out of order."""
        _, seq, ack, flags, payload, lost = segment
        if one.is_finished:
            return
        if one.next_seq is None or self._is_wrong_guess(one, seq):
            one.next_seq = seq
        if one.peer.next_seq is None and flags & ACK:
            one.peer.next_seq = ack
        ahead = distance(one.next_seq, seq)
        if ahead + len(payload) + lost <= 0:
            return  # a retransmit, or a keep-alive probe (RFC 9293 §3.8.4)
        if ahead > 0 and one.conversation is not None:
            self._hold(one, one.position + ahead, payload, time, ack, lost)
        else:
            self._deliver(one, one.position + ahead, payload, time, ack, lost)
        if one.waiting:
            one.hole_packets += 1
            self._drain(one, time)

    def take_fin(self, one: Direction, position: int, time: float, ack: int) -> None:
        """`one` ends at `position`."""
        one.fin = position
        if position > one.position:  # waits in its place, so that the end is noticed when it is reached
            self._hold(one, position, b"", time, ack, 0)
        self._drain(one, time)

    def end(self, one: Direction, how: End) -> None:
        """Ends both directions; what still waits is delivered, with the gaps before it told."""
        for each in (one.peer, one):
            if not each.is_finished:
                self._flush(each)
        for each in (one, one.peer):
            if not each.is_finished:
                self._finish(each, End.CLOSED if each.fin is not None else how)

    def give_up(self, time: float) -> None:
        """Gives up the holes whose time is over at Unix time `time`."""
        for one in list(self._holed):
            self._drain(one, time)

    def oldest_wait(self) -> float | None:
        """The Unix time since when segments have been waiting for missing ones; None where none waits."""
        if not self._holed:
            return None
        return min(self._holed.values())

    def _is_wrong_guess(self, one: Direction, seq: int) -> bool:
        """Whether nothing but the other side's first acknowledgement told where `one` goes on, and that
        cannot be: it is how a capture that begins inside a connection learns what it missed."""
        if one.position or one.isn is not None or one.next_seq is None:
            return False
        return not 0 <= distance(one.next_seq, seq) < self._bounds.waiting_bytes_per_direction

    def _hold(self, one: Direction, start: int, payload: bytes, time: float, ack: int, lost: int) -> None:
        if not one.waiting:
            one.hole_time, one.hole_packets = time, 0
            self._holed[one] = time
        self._arrivals += 1
        heappush(one.waiting, (start, self._arrivals, payload, time, ack, lost))
        cost = len(payload) + _ENTRY_BYTES
        one.waiting_bytes += cost
        self.waiting_bytes += cost

    def _deliver(self, one: Direction, start: int, payload: bytes, time: float, ack: int, lost: int) -> None:
        """Delivers what of a segment at position `start` is new, and tells what is missing before it."""
        assert one.next_seq is not None
        old = one.position - start
        end = start + len(payload) + lost
        if end <= one.position:
            return
        if old < 0:
            self._skip_to(one, start, time)
        fresh = payload[old:] if old > 0 else payload
        if fresh:
            one.next_seq = (one.next_seq + len(fresh)) & _MASK
            one.position += len(fresh)
            self.hand_on(one, fresh, time, ack)
        self._skip_to(one, end, time)

    def _skip_to(self, one: Direction, position: int, time: float) -> None:
        """Tells the bytes up to `position` as a gap, if there are any."""
        gap = position - one.position
        if gap <= 0:
            return
        self._release(one)
        assert one.next_seq is not None
        one.next_seq = (one.next_seq + gap) & _MASK
        one.position = position
        if one.conversation is not None:
            self.gap_bytes += gap
            if not one.conversation.skip(one.side, gap, time):
                one.conversation = one.peer.conversation = None

    def _drain(self, one: Direction, time: float) -> None:
        """Delivers waiting segments as far as they follow, and beyond a hole that is given up."""
        waiting, has_skipped = one.waiting, False
        while waiting:
            if waiting[0][0] > one.position:
                if not self._is_hole_final(one, time):
                    if has_skipped:
                        self._holed[one] = min(each[3] for each in waiting)
                    return
                self._skip_to(one, waiting[0][0], time)
                one.hole_packets, has_skipped = 0, True
            self._deliver_first(one)
            if has_skipped and waiting:
                one.hole_time = waiting[0][3]  # what follows the next hole has waited since then
        self._holed.pop(one, None)
        if one.fin is not None and one.position >= one.fin and not one.is_finished:
            self._finish(one, End.CLOSED)

    def _flush(self, one: Direction) -> None:
        """Delivers all that waits, and tells as gaps what is missing up to the end of `one`."""
        while one.waiting:
            self._deliver_first(one)
        self._holed.pop(one, None)
        if one.fin is not None:
            self._skip_to(one, one.fin, one.time)

    def _deliver_first(self, one: Direction) -> None:
        """Delivers the first segment that waits, and tells what is missing before it."""
        start, _, payload, seen, ack, lost = heappop(one.waiting)
        one.waiting_bytes -= len(payload) + _ENTRY_BYTES
        self.waiting_bytes -= len(payload) + _ENTRY_BYTES
        self._skip_to(one, start, seen)
        self._deliver(one, start, payload, seen, ack, lost)

    def _is_hole_final(self, one: Direction, time: float) -> bool:
        bounds, peer = self._bounds, one.peer
        if (
            one.waiting_bytes > bounds.waiting_bytes_per_direction
            or self.waiting_bytes > bounds.waiting_bytes
        ):
            return True
        waited = time - one.hole_time
        if waited > bounds.hole_seconds:
            return True
        assert one.next_seq is not None
        is_acked = (
            peer.ack is not None and distance(one.next_seq, peer.ack) >= one.waiting[0][0] - one.position
        )
        return is_acked and (
            waited > bounds.acked_hole_seconds or one.hole_packets > bounds.acked_hole_packets
        )

    def _finish(self, one: Direction, how: End) -> None:
        self._release(one)
        one.is_finished = True
        if how is End.RESET and one.next_seq is not None:
            one.resumes_at = one.next_seq
        one.next_seq = -1  # no segment continues here
        if one.conversation is not None:
            one.conversation.end(one.side, how)
            if one.peer.is_finished:
                one.conversation = one.peer.conversation = None

    def _withhold(self, one: Direction, count: int) -> None:
        """Lets the next `count` bytes of `one` wait for each other, as far as there is room."""
        count = min(count, self._bounds.withheld_bytes_per_direction)
        if self._withheld_bytes + count > self._bounds.withheld_bytes:
            return
        assert one.next_seq is not None
        self._withheld_bytes += count
        one.lacks, one.withheld_seq = count, one.next_seq

    def _collected(self, one: Direction, last: bytes = b"") -> bytes:
        """What was withheld of `one`, and `last`."""
        withheld = one.withheld
        if not one.lacks:
            return last
        size = sum(map(len, withheld))
        self._withheld_bytes -= size + one.lacks
        one.lacks = 0
        if not withheld:
            return last
        one.withheld = []
        withheld.append(last)
        return b"".join(withheld)

    def _release(self, one: Direction) -> None:
        """Hands on what was withheld of `one`, because something else than its next bytes comes."""
        if not one.lacks:
            return
        text = self._collected(one)
        if not text:
            return
        if one.conversation is None:
            self.skipped_bytes += len(text)
        elif not one.conversation.take(one.side, text, one.time, one.withheld_seq, one.ack or 0):
            one.conversation = one.peer.conversation = None
