"""The inline tap: a reverse proxy in front of the live service, on mitmproxy."""

# mypy: allow-untyped-calls
# (half of mitmproxy's own functions have no types)

import asyncio
import gc
import ssl
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import msgspec
from mitmproxy import exceptions
from mitmproxy.addons import core, disable_h2c, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.proxy import server_hooks
from mitmproxy.utils import asyncio_utils

from shadow.errors import TapError
from shadow.model import authority
from shadow.taps.mitm_addon import MitmTap, TakesExchanges
from shadow.taps.mitm_trailers import trailers_left_out

_POLL_SECONDS = 0.02
_CLOSE_SECONDS = 2.0  # for connections that were told to close and only have to flush

__all__ = ["MitmTap", "ProxySettings", "TakesExchanges", "run_proxy"]


class ProxySettings(msgspec.Struct, frozen=True):
    """Where the proxy stands, and how it treats what passes."""

    live: str
    """URL of the live service: scheme, host and port, without a path."""
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
    refuses_malformed: bool = True
    """Whether messages that invite request smuggling are answered with 400 instead of passed on."""
    grace_seconds: float = 10.0
    """How long requests under way may take to end once the proxy stops."""


async def run_proxy(
    settings: ProxySettings,
    taker: TakesExchanges,
    *,
    ready: Callable[[str, int], object],
    stop: asyncio.Event,
) -> None:
    """Carry live traffic until `stop`, then let the requests under way end.

    `ready` is told the address once it is listening. Raises TapError where it cannot listen, or a setting is
    unusable. The process should be the tap's own: mitmproxy sets the loop's task factory meanwhile, and the
    garbage collector is told to leave alone what is there at the start.
    """
    _check_certificates(settings)
    tap = MitmTap(
        taker,
        live=_authority(settings.live),
        max_body_bytes=settings.max_body_bytes,
        max_held_bytes=settings.max_held_bytes,
    )
    # mitmproxy writes an authority of its own when it loads TLS; it must neither use nor leave one at home.
    with (
        TemporaryDirectory(prefix="shadow-mitm-") as folder,
        asyncio_utils.set_eager_task_factory(),
        trailers_left_out(),
    ):
        front = proxyserver.Proxyserver()
        master = Master(_options(settings, folder))
        try:
            _load(master, front, tap, settings)
            host, port = await _listen(front, settings)
            await master.running()
            # Flows are full of cycles, so the collector runs often; sparing it the 80 000 objects that were
            # imported halves the p99 of live traffic (bench/tap.py).
            gc.freeze()
            try:
                ready(host, port)
                await stop.wait()
            finally:
                gc.unfreeze()
                await _drain(front, tap, settings.grace_seconds)
        finally:
            await master.done()


class _Closer:
    """Closes what mitmproxy 12 forgets: a live connection that ends while an event of its client is handled.

    Its writer would stay open until the garbage collector comes by, and a busy proxy run out of files.
    """

    def __init__(self, front: proxyserver.Proxyserver) -> None:
        self._front = front

    def server_disconnected(self, ended: server_hooks.ServerConnectionHookData) -> None:
        connection = self._front.connections.get(ended.client.id)
        io = None if connection is None else connection.transports.get(ended.server)
        if io is not None and io.writer is not None:
            io.writer.close()


def _check_certificates(settings: ProxySettings) -> None:
    """Raise TapError now for what mitmproxy would say at each live connection only."""
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


def _options(settings: ProxySettings, folder: str) -> Options:
    return Options(
        mode=[f"reverse:{settings.live}"],
        listen_host=settings.listen_host,
        listen_port=settings.listen_port,
        confdir=folder,
        ssl_insecure=not settings.verifies_live,
        ssl_verify_upstream_trusted_ca=settings.live_ca_path or None,
        certs=[settings.certificate_path] if settings.certificate_path else [],
    )


def _load(master: Master, front: proxyserver.Proxyserver, tap: MitmTap, settings: ProxySettings) -> None:
    """Give `master` the addons that carry traffic, and none of those that change it.

    The stock set would answer requests for mitm.it itself, refuse clients with public addresses and rewrite
    Alt-Svc; and each of its forty addons is asked at each of the ten events of a request.
    """
    needs_tls = settings.certificate_path or urlsplit(settings.live).scheme == "https"
    try:
        # The tap comes first, to see messages before DisableH2C edits them.
        master.addons.add(tap, core.Core(), disable_h2c.DisableH2C(), front, _Closer(front))
        master.addons.add(next_layer.NextLayer())
        if needs_tls:
            master.addons.add(tlsconfig.TlsConfig())
        master.options.update(
            keep_host_header=True,
            connection_strategy="lazy",  # eager would drop the client of a live service that is down: no 502
            validate_inbound_headers=settings.refuses_malformed,
        )
    except (exceptions.OptionsError, exceptions.AddonManagerError, OSError, ValueError) as error:
        raise TapError(f"the proxy cannot use its settings: {error}") from error


async def _listen(front: proxyserver.Proxyserver, settings: ProxySettings) -> tuple[str, int]:
    """The address that clients can reach. mitmproxy only logs what goes wrong here; this raises TapError."""
    await front.setup_servers()
    for server in front.servers:
        if server.last_exception is not None:
            wanted = authority(settings.listen_host, settings.listen_port)
            cause = server.last_exception.__cause__ or server.last_exception
            raise TapError(
                f"the proxy cannot listen on {wanted!r}: {cause}; choose another address with --listen"
            ) from server.last_exception
    host, port = front.listen_addrs()[0][:2]
    return host, port


async def _drain(front: proxyserver.Proxyserver, tap: MitmTap, grace_seconds: float) -> None:
    """Free the port, wait for the requests under way, close the connections once they are written out."""
    await front.servers.update([])
    await _until(lambda: tap.open_count == 0, grace_seconds)
    writers = []
    for connection in tuple(front.connections.values()):
        writers += [io.writer for io in connection.transports.values() if io.writer is not None]
        client = connection.transports.get(connection.client)
        if client is not None and client.handler is not None:
            client.handler.cancel("the proxy stops")
    await _until(lambda: not front.connections, _CLOSE_SECONDS)
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_SECONDS):
            for writer in writers:
                with suppress(OSError):
                    await writer.wait_closed()
    await asyncio.sleep(0)  # those that closed by themselves are let go in the loop's next round


async def _until(holds: Callable[[], bool], timeout_seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_seconds):
            while not holds():  # noqa: ASYNC110 - mitmproxy sets no event when a connection has ended
                await asyncio.sleep(_POLL_SECONDS)


def _authority(url: str) -> str:
    """``host:port`` of `url`. Raises TapError where it is no plain address of a service."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError) as error:
        raise TapError(f"the live service must be an http or https URL, not {url!r}") from error
    if not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise TapError(f"the live service must be a URL of scheme, host and port alone, not {url!r}")
    return authority(parts.hostname, port)
