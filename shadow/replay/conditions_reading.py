"""Conditions from text: ``latency=200ms,down.bandwidth=2kB/s,probability=20%``, and from TOML tables."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from shadow.errors import ConfigError, nearest
from shadow.replay._contract import Target
from shadow.replay.conditions import Condition, Direction

_UNITS: dict[str, dict[str, float]] = {
    "seconds": {"us": 1e-6, "ms": 1e-3, "s": 1.0},
    "bytes": {"B": 1.0, "kB": 1e3, "KiB": 1024.0, "MB": 1e6, "MiB": 1024.0**2},
    "bytes per second": {"B/s": 1.0, "kB/s": 1e3, "KiB/s": 1024.0, "MB/s": 1e6, "MiB/s": 1024.0**2},
    "probability": {"": 1.0, "%": 0.01},
    "count": {"": 1.0},
}
_DIRECTED = {
    "latency": ("latency_seconds", "seconds"),
    "jitter": ("jitter_seconds", "seconds"),
    "bandwidth": ("bandwidth_bytes_per_second", "bytes per second"),
    "slice": ("slice_bytes", "bytes"),
    "slice_variation": ("slice_variation_bytes", "bytes"),
    "slice_delay": ("slice_delay_seconds", "seconds"),
    "mtu": ("mtu_bytes", "bytes"),
    "slow_close": ("slow_close_seconds", "seconds"),
    "limit": ("limit_bytes", "bytes"),
    "reset_after": ("reset_after_bytes", "bytes"),
    "reset_in": ("reset_in_seconds", "seconds"),
    "half_close_after": ("half_close_after_bytes", "bytes"),
    "black_hole": ("black_hole_seconds", "seconds"),
    "duplicate": ("duplicate_copies", "count"),
    "reorder": ("reorder_seconds", "seconds"),
}
_UNDIRECTED = {
    "rebind_after": ("rebind_after_bytes", "bytes"),
    "idle_drop": ("idle_drop_seconds", "seconds"),
    "dns_latency": ("dns_latency_seconds", "seconds"),
    "pattern": ("pattern", ""),
}
_SHARED = {"probability": ("probability", "probability"), "seed": ("seed", "count")}
_DATAGRAM_ONLY = {key: _DIRECTED[key] for key in ("duplicate", "reorder")}
_DATAGRAM_SCHEMES = frozenset({"udp", "dns", "dtls"})
_KEYS = {**_DIRECTED, **_UNDIRECTED, **_SHARED}
_PREFIXES = {"up": (Direction.UP,), "down": (Direction.DOWN,), "both": (Direction.UP, Direction.DOWN)}
_MAX_PATTERN_BYTES = 65_536
_MAX_COPIES = 16
"""More copies of a datagram are a flood, and no network does that."""

type ConditionsSetting = str | tuple[str | ConditionTable, ...]


class ConditionTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One bad network, as `[[condition]]`; several meet independently. Values are written as on the command
    line: ``"200ms"``, ``"10kB"``, ``"2kB/s"``."""

    direction: Literal["up", "down", "both"] = "up"
    """Of what is below: on the way to the target, on the way back, or both."""
    probability: str | Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0
    """How likely it is to meet a request with its answer, or a datagram: 0.2 or ``"20%"``."""
    seed: int | None = None
    """Of this condition's dice; left out, the run's."""
    latency: str = ""
    """Bytes arrive so much later."""
    jitter: str = ""
    """At most so much is added to the latency or taken off it."""
    bandwidth: str = ""
    """Bytes per second that pass, as ``"2kB/s"``."""
    slice: str = ""
    """Size of the pieces in which bytes are passed on."""
    slice_variation: str = ""
    """Pieces are at most so much larger or smaller."""
    slice_delay: str = ""
    """Waited between two pieces."""
    mtu: str = ""
    """Streams pass in pieces of at most this size; larger datagrams are lost."""
    slow_close: str = ""
    """The end of the stream arrives so much later."""
    limit: str = ""
    """The connection is closed once so many bytes have passed."""
    reset_after: str = ""
    """Both sides are reset once so many bytes have passed."""
    reset_in: str = ""
    """Both sides are reset this long after the request began."""
    half_close_after: str = ""
    """This direction is closed once so many bytes have passed."""
    black_hole: str = ""
    """Nothing arrives, and nobody is told; both sides are closed after this time, ``"0s"`` for never."""
    duplicate: int = 0
    """A datagram arrives so many times more."""
    reorder: str = ""
    """A datagram is held so long, and those behind it are not."""
    rebind_after: str = ""
    """The source port changes after so many bytes up; a TCP connection is dead then, without a word."""
    idle_drop: str = ""
    """The path is dead, without a word, once nothing passed for so long."""
    dns_latency: str = ""
    """Resolving the target's name takes so much longer."""
    pattern: str = ""
    """Bytes that say which request fails and how: ``"hex:0f3a"`` or any text."""


def read_conditions(setting: ConditionsSetting) -> tuple[Condition, ...]:
    """All conditions of the setting: one text, or texts and tables. Raises ConfigError."""
    parts: Sequence[str | ConditionTable] = (setting,) if isinstance(setting, str) else setting
    return tuple(
        condition
        for part in parts
        for condition in (parse_conditions(part) if isinstance(part, str) else _of_table(part))
    )


