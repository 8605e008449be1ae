"""Raw connections in the inline proxy: bytes pass from the first moment, whatever they are."""

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client
from mitmproxy.proxy.layers import ClientTLSLayer, ServerTLSLayer, TCPLayer, UDPLayer
from mitmproxy.proxy.mode_specs import ReverseMode
from mitmproxy.proxy.tunnel import LayerStack


class RawPass:
    """Connects clients of ``tcp``, ``tls``, ``udp`` and ``dtls`` modes straight to the live service.

    mitmproxy itself waits for a client's first bytes, for which a client of MySQL or SMTP would wait in vain;
    it takes apart what looks like TLS, with a certificate that no client knows; and it forgets a client
    whose server leaves at once.
    """

    def __init__(self, front: Proxyserver, *, has_certificate: bool) -> None:
        """With a certificate, clients are expected to speak TLS, which ends here."""
        self._front = front
        self._has_certificate = has_certificate

    def client_connected(self, client: Client) -> None:
        connection, mode = self._front.connections.get(client.id), client.proxy_mode
        if connection is None or not isinstance(mode, ReverseMode):
            return
        context = connection.layer.context
        context.server.address = mode.address
        stack = LayerStack()
        if mode.scheme in {"tls", "dtls"}:
            stack /= ServerTLSLayer(context)
        if self._has_certificate:
            stack /= ClientTLSLayer(context)
        stack /= TCPLayer(context) if client.transport_protocol == "tcp" else UDPLayer(context)
        connection.layer = stack[0]
