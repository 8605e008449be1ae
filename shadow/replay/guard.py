"""What may be connected to, and whether anything may be sent: checked at the start and on every connect."""

import asyncio
import ipaddress
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

import msgspec

from shadow.errors import ConfigError, TargetError, UnsafeError
from shadow.model import Headers, Request, field
from shadow.model.remembering import by_headers
from shadow.replay._contract import Sending, Target
from shadow.replay.elsewhere import elsewhere
from shadow.replay.spending import Spending

RUN_FIELD = b"Shadow-Run"
TRIAL_FIELD = b"Shadow-Trial"
RESOLVE_TIMEOUT_SECONDS = 5.0
KILL_FILE_POLL_SECONDS = 0.1
NAT64 = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48")))
"""RFC 6052 §2.1 and RFC 8215: the last 32 bits are an IPv4 address, as a /96 has them."""

type Ip = IPv4Address | IPv6Address
type Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host name or literal, and port, to IP addresses as text; raises OSError where there are none."""
type Detour = Callable[[Sequence["Address"]], Awaitable[Sequence["Address"]]]
"""Checked addresses to those that lead there by way of a relay of our own."""


class GuardSettings(msgspec.Struct, frozen=True):
    """What the user allows."""

    live: tuple[str, ...] = ()
    """``host:port``, ``host`` (every port of it) or a URL of what must never be sent anything."""
    allow: tuple[str, ...] = ()
    """``host``, ``host:port``, a CIDR, or ``[CIDR]:port``. Empty: exactly the configured targets."""
    kill_file: str = ""
    """Sending stops for good as soon as this file exists."""
    requests_max: int | None = None
    """How many requests may be sent in all; None for no limit."""
    bytes_max: int | None = None
    """How many bytes of requests may be sent in all; None for no limit."""
    requests_per_second_max: float | None = None
    """Ceiling over all targets together; a request above it waits. None for no ceiling."""


class Address(msgspec.Struct, frozen=True):
    """One checked place to connect to."""

    ip: str
    port: int

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.ip else socket.AF_INET


class Guard:
    """The safety rules of one run. Every transport asks it before each connect and before each request."""

    def __init__(
        self,
        settings: GuardSettings,
        targets: Sequence[Target],
        *,
        resolve: Resolve | None = None,
        is_local: Callable[[Ip], bool] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.halted = ""
        """Why nothing may be sent any more; empty while all is well. It never becomes empty again."""
        self.admitted = 0
        """Requests."""
        self.admitted_bytes = 0
        """Of their heads and bodies."""
        self.spending: Spending | None = None
        """Where other processes send for the same run: what all have sent."""
        self._killed = ""
        """Why not even what was admitted already may be sent; empty while it may."""
        self._targets = tuple(targets)
        self._allow = tuple(_place(text, "allow") for text in settings.allow)
        self._live = tuple(_place(text, "live") for text in settings.live)
        self._resolve = resolve or resolve_name
        self._is_local = is_local or is_own_address
        self._clock = clock
        self._next_look_at = 0.0
        self._next_slot_at = 0.0
        self._detours: dict[Target, Detour] = {}

    def lead(self, target: Target, detour: Detour) -> None:
        """From now on `addresses` of `target` are those that `detour` gives for the checked ones."""
        self._detours[target] = detour

    async def check(self) -> None:
        """Return if every target may be used. Raises UnsafeError, or TargetError for an unknown name."""
        for target in self._targets:
            await self.addresses(target)

    async def addresses(self, target: Target) -> tuple[Address, ...]:
        """Where `target` may be connected to: never empty, to be used as it is and at once.

        The caller connects to these addresses and does not resolve the name again, so a name that changes
        its addresses between check and use gains nothing. Raises UnsafeError (and halts the run) when any
        of them is the live service or not allowed, TargetError when the name has no address.
        """
        try:
            found = await self._resolve(target.host, target.port)
        except OSError as error:
            raise TargetError(f"cannot resolve target {target.host!r}: {error}") from error
        if not found:
            raise TargetError(f"target {target.host!r} has no address")
        ips = [_plain(ipaddress.ip_address(text)) for text in found]
        trouble = self._not_allowed(target, ips) or await self._is_live(target, ips)
        if trouble:
            self.halted = self._killed = trouble
            raise UnsafeError(trouble)
        checked = tuple(Address(text, target.port) for text in found)
        detour = self._detours.get(target)
        return checked if detour is None else tuple(await detour(checked))

    @property
    def is_killed(self) -> bool:
        """Whether not even what is under way may go on."""
        return bool(self._why_killed())

    def halt(self, why: str) -> None:
        """Have nothing sent any more, not even what was admitted already."""
        if not self._killed:
            self._killed = why
        self.halted = self.halted or why

    async def turn(self, sending: Sending | None = None, target: Target | None = None) -> str:
        """Wait until one request may be sent, and return an empty string; or say why it must not be.

        `sending` is what is to be sent to `target`; without it one request of no bytes is counted.
        """
        refusal = self.admit(sending, target)
        if refusal:
            return refusal
        wait_seconds = self.wait_seconds()
        if not wait_seconds:
            return ""
        await asyncio.sleep(wait_seconds)
        killed = self._why_killed()
        if killed:
            self.halted = killed
            self.admitted -= 1
            size_bytes = sending.size_bytes if sending else 0
            self.admitted_bytes -= size_bytes
            if self.spending is not None:
                self.spending.take_back(size_bytes)
        return killed

    def admit(self, sending: Sending | None = None, target: Target | None = None) -> str:
        """Count one request in, and return an empty string; or say why it must not be sent."""
        if sending is not None and target is not None and (place := elsewhere(sending, target)):
            return f"it asks to be passed on to {place!r}, which is not its target"
        size_bytes = sending.size_bytes if sending else 0
        if not self.halted:
            self.halted = self._why_halt(size_bytes) or self._why_spent(size_bytes)
        if not self.halted:
            self.admitted += 1
            self.admitted_bytes += size_bytes
        return self.halted

    def wait_seconds(self) -> float:
        """How long the request just admitted must wait for its turn under the ceiling; it has a turn now."""
        ceiling = self.settings.requests_per_second_max
        if ceiling is None:
            return 0.0
        now = self._clock()
        if self.spending is not None:
            return self.spending.slot_at(now, 1.0 / ceiling) - now
        slot = max(self._next_slot_at, now)
        self._next_slot_at = slot + 1.0 / ceiling
        return slot - now

    def _why_halt(self, size_bytes: int) -> str:
        limit = self.settings.requests_max
        if limit is not None and self.admitted >= limit:
            return f"the budget of {limit} requests is spent"
        limit = self.settings.bytes_max
        if limit is not None and self.admitted_bytes + size_bytes > limit:
            return f"the budget of {limit} bytes is spent"
        return self._why_killed()

    def _why_spent(self, size_bytes: int) -> str:
        """Count the request in with those of other processes; or say which budget they have spent."""
        requests_max, bytes_max = self.settings.requests_max, self.settings.bytes_max
        if self.spending is None or (requests_max is None and bytes_max is None):
            return ""
        return self.spending.admit(size_bytes, requests_max=requests_max, bytes_max=bytes_max)

    def _why_killed(self) -> str:
        kill_file = self.settings.kill_file
        if not self._killed and kill_file and (now := self._clock()) >= self._next_look_at:
            self._next_look_at = now + KILL_FILE_POLL_SECONDS
            if os.path.lexists(kill_file):
                self._killed = f"the kill switch {kill_file!r} is set"
        return self._killed

    def _not_allowed(self, target: Target, ips: Sequence[Ip]) -> str:
        where = target.authority
        if not self._allow:
            known = {(_name(each.host), each.port) for each in self._targets}
            if (_name(target.host), target.port) in known:
                return ""
            return f"{where!r} is not a configured target"
        rules = [rule for rule in self._allow if rule.port in (None, target.port)]
        if any(rule.host == _name(target.host) for rule in rules):
            return ""
        networks = [rule.network for rule in rules if rule.network is not None]
        outside = [ip for ip in ips if not any(_within(ip, network) for network in networks)]
        if outside:
            return f"target {where!r} ({outside[0]}) is not in the allow list: add it under 'allow'"
        return ""

    async def _is_live(self, target: Target, ips: Sequence[Ip]) -> str:
        for live in self._live:
            if live.port not in (None, target.port):
                continue
            for ip in await self._live_ips(live):
                same = [mine for mine in ips if mine == ip or (self._is_local(mine) and self._is_local(ip))]
                if same:
                    return (
                        f"target {target.authority!r} ({same[0]}) is the live one {live.text!r}, "
                        "which is never sent anything: name another target"
                    )
        return ""

    async def _live_ips(self, live: "_Place") -> list[Ip]:
        try:
            found = await self._resolve(live.host, live.port or 0)
        except OSError as error:
            raise UnsafeError(
                f"cannot resolve the live service {live.host!r}, so no target can be told from it: {error}"
            ) from error
        return [_plain(ipaddress.ip_address(text)) for text in found]


def is_own(request: Request) -> bool:
    """Whether `request` was sent by a Shadow, this run's or another's: then it is never tapped."""
    return _is_marked(request.headers)


@by_headers
def _is_marked(headers: Headers) -> bool:
    return field(headers, RUN_FIELD.lower()) is not None


def is_own_address(ip: Ip) -> bool:
    """Whether `ip` is one of this machine: any loopback address, a wildcard, or one that can be bound.

    Two such addresses with the same port are taken for the same service, because a service that
    listens on the wildcard answers on all of them and that cannot be told from here.
    """
    if ip.is_loopback or ip.is_unspecified:
        return True
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(ip), 0))
        except OSError:
            return False
    return True


async def resolve_name(host: str, port: int) -> list[str]:
    """Every stream address of `host` by the system's resolver. Raises OSError."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"not a host name: {error}") from error
    return list(dict.fromkeys(_with_scope(family, sockaddr) for family, _, _, _, sockaddr in found))


