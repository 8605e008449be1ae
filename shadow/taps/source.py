"""One recorded file, or standard input, as pieces of bytes; gzip is undone."""

import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from shadow.errors import TapError

_PIECE_BYTES = 131_072
_FIRST_PIECE_BYTES = 65_536
"""Held from opening to reading, of each file: there may be many."""
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31
"""zlib's way of saying: the largest window, in a gzip wrapping."""


class Source:
    """A recorded file."""

    def __init__(self, path: str, notices: list[str]) -> None:
        """Opens `path`, ``-`` being standard input. Raises TapError where it cannot be read."""
        self.name = "standard input" if path == "-" else path
        self._notices = notices
        try:
            # Closed by pieces() or close(): it outlives this function.
            self._file: BinaryIO = sys.stdin.buffer if path == "-" else Path(path).open("rb")  # noqa: SIM115 - as said
            first = self._read_at_least(2)
        except OSError as error:
            raise TapError(f"cannot read {self.name!r}: {error.strerror or error}; check the path") from error
        raw = self._raw_pieces(first)
        self._pieces = self._inflated(raw) if first[:2] == _GZIP else raw
        self._start = b""

    def peek(self, count: int) -> bytes:
        """The first bytes of the file, as far as they were read: `count` at least, unless it has fewer.

        More are not asked for, so that a slow pipe is recognised at once.
        """
        while len(self._start) < count:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._start += piece
        return self._start

    def pieces(self) -> Iterator[bytes]:
        """The whole file, piece by piece, as its bytes become available. Closes it at the end."""
        try:
            if self._start:
                yield self._start
                self._start = b""
            yield from self._pieces
        finally:
            self.close()

    def notice(self, text: str) -> None:
        """Tells the user something about this file."""
        self._notices.append(f"{self.name}: {text}")

    def close(self) -> None:
        """Closes the file; standard input stays open."""
        if self._file is not sys.stdin.buffer:
            self._file.close()

    def _read_at_least(self, count: int) -> bytes:
        """The first bytes; a pipe may give fewer at once than are needed to tell what it is."""
        first = b""
        while len(first) < count:
            piece = self._file.read1(_FIRST_PIECE_BYTES)  # type: ignore[attr-defined]  # all our files are buffered
            if not piece:
                break
            first += piece
        return first

    def _raw_pieces(self, first: bytes) -> Iterator[bytes]:
        piece = first
        while piece:
            yield piece
            try:
                piece = self._file.read1(_PIECE_BYTES)  # type: ignore[attr-defined]  # all our files are buffered
            except OSError as error:
                self.notice(
                    f"cannot be read to its end: {error.strerror or error}; what came before was read"
                )
                return

    def _inflated(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """What the gzip members in `pieces` hold. A damaged file ends where the damage begins."""
        inflater = zlib.decompressobj(_GZIP_WINDOW)
        for piece in pieces:
            rest = piece
            while rest:
                if inflater.eof:
                    if not rest.lstrip(b"\0"):
                        break  # padding after the last member
                    inflater = zlib.decompressobj(_GZIP_WINDOW)
                try:
                    text = inflater.decompress(rest, _PIECE_BYTES)
                except zlib.error as error:
                    self.notice(f"damaged gzip: {error}; what stands before the damage was read")
                    return
                rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
                if text:
                    yield text
        while not inflater.eof and (text := inflater.decompress(b"", _PIECE_BYTES)):
            yield text
        if not inflater.eof:
            self.notice("its gzip ends too early; what it holds was read")