def parse_conditions(text: str) -> tuple[Condition, ...]:
    """The condition in ``latency=200ms,jitter=50ms,down.slice=10B,probability=20%``, one for each direction.

    Raises ConfigError.
    """
    pairs = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, _, value = (piece.strip() for piece in part.partition("="))
        pairs.append((key, value))
    return _conditions(pairs)


def check_target(conditions: Sequence[Condition], target: Target) -> None:
    """Raises ConfigError for what cannot happen on the way to `target`."""
    if target.scheme in _DATAGRAM_SCHEMES:
        return
    for key, (field, _) in _DATAGRAM_ONLY.items():
        if any(getattr(each, field) for each in conditions):
            raise ConfigError(
                f"condition {key!r} is of datagrams, and {target.name} {target.scheme}://{target.authority}"
                " speaks in streams, whose bytes TCP keeps whole and in order: leave it out"
            )


def _of_table(table: ConditionTable) -> tuple[Condition, ...]:
    stated: dict[str, Any] = msgspec.to_builtins(table)
    direction = stated.pop("direction", "up")
    return _conditions(
        (f"{direction}.{key}" if key in _DIRECTED else key, str(value))
        for key, value in stated.items()
        if value is not None
    )


def _conditions(pairs: Iterable[tuple[str, str]]) -> tuple[Condition, ...]:
    found: dict[Direction, dict[str, Any]] = {}
    shared: dict[str, Any] = {}
    for key, value in pairs:
        prefix, dot, name = key.rpartition(".")
        if name not in _KEYS or (dot and (prefix not in _PREFIXES or name not in _DIRECTED)):
            raise ConfigError(_unknown(key, prefix, name))
        field, unit = _KEYS[name]
        read = _pattern(value) if name == "pattern" else _number(name, value, unit)
        for direction in _PREFIXES[prefix or "up"]:
            (shared if name in _SHARED else found.setdefault(direction, {}))[field] = read
    if shared and not found:
        raise ConfigError(
            f"condition with {' and '.join(shared)} alone: say what is to happen, as latency=1s"
        )
    conditions = tuple(
        msgspec.convert({"direction": direction.value, **fields, **shared}, Condition, builtin_types=(bytes,))
        for direction, fields in found.items()
    )
    for each in conditions:
        _check(each)
    return conditions


def _check(condition: Condition) -> None:
    if not 0 <= condition.probability <= 1:
        raise ConfigError(f"probability = {condition.probability!r} must be from 0 to 1")
    if (condition.slice_variation_bytes or condition.slice_delay_seconds) and not condition.slice_bytes:
        way = condition.direction
        raise ConfigError(f"condition slice_variation or slice_delay needs {way}.slice beside it, as 10B")
    if condition.slice_variation_bytes and condition.slice_variation_bytes >= condition.slice_bytes:
        raise ConfigError(
            f"condition slice_variation = {condition.slice_variation_bytes!r} must be less than slice, which"
            f" is {condition.slice_bytes!r}"
        )
    if condition.duplicate_copies > _MAX_COPIES:
        raise ConfigError(
            f"condition duplicate = {condition.duplicate_copies!r} must be at most {_MAX_COPIES}"
        )


def _unknown(key: str, prefix: str, name: str) -> str:
    if name in _KEYS and prefix in _PREFIXES:
        return f"condition {key!r} has no direction: write {name!r}"
    if name in _KEYS and prefix:
        return (
            f"unknown direction {prefix!r} in condition {key!r}{nearest(prefix, _PREFIXES)}; there are "
            + (", ".join(_PREFIXES))
        )
    return f"unknown condition {key!r}{nearest(name, _KEYS)}; there are {', '.join(_KEYS)}"


def _pattern(text: str) -> bytes:
    if text.startswith("hex:"):
        digits = text.removeprefix("hex:")
        if not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", digits):
            raise ConfigError(f"condition pattern = {text!r} is no hex: write two digits for each byte")
        pattern = bytes.fromhex(digits)
    else:
        pattern = text.encode("utf-8", "surrogateescape")
    if not 0 < len(pattern) <= _MAX_PATTERN_BYTES:
        raise ConfigError(
            f"condition pattern has {len(pattern)} bytes: write 'hex:0f3a' or text of 1 to"
            f" {_MAX_PATTERN_BYTES} bytes"
        )
    return pattern


def _number(key: str, text: str, unit: str) -> float | int:
    """The number in ``200ms``, in the unit's base. The longest suffix that fits is the unit."""
    for suffix in sorted(_UNITS[unit], key=len, reverse=True):
        digits = text.removesuffix(suffix) if suffix else text
        if (not suffix or digits != text) and digits.replace(".", "", 1).isdecimal() and digits.isascii():
            number = float(digits) * _UNITS[unit][suffix]
            return int(number) if unit in ("bytes", "count") else number
    choices = ", ".join(each or "none" for each in _UNITS[unit])
    raise ConfigError(
        f"condition {key} = {text!r} is no number of {unit}: write one with a unit of {choices}"
    )
