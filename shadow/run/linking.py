"""Settings to the way to one target: its transports, its correlation, its breaker."""

import asyncio
import time
from collections.abc import Callable

from shadow.config import Settings, parse_live
from shadow.model import Event, Signs
from shadow.pipeline.link import Link
from shadow.pipeline.preparation import Preparation
from shadow.replay import Breaker, BreakerSettings, Correlation, Guard, RawTransport, Target, Transport
from shadow.replay.conditions import ConditionedTransport, parse_conditions
from shadow.replay.http import HttpTransport
from shadow.replay.http2 import Http2Transport

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
) -> Link:
    """The way to `target`."""
    live = (parse_live(settings.live).authority,) if settings.live else ()
    correlation = Correlation(target, live)
    preparation = Preparation(
        target, correlation, signer, run=run, keeps_host=settings.host == "keep", clock=time.time
    )
    http2 = Http2Transport(target, guard)
    return Link(
        target,
        transports(settings, target, guard, http2),
        preparation,
        correlation,
        Breaker(BreakerSettings(retry_seconds_max=_RETRY_SECONDS_MAX)),
        timeout_seconds=settings.timeout_seconds,
        stopping=stopping,
        hear=hear,
        http2_refusal=http2.refusal,
    )


def transports(
    settings: Settings, target: Target, guard: Guard, http2: Http2Transport
) -> dict[str, Transport]:
    """Everything that can carry something to `target`, by name."""
    carriers: dict[str, Transport] = {
        "aiohttp": HttpTransport(target, guard),
        "raw": RawTransport(target, guard),
        "http2": http2,
    }
    if not settings.condition:
        return carriers
    conditions = parse_conditions(settings.condition)
    return {name: ConditionedTransport(each, conditions, settings.seed) for name, each in carriers.items()}
