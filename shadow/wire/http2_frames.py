"""The frames of one side of an HTTP/2 connection (RFC 9113 §4), read from segments as they come.

DATA is given on piece by piece, field blocks once they are whole. After bytes that are missing the next frame
is looked for at the start of a segment, unless they lay inside one frame, of which the end is then known.
"""

from collections.abc import Callable

from shadow.wire.http2_shape import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEAD_BYTES,
    HEADERS,
    PADDED,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    USUAL_FRAME_BYTES,
    begins_frames,
    field_block,
    is_frame,
    unpack_head,
)

type Frame = tuple[int, int, int, bytes | str, float]
"""Type, flags, stream, payload, and the Unix time at which it began; of DATA, at which this piece came.

Of HEADERS and PUSH_PROMISE the payload is a whole field block, and the stream of a promise is the promised
one, 0 where that is not known. A payload that cannot be read is the reason why. DATA bears END_STREAM on its
last piece alone.
"""

BEGUN = -1
"""A HEADERS frame on this stream has begun, and is not complete."""
LOST = -2
"""Frames may be missing here."""

NOT_CAPTURED = "bytes of a field block were not captured"
CUT = "the connection ended inside a field block"
_INTERRUPTED = "a field block with another frame inside"
_TOO_LONG = "a field block longer than may be kept"

_TAKEN = frozenset((HEADERS, PUSH_PROMISE, CONTINUATION, RST_STREAM, SETTINGS))
"""Read as a whole; what is neither this nor DATA is passed over."""
_STREAM = 0x7FFF_FFFF
_MAX_SPARE_BYTES = 261
"""Of a HEADERS frame besides the field block: padding, its length, and a priority."""


