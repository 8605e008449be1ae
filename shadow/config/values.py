"""What stands as text in the settings: URLs, addresses, durations, rates. All raise ConfigError."""

import re
from urllib.parse import SplitResult, urlsplit

from shadow.errors import ConfigError
from shadow.replay import Target

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_target(name: str, url: str) -> Target:
    """The target called `name` at `url`. Raises ConfigError when it is no URL of a kind that is replayed.

    ``ws`` and ``wss`` are other names of ``http`` and ``https``.
    """
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{name} {url!r} is no URL: {error}; write it as http://HOST:PORT") from error
    _check_no_user(name, parts)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    if scheme in _TALK_PORTS and parts.hostname:
        return _talk_target(name, url)
    if scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(
            f"{name} {url!r} is no http or https URL, nor one of tcp, tls, udp or dns;"
            " write it as http://HOST:PORT"
        )
    default = 443 if scheme == "https" else 80
    return Target(name, scheme, parts.hostname, default if port is None else port, parts.path.rstrip("/"))


def parse_live(url: str) -> Target:
    """The live service at `url`, which may speak more than HTTP. Raises ConfigError where it is none."""
    scheme = url.partition("://")[0]
    return _talk_target("live", url) if scheme in _LIVE_PORTS else parse_target("live", url)


def _talk_target(name: str, url: str) -> Target:
    """A place that speaks no HTTP. Raises ConfigError."""
    scheme = url.partition("://")[0].lower()
    try:
        parts = urlsplit(url)
        port = parts.port or _LIVE_PORTS[scheme]
    except ValueError as error:
        raise ConfigError(f"{name} {url!r} is no URL: {error}; write it as {scheme}://HOST:PORT") from error
    _check_no_user(name, parts)
    if not parts.hostname or not port or parts.path.strip("/") or parts.query:
        raise ConfigError(
            f"{name} {url!r} must name a host and a port alone; write it as {scheme}://HOST:PORT"
        )
    return Target(name, scheme, parts.hostname, port)


def _check_no_user(name: str, parts: SplitResult) -> None:
    """Raises ConfigError, without what it says, for a URL with a user: nothing would be done with it."""
    if "@" in parts.netloc:
        raise ConfigError(
            f"{name} names a user or password in its URL; write it as {parts.scheme}://HOST:PORT, and"
            " credentials in an [[identity]]"
        )


_TALK_PORTS = {"tcp": None, "tls": None, "udp": None, "dns": 53}
"""What a target may speak besides HTTP, with the port where a URL names none."""
_LIVE_PORTS = {**_TALK_PORTS, "dtls": None}
"""The same of a live service."""


def parse_address(name: str, address: str) -> tuple[str, int]:
    """``HOST:PORT`` (``[::1]:80`` for IPv6, ``:80`` for every address). Raises ConfigError otherwise."""
    host, colon, port = address.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ConfigError(f"{name} {address!r} is no HOST:PORT with a port from 0 to 65535")
    return host.strip("[]") or "0.0.0.0", int(port)  # noqa: S104  # asked for by writing no host


_A_DURATION = "a positive duration such as 90, '30s' or '1h30m'"


def parse_duration(name: str, text: str | float) -> float:
    """Seconds of ``"30m"``, ``"1h30m"``, ``"500ms"`` or a plain number. Raises ConfigError otherwise."""
    if isinstance(text, int | float) or re.fullmatch(r"\d+(\.\d+)?", text):
        return positive(name, text, _A_DURATION)
    if not re.fullmatch(r"(\d+(\.\d+)?(ms|s|m|h|d))+", text):
        raise ConfigError(
            f"{name} {text!r} is no duration; write seconds, or for example '30s', '30m', '1h30m'"
        )
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return positive(name, seconds, _A_DURATION)


def parse_rate(rate: str | float) -> float | None:
    if rate == "max":
        return None
    number = rate.removesuffix("/s") if isinstance(rate, str) else rate
    return positive("rate", number, "a positive number per second such as 500 or '500/s', or 'max'")


def parse_loops(loops: str | int) -> int | None:
    """How many passes; None for ``0`` and ``"inf"``. Raises ConfigError for what is no count."""
    if loops in (0, "0", "inf"):
        return None
    is_number = isinstance(loops, int) or re.fullmatch("[0-9]{1,9}", loops)
    if is_number and int(loops) > 0:
        return int(loops)
    raise ConfigError(f"loops {loops!r} is no count: write a number such as 3, or 0 or 'inf' with a duration")


def positive(name: str, value: str | float, form: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise ConfigError(f"{name} {value!r} is not {form}")
    return number
