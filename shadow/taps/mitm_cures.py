"""Cures for mitmproxy 12, where its HTTP/1 would break a live exchange."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from h11 import Data, EndOfMessage
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.proxy.commands import Command, SendData
from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http._events import RequestHeaders, RequestTrailers, ResponseTrailers

_HEAD_BYTES = len(b"HTTP/1.1 103")


@contextmanager
def cured() -> Iterator[None]:
    """Inside, three things do not break a live exchange.

    - Trailer fields: HTTP/1's are read and dropped, and those of HTTP/2 and 3 are not written to HTTP/1, as
      RFC 9110 §6.5.1 lets an intermediary do. Between two sides of HTTP/2 they stay.
    - Bodies of HTTP/2 and 3 whose length nobody said: HTTP/1 gets them in chunks. mitmproxy would write them
      behind a head that announces none, where they are the next request.
    - Informational answers, such as 103: they are passed on. mitmproxy would take one for the answer.

    It offers no other way to step in here than to replace the functions that read and write messages.
    """
    client, server = _http1.Http1Client, _http1.Http1Server
    ends = [
        _put(_http1, "make_body_reader", _reader_without_trailers(_http1.make_body_reader)),
        _put(client, "send", _sayable(client.send)),
        _put(server, "send", _sayable(server.send)),
        _put(client, "read_headers", _past_informational(client.read_headers)),
    ]
    try:
        yield
    finally:
        for end in ends:
            end()


def _put(place: Any, name: str, new: Callable[..., Any]) -> Callable[[], None]:
    """Put `new` in the place of what is called `name`; what is given back undoes it."""
    stock = getattr(place, name)
    setattr(place, name, new)
    return lambda: setattr(place, name, stock)


def _reader_without_trailers(make: Callable[..., Any]) -> Callable[..., Any]:
    def make_body_reader(expected_size: int | None) -> Any:
        return _TrailerlessReader() if expected_size is None else make(expected_size)

    return make_body_reader


class _TrailerlessReader(ChunkedReader):
    def __call__(self, buf: ReceiveBuffer) -> Data | EndOfMessage | None:
        event = super().__call__(buf)
        return EndOfMessage() if isinstance(event, EndOfMessage) else event


def _sayable(send: Callable[..., Any]) -> Callable[..., Any]:
    """`send`, for what HTTP/1 can say."""

    def write(side: _http1.Http1Connection, event: object) -> Any:
        if isinstance(event, RequestTrailers | ResponseTrailers):
            return ()
        if isinstance(event, RequestHeaders) and not event.end_stream:
            _frame(event)
        return send(side, event)

    return write


def _frame(event: RequestHeaders) -> None:
    """Let the head of a request say how its body is framed. The flow keeps its own."""
    request = event.request
    is_framed = "content-length" in request.headers or "transfer-encoding" in request.headers
    if not is_framed and (request.is_http2 or request.is_http3):
        event.request = request.copy()
        event.request.headers["Transfer-Encoding"] = "chunked"


def _past_informational(read: Callable[..., Any]) -> Callable[..., Any]:
    """`read`, which reads the head of an answer, for those that informational ones go before."""

    def read_headers(side: _http1.Http1Client, event: object) -> Any:
        if isinstance(event, DataReceived) and side.request and _is_informational(side.buf):
            return _pass_on(side, event)
        return read(side, event)

    def _pass_on(side: _http1.Http1Client, event: DataReceived) -> Iterator[Command]:
        while _is_informational(side.buf):
            lines = side.buf.maybe_extract_lines()
            if lines is None:
                return
            # Clients of HTTP/1.0 know none, and those of HTTP/2 and 3 can do without.
            if side.request is not None and side.request.data.http_version == b"HTTP/1.1":
                yield SendData(side.context.client, b"\r\n".join([*lines, b"", b""]))
        yield from read(side, event)

    return read_headers


def _is_informational(buffer: ReceiveBuffer) -> bool:
    """Whether an answer begins that is not the last: 1xx, save 101, which ends HTTP (RFC 9110 §15.2)."""
    head = bytes(buffer._data[:_HEAD_BYTES])  # noqa: SLF001  # bytes() of it all would copy it all
    return head[:7] == b"HTTP/1." and head[8:10] == b" 1" and head[9:12] != b"101"
