"""The streams of one HTTP/2 connection: which are open, which number may come next (RFC 9113 §5.1.1)."""

from collections.abc import Callable, Iterator

from shadow.wire.http2_shape import DATA, HEADERS, PUSH_PROMISE
from shadow.wire.http2_stream import Stream

_MAX_OPEN = 1024
"""More streams than this do not wait for their ends."""
_MAX_CLOSED = 1024
_LEAP = 400
"""So far ahead of the last stream that is known another may be, where a frame is looked for."""
_REQUEST_BYTES = 16
"""Requests are longer than this, nearly all of them: so many may have been missed, and no more."""

_NO_REQUEST = "a response without its request"


class Streams:
    """Streams by number. `settle` is told of each that is taken out."""

    def __init__(self, max_body_bytes: int, settle: Callable[[Stream], None]) -> None:
        self._max_body_bytes = max_body_bytes
        self._settle = settle
        self._open: dict[int, Stream] = {}
        self._closed: dict[int, None] = {}
        """The latest that were closed while one side might still speak."""
        self._early: set[int] = set()
        """Answered before their request was read."""
        self.highest = 0
        """The last stream that the client is known to have opened."""
        self._missed_bytes = 0
        """Of the client, since that one."""
        self._has_missed = False
        """Requests may have been opened that are not known."""

    def get(self, number: int) -> Stream | None:
        return self._open.get(number)

    def is_closed(self, number: int) -> bool:
        """Whether the stream is known to have been closed while one side might still speak."""
        return number in self._closed

    def open(self, number: int) -> Stream | None:
        """The stream of a request that begins, perhaps answered already; None where it cannot be new."""
        early = self._open.get(number)
        is_pushed = number % 2 == 0
        if number in self._closed or (early is None and not is_pushed and number <= self.highest):
            return None
        if not is_pushed:
            self.know(number)
        if early is not None:
            self._early.discard(number)
            return None if early.is_begun else early
        return self._add(number)

    def open_answered(self, number: int) -> Stream:
        """The stream of a response whose request was not read; it may still be, unless later ones were."""
        stream = self._add(number)
        if number % 2 and number > self.highest:
            self._early.add(number)
        else:
            stream.fail(_NO_REQUEST)
        return stream

    def know(self, number: int) -> None:
        """The client speaks on the stream: those before it were opened before, or will never be."""
        if number <= self.highest:
            return
        self.highest = number
        self._missed_bytes = 0
        for early in [each for each in self._early if each < number]:
            self._early.remove(early)
            self._open[early].fail(_NO_REQUEST)
            if self._open[early].is_over:
                self.close(early)

    def miss(self, count: int) -> None:
        """`count` bytes of the client were not heard."""
        self._missed_bytes += count
        self._has_missed = True

    def close(self, number: int, *, is_early: bool = False) -> None:
        """Takes the stream out. `is_early`: more may come of it, and is then no surprise."""
        stream = self._open.pop(number)
        self._early.discard(number)
        if is_early:
            self._closed[number] = None
            if len(self._closed) > _MAX_CLOSED:
                del self._closed[next(iter(self._closed))]
        self._settle(stream)

    def close_all(self) -> None:
        for number in list(self._open):
            if number in self._early:
                self._open[number].fail(_NO_REQUEST)
            self.close(number)

    def items(self) -> Iterator[tuple[int, Stream]]:
        """All that are open, in the order in which they were; they may be closed meanwhile."""
        return iter(list(self._open.items()))

    def may_be(self, kind: int, number: int, *, is_client: bool) -> bool:
        """Whether a frame is to be expected on the stream, where all that is known of it is its head."""
        if kind not in (DATA, HEADERS, PUSH_PROMISE) or number in self._open or number in self._closed:
            return True
        if kind == PUSH_PROMISE:
            return not is_client and number % 2 == 1
        if not number % 2:
            return not is_client
        if number <= self.highest:
            return self._has_missed and not (is_client and kind == HEADERS)
        limit = self.highest + _LEAP + 2 * (self._missed_bytes // _REQUEST_BYTES)
        return number <= limit or not self.highest

    def _add(self, number: int) -> Stream:
        if len(self._open) >= _MAX_OPEN:
            self.close(next(iter(self._open)), is_early=True)
        stream = self._open[number] = Stream(self._max_body_bytes)
        return stream