class FrameReader:
    """Reads what one side sends. Where it `is_lost`, frames are looked for."""

    __slots__ = (
        "_block", "_flags", "_kind", "_left", "_max_block_bytes", "_may_be", "_need", "_pad", "_rest",
        "_rest_time", "_stream", "is_guessed", "is_lost", "max_frame_bytes", "passed_bytes",
    )  # fmt: skip

    def __init__(self, max_block_bytes: int, may_be: Callable[[int, int], bool], *, is_lost: bool) -> None:
        """`may_be` tells whether a frame of some type is to be expected on some stream."""
        self._max_block_bytes = max_block_bytes
        self._may_be = may_be
        self.is_lost = is_lost
        self.is_guessed = False
        """A frame was looked for and found: from then on, each has to be as it must be."""
        self.max_frame_bytes = USUAL_FRAME_BYTES
        """What the other side allows; that matters only where a frame is looked for."""
        self.passed_bytes = 0
        """What was given up while looking for a frame."""
        self._rest = bytearray()
        """The beginning of a frame, until `_need` bytes of it are there."""
        self._need = HEAD_BYTES
        self._rest_time = 0.0
        self._kind = self._flags = self._stream = 0
        """Of the frame that is given on as it comes, or passed over."""
        self._left = 0
        """Bytes of it that are still to come."""
        self._pad = 0
        """How many of them, at the end, are padding."""
        self._block: _Block | None = None
        """A field block that goes on in a CONTINUATION frame."""

    def take(self, payload: bytes, time: float) -> list[Frame]:
        """The frames that the next bytes hold or complete."""
        found: list[Frame] = []
        if self.is_lost and not self._begins(payload):
            self.passed_bytes += len(payload)
            return found
        began, at = time, 0
        if self._left:
            at = self._go_on(payload, 0, time, found)
        elif self._rest:
            self._rest += payload
            if len(self._rest) < self._need:
                return found
            payload, began = bytes(self._rest), self._rest_time
            self._rest.clear()
        at = self._take_frames(payload, at, began, time, found)
        if at < len(payload):
            self._rest += payload[at:]
        return found

    def skip(self, count: int, time: float) -> list[Frame]:
        """`count` bytes were not captured."""
        found: list[Frame] = []
        if self.is_lost:
            return found
        if len(self._rest) >= HEAD_BYTES:
            self._enter(self._rest, 0, self._rest_time, NOT_CAPTURED, found)
            self._left -= len(self._rest) - HEAD_BYTES
            self._rest.clear()
        if not 0 < count <= self._left:
            self.lose(found, time)
            return found
        is_data = self._kind == DATA and self._left > self._pad
        self._left -= count
        if self._kind == DATA:
            found.append((DATA, self._piece_flags(), self._stream, NOT_CAPTURED if is_data else b"", time))
        return found

    def lose(self, found: list[Frame], time: float) -> None:
        """From here on the next frame must be looked for; appends to `found` what is lost."""
        self._drop(NOT_CAPTURED, found)
        self._left = 0
        self.is_lost = True
        found.append((LOST, 0, 0, NOT_CAPTURED, time))

    def cut(self) -> list[Frame]:
        """No more bytes will come: what becomes of a field block that had begun."""
        found: list[Frame] = []
        self._drop(CUT, found)
        return found

    def _begins(self, payload: bytes) -> bool:
        if not begins_frames(payload, self._may_be, self.max_frame_bytes):
            return False
        self.is_lost, self.is_guessed = False, True
        return True

    def _take_frames(self, payload: bytes, at: int, began: float, time: float, found: list[Frame]) -> int:
        """Reads the frames from position `at` on, of which the first began at `began`; where a rest is."""
        self._need, size = HEAD_BYTES, len(payload)
        while size - at >= HEAD_BYTES:
            high, low, kind, flags, word = unpack_head(payload, at)
            length = high << 8 | low
            if self.is_guessed and not self._fits(kind, flags, length, word):
                self.lose(found, time)
                self.passed_bytes += size - at
                return size
            start = at + HEAD_BYTES
            if start + length <= size and (kind or flags < PADDED):
                at = start + length
                if kind == DATA:
                    found.append((DATA, flags, word & _STREAM, payload[start:at], time))
                elif kind in _TAKEN:
                    self._take_whole(kind, flags, word & _STREAM, payload[start:at], began, found)
            elif size - at < self._needed(kind, flags, length):
                if kind == HEADERS:
                    found.append((BEGUN, flags, word & _STREAM, b"", began))
                break
            else:
                at = self._go_on(payload, self._enter(payload, at, began, _TOO_LONG, found), time, found)
                self._need = HEAD_BYTES
            began = time
        self._rest_time = began
        return at

    def _needed(self, kind: int, flags: int, length: int) -> int:
        """How many bytes of a frame must be there before it is read."""
        self._need = HEAD_BYTES
        if kind == DATA:
            self._need += bool(length and flags & PADDED)
        elif kind in _TAKEN and length <= self._max_block_bytes + _MAX_SPARE_BYTES:
            self._need += length
        return self._need

    def _enter(self, text: bytes | bytearray, at: int, began: float, why: str, found: list[Frame]) -> int:
        """Begins a frame that is given on as it comes, or passed over; the position after its head.

        `why` is the reason why a field block cannot be read.
        """
        high, low, kind, flags, word = unpack_head(text, at)
        self._kind, self._flags, self._stream = kind, flags, word & _STREAM
        self._left, self._pad, at = high << 8 | low, 0, at + HEAD_BYTES
        if kind in _TAKEN:
            self._take_block(kind, flags, self._stream, why, began, found)
        elif kind == DATA and flags & PADDED and self._left and at < len(text):
            self._left -= 1
            self._pad = min(text[at], self._left)
            at += 1
        return at

    def _go_on(self, text: bytes, at: int, time: float, found: list[Frame]) -> int:
        """Reads on in the frame that was entered; the position after what is its own."""
        end = min(at + self._left, len(text))
        if self._kind == DATA:
            content = text[at : min(end, at + max(self._left - self._pad, 0))]
            self._left -= end - at
            flags = self._piece_flags()
            if content or flags:
                found.append((DATA, flags, self._stream, content, time))
        else:
            self._left -= end - at
        return end

    def _piece_flags(self) -> int:
        return 0 if self._left else self._flags & END_STREAM

    def _take_whole(
        self, kind: int, flags: int, stream: int, payload: bytes, began: float, found: list[Frame]
    ) -> None:
        if kind in (RST_STREAM, SETTINGS):
            self._interrupt(_INTERRUPTED, found)
            found.append((kind, flags, stream, payload, began))
        elif kind == HEADERS and flags & END_HEADERS and self._block is None:
            found.append((HEADERS, flags, stream, field_block(payload, flags), began))
        else:
            self._take_block(kind, flags, stream, payload, began, found)

    def _take_block(
        self, kind: int, flags: int, stream: int, payload: bytes | str, began: float, found: list[Frame]
    ) -> None:
        """Takes one frame of a field block; a payload that cannot be read is the reason why."""
        if kind in (RST_STREAM, SETTINGS):
            return
        if kind != CONTINUATION:
            self._interrupt(_INTERRUPTED, found)
            self._block = _Block(kind, flags, stream, began)
            if kind == HEADERS:
                found.append((BEGUN, flags, stream, b"", began))
        elif self._block is None or self._block.carrier != stream:
            self._interrupt(_INTERRUPTED, found)
            self._block = _Block(HEADERS, 0, stream, began)
            self._block.why = NOT_CAPTURED
        self._block.add(kind, flags, payload, self._max_block_bytes)
        if flags & END_HEADERS:
            found.append(self._block.frame())
            self._block = None

    def _interrupt(self, why: str, found: list[Frame]) -> None:
        if self._block is not None:
            self._block.why = self._block.why or why
            found.append(self._block.frame())
            self._block = None

    def _drop(self, why: str, found: list[Frame]) -> None:
        """What was read of a field block will not be complete."""
        if len(self._rest) >= HEAD_BYTES:
            self._enter(self._rest, 0, self._rest_time, why, found)
        self._rest.clear()
        self._interrupt(why, found)

    def _fits(self, kind: int, flags: int, length: int, word: int) -> bool:
        return is_frame(kind, flags, length, word, self.max_frame_bytes) and self._may_be(kind, word)


class _Block:
    """A field block that is spread over several frames (RFC 9113 §4.3)."""

    __slots__ = ("_flags", "_kind", "_stream", "_text", "_time", "carrier", "why")

    def __init__(self, kind: int, flags: int, stream: int, time: float) -> None:
        self._kind = kind
        self._flags = flags
        self._stream = 0 if kind == PUSH_PROMISE else stream
        self.carrier = stream
        """The stream of all its frames."""
        self._time = time
        self._text = bytearray()
        self.why = ""
        """Why it cannot be read."""

    def add(self, kind: int, flags: int, payload: bytes | str, max_bytes: int) -> None:
        if isinstance(payload, str):
            self.why = self.why or payload
            return
        if kind != CONTINUATION:
            payload = field_block(payload, flags)
        if kind == PUSH_PROMISE:
            self._stream = int.from_bytes(payload[:4]) & _STREAM
            payload = payload[4:]
        self._text += payload
        if len(self._text) > max_bytes:
            self.why = self.why or _TOO_LONG
            self._text.clear()

    def frame(self) -> Frame:
        return (self._kind, self._flags, self._stream, self.why or bytes(self._text), self._time)
