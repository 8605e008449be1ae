"""The light front: clients connect to it, and it relays their bytes to the live service, unchanged."""

import asyncio
import ssl
from collections.abc import Callable

import msgspec

from shadow.errors import TapError
from shadow.model import authority
from shadow.taps.front_reading import Open, Reading, Readings, opening
from shadow.taps.front_relay import Relay
from shadow.taps.serving import Crowd, listen, serve
from shadow.taps.taker import TakesExchanges
from shadow.wire.http1 import Limits

_BUFFER_BYTES = 65_536
_CUT_SECONDS = 2.0
"""How long connections that were reset may take to go."""


class FrontSettings(msgspec.Struct, frozen=True):
    """Where the front stands, and how it treats what passes."""

    live_host: str
    live_port: int
    live_is_tls: bool = False
    listen_host: str = "127.0.0.1"
    listen_port: int = 8080
    """0 lets the system choose."""
    max_body_bytes: int = 1 << 20
    """What is longer passes all the same, but is not captured whole."""
    max_held_bytes: int = 64 << 20
    """What all unfinished exchanges may keep together."""
    verifies_live: bool = True
    """Whether the certificate of a live service on https is checked."""
    live_ca_path: str = ""
    """PEM file of the authorities that vouch for the live service; empty for the usual ones."""
    certificate_path: str = ""
    """PEM file of the key and certificate chain shown to clients on https; empty for plain HTTP only."""
    connect_seconds: float = 10.0
    """How long the live service may take to take a connection."""
    grace_seconds: float = 10.0
    """How long requests under way may take to end once the front stops."""


async def run_front(
    settings: FrontSettings,
    taker: TakesExchanges,
    *,
    ready: Callable[[str, int], object],
    stop: asyncio.Event,
    open_with: Open | None = None,
) -> Readings:
    """Carry live traffic until `stop`, then let the requests under way end; what was read of it.

    `ready` is told the address once it is listening. Raises TapError where it cannot listen, or a setting is
    unusable. The process should be the tap's own: the garbage collector is told to leave alone what is there
    at the start, and more files may be open than before.
    """
    live_tls = _live_tls(settings) if settings.live_is_tls else None
    client_tls = _client_tls(settings.certificate_path) if settings.certificate_path else None
    readings = Readings(
        taker,
        live=authority(settings.live_host, settings.live_port),
        max_held_bytes=settings.max_held_bytes,
        open_with=open_with or opening(Limits(max_body_bytes=settings.max_body_bytes)),
    )
    front = _Front(settings, readings, live_tls)
    server = await listen(front.accept, settings.listen_host, settings.listen_port, tls=client_tls)
    async with asyncio.TaskGroup() as front.group:
        try:
            await serve(server, ready, stop)
        finally:
            await front.drain()
    return readings


class _Front:
    """The relays of one front; it is what they ask for their twins."""

    def __init__(
        self,
        settings: FrontSettings,
        readings: Readings,
        live_tls: ssl.SSLContext | None,
    ) -> None:
        self.buffer = memoryview(bytearray(_BUFFER_BYTES))
        self.group: asyncio.TaskGroup
        """Where connections to live are made; there before clients are let in."""
        self._settings = settings
        self._readings = readings
        self._live_tls = live_tls
        self._relays = Crowd[Relay]()

    def accept(self) -> asyncio.BaseProtocol:
        """For a client that connects."""
        return Relay(self, lambda client: Reading(self._readings, client)).client

    def connect(self, relay: Relay) -> Callable[[], object]:
        self._relays.add(relay)
        return self.group.create_task(self._connect(relay), name="connect").cancel

    def leave(self, relay: Relay) -> None:
        self._relays.leave(relay)

    async def drain(self) -> None:
        """Let requests under way end within the grace, then cut off what is left."""
        for relay in self._relays:
            relay.end_when_idle()
        if not await self._relays.goes_empty(self._settings.grace_seconds):
            for relay in self._relays:
                relay.cut()
            await self._relays.goes_empty(_CUT_SECONDS)

    async def _connect(self, relay: Relay) -> None:
        settings = self._settings
        try:
            async with asyncio.timeout(settings.connect_seconds):
                await asyncio.get_running_loop().create_connection(
                    lambda: relay.live, settings.live_host, settings.live_port, ssl=self._live_tls
                )
        except OSError:  # a timeout and a refused certificate among them
            relay.refuse()


def _live_tls(settings: FrontSettings) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if settings.live_ca_path:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        _load(settings.live_ca_path, context.load_verify_locations)
    if not settings.verifies_live:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _client_tls(path: str) -> ssl.SSLContext:
    """Offers HTTP/1.1 alone, for what is agreed here must be what the live service is spoken to in."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    _load(path, context.load_cert_chain)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(path: str, load: Callable[[str], object]) -> None:
    try:
        load(path)
    except OSError as error:
        raise TapError(f"no usable certificate in {path!r}: {error.strerror or error}") from error
