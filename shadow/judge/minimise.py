"""Makes a failing request smaller while it still fails. Sends nothing itself: it proposes, and is told."""

import json
from collections.abc import Callable, Generator, Iterator
from typing import Any

from msgspec.structs import replace

from shadow.model import Headers, Request, field

type Shrinking = Generator[Request, bool, Request]
"""Yields simpler requests, is sent whether the finding persists with each, returns the simplest that did."""

_KEPT_FIELDS = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"content-type", b"content-encoding", b"connection"}
)
"""Without these it would be another message, not a simpler one."""
_MIN_CHUNK_BYTES = 1


def shrink(request: Request, *, budget: int = 40) -> Shrinking:
    """Propose at most `budget` simpler forms of `request`, coarse ones first.

    The caller checks with each proposal that the expectation's precondition still holds, and answers
    True only if it does and the finding was seen again.
    """
    for step in (_fewer_headers, _fewer_queries, _fewer_members, _fewer_bytes):
        before = None
        while request is not before and budget > 0:
            before = request
            for proposal in step(request):
                if budget <= 0:
                    break
                budget -= 1
                if (yield proposal):
                    request = proposal
                    break
    return request


def minimised(request: Request, persists: Callable[[Request], bool], *, budget: int = 40) -> Request:
    """The simplest form of `request` for which `persists` holds, by `shrink`."""
    shrinking = shrink(request, budget=budget)
    try:
        proposal = next(shrinking)
        while True:
            proposal = shrinking.send(persists(proposal))
    except StopIteration as stop:
        return stop.value if isinstance(stop.value, Request) else request


def _fewer_headers(request: Request) -> Iterator[Request]:
    """All that can go at once, then each by itself."""
    spare = [line for line in request.headers if line[0].lower() not in _KEPT_FIELDS]
    if len(spare) > 1:
        yield replace(request, headers=tuple(line for line in request.headers if line not in spare))
        half = spare[: len(spare) // 2]
        yield replace(request, headers=tuple(line for line in request.headers if line not in half))
    for line in spare:
        at = request.headers.index(line)
        yield replace(request, headers=request.headers[:at] + request.headers[at + 1 :])


def _fewer_queries(request: Request) -> Iterator[Request]:
    path, question, query = request.target.partition(b"?")
    if not question:
        return
    yield replace(request, target=path)
    pairs = query.split(b"&")
    for at in range(len(pairs) if len(pairs) > 1 else 0):
        rest = b"&".join(pairs[:at] + pairs[at + 1 :])
        yield replace(request, target=path + b"?" + rest)


def _fewer_members(request: Request) -> Iterator[Request]:
    """JSON bodies with one member or element less, outermost first; lone surrogates and long numbers kept."""
    if not request.body or field(request.headers, b"content-encoding"):
        return
    try:
        value = json.loads(request.body)
    except (ValueError, RecursionError):
        return
    for simpler in _simpler(value):
        yield _with_body(request, json.dumps(simpler, separators=(",", ":")).encode())


def _simpler(value: Any) -> Iterator[Any]:
    match value:
        case dict():
            for key in value:
                yield {name: inner for name, inner in value.items() if name != key}
            for key, inner in value.items():
                for simpler in _simpler(inner):
                    yield {**value, key: simpler}
        case list():
            if len(value) > 2:
                yield value[: len(value) // 2]
                yield value[len(value) // 2 :]
            for at in range(len(value)):
                yield value[:at] + value[at + 1 :]
            for at, inner in enumerate(value):
                for simpler in _simpler(inner):
                    yield [*value[:at], simpler, *value[at + 1 :]]
        case str() if len(value) > 1:
            yield value[: len(value) // 2]
            yield value[len(value) // 2 :]


def _fewer_bytes(request: Request) -> Iterator[Request]:
    """Bodies that are no JSON, with a half, a quarter and so on cut out."""
    body = request.body
    if _is_json(body):
        return
    size = len(body) // 2
    while size >= _MIN_CHUNK_BYTES:
        for start in range(0, len(body), size):
            yield _with_body(request, body[:start] + body[start + size :])
        size //= 2


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _with_body(request: Request, body: bytes) -> Request:
    """A Content-Length that told the old length tells the new one; one that lied is left alone."""
    old, new = str(len(request.body)).encode(), str(len(body)).encode()
    headers: Headers = tuple(
        (name, new if name.lower() == b"content-length" and value == old else value)
        for name, value in request.headers
    )
    return replace(request, headers=headers, body=body)
