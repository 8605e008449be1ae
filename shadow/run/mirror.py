"""The mirror tap as `shadow mirror` runs it."""

import asyncio

from shadow.config import Settings, parse_address, parse_target
from shadow.feed.sender import Sender
from shadow.model import authority
from shadow.run.listening import check_live, with_listener
from shadow.run.supervision import Tell
from shadow.taps.mirror import MirrorSettings, run_mirror
from shadow.taps.mirror_connection import TAP


class MirrorTap:
    """A `LiveTap`: proxies send it copies of the requests that they pass to the live service."""

    name = TAP

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def prepare(self) -> None:
        """Find the port free, and the live service, where it is named, another one."""
        self.settings = with_listener(self.settings)
        if self.settings.live:
            await check_live(self.settings)

    async def carry(self, sender: Sender, stop: asyncio.Event, tell: Tell) -> None:
        """Raises TapError where it cannot listen."""
        settings = self.settings

        def ready(host: str, port: int) -> None:
            tell(f"mirrors send to http://{authority(host, port)}, and are answered 202")
            if not settings.baseline:
                tell("mirrors show no live answers: without a --baseline only mutants are judged")

        host, port = parse_address("listen", settings.listen)
        mirror = MirrorSettings(
            host,
            port,
            live=parse_target("live", settings.live).authority if settings.live else "",
            max_body_bytes=settings.max_body_bytes,
        )
        await run_mirror(mirror, sender, ready=ready, stop=stop)
