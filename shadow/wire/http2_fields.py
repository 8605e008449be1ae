"""Field blocks of HTTP/2 (HPACK, RFC 7541), read by someone who may not have seen all of them.

The static table and the Huffman code are the `hpack` library's. Its decoder is made for an end of the
connection: it gives up at the first entry that it does not know, and leaves its table half changed by a block
that is too long. A listener has to go on. So representations are read here, and entries that were added in
bytes that were not captured are known to be unknown.

Whoever knows the latest `n` entries reads the first `n` dynamic indexes right, whatever came before and
however large the encoder's table is: eviction only ever takes the oldest. So no value here is ever a guess.
"""

from collections import deque

from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

type Field = tuple[bytes, bytes]

_STATIC: tuple[Field, ...] = ((b"", b""), *HeaderTable.STATIC_TABLE)
"""By index; index 0 is none."""
_STATIC_COUNT = len(_STATIC)
_ENCODER = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
_WHOLE = {field: at for at, field in reversed(list(enumerate(_STATIC))) if at}
_NAMED = {field[0]: at for field, at in reversed(list(_WHOLE.items()))}
_DEFAULT_TABLE_BYTES = 4096
_MAX_TABLE_BYTES = 1_048_576
"""An encoder that is allowed a larger table has its oldest entries forgotten here."""
_ENTRY_BYTES = 32
"""What an entry counts besides its text (RFC 7541 §4.1)."""
_MAX_INTEGER_BYTES = 5
_UNKNOWN: Field = (b"", b"")
"""Stands for an entry that was added in bytes that are not known."""
_MAX_TEXTS = 4096
_MAX_TEXT_BYTES = 64

UNKNOWN_ENTRY = "fields that refer to others, which were not captured"


def huffman(text: bytes) -> bytes:
    """`text` in the Huffman code, padded to whole bytes."""
    return bytes(_ENCODER.encode(text)) if text else b""


def static_index(name: bytes, value: bytes) -> tuple[int, int]:
    """Where the static table has the field, and where its name; 0 where it has not."""
    return _WHOLE.get((name, value), 0), _NAMED.get(name, 0)


