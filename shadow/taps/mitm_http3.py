"""HTTP/3 at the front of the inline proxy, before a live service of HTTP/1 or 2."""

from mitmproxy import http
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.layers import ClientQuicLayer, HttpLayer
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.mode_specs import ReverseMode
from mitmproxy.proxy.tunnel import LayerStack
from mitmproxy.tls import TlsData

_H2, _H3 = b"h2", b"h3"


class Http3Front:
    """Ends QUIC here, and asks the live service over TCP.

    mitmproxy itself would speak HTTP/3 to the live service too, of which few can. Must be loaded before
    mitmproxy's own NextLayer and TlsConfig.
    """

    def __init__(self, live_scheme: str) -> None:
        self._live_is_secure = live_scheme == "https"

    def next_layer(self, nextlayer: NextLayer) -> None:
        context = nextlayer.context
        if context.client.transport_protocol != "udp":
            return
        context.server.transport_protocol = "tcp"
        context.server.tls = self._live_is_secure
        stack = LayerStack()
        stack /= ClientQuicLayer(context)
        stack /= HttpLayer(context, HTTPMode.transparent)
        nextlayer.layer = stack[0]

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Let several streams of one client have a connection of HTTP/1 each, as those of HTTP/2 do.

        mitmproxy looks at nothing but the client's protocol to know that they must.
        """
        if flow.client_conn.alpn == _H3:
            flow.client_conn.alpn = _H2

    def tls_start_server(self, starting: TlsData) -> None:
        if starting.context.client.transport_protocol == "udp":
            starting.conn.alpn_offers = [_H2, b"http/1.1"]


def http3_mode(live: str, listen_port: int) -> str:
    """What mitmproxy must also listen for, where ``reverse:`` `live` listens on TCP alone."""
    address = ReverseMode.parse(f"reverse:{live}").address
    host = f"[{address[0]}]" if ":" in address[0] else address[0]
    return f"reverse:http3://{host}:{address[1]}@{listen_port}"