class _Place(msgspec.Struct, frozen=True):
    """A host or a network, with a port or any."""

    text: str
    host: str
    port: int | None
    network: IPv4Network | IPv6Network | None = None


def _place(text: str, key: str) -> _Place:
    try:
        if "://" in text:
            url = urlsplit(text)
            port = url.port or {"http": 80, "https": 443, "ws": 80, "wss": 443, "dns": 53}.get(url.scheme)
            return _Place(text, _name(url.hostname or ""), port)
        host, port = _host_and_port(text)
        network = ipaddress.ip_network(host, strict=False) if "/" in host else None
    except ValueError as error:
        raise ConfigError(f"{key} = {text!r} is wrong ({error}): write host, host:port, or CIDR") from error
    if not host:
        raise ConfigError(f"{key} = {text!r} names no host: write host:port")
    return _Place(text, _name(host), port, network)


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Split ``host``, ``host:port``, ``v6``, ``[v6]``, ``[v6]:port``; a bare IPv6 address has no port."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("unmatched '['")
        port = rest[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    if not port:
        return host, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"port {port!r} is not a number from 1 to 65535")
    return host, int(port)


def _name(host: str) -> str:
    return host.lower().rstrip(".")


def _with_scope(family: int, sockaddr: tuple[object, ...]) -> str:
    """The address as text; a link-local one keeps its interface, without which it cannot be connected to."""
    text = str(sockaddr[0])
    scope = sockaddr[3] if family == socket.AF_INET6 else 0
    return f"{text}%{scope}" if scope and "%" not in text else text


def _plain(ip: Ip) -> Ip:
    """The address that really is reached: IPv4 inside IPv6 is unwrapped, an interface is left out."""
    if isinstance(ip, IPv4Address):
        return ip
    inner = ip.ipv4_mapped or ip.sixtofour
    if inner is not None:
        return inner
    number = int(ip)
    if (
        any(ip in network for network in NAT64) or 1 < number < 2**32
    ):  # the latter: IPv4-compatible, RFC 4291 §2.5.5.1
        return IPv4Address(number & 0xFFFFFFFF)
    return IPv6Address(number)


def _within(ip: Ip, network: IPv4Network | IPv6Network) -> bool:
    return ip.version == network.version and ip in network
