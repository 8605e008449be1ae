"""TCP reassembly: segments in captured order go in, each direction's bytes come out in sent order.

Sequence numbers are compared modulo 2^32 (RFC 9293 §3.4).
"""

from collections.abc import Callable

from shadow.wire.delivery import Bounds, Delivery
from shadow.wire.direction import Conversation, Direction, End, distance
from shadow.wire.packet import ACK, FIN, RST, SYN, FlowKey, Segment, reverse

_MASK = 0xFFFF_FFFF
_PACKETS_PER_CHECK = 1024
_PACKETS_PER_SWEEP = 16_384


class Reassembler:
    """Follows every connection. Memory is bounded by `bounds`; what it gives up is told as gaps."""

    def __init__(
        self, open_conversation: Callable[[FlowKey, bool], Conversation], bounds: Bounds | None = None
    ) -> None:
        """`open_conversation` is given the key of the direction that was seen first, and whether the
        connection is seen from its first byte."""
        self._open_conversation = open_conversation
        self._bounds = bounds or Bounds()
        self.delivery = Delivery(self._bounds)
        self._directions: dict[FlowKey, Direction] = {}
        self.untagged: dict[bytes, Direction] = {}
        """Those of flows without tags once more, by addresses and ports alone."""
        self._packets = self._swept_at = 0

    @property
    def gap_bytes(self) -> int:
        """How many bytes were told as gaps."""
        return self.delivery.gap_bytes

    @property
    def skipped_bytes(self) -> int:
        """Payload of connections that nobody wanted to hear more of."""
        return self.delivery.skipped_bytes

    def take(self, segment: Segment, time: float) -> None:
        """Takes the next captured segment, seen at Unix time `time`."""
        key, seq, ack, flags, payload, lost = segment
        one = self._directions.get(key)
        if one is not None and seq == one.resumes_at and payload and not flags & (SYN | RST):
            # Whoever sent RST goes on all the same: packets were captured out of order.
            self._drop(key)
            one = None
        if one is None:
            if flags & RST or not (payload or lost or flags & SYN) or key == reverse(key):
                return
            one = self._open(key, is_whole=bool(flags & SYN))
        self._packets += 1
        if not self._packets % _PACKETS_PER_CHECK:
            self.check(time)
        one.time = time
        if flags & (SYN | FIN | RST):
            self._take_control(one, segment, time)
            return
        if flags & ACK:
            one.ack = ack
        if not payload and not lost:
            if one.peer.next_seq is None and flags & ACK:
                one.peer.next_seq = ack
            return
        if seq == one.next_seq and not one.waiting and not lost:
            size = len(payload)
            one.next_seq = (seq + size) & _MASK
            one.position += size
            self.delivery.hand_on(one, payload, time, ack)
            return
        self.delivery.take(one, segment, time)

    def check(self, time: float, packets: int = 0) -> None:
        """Gives up holes whose time is over; now and then also connections.

        `packets` are those that were read past `take`, since the last call.
        """
        self._packets += packets
        self.delivery.give_up(time)
        if self._packets - self._swept_at >= _PACKETS_PER_SWEEP:
            self._swept_at = self._packets
            self._sweep(time)

    def tick(self, time: float) -> None:
        """Nothing was seen until Unix time `time`: gives up holes and connections whose time is over."""
        self.delivery.give_up(time)
        self._sweep(time)

    def finish(self) -> None:
        """The capture has ended: every connection is told so."""
        for one in list(self._directions.values()):
            if one.side == 0:
                self.delivery.end(one, End.LOST)
        self._directions.clear()
        self.untagged.clear()

    def oldest_wait(self) -> float | None:
        """The Unix time since when segments have been waiting for missing ones; None where none waits."""
        return self.delivery.oldest_wait()

    def _open(self, key: FlowKey, *, is_whole: bool) -> Direction:
        if len(self._directions) >= 2 * self._bounds.flows:
            self._evict()
        conversation = self._open_conversation(key, is_whole)
        one, peer = Direction(0), Direction(1)
        one.peer, peer.peer = peer, one
        one.conversation = peer.conversation = conversation
        back = reverse(key)
        self._directions[key] = one
        self._directions[back] = peer
        if not key[1]:
            self.untagged[key[0]] = one
            self.untagged[back[0]] = peer
        return one

    def _take_control(self, one: Direction, segment: Segment, time: float) -> None:
        """Takes a segment that opens or ends its direction."""
        key, seq, ack, flags, payload, lost = segment
        if flags & RST:
            self.delivery.end(one, End.RESET)
            return
        if flags & SYN:
            if not one.is_continued_by(seq):
                self._forget(key, one)
                one = self._open(key, is_whole=True)
                one.time = time
            one.isn = seq
            seq = (seq + 1) & _MASK
            if one.next_seq is None:
                one.next_seq = seq
            if flags & ACK and one.peer.next_seq is None:
                one.peer.next_seq = ack
        if flags & ACK:
            one.ack = ack
        if one.is_finished:
            return
        if payload or lost:
            self.delivery.take(one, (key, seq, ack, flags, payload, lost), time)
        if flags & FIN:
            if one.next_seq is None:
                one.next_seq = seq
            end = one.position + distance(one.next_seq, seq) + len(payload) + lost
            self.delivery.take_fin(one, end, time, ack)

    def _sweep(self, time: float) -> None:
        bounds = self._bounds
        for key, one in list(self._directions.items()):
            if one.side == 0:
                idle = time - max(one.time, one.peer.time)
                is_closed = one.is_finished and one.peer.is_finished
                if idle > (bounds.closed_seconds if is_closed else bounds.idle_seconds):
                    self._forget(key, one)

    def _evict(self) -> None:
        """Forgets the quarter of all connections that was silent for longest."""
        firsts = [
            (max(one.time, one.peer.time), key) for key, one in self._directions.items() if one.side == 0
        ]
        firsts.sort(key=lambda pair: pair[0])
        for _, key in firsts[: max(len(firsts) // 4, 1)]:
            self._forget(key, self._directions[key])

    def _forget(self, key: FlowKey, one: Direction) -> None:
        self.delivery.end(one, End.LOST)
        self._drop(key)

    def _drop(self, key: FlowKey) -> None:
        back = reverse(key)
        del self._directions[key], self._directions[back]
        if not key[1]:
            del self.untagged[key[0]], self.untagged[back[0]]
