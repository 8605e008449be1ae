"""zstd (RFC 8878), undone and redone; the one place that knows the library."""

import zstandard

_SLICE_BYTES = 256
"""A block of 4 bytes may unpack to 128 KiB (§3.1.1.2), so one slice gives out 8 MiB at most. The library
cannot bound what one call gives out."""


class ZstdFrame:
    """Undoes one frame, in the sense of `shadow.content.members.Member`."""

    def __init__(self, max_window_bytes: int) -> None:
        """Frames that need a larger window are refused: it is memory."""
        self._frame = zstandard.ZstdDecompressor(max_window_size=max_window_bytes).decompressobj()
        self._rest = b""
        self.unused_data = b""

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def needs_input(self) -> bool:
        return not self._rest

    def decompress(self, packed: bytes, max_length: int) -> bytes:
        """What comes out: `max_length` bytes, or a slice's worth more. ValueError where it is no zstd."""
        text = self._rest + packed
        out = bytearray()
        at = 0
        try:
            while at < len(text) and len(out) < max_length and not self._frame.eof:
                out += self._frame.decompress(text[at : at + _SLICE_BYTES])
                at += _SLICE_BYTES
        except zstandard.ZstdError as error:
            raise ValueError(str(error)) from error
        self._rest = text[at:]
        if self._frame.eof:
            self.unused_data, self._rest = self._frame.unused_data + self._rest, b""
        return bytes(out)


def compress(text: bytes) -> bytes:
    """`text` as one frame."""
    return zstandard.ZstdCompressor().compress(text)
