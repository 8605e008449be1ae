"""Cures for mitmproxy 12 where it translates between HTTP/1 and the later versions, and at trailer fields."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from h11 import Data, EndOfMessage
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http._events import RequestHeaders, RequestTrailers, ResponseTrailers


@contextmanager
def cured() -> Iterator[None]:
    """Inside, two things do not break a live exchange.

    - Trailer fields: HTTP/1's are read and dropped, and those of HTTP/2 and 3 are not written to HTTP/1, as
      RFC 9110 §6.5.1 lets an intermediary do. Between two sides of HTTP/2 they stay.
    - Bodies of HTTP/2 and 3 whose length nobody said: HTTP/1 gets them in chunks. mitmproxy would write them
      behind a head that announces none, where they are the next request.

    It offers no other way to step in here than to replace the functions that read bodies and write messages.
    """
    reader = _http1.make_body_reader
    sides: tuple[Any, ...] = (_http1.Http1Client, _http1.Http1Server)
    writers = [side.send for side in sides]

    def make_body_reader(expected_size: int | None) -> _http1.TBodyReader:
        return _TrailerlessReader() if expected_size is None else reader(expected_size)

    _http1.make_body_reader = make_body_reader
    for side, send in zip(sides, writers, strict=True):
        side.send = _sayable(send)
    try:
        yield
    finally:
        _http1.make_body_reader = reader
        for side, send in zip(sides, writers, strict=True):
            side.send = send


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


class _TrailerlessReader(ChunkedReader):
    def __call__(self, buf: ReceiveBuffer) -> Data | EndOfMessage | None:
        event = super().__call__(buf)
        return EndOfMessage() if isinstance(event, EndOfMessage) else event
