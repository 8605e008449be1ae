"""Bad networks, as a transport around another: the same seed makes the same trouble."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import msgspec

from shadow.errors import ConfigError, nearest
from shadow.model import Ending, NoReply, Outcome, Silence, Wire
from shadow.replay._contract import Sending, Transport
from shadow.wire.http1 import serialise_request

_UNITS: dict[str, dict[str, float]] = {
    "seconds": {"us": 1e-6, "ms": 1e-3, "s": 1.0},
    "bytes": {"B": 1.0, "kB": 1e3, "KiB": 1024.0, "MB": 1e6, "MiB": 1024.0**2},
    "bytes per second": {"B/s": 1.0, "kB/s": 1e3, "KiB/s": 1024.0, "MB/s": 1e6, "MiB/s": 1024.0**2},
    "probability": {"": 1.0, "%": 0.01},
}


class Conditions(msgspec.Struct, frozen=True):
    """What is done to a request on its way. All of it may meet any one, each with `probability`."""

    latency_seconds: float = 0.0
    """Before the first byte."""
    jitter_seconds: float = 0.0
    """At most so much is added to the latency or taken off it."""
    bandwidth_bytes_per_second: float = 0.0
    """0.0 for no limit."""
    slice_bytes: int = 0
    """Size of the pieces in which the request is written; 0 for whole."""
    slice_delay_seconds: float = 0.0
    """Waited between two pieces, besides what the bandwidth asks for."""
    reset_after_bytes: int | None = None
    """The connection is reset when so many bytes of the request are written."""
    probability: float = 1.0


_KEYS = {
    "latency": ("latency_seconds", "seconds"),
    "jitter": ("jitter_seconds", "seconds"),
    "bandwidth": ("bandwidth_bytes_per_second", "bytes per second"),
    "slice": ("slice_bytes", "bytes"),
    "slice_delay": ("slice_delay_seconds", "seconds"),
    "reset_after": ("reset_after_bytes", "bytes"),
    "probability": ("probability", "probability"),
}
_BANDWIDTH_SLICE_SECONDS = 0.02
"""A limited bandwidth is made of pieces that take so long each."""


def parse_conditions(text: str) -> Conditions:
    """``latency=200ms,jitter=50ms,slice=10B,probability=20%`` as Conditions. Raises ConfigError."""
    found: dict[str, float | int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in _KEYS:
            raise ConfigError(f"unknown condition {key!r}{nearest(key, _KEYS)}; there are {', '.join(_KEYS)}")
        name, unit = _KEYS[key]
        number = _number(key, value, unit)
        found[name] = int(number) if unit == "bytes" else number
    conditions = msgspec.convert(found, Conditions)
    if not 0 <= conditions.probability <= 1:
        raise ConfigError(f"probability = {conditions.probability!r} must be from 0 to 1")
    return conditions


class ConditionedTransport:
    """Sends through `inner`, with what the conditions do to each request.

    Slices, bandwidth and resets need exact writes, so `inner` must take a `Wire` for them; each then has a
    connection of its own.
    """

    def __init__(
        self,
        inner: Transport,
        conditions: Conditions,
        seed: int,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = inner.name
        self._inner = inner
        self._conditions = conditions
        self._rng = Random(seed)
        self._sleep = sleep

    def can_send(self, sending: Sending) -> bool:
        """Whether `inner` can send `sending` however it is met by the conditions."""
        shaped = self._shaped(sending)
        return self._inner.can_send(sending) and (shaped is sending or self._inner.can_send(shaped))

    async def send(self, sending: Sending) -> Outcome:
        """What `inner` got for the request, worn as it arrived. The latency counts towards the time limit."""
        conditions = self._conditions
        is_met = self._rng.random() < conditions.probability
        spread = self._rng.uniform(-conditions.jitter_seconds, conditions.jitter_seconds)
        if not is_met:
            return await self._inner.send(sending)
        wait_seconds = max(conditions.latency_seconds + spread, 0.0)
        left_seconds = sending.timeout_seconds - wait_seconds
        if left_seconds <= 0:
            await self._sleep(sending.timeout_seconds)
            return NoReply(Silence.TIMED_OUT, "the latency took up the time limit")
        if wait_seconds:
            await self._sleep(wait_seconds)
        shaped = self._shaped(sending)
        return await self._inner.send(msgspec.structs.replace(shaped, timeout_seconds=left_seconds))

    async def close(self) -> None:
        await self._inner.close()

    def _shaped(self, sending: Sending) -> Sending:
        """`sending` in the pieces that the conditions ask for; itself where they ask for none."""
        conditions = self._conditions
        is_cut = conditions.reset_after_bytes is not None
        rate = conditions.bandwidth_bytes_per_second
        if not (conditions.slice_bytes or rate or is_cut):
            return sending
        wire = sending.wire or Wire((serialise_request(sending.request),))
        segments, ending = wire.segments, wire.ending
        if conditions.reset_after_bytes is not None:
            whole = b"".join(segments)
            segments, ending = (whole[: conditions.reset_after_bytes],), Ending.RESET
        size = conditions.slice_bytes or (max(int(rate * _BANDWIDTH_SLICE_SECONDS), 1) if rate else 0)
        if size:
            segments = tuple(
                segment[at : at + size] for segment in segments for at in range(0, len(segment), size)
            )
        pause = max(wire.pause_seconds, conditions.slice_delay_seconds + (size / rate if rate else 0.0))
        return msgspec.structs.replace(sending, wire=Wire(segments, pause, ending))


def _number(key: str, text: str, unit: str) -> float:
    """The number in ``200ms``, in the unit's base. The longest suffix that fits is the unit."""
    for suffix in sorted(_UNITS[unit], key=len, reverse=True):
        digits = text.removesuffix(suffix) if suffix else text
        if (not suffix or digits != text) and digits.replace(".", "", 1).isdecimal() and digits.isascii():
            return float(digits) * _UNITS[unit][suffix]
    choices = ", ".join(each or "none" for each in _UNITS[unit])
    raise ConfigError(
        f"condition {key} = {text!r} is no number of {unit}: write one with a unit of {choices}"
    )
