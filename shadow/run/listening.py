"""What a tap that is connected to looks at before anything depends on it."""

import socket

import msgspec

from shadow.config import Settings, parse_address, parse_target
from shadow.errors import TapError, UnsafeError
from shadow.model import authority
from shadow.replay import Guard, GuardSettings


def with_listener(settings: Settings) -> Settings:
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


async def check_live(settings: Settings) -> None:
    """Raises UnsafeError where the live service is the tap itself: a request would go round for ever."""
    live = parse_target("live", settings.live)
    try:
        await Guard(GuardSettings(live=(settings.listen,)), [live]).check()
    except UnsafeError as error:
        raise UnsafeError(
            f"--live {settings.live!r} is the tap's own --listen {settings.listen!r}:"
            " requests would go round for ever; name the service itself"
        ) from error
