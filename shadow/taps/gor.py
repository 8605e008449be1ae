"""GoReplay's files, read and written: messages as sent, each after a line ``kind id time``.

Kind 1 is a request, 2 the live service's response, 3 the answer to a replay. Times are nanoseconds.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator

import msgspec

from shadow.model import Exchange, Fate, Request, Response, Settled, field, without_field
from shadow.taps.session import CREDENTIALS, session_by
from shadow.taps.source import Source
from shadow.wire.http1 import (
    MAX_BODY_BYTES,
    RequestReader,
    ResponseReader,
    serialise_request,
    serialise_response,
)
from shadow.wire.http1_form import in_http1

TAP = "gor"
_SEPARATOR = "\n🐵🙈🙉\n".encode()
_LATER = (b"HTTP/2", b"HTTP/3")
_META = re.compile(rb"([123]) ([0-9A-Za-z-]{1,64}) (-?\d{1,20})(?: .*)?")

_MAX_SECONDS = 1e10
"""Its nanoseconds still fit into what is read."""


class Bounds(msgspec.Struct, frozen=True):
    """What may be held of one file."""

    record_bytes: int = MAX_BODY_BYTES
    waiting: int = 4096
    """Requests that wait for their response; the oldest then goes without."""
    waiting_bytes: int = 33_554_432
    """Of their bodies."""


def is_gor(start: bytes) -> bool:
    """Whether a file that starts with these bytes is GoReplay's."""
    return _META.fullmatch(start.lstrip(b"\n").split(b"\n", 1)[0]) is not None


def read(source: Source, bounds: Bounds | None = None) -> Iterator[Exchange | Settled]:
    """The exchanges of one file, as they complete; indexes count in the order of the requests."""
    bounds = bounds or Bounds()
    pairing = _Pairing(bounds)
    for record in _records(source, bounds.record_bytes):
        if record is None:
            yield Settled(TAP, Fate.UNPARSED, 1, f"a record longer than {bounds.record_bytes} bytes")
            continue
        meta, _, text = record.lstrip(b"\n").partition(b"\n")
        match = _META.fullmatch(meta.rstrip(b"\r"))
        if match is None:
            yield Settled(TAP, Fate.UNPARSED, 1, "not a record, but other text")
        else:
            yield from pairing.take(match[1], match[2], int(match[3]) / 1e9, text)
    yield from pairing.finish()
    for remark, number in pairing.remarks.items():
        source.notice(f"{remark}: {number}")


class _Pairing:
    """Requests that wait for their live answers, and what became of answers that are none."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.remarks = Counter[str]()
        self._waiting: dict[bytes, tuple[int, float, Request]] = {}
        self._waiting_bytes = 0
        self._index = 0

    def take(self, kind: bytes, name: bytes, time: float, text: bytes) -> Iterator[Exchange | Settled]:
        """The exchanges that a record completes."""
        if kind == b"1":
            yield from self._ask(name, time, text)
        elif kind == b"3":
            self.remarks["answers to replays skipped"] += 1
        elif name not in self._waiting:
            self.remarks["responses without their requests skipped"] += 1
        else:
            yield self._answer(name, time, text)

    def finish(self) -> Iterator[Exchange]:
        """The exchanges that have no answer."""
        for name in list(self._waiting):
            yield _exchange(name, *self._forget(name))

    def _ask(self, name: bytes, time: float, text: bytes) -> Iterator[Exchange | Settled]:
        request = _request(text)
        if isinstance(request, str):
            yield Settled(TAP, Fate.UNPARSED, 1, request)
            return
        if name in self._waiting:
            yield _exchange(name, *self._forget(name))
        self._waiting[name] = self._index, time, request
        self._waiting_bytes += len(request.body)
        self._index += 1
        while len(self._waiting) > self._bounds.waiting or self._waiting_bytes > self._bounds.waiting_bytes:
            oldest = next(iter(self._waiting))
            yield _exchange(oldest, *self._forget(oldest))

    def _answer(self, name: bytes, time: float, text: bytes) -> Exchange:
        index, seen_at, request = self._forget(name)
        response = _response(request.method, text)
        if response is None:
            self.remarks["responses that could not be read"] += 1
        return _exchange(name, index, seen_at, request, response, max(time - seen_at, 0.0))

    def _forget(self, name: bytes) -> tuple[int, float, Request]:
        asked = self._waiting.pop(name)
        self._waiting_bytes -= len(asked[2].body)
        return asked


def encode(exchange: Exchange) -> bytes | None:
    """`exchange` as one or two records; None where it is more than HTTP/1 can say."""
    if exchange.protocol != "http":
        return None
    request = in_http1(exchange.request)
    response = None if exchange.response is None else _in_http1(exchange.response)
    if not _is_sayable(request) or (response is not None and not _is_sayable(response)):
        return None
    name = hashlib.sha256(f"{exchange.session} {exchange.index}".encode()).hexdigest()[:24].encode()
    time = _nanoseconds(exchange.seen_at)
    text = b"1 %b %d 0\n%b%b" % (name, time, serialise_request(request), _SEPARATOR)
    if response is not None:
        taken = _nanoseconds(exchange.latency_seconds or 0.0)
        answer = serialise_response(response, request.method)
        text += b"2 %b %d %d\n%b%b" % (name, time + taken, taken, answer, _SEPARATOR)
    return text


def _nanoseconds(seconds: float) -> int:
    return round(min(max(seconds, -_MAX_SECONDS), _MAX_SECONDS) * 1e9)


def _is_sayable(message: Request | Response) -> bool:
    """Whether HTTP/1 has a form for it: a line end inside a field would be another field there."""
    return not message.version.startswith(_LATER) and not any(
        b"\n" in name or b"\n" in value for name, value in (*message.headers, *message.trailers)
    )


def _in_http1(response: Response) -> Response:
    """A response of a later version as one of HTTP/1.1, with a length, which those do not need."""
    if not response.version.startswith(_LATER):
        return response
    headers = without_field(response.headers, b"transfer-encoding")
    if response.body and field(headers, b"content-length") is None:
        headers = (*headers, (b"Content-Length", b"%d" % len(response.body)))
    return msgspec.structs.replace(response, version=b"HTTP/1.1", headers=headers, trailers=())


def _records(source: Source, max_bytes: int) -> Iterator[bytes | None]:
    """Each record; None for one that is too long to be held."""
    rest = bytearray()
    is_too_long = False
    for piece in source.pieces():
        scan = max(len(rest) - len(_SEPARATOR), 0)
        rest += piece
        start, end = 0, rest.find(_SEPARATOR, scan)
        while end >= 0:
            yield None if is_too_long else bytes(rest[start:end])
            is_too_long = False
            start = end + len(_SEPARATOR)
            end = rest.find(_SEPARATOR, start)
        del rest[:start]
        if is_too_long or len(rest) > max_bytes:
            is_too_long = True
            del rest[: -len(_SEPARATOR)]
    if is_too_long or rest.strip():
        source.notice("ends inside a record; the records before it were read")


def _request(text: bytes) -> Request | str:
    reader = RequestReader()
    request = reader.feed(text)
    if request is None:
        return reader.error or "the request is cut"
    return "the request's body is too long to be kept" if reader.is_cut else request


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
