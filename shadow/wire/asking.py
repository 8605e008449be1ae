"""The client's side of one connection: its requests, from where each begins to where it ends."""

from collections.abc import Callable

from shadow.model import Request
from shadow.wire.http1 import Limits, RequestReader
from shadow.wire.http1_begin import begin_request
from shadow.wire.http1_head import RequestHead
from shadow.wire.listener import Listener
from shadow.wire.opening import Speaker, speaker
from shadow.wire.unanswered import Asked, Unanswered

_MASK = 0xFFFF_FFFF

_NOT_CAPTURED = "bytes of the request were not captured"
_CUT = "the connection ended inside the request"
_TOO_LONG = "the request is longer than may be kept"


class Asking:
    """What the client says. The requests go to `asked`, where the responses find them."""

    def __init__(
        self,
        asked: Unanswered,
        listener: Listener,
        limits: Limits,
        *,
        settle: Callable[[Asked], None],
        keep: Callable[[Asked | None, int], None],
    ) -> None:
        """`settle` is told each request of which all is known, `keep` how many more bytes one keeps."""
        self._asked = asked
        self._listener = listener
        self._limits = limits
        self._settle = settle
        self._keep = keep
        self._current: Asked | None = None
        """The request that is being read."""
        self.reader: RequestReader | None = None
        """None between two requests."""
        self.next_seq: int | None = None
        """The sequence number after the last byte that was read."""
        self.is_lost = False
        """The next request must be looked for: bytes before it are missing, or no HTTP."""
        self.may_switch = False
        """The last request asks for another protocol: what follows it is read once that is answered."""

    def take(self, payload: bytes, time: float, seq: int, ack: int) -> tuple[bytes, int] | None:
        """Reads the client's next bytes; what must wait of them, with its sequence number, if anything."""
        while payload:
            if self.may_switch:
                return payload, seq
            reader = self.reader
            if reader is None:
                if self.is_lost and speaker(payload) is not Speaker.CLIENT:
                    self._listener.passed(len(payload))
                    seq += len(payload)
                    break
                self.is_lost = False
                begun = begin_request(payload, self._limits)
                if begun is not None:
                    head, found, rest = begun
                    self._begin(head, found, time, seq, ack)
                    seq += len(payload) - len(rest)
                    payload = rest
                    continue
                self.reader = reader = RequestReader(
                    max_head_bytes=self._limits.max_head_bytes, max_body_bytes=self._limits.max_body_bytes
                )
            request = reader.feed(payload)
            self._follow(reader, time, seq, ack)
            seq += len(payload) - len(reader.surplus)
            if request is None:
                self._keep(self._current, len(payload))
                if reader.error is not None:
                    self._cut(reader.error)
                break
            payload = reader.surplus
            self._complete(request, reader)
        self.next_seq = seq & _MASK
        return None

    def skip(self, count: int) -> None:
        """`count` bytes of the client were not captured."""
        reader, current = self.reader, self._current
        if self.next_seq is not None:
            self.next_seq = (self.next_seq + count) & _MASK
        if reader is None or current is None or not reader.skip(count):
            self._cut(_NOT_CAPTURED)
            return
        current.why = _NOT_CAPTURED
        request = reader.completed()
        if request is not None:
            self._complete(request, reader)

    def end(self) -> None:
        """The client says nothing more."""
        self._cut(_CUT)

    def stop_keeping(self) -> None:
        """Keeps no more bytes of the request that is being read."""
        if self.reader is not None:
            self.reader.skip(0)

    def _follow(self, reader: RequestReader, time: float, seq: int, ack: int) -> None:
        """Notices where a request begins, and where its head is complete."""
        current = self._current
        if current is None and reader.has_begun:
            self._current = current = Asked(self._listener.begin(time), time, seq & _MASK, ack)
            self._asked.add(current)
        if current is not None and not current.method:
            head = reader.head
            if head is not None:
                current.method = head.method

    def _begin(
        self, head: RequestHead, found: Request | RequestReader, time: float, seq: int, ack: int
    ) -> None:
        """Takes a request of which the whole head, or all, was read at once."""
        asked = Asked(self._listener.begin(time), time, seq & _MASK, ack)
        asked.method = head.method
        self._asked.add(asked)
        if isinstance(found, RequestReader):
            self.reader, self._current = found, asked
            return
        asked.request = found
        if found.body:
            self._keep(asked, len(found.body))
        self.may_switch = head.asks_upgrade

    def _complete(self, request: Request, reader: RequestReader) -> None:
        current = self._current
        assert current is not None
        self._current = self.reader = None
        if reader.is_cut and not current.why:
            current.why = _TOO_LONG
        current.request = request
        self._keep(current, len(request.body) - current.kept_bytes)
        head = reader.head
        self.may_switch = head is not None and head.asks_upgrade and not current.is_answered
        if current.is_answered or current.is_settled:  # then it gives back what it has kept since
            self._settle(current)

    def _cut(self, why: str) -> None:
        """The request that is being read cannot be read to its end; the next one must be looked for."""
        current, self._current, self.reader = self._current, None, None
        self.is_lost = True
        self._asked.lose_requests()
        if current is None:
            return
        current.why = current.why or why
        if current.is_answered or current.is_settled:  # then it gives back what it has kept since
            self._settle(current)
