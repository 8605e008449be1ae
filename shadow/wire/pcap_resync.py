"""Finding the next record of a pcap file after bytes that are none: bad blocks, or writes that were cut.

A record is believed where its header is sane, its time is near that of the records before, and another such
header follows at its end.
"""

import re
import struct
from typing import NamedTuple

NEAR_SECONDS = 86_400
MAX_SANE_BYTES = 262_144
"""What tools capture of a frame at most, without being asked for more."""


class Shape(NamedTuple):
    """How records of one file look."""

    order: str
    per_second: int
    header_bytes: int

    def header(self, text: bytes, at: int) -> tuple[int, int, int, int]:
        """Seconds, fraction, bytes captured, bytes on the wire."""
        found: tuple[int, int, int, int] = struct.unpack_from(self.order + "IIII", text, at)
        return found

    def has_sane_sizes(self, text: bytes, at: int) -> bool:
        """Whether a header may stand here, by its sizes; zeros are none."""
        seconds, _, captured, sent = self.header(text, at)
        return bool(sent or seconds) and captured <= sent <= MAX_SANE_BYTES

    def is_in_time(self, text: bytes, at: int, expected: int) -> bool:
        """Whether a header may stand here, by its time: about `expected`, or any where that is negative."""
        seconds, fraction, _, _ = self.header(text, at)
        return fraction < self.per_second and (expected < 0 or abs(seconds - expected) <= NEAR_SECONDS)


def find_record(text: bytes, at: int, shape: Shape, expected: int, *, is_over: bool) -> tuple[int, bool]:
    """Where from `at` on the next record of about the Unix time `expected` (of any where that is negative)
    begins, and whether one does.

    If none does, the position from which to search on when there is more text than `text`; none is where
    `is_over`.
    """
    size = len(text)
    for found in _pattern(shape, expected).finditer(text, at):
        start = found.start()
        if not (shape.has_sane_sizes(text, start) and shape.is_in_time(text, start, expected)):
            continue
        seconds, _, captured, _ = shape.header(text, start)
        following = start + shape.header_bytes + captured
        if following == size:
            return start, True
        if following + shape.header_bytes > size:
            if is_over:
                continue
            return start, False
        if shape.has_sane_sizes(text, following) and shape.is_in_time(text, following, seconds):
            return start, True
    return max(size - shape.header_bytes + 1, at), False


def _pattern(shape: Shape, expected: int) -> re.Pattern[bytes]:
    """Where a header may stand: the upper bytes of its four numbers are known, nearly."""
    days = [
        number.to_bytes(2, "little" if shape.order == "<" else "big")
        for number in range(max((expected >> 16) - 2, 0), min((expected >> 16) + 3, 0x10000))
    ]
    high = b"|".join(re.escape(day) for day in days) if expected >= 0 else b".."
    fraction = b"[\0-\x0f]\0" if shape.per_second == 1_000_000 else b".[\0-\x3b]"
    size = b"[\0-\x04]\0"
    if shape.order == "<":
        header = b"..(?:%b)..%b..%b..%b" % (high, fraction, size, size)
    else:
        fraction = b"\0[\0-\x0f]" if shape.per_second == 1_000_000 else b"[\0-\x3b]."
        size = b"\0[\0-\x04]"
        header = b"(?:%b)..%b..%b..%b.." % (high, fraction, size, size)
    return re.compile(b"(?=%b)" % header, re.DOTALL)
