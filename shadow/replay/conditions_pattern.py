"""Failure patterns from bytes: which sending fails, and how, is drawn from a string of bytes.

One byte speaks of one sending. Its low three bits say what happens, the fourth bit in which direction, and
the high four how strongly, from 0 to 15:

====  =============================================================
bits  what happens
====  =============================================================
0, 1  nothing
2     latency of (strength + 1) × 20 ms
3     slices of strength + 1 bytes
4     half-close after strength × 32 bytes
5     limit of strength × 32 bytes
6     reset after strength × 32 bytes
7     black hole
====  =============================================================

Of datagrams, 2 and 3 come late, 4 comes twice, 5 is held back, and 6 and 7 are lost.
"""

from zlib import crc32

from shadow.replay.conditions import Condition, Direction

_STEP_SECONDS = 0.02
_STEP_BYTES = 32


def drawn(pattern: bytes, lane: str, ordinal: int) -> Condition | None:
    """What `pattern` holds for the sending number `ordinal`, from 0, of a lane; None for nothing.

    A lane begins at a place of its own, so that sessions of one request each do not all fare alike.
    """
    what, direction, strength = _parts(pattern, lane, ordinal)
    match what:
        case 2:
            return Condition(direction, latency_seconds=(strength + 1) * _STEP_SECONDS)
        case 3:
            return Condition(direction, slice_bytes=strength + 1)
        case 4:
            return Condition(direction, half_close_after_bytes=strength * _STEP_BYTES)
        case 5:
            return Condition(direction, limit_bytes=strength * _STEP_BYTES)
        case 6:
            return Condition(direction, reset_after_bytes=strength * _STEP_BYTES)
        case 7:
            return Condition(direction, black_hole_seconds=0.0)
    return None


def drawn_for_datagram(pattern: bytes, lane: str, ordinal: int) -> Condition | None:
    """As `drawn`, for the datagram number `ordinal`."""
    what, direction, strength = _parts(pattern, lane, ordinal)
    match what:
        case 2 | 3:
            return Condition(direction, latency_seconds=(strength + 1) * _STEP_SECONDS)
        case 4:
            return Condition(direction, duplicate_copies=1)
        case 5:
            return Condition(direction, reorder_seconds=(strength + 1) * _STEP_SECONDS)
        case 6 | 7:
            return Condition(direction, black_hole_seconds=0.0)
    return None


def _parts(pattern: bytes, lane: str, ordinal: int) -> tuple[int, Direction, int]:
    byte = pattern[(crc32(lane.encode("utf-8", "surrogateescape")) + ordinal) % len(pattern)]
    return byte & 7, Direction.DOWN if byte & 8 else Direction.UP, byte >> 4
