"""permessage-deflate (RFC 7692): what a handshake agreed on, and messages inflated within bounds."""

import zlib
from collections import deque

from shadow.model import Headers, fields

_TAIL = b"\x00\x00\xff\xff"
"""What the sender leaves out at the end of each message (§7.2.1)."""
_MAX_WINDOW_BITS = 15
_LEAST_WINDOW_BITS = 9
"""A deflater that was asked for 8 may use 9; the larger window reads both."""
_MAX_FINAL_BLOCKS = 16
"""In one message; more are an attack on whoever begins anew after each."""


class Inflater:
    """Inflates the messages of one side, in order."""

    def __init__(self, window_bits: int = _MAX_WINDOW_BITS, *, keeps_context: bool = True) -> None:
        self._window_bits = max(window_bits, _LEAST_WINDOW_BITS)
        self._keeps_context = keeps_context
        self._inflater = zlib.decompressobj(-self._window_bits)
        self._recent: deque[bytes] = deque()
        """The last messages: what the next may refer to."""
        self._recent_bytes = 0
        self.is_lost = False
        """A message was missed that later ones refer to: they cannot be inflated."""

    def miss(self) -> None:
        """A compressed message of this side is missing."""
        self.is_lost = self._keeps_context

    def inflate(self, payload: bytes, max_bytes: int) -> bytes | None:
        """The message, or the first `max_bytes` + 1 bytes of it; None where it cannot be inflated."""
        if self.is_lost:
            return None
        if not self._keeps_context:
            self._inflater = zlib.decompressobj(-self._window_bits)
            self._recent.clear()
            self._recent_bytes = 0
        try:
            return self._inflated(payload + _TAIL, max_bytes + 1)
        except zlib.error:
            self.miss()
            return None

    def _inflated(self, rest: bytes, room: int) -> bytes | None:
        parts: list[bytes] = []
        for _ in range(_MAX_FINAL_BLOCKS):
            part = self._inflater.decompress(rest, room)
            parts.append(part)
            room -= len(part)
            self._remember(part)
            if not room or not self._inflater.eof:
                return b"".join(parts)
            # After a final block the message may go on, and refer to what was before (RFC 7692 §7.2.3.5).
            rest = self._inflater.unused_data
            window = b"".join(self._recent)[-(1 << self._window_bits) :]
            self._inflater = zlib.decompressobj(-self._window_bits, zdict=window)
        self.miss()
        return None

    def _remember(self, part: bytes) -> None:
        if part:
            self._recent.append(part)
            self._recent_bytes += len(part)
        while self._recent and self._recent_bytes - len(self._recent[0]) >= 1 << self._window_bits:
            self._recent_bytes -= len(self._recent.popleft())


def inflaters(headers: Headers) -> tuple[Inflater, Inflater] | None:
    """The client's and the server's, as the response with these header fields agreed on; None without."""
    for line in fields(headers, b"sec-websocket-extensions"):
        for offer in line.split(b","):
            name, *parameters = [part.strip().lower() for part in offer.split(b";")]
            if name == b"permessage-deflate":
                agreed = dict(_parameter(each) for each in parameters)
                return _inflater(agreed, b"client"), _inflater(agreed, b"server")
    return None


def _inflater(agreed: dict[bytes, bytes], side: bytes) -> Inflater:
    bits = agreed.get(side + b"_max_window_bits", b"")
    is_number = len(bits) <= 4 and bits.isdigit() and 8 <= int(bits) <= _MAX_WINDOW_BITS
    return Inflater(
        int(bits) if is_number else _MAX_WINDOW_BITS,
        keeps_context=side + b"_no_context_takeover" not in agreed,
    )


def _parameter(text: bytes) -> tuple[bytes, bytes]:
    name, _, value = text.partition(b"=")
    return name.strip(), value.strip().strip(b'"')
