"""One stream of HTTP/2: a request, its answer, and the exchange that they make (RFC 9113 §8)."""

from collections.abc import Iterable

from shadow.model import Exchange, Headers, Request, Response
from shadow.wire.grpc import Prefixed, in_order, is_grpc
from shadow.wire.http1_body import Kept
from shadow.wire.listener import Link

VERSION = b"HTTP/2"
_MARK_BYTES = 128
"""What it costs to remember where a message of gRPC ends."""
_OF_HTTP1 = frozenset(
    b"connection http2-settings keep-alive proxy-connection transfer-encoding upgrade".split()
)
"""Fields of HTTP/1 that the same request has none of in HTTP/2 (RFC 9113 §8.2.2)."""

_NO_METHOD = "a request without a method"
_NO_TARGET = "a request without a path"
_NO_STATUS = "a response without a status"
_NO_HEAD = "the head of a response was not captured"
_UNFINISHED = "the request was not seen to end"
_TOO_LONG = "the request is longer than may be kept"


class Said:
    """What one side says on a stream."""

    __slots__ = ("body", "fields", "grpc", "is_ended", "trailers")

    def __init__(self, max_body_bytes: int) -> None:
        self.fields: Headers | None = None
        """None until the head was read."""
        self.trailers: Headers = ()
        self.body = Kept(max_body_bytes)
        self.grpc: Prefixed | None = None
        self.is_ended = False
        """Nothing more is to be heard, whether that came to its proper end or not."""

    def begin(self, headers: Headers) -> None:
        self.fields = headers
        if is_grpc(headers):
            self.grpc = Prefixed()

    def add(self, piece: bytes, time: float) -> int:
        """Takes the next bytes of the body; how many more are kept for it."""
        room = self.body.room
        count = 0
        if self.grpc is not None and room:
            count = -len(self.grpc)
            self.grpc.take(piece, time)
            count += len(self.grpc)
        self.body.add(piece)
        return room - self.body.room + count * _MARK_BYTES

    def cut(self) -> None:
        """Bytes of it are missing, here or at the end."""
        self.body.stop()


class Stream:
    """A stream, as far as both sides of it were heard."""

    __slots__ = (
        "answer", "answered_at", "ask", "fault", "index", "is_begun", "is_headless", "is_tunnel",
        "kept_bytes", "method", "status", "target", "time", "why",
    )  # fmt: skip

    def __init__(self, max_body_bytes: int) -> None:
        self.ask = Said(max_body_bytes)
        self.answer = Said(max_body_bytes)
        self.index = 0
        self.time = 0.0
        self.is_begun = False
        """Whether the request was seen, or a part of it: then `index` and `time` are its own."""
        self.method = self.target = b""
        self.is_tunnel = False
        """Whether it asks for one: what follows a yes is no HTTP."""
        self.why = ""
        """Why it cannot be an exchange; empty where it may."""
        self.status = 0
        self.answered_at: float | None = None
        self.is_headless = False
        """There was an answer, and its head cannot be had."""
        self.fault = ""
        """Why a field block of the answer could not be read that may have been its head."""
        self.kept_bytes = 0

    @property
    def is_over(self) -> bool:
        return self.ask.is_ended and self.answer.is_ended

    def fail(self, why: str) -> None:
        """The request cannot be had, so nothing more of it is waited for."""
        self.why = self.why or why
        self.ask.is_ended = True
        self.ask.body = Kept(0)

    def stop_keeping(self) -> None:
        """Keeps nothing more of what has not ended."""
        for said in (self.ask, self.answer):
            if not said.is_ended:
                said.cut()

    def hear_upgrade(self, request: Request) -> None:
        """Takes a whole request that was sent over HTTP/1.1, to be answered here (RFC 7540 §3.2)."""
        self.method, self.target = request.method, request.target
        headers = tuple(each for each in request.headers if each[0].lower() not in _OF_HTTP1)
        self.ask.begin(headers)
        self.ask.trailers = request.trailers
        self.ask.add(request.body, self.time)
        self.ask.is_ended = True

    def hear_request(self, fields: list[tuple[bytes, bytes]]) -> None:
        """Takes the fields of the request, or its trailers."""
        pseudo, headers = parted(fields)
        if self.ask.fields is not None:
            self.ask.trailers = headers
            return
        self.method = pseudo.get(b":method", b"")
        authority = pseudo.get(b":authority")
        self.is_tunnel = self.method == b"CONNECT"
        target = pseudo.get(b":path", authority if self.is_tunnel else None)
        if not self.method or not target:
            self.fail(_NO_TARGET if self.method else _NO_METHOD)
            return
        self.target = target
        if authority and not any(name == b"host" for name, _ in headers):
            headers = ((b"host", authority), *headers)
        self.ask.begin(headers)

    def hear_answer(self, fields: list[tuple[bytes, bytes]], why: str, time: float) -> str:
        """Takes a field block of the answer. What has to be said of it that could not be read, if anything.

        `why` says why not all `fields` are known. A block without a status may have been an interim answer's,
        so that the head may still come.
        """
        answer = self.answer
        if answer.fields is not None or self.is_headless:
            if why:
                answer.cut()
                return why
            answer.trailers = parted(fields)[1]
            return ""
        pseudo, headers = parted(fields)
        status = pseudo.get(b":status", b"")
        if len(status) != 3 or not status.isdigit():
            self.fault = why or _NO_STATUS
        elif status[:1] != b"1":
            if why:
                return self.miss_head(why)
            self.status = int(status)
            self.answered_at = time
            answer.begin(headers)
        return ""

    def miss_head(self, why: str = "") -> str:
        """There will be no head of the answer any more. What is to be said of that, the first time."""
        if self.is_headless:
            return ""
        self.is_headless = True
        self.answer.cut()
        return why or self.fault or _NO_HEAD

    @property
    def opens_tunnel(self) -> bool:
        return self.is_tunnel and 200 <= self.status < 300

    def exchange(self, link: Link, client: int) -> Exchange | str:
        """What the stream was, or why it is no exchange."""
        ask = self.ask
        if self.why or not ask.is_ended or ask.fields is None:
            return self.why or _UNFINISHED
        if ask.body.is_cut:
            return _TOO_LONG
        if not self.answer.is_ended:
            self.answer.cut()
        request = Request(self.method, self.target, VERSION, ask.fields, ask.body.content(), ask.trailers)
        response = self._response()
        if ask.grpc is None:
            return link.exchange(
                client, self.index, self.time, request, response, answered_at=self.answered_at
            )
        marks = self.answer.grpc or Prefixed()
        answered = marks.messages(response.body if response else b"", is_from_client=False)
        return link.exchange(
            client,
            self.index,
            self.time,
            request,
            response,
            answered_at=self.answered_at,
            protocol="grpc",
            messages=in_order(ask.grpc.messages(request.body, is_from_client=True), answered),
            is_complete=ask.grpc.is_whole and marks.is_whole and (response is None or response.is_complete),
        )

    def _response(self) -> Response | None:
        answer = self.answer
        if answer.fields is None:
            return None
        body = answer.body
        return Response(
            self.status, b"", VERSION, answer.fields, body.content(), answer.trailers, not body.is_cut
        )


def parted(fields: Iterable[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], Headers]:
    """Pseudo-fields by name, the first of each, and all other fields in their order."""
    pseudo: dict[bytes, bytes] = {}
    headers = []
    for field in fields:
        if field[0][:1] == b":":
            pseudo.setdefault(*field)
        else:
            headers.append(field)
    return pseudo, tuple(headers)
