"""From captured frames to exchanges: packets, reassembly and pairing put together."""

from collections import Counter
from collections.abc import Callable, Container

from shadow.model import Exchange, Fate, Settled
from shadow.wire.delivery import Bounds
from shadow.wire.direction import Conversation
from shadow.wire.http1 import Limits
from shadow.wire.listener import Link
from shadow.wire.numbering import Numbering
from shadow.wire.packet import Dissector, FlowKey, flow_ends
from shadow.wire.protocols import Protocols
from shadow.wire.tcp import Reassembler
from shadow.wire.tls_decryption import Decryption


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
        ports: Container[int] | None = None,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        kept_bytes: int = 536_870_912,
        decryption: Decryption | None = None,
    ) -> None:
        """`begin` gives the index of the exchange whose request begins at the given Unix time.

        `kept_bytes` bounds what all unfinished exchanges keep together, give or take a segment of each.
        `decryption` has the secrets of TLS connections; without it they are passed over.
        """
        self.found: list[Exchange | Settled] = []
        self.connection_count = 0
        self._tap = tap
        self._dissector = Dissector(ports)
        self._reassembler = Reassembler(self._open, bounds)
        self._numbering = Numbering(begin, self._reassembler.oldest_wait)
        self._ledger = _Ledger(tap, self._numbering, self.found, kept_bytes)
        self._decryption = decryption
        self._protocols = Protocols(self._ledger, limits, decryption)

    def take(self, time: float, link: int, frame: bytes) -> None:
        """Takes a frame of link type `link`, captured at Unix time `time`."""
        segment = self._dissector.segment(link, frame)
        if segment is not None:
            self._reassembler.take(segment, time)
            if not self._numbering.is_idle:
                self._numbering.advance(self.found)

    def tick(self, time: float) -> None:
        """No frame was seen until Unix time `time`: what waited too long for one is given up.

        Only a tap of live traffic needs this; otherwise the next frame's time does the same.
        """
        self._reassembler.tick(time)
        if self._decryption is not None:
            self._decryption.tick(time)
        self._numbering.advance(self.found)

    def finish(self) -> None:
        """The capture has ended."""
        self._reassembler.finish()
        if self._decryption is not None:
            self._decryption.finish()
        self._numbering.advance(self.found, is_last=True)

    @property
    def gap_bytes(self) -> int:
        """How many bytes of HTTP connections were not captured."""
        return self._reassembler.gap_bytes

    @property
    def other_bytes(self) -> int:
        """Payload of TCP connections, or of parts of them, that was no HTTP/1."""
        return self._ledger.other_bytes + self._reassembler.skipped_bytes

    @property
    def others(self) -> Counter[str]:
        """How many connections were no HTTP/1, by kind: ``"TLS"``, ``"SSH"``, ``"HTTP/2"``, ``"other"``."""
        return self._ledger.others

    @property
    def unread(self) -> tuple[int, str]:
        """How many responses could not be parsed, and why the first could not."""
        return self._ledger.unread_count, self._ledger.unread_why

    @property
    def unknown_links(self) -> set[int]:
        """Link types of frames that could not be read."""
        return self._dissector.unknown_links

    @property
    def malformed_count(self) -> int:
        """How many frames end inside their own headers."""
        return self._dissector.malformed_count

    def _open(self, key: FlowKey, is_whole: bool) -> Conversation:
        self.connection_count += 1
        source, source_port, target, target_port = flow_ends(key)
        sides = (_authority(source, source_port), _authority(target, target_port))
        return self._protocols.open(Link(self._tap, sides, self.connection_count, is_whole))


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


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
