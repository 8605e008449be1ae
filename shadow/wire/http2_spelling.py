"""One field line of HTTP/2 in each of the ways in which it can be written (RFC 7541 §5, §6)."""

from shadow.wire.http2_fields import huffman, static_index
from shadow.wire.http2_writing import integer

INDEXED_LITERAL = 0x40
"""The table takes it."""
PLAIN_LITERAL = 0x00
NEVER_INDEXED = 0x10
"""No table on the way may take it."""
_NAME_BITS = {INDEXED_LITERAL: 6, PLAIN_LITERAL: 4, NEVER_INDEXED: 4}


def text(content: bytes, *, is_coded: bool = False) -> bytes:
    """A string as it is, or in the Huffman code."""
    if not is_coded:
        return integer(len(content), 7, 0) + content
    coded = huffman(content)
    return integer(len(coded), 7, 0x80) + coded


def line(
    name: bytes, value: bytes, form: int = PLAIN_LITERAL, *, is_coded: bool = False, by_index: bool = False
) -> bytes:
    """One field; `by_index` has what is in the static table said by its number there."""
    whole, named = static_index(name, value) if by_index else (0, 0)
    if whole:
        return integer(whole, 7, 0x80)
    bits = _NAME_BITS[form]
    start = integer(named, bits, form)
    return start + (b"" if named else text(name, is_coded=is_coded)) + text(value, is_coded=is_coded)
