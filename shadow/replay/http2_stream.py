"""One request on a connection of HTTP/2, and its answer as it comes."""

import asyncio
from time import monotonic

from shadow.model import Headers, NoReply, Outcome, Reply, Response, Silence, Timing, field
from shadow.replay._contract import Sending
from shadow.replay.attempt import is_endless
from shadow.wire.grpc import is_grpc
from shadow.wire.http2_answer import fault_of

SURPLUS_BYTES_MAX = 65_536
_BODILESS = frozenset((204, 304))


class Stream:
    """Once it is `done`, its outcome can be told.

    Times are monotonic, not the loop's: uvloop's clock only counts whole milliseconds.
    """

    __slots__ = (
        "_body", "_body_bytes_max", "_fields", "_kept", "_surplus", "_trailers", "_whole", "connected_at",
        "done", "fault", "first_byte_at", "held", "is_bystander", "is_kept",
        "lost_connection", "may_retry", "number", "sending", "started_at",
        "timed_out", "trouble",
    )  # fmt: skip

    def __init__(self, sending: Sending, body_bytes_max: int, started_at: float) -> None:
        self.sending = sending
        self.number = 0
        """0 until the request has begun."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.started_at = started_at
        self.connected_at = 0.0
        self.first_byte_at = 0.0
        self.is_kept = False
        """Whether the connection served others before."""
        self.timed_out = False
        self.trouble: tuple[Silence, str] | None = None
        """Why no more came."""
        self.fault = ""
        """Why what came is no answer."""
        self.may_retry = False
        """Whether the peer is known not to have worked on it."""
        self.lost_connection = False
        """Whether the connection ended before the answer did."""
        self.is_bystander = False
        """Whether the connection was ended for what the peer said on another stream."""
        self.held: tuple[bytes, Headers] | None = None
        """The end of a request that is held back: the rest of the body, and the trailers."""
        self._body_bytes_max = body_bytes_max
        self._fields: Headers | None = None
        self._body: list[bytes] = []
        self._kept = 0
        self._surplus = b""
        self._trailers: Headers = ()
        self._whole = False

    @property
    def is_done(self) -> bool:
        """Whether the outcome can be told; who waited for that may have been cancelled."""
        return self.done.done() and not self.done.cancelled()

    def begin_answer(self, fields: Headers, now: float) -> None:
        """Takes the head of the answer."""
        self.first_byte_at = self.first_byte_at or now
        if fault := fault_of(fields):
            self.fault = fault
            return
        self._fields = fields

    def add(self, content: bytes) -> bool:
        """Takes the next bytes of the body; False where no more are wanted."""
        if self._is_bodiless():
            self._surplus += content[: SURPLUS_BYTES_MAX - len(self._surplus)]
            return True
        room = self._body_bytes_max - self._kept
        if content:  # a peer may send empty frames without end
            self._body.append(content[:room])
        self._kept += len(content)
        return len(content) <= room

    def end(self, trailers: Headers = ()) -> None:
        """The answer is complete, as far as its frames tell."""
        if fault := fault_of(trailers, is_trailer=True) if trailers else "":
            self.fault = fault
        self._trailers = trailers
        self._whole = True
        stated = field(self._fields or (), b"content-length")
        if stated is not None and not self._is_bodiless() and stated != b"%d" % self._kept:
            self.fault = f"content-length is {stated[:20]!r}, and {self._kept} bytes came"

    def add_trailers(self, trailers: Headers) -> None:
        """What the end of the answer is to bring."""
        self._trailers = trailers

    @property
    def trailers(self) -> Headers:
        return self._trailers

    def lose(self, why: Silence, detail: str) -> None:
        """No more will come."""
        self.trouble = self.trouble or (why, detail)

    def time_out(self, *, is_connected: bool) -> None:
        """The time limit was reached."""
        if is_connected:
            self.timed_out = True
        else:
            self.lose(Silence.REFUSED, "no connection within the time limit")

    def settle(self) -> None:
        """The outcome can be told."""
        if not self.done.done():
            self.done.set_result(None)

    def outcome(self) -> Outcome:
        """What came of it, as of now."""
        timing = self._timing()
        if self.fault:
            return NoReply(Silence.MALFORMED, self.fault, timing)
        if self._whole:
            return Reply(self._response(is_complete=True), timing, self._surplus)
        if self.timed_out:
            return self._timed_out(timing)
        why, detail = self.trouble or (Silence.CLOSED, "closed without an answer")
        if self._fields is None:
            where = " on a kept connection" if self.is_kept and not detail.startswith("RST_STREAM") else ""
            return NoReply(why, f"{detail}{where}", timing)
        if self._is_call():
            return NoReply(why, f"{detail}, before the end of the call", timing)
        return Reply(self._response(is_complete=False), timing)

    def _timed_out(self, timing: Timing) -> Outcome:
        if self._fields is None:
            return NoReply(Silence.TIMED_OUT, "no answer within the time limit", timing)
        if is_endless(self._fields) or (self._is_call() and self._kept):
            return Reply(self._response(is_complete=False), timing)
        status = self._response(is_complete=False).status
        why = f"an answer with status {status} began and did not end"
        return NoReply(Silence.TIMED_OUT, why, timing)

    def _timing(self) -> Timing:
        start = self.started_at
        return Timing(
            self.connected_at - start if self.connected_at else 0.0,
            self.first_byte_at - start if self.first_byte_at else 0.0,
            monotonic() - start,
        )

    def _response(self, *, is_complete: bool) -> Response:
        fields = self._fields or ()
        headers = tuple(line for line in fields if line[0][:1] != b":")
        is_whole = is_complete and self._kept <= self._body_bytes_max
        return Response(
            self._status(), b"", b"HTTP/2", headers, b"".join(self._body), self._trailers, is_whole
        )

    def _status(self) -> int:
        return int(field(self._fields or (), b":status") or b"0")

    def _is_bodiless(self) -> bool:
        return self.sending.request.method == b"HEAD" or self._status() in _BODILESS

    def _is_call(self) -> bool:
        """A gRPC call that has no status is no success, whatever came of it before."""
        return is_grpc(self._fields or ())
