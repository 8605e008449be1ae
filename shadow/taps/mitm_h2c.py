"""HTTP/2 without TLS in mitmproxy, as clients of gRPC speak it: "prior knowledge" of RFC 9113 §3.3.

mitmproxy chooses HTTP/2 by what TLS has negotiated, so that without TLS its own choice is HTTP/1. Here it
is told before it chooses.
"""

# mypy: allow-untyped-calls
# (mitmproxy's layers have no types here)

from mitmproxy import http
from mitmproxy.connection import Client
from mitmproxy.exceptions import AddonHalt
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.mode_specs import ReverseMode
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from shadow.wire.grpc import is_grpc_type

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113 §3.4
_ALPN = b"h2"
_FRAME_HEAD_BYTES = 9
_SETTINGS = b"\x04\x00\x00\x00\x00\x00"  # its type, no flags, stream 0: RFC 9113 §6.5
_SETTING_BYTES = 6


class PriorKnowledge:
    """Recognises HTTP/2 by the client's first bytes, or by the server's where it speaks first.

    Must be loaded before mitmproxy's own NextLayer.
    """

    def __init__(self) -> None:
        self._grpc_clients: set[str] = set()
        """Those that negotiated HTTP/2 in TLS and call gRPC, which a server without TLS must be told."""

    def next_layer(self, nextlayer: NextLayer) -> None:
        context = nextlayer.context
        if not _may_be_http2(context):
            return
        said = nextlayer.data_client()
        if said.startswith(_PREFACE) or (not said and _is_settings(nextlayer.data_server())):
            context.client.alpn = _ALPN
            context.client.alpn_offers = [_ALPN, b"http/1.1"]  # what a server on TLS is offered
            if not context.server.tls:
                context.server.alpn = _ALPN
        elif said and _PREFACE.startswith(said):
            raise AddonHalt  # nobody can tell yet

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.client_conn.alpn == _ALPN and is_grpc_type(_content_type(flow.request)):
            self._grpc_clients.add(flow.client_conn.id)

    def server_connect(self, connecting: ServerConnectionHookData) -> None:
        client, server = connecting.client, connecting.server
        if server.tls or client.alpn != _ALPN or server.transport_protocol != "tcp":
            return
        if not client.tls or client.id in self._grpc_clients:
            server.alpn = _ALPN

    def client_disconnected(self, client: Client) -> None:
        self._grpc_clients.discard(client.id)


def _may_be_http2(context: Context) -> bool:
    client, mode = context.client, context.client.proxy_mode
    if client.tls or client.alpn or client.transport_protocol != "tcp" or not context.options.http2:
        return False
    return not isinstance(mode, ReverseMode) or mode.scheme in {"http", "https"}


def _is_settings(said: bytes) -> bool:
    """Whether a server began with the frame that HTTP/2 begins with."""
    length = int.from_bytes(said[:3])
    is_whole_head = len(said) >= _FRAME_HEAD_BYTES
    return is_whole_head and said[3:_FRAME_HEAD_BYTES] == _SETTINGS and length % _SETTING_BYTES == 0


def _content_type(request: http.Request) -> bytes:
    return next((value for name, value in request.data.headers.fields if name == b"content-type"), b"")
