"""Counts what mitmproxy 12 refuses before there is a flow, of which it tells no addon."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mitmproxy.net.http import http1
from mitmproxy.proxy.layers.http import _http2

type Count = Callable[[], None]


@contextmanager
def refusals_counted(count: Count) -> Iterator[None]:
    """Inside, `count` is called once for each: a request whose head cannot be read, a client's connection
    that breaks HTTP/2.

    What mitmproxy answers stays what it is. It offers no other way to hear of these than to wrap the
    functions that notice them.
    """
    ends = [
        _wrapped(http1, "read_request_head", lambda stock: _raising(stock, count)),
        _wrapped(_http2.Http2Server, "protocol_error", lambda stock: _called(stock, count)),
    ]
    try:
        yield
    finally:
        for end in ends:
            end()


def _wrapped(place: Any, name: str, wrap: Callable[[Any], Any]) -> Callable[[], None]:
    """Put a wrapped function in the place of the stock one; what is given back undoes it."""
    stock = getattr(place, name)
    setattr(place, name, wrap(stock))
    return lambda: setattr(place, name, stock)


def _raising(stock: Callable[..., Any], count: Count) -> Callable[..., Any]:
    def read(*arguments: Any, **named: Any) -> Any:
        try:
            return stock(*arguments, **named)
        except Exception:
            count()
            raise

    return read


def _called(stock: Callable[..., Any], count: Count) -> Callable[..., Any]:
    def tell(*arguments: Any, **named: Any) -> Any:
        count()
        return stock(*arguments, **named)

    return tell
