"""Key logs: files with the secrets of TLS connections, whole or while they grow."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from shadow.errors import TapError
from shadow.wire.remarks import TlsRemarks
from shadow.wire.succession import Decrypting
from shadow.wire.tls_keylog import KeyLog

if TYPE_CHECKING:
    from shadow.wire.tls_epoch import MakeOpener

_PIECE_BYTES = 1_048_576
_MAX_LINE_BYTES = 1024
"""What has no end of line after so many bytes is no key log."""


class KeyLogFile:
    """One key log. Whoever made it closes it."""

    def __init__(self, path: str | Path, *, is_growing: bool = False) -> None:
        """Reads the file. Raises TapError where it cannot be read.

        With `is_growing` it need not exist yet, and is read on whenever a secret is missing.
        """
        self.name = str(path)
        self._path = Path(path)
        self._file: BinaryIO | None = None
        self._place = 0, 0
        """Device and inode of the file that is open."""
        self._rest = b""
        self.byte_count = 0
        self.keys = KeyLog(self._read_on if is_growing else None)
        try:
            self._open()
            self._read()
        except OSError as error:
            if not (is_growing and isinstance(error, FileNotFoundError)):
                raise TapError(
                    f"cannot read key log {self.name!r}: {error.strerror or error}; check the path"
                ) from error
        if not is_growing:
            self.keys.add(self._rest)
            self.close()

    def close(self) -> None:
        """Closes the file. May be called again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def lines(self, found: TlsRemarks) -> Iterator[str]:
        """What there is to know of it once all traffic was read, a line each for a person."""
        if not self.byte_count:
            yield f"key log {self.name!r} is empty; set SSLKEYLOGFILE where the TLS connections end"
        elif not self.keys.secret_count:
            wanted = "CLIENT_RANDOM <hex> <hex>"
            yield f"key log {self.name!r} has no line with a secret; write it in NSS format: {wanted}"
        elif not found.read:
            seen = f"{found.seen} TLS connections were seen from their beginning"
            yield f"key log {self.name!r} fits no connection; {seen}: was it written meanwhile?"
        if dropped := self.keys.dropped_count:
            given = f"its oldest {dropped} sessions were dropped; give the part that is needed"
            yield f"key log {self.name!r} is too long: {given}"

    def _read_on(self) -> None:
        """Takes what was written meanwhile; a file that was replaced or cut is read from its beginning."""
        try:
            status = self._path.stat()
            if self._file is None or self._place != (status.st_dev, status.st_ino):
                self.close()
                self._open()
            elif status.st_size < self._file.tell():
                self._file.seek(0)
                self._rest = b""
            self._read()
        except OSError:
            return  # for the moment: it is looked for again at the next secret that is missing

    def _open(self) -> None:
        # Closed by close(): it outlives this function.
        self._file = self._path.open("rb")
        status = os.fstat(self._file.fileno())
        self._place = status.st_dev, status.st_ino
        self._rest = b""

    def _read(self) -> None:
        assert self._file is not None
        while piece := self._file.read(_PIECE_BYTES):
            self.byte_count += len(piece)
            lines, end, rest = (self._rest + piece).rpartition(b"\n")
            self.keys.add(lines + end)
            self._rest = rest[-_MAX_LINE_BYTES:]


def decryption(keys: KeyLog) -> Decrypting:
    """What reads TLS with `keys`. It is imported here, and cryptography when the first secret is used: both
    together take as long as all else that reads a capture."""
    from shadow.wire.tls import Tls  # noqa: PLC0415  # as said
    from shadow.wire.tls_decryption import Decryption  # noqa: PLC0415  # as said

    return Decryption(keys, _ciphers, Tls)


def _ciphers() -> "MakeOpener":
    from shadow.wire.tls_cipher import opener  # noqa: PLC0415  # heavy, and seldom needed

    return opener
