"""The first bytes of a connection: whether they are HTTP/1, and who is the client."""

import re
from enum import Enum

from shadow.wire.http1_head import looks_like_request
from shadow.wire.http2_shape import looks_like_frames

type Piece = tuple[int, bytes | None, float, int, int]
"""Side, payload, time, sequence and acknowledgement number. Payload None is a gap, its size in place of the
sequence number."""

_MAX_HELD_BYTES = 65_536
_SHORT_BYTES = 256
_MAX_MISSES = 32
_MAX_SKIPPED_BYTES = 262_144
"""After so many segments, or bytes, without HTTP, a connection that was seen from its start is something
else."""
_HTTP2 = "HTTP/2"
_KINDS = {b"\x16\x03": "TLS", b"\x17\x03": "TLS", b"SSH-": "SSH", b"PRI * HTTP/2": _HTTP2}
_HOPELESS = tuple(_KINDS)
"""Where a connection begins so, nothing that follows will be HTTP/1."""
_CLIENT_HELLO = re.compile(rb"\x16\x03[\x00-\x03]..\x01", re.DOTALL)
"""Of TLS: the beginning of a connection, whatever came before."""
_PROXY_V1 = b"PROXY "
_PROXY_V2 = b"\r\n\r\n\x00\r\nQUIT\n"


class Speaker(Enum):
    """What some bytes of one side tell about it."""

    CLIENT = "client"
    SERVER = "server"
    UNSURE = "unsure"
    """More bytes are needed."""
    OTHER = "other"
    """Neither a request nor a response begins here; one may later."""
    HOPELESS = "hopeless"


def speaker(text: bytes) -> Speaker:
    """Who sends `text`, bytes of one side from the start of a segment on."""
    start = text.lstrip(b"\r\n") if text[:1] in (b"\r", b"\n") else text
    if start.startswith(_HOPELESS):
        return Speaker.HOPELESS
    if start.startswith(b"HTTP/"):
        return Speaker.SERVER
    if any(each.startswith(start) for each in _HOPELESS):
        return Speaker.UNSURE
    looks = looks_like_request(start)
    if looks:
        return Speaker.CLIENT
    return Speaker.UNSURE if looks is None and len(start) <= _MAX_HELD_BYTES else Speaker.OTHER


class Opening:
    """Waits until either side says something that tells who is the client."""

    def __init__(self, *, is_whole: bool) -> None:
        """`is_whole` where the connection is seen from its first byte."""
        self.is_whole = is_whole
        self._gives_all = is_whole
        self._held: list[Piece] = []
        self._starts = [b"", b""]
        self._looked_at = [0, 0]
        """How long the start of each side was when it was looked at last."""
        self._misses = 0
        self.client: int | None = None
        self.is_hopeless = False
        self.kind = "other"
        """What it is, where it is no HTTP/1: ``"TLS"``, ``"SSH"``, ``"HTTP/2"`` or ``"other"``."""
        self.skipped_bytes = 0
        self._has_gap = False
        self.pieces: list[Piece] = []
        """What was said so far, for whoever reads it in place of HTTP/1; empty once it is HTTP/1. Where the
        beginning is missing, that is a gap of unknown size (0) on both sides, and what tells what is spoken.
        """

    @property
    def is_blind(self) -> bool:
        """Whether requests may have been missed before the first that was recognised."""
        return self._has_gap or (not self.is_whole and self.skipped_bytes > 0)

    def take(self, side: int, payload: bytes, time: float, seq: int, ack: int) -> list[Piece]:
        """The pieces to read, in order, once it is known who is the client; until then none."""
        start = self._starts[side] + payload
        if not self._starts[side]:
            header = proxy_header_bytes(payload)
            start, payload, seq = start[header:], payload[header:], seq + header
        self._add((side, payload, time, seq, ack))
        match self._speaker(side, start, payload):
            case Speaker.CLIENT:
                self.client = side
            case Speaker.SERVER:
                self.client = 1 - side
            case Speaker.UNSURE:
                self._starts[side] = start
                self._held.append((side, payload, time, seq, ack))
                return []
            case found:
                is_hello = _CLIENT_HELLO.match(start) is not None
                if is_hello and not self.is_whole:
                    held = [piece for piece in self._held if piece[0] == side]
                    self.pieces = [*held, (side, payload, time, seq, ack)]  # what begins here is seen whole
                if found is Speaker.HOPELESS:
                    begun = start.lstrip(b"\r\n")  # as `speaker` looks at it
                    self.kind = next(kind for begin, kind in _KINDS.items() if begun.startswith(begin))
                elif not self.is_whole and looks_like_frames(start):
                    self.kind = _HTTP2
                if self.kind == _HTTP2 and not self._gives_all:
                    gaps: list[Piece] = [(each, None, time, 0, 0) for each in (0, 1)]
                    self.pieces = [*gaps, *self._held, (side, payload, time, seq, ack)]
                self._miss(side, len(start), is_hopeless=found is Speaker.HOPELESS)
                self.is_hopeless |= is_hello
                return []
        pieces = [*self._held, (side, payload, time, seq, ack)]
        self._held, self.pieces, self._starts = [], [], [b"", b""]
        return pieces

    def skip(self, side: int, count: int, time: float) -> None:
        """`count` bytes of `side` are missing."""
        self._add((side, None, time, count, 0))
        self.is_whole = False
        self._has_gap = True
        self._miss(side, len(self._starts[side]), is_hopeless=False)

    def _add(self, piece: Piece) -> None:
        self._gives_all &= len(self.pieces) <= _MAX_MISSES
        if self._gives_all:
            self.pieces.append(piece)

    def _speaker(self, side: int, start: bytes, fresh: bytes) -> Speaker:
        """Who sends `start`, of which `fresh` is the end. What was unsure stays so, without a look, until a
        line ends or it is twice as long: else each byte of a long line would cost a look at all of it."""
        looked_at = self._looked_at[side]
        if looked_at >= _SHORT_BYTES and len(start) < 2 * looked_at and b"\n" not in fresh:
            return Speaker.UNSURE
        self._looked_at[side] = len(start)
        return speaker(start)

    def _miss(self, side: int, count: int, *, is_hopeless: bool) -> None:
        self._misses += 1
        self.skipped_bytes += count
        self._starts[side] = b""
        self._looked_at[side] = 0
        self._held = [piece for piece in self._held if piece[0] != side]
        is_other = self._misses > _MAX_MISSES or self.skipped_bytes > _MAX_SKIPPED_BYTES
        is_hopeless = self.is_whole and (is_hopeless or is_other)
        self.is_hopeless = is_hopeless or self.kind == _HTTP2


def proxy_header_bytes(text: bytes) -> int:
    """How many bytes of `text` are a PROXY protocol header (versions 1 and 2), 0 without one."""
    if text.startswith(_PROXY_V1):
        return text.find(b"\n", 0, 110) + 1
    if text.startswith(_PROXY_V2) and len(text) >= 16:
        size = 16 + int.from_bytes(text[14:16])
        return size if len(text) >= size else 0
    return 0
