"""GoReplay's files, read and written: messages as sent, each after a line ``kind id time``.

Kind 1 is a request, 2 the live service's response, 3 the answer to a replay. Times are nanoseconds.
"""

import hashlib
import re
from collections.abc import Iterator

from shadow.model import Exchange, Fate, Request, Response, Settled, field
from shadow.taps.session import CREDENTIALS, session_by
from shadow.taps.source import Source
from shadow.wire.http1 import RequestReader, ResponseReader, serialise_request, serialise_response

TAP = "gor"
_SEPARATOR = "\n🐵🙈🙉\n".encode()
_META = re.compile(rb"([123]) ([0-9A-Za-z-]{1,64}) (-?\d{1,20})(?: .*)?")
_MAX_WAITING = 4096
"""Requests that wait for their response; the oldest then goes without."""
_MAX_RECORD_BYTES = 134_217_728


def is_gor(start: bytes) -> bool:
    """Whether a file that starts with these bytes is GoReplay's."""
    return _META.fullmatch(start.lstrip(b"\n").split(b"\n", 1)[0]) is not None


def read(source: Source) -> Iterator[Exchange | Settled]:
    """The exchanges of one file, as they complete; indexes count in the order of the requests."""
    waiting: dict[bytes, tuple[int, float, Request]] = {}
    index = 0
    for record in _records(source):
        meta, _, text = record.lstrip(b"\n").partition(b"\n")
        match = _META.fullmatch(meta.rstrip(b"\r"))
        if match is None:
            yield Settled(TAP, Fate.UNPARSED, 1, f"not a record: {meta[:60]!r}")
            continue
        kind, name, time = match[1], match[2], int(match[3]) / 1e9
        if kind == b"1":
            request = _request(text)
            if isinstance(request, str):
                yield Settled(TAP, Fate.UNPARSED, 1, request)
                continue
            if name in waiting:
                yield _exchange(name, *waiting.pop(name))
            waiting[name] = index, time, request
            index += 1
            if len(waiting) > _MAX_WAITING:
                oldest = next(iter(waiting))
                yield _exchange(oldest, *waiting.pop(oldest))
        elif kind == b"2" and name in waiting:
            at, seen, request = waiting.pop(name)
            yield _exchange(name, at, seen, request, _response(request.method, text), max(time - seen, 0.0))
    for name, asked in waiting.items():
        yield _exchange(name, *asked)


def encode(exchange: Exchange) -> bytes:
    """`exchange` as one or two records."""
    name = hashlib.sha256(f"{exchange.session} {exchange.index}".encode()).hexdigest()[:24].encode()
    time = round(exchange.seen_at * 1e9)
    text = b"1 %b %d 0\n%b%b" % (name, time, serialise_request(exchange.request), _SEPARATOR)
    if exchange.response is not None:
        taken = round((exchange.latency_seconds or 0.0) * 1e9)
        answer = serialise_response(exchange.response, exchange.request.method)
        text += b"2 %b %d %d\n%b%b" % (name, time + taken, taken, answer, _SEPARATOR)
    return text


def _records(source: Source) -> Iterator[bytes]:
    rest = bytearray()
    for piece in source.pieces():
        scan = max(len(rest) - len(_SEPARATOR), 0)
        rest += piece
        end = rest.find(_SEPARATOR, scan)
        if end < 0 and len(rest) > _MAX_RECORD_BYTES:
            source.notice(f"has a record longer than {_MAX_RECORD_BYTES} bytes; what stands before was read")
            return
        start = 0
        while end >= 0:
            yield bytes(rest[start:end])
            start = end + len(_SEPARATOR)
            end = rest.find(_SEPARATOR, start)
        del rest[:start]
    if rest.strip():
        source.notice("ends inside a record; the records before it were read")


def _request(text: bytes) -> Request | str:
    reader = RequestReader()
    request = reader.feed(text)
    if request is None:
        return reader.error or "the request is cut"
    return request


def _response(method: bytes, text: bytes) -> Response | None:
    reader = ResponseReader(method)
    return reader.feed(text) or reader.finish()


def _exchange(
    name: bytes,
    index: int,
    seen_at: float,
    request: Request,
    response: Response | None = None,
    latency: float | None = None,
) -> Exchange:
    if response is None:
        latency = None
    live = (field(request.headers, b"host") or b"").decode("latin-1")
    return Exchange(index, TAP, _session(request, name), seen_at, request, response, latency, live)


def _session(request: Request, name: bytes) -> str:
    """Whose request it is. The file says nothing of connections, so the client's credentials must tell."""
    found = session_by(TAP, request.headers, (*CREDENTIALS, b"x-forwarded-for"))
    return found or f"{TAP}:{name.decode('latin-1')}"
