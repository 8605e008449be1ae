"""The inline tap: a reverse proxy in front of the live service, on mitmproxy."""

# mypy: allow-untyped-calls
# (half of mitmproxy's own functions have no types)

import asyncio
import gc
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from tempfile import TemporaryDirectory

from mitmproxy import exceptions
from mitmproxy.addons import core, disable_h2c, next_layer, proxyserver, tlsconfig
from mitmproxy.connection import Client, Connection
from mitmproxy.master import Master
from mitmproxy.proxy import server_hooks
from mitmproxy.tls import TlsData
from mitmproxy.utils import asyncio_utils

from shadow.errors import TapError
from shadow.model import authority
from shadow.taps.mitm_addon import MitmTap
from shadow.taps.mitm_cures import cured
from shadow.taps.mitm_dns import unreadable_passed
from shadow.taps.mitm_h2c import PriorKnowledge
from shadow.taps.mitm_http3 import Http3Front
from shadow.taps.mitm_raw import RawPass
from shadow.taps.mitm_refusals import refusals_counted
from shadow.taps.mitm_settings import RAW_SCHEMES, ProxySettings, authority_of, check, options
from shadow.taps.taker import TakesExchanges

_POLL_SECONDS = 0.02
_CLOSE_SECONDS = 2.0  # for connections that were told to close and only have to flush
_LIVE_CONNECTIONS_MAX = 256  # of one client: as many as it has streams, of which mitmproxy allows 100 to 128

__all__ = ["MitmTap", "ProxySettings", "TakesExchanges", "run_proxy"]


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
    check(settings)
    tap = MitmTap(
        taker,
        live=authority_of(settings.live),
        max_body_bytes=settings.max_body_bytes,
        max_held_bytes=settings.max_held_bytes,
    )
    # mitmproxy writes an authority of its own when it loads TLS; it must neither use nor leave one at home.
    with (
        TemporaryDirectory(prefix="shadow-mitm-") as folder,
        asyncio_utils.set_eager_task_factory(),
        cured(),
        refusals_counted(tap.refused),
        unreadable_passed(tap.refused),
    ):
        front = proxyserver.Proxyserver()
        master = Master(options(settings, folder))
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


class _Connections:
    """Gives each client all live connections that it needs, and closes those that mitmproxy 12 forgets.

    It would let five requests of a client of HTTP/2 be under way at a time where the live service speaks
    HTTP/1: five event streams, and nothing else gets through.

    It forgets a live connection that ends while an event of its client is handled, and a client's that is
    told twice to close, as one whose TLS fails is. They would stay open until the garbage collector comes by:
    a busy proxy runs out of files, a client waits.
    """

    def __init__(self, front: proxyserver.Proxyserver) -> None:
        self._front = front

    def client_connected(self, client: Client) -> None:
        connection = self._front.connections.get(client.id)
        if connection is not None:
            connection.max_conns = defaultdict(lambda: asyncio.Semaphore(_LIVE_CONNECTIONS_MAX))

    def server_disconnected(self, ended: server_hooks.ServerConnectionHookData) -> None:
        self._close(ended.client, ended.server)

    def client_disconnected(self, client: Client) -> None:
        self._close(client, client)

    def _close(self, client: Client, side: Connection) -> None:
        connection = self._front.connections.get(client.id)
        io = None if connection is None else connection.transports.get(side)
        if io is not None and io.writer is not None:
            io.writer.close()


class _Plain:
    """Counts clients that speak TLS where there is none; mitmproxy turns them away."""

    def __init__(self, tap: MitmTap) -> None:
        self._tap = tap

    def tls_start_client(self, _: TlsData) -> None:
        self._tap.refused()


def _load(master: Master, front: proxyserver.Proxyserver, tap: MitmTap, settings: ProxySettings) -> None:
    """Give `master` the addons that carry traffic, and none of those that change it.

    The stock set would answer requests for mitm.it itself, refuse clients with public addresses and rewrite
    Alt-Svc; and each of its forty addons is asked at each of the ten events of a request.
    """
    try:
        # The tap comes first, to see messages before DisableH2C edits them.
        master.addons.add(tap, core.Core(), disable_h2c.DisableH2C(), front, _Connections(front))
        if settings.scheme in RAW_SCHEMES:
            master.addons.add(RawPass(front, has_certificate=bool(settings.certificate_path)))
        if settings.offers_http3:
            master.addons.add(Http3Front(settings.scheme))
        master.addons.add(PriorKnowledge(), next_layer.NextLayer())
        master.addons.add(tlsconfig.TlsConfig() if settings.needs_tls else _Plain(tap))
        master.options.update(
            keep_host_header=True,
            # Eager would drop the client of a live HTTP service that is down: no 502. A raw service is asked
            # what to negotiate with the client.
            connection_strategy="eager" if settings.scheme in RAW_SCHEMES else "lazy",
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
    await _until(lambda: tap.is_quiet, grace_seconds)
    tap.finish()
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
