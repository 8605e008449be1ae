"""Bad networks as values: what may happen to what is on its way, and how likely that is."""

from enum import StrEnum
from random import Random
from typing import NamedTuple

import msgspec


class Direction(StrEnum):
    """Which way bytes go."""

    UP = "up"
    """From us to the target."""
    DOWN = "down"


class Trouble(StrEnum):
    """What can happen; also the name under which it is counted."""

    LATENCY = "latency"
    BANDWIDTH = "bandwidth"
    SLICE = "slice"
    MTU = "mtu"
    SLOW_CLOSE = "slow_close"
    LIMIT = "limit"
    RESET = "reset"
    HALF_CLOSE = "half_close"
    BLACK_HOLE = "black_hole"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    REBIND = "rebind"
    IDLE_DROP = "idle_drop"
    DNS_LATENCY = "dns_latency"


class Condition(msgspec.Struct, frozen=True):
    """Troubles that meet one sending together, in one direction, or spare it together.

    Bytes are counted from the start of each sending, in the condition's direction. Of datagrams each is met
    or spared by itself.
    """

    direction: Direction = Direction.UP
    latency_seconds: float = 0.0
    """Bytes arrive so much later."""
    jitter_seconds: float = 0.0
    """At most so much is added to the latency or taken off it, evenly spread."""
    bandwidth_bytes_per_second: float = 0.0
    """0.0 for no limit."""
    slice_bytes: int = 0
    """Size of the pieces in which bytes are passed on; 0 for as they come."""
    slice_variation_bytes: int = 0
    """Pieces are at most so much larger or smaller."""
    slice_delay_seconds: float = 0.0
    """Waited between two pieces."""
    mtu_bytes: int = 0
    """A stream is passed on in pieces of at most so many bytes, larger datagrams are lost; 0 for any."""
    slow_close_seconds: float = 0.0
    """The end of the stream is passed on so much later."""
    limit_bytes: int | None = None
    """The connection is closed in order once so many bytes have passed."""
    reset_after_bytes: int | None = None
    """Both sides are reset once so many bytes have passed."""
    reset_in_seconds: float | None = None
    """Both sides are reset this long after the sending began."""
    half_close_after_bytes: int | None = None
    """This direction is closed once so many bytes have passed; the other stays open."""
    black_hole_seconds: float | None = None
    """Nothing arrives, and nobody is told; after this long both sides are closed, 0.0 for never."""
    duplicate_copies: int = 0
    """A datagram arrives so many times more."""
    reorder_seconds: float = 0.0
    """A datagram is held so long, and those behind it are not."""
    rebind_after_bytes: int | None = None
    """The source port changes after so many bytes, as behind a NAT that gave ours away: datagrams go on from
    another one, a TCP connection is dead without a word."""
    idle_drop_seconds: float = 0.0
    """The path is dead without a word once no bytes passed for so long, as behind a NAT that forgot it."""
    dns_latency_seconds: float = 0.0
    """Resolving the target's name takes so much longer."""
    pattern: bytes = b""
    """Each sending of a session is met as the next of these bytes says; see `conditions_pattern`."""
    probability: float = 1.0
    seed: int | None = None
    """Of this condition's dice; None for the run's."""


class Met(NamedTuple):
    """A condition that has met something, with the dice for what it does."""

    condition: Condition
    dice: Random
