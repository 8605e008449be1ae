"""What a pipeline is made of, besides what it works on."""

import asyncio
from collections.abc import Callable

import msgspec

from shadow.pipeline.drift import Drift
from shadow.pipeline.governor import Governor
from shadow.pipeline.restoring import Restoring
from shadow.pipeline.session_trials import SessionTrials
from shadow.pipeline.talks import Talks
from shadow.pipeline.trials import Trials


class PipelineSettings(msgspec.Struct, frozen=True):
    """How a run is paced and bounded."""

    concurrency: int
    queue_items: int
    session_by: str
    targets: tuple[str, ...]
    """Names of the targets."""
    duration_seconds: float | None = None
    patience_seconds: float | None = None
    """How long a target may be down before the run is stopped; None to wait for it, as taps do."""
    drain_seconds: float | None = None
    """How long what waits is worked off once no more comes in; None for as long as it takes."""
    is_in_order: bool = False
    """Whether one thing is worked on after the other, and nothing goes by the clock: the same traffic is
    then sent the same, in the same order, each time. Needs a `concurrency` of 1."""


class Brakes(msgspec.Struct, frozen=True):
    """What may end a run before its source does."""

    halted: Callable[[], str]
    """Why nothing may be sent any more; empty while it may."""
    down: Callable[[], str]
    """The name of a target that cannot be used; empty where all can."""
    governor: Governor
    """How much may be asked of the shadow environment."""
    stopping: asyncio.Event
    """Set once the run is to be ended; links wait no longer for targets that are down then."""


class State(msgspec.Struct, frozen=True):
    """What looks after the state that the targets hold."""

    restoring: Restoring | None = None
    """Puts it back; None where nothing does."""
    drift: Drift | None = None
    """Tells where the targets' differ; None where nothing is probed."""


class Trying(msgspec.Struct, frozen=True):
    """Who tries what."""

    trials: Trials
    session_trials: SessionTrials
    talks: Talks | None = None
    """Without it no conversation may be in scope."""
