"""One attempt at one sending: what was seen of it, and the outcome that this amounts to."""

from time import monotonic

import msgspec

from shadow.model import Headers, NoReply, Outcome, Reply, Response, Silence, Timing, field
from shadow.replay._contract import Sending
from shadow.replay.connection import Answer, Connection

_ENDLESS = (b"text/event-stream", b"multipart/x-mixed-replace")
"""Kinds of content that go on until somebody hangs up: to run into the time limit is no fault of theirs."""


class Attempt:
    """The state of sending one thing. Times are monotonic."""

    __slots__ = (
        "_ends_at",
        "answer",
        "connected_at",
        "connection",
        "is_kept",
        "may_keep",
        "sending",
        "started_at",
        "timed_out",
        "trouble",
    )

    def __init__(self, sending: Sending, body_bytes_max: int, answer_bytes_max: int) -> None:
        self.sending = sending
        self.answer = Answer(sending.request.method, body_bytes_max, answer_bytes_max)
        self.connection: Connection | None = None
        self.may_keep = False
        """Whether the connection may serve others afterwards, as far as the request goes."""
        self.is_kept = False
        """Whether the connection served others before."""
        self.timed_out = False
        self.trouble: NoReply | None = None
        """Why nothing came, where that is not the connection's to tell."""
        self.started_at = monotonic()
        self.connected_at = 0.0
        self._ends_at = self.started_at + sending.timeout_seconds

    def begin(self, connection: Connection, *, is_kept: bool = False) -> None:
        """The attempt uses `connection`."""
        self.connection = connection
        self.is_kept = is_kept
        if not is_kept:
            self.connected_at = monotonic()

    def again(self) -> None:
        """The attempt starts afresh, without a connection."""
        self.drop()
        self.started_at = monotonic()
        self.connected_at = 0.0

    def seconds_left(self) -> float:
        """Until the time limit, over all connections tried."""
        return max(self._ends_at - monotonic(), 0.0)

    def drop(self) -> None:
        """Close the connection, if there is one."""
        if self.connection is not None:
            self.connection.abort()
            self.connection = None

    def died_unheard(self) -> bool:
        """Whether the connection was lost before a first byte of an answer."""
        connection = self.connection
        return connection is not None and not connection.is_open and not connection.first_byte_at

    def outcome(self) -> Outcome:
        """What came of it, as of now."""
        connection = self.connection
        timing = self._timing()
        if self.trouble is not None:
            return msgspec.structs.replace(self.trouble, timing=timing)
        if connection is None:
            return NoReply(Silence.REFUSED, "no connection within the time limit", timing)
        if connection.response is not None:
            return Reply(connection.response, timing, connection.surplus)
        if connection.reader.error is not None:
            return NoReply(Silence.MALFORMED, connection.reader.error, timing)
        if self.timed_out:
            return _timed_out(connection, timing)
        return self._lost(connection, timing)

    def _timing(self) -> Timing:
        start = self.started_at
        first = self.connection.first_byte_at if self.connection is not None else 0.0
        return Timing(
            self.connected_at - start if self.connected_at else 0.0,
            first - start if first else 0.0,
            monotonic() - start,
        )

    def _lost(self, connection: Connection, timing: Timing) -> Outcome:
        loss = connection.loss
        response: Response | None = connection.reader.finish() if loss is None else connection.reader.cut()
        if response is not None:
            return Reply(response, timing)
        where = " on a kept connection" if self.is_kept else ""
        if isinstance(loss, TimeoutError):
            return NoReply(Silence.TIMED_OUT, f"{loss}{where}", timing)
        if loss is not None:
            return NoReply(Silence.RESET, f"{loss}{where}", timing, connection.has_ended)
        if connection.reader.has_begun:
            return NoReply(Silence.MALFORMED, "closed inside the head of an answer", timing)
        return NoReply(Silence.CLOSED, f"closed without an answer{where}", timing, connection.has_ended)


def is_endless(headers: Headers) -> bool:
    """Whether a response with these fields goes on until somebody hangs up."""
    content_type = field(headers, b"content-type")
    return content_type is not None and content_type.lower().startswith(_ENDLESS)


def _timed_out(connection: Connection, timing: Timing) -> Outcome:
    head = connection.reader.head
    if head is None:
        return NoReply(Silence.TIMED_OUT, "no answer within the time limit", timing)
    if is_endless(head.headers):
        response = connection.reader.cut()
        assert response is not None
        return Reply(response, timing)
    return NoReply(Silence.TIMED_OUT, f"an answer with status {head.status} began and did not end", timing)
