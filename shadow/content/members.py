"""Packed formats that consist of members one after the other: gzip, bzip2, xz, zstd. Undone as a stream."""

import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

_SLICE_BYTES = 16_384
"""Of packed input at a time: each member's end copies what follows it, and members may be tiny."""
_GZIP_WINDOW = 31
"""zlib's way of saying: the largest window, in a gzip wrapping."""


class Member(Protocol):
    """Undoes one member, as `bz2.BZ2Decompressor` does."""

    @property
    def eof(self) -> bool:
        """Whether the member is at its end."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more input."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What follows the member, once it is at its end."""
        ...

    def decompress(self, packed: bytes, max_length: int) -> bytes: ...


class DamagedError(ValueError):
    """The bytes are no member, or end inside one."""


class GzipMember:
    """Undoes one gzip member (RFC 1952)."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflater.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflater.unused_data

    def decompress(self, packed: bytes, max_length: int) -> bytes:
        return self._inflater.decompress(self._inflater.unconsumed_tail + packed, max_length)


def members_undone(begin: Callable[[], Member], pieces: Iterable[bytes], step_bytes: int) -> Iterator[bytes]:
    """What the members in `pieces` hold, about `step_bytes` at a time at most; zeros between are padding.

    Raises DamagedError where the damage begins, or at the end of `pieces` where a member is cut.
    """
    member = begin()
    for piece in pieces:
        for at in range(0, len(piece), _SLICE_BYTES):
            rest = piece[at : at + _SLICE_BYTES]
            while rest:
                if member.eof:
                    rest = rest.lstrip(b"\0")
                    if not rest:
                        break
                    member = begin()
                yield from _taken(member, rest, step_bytes)
                rest = member.unused_data if member.eof else b""
    yield from _taken(member, b"", step_bytes)
    if not member.eof:
        raise DamagedError("it ends too early")


def _taken(member: Member, packed: bytes, step_bytes: int) -> Iterator[bytes]:
    """What comes out of `member` for `packed`."""
    while not member.eof:
        try:
            text = member.decompress(packed, step_bytes)
        except (zlib.error, lzma.LZMAError, OSError, ValueError) as error:
            raise DamagedError(str(error)) from error
        if text:
            yield text
        elif member.needs_input:
            return
        packed = b""
