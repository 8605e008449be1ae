"""The entries of a HAR, one by one, from pieces of it: where each begins and ends, without reading it.

Only as much of JSON is understood as that takes: strings, and how deep objects and arrays nest.
"""

import re
from collections.abc import Iterator

_PLAIN = re.compile(rb'[^"{}\[\]]*+')
"""Up to a string or a bracket."""
_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
"""Inside a string: up to its end, or to an escape that is cut."""
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
"""Over whole strings, up to a bracket; or to a string that is cut."""
_QUOTE, _BACKSLASH = b'"'[0], b"\\"[0]
_OBJECT, _ARRAY = b"{["
_ENTRIES_DEPTH = 3
"""How deep the elements of the array stand: in it, in the object `log`, in the document."""
_MAX_KEY_BYTES = 64
_BLANK = b" \t\r\n,"


class EntryScanner:
    """Finds the elements of the array ``log.entries``. Each byte is looked at once, or twice."""

    def __init__(self, max_entry_bytes: int) -> None:
        """What is longer is not held."""
        self.has_entries = False
        """Whether the array was found."""
        self.is_whole = False
        """Whether its end was found."""
        self._max_entry_bytes = max_entry_bytes
        self._depth = 0
        self._is_in_log = self._is_in_entries = False
        self._is_in_string = self._is_escaped = False
        self._key = b""
        """The last string that stood in the document or in the log, as far as it may be a key."""
        self._parts: list[bytes] = []
        """Of the entry that is not complete."""
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes | None]:
        """The elements that `piece` completes, as they are; None for one that was too long to hold."""
        at, start = 0, 0
        while at < len(piece):
            if self._is_in_string:
                at = self._through_string(piece, at)
                if not self._is_in_string and self._depth == _ENTRIES_DEPTH and self._is_in_entries:
                    yield self._element(piece[start:at])
                continue
            begin, at = at, self._to_token(piece, at)
            if self._depth == _ENTRIES_DEPTH and self._is_in_entries:
                start = at
                if rubbish := piece[begin:at].strip(_BLANK):
                    yield rubbish
            if at == len(piece):
                break
            at += 1
            if self._take_token(piece[at - 1]):
                yield self._element(piece[start:at])
        if self._is_in_entries and (self._depth > _ENTRIES_DEPTH or self._is_in_string):
            self._keep(piece[start:])

    def _to_token(self, piece: bytes, at: int) -> int:
        """Where the next bracket stands, or the next string that matters."""
        pattern = _TO_BRACKET if self._is_in_entries and self._depth > _ENTRIES_DEPTH else _PLAIN
        found = pattern.match(piece, at)
        assert found is not None
        return found.end()

    def _through_string(self, piece: bytes, at: int) -> int:
        """The position after the string's end, or the end of `piece`."""
        begin = at
        if self._is_escaped:
            self._is_escaped = False
            at += 1
        found = _STRING.match(piece, at)
        assert found is not None
        at = found.end()
        if not self._is_in_entries:
            self._key += piece[begin : min(at, begin + _MAX_KEY_BYTES - len(self._key))]
        if at == len(piece):
            return at
        self._is_in_string = piece[at] != _QUOTE
        self._is_escaped = piece[at] == _BACKSLASH
        return at + 1

    def _take_token(self, token: int) -> bool:
        """Whether `token`, a bracket or the start of a string, ends an element."""
        if token == _QUOTE:
            self._is_in_string = True
            self._key = b""
            return False
        if token in (_OBJECT, _ARRAY):
            if self._depth == 1:
                self._is_in_log = token == _OBJECT and self._key == b"log"
            elif self._depth == 2 and self._is_in_log and token == _ARRAY and self._key == b"entries":
                self.has_entries = self._is_in_entries = True
            self._depth += 1
            return False
        self._depth = max(self._depth - 1, 0)
        if self._is_in_entries and self._depth < _ENTRIES_DEPTH:
            self._is_in_entries = False
            self.is_whole = True
        return self._is_in_entries and self._depth == _ENTRIES_DEPTH

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._max_entry_bytes:
            self._parts.append(part)
        else:
            self._parts.clear()

    def _element(self, last: bytes) -> bytes | None:
        """The element that ends with `last`."""
        self._keep(last)
        is_held = self._size <= self._max_entry_bytes
        whole = b"".join(self._parts) if is_held else None
        self._parts.clear()
        self._size = 0
        return whole
