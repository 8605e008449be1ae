"""Where a part of a signature stands in a request: a field, a piece of one, a parameter of the query."""

import re
from typing import Protocol
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from shadow.model import Headers, Request, field, without_field


class Place(Protocol):
    """One place. What it holds is read, replaced, or taken away with all that stands there."""

    name: str
    """The field's name, or ``"query:NAME"``."""

    def read(self, request: Request) -> bytes | None: ...

    def put(self, request: Request, value: bytes) -> Request:
        """`request` with `value` here, added where the place can be made."""
        ...

    def drop(self, request: Request) -> Request:
        """`request` without the field or the parameter."""
        ...


class FieldPlace:
    """The whole value of a field."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lower = name.lower().encode("latin-1")

    def read(self, request: Request) -> bytes | None:
        return field(request.headers, self._lower)

    def put(self, request: Request, value: bytes) -> Request:
        return msgspec.structs.replace(request, headers=put_field(request.headers, self.name, value))

    def drop(self, request: Request) -> Request:
        return msgspec.structs.replace(request, headers=without_field(request.headers, self._lower))


class PiecePlace:
    """What the first group of a pattern matches in the value at another place. It cannot be made anew."""

    def __init__(self, whole: Place, pattern: bytes) -> None:
        self.name = whole.name
        self._whole = whole
        self._pattern = re.compile(pattern)

    def read(self, request: Request) -> bytes | None:
        found = self._found(request)
        return found[1] if found else None

    def put(self, request: Request, value: bytes) -> Request:
        found = self._found(request)
        if found is None:
            return request
        made = found.string[: found.start(1)] + value + found.string[found.end(1) :]
        return self._whole.put(request, made)

    def drop(self, request: Request) -> Request:
        return self._whole.drop(request)

    def _found(self, request: Request) -> re.Match[bytes] | None:
        value = self._whole.read(request)
        return None if value is None else self._pattern.search(value)


class QueryPlace:
    """The value of a parameter of the query, percent-decoded."""

    def __init__(self, name: str) -> None:
        self.name = f"query:{name}"
        self._name = name.encode()

    def read(self, request: Request) -> bytes | None:
        query = request.target.partition(b"?")[2]
        for pair in query.split(b"&") if query else ():
            name, _, value = pair.partition(b"=")
            if unquote_to_bytes(name) == self._name:
                return unquote_to_bytes(value)
        return None

    def put(self, request: Request, value: bytes) -> Request:
        path, _, query = request.target.partition(b"?")
        said = self._name + b"=" + quote_from_bytes(value, safe="").encode()
        pairs = query.split(b"&") if query else []
        at = next((at for at, pair in enumerate(pairs) if self._is_it(pair)), len(pairs))
        made = b"&".join((*pairs[:at], said, *pairs[at + 1 :]))
        return msgspec.structs.replace(request, target=path + b"?" + made)

    def drop(self, request: Request) -> Request:
        path, mark, query = request.target.partition(b"?")
        kept = b"&".join(pair for pair in query.split(b"&") if not self._is_it(pair))
        return msgspec.structs.replace(request, target=path + mark + kept if kept else path)

    def _is_it(self, pair: bytes) -> bool:
        return unquote_to_bytes(pair.partition(b"=")[0]) == self._name


def place_of(name: str) -> Place:
    """The place that settings call `name`: a field, or ``"query:NAME"``."""
    is_query = name.startswith("query:")
    return QueryPlace(name.removeprefix("query:")) if is_query else FieldPlace(name)


def put_field(headers: Headers, name: str, value: bytes) -> Headers:
    """`headers` with exactly one field `name`, in its first place or at the end, its letter case kept."""
    wanted = name.lower().encode("latin-1")
    kept: list[tuple[bytes, bytes]] = []
    is_placed = False
    for key, old in headers:
        if key.lower() != wanted:
            kept.append((key, old))
        elif not is_placed:
            kept.append((key, value))
            is_placed = True
    return tuple(kept) if is_placed else (*kept, (name.encode("latin-1"), value))
