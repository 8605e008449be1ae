"""What a tap that is connected to looks at before anything depends on it."""

import socket

import msgspec

from shadow.config import Settings, parse_address, parse_live
from shadow.errors import TapError, UnsafeError
from shadow.model import authority
from shadow.replay import Guard, GuardSettings, Target

_STREAM, _DATAGRAM = socket.SOCK_STREAM, socket.SOCK_DGRAM
_KINDS = {"udp": (_DATAGRAM,), "dtls": (_DATAGRAM,), "dns": (_STREAM, _DATAGRAM)}
"""Kinds of socket that clients come by; TCP alone for all else."""


def with_listener(settings: Settings) -> Settings:
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
    return msgspec.structs.replace(settings, listen=authority(host, port))


async def check_live(settings: Settings) -> None:
    """Raises UnsafeError where the live service is the tap itself: a request would go round for ever."""
    live = parse_live(settings.live)
    try:
        own = (settings.listen, settings.admin)
        await Guard(
            GuardSettings(live=tuple(each for each in own if each and not each.endswith(":0"))), [live]
        ).check()
    except UnsafeError as error:
        raise UnsafeError(
            f"--live {settings.live!r} is the tap's own --listen {settings.listen!r} or --admin:"
            " requests would go round for ever; name the service itself"
        ) from error


def spoken_to(live: Target, *, has_certificate: bool) -> str:
    """What clients speak."""
    plain = {"https": "http", "tls": "tcp", "dtls": "udp"}.get(live.scheme, live.scheme)
    return {"http": "https", "tcp": "tls", "udp": "dtls"}.get(plain, plain) if has_certificate else plain


def _free_port(host: str, port: int, kind: socket.SocketKind) -> int:
    """The port, or one of the system's choice for 0. Raises OSError where it is not free."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind)[0]
    with socket.socket(family, kind) as probe:
        if kind == _STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        found: int = probe.getsockname()[1]
    return found
