"""The state of one HTTP/1 message that is being read, piece by piece: first its head, then its body."""

from shadow.wire.http1_body import Body, ChunkedBody, LengthBody, StreamBody
from shadow.wire.http1_head import CHUNKED, RequestHead, ResponseHead, head_end


class Message:
    """The state of one message being read: first its head, then its body."""

    __slots__ = (
        "_buffer",
        "_max_body_bytes",
        "_max_head_bytes",
        "body",
        "error",
        "has_begun",
        "head",
        "head_bytes",
        "text",
    )

    def __init__(self, max_head_bytes: int, max_body_bytes: int) -> None:
        self._max_head_bytes = max_head_bytes
        self._max_body_bytes = max_body_bytes
        self._buffer: bytearray | None = None
        self.has_begun = False
        self.error: str | None = None
        self.head: RequestHead | ResponseHead | None = None
        self.head_bytes = b""
        self.text = b""
        """What `take_head` read from last: the head with all that followed it."""
        self.body: Body | None = None

    def first_bytes(self, text: bytes, count: int) -> bytes:
        """The first `count` bytes of the message, or as many as there are with `text`."""
        if self._buffer is not None:
            return bytes(self._buffer[:count]) + text[: max(count - len(self._buffer), 0)]
        return text.lstrip(b"\r\n")[:count] if text[:1] in (b"\r", b"\n") else text[:count]

    def take_head(self, text: bytes) -> int | None:
        """The position in `self.text` after a whole head; None where more is needed, or on an error.

        Empty lines before the start line are read over (RFC 9112 §2.2).
        """
        if self.error is not None:
            return None
        scan = 0
        if self._buffer is not None:
            scan = max(len(self._buffer) - 3, 0)
            self._buffer += text
            end = head_end(self._buffer, scan)
        else:
            if text[:1] in (b"\r", b"\n"):
                text = text.lstrip(b"\r\n")
            end = head_end(text)
        if end < 0 or end > self._max_head_bytes:
            self._keep(text)
            return None
        if self._buffer is not None:
            text, self._buffer = bytes(self._buffer), None
        self.has_begun = True
        self.text, self.head_bytes = text, text[:end]
        return end

    def begin_body(self, head: RequestHead | ResponseHead, length: int) -> None:
        self.head = head
        self.head_bytes = self.text = b""
        if length >= 0:
            self.body = LengthBody(length, self._max_body_bytes)
        elif length == CHUNKED:
            self.body = ChunkedBody(self._max_body_bytes, self._max_head_bytes)
        else:
            self.body = StreamBody(self._max_body_bytes)

    def take_body(self, text: bytes, at: int) -> bytes | None:
        """What follows the body, where it is complete; None where more is needed, or on an error."""
        body = self.body
        if body is None or self.error is not None:
            return None
        if not body.is_done:
            at = body.take(text, at)
        if body.error is not None:
            self.fail(body.error)
        elif body.is_done:
            return text[at:]
        return None

    def skip(self, count: int) -> bool:
        return self.error is None and self.body is not None and self.body.skip(count)

    def fail(self, why: str) -> str:
        self.error = why
        self._buffer = None
        return why

    def _keep(self, text: bytes) -> None:
        if self._buffer is None and text:
            self._buffer = bytearray(text)
            self.has_begun = True
        if self._buffer is not None and len(self._buffer) > self._max_head_bytes:
            self.fail(f"head longer than {self._max_head_bytes} bytes")
