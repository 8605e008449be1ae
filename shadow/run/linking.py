"""Settings to the way to one target: its transports, its correlation, its breaker."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from shadow.config import Settings, parse_live
from shadow.judge.readings import Readings
from shadow.model import Event, Match, Outcome, Request, Signs
from shadow.pipeline.calm import Calm
from shadow.pipeline.gate import Gate
from shadow.pipeline.link import CALM, Link
from shadow.pipeline.logins import Logins
from shadow.pipeline.preparation import Preparation
from shadow.pipeline.pulse import Pulse
from shadow.pipeline.standing import Standing
from shadow.pipeline.vigil import Restart, Vigil
from shadow.pipeline.ways import HTTP2, never_refuses
from shadow.replay import Breaker, BreakerSettings, Correlation, Guard, RawTransport, Target, Transport
from shadow.replay.conditioned import ConditionedTransport
from shadow.replay.conditions_reading import check_target, read_conditions
from shadow.replay.datagram import DatagramTransport
from shadow.replay.dns import DnsTransport
from shadow.replay.explanation import Trace
from shadow.replay.http import HttpTransport
from shadow.replay.http2 import Http2Transport
from shadow.replay.relay import Relay
from shadow.replay.reset import Reset, ResetSettings
from shadow.replay.rules import Rules
from shadow.replay.stream import StreamTransport
from shadow.replay.websocket import WebSocketTransport

_TALKERS: dict[str, Callable[[Target, Guard], Transport]] = {
    "tcp": StreamTransport,
    "tls": StreamTransport,
    "udp": DatagramTransport,
    "dns": DnsTransport,
}
"""By scheme, what carries conversations."""
_RETRY_SECONDS_MAX = 2.0
"""A shadow that was restarted is back in use this soon."""


def link(
    settings: Settings,
    target: Target,
    guard: Guard,
    signer: Signs | None,
    *,
    run: str,
    stopping: asyncio.Event,
    hear: Callable[[Event], None],
    gate: Gate | None = None,
    resumed: Callable[[], Awaitable[None]] | None = None,
    calm: Calm | None = None,
    readings: Readings | None = None,
) -> Link:
    """The way to `target`."""
    live = (parse_live(settings.live).authority,) if settings.live else ()
    correlation = Correlation(
        target,
        live,
        rules=Rules(settings.correlation),
        trace=Trace() if settings.explain_correlation else None,
        keeps_host=settings.host == "keep",
    )
    logins = logins_of(settings, target, signer, hear)
    preparation = Preparation(
        target,
        correlation,
        signer,
        run=run,
        keeps_host=settings.host == "keep",
        clock=time.time,
        logins=logins,
    )
    carriers = transports(target, guard)
    http2 = carriers.get(HTTP2)
    has_schedule = settings.rate_per_second is not None or settings.speed_factor is not None
    breaker = Breaker(BreakerSettings(retry_seconds_max=_RETRY_SECONDS_MAX), is_warm=has_schedule)
    return Link(
        target,
        conditioned(settings, target, guard, carriers, hear=hear),
        preparation,
        correlation,
        Standing(target.name, breaker, stopping=stopping, hear=hear, resumed=resumed),
        timeout_seconds=settings.timeout_seconds,
        hear=hear,
        http2_refusal=http2.refusal if isinstance(http2, Http2Transport) else never_refuses,
        gate=gate,
        logins=logins,
        calm=calm,
        readings=readings,
    )


def vigil_over(
    over: Link,
    settings: Settings,
    *,
    stopping: asyncio.Event,
    hear: Callable[[Event], None],
    is_patient: bool,
) -> Vigil | None:
    """What notices that a target is unwell; None for one that cannot be asked over HTTP."""
    if over.target.scheme not in ("http", "https"):
        return None
    health = settings.health
    restart: Restart | None = None
    if health.restart:

        async def restart(target: str) -> str:
            return await Reset(ResetSettings(command=(*health.restart, target))).run(_ask_nobody)

    return Vigil(
        over.target.name,
        health,
        Pulse(health, over.feel),
        over.calm,
        hear=hear,
        stopping=stopping,
        let_go=over.let_go,
        restart=restart,
        is_patient=is_patient,
    )


async def _ask_nobody(_: Request) -> dict[str, Outcome]:
    return {}


def logins_of(
    settings: Settings, target: Target, signer: Signs | None, hear: Callable[[Event], None]
) -> Logins | None:
    """The credentials of the identities at `target`; None where all that is needed stands in the requests."""
    identities, logins = settings.identities, settings.logins
    if not logins and all(who.match == Match() for who in identities):
        return None
    return Logins(target.name, identities, logins, signer, clock=time.time, hear=hear)


def transports(target: Target, guard: Guard) -> dict[str, Transport]:
    """Everything that can carry something to `target`, by name, in the order of preference: the lean one
    first over plain TCP, the full client over TLS."""
    if target.scheme in _TALKERS:
        talker = _TALKERS[target.scheme](target, guard)
        return {talker.name: talker}
    carriers: dict[str, Transport] = {
        "raw": RawTransport(target, guard),
        "aiohttp": HttpTransport(target, guard),
        "websocket": WebSocketTransport(target, guard),
        "http2": Http2Transport(target, guard),
    }
    if target.scheme == "https":
        carriers = {name: carriers[name] for name in reversed(carriers)}
    return carriers


def conditioned(
    settings: Settings,
    target: Target,
    guard: Guard,
    carriers: dict[str, Transport],
    *,
    hear: Callable[[Event], None],
) -> dict[str, Transport]:
    """The same carriers over the configured network, and one over a calm network for looking after the
    target; `carriers` themselves where no condition is configured."""
    conditions = read_conditions(settings.condition)
    if not conditions:
        return carriers
    check_target(conditions, target)
    relay = Relay(target, conditions, settings.seed, is_killed=lambda: guard.is_killed)
    guard.lead(target, relay.detour)
    met: dict[str, Transport] = {
        name: ConditionedTransport(each, relay, hear=hear) for name, each in carriers.items()
    }
    calm = next(iter(transports(target, guard).values())) if target.scheme in _TALKERS else None
    return {**met, CALM: calm or RawTransport(target, guard)}
