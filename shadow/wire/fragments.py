"""IP fragments put together again, within bounds."""

_MAX_DATAGRAMS = 1024
_MAX_DATAGRAM_BYTES = 65_535
_MAX_PIECES = 256
"""The smallest usual frames need 120 for the largest datagram; more are an attack on whoever joins them."""


class Fragments:
    """Unfinished datagrams. The oldest is forgotten when there are too many.

    Where fragments overlap, the one that begins earlier wins, and of two with one beginning the first seen.
    """

    def __init__(self) -> None:
        self._waiting: dict[bytes, dict[int, bytes]] = {}
        self._sizes: dict[bytes, int] = {}

    def add(self, key: bytes, offset: int, piece: bytes, *, is_last: bool) -> bytes | None:
        """The payload of the datagram that this fragment completes, else None."""
        if offset + len(piece) > _MAX_DATAGRAM_BYTES:
            return None
        pieces = self._waiting.get(key)
        if pieces is None:
            if len(self._waiting) >= _MAX_DATAGRAMS:
                oldest = next(iter(self._waiting))
                self._forget(oldest)
            pieces = self._waiting[key] = {}
        if len(pieces) >= _MAX_PIECES:
            return None
        pieces.setdefault(offset, piece)
        if is_last:
            self._sizes.setdefault(key, offset + len(piece))
        size = self._sizes.get(key)
        if size is None or sum(map(len, pieces.values())) < size:
            return None
        whole = _join(pieces, size)
        if whole is not None:
            self._forget(key)
        return whole

    def _forget(self, key: bytes) -> None:
        del self._waiting[key]
        self._sizes.pop(key, None)


def _join(pieces: dict[int, bytes], size: int) -> bytes | None:
    """The pieces one after the other, None where one is missing."""
    whole = bytearray()
    for offset in sorted(pieces):
        if offset > len(whole):
            return None
        whole += pieces[offset][len(whole) - offset :]
    return bytes(whole[:size]) if len(whole) >= size else None
