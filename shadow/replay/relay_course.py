"""What the conditions do to bytes in one direction: when which piece arrives, and what becomes of the path.

Pure: times come in, plans come out. Whoever has the sockets carries them out.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from random import Random
from typing import NamedTuple

from shadow.replay.conditions import Condition, Met, Trouble

_QUANTUM_SECONDS = 0.02
"""A limited bandwidth is made of pieces that take so long each."""
_QUANTUM_BYTES_MIN = 64
"""At the slowest; a byte at a time would only cost."""


class Piece(NamedTuple):
    """Bytes, and when they arrive."""

    at: float
    data: bytes


class Halt(Enum):
    """What may become of a path."""

    CLOSE = "closed"
    RESET = "reset"
    HALF_CLOSE = "half-closed"
    DEAD = "a black hole"
    """This direction carries nothing more, and nobody is told."""
    LOST = "dead"
    """Neither direction does."""


class Stop(NamedTuple):
    """The end of a path, when, and by which trouble."""

    at: float
    halt: Halt
    trouble: Trouble


class Course:
    """One direction of a stream while one sending uses it. Pieces never overtake each other."""

    def __init__(self, met: Sequence[Met], now: float, *, not_before: float = 0.0) -> None:
        """`not_before` is when the last piece of the sending before arrives."""
        self.last_at = max(now, not_before)
        self.held_seconds = 0.0
        """The longest that a piece was held up."""
        self.tally: dict[Trouble, int] = {}
        """Bytes that each trouble met."""
        self.idle_drop_seconds = min(
            (each.condition.idle_drop_seconds for each in met if each.condition.idle_drop_seconds),
            default=0.0,
        )
        self._met = tuple(met)
        self._shapes = tuple(_Shape(each) for each in met if _is_shaping(each.condition))
        self._slow_close_seconds = max((each.condition.slow_close_seconds for each in met), default=0.0)
        self._count = 0
        self._cut = min((cut for each in met for cut in _cuts(each.condition)), default=None)
        self._is_over = False
        self._began = now

    def carry(self, data: bytes, now: float) -> tuple[list[Piece], Stop | None]:
        """The pieces in which `data` arrives, which came in at `now`, and what happens after the last."""
        if self._is_over:
            return [], None
        pieces = [Piece(now, data)]
        stop: Stop | None = None
        if self._cut is not None and self._count + len(data) >= self._cut.after_bytes:
            kept = data[: self._cut.after_bytes - self._count]
            pieces = [Piece(now, kept)] if kept else []
            self._is_over = True
            self._note(self._cut.trouble, self._count + len(kept))
        carried = sum(len(piece.data) for piece in pieces)
        self._count += carried
        is_apart = now >= self.last_at
        for shape in self._shapes:
            pieces = list(shape.shaped(pieces, is_apart=is_apart))
            for trouble in shape.troubles:
                self._note(trouble, carried)
        pieces = [Piece(max(piece.at, self.last_at), piece.data) for piece in pieces]
        if pieces:
            self.last_at = pieces[-1].at
            self.held_seconds = max(self.held_seconds, self.last_at - now)
        if self._is_over and self._cut is not None:
            stop = Stop(max(self.last_at, now), self._cut.halt, self._cut.trouble)
        return pieces, stop

    def end(self, now: float) -> float:
        """When the end of the stream arrives, which came in at `now`."""
        at = max(now, self.last_at) + self._slow_close_seconds
        if self._slow_close_seconds:
            self._note(Trouble.SLOW_CLOSE, 0)
            self.held_seconds = max(self.held_seconds, at - now)
        self.last_at = at
        return at

    def timed(self) -> Iterator[Stop]:
        """What happens by the clock, whatever passes."""
        for condition, _ in self._met:
            if condition.reset_in_seconds is not None:
                yield Stop(self._began + condition.reset_in_seconds, Halt.RESET, Trouble.RESET)
            if condition.black_hole_seconds:
                yield Stop(self._began + condition.black_hole_seconds, Halt.CLOSE, Trouble.BLACK_HOLE)

    def _note(self, trouble: Trouble, count: int) -> None:
        self.tally[trouble] = self.tally.get(trouble, 0) + count


class _Cut(NamedTuple):
    after_bytes: int
    order: int
    """Of those at one place, the least harm comes first."""
    halt: Halt
    trouble: Trouble


def _cuts(condition: Condition) -> Iterator[_Cut]:
    black_hole = None if condition.black_hole_seconds is None else 0
    for order, (after_bytes, halt, trouble) in enumerate(
        (
            (condition.half_close_after_bytes, Halt.HALF_CLOSE, Trouble.HALF_CLOSE),
            (condition.limit_bytes, Halt.CLOSE, Trouble.LIMIT),
            (condition.reset_after_bytes, Halt.RESET, Trouble.RESET),
            (black_hole, Halt.DEAD, Trouble.BLACK_HOLE),
            (condition.rebind_after_bytes, Halt.LOST, Trouble.REBIND),
        )
    ):
        if after_bytes is not None:
            yield _Cut(after_bytes, order, halt, trouble)


def _is_shaping(condition: Condition) -> bool:
    return bool(
        condition.latency_seconds
        or condition.jitter_seconds
        or condition.bandwidth_bytes_per_second
        or condition.slice_bytes
        or condition.mtu_bytes
    )


class _Shape:
    """What one condition does to the times and sizes of pieces."""

    def __init__(self, met: Met) -> None:
        self._condition, self._dice = met
        self._delay_seconds: float | None = None
        self._free_at = 0.0
        self._next_slice_at = 0.0
        self.troubles = tuple(_shaping_troubles(self._condition))

    def shaped(self, pieces: list[Piece], *, is_apart: bool) -> Iterator[Piece]:
        """`is_apart` where all that went before has arrived: then the latency is drawn anew, so that what is
        on its way together stays together."""
        if self._delay_seconds is None or is_apart:
            self._delay_seconds = delay_seconds(self._condition, self._dice)
        for piece in pieces:
            late = Piece(piece.at + self._delay_seconds, piece.data)
            for slow in self._throttled(late):
                for slice_ in self._sliced(slow):
                    yield from _cut_up(slice_, self._condition.mtu_bytes)

    def _throttled(self, piece: Piece) -> Iterator[Piece]:
        rate = self._condition.bandwidth_bytes_per_second
        if not rate:
            yield piece
            return
        size = max(int(rate * _QUANTUM_SECONDS), _QUANTUM_BYTES_MIN)
        for part in _cut_up(piece, size):
            self._free_at = max(self._free_at, part.at) + len(part.data) / rate
            yield Piece(self._free_at, part.data)

    def _sliced(self, piece: Piece) -> Iterator[Piece]:
        condition = self._condition
        if not condition.slice_bytes:
            yield piece
            return
        begin = 0
        while begin < len(piece.data):
            variation = condition.slice_variation_bytes
            size = condition.slice_bytes + (self._dice.randint(-variation, variation) if variation else 0)
            at = max(piece.at, self._next_slice_at)
            yield Piece(at, piece.data[begin : begin + size])
            self._next_slice_at = at + condition.slice_delay_seconds
            begin += size


def delay_seconds(condition: Condition, dice: Random) -> float:
    """Latency with its jitter, drawn once."""
    jitter = condition.jitter_seconds
    return max(condition.latency_seconds + (dice.uniform(-jitter, jitter) if jitter else 0.0), 0.0)


def _shaping_troubles(condition: Condition) -> Iterator[Trouble]:
    if condition.latency_seconds or condition.jitter_seconds:
        yield Trouble.LATENCY
    if condition.bandwidth_bytes_per_second:
        yield Trouble.BANDWIDTH
    if condition.slice_bytes:
        yield Trouble.SLICE
    if condition.mtu_bytes:
        yield Trouble.MTU


def _cut_up(piece: Piece, size: int) -> Iterator[Piece]:
    """`piece` in parts of `size` bytes; whole where that is 0."""
    if not size or len(piece.data) <= size:
        yield piece
        return
    for at in range(0, len(piece.data), size):
        yield Piece(piece.at, piece.data[at : at + size])
