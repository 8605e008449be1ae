"""One recorded file, or standard input, as pieces of bytes; packing is undone."""

from collections.abc import Iterator

from shadow.content.members import DamagedError, members_undone
from shadow.errors import TapError
from shadow.taps.handle import Handle, Handles
from shadow.taps.packing import START_BYTES, packing

_FIRST_PIECE_BYTES = 65_536


class Source:
    """A recorded file."""

    def __init__(self, path: str, notices: list[str], handles: Handles | None = None) -> None:
        """Opens `path`, ``-`` being standard input. Raises TapError where it cannot be read."""
        self.name = "standard input" if path == "-" else path
        self._path = path
        self._notices = notices
        self._handles = handles or Handles()
        try:
            self._handle = Handle(path, self._handles)
        except OSError as error:
            raise self._unreadable(error) from error
        self._start = b""
        self._pieces = self._stream()

    @property
    def identity(self) -> object:
        """Equal for sources of one file; None for a pipe other than standard input."""
        return self._path if self._path == "-" else self._handle.identity

    def peek(self, count: int) -> bytes:
        """The first bytes of the file, as far as they were read: `count` at least, unless it has fewer.

        More are not asked for, so that a slow pipe is recognised at once. Raises TapError where it cannot be
        read.
        """
        while len(self._start) < count:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._start += piece
        return self._start

    def pieces(self) -> Iterator[bytes]:
        """The whole file, piece by piece, as its bytes become available. Closes it at the end."""
        self._handles.reading += 1
        try:
            if self._start:
                yield self._start
                self._start = b""
            yield from self._pieces
        finally:
            self._handles.reading -= 1
            self.close()

    def notice(self, text: str) -> None:
        """Tells the user something about this file."""
        self._notices.append(f"{self.name}: {text}")

    @property
    def is_lasting(self) -> bool:
        """Whether it can be read again from its start: it is no pipe."""
        return self._handle.identity is not None

    def let_go(self) -> None:
        """Holds nothing of the file, where it can be read again from its start."""
        if self.is_lasting:
            self._handle.restart()
            self._start = b""
            self._pieces = self._stream()

    def probe(self) -> "Source | None":
        """The same file once more, which tells nothing; None where it can be read only once."""
        return Source(self._path, [], self._handles) if self.is_lasting else None

    def close(self) -> None:
        """Closes the file; standard input stays open."""
        self._handle.close()

    def _stream(self) -> Iterator[bytes]:
        """What the file holds, unpacked. A damaged file ends where the damage begins."""
        first = self._read_at_least(START_BYTES)
        raw = self._raw_pieces(first)
        found = packing(first)
        if found is None:
            yield from raw
            return
        kind, begin = found
        try:
            yield from members_undone(begin, raw, self._handles.piece_bytes)
        except DamagedError as error:
            self.notice(f"its {kind} cannot be undone to its end: {error}; what came before was read")

    def _read_at_least(self, count: int) -> bytes:
        """The first bytes; a pipe may give fewer at once than are needed to tell what it is."""
        first = b""
        try:
            while len(first) < count and (piece := self._handle.read(_FIRST_PIECE_BYTES)):
                first += piece
        except OSError as error:
            raise self._unreadable(error) from error
        return first

    def _raw_pieces(self, first: bytes) -> Iterator[bytes]:
        piece = first
        while piece:
            yield piece
            try:
                piece = self._handle.read(self._handles.piece_bytes)
            except OSError as error:
                self.notice(
                    f"cannot be read to its end: {error.strerror or error}; what came before was read"
                )
                return

    def _unreadable(self, error: OSError) -> TapError:
        return TapError(f"cannot read {self.name!r}: {error.strerror or error}; check the path")
