"""The light front as `shadow proxy --front light` runs it."""

import asyncio

from shadow.config import Settings, parse_address, parse_live
from shadow.errors import ConfigError
from shadow.feed.sender import Sender
from shadow.model import authority
from shadow.run.listening import check_live, spoken_to, with_listener
from shadow.run.supervision import Tell
from shadow.taps.front import FrontSettings, run_front
from shadow.taps.front_reading import TAP, Readings

_PLAIN, _TLS = {"http", "tcp"}, {"https", "tls"}
"""Schemes of live services."""


class FrontTap:
    """A `LiveTap`: clients connect to it, and it passes their bytes to the live service."""

    name = TAP

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def prepare(self) -> None:
        """Find the port free, the live service another one, and nothing asked that it cannot do."""
        scheme = "HTTP/3" if self.settings.http3 else parse_live(self.settings.live).scheme
        if scheme not in _PLAIN | _TLS:
            raise ConfigError(f"--front light carries TCP alone, not {scheme!r}; use --front mitm")
        self.settings = with_listener(self.settings)
        await check_live(self.settings)

    async def carry(self, sender: Sender, stop: asyncio.Event, tell: Tell) -> None:
        """Raises TapError where it cannot listen."""

        def ready(host: str, port: int) -> None:
            tell(f"clients connect to {spoken}://{authority(host, port)}, live is {settings.live}")

        settings = self.settings
        host, port = parse_address("listen", settings.listen)
        live = parse_live(settings.live)
        spoken = spoken_to(live, has_certificate=bool(settings.certificate))
        front = FrontSettings(
            live.host,
            live.port,
            live_is_tls=live.scheme in _TLS,
            listen_host=host,
            listen_port=port,
            max_body_bytes=settings.max_body_bytes,
            live_ca_path=settings.live_ca,
            certificate_path=settings.certificate,
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
