"""Raw connections in the inline proxy: bytes pass from the first moment, whatever they are."""

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client
from mitmproxy.proxy.layers import TCPLayer, UDPLayer
from mitmproxy.proxy.mode_specs import ReverseMode


class RawPass:
    """Connects clients of ``tcp`` and ``udp`` modes straight to the live service.

    mitmproxy itself waits for a client's first bytes, for which a client of MySQL or SMTP would wait in vain;
    it takes apart what looks like TLS, with a certificate that no client knows; and it forgets a client
    whose server leaves at once.
    """

    def __init__(self, front: Proxyserver) -> None:
        self._front = front

    def client_connected(self, client: Client) -> None:
        connection, mode = self._front.connections.get(client.id), client.proxy_mode
        if connection is None or not isinstance(mode, ReverseMode):
            return
        context = connection.layer.context
        context.server.address = mode.address
        is_tcp = client.transport_protocol == "tcp"
        connection.layer = TCPLayer(context) if is_tcp else UDPLayer(context)
