"""Copies of bodies that stream through the inline tap, bounded each and together."""


class Allowance:
    """Bytes that all copies of one tap may still hold together."""

    __slots__ = ("left_bytes",)

    def __init__(self, left_bytes: int) -> None:
        self.left_bytes = left_bytes


class BodyCopy:
    """Copies a body that streams through. Called with a chunk it gives back the chunk, whatever happens."""

    __slots__ = ("_allowance", "_chunks", "_is_closed", "_max_bytes", "is_cut", "size_bytes")

    def __init__(self, allowance: Allowance, max_bytes: int) -> None:
        self.is_cut = False
        self.size_bytes = 0
        self._chunks: list[bytes] = []
        self._allowance = allowance
        self._max_bytes = max_bytes
        self._is_closed = False

    def __call__(self, chunk: bytes) -> bytes:
        if chunk and not self.is_cut and not self._is_closed:
            try:
                self._keep(chunk)
            except Exception:  # noqa: BLE001 - out of memory, say: the client must have its bytes all the same
                self.is_cut = True
        return chunk

    def content(self) -> bytes:
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def close(self) -> None:
        """Let go of the copy; what still streams through is no longer copied."""
        self._allowance.left_bytes += self.size_bytes
        self.size_bytes = 0
        self._chunks = []
        self._is_closed = True

    def _keep(self, chunk: bytes) -> None:
        room = min(self._max_bytes - self.size_bytes, self._allowance.left_bytes)
        if len(chunk) > room:
            self.is_cut = True
            chunk = chunk[: max(room, 0)]
        self._chunks.append(chunk)
        self._allowance.left_bytes -= len(chunk)
        self.size_bytes += len(chunk)
