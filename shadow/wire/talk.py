"""Conversations of which only the bytes are known: the TCP ports that the user names."""

from shadow.model import Request
from shadow.wire.direction import End
from shadow.wire.http1 import Limits
from shadow.wire.listener import Link, Listener
from shadow.wire.transcript import Transcript

NOTHING = Request(b"", b"", b"")
"""The request of a conversation that has none."""


class Talk:
    """One TCP connection, in the sense of `shadow.wire.direction.Conversation`: one exchange.

    A message is what one side says until the other side speaks. It is told when the connection ends, or when
    the bounds are reached: the most that is kept of a body for all messages together, and their number.
    """

    def __init__(self, link: Link, client: int, listener: Listener, limits: Limits) -> None:
        self._link = link
        self._client = client
        self._listener = listener
        self._limits = limits
        self._transcript: Transcript | None = None
        """None until something was said."""
        self._ended: set[int] = set()

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> bool:  # noqa: ARG002 - theirs
        transcript = self._transcript or self._begin(time)
        if transcript.join(payload, time, is_from_client=side == self._client):
            return True
        transcript.is_complete = False
        transcript.tell()
        self._listener.passed(len(payload))
        return False

    def skip(self, side: int, count: int, time: float) -> bool:  # noqa: ARG002  # how many does not matter
        transcript = self._transcript or self._begin(time)
        transcript.break_off(is_from_client=side == self._client)
        return True

    def end(self, side: int, how: End) -> None:  # noqa: ARG002  # an end is an end
        self._ended.add(side)
        if len(self._ended) == 2 and self._transcript is not None:
            self._transcript.tell()

    def _begin(self, time: float) -> Transcript:
        index = self._listener.begin(time)
        exchange = self._link.exchange(self._client, index, time, NOTHING, protocol="tcp")
        self._transcript = Transcript(exchange, self._listener, self._limits)
        self._transcript.is_complete = self._link.is_whole
        return self._transcript
