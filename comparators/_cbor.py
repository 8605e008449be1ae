"""CBOR (RFC 8949) as JSON values: enough to compare, in bounds."""

from struct import unpack
from typing import Any

_MAX_DEPTH = 200
_MAX_ITEMS = 200_000
_FORMS = {25: ("!e", 2), 26: ("!f", 4), 27: ("!d", 8)}
_CONSTANTS: dict[int, Any] = {20: False, 21: True, 22: None, 23: None}
_INDEFINITE, _BREAK = 31, 0xFF
_BIGNUM, _NEGATIVE_BIGNUM = 2, 3
_TEXT, _BYTES = 3, 2


class NoCborError(ValueError):
    """The bytes are no CBOR, or more of it than is looked at."""


def loads(body: bytes) -> Any:
    """The one item that `body` consists of; byte strings as ``"0x..."``, tags as ``{"tag 32": value}``."""
    reader = _Reader(body)
    value = reader.item(0)
    if reader.at != len(body):
        raise NoCborError(f"bytes left at {reader.at}")
    return value


class _Reader:
    def __init__(self, body: bytes) -> None:
        self.at = 0
        self._body = body
        self._count = 0

    def item(self, depth: int) -> Any:
        self._count += 1
        if depth > _MAX_DEPTH or self._count > _MAX_ITEMS:
            raise NoCborError("too deep or too many items")
        first = self._take(1)[0]
        major, detail = first >> 5, first & 31
        if major == 7:
            return self._simple(detail)
        length = None if detail == _INDEFINITE else self._length(detail)
        match major:
            case 0:
                return _definite(length)
            case 1:
                return -1 - _definite(length)
            case 2 | 3:
                text = self._string(major, length)
                return text.decode() if major == _TEXT else f"0x{text.hex()}"
            case 4:
                return [self.item(depth + 1) for _ in self._each(length)]
            case 5:
                return {_name(self.item(depth + 1)): self.item(depth + 1) for _ in self._each(length)}
        return _tagged(_definite(length), self.item(depth + 1))

    def _take(self, count: int) -> bytes:
        found = self._body[self.at : self.at + count]
        if len(found) < count:
            raise NoCborError("cut short")
        self.at += count
        return found

    def _length(self, detail: int) -> int:
        if detail < 24:
            return detail
        if detail > 27:
            raise NoCborError("no such length")
        return int.from_bytes(self._take(1 << (detail - 24)))

    def _simple(self, detail: int) -> Any:
        if detail in _CONSTANTS:
            return _CONSTANTS[detail]
        if detail in _FORMS:
            form, size = _FORMS[detail]
            return unpack(form, self._take(size))[0]
        raise NoCborError(f"simple value {detail}")

    def _string(self, major: int, length: int | None) -> bytes:
        if length is not None:
            return self._take(length)
        pieces = []
        for _ in self._each(None):
            first = self._take(1)[0]
            if first >> 5 != major or first & 31 == _INDEFINITE:
                raise NoCborError("a string made of something else")
            pieces.append(self._take(self._length(first & 31)))
        return b"".join(pieces)

    def _each(self, length: int | None) -> Any:
        """One turn for each item: so many, or up to the break."""
        if length is not None:
            if length > len(self._body):
                raise NoCborError("more items than bytes")
            yield from range(length)
            return
        while self._body[self.at : self.at + 1] != bytes([_BREAK]):
            if self.at >= len(self._body):
                raise NoCborError("cut short")
            yield None
        self.at += 1


def _definite(length: int | None) -> int:
    if length is None:
        raise NoCborError("no length")
    return length


def _name(key: Any) -> str:
    return key if isinstance(key, str) else repr(key)


def _tagged(tag: int, value: Any) -> Any:
    if tag in (_BIGNUM, _NEGATIVE_BIGNUM) and isinstance(value, str) and value.startswith("0x"):
        number = int(value[2:] or "0", 16)
        return number if tag == _BIGNUM else -1 - number
    return {f"tag {tag}": value}
