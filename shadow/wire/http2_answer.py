"""The answer on one stream of HTTP/2, read by someone who sent bytes of his own making.

No state of a connection is kept, because there is none that both sides would agree on: frames are taken as
they come, and those of other streams are passed over.
"""

from shadow.model import Headers, Response
from shadow.wire.http2_fields import FieldDecoder, HuffmanTexts
from shadow.wire.http2_shape import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD_BYTES,
    HEADERS,
    PADDED,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    USUAL_FRAME_BYTES,
    field_block,
    is_malformed,
    unpack_head,
)

_NAMES = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT"),
    *("STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR"),
    *("CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)
MAX_LIST_BYTES = 262_144
_MAX_BLOCK_BYTES = 262_144
_STREAM = 0x7FFF_FFFF


def code_name(code: int) -> str:
    """What RFC 9113 §7 calls an error code."""
    return _NAMES[code] if code < len(_NAMES) else f"code {code}"


def fault_of(fields: Headers, *, is_trailer: bool = False) -> str:
    """Why `fields` are no answer's (RFC 9113 §8.2, §8.3.2); empty where they are."""
    statuses = [value for name, value in fields if name == b":status"]
    pseudo = sum(name[:1] == b":" for name, _ in fields)
    if is_trailer:
        if pseudo:
            return "pseudo-fields after the body"
    elif len(statuses) != 1 or pseudo != 1:
        return "an answer needs :status once, and no other pseudo-field"
    elif len(statuses[0]) != 3 or not statuses[0].isdigit() or statuses[0] < b"100":
        return f"the status {statuses[0][:20]!r}"
    if is_malformed(list(fields)):
        return "fields in an order, or with names, that HTTP/2 does not allow"
    if any(char in value for _, value in fields for char in b"\0\r\n"):
        return "a field with a line end or NUL in it"
    return ""


class AnswerReader:
    """Reads what the peer says, until the answer on `stream` is there, or can no longer come."""

    __slots__ = (
        "_block", "_body", "_decoder", "_fields", "_flags", "_kept", "_max_body_bytes", "_number", "_rest",
        "error", "has_begun", "is_settled", "last", "response", "saw_settings", "stream",
    )  # fmt: skip

    def __init__(self, stream: int = 1, *, max_body_bytes: int = 16 << 20) -> None:
        self.stream = stream
        self.response: Response | None = None
        self.error = ""
        """Why what came is no HTTP/2."""
        self.last = ""
        """What the peer broke off with: ``"RST_STREAM CANCEL"``, ``"GOAWAY PROTOCOL_ERROR"``."""
        self.is_settled = False
        """Nothing more is to be waited for."""
        self.has_begun = False
        """Whether a first byte came."""
        self.saw_settings = False
        self._decoder = FieldDecoder(MAX_LIST_BYTES, HuffmanTexts())
        self._rest = b""
        self._fields: Headers | None = None
        self._body: list[bytes] = []
        self._kept = 0
        self._max_body_bytes = max_body_bytes
        self._block: bytearray | None = None
        """A field block that goes on in CONTINUATION frames."""
        self._flags = self._number = 0
        """Of the frame that began it."""

    def feed(self, text: bytes) -> None:
        """Takes the next bytes; none once it `is_settled`."""
        if not self.has_begun and text.startswith(b"HTTP/"):
            self._take_http1(text)
        self.has_begun = True
        text, at = self._rest + text, 0
        while (end := self._frame_end(text, at)) is not None:
            _, _, kind, flags, word = unpack_head(text, at)
            self._take(kind, flags, word & _STREAM, text[at + HEAD_BYTES : end])
            at = end
        self._rest = text[at : at + HEAD_BYTES + USUAL_FRAME_BYTES]

    def _take_http1(self, text: bytes) -> None:
        """Who is not spoken to in HTTP/2 may say in HTTP/1 that it will not have it (RFC 9113 §3.4)."""
        status = text[9:12]
        if status[:1] == b"4" and status.isdigit():
            self.response = Response(int(status), b"", text[:8])
            self.is_settled = True
        else:
            self._fail("answered in HTTP/1, not in HTTP/2")

    def _frame_end(self, text: bytes, at: int) -> int | None:
        """Where the frame at `at` ends; None where it is not whole, or not wanted."""
        if self.is_settled or len(text) - at < HEAD_BYTES:
            return None
        high, low, _, _, _ = unpack_head(text, at)
        length = high << 8 | low
        if length > USUAL_FRAME_BYTES:
            self._fail("a frame larger than was allowed")
            return None
        end = at + HEAD_BYTES + length
        return end if end <= len(text) else None

    def cut(self) -> Response | None:
        """The answer as far as it came, marked as cut; None where its head never came."""
        return None if self._fields is None else self._answer((), is_complete=False)

    def _take(self, kind: int, flags: int, number: int, payload: bytes) -> None:
        if (self._block is not None) != (kind == CONTINUATION):
            self._fail("a field block with another frame inside, or none that goes on")
        elif kind == SETTINGS:
            self.saw_settings |= not flags & ACK
        elif kind == GOAWAY:
            self.last = f"GOAWAY {code_name(int.from_bytes(payload[4:8]))}"
            self.is_settled = (int.from_bytes(payload[:4]) & _STREAM) < self.stream
        elif kind == RST_STREAM and number == self.stream:
            self.last = f"RST_STREAM {code_name(int.from_bytes(payload[:4]))}"
            self.is_settled = True
        elif kind == PUSH_PROMISE:
            self._fail("a push, which is not taken")
        elif kind == HEADERS:
            self._block, self._flags, self._number = bytearray(field_block(payload, flags)), flags, number
            if flags & END_HEADERS:
                self._take_block()
        elif kind == CONTINUATION:
            self._go_on(flags, payload)
        elif kind == DATA and number == self.stream:
            self._take_data(flags, payload)

    def _go_on(self, flags: int, payload: bytes) -> None:
        assert self._block is not None
        self._block += payload
        if len(self._block) > _MAX_BLOCK_BYTES:
            self._fail("fields that do not end")
        elif flags & END_HEADERS:
            self._take_block()

    def _take_block(self) -> None:
        block, self._block = bytes(self._block or b""), None
        fields, why = self._decoder.decode(block)
        if why:
            self._fail(why)
        elif self._number == self.stream:
            self._take_fields(tuple(fields))

    def _take_fields(self, fields: Headers) -> None:
        is_trailer = self._fields is not None
        if fault := fault_of(fields, is_trailer=is_trailer):
            self._fail(fault)
        elif is_trailer:
            self._end(fields)
        elif dict(fields)[b":status"][:1] != b"1":
            self._fields = fields
            if self._flags & END_STREAM:
                self._end(())

    def _take_data(self, flags: int, payload: bytes) -> None:
        if self._fields is None:
            self._fail("a body before its head")
            return
        if flags & PADDED:
            payload = field_block(payload, PADDED)
        room = self._max_body_bytes - self._kept
        if payload:  # a peer may send empty frames without end
            self._body.append(payload[:room])
        self._kept += len(payload)
        if len(payload) > room:
            self.response = self.cut()
            self.is_settled = True
        elif flags & END_STREAM:
            self._end(())

    def _end(self, trailers: Headers) -> None:
        self.response = self._answer(trailers, is_complete=True)
        self.is_settled = True

    def _answer(self, trailers: Headers, *, is_complete: bool) -> Response:
        fields = self._fields or ()
        status = int(dict(fields)[b":status"])
        headers = tuple(line for line in fields if line[0][:1] != b":")
        return Response(status, b"", b"HTTP/2", headers, b"".join(self._body), trailers, is_complete)

    def _fail(self, why: str) -> None:
        self.error = self.error or why
        self.is_settled = True
