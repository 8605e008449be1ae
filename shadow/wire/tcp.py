"""TCP reassembly: segments in captured order go in, each direction's bytes come out in sent order.

Overlaps: bytes delivered first are final; of segments that wait, the one that begins earlier wins, and of two
with one beginning the first captured. Sequence numbers are compared modulo 2^32 (RFC 9293 §3.4). Bytes that
never come are told as a gap and never made up.
"""

from collections.abc import Callable
from enum import Enum
from heapq import heappop, heappush
from typing import Protocol

import msgspec

from shadow.wire.packet import ACK, FIN, RST, SYN, FlowKey, Segment, reverse

_MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000
_ENTRY_BYTES = 256
"""What a waiting segment costs besides its payload."""
_PACKETS_PER_CHECK = 1024
_PACKETS_PER_SWEEP = 16_384


class End(Enum):
    """How a direction ended."""

    CLOSED = "closed"
    """FIN: everything was sent."""
    RESET = "reset"
    LOST = "lost"
    """The capture ended, or nothing was seen for long."""


class Conversation(Protocol):
    """Hears what both sides of one connection said. Side 0 is the one whose segment was seen first."""

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> bool:
        """The next bytes of `side`, with the sequence number of the first. False: it need hear no more."""
        ...

    def skip(self, side: int, count: int, time: float) -> bool:
        """`count` bytes of `side` were not captured. False: it need hear no more."""
        ...

    def end(self, side: int, how: End) -> None: ...


class Bounds(msgspec.Struct, frozen=True):
    """What the reassembler may hold, and how long it waits for a missing segment, in captured time."""

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


class _Half:
    """One direction of a connection."""

    __slots__ = (
        "ack", "conversation", "fin", "hole_packets", "hole_time", "is_finished", "isn", "next_seq", "peer",
        "position", "resumes_at", "side", "time", "waiting", "waiting_bytes",
    )  # fmt: skip

    def __init__(self, side: int) -> None:
        self.side = side
        self.peer: _Half
        self.conversation: Conversation | None
        self.time = 0.0
        self.isn: int | None = None
        self.next_seq: int | None = None
        self.position = 0
        """How many bytes were delivered or skipped: `next_seq` without wrapping around."""
        self.ack: int | None = None
        self.fin: int | None = None
        """The position at which the direction ends, once its FIN was seen."""
        self.is_finished = False
        self.resumes_at = -1
        """After a reset, the sequence number of the next byte that was not sent yet."""
        self.waiting: list[tuple[int, int, bytes, float, int, int]] = []
        """A heap: position, order of arrival, payload, time, ack, bytes lost after the payload."""
        self.waiting_bytes = 0
        self.hole_time = 0.0
        self.hole_packets = 0


