"""From captured frames to exchanges: packets, reassembly and pairing put together."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from shadow.model import Exchange, Fate, Settled, authority
from shadow.wire.datagrams import Datagrams
from shadow.wire.delivery import Bounds
from shadow.wire.direction import Conversation
from shadow.wire.http1 import Limits
from shadow.wire.listener import Link
from shadow.wire.numbering import Numbering
from shadow.wire.packet import (
    ACK,
    ETHERNET,
    FIN,
    LEAST_BYTES,
    RST,
    SYN,
    TCP_OVER_IPV4,
    Dissector,
    FlowKey,
    flow_ends,
)
from shadow.wire.pcap import Record
from shadow.wire.protocols import Protocols, Spoken, datagram_protocols
from shadow.wire.remarks import Remarks, TlsRemarks
from shadow.wire.shard import Shard
from shadow.wire.succession import Decrypting
from shadow.wire.tcp import Reassembler

_MASK = 0xFFFF_FFFF
_CONTROL = SYN | FIN | RST | ACK


class Extraction:
    """Takes frames in captured order, and leaves exchanges in `found` as they complete.

    What was seen but could not be parsed as an exchange is a `Settled` with fate UNPARSED. The caller empties
    `found` as it likes.
    """

    def __init__(
        self,
        tap: str,
        begin: Callable[[float], int],
        *,
        ports: Collection[int] | None = None,
        protocols: Mapping[int, Spoken] | None = None,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        kept_bytes: int = 536_870_912,
        shard: Shard | None = None,
        decryption: Decrypting | None = None,
    ) -> None:
        """`begin` gives the index of the exchange whose request begins at the given Unix time. With `shard`,
        connections that are not in it are left to others.

        With `ports`, nothing is read but what goes from or to one of them, or of those that `protocols` names
        with what is spoken there.
        `kept_bytes` bounds what all unfinished exchanges keep together, give or take a segment of each.
        `decryption` has the secrets of TLS connections; without it they are passed over.
        """
        self.found: list[Exchange | Settled] = []
        self.connection_count = 0
        self._tap = tap
        named = protocols or {}
        wanted = None if ports is None else frozenset([*ports, *named])
        spoken = datagram_protocols(named, wanted)
        self._dissector = Dissector(wanted, frozenset(spoken))
        self._shard = shard
        self._reassembler = Reassembler(self._open, _within(bounds or Bounds(), kept_bytes))
        self._hand_on = self._reassembler.delivery.hand_on
        self._numbering = Numbering(begin, self._reassembler.oldest_wait)
        self._ledger = _Ledger(tap, self._numbering, self.found, kept_bytes)
        self._decryption = decryption
        self._protocols = Protocols(self._ledger, limits, named, decryption)
        self._datagrams = Datagrams(
            spoken, self._link, self._ledger, self._protocols.queries, limits or Limits()
        )

    def take(self, time: float, link: int, frame: bytes) -> None:
        """Takes a frame of link type `link`, captured at Unix time `time`."""
        segment = self._dissector.segment(link, frame)
        if segment is not None:
            if self._shard is None or self._shard.has(segment[0][0]):
                self._reassembler.take(segment, time)
                if self._numbering.queue:
                    self._numbering.advance(self.found)
        elif self._dissector.datagram is not None:
            self._take_datagram(time)

    def take_all(self, records: Sequence[Record]) -> None:
        """Takes many frames, as `take` does: what most of them are, the next segment of a connection that is
        known, is read here, for every call would cost more than all of that."""
        if self._shard is not None:
            records = self._shard.of(records)
        unpack, known, hand_on = TCP_OVER_IPV4.unpack_from, self._reassembler.untagged, self._hand_on
        waiting = self._numbering.queue
        packets, time = 0, None
        for time, link, frame in records:
            if link != ETHERNET or len(frame) < LEAST_BYTES:
                self.take(time, link, frame)
                continue
            kind, version, total, fragment, protocol, ends, seq, ack, offset, flags = unpack(frame, 12)
            one = known.get(ends)
            if (
                one is None
                or seq != one.next_seq
                or flags & _CONTROL != ACK
                or one.waiting
                or kind != 0x0800
                or version != 0x45
                or protocol != 6
                or fragment & 0x3FFF
            ):
                self.take(time, link, frame)
                continue
            start, end = 34 + (offset >> 4) * 4, 14 + total
            if not LEAST_BYTES <= start <= end <= len(frame) or one.peer.next_seq is None:
                self.take(time, link, frame)
                continue
            packets += 1
            one.time, one.ack = time, ack
            if start < end:
                size = end - start
                one.next_seq = (seq + size) & _MASK
                one.position += size
                if one.lacks > size:
                    one.lacks -= size
                    one.withheld.append(frame[start:end])
                    continue
                hand_on(one, frame[start:end], time, ack)
                if waiting:
                    self._numbering.advance(self.found)
        if time is not None:
            self._reassembler.check(time, packets)

    def tick(self, time: float) -> None:
        """No frame was seen until Unix time `time`: what waited too long for one is given up.

        Only a tap of live traffic needs this; otherwise the next frame's time does the same.
        """
        self._reassembler.tick(time)
        self._datagrams.tick(time)
        if self._decryption is not None:
            self._decryption.tick(time)
        self._numbering.advance(self.found)

    def finish(self) -> None:
        """The capture has ended."""
        self._reassembler.finish()
        self._datagrams.finish()
        if self._decryption is not None:
            self._decryption.finish()
        self._numbering.advance(self.found, is_last=True)

    def horizon(self, time: float) -> float:
        """The Unix time before which no request can begin any more, once frames up to `time` were taken."""
        oldest = self._reassembler.oldest_wait()
        return time if oldest is None else min(time, oldest)

    def remarks(self) -> Remarks:
        """What was passed over so far."""
        return Remarks(
            dict(self._ledger.others),
            self._ledger.other_bytes + self._reassembler.skipped_bytes,
            self._reassembler.gap_bytes,
            self._ledger.unread_count,
            self._ledger.unread_why,
            frozenset(self._dissector.unknown_links),
            self._dissector.malformed_count,
            TlsRemarks() if self._decryption is None else self._decryption.remarks(),
        )

    def _open(self, key: FlowKey, is_whole: bool) -> Conversation:
        return self._protocols.open(self._link(key, is_whole=is_whole))

    def _link(self, key: FlowKey, *, is_new: bool = True, is_whole: bool = True) -> Link:
        """Both ends; where they are those of a new conversation, with a number of its own."""
        self.connection_count += is_new
        source, source_port, target, target_port = flow_ends(key)
        sides = (authority(source, source_port), authority(target, target_port))
        return Link(self._tap, sides, self.connection_count, is_whole)

    def _take_datagram(self, time: float) -> None:
        datagram, self._dissector.datagram = self._dissector.datagram, None
        if datagram is not None and (self._shard is None or self._shard.has_datagrams(datagram[0][0])):
            self._datagrams.take(datagram, time)
            self._numbering.advance(self.found)


class _Ledger:
    """What the conversations of one capture found, in the sense of `shadow.wire.listener.Listener`."""

    def __init__(
        self, tap: str, numbering: Numbering, found: list[Exchange | Settled], room_bytes: int
    ) -> None:
        self.begin = numbering.begin
        self._numbering = numbering
        self._found = found
        self.others: Counter[str] = Counter()
        self.other_bytes = 0
        self.unread_count = 0
        self.unread_why = ""
        self._tap = tap
        self._room_bytes = room_bytes

    def found(self, exchange: Exchange) -> None:
        admitted = self._numbering.admit(exchange)
        if admitted is not None:
            self._found.append(admitted)

    def unparsed(self, why: str, index: int) -> None:
        self._numbering.abandon(index)
        self._found.append(Settled(self._tap, Fate.UNPARSED, 1, why))

    def unread(self, why: str) -> None:
        self.unread_count += 1
        self.unread_why = self.unread_why or why

    def other(self, kind: str, count: int) -> None:
        self.others[kind] += 1
        self.other_bytes += count

    def passed(self, count: int) -> None:
        self.other_bytes += count

    def keep(self, count: int) -> bool:
        self._room_bytes -= count
        return self._room_bytes >= 0


def _within(bounds: Bounds, kept_bytes: int) -> Bounds:
    """`bounds` that withhold little beside what may be kept: withheld bytes are not counted as such."""
    room = min(bounds.withheld_bytes, kept_bytes // 8)
    each = min(bounds.withheld_bytes_per_direction, room // 16)
    return msgspec.structs.replace(bounds, withheld_bytes=room, withheld_bytes_per_direction=each)
