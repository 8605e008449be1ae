"""The inline tap as `shadow proxy` runs it: what is checked before, and the proxy itself."""

import asyncio
import socket

import msgspec

from shadow.config import Settings, parse_address, parse_target
from shadow.errors import TapError, UnsafeError
from shadow.feed.sender import Sender
from shadow.model import authority
from shadow.replay import Guard, GuardSettings
from shadow.run.supervision import Tell
from shadow.taps.mitm import ProxySettings, run_proxy


class InlineTap:
    """A `LiveTap`: clients connect to it, and it connects to the live service."""

    name = "mitm"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def prepare(self) -> None:
        """Find the port free, and the live service another one."""
        self.settings = _with_listener(self.settings)
        await _check_live(self.settings)

    async def carry(self, sender: Sender, stop: asyncio.Event, tell: Tell) -> None:
        """Raises TapError where the proxy cannot listen."""

        def ready(host: str, port: int) -> None:
            tell(f"clients connect to http://{authority(host, port)}, live is {self.settings.live}")

        host, port = parse_address("listen", self.settings.listen)
        live = parse_target("live", self.settings.live)
        proxy = ProxySettings(
            f"{live.scheme}://{live.authority}", host, port, max_body_bytes=self.settings.max_body_bytes
        )
        await run_proxy(proxy, sender, ready=ready, stop=stop)


def _with_listener(settings: Settings) -> Settings:
    """`settings` with a port to listen on that is free at this moment: before anything else is begun.

    Raises TapError where it is not.
    """
    host, port = parse_address("listen", settings.listen)
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            bound = probe.getsockname()[1]
    except OSError as error:
        why = error.strerror or error
        raise TapError(f"cannot listen on {settings.listen!r}: {why}; choose another --listen") from error
    return msgspec.structs.replace(settings, listen=authority(host, bound))


async def _check_live(settings: Settings) -> None:
    """Raises UnsafeError where the live service is the proxy itself: a request would go round for ever."""
    live = parse_target("live", settings.live)
    try:
        await Guard(GuardSettings(live=(settings.listen,)), [live]).check()
    except UnsafeError as error:
        raise UnsafeError(
            f"--live {settings.live!r} is the proxy's own --listen {settings.listen!r}:"
            " requests would go round for ever; name the service itself"
        ) from error
