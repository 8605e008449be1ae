"""HTTP/1 messages: written byte for byte as they are, and read from any stream, one message per reader."""

import msgspec

from shadow.model import Headers, Request, Response
from shadow.wire.http1_body import ChunkedBody, LengthBody
from shadow.wire.http1_head import (
    CHUNKED,
    RequestHead,
    ResponseHead,
    last_transfer_coding,
    parse_request_head,
    parse_response_head,
)
from shadow.wire.http1_message import Message
from shadow.wire.http1_whole import stays_open

MAX_HEAD_BYTES = 262_144
MAX_BODY_BYTES = 67_108_864
_STATUS_LINE_START = b"HTTP/"
_INTERIM_MAX = 256
"""Interim responses before one final one. More are a flood that would keep whoever reads it busy for ever."""


class Limits(msgspec.Struct, frozen=True):
    """What is kept of one message."""

    max_head_bytes: int = MAX_HEAD_BYTES
    max_body_bytes: int = MAX_BODY_BYTES


def serialise_request(request: Request) -> bytes:
    """The bytes of `request`: its fields as they are, none added or put right; the body framed as they say.

    Where Transfer-Encoding ends in chunked, the body leaves as one chunk, followed by the trailers.
    """
    start = b"%b %b %b\r\n" % (request.method, request.target, request.version)
    return start + _field_lines(request.headers) + b"\r\n" + _framed_body(request)


def serialise_response(response: Response, method: bytes = b"GET") -> bytes:
    """The bytes of `response` to a request with `method`, in the same way; what can have no body has none."""
    start = b"%b %03d %b\r\n" % (response.version, response.status, response.reason)
    body = b"" if is_bodiless(method, response.status) else _framed_body(response)
    return start + _field_lines(response.headers) + b"\r\n" + body


def is_chunked(headers: Headers) -> bool:
    """Whether the last transfer coding is chunked."""
    return last_transfer_coding(headers) == b"chunked"


