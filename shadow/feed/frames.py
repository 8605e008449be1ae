"""What travels between a tap and the pipeline: length-prefixed msgpack frames, and the two ways over them.

A frame is a 4-byte big-endian length, then that many bytes: one byte for the kind, the rest its msgpack.
"""

from bisect import bisect_left
from itertools import accumulate
from struct import Struct

import msgspec

from shadow.model import Exchange

VERSION = 1
MAX_FRAME_BYTES = 32 << 20  # two bodies at the largest sensible capture limit, and their header fields
TAP_SECONDS_BOUNDS = (5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 5e-3, 2.5e-2)

_LENGTH = Struct(">I")


class Hello(msgspec.Struct, frozen=True):
    """The first frame of a tap."""

    tap: str
    run: str = ""
    """Names the tap's own run, so that a restarted tap can be told from a reconnected one."""
    live: str = ""
    """``host:port`` of the live service."""
    version: int = VERSION


class TapSeconds(msgspec.Struct, frozen=True):
    """Histogram of the time that the tap spent in the path of one live request."""

    counts: tuple[int, ...] = (0,) * (len(TAP_SECONDS_BOUNDS) + 1)
    """How many fell into each bucket of `TAP_SECONDS_BOUNDS` (upper bounds, inclusive), then the rest."""
    sum_seconds: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.counts)

    def quantile(self, share: float) -> float:
        """The upper bound in seconds of the bucket in which `share` (0 to 1) falls; inf past the last."""
        reached = bisect_left(list(accumulate(self.counts)), share * self.count)
        return TAP_SECONDS_BOUNDS[reached] if reached < len(TAP_SECONDS_BOUNDS) else float("inf")


class Ledger(msgspec.Struct, frozen=True):
    """What became of all that the tap saw, counted since the tap began (not since it connected).

    ``captured == acknowledged + sum(dropped) + sum(unparsed) + in_flight``, always.
    """

    captured: int = 0
    acknowledged: int = 0
    """Received by the pipeline for certain."""
    in_flight: int = 0
    """Queued in the tap, or written and not yet acknowledged."""
    dropped: dict[str, int] = {}
    """By reason: ``"queue_full"``, ``"pipeline_gone"``, ``"too_large"``."""
    unparsed: dict[str, int] = {}
    """By reason, for example ``"incomplete_request"``."""
    tap_seconds: TapSeconds = TapSeconds()
    frames: tuple[int, int] | None = None
    """Of a passive tap: frames taken, and frames that the kernel dropped."""


class Ack(msgspec.Struct, frozen=True):
    """The pipeline has received this many exchanges over this connection."""

    received: int


class Bye(msgspec.Struct, frozen=True):
    """The tap ends in order; nothing follows."""

    why: str = ""


type Frame = Hello | Exchange | Ledger | Ack | Bye

_KINDS: dict[type, bytes] = {Hello: b"H", Exchange: b"X", Ledger: b"L", Ack: b"A", Bye: b"B"}
_DECODERS: dict[int, msgspec.msgpack.Decoder[Frame]] = {
    mark[0]: msgspec.msgpack.Decoder(kind) for kind, mark in _KINDS.items()
}
_ENCODER = msgspec.msgpack.Encoder()


def encode(frame: Frame) -> bytes:
    """`frame` as bytes for the socket."""
    body = _ENCODER.encode(frame)
    return b"".join((_LENGTH.pack(len(body) + 1), _KINDS[type(frame)], body))


class FrameReader:
    """Cuts a byte stream into frames. Never raises: a stream that makes no sense is said to be `broken`."""

    def __init__(self, *, max_frame_bytes: int = MAX_FRAME_BYTES) -> None:
        self.broken: str | None = None
        """Why the stream cannot be read any further; None as long as it can."""
        self._max_frame_bytes = max_frame_bytes
        self._buffer = bytearray()

    def feed(self, received: bytes) -> list[Frame]:
        """The frames completed by `received`; those before a break are still given, none after it."""
        if self.broken is not None:
            return []
        self._buffer += received
        frames: list[Frame] = []
        start = 0
        while not isinstance(step := self._step(start), str | None):
            frame, start = step
            frames.append(frame)
        self.broken = step
        del self._buffer[: None if step else start]
        return frames

    def _step(self, start: int) -> tuple[Frame, int] | str | None:
        """The frame at `start` and its end; None when it is incomplete; else why it breaks the stream."""
        head_end = start + _LENGTH.size
        if len(self._buffer) < head_end:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, start)
        if not 1 <= length <= self._max_frame_bytes:
            return f"frame of {length} bytes, allowed are 1 to {self._max_frame_bytes}"
        end: int = head_end + length
        if end > len(self._buffer):
            return None
        decoder = _DECODERS.get(self._buffer[head_end])
        if decoder is None:
            return f"unknown kind of frame {self._buffer[head_end]:#04x}"
        try:
            return decoder.decode(self._buffer[head_end + 1 : end]), end
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return f"frame that is no msgpack of its kind: {error}"
