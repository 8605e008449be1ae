"""What is worked out of header fields, worked out once: clients and services say the same again and again."""

from collections.abc import Callable

from shadow.model.exchange import Headers

_MAX_BYTES = 4096
"""Longer ones are worked out each time, so that hostile ones cannot fill the memory."""
_ENTRIES = 1024


def by_headers[T](compute: Callable[[Headers], T], *, entries: int = _ENTRIES) -> Callable[[Headers], T]:
    """`compute`, which must depend on nothing else, with a memory for what it gave: of so many at most."""
    known: dict[Headers, T] = {}

    def of(headers: Headers) -> T:
        try:
            return known[headers]
        except KeyError:
            found = compute(headers)
        if sum(len(name) + len(value) for name, value in headers) <= _MAX_BYTES:
            if len(known) >= entries:
                del known[next(iter(known))]
            known[headers] = found
        return found

    return of
