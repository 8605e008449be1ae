"""The inline tap as `shadow proxy` runs it: what is checked before, and the proxy itself."""

import asyncio

from shadow.config import Settings, parse_address, parse_target
from shadow.feed.sender import Sender
from shadow.model import authority
from shadow.run.listening import check_live, with_listener
from shadow.run.supervision import Tell
from shadow.taps.mitm import ProxySettings, run_proxy


class InlineTap:
    """A `LiveTap`: clients connect to it, and it connects to the live service."""

    name = "mitm"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def prepare(self) -> None:
        """Find the port free, and the live service another one."""
        self.settings = with_listener(self.settings)
        await check_live(self.settings)

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
