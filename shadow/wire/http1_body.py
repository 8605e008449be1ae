"""Bodies of HTTP/1 messages, read piece by piece: of known length, chunked, or up to the stream's end."""

import re
from typing import Protocol

from shadow.model import Headers
from shadow.wire.http1_head import parse_fields

_CHUNK_SIZE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?\r?", re.DOTALL)
_MAX_CHUNK_LINE_BYTES = 16_384
"""A size line with its extensions; longer is an attack."""


class Body(Protocol):
    """A body being read. `take` may be called until `is_done` or `error`."""

    is_done: bool
    error: str | None
    trailers: Headers

    @property
    def lacks(self) -> int:
        """How many bytes, at the least, are still to come that are content or a chunk's end."""
        ...

    @property
    def is_cut(self) -> bool:
        """True where bytes of the body are missing or were more than may be kept."""
        ...

    def take(self, text: bytes, at: int) -> int:
        """Reads from `text` at position `at`; the position after the last byte that is the body's."""
        ...

    def skip(self, count: int) -> bool:
        """Whether `count` missing bytes are all the body's own, so that its end is still known."""
        ...

    def finish(self) -> bool:
        """Whether the end of the stream is a proper end of this body."""
        ...

    def content(self) -> bytes: ...


class Kept:
    """The first bytes of a body, up to a limit. What came in one piece is never copied, in two only once."""

    __slots__ = ("_first", "_more", "_second", "is_cut", "room")

    def __init__(self, room: int) -> None:
        self._first = self._second = b""
        self._more: bytearray | None = None
        self.room = room
        self.is_cut = False

    def add(self, piece: bytes) -> None:
        if len(piece) > self.room:
            piece = piece[: self.room]
            self.is_cut = True
        self.room -= len(piece)
        if self._more is not None:
            self._more += piece
        elif self._second:
            self._more = bytearray(self._first)
            self._more += self._second
            self._more += piece
            self._first = self._second = b""
        elif self._first:
            self._second = piece
        else:
            self._first = piece

    def stop(self) -> None:
        """From here on nothing is kept: bytes are missing, and later ones would stand in the wrong place."""
        self.room = 0
        self.is_cut = True

    def content(self) -> bytes:
        if self._more is not None:
            return bytes(self._more)
        return self._first + self._second if self._second else self._first


class LengthBody:
    """A body of `length` bytes."""

    __slots__ = ("_kept", "_left", "error", "is_done", "trailers")

    def __init__(self, length: int, max_bytes: int) -> None:
        self._kept = Kept(max_bytes)
        self._left = length
        self.is_done = not length
        self.error: str | None = None
        self.trailers: Headers = ()

    @property
    def lacks(self) -> int:
        return self._left

    @property
    def is_cut(self) -> bool:
        return self._kept.is_cut

    def take(self, text: bytes, at: int) -> int:
        end = at + self._left
        if end <= len(text):
            self._kept.add(text[at:end])
            self.is_done = True
            return end
        self._kept.add(text[at:] if at else text)
        self._left = end - len(text)
        return len(text)

    def skip(self, count: int) -> bool:
        self._kept.stop()
        if count > self._left:
            return False
        self._left -= count
        self.is_done = not self._left
        return True

    def finish(self) -> bool:
        return self.is_done

    def content(self) -> bytes:
        return self._kept.content()


class StreamBody:
    """A body that ends with the stream."""

    __slots__ = ("_kept", "error", "is_done", "trailers")

    def __init__(self, max_bytes: int) -> None:
        self._kept = Kept(max_bytes)
        self.is_done = False
        self.error: str | None = None
        self.trailers: Headers = ()

    @property
    def lacks(self) -> int:
        return 0

    @property
    def is_cut(self) -> bool:
        return self._kept.is_cut

    def take(self, text: bytes, at: int) -> int:
        self._kept.add(text[at:])
        return len(text)

    def skip(self, count: int) -> bool:  # noqa: ARG002 - every missing byte is the body's
        self._kept.stop()
        return True

    def finish(self) -> bool:
        self.is_done = True
        return True

    def content(self) -> bytes:
        return self._kept.content()


class ChunkedBody:
    """A chunked body (RFC 9112 §7.1): extensions are read over, trailers kept, a bare LF is a line end."""

    __slots__ = ("_in_trailers", "_kept", "_left", "_line", "_lines", "_room", "error", "is_done", "trailers")

    def __init__(self, max_bytes: int, max_trailer_bytes: int) -> None:
        self._kept = Kept(max_bytes)
        self._left = 0
        """Bytes of the chunk still to come; -1 where its line end is to come; 0 where a size line is."""
        self._line = b""
        self._lines: list[bytes] = []
        self._in_trailers = False
        self._room = max_trailer_bytes
        self.is_done = False
        self.error: str | None = None
        self.trailers: Headers = ()

    @property
    def lacks(self) -> int:
        return self._left + 2 if self._left > 0 else 0

    @property
    def is_cut(self) -> bool:
        return self._kept.is_cut

    def take(self, text: bytes, at: int) -> int:
        size = len(text)
        while at < size and not self.is_done and self.error is None:
            if self._left > 0:
                at = self._take_content(text, at)
            elif self._left < 0 and not self._line and text.startswith(b"\r\n", at):
                at += 2
                self._left = 0
            else:
                at = self._take_some_line(text, at)
        return at

    def skip(self, count: int) -> bool:
        self._kept.stop()
        if not count:
            return True
        if count > self._left:
            return False
        self._left = self._left - count or -1
        return True

    def finish(self) -> bool:
        return self.is_done

    def content(self) -> bytes:
        return self._kept.content()

    def _take_content(self, text: bytes, at: int) -> int:
        end = min(at + self._left, len(text))
        self._kept.add(text[at:end])
        self._left = self._left - (end - at) or -1
        return end

    def _take_some_line(self, text: bytes, at: int) -> int:
        end = text.find(b"\n", at)
        line = text[at : end if end >= 0 else len(text)]
        if self._line:
            line = self._line + line
        if end < 0:
            self._keep_line(line)
            return len(text)
        self._line = b""
        self._take_line(line)
        return end + 1

    def _keep_line(self, line: bytes) -> None:
        limit = self._room if self._in_trailers else _MAX_CHUNK_LINE_BYTES
        if len(line) > limit:
            self.error = f"line in a chunked body longer than {limit} bytes"
        self._line = line

    def _take_line(self, line: bytes) -> None:
        if self._in_trailers:
            self._take_trailer(line)
        elif self._left < 0:
            if line not in (b"\r", b""):
                self.error = f"chunk longer than its size: {line[:40]!r}"
            self._left = 0
        else:
            match = _CHUNK_SIZE.fullmatch(line)
            if match is None:
                self.error = f"not a chunk size: {line[:40]!r}"
                return
            self._left = int(match[1], 16)
            self._in_trailers = not self._left

    def _take_trailer(self, line: bytes) -> None:
        self._room -= len(line) + 1
        if line in (b"\r", b""):
            self.trailers = parse_fields(self._lines)
            self.is_done = True
        elif self._room < 0:
            self.error = "trailers too long"
        else:
            self._lines.append(line)
