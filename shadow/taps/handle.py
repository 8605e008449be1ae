"""Files as they are open: no more at once than the system allows, however many are read."""

import os
import stat
import sys
from pathlib import Path
from typing import BinaryIO

_MAX_OPEN = 64
"""Of regular files. Systems allow 256 descriptors and more."""
_HELD_BYTES = 4_194_304
"""Of all files that are being read, in pieces of them."""
_MIN_PIECE_BYTES = 16_384
_MAX_PIECE_BYTES = 98_304
"""Larger ones are slower: what is made of a piece would no longer fit into the processor's own memory."""


class Handles:
    """The open files of one recording. Where there are too many, the one that was read longest ago is closed,
    and opened again when it is read on."""

    def __init__(self, max_open: int = _MAX_OPEN) -> None:
        self._max_open = max_open
        self._open: dict[Handle, None] = {}
        self.reading = 0
        """How many files are being read, side by side."""

    @property
    def piece_bytes(self) -> int:
        """How much of a file to read at once."""
        return max(min(_HELD_BYTES // max(self.reading, 1), _MAX_PIECE_BYTES), _MIN_PIECE_BYTES)

    def used(self, handle: "Handle") -> None:
        """`handle` was opened or read just now."""
        self._open.pop(handle, None)
        self._open[handle] = None
        if len(self._open) > self._max_open:
            oldest = next(iter(self._open))
            oldest.suspend()

    def closed(self, handle: "Handle") -> None:
        self._open.pop(handle, None)


class Handle:
    """One file, or standard input (``-``)."""

    def __init__(self, path: str, handles: Handles) -> None:
        """Opens it. Raises OSError where that cannot be done."""
        self._path = path
        self._handles = handles
        self._position = 0
        self._file: BinaryIO | None = None
        self.identity: tuple[int, int] | None = None
        """Tells a regular file from others; None for pipes and devices, which can be read only once."""
        if path == "-":
            if sys.stdin is None:
                raise OSError("it is closed")
            self._file = sys.stdin.buffer
            return
        self._file = self._opened()
        found = os.fstat(self._file.fileno())
        if stat.S_ISREG(found.st_mode):
            self.identity = found.st_dev, found.st_ino
            handles.used(self)

    def read(self, count: int) -> bytes:
        """The next bytes, up to `count`, as soon as there are some; none at the end. Raises OSError."""
        if self.identity is None:
            assert self._file is not None
            # Standard input is buffered, all other files are not.
            return self._file.read1(count) if self._path == "-" else self._file.read(count)  # type: ignore[attr-defined]  # as said
        if self._file is None:
            self._resume()
        assert self._file is not None
        self._handles.used(self)
        piece = self._file.read(count)
        self._position += len(piece)
        return piece

    def restart(self) -> None:
        """Reads a regular file from its start again."""
        assert self.identity is not None
        self._position = 0
        if self._file is not None:
            self._file.seek(0)

    def suspend(self) -> None:
        """Closes a regular file until it is read on."""
        self._handles.closed(self)
        if self._file is not None:
            self._file.close()
            self._file = None

    def close(self) -> None:
        """Closes the file for good; standard input stays open."""
        if self._path != "-":
            self.suspend()

    def _opened(self) -> BinaryIO:
        # Closed by suspend(): it outlives this function.
        return Path(self._path).open("rb", buffering=0)

    def _resume(self) -> None:
        self._file = self._opened()
        found = os.fstat(self._file.fileno())
        if (found.st_dev, found.st_ino) != self.identity:
            self.suspend()
            raise OSError("another file has taken its place")
        self._file.seek(self._position)
