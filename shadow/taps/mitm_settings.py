"""What a user may say of the inline proxy, checked, and in mitmproxy's own terms."""

# mypy: allow-untyped-calls
# (mitmproxy's options have no types)

import ssl
from urllib.parse import urlsplit

import msgspec
from mitmproxy.net.free_port import get_free_port
from mitmproxy.options import Options

from shadow.errors import TapError
from shadow.model import authority
from shadow.taps.mitm_http3 import http3_mode

_PORTS = {"http": 80, "https": 443, "dns": 53, "tcp": None, "tls": None, "udp": None, "dtls": None}
"""By scheme; None where a URL must name its port."""
RAW_SCHEMES = frozenset({"tcp", "tls", "udp", "dtls"})
_RAW_IDLE_SECONDS = 86400
"""A pool of database connections may be idle for hours, and must not find them closed."""


class ProxySettings(msgspec.Struct, frozen=True):
    """Where the proxy stands, and how it treats what passes."""

    live: str
    """URL of the live service: scheme, host and port, without a path. The scheme is http, https, tcp, tls,
    udp, dtls or dns."""
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    """0 lets the system choose."""
    max_body_bytes: int = 1 << 20
    """What is longer passes all the same, but is not captured whole."""
    max_held_bytes: int = 64 << 20
    """Copies of bodies on their way through, together."""
    verifies_live: bool = True
    """Whether the certificate of a live service on https is checked."""
    live_ca_path: str = ""
    """PEM file of the authorities that vouch for the live service; empty for the usual ones."""
    certificate_path: str = ""
    """PEM file of the key and certificate chain shown to clients on https; empty for plain HTTP only."""
    offers_http3: bool = False
    """Whether clients may also come by HTTP/3, on the UDP port of the same number; needs a certificate."""
    refuses_malformed: bool = True
    """Whether messages that invite request smuggling are answered with 400 instead of passed on."""
    grace_seconds: float = 10.0
    """How long requests under way may take to end once the proxy stops."""

    @property
    def scheme(self) -> str:
        return urlsplit(self.live).scheme

    @property
    def needs_tls(self) -> bool:
        return bool(self.certificate_path) or self.scheme in {"https", "tls", "dtls"}


def check(settings: ProxySettings) -> None:
    """Raise TapError now for what mitmproxy would say at each connection only."""
    authority_of(settings.live)
    files = (
        (settings.live_ca_path, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations),
        (settings.certificate_path, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain),
    )
    for path, load in files:
        try:
            if path:
                load(path)
        except OSError as error:
            raise TapError(f"no usable certificate in {path!r}: {error.strerror or error}") from error
    if settings.offers_http3 and not settings.certificate_path:
        raise TapError("HTTP/3 needs a certificate to show to clients; give one, or leave HTTP/3 out")
    if settings.offers_http3 and settings.scheme not in {"http", "https"}:
        raise TapError(f"HTTP/3 cannot be offered for {settings.live!r}, which is no http or https URL")


def options(settings: ProxySettings, folder: str) -> Options:
    """Those of mitmproxy that exist before its addons are loaded."""
    port, modes = settings.listen_port, [f"reverse:{settings.live}"]
    if settings.offers_http3:
        port = port or get_free_port()
    if settings.offers_http3 and settings.scheme == "http":
        modes.append(http3_mode(settings.live, port))  # with https, mitmproxy listens on both by itself
    found = Options(
        mode=modes,
        listen_host=settings.listen_host,
        listen_port=port,
        confdir=folder,
        ssl_insecure=not settings.verifies_live,
        ssl_verify_upstream_trusted_ca=settings.live_ca_path or None,
        certs=[settings.certificate_path] if settings.certificate_path else [],
        http3=settings.offers_http3,
        http2_ping_keepalive=0,  # servers of gRPC take pings that nobody needs for an attack, and hang up
    )
    if settings.scheme in RAW_SCHEMES:
        found.update(tcp_timeout=_RAW_IDLE_SECONDS)
    return found


def authority_of(url: str) -> str:
    """``host:port`` of `url`. Raises TapError where it is no plain address of a service."""
    try:
        parts = urlsplit(url)
        usual_port = _PORTS[parts.scheme]
        port = parts.port or usual_port
    except (ValueError, KeyError) as error:
        known = ", ".join(_PORTS)
        raise TapError(f"the live service must be a URL of {known}, not {url!r}") from error
    if not parts.hostname or not port or parts.path.strip("/") or parts.query or parts.username:
        raise TapError(f"the live service must be a URL of scheme, host and port alone, not {url!r}")
    return authority(parts.hostname, port)