class HuffmanTexts:
    """Strings that were decoded once. Most come again and again, on all connections."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[bytes, bytes] = {}

    def plain(self, coded: bytes) -> bytes:
        """What `coded` stands for. Raises HPACKDecodingError where it is nothing."""
        text = self._known.get(coded)
        if text is None:
            text = bytes(decode_huffman(coded))
            if len(coded) <= _MAX_TEXT_BYTES:
                if len(self._known) >= _MAX_TEXTS:
                    self._known.clear()
                self._known[coded] = text
        return text


class FieldDecoder:
    """Reads the field blocks of one direction, in order."""

    __slots__ = ("_entries", "_is_whole", "_max_list_bytes", "_max_table_bytes", "_texts", "table_bytes")

    def __init__(self, max_list_bytes: int, texts: HuffmanTexts, *, is_whole: bool = True) -> None:
        """`max_list_bytes` bounds the fields of one block, each with 32 bytes of overhead. Not `is_whole`:
        blocks came before the first that is read."""
        self._max_list_bytes = max_list_bytes
        self._texts = texts
        self._entries: deque[Field] = deque()
        """The newest first."""
        self.table_bytes = 0
        """What the entries take."""
        self._is_whole = is_whole
        self._max_table_bytes = _DEFAULT_TABLE_BYTES if is_whole else _MAX_TABLE_BYTES

    def lose(self) -> None:
        """Blocks may be missing here: what is in the table is unknown, and how large it may become."""
        self._forget_all()
        self._is_whole = False
        self._max_table_bytes = _MAX_TABLE_BYTES

    def decode(self, block: bytes) -> tuple[list[Field], str]:
        """The fields of `block` that are known, in wire order, and why these are not all; "" where they are.

        Indexes stay in step after any block that is well-formed. After one that is not, the table is lost.
        """
        fields: list[Field] = []
        try:
            return fields, self._read(block, fields)
        except IndexError:
            why = "a field block ends too early"
        except (HPACKDecodingError, ValueError) as error:
            why = f"a malformed field block: {error}"
        self.lose()
        return fields, why

    def _read(self, block: bytes, fields: list[Field]) -> str:
        """Appends the fields of `block` to `fields`. Raises IndexError or ValueError on malformed ones."""
        at, end, why, room = 0, len(block), "", self._max_list_bytes
        while at < end:
            first = block[at]
            if first >= 0x80:
                index, at = (first & 0x7F, at + 1) if first < 0xFF else _integer(block, at, 0x7F)
                field = _STATIC[index] if 0 < index < _STATIC_COUNT else self._entry(index)
            elif first >= 0x40 or first < 0x20:
                field, at = self._literal(block, at, first)
            else:
                if room < self._max_list_bytes:
                    raise ValueError("a table size after a field")
                size, at = _integer(block, at, 0x1F)
                self._resize(size)
                continue
            room -= _ENTRY_BYTES + len(field[0]) + len(field[1])
            if room < 0:
                why, room = f"fields longer than {self._max_list_bytes} bytes", 0
                fields.clear()
            elif field is _UNKNOWN:
                why = why or UNKNOWN_ENTRY
            else:
                fields.append(field)
        return why

    def _literal(self, block: bytes, at: int, first: int) -> tuple[Field, int]:
        """The field written out at `at`, and the position after it; the table takes it where asked to."""
        index, at = _integer(block, at, 0x3F if first >= 0x40 else 0x0F)
        if not index:
            name, at = self._string(block, at)
        else:
            name = _STATIC[index][0] if index < _STATIC_COUNT else self._entry(index)[0]
        value, at = self._string(block, at)
        field = _UNKNOWN if index and not name else (name, value)
        if first >= 0x40:
            self._add(field)
        return field, at

    def _string(self, block: bytes, at: int) -> tuple[bytes, int]:
        """The string at `at`, and the position after it. Raises IndexError or ValueError."""
        is_coded = block[at] >= 0x80
        length, at = _integer(block, at, 0x7F)
        end = at + length
        if end > len(block):
            raise IndexError
        text = block[at:end]
        return (self._texts.plain(text) if is_coded else text), end

    def _entry(self, index: int) -> Field:
        """The entry with a dynamic index. Raises ValueError where there can be none."""
        at = index - _STATIC_COUNT
        if 0 <= at < len(self._entries):
            return self._entries[at]
        if at < 0 or self._is_whole:
            raise ValueError(f"no entry has the index {index}")
        return _UNKNOWN

    def _add(self, field: Field) -> None:
        """An entry that is unknown counts as empty: that others are kept too long for it does no harm."""
        size = _ENTRY_BYTES + len(field[0]) + len(field[1])
        self._evict(self._max_table_bytes - size)
        if size <= self._max_table_bytes:
            self._entries.appendleft(field)
            self.table_bytes += size

    def _evict(self, room_bytes: int) -> None:
        while self.table_bytes > room_bytes and self._entries:
            name, value = self._entries.pop()
            self.table_bytes -= _ENTRY_BYTES + len(name) + len(value)

    def _resize(self, size: int) -> None:
        """The encoder says how large its table is from here on (RFC 7541 §6.3).

        What the other side allows it in its SETTINGS is no concern of a listener's: it changes nothing in the
        table until the encoder says so here (RFC 7541 §4.2).
        """
        if not size:
            self._forget_all()
            self._is_whole = True
        self._max_table_bytes = min(size, _MAX_TABLE_BYTES)
        if size > _MAX_TABLE_BYTES:
            self._is_whole = False
        self._evict(self._max_table_bytes)

    def _forget_all(self) -> None:
        self._entries.clear()
        self.table_bytes = 0


def _integer(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """The integer under `mask` and perhaps in what follows (RFC 7541 §5.1), and the position after it.

    Raises IndexError where it is cut, ValueError where it is longer than anyone needs.
    """
    number = block[at] & mask
    at += 1
    if number < mask:
        return number, at
    for shift in range(0, 7 * _MAX_INTEGER_BYTES, 7):
        byte = block[at]
        at += 1
        number += (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    raise ValueError("an endless integer")