class RequestReader:
    """Reads one request. After the last byte `surplus` holds what followed it.

    `error` says why the bytes are no request; nothing is read from then on.
    """

    __slots__ = ("_message", "error", "is_cut", "surplus")

    def __init__(self, *, max_head_bytes: int = MAX_HEAD_BYTES, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._message = Message(max_head_bytes, max_body_bytes)
        self.surplus = b""
        self.error: str | None = None
        self.is_cut = False
        """True where the body was longer than may be kept, or bytes of it were missing."""

    @property
    def has_begun(self) -> bool:
        """Whether a first byte was read."""
        return self._message.has_begun

    @property
    def head(self) -> RequestHead | None:
        """The head, as soon as it was read."""
        head = self._message.head
        return head if isinstance(head, RequestHead) else None

    @property
    def lacks(self) -> int:
        """How many bytes, at the least, are still to come before anything new can be told; 0: not known."""
        body = self._message.body
        return 0 if body is None else body.lacks

    def resume(self, head: RequestHead) -> None:
        """Takes `head` for read."""
        self._message.has_begun = True
        self._message.begin_body(head, head.length if head.length >= CHUNKED else 0)

    def feed(self, text: bytes) -> Request | None:
        """The request, as soon as `text` completes it; until then, and on an error, None."""
        message = self._message
        if message.body is None:
            at = message.take_head(text)
            if at is None:
                self.error = message.error
                return None
            text, head = message.text, parse_request_head(message.head_bytes)
            if isinstance(head, str):
                self.error = message.fail(head)
                return None
            self.resume(head)
        else:
            at = 0
        rest = message.take_body(text, at)
        self.error = message.error
        if rest is None:
            return None
        self.surplus = rest
        return self._request()

    def skip(self, count: int) -> bool:
        """Whether the end of the request is still known although `count` bytes are missing here."""
        return self._message.skip(count)

    def completed(self) -> Request | None:
        """The request, where `skip` went over its last byte; else None."""
        body = self._message.body
        return self._request() if body is not None and body.is_done else None

    def _request(self) -> Request | None:
        head, body = self._message.head, self._message.body
        if not isinstance(head, RequestHead) or body is None:
            return None
        self.is_cut = body.is_cut
        return Request(head.method, head.target, head.version, head.headers, body.content(), body.trailers)


class ResponseReader:
    """Reads one final response to a request with `method`; interim 1xx responses are read over, save 101.

    After the last byte `surplus` holds what followed it. `error` says why the bytes are no response; nothing
    is read from then on.
    """

    __slots__ = (
        "_interim_count",
        "_max_body_bytes",
        "_max_head_bytes",
        "_message",
        "error",
        "method",
        "surplus",
    )

    def __init__(
        self, method: bytes, *, max_head_bytes: int = MAX_HEAD_BYTES, max_body_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self.method = method
        self._max_head_bytes = max_head_bytes
        self._max_body_bytes = max_body_bytes
        self._message = Message(max_head_bytes, max_body_bytes)
        self._interim_count = 0
        self.surplus = b""
        self.error: str | None = None

    @property
    def has_begun(self) -> bool:
        """Whether a first byte of the final response was read."""
        return self._message.has_begun

    @property
    def head(self) -> ResponseHead | None:
        """The head of the final response, as soon as it was read."""
        head = self._message.head
        return head if isinstance(head, ResponseHead) else None

    @property
    def is_tunnel(self) -> bool:
        """Whether what follows the head is another protocol's: after 101 and after a granted CONNECT."""
        head = self.head
        return head is not None and opens_tunnel(self.method, head.status)

    @property
    def keeps_open(self) -> bool:
        """Whether the connection may carry another exchange, once the response is complete."""
        head, body = self.head, self._message.body
        if head is None or self.error or self.is_tunnel or not isinstance(body, LengthBody | ChunkedBody):
            return False
        return body.is_done and stays_open(head.version, head.headers)

    @property
    def lacks(self) -> int:
        """As of `RequestReader`."""
        body = self._message.body
        return 0 if body is None else body.lacks

    def resume(self, head: ResponseHead) -> None:
        """Takes `head` for read."""
        self._message.has_begun = True
        self._message.begin_body(head, 0 if is_bodiless(self.method, head.status) else head.length)

    def feed(self, text: bytes) -> Response | None:
        """The response, as soon as `text` completes it; until then, and on an error, None.

        A body longer than `max_body_bytes` is read to its end, kept up to the limit, and not `is_complete`.
        """
        at: int | None = 0
        while self._message.body is None:
            if not self._may_be_response(text):
                return None
            message = self._message
            at = message.take_head(text)
            if at is None:
                self.error = message.error
                return None
            text, head = message.text, parse_response_head(message.head_bytes)
            if isinstance(head, str):
                self.error = message.fail(head)
                return None
            if 100 <= head.status < 200 and head.status != 101:
                text = text[at:]
                self._interim_count += 1
                if self._interim_count > _INTERIM_MAX:
                    self.error = message.fail(f"more than {_INTERIM_MAX} interim responses")
                    return None
                self._message = Message(self._max_head_bytes, self._max_body_bytes)
                continue
            self.resume(head)
        assert at is not None
        rest = self._message.take_body(text, at)
        self.error = self._message.error
        if rest is None:
            return None
        self.surplus = rest
        return self._response()

    def finish(self) -> Response | None:
        """The response that the end of the stream completes or cuts; None where its head never came."""
        body = self._message.body
        if body is None:
            return None
        is_whole = body.finish()
        return self._response(is_complete=is_whole)

    def cut(self) -> Response | None:
        """The response as far as it came, marked as cut; None where its head never came."""
        return self._response(is_complete=False)

    def skip(self, count: int) -> bool:
        """Whether the end of the response is still known although `count` bytes are missing here."""
        return self._message.skip(count)

    def completed(self) -> Response | None:
        """The response, where `skip` went over its last byte; else None."""
        body = self._message.body
        return self._response() if body is not None and body.is_done else None

    def _may_be_response(self, text: bytes) -> bool:
        """Tells bytes of another protocol at once, so that nobody waits for an empty line in them."""
        start = self._message.first_bytes(text, len(_STATUS_LINE_START))
        if self.error is None and not _STATUS_LINE_START.startswith(start):
            self.error = self._message.fail(f"not a status line: {start!r}")
        return self.error is None

    def _response(self, *, is_complete: bool = True) -> Response | None:
        head, body = self._message.head, self._message.body
        if not isinstance(head, ResponseHead) or body is None:
            return None
        content = body.content()
        is_complete = is_complete and not body.is_cut
        return Response(
            head.status, head.reason, head.version, head.headers, content, body.trailers, is_complete
        )


def is_bodiless(method: bytes, status: int) -> bool:
    """Whether a response never has a body: to HEAD, 1xx, 204, 304 (RFC 9110 §6.4.1), and before a tunnel."""
    return method == b"HEAD" or status < 200 or status in (204, 304) or opens_tunnel(method, status)


def opens_tunnel(method: bytes, status: int) -> bool:
    """Whether what follows the head of a response is another protocol's."""
    return status == 101 or (method == b"CONNECT" and 200 <= status < 300)


def _field_lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % line for line in headers])


def _framed_body(message: Request | Response) -> bytes:
    if not is_chunked(message.headers):
        return message.body
    chunk = b"%x\r\n%b\r\n" % (len(message.body), message.body) if message.body else b""
    return chunk + b"0\r\n" + _field_lines(message.trailers) + b"\r\n"
