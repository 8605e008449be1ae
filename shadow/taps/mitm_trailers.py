"""A cure for mitmproxy 12: a chunked HTTP/1 body that ends in trailer fields hangs both of its sides."""

from collections.abc import Iterator
from contextlib import contextmanager

from h11 import Data, EndOfMessage
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from mitmproxy.proxy.layers.http import _http1


@contextmanager
def trailers_left_out() -> Iterator[None]:
    """Inside, mitmproxy reads trailer fields and drops them, as RFC 9110 §6.5.1 lets an intermediary do.

    Else it stops with NotImplementedError in the middle of a live exchange. It offers no other way to step in
    here than to replace the function that chooses the reader of a body.
    """
    stock = _http1.make_body_reader

    def make_body_reader(expected_size: int | None) -> _http1.TBodyReader:
        return _TrailerlessReader() if expected_size is None else stock(expected_size)

    _http1.make_body_reader = make_body_reader
    try:
        yield
    finally:
        _http1.make_body_reader = stock


class _TrailerlessReader(ChunkedReader):
    def __call__(self, buf: ReceiveBuffer) -> Data | EndOfMessage | None:
        event = super().__call__(buf)
        return EndOfMessage() if isinstance(event, EndOfMessage) else event
