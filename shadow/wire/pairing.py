"""From the bytes of both sides of one connection to its exchanges.

Where bytes of a request are missing, the exchange is unparsed; where bytes of a response are, it is cut, or
None when its head is among them. After a gap the next message is looked for at the start of a segment.
"""

from shadow.model import field
from shadow.wire.answering import Answering
from shadow.wire.asking import Asking
from shadow.wire.direction import Conversation, End
from shadow.wire.http1 import Limits
from shadow.wire.listener import Link, Listener, settle
from shadow.wire.opening import Opening, Piece
from shadow.wire.succession import Succession
from shadow.wire.unanswered import Asked, Unanswered, Unmatched, is_after

_MASK = 0xFFFF_FFFF
_MAX_HELD_BYTES = 1_048_576

_NO_REQUEST = "a response without its request"


class Pairing:
    """One connection's conversation over HTTP/1, in the sense of `shadow.wire.direction.Conversation`.

    Where it turns out to be, or becomes, another protocol's, `succession` gives who reads on.
    """

    def __init__(
        self,
        link: Link,
        listener: Listener,
        limits: Limits | None = None,
        succession: Succession | None = None,
    ) -> None:
        self._link = link
        self._listener = listener
        self._succession = succession
        self._successor: Conversation | None = None
        self._opening = Opening(is_whole=link.is_whole)
        self._client: int | None = None
        self._asked = Unanswered(self._settle)
        limits = limits or Limits()
        self._asking = Asking(self._asked, listener, limits, settle=self._settle, keep=self._keep)
        self._answering = Answering(self._asked, listener, limits, settle=self._settle, keep=self._keep)
        self._held: tuple[list[Piece], list[Piece]] = ([], [])
        """By side: the client's after a request that may switch protocols; the server's before its own."""
        self._held_bytes = 0
        self._may_hold = True
        self._is_over = False
        self._ended: dict[int, End] = {}

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> int:
        if side == self._client:
            self._take_client(payload, time, seq, ack)
        elif self._client is not None:
            self._take_server(payload, time, seq, ack)
        elif self._successor is None:
            self._open(side, payload, time, seq, ack)
        else:
            return self._successor.take(side, payload, time, seq, ack)
        if self._is_over:
            return False
        if self._held_bytes:
            return True
        reader = self._asking.reader if side == self._client else self._answering.reader
        return True if reader is None else reader.lacks or True

    def skip(self, side: int, count: int, time: float) -> int:
        if self._successor is not None:
            return self._successor.skip(side, count, time)
        if self._client is None:
            self._opening.skip(side, count, time)
        elif side == self._client:
            self._skip_client(count, time)
        else:
            self._skip_server(count, time)
        return not self._is_over

    def end(self, side: int, how: End) -> None:
        self._ended[side] = how
        if self._successor is not None:
            self._successor.end(side, how)
        elif self._client is None:
            if len(self._ended) == 2 and self._opening.skipped_bytes:
                self._listener.other(self._opening.kind, self._opening.skipped_bytes)
        elif side == self._client:
            self._asking.end()
        elif not self._held[side]:
            self._answering.end(how)
        if self._successor is None and self._client is not None and len(self._ended) == 2:
            self._settle_rest(self._ended[1 - self._client])

    def _open(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> None:
        pieces = self._opening.take(side, payload, time, seq, ack)
        self._client = self._opening.client
        if self._opening.is_hopeless:
            self._begin_other()
            return
        if self._client is not None and self._opening.is_blind:
            self._asking.is_lost = True
            self._asked.lose_responses(may_miss_requests=True)
        self._replay(pieces)

    def _begin_other(self) -> None:
        """It is not HTTP/1 that is spoken here."""
        opening = self._opening
        if self._succession is not None:
            self._successor = self._succession.begin(opening.kind, self._link)
        if self._successor is None:
            self._listener.other(opening.kind, opening.skipped_bytes)
            self._is_over = True
            return
        given = _bytes_in(opening.pieces)
        if opening.skipped_bytes > given:
            self._listener.passed(opening.skipped_bytes - given)
        self._hand_over(opening.pieces)

    def _hand_over(self, pieces: list[Piece]) -> None:
        """The successor hears what is known, and the ends that were seen before it came."""
        self._replay(pieces)
        for side, how in self._ended.items():
            if self._successor is not None:
                self._successor.end(side, how)

    def _replay(self, pieces: list[Piece]) -> None:
        for at, piece in enumerate(pieces):
            if self._is_over:
                self._listener.passed(_bytes_in(pieces[at:]))
                return
            self._is_over = not self._read(piece)

    def _read(self, piece: Piece) -> int:
        side, payload, time, seq, ack = piece
        if payload is None:
            return self.skip(side, seq, time)
        return self.take(side, payload, time, seq, ack)

    def _take_client(self, payload: bytes, time: float, seq: int, ack: int) -> None:
        client = self._client or 0
        rest = self._asking.take(payload, time, seq, ack)
        if rest is not None:
            self._hold((client, rest[0], time, rest[1], ack))
        elif self._held[1 - client]:
            self._release(1 - client)

    def _skip_client(self, count: int, time: float) -> None:
        client = self._client or 0
        if self._asking.may_switch:
            self._hold((client, None, time, count, 0))
            return
        self._asking.skip(count)
        self._release(1 - client)

    def _take_server(self, payload: bytes, time: float, seq: int, ack: int) -> None:
        server = 1 - (self._client or 0)
        if self._held[server]:
            self._hold((server, payload, time, seq, ack))
            return
        while payload:
            if self._answering.reader is None:
                payload, seq = _without_blank_lines(payload, seq)
                if not b"HTTP/".startswith(payload[:5]):
                    self._answering.pass_over(len(payload))
                    return
                if not payload:
                    return
                answered = self._match(seq & _MASK, ack)
                if answered is None:
                    self._hold((server, payload, time, seq, ack))
                    return
                rest = self._answering.begin(answered, payload, time)
                seq += len(payload) - len(rest)
                payload = rest
                if self._answering.reader is None:
                    self._stay()
                    continue
            reader = self._answering.take(payload, time)
            if reader is None:
                if self._answering.is_lost:
                    self._stay()
                return
            seq += len(payload) - len(reader.surplus)
            payload = reader.surplus
            if reader.is_tunnel:
                self._switch(reader.method, (server, payload, time, seq, ack))
                return
            self._stay()

    def _skip_server(self, count: int, time: float) -> None:
        server = 1 - (self._client or 0)
        if self._held[server]:
            self._hold((server, None, time, count, 0))
        elif self._answering.skip(count):
            self._stay()

    def _match(self, seq: int, ack: int) -> Asked | None:
        """What the response that begins at `seq` answers; None where that is still to be read.

        A response that answers nothing gets a request of its own, which says so.
        """
        next_seq = self._asking.next_seq
        is_behind = self._may_hold and (next_seq is None or is_after(ack, next_seq))
        found = self._asked.match(seq, ack, is_behind=is_behind)
        if isinstance(found, Asked):
            return found
        if found is Unmatched.LATER:
            if not self._opening.is_whole:
                # Its request may have been sent before the capture began.
                self._asked.lose_responses(may_miss_requests=True)
            return None
        return _nobody(_NO_REQUEST if found is Unmatched.ORPHAN else "")

    def _stay(self) -> None:
        """The request that might have switched protocols was answered otherwise: the client goes on."""
        if self._asking.may_switch and not self._asked:
            self._asking.may_switch = False
            self._release(self._client or 0)

    def _switch(self, method: bytes, rest: Piece) -> None:
        """What follows is another protocol's; inside a CONNECT tunnel it may be HTTP again."""
        held = list(self._held[self._client or 0])
        self._held[self._client or 0].clear()
        self._held_bytes -= _bytes_in(held)
        self._asking.may_switch = False
        if method != b"CONNECT":
            self._settle_rest(End.CLOSED)
            self._successor = self._upgraded()
            if self._successor is not None:
                self._client = None
                self._hand_over([*held, rest] if rest[1] else held)
                return
            self._listener.passed(_bytes_in([*held, rest]))
            self._is_over = True
            return
        self._client = self._asking.next_seq = None
        self._opening = Opening(is_whole=True)
        self._replay([*held, rest] if rest[1] else held)

    def _upgraded(self) -> Conversation | None:
        """Who hears what follows the last answer, which switched protocols."""
        asked = self._answering.last
        if self._succession is None or asked is None or asked.why:
            return None
        if asked.request is None or asked.response is None:
            return None
        client = self._client or 0
        exchange = self._link.exchange(
            client, asked.index, asked.time, asked.request, asked.response, answered_at=asked.answered_at
        )
        upgrade = (field(asked.response.headers, b"upgrade") or b"").strip().lower()
        return self._succession.switch(upgrade, self._link, client, exchange)

    def _hold(self, piece: Piece) -> None:
        self._held[piece[0]].append(piece)
        self._held_bytes += len(piece[1] or b"")
        if self._held_bytes > _MAX_HELD_BYTES:
            self._asking.may_switch = self._may_hold = False
            self._release(piece[0])

    def _release(self, side: int) -> None:
        """Reads what was held of `side`, as far as that can be read now."""
        held = list(self._held[side])
        if not held:
            return
        self._held[side].clear()
        self._held_bytes -= _bytes_in(held)
        for at, piece in enumerate(held):
            if self._is_over:
                self._listener.passed(_bytes_in(held[at:]))
                return
            self._is_over = not self._read(piece) or self._is_over
            if self._held[side]:
                self._held[side].extend(held[at + 1 :])
                self._held_bytes += _bytes_in(held[at + 1 :])
                return

    def _settle_rest(self, how: End) -> None:
        """Nothing more will come."""
        self._may_hold = self._asking.may_switch = False
        client = self._client or 0
        self._release(client)
        self._release(1 - client)
        self._asking.end()
        self._answering.end(how)
        self._asked.settle_all()

    def _settle(self, asked: Asked) -> None:
        settle(asked, self._link, self._client or 0, self._listener)

    def _keep(self, asked: Asked | None, count: int) -> None:
        """Counts what an unfinished exchange keeps; where all keep too much, this one keeps no more."""
        if asked is None or not count:
            return
        asked.kept_bytes += count
        if not self._listener.keep(count) and count > 0:
            self._asking.stop_keeping()
            self._answering.stop_keeping()


def _bytes_in(pieces: list[Piece]) -> int:
    return sum(len(piece[1] or b"") for piece in pieces)


def _nobody(why: str) -> Asked:
    """Stands for the request of a response that answers none; with no reason given it leaves no trace."""
    nobody = Asked(0, 0.0, 0, 0)
    nobody.method = b"GET"
    nobody.is_settled = not why
    nobody.why = why or "paired with none"
    return nobody


def _without_blank_lines(payload: bytes, seq: int) -> tuple[bytes, int]:
    if payload[:1] not in (b"\r", b"\n"):
        return payload, seq
    rest = payload.lstrip(b"\r\n")
    return rest, seq + len(payload) - len(rest)
