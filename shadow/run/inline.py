"""The inline tap as `shadow proxy` runs it: what is checked before, and the proxy itself."""

import asyncio

from shadow.config import Settings, parse_address, parse_live, parse_target
from shadow.feed.sender import Sender
from shadow.model import authority
from shadow.replay import Target
from shadow.run.listening import check_live, spoken_to, with_listener
from shadow.run.supervision import Tell
from shadow.taps.mitm import run_proxy
from shadow.taps.mitm_settings import ProxySettings, check


class InlineTap:
    """A `LiveTap`: clients connect to it, and it connects to the live service."""

    name = "mitm"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def prepare(self) -> None:
        """Find the port free, the live service another one, and certificates usable."""
        self.settings = with_listener(self.settings)
        await check_live(self.settings)
        check(_proxy(self.settings))

    async def carry(self, sender: Sender, stop: asyncio.Event, tell: Tell) -> None:
        """Raises TapError where the proxy cannot listen."""
        settings = self.settings
        live = parse_live(settings.live)

        def ready(host: str, port: int) -> None:
            where = f"{spoken_to(live, has_certificate=bool(settings.certificate))}://{authority(host, port)}"
            tell(f"clients connect to {where}, live is {settings.live}{_caveat(live, settings)}")

        await run_proxy(_proxy(settings), sender, ready=ready, stop=stop)


def _proxy(settings: Settings) -> ProxySettings:
    host, port = parse_address("listen", settings.listen)
    live = parse_live(settings.live)
    return ProxySettings(
        f"{live.scheme}://{live.authority}",
        host,
        port,
        max_body_bytes=settings.max_body_bytes,
        live_ca_path=settings.live_ca,
        certificate_path=settings.certificate,
        offers_http3=settings.http3,
    )


def _caveat(live: Target, settings: Settings) -> str:
    """What a user must know of a live service that speaks no HTTP."""
    if live.scheme in {"http", "https"}:
        return ""
    if parse_target("candidate", settings.candidate).scheme in _TAKEN_BY.get(live.scheme, ()):
        return ""
    wanted = " or ".join(f"{each}://" for each in _TAKEN_BY.get(live.scheme, (live.scheme,)))
    return f"; {live.scheme} is passed on and not replayed, for that needs a --candidate of {wanted}"


_TAKEN_BY = {"tcp": ("tcp", "tls"), "tls": ("tcp", "tls"), "udp": ("udp",), "dtls": ("udp",), "dns": ("dns",)}
"""By what live speaks, the schemes of candidates that its conversations can be replayed to."""