class Reassembler:
    """Follows every connection. Memory is bounded by `bounds`; what it gives up is told as gaps."""

    def __init__(
        self, open_conversation: Callable[[FlowKey, bool], Conversation], bounds: Bounds | None = None
    ) -> None:
        """`open_conversation` is given the key of the direction that was seen first, and whether the
        connection is seen from its first byte."""
        self._open_conversation = open_conversation
        self._bounds = bounds or Bounds()
        self._halves: dict[FlowKey, _Half] = {}
        self._holed: dict[FlowKey, float] = {}
        """Directions in which segments wait, and since when; in the order in which that began."""
        self._waiting_bytes = 0
        self._packets = 0
        self.gap_bytes = 0
        self.skipped_bytes = 0
        """Payload of connections that nobody wanted to hear more of."""

    def take(self, segment: Segment, time: float) -> None:
        """Takes the next captured segment, seen at Unix time `time`."""
        key, seq, ack, flags, payload, lost = segment
        half = self._halves.get(key)
        if half is not None and seq == half.resumes_at and payload and not flags & (SYN | RST):
            self._forget_both(
                key
            )  # whoever sent RST goes on all the same: packets were captured out of order
            half = None
        if half is None:
            if flags & RST or not (payload or lost or flags & SYN) or key == reverse(key):
                return
            half = self._open(key, is_whole=bool(flags & SYN))
        self._packets += 1
        if not self._packets % _PACKETS_PER_CHECK:
            self._check(time)
        half.time = time
        if flags & (SYN | FIN | RST):
            self._take_control(key, half, segment, time)
            return
        if flags & ACK:
            half.ack = ack
        if not payload and not lost:
            if half.peer.next_seq is None and flags & ACK:
                half.peer.next_seq = ack
            return
        if seq == half.next_seq and not half.waiting and not lost:
            size = len(payload)
            half.next_seq = (seq + size) & _MASK
            half.position += size
            if half.conversation is None:
                self.skipped_bytes += size
            elif not half.conversation.take(half.side, payload, time, seq, ack):
                half.conversation = half.peer.conversation = None
            return
        self._take_data(key, half, segment, time)

    def tick(self, time: float) -> None:
        """Nothing was seen until Unix time `time`: gives up holes and connections whose time is over."""
        self._check_holes(time)
        self._sweep(time)

    def finish(self) -> None:
        """The capture has ended: every connection is told so."""
        for key, half in list(self._halves.items()):
            if half.side == 0:
                self._end(key, half, End.LOST)
        self._halves.clear()

    def oldest_wait(self) -> float | None:
        """The Unix time since when segments have been waiting for missing ones; None where none waits."""
        if not self._holed:
            return None
        return next(iter(self._holed.values()))

    def _open(self, key: FlowKey, *, is_whole: bool) -> _Half:
        if len(self._halves) >= 2 * self._bounds.flows:
            self._evict()
        conversation = self._open_conversation(key, is_whole)
        half, peer = _Half(0), _Half(1)
        half.peer, peer.peer = peer, half
        half.conversation = peer.conversation = conversation
        self._halves[key] = half
        self._halves[reverse(key)] = peer
        return half

    def _take_control(self, key: FlowKey, half: _Half, segment: Segment, time: float) -> None:
        _, seq, ack, flags, payload, lost = segment
        if flags & RST:
            self._end(key, half, End.RESET)
            return
        if flags & SYN:
            if not _continues(half, seq):
                self._end(key, half, End.LOST)
                self._forget_both(key)
                half = self._open(key, is_whole=True)
                half.time = time
            half.isn = seq
            seq = (seq + 1) & _MASK
            if half.next_seq is None:
                half.next_seq = seq
            if flags & ACK and half.peer.next_seq is None:
                half.peer.next_seq = ack
        if flags & ACK:
            half.ack = ack
        if half.is_finished:
            return
        if payload or lost:
            self._take_data(key, half, (key, seq, ack, flags, payload, lost), time)
        if flags & FIN:
            if half.next_seq is None:
                half.next_seq = seq
            half.fin = half.position + _distance(half.next_seq, seq) + len(payload) + lost
            if half.fin > half.position:  # waits in its place, so that the end is noticed when it is reached
                self._begin_hole(key, half, time)
                self._hold(half, (half.fin, self._packets, b"", time, ack, 0))
            self._drain(key, half, time)

    def _take_data(self, key: FlowKey, half: _Half, segment: Segment, time: float) -> None:
        _, seq, ack, flags, payload, lost = segment
        if half.is_finished:
            return
        if half.next_seq is None or self._is_wrong_guess(half, seq):
            half.next_seq = seq
        if half.peer.next_seq is None and flags & ACK:
            half.peer.next_seq = ack
        ahead = _distance(half.next_seq, seq)
        if ahead + len(payload) + lost <= 0:
            return  # a retransmit, or a keep-alive probe (RFC 9293 §3.8.4)
        if ahead > 0 and half.conversation is not None:
            self._begin_hole(key, half, time)
            self._hold(half, (half.position + ahead, self._packets, payload, time, ack, lost))
        else:
            self._deliver(half, half.position + ahead, payload, time, ack, lost)
        if half.waiting:
            half.hole_packets += 1
            self._drain(key, half, time)

    def _begin_hole(self, key: FlowKey, half: _Half, time: float) -> None:
        if not half.waiting:
            half.hole_time, half.hole_packets = time, 0
            self._holed[key] = time

    def _is_wrong_guess(self, half: _Half, seq: int) -> bool:
        """Whether nothing but the other side's first acknowledgement told where `half` goes on, and that
        cannot be: it is how a capture that begins inside a connection learns what it missed."""
        if half.position or half.isn is not None or half.next_seq is None:
            return False
        return not 0 <= _distance(half.next_seq, seq) < self._bounds.waiting_bytes_per_direction

    def _hold(self, half: _Half, entry: tuple[int, int, bytes, float, int, int]) -> None:
        heappush(half.waiting, entry)
        cost = len(entry[2]) + _ENTRY_BYTES
        half.waiting_bytes += cost
        self._waiting_bytes += cost

    def _deliver(self, half: _Half, start: int, payload: bytes, time: float, ack: int, lost: int) -> None:
        """Delivers what of a segment at position `start` is new, and tells what is missing before it."""
        assert half.next_seq is not None
        old = half.position - start
        end = start + len(payload) + lost
        if end <= half.position:
            return
        if old < 0:
            self._skip_to(half, start, time)
        fresh = payload[old:] if old > 0 else payload
        if fresh:
            seq = half.next_seq
            half.next_seq = (seq + len(fresh)) & _MASK
            half.position += len(fresh)
            if half.conversation is None:
                self.skipped_bytes += len(fresh)
            elif not half.conversation.take(half.side, fresh, time, seq, ack):
                half.conversation = half.peer.conversation = None
        self._skip_to(half, end, time)

    def _skip_to(self, half: _Half, position: int, time: float) -> None:
        """Tells the bytes up to `position` as a gap, if there are any."""
        gap = position - half.position
        if gap <= 0:
            return
        assert half.next_seq is not None
        half.next_seq = (half.next_seq + gap) & _MASK
        half.position = position
        if half.conversation is not None:
            self.gap_bytes += gap
            if not half.conversation.skip(half.side, gap, time):
                half.conversation = half.peer.conversation = None

    def _drain(self, key: FlowKey, half: _Half, time: float) -> None:
        """Delivers waiting segments as far as they follow, and beyond a hole that is given up."""
        waiting = half.waiting
        while waiting:
            if waiting[0][0] > half.position:
                if not self._is_hole_final(half, time):
                    return
                self._skip_to(half, waiting[0][0], time)
                half.hole_time, half.hole_packets = time, 0
            start, _, payload, seen, ack, lost = heappop(waiting)
            half.waiting_bytes -= len(payload) + _ENTRY_BYTES
            self._waiting_bytes -= len(payload) + _ENTRY_BYTES
            self._deliver(half, start, payload, seen, ack, lost)
        self._holed.pop(key, None)
        if half.fin is not None and half.position >= half.fin and not half.is_finished:
            self._finish_half(half, End.CLOSED)

    def _is_hole_final(self, half: _Half, time: float) -> bool:
        bounds, peer = self._bounds, half.peer
        if (
            half.waiting_bytes > bounds.waiting_bytes_per_direction
            or self._waiting_bytes > bounds.waiting_bytes
        ):
            return True
        waited = time - half.hole_time
        if waited > bounds.hole_seconds:
            return True
        assert half.next_seq is not None
        is_acked = (
            peer.ack is not None and _distance(half.next_seq, peer.ack) >= half.waiting[0][0] - half.position
        )
        return is_acked and (
            waited > bounds.acked_hole_seconds or half.hole_packets > bounds.acked_hole_packets
        )

    def _finish_half(self, half: _Half, how: End) -> None:
        half.is_finished = True
        if how is End.RESET and half.next_seq is not None:
            half.resumes_at = half.next_seq
        half.next_seq = -1  # no segment continues here
        if half.conversation is not None:
            half.conversation.end(half.side, how)
            if half.peer.is_finished:
                half.conversation = half.peer.conversation = None

    def _end(self, key: FlowKey, half: _Half, how: End) -> None:
        """Ends both directions; what still waits is delivered, with the gaps before it told."""
        for direction, each in ((reverse(key), half.peer), (key, half)):
            if each.is_finished:
                continue
            while each.waiting:
                start, _, payload, seen, ack, lost = heappop(each.waiting)
                self._waiting_bytes -= len(payload) + _ENTRY_BYTES
                self._skip_to(each, start, seen)
                self._deliver(each, start, payload, seen, ack, lost)
            each.waiting_bytes = 0
            self._holed.pop(direction, None)
            if each.fin is not None:
                self._skip_to(each, each.fin, each.time)
        for each in (half, half.peer):
            if not each.is_finished:
                self._finish_half(each, End.CLOSED if each.fin is not None else how)

    def _check(self, time: float) -> None:
        """Gives up holes whose time is over; now and then also connections."""
        self._check_holes(time)
        if not self._packets % _PACKETS_PER_SWEEP:
            self._sweep(time)

    def _check_holes(self, time: float) -> None:
        for key in list(self._holed):
            self._drain(key, self._halves[key], time)

    def _sweep(self, time: float) -> None:
        bounds = self._bounds
        for key, half in list(self._halves.items()):
            if half.side == 0:
                idle = time - max(half.time, half.peer.time)
                is_closed = half.is_finished and half.peer.is_finished
                if idle > (bounds.closed_seconds if is_closed else bounds.idle_seconds):
                    self._forget(key, half)

    def _evict(self) -> None:
        """Forgets the quarter of all connections that was silent for longest."""
        firsts = [
            (max(half.time, half.peer.time), key) for key, half in self._halves.items() if half.side == 0
        ]
        firsts.sort(key=lambda pair: pair[0])
        for _, key in firsts[: max(len(firsts) // 4, 1)]:
            self._forget(key, self._halves[key])

    def _forget(self, key: FlowKey, half: _Half) -> None:
        self._end(key, half, End.LOST)
        self._forget_both(key)

    def _forget_both(self, key: FlowKey) -> None:
        del self._halves[key], self._halves[reverse(key)]


def _distance(origin: int, seq: int) -> int:
    """How far `seq` is after `origin`; negative where it is before."""
    ahead = (seq - origin) & _MASK
    return ahead if ahead < _HALF else ahead - _MASK - 1


def _continues(half: _Half, seq: int) -> bool:
    """Whether a SYN numbered `seq` belongs to the connection that is known, not to a new one."""
    if half.isn is not None:
        return half.isn == seq
    if half.is_finished:
        return False
    if half.next_seq is None:
        return True
    return _distance(seq, half.next_seq) - 1 == half.position
