"""The inline tap as `shadow proxy` runs it: what is checked before, and the proxy itself."""

import asyncio
import socket

import msgspec

from shadow.config import Settings, parse_address, parse_live
from shadow.errors import TapError, UnsafeError
from shadow.feed.sender import Sender
from shadow.replay import Guard, GuardSettings, Target
from shadow.run.supervision import Tell
from shadow.taps.mitm import run_proxy
from shadow.taps.mitm_settings import ProxySettings, check

_STREAM, _DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
_KINDS = {"udp": (_DATAGRAM,), "dtls": (_DATAGRAM,), "dns": (_STREAM, _DATAGRAM)}
"""Kinds of socket that clients come by; TCP alone for all else."""


class InlineTap:
    """A `LiveTap`: clients connect to it, and it connects to the live service."""

    name = "mitm"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def prepare(self) -> None:
        """Find the port free, the live service another one, and certificates usable."""
        self.settings = _with_listener(self.settings)
        await _check_live(self.settings)
        check(_proxy(self.settings))

    async def carry(self, sender: Sender, stop: asyncio.Event, tell: Tell) -> None:
        """Raises TapError where the proxy cannot listen."""
        settings = self.settings
        live = parse_live(settings.live)

        def ready(host: str, port: int) -> None:
            where = f"{_front(live, has_certificate=bool(settings.certificate))}://{host}:{port}"
            tell(f"clients connect to {where}, live is {settings.live}{_caveat(live)}")

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


def _front(live: Target, *, has_certificate: bool) -> str:
    """What clients speak."""
    plain = {"https": "http", "tls": "tcp", "dtls": "udp"}.get(live.scheme, live.scheme)
    return {"http": "https", "tcp": "tls", "udp": "dtls"}.get(plain, plain) if has_certificate else plain


def _caveat(live: Target) -> str:
    """What a user must know of a live service that speaks no HTTP."""
    if live.scheme in {"http", "https"}:
        return ""
    return (
        f"; {live.scheme} is passed on and captured, but not yet replayed: the ledger counts it as filtered"
    )


def _with_listener(settings: Settings) -> Settings:
    """`settings` with a port to listen on that is free at this moment: before anything else is begun.

    Raises TapError where it is not.
    """
    host, port = parse_address("listen", settings.listen)
    kinds = _KINDS.get(parse_live(settings.live).scheme if settings.live else "", (_STREAM,))
    if settings.http3:
        kinds = (_STREAM, _DATAGRAM)
    try:
        for kind in kinds:
            port = _free_port(host, port, kind)
    except OSError as error:
        why = error.strerror or error
        raise TapError(f"cannot listen on {settings.listen!r}: {why}; choose another --listen") from error
    shown = f"[{host}]" if ":" in host else host
    return msgspec.structs.replace(settings, listen=f"{shown}:{port}")


def _free_port(host: str, port: int, kind: socket.SocketKind) -> int:
    """The port, or one of the system's choice for 0. Raises OSError where it is not free."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
    with socket.socket(family, kind) as probe:
        if kind == _STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        found: int = probe.getsockname()[1]
    return found


async def _check_live(settings: Settings) -> None:
    """Raises UnsafeError where the live service is the proxy itself: a request would go round for ever."""
    live = parse_live(settings.live)
    try:
        await Guard(GuardSettings(live=(settings.listen,)), [live]).check()
    except UnsafeError as error:
        raise UnsafeError(
            f"--live {settings.live!r} is the proxy's own --listen {settings.listen!r}:"
            " requests would go round for ever; name the service itself"
        ) from error
