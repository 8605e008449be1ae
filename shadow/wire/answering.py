"""The server's side of one connection: its responses, from where each begins to where it ends."""

from collections.abc import Callable

from shadow.model import Response
from shadow.wire.direction import End
from shadow.wire.http1 import Limits, ResponseReader
from shadow.wire.http1_begin import begin_response
from shadow.wire.listener import Listener
from shadow.wire.unanswered import Asked, Unanswered


class Answering:
    """What the server says, one response at a time, each to a request of `asked`."""

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
        """What the response that is being read answers."""
        self.reader: ResponseReader | None = None
        """None between two responses."""
        self.is_lost = False
        """The next response must be looked for."""
        self.last: Asked | None = None
        """What the last complete response answered."""

    def begin(self, answered: Asked, payload: bytes, time: float) -> bytes:
        """`payload` begins with the response to `answered`; what of it is still to be taken or read."""
        self.is_lost = False
        self._current = answered
        begun = begin_response(payload, answered.method, self._limits)
        if begun is None:
            self.reader = ResponseReader(
                answered.method,
                max_head_bytes=self._limits.max_head_bytes,
                max_body_bytes=self._limits.max_body_bytes,
            )
            return payload
        found, payload = begun
        answered.answered_at = time
        if isinstance(found, ResponseReader):
            self.reader = found
        else:
            self._complete(found)
        return payload

    def take(self, payload: bytes, time: float) -> ResponseReader | None:
        """Reads on in the response that has begun; its reader where it is complete, and None until then.

        Where it turns out to be none, `is_lost` is true afterwards.
        """
        reader, current = self.reader, self._current
        assert reader is not None
        assert current is not None
        response = reader.feed(payload)
        if current.answered_at is None and reader.has_begun:
            current.answered_at = time
        if response is not None:
            self._complete(response)
            return reader
        self._keep(current, len(payload))
        if reader.error is not None:
            self._listener.unread(reader.error)
            self.cut()
        return None

    def skip(self, count: int) -> bool:
        """`count` bytes of the server were not captured; whether that completed the response, or cut it."""
        reader = self.reader
        if reader is None or not reader.skip(count):
            self.cut()
            return True
        response = reader.completed()
        if response is not None:
            self._complete(response)
        return response is not None

    def cut(self) -> None:
        """The response cannot be read to its end; the next one must be looked for."""
        if self.reader is not None:
            self._complete(self.reader.cut())
        self.is_lost = True
        self._asked.lose_responses()

    def pass_over(self, count: int) -> None:
        """`count` bytes came where a response should begin, and are none."""
        if not self.is_lost:
            self._listener.unread("bytes after a response that are no response")
            self.is_lost = True
            self._asked.lose_responses()
        self._listener.passed(count)

    def end(self, how: End) -> None:
        """The server says nothing more."""
        reader = self.reader
        if reader is not None:
            self._complete(reader.finish() if how is End.CLOSED else reader.cut())

    def stop_keeping(self) -> None:
        """Keeps no more bytes of the response that is being read."""
        if self.reader is not None:
            self.reader.skip(0)

    def _complete(self, response: Response | None) -> None:
        current, self._current, self.reader = self._current, None, None
        assert current is not None
        self.last = current
        self._asked.remove(current)
        current.response = response
        current.is_answered = True
        if current.request is not None or current.why or current.is_settled:
            self._settle(current)
