"""A cure for mitmproxy 12, whose DNS hears no more of a client after one message that it cannot read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mitmproxy import dns
from mitmproxy.proxy.commands import Command, OpenConnection, SendData
from mitmproxy.proxy.events import DataReceived
from mitmproxy.proxy.layers.dns import DNSLayer


@contextmanager
def unreadable_passed(count: Callable[[], None]) -> Iterator[None]:
    """Inside, datagrams that mitmproxy cannot read pass as they are: names may hold any bytes (RFC 2181).

    Over TCP the connection is closed, as ever. `count` is called for each query that is not read.
    """
    query, unpack = DNSLayer.state_query, DNSLayer.unpack_message
    DNSLayer.state_query = _passing(query, count)  # type: ignore[method-assign]  # it offers no other way
    DNSLayer.unpack_message = _counting(unpack, count)  # type: ignore[method-assign]  # likewise
    try:
        yield
    finally:
        DNSLayer.state_query = query  # type: ignore[method-assign]  # as it was
        DNSLayer.unpack_message = unpack  # type: ignore[method-assign]  # as it was


def _passing(stock: Callable[..., Any], count: Callable[[], None]) -> Callable[..., Any]:
    def state_query(layer: DNSLayer, event: Any) -> Any:
        is_datagram = isinstance(event, DataReceived) and layer.context.client.transport_protocol == "udp"
        if not is_datagram or _is_readable(event.data):
            return stock(layer, event)
        return _pass_on(layer, event, count)

    return state_query


def _pass_on(layer: DNSLayer, event: DataReceived, count: Callable[[], None]) -> Iterator[Command]:
    client, server = layer.context.client, layer.context.server
    if event.connection is not client:
        yield SendData(client, event.data)
        return
    count()
    if not server.connected:
        failure = yield OpenConnection(server)
        if failure:
            return
    yield SendData(server, event.data)


def _counting(stock: Callable[..., Any], count: Callable[[], None]) -> Callable[..., Any]:
    def unpack_message(layer: DNSLayer, data: bytes, from_client: bool) -> Any:  # mitmproxy's signature
        try:
            return stock(layer, data, from_client)
        except Exception:
            if from_client:
                count()
            raise

    return unpack_message


def _is_readable(datagram: bytes) -> bool:
    try:
        dns.DNSMessage.unpack(datagram)
    except Exception:  # noqa: BLE001  # struct.error, UnicodeError: whatever its names bring up
        return False
    return True
