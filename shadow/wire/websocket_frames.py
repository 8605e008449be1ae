"""WebSocket frames (RFC 6455 §5.2), read from one side of a connection that is only listened to.

What a peer would refuse is read as far as it can be: an endless control frame, a mask missing or too many.
"""

from typing import NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_OPCODES = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)
_MAX_LENGTH = 1 << 63
"""The highest bit of a 64-bit length must be 0."""
_UNMASKED_AT_ONCE = 1 << 20
"""A multiple of four; more would cost memory several times over."""


class Frame(NamedTuple):
    """One frame."""

    opcode: int
    is_final: bool
    is_compressed: bool
    """The first reserved bit, as permessage-deflate uses it (RFC 7692 §6)."""
    payload: bytes | None
    """Unmasked; None where bytes of it were not captured."""


class FrameReader:
    """Reads the frames of one side. `error` says why what follows is no frame; nothing is read then."""

    __slots__ = (
        "_first", "_has_gap", "_is_within", "_left", "_mask", "_payload", "_start", "error", "unread_bytes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.error: str | None = None
        self.unread_bytes = 0
        """On an error: how many bytes it was given that are no part of a frame that was read."""
        self._start = b""
        """The head of a frame, as far as it came."""
        self._is_within = False
        self._first = 0
        self._mask = b""
        self._left = 0
        """Bytes of the payload still to come."""
        self._payload = bytearray()
        self._has_gap = False

    @property
    def is_within(self) -> bool:
        """Whether a frame has begun and is not complete."""
        return self._is_within or bool(self._start)

    @property
    def held_bytes(self) -> int:
        """How many bytes of an unfinished frame are kept."""
        return len(self._payload)

    def feed(self, text: bytes) -> list[Frame]:
        """The frames that `text` completes; those before an error are among them."""
        if self._start:
            text, self._start = self._start + text, b""
        frames: list[Frame] = []
        at = 0
        while self.error is None:
            if not self._is_within:
                begun = self._begin(text, at)
                if begun is None:
                    break
                at = begun
            if self._left > len(text) - at:
                self._left -= len(text) - at
                self._keep(text[at:])
                break
            end = at + self._left
            self._keep(text[at:end])
            at = end
            frames.append(self._end())
        if self.error is not None:
            self.unread_bytes += len(text) - at
        return frames

    def skip(self, count: int) -> Frame | None:
        """`count` bytes are missing: the frame that ends with them, if one does; `error` where it is not
        known where the next one begins."""
        if self.error is None:
            if not self._is_within or count > self._left:
                self.error = "bytes are missing where a WebSocket's frame begins"
                return None
            self._left -= count
            self._has_gap = True
            self._payload.clear()
            if not self._left:
                return self._end()
        return None

    def _begin(self, text: bytes, at: int) -> int | None:
        """Reads the head at `at`; the position after it, or None where more is needed, or on an error."""
        size = len(text) - at
        if size < 2:
            self._start = text[at:]
            return None
        first, second = text[at], text[at + 1]
        length, extended = second & 0x7F, 0
        if length > 125:
            extended = 2 if length == 126 else 8
            length = int.from_bytes(text[at + 2 : at + 2 + extended])
        mask_bytes = 4 if second & 0x80 else 0
        head_bytes = 2 + extended + mask_bytes
        if first & 0x30 or first & 15 not in _OPCODES:
            self.error = "bytes of a WebSocket that are no frame of RFC 6455"
            return None
        if size < head_bytes:
            self._start = text[at:]
            return None
        if length >= _MAX_LENGTH:
            self.error = "a WebSocket's frame with a length beyond 63 bits"
            return None
        self._first, self._left, self._is_within = first, length, True
        at += head_bytes
        self._mask = text[at - mask_bytes : at]
        return at

    def _keep(self, piece: bytes) -> None:
        if not self._has_gap:
            self._payload += piece

    def _end(self) -> Frame:
        payload = None if self._has_gap else unmasked(bytes(self._payload), self._mask)
        self._payload.clear()
        self._is_within = self._has_gap = False
        self._left = 0
        return Frame(self._first & 15, bool(self._first & 0x80), bool(self._first & 0x40), payload)


def unmasked(payload: bytes, mask: bytes) -> bytes:
    """`payload` with its mask of four bytes taken off, or put on; as it is without a mask."""
    if not mask or not payload:
        return payload
    if len(payload) > _UNMASKED_AT_ONCE:
        starts = range(0, len(payload), _UNMASKED_AT_ONCE)
        return b"".join(unmasked(payload[at : at + _UNMASKED_AT_ONCE], mask) for at in starts)
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
