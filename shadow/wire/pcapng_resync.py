"""Finding the next block of a pcapng file after bytes that are none.

A block is believed where its type is known and its length stands at both of its ends.
"""

import re
import struct

LEAST_BYTES = 12
_SECTION = b"\x0a\x0d\x0d\x0a"
_KINDS = (1, 2, 3, 4, 5, 6, 10, 0xBAD, 0x40000BAD)
"""Interface, packet (old, simple, enhanced), names, statistics, secrets, custom blocks."""
_MAX_SANE_BYTES = 1_048_576
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


def order_of(text: bytes, at: int) -> str | None:
    """The byte order of the section whose header begins at `at`; None where none does."""
    return _ORDERS.get(text[at + 8 : at + 12]) if text.startswith(_SECTION, at) else None


def is_closed(text: bytes, at: int, size: int) -> bool:
    """Whether the block of `size` bytes at `at` says at its end how long it is."""
    return text[at + size - 4 : at + size] == text[at + 4 : at + 8]


def find_block(text: bytes, at: int, order: str, *, is_over: bool) -> tuple[int, bool]:
    """Where from `at` on the next block begins, and whether one does.

    If none does, the position from which to search on when there is more text; none is where `is_over`.
    """
    pattern = b"|".join([_SECTION, *(re.escape(struct.pack(order + "I", kind)) for kind in _KINDS)])
    for found in re.compile(b"(?=%b)" % pattern).finditer(text, at):
        start = found.start()
        if len(text) - start < LEAST_BYTES:
            return start, False
        (size,) = struct.unpack_from((order_of(text, start) or order) + "I", text, start + 4)
        if not LEAST_BYTES <= size <= _MAX_SANE_BYTES or size % 4:
            continue
        if start + size > len(text):
            if is_over:
                continue
            return start, False
        if is_closed(text, start, size):
            return start, True
    return max(len(text) - 3, at), False
