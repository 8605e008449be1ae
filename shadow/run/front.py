"""The light front as `shadow proxy --front light` runs it."""

import asyncio

from shadow.config import Settings, parse_address, parse_target
from shadow.feed.sender import Sender
from shadow.model import authority
from shadow.run.listening import check_live, with_listener
from shadow.run.supervision import Tell
from shadow.taps.front import FrontSettings, run_front
from shadow.taps.front_reading import TAP, Readings


class FrontTap:
    """A `LiveTap`: clients connect to it, and it passes their bytes to the live service."""

    name = TAP

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def prepare(self) -> None:
        """Find the port free, and the live service another one."""
        self.settings = with_listener(self.settings)
        await check_live(self.settings)

    async def carry(self, sender: Sender, stop: asyncio.Event, tell: Tell) -> None:
        """Raises TapError where it cannot listen."""

        def ready(host: str, port: int) -> None:
            tell(f"clients connect to http://{authority(host, port)}, live is {self.settings.live}")

        host, port = parse_address("listen", self.settings.listen)
        live = parse_target("live", self.settings.live)
        front = FrontSettings(
            live.host,
            live.port,
            live_is_tls=live.scheme == "https",
            listen_host=host,
            listen_port=port,
            max_body_bytes=self.settings.max_body_bytes,
        )
        readings = await run_front(front, sender, ready=ready, stop=stop)
        for line in unread(readings):
            tell(line)


def unread(readings: Readings) -> list[str]:
    """What passed and could not be read, in lines for a person."""
    lines = []
    if readings.others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in readings.others.most_common())
        lines.append(f"of {readings.connection_count} connections some passed unread: {kinds}")
    if readings.unread_count:
        lines.append(f"{readings.unread_count} answers passed that could not be read as HTTP")
    return lines
