"""What the pipeline tells its sinks. Events are past tense; sinks only listen."""

from enum import StrEnum
from typing import Protocol, runtime_checkable

import msgspec

from shadow.model.correlated import Correlated
from shadow.model.exchange import Exchange
from shadow.model.finding import Finding
from shadow.model.forgiven import Forgave
from shadow.model.tally import Tally
from shadow.model.trial import Outcome, Trial


class Fate(StrEnum):
    """What became of a captured exchange. Every captured exchange has exactly one."""

    REPLAYED = "replayed"
    FILTERED = "filtered"
    SAMPLED_OUT = "sampled_out"
    DROPPED = "dropped"
    UNPARSED = "unparsed"


class Parcel(StrEnum):
    """Why something was sent to a target."""

    ORIGINAL = "original"
    REPEAT = "repeat"
    MUTANT = "mutant"
    CONFIRMATION = "confirmation"
    MINIMISATION = "minimisation"
    PROBE = "probe"


class Settled(msgspec.Struct, frozen=True):
    """`count` captured exchanges met their fate."""

    tap: str
    fate: Fate
    count: int = 1
    why: str = ""
    exchange: Exchange | None = None


class Sent(msgspec.Struct, frozen=True):
    """One request was sent to a target ("candidate" or "baseline")."""

    target: str
    parcel: Parcel
    outcome: Outcome


class Judged(msgspec.Struct, frozen=True):
    """A trial got its verdict."""

    trial: Trial


class Found(msgspec.Struct, frozen=True):
    """A confirmed finding; heard again with the same id when it occurred again."""

    finding: Finding
    is_new: bool = True
    is_told_again: bool = False
    """Whether nothing was seen again, and the finding is only told better than before."""


class Broke(msgspec.Struct, frozen=True):
    """Work on one exchange failed because of a bug in Shadow; the run goes on."""

    exchange: int
    error: str


class PluginFailed(msgspec.Struct, frozen=True):
    """A mutator or comparator of a third party raised, or handed back what is none; the run goes on."""

    plugin: str
    """``"mutator 'x'"``."""
    why: str


class TargetSeen(msgspec.Struct, frozen=True):
    """A target became usable, or stopped being so."""

    target: str
    is_up: bool
    detail: str = ""


class QueueSeen(msgspec.Struct, frozen=True):
    """The fill of a bounded queue."""

    queue: str
    items: int
    capacity_items: int


class SentLate(msgspec.Struct, frozen=True):
    """A request left this long after its scheduled moment."""

    late_seconds: float


class TapTimed(msgspec.Struct, frozen=True):
    """How long the tap held live requests up, over its whole life so far."""

    tap: str
    bounds_seconds: tuple[float, ...]
    """Upper bounds of the buckets, inclusive."""
    counts: tuple[int, ...]
    """Requests in each bucket, and in one more for those above the last bound."""
    sum_seconds: float


class FramesSeen(msgspec.Struct, frozen=True):
    """How many frames a passive tap took, and how many the kernel dropped before it could: since it began."""

    tap: str
    taken: int
    lost: int


class ConditionMet(msgspec.Struct, frozen=True):
    """A network condition of ours met `count` more requests on their way, and so many bytes."""

    target: str
    condition: str
    """``"latency"``, ``"reset"``: a closed set."""
    direction: str
    """``"up"`` or ``"down"``."""
    count: int
    byte_count: int


class HeldBack(msgspec.Struct, frozen=True):
    """A budget kept `count` mutants at most from being made."""

    budget: str
    """``"endpoint"`` or ``"minute"``: a closed set."""
    count: int


RUN_STATES = ("normal", "paused", "throttled", "safe", "stopped", "stopping")
"""What a run may be in, one at a time; ``"stopped"`` is safe mode's last step."""


class StateChanged(msgspec.Struct, frozen=True):
    """The run's own state changed, or something about the whole run is to be known."""

    state: str
    """One of `RUN_STATES`; or a remark: ``"ending"``, ``"blind"``, ``"one-sided"``, ``"reset"``,
    ``"drifted"``, ``"unprobed"``, ``"locked-out"``, ``"partly-unsigned"``, ``"held-up"``, ``"restarted"``,
    ``"going-on"``, ``"unexplained"``."""
    why: str = ""


class SecretTaken(msgspec.Struct, frozen=True):
    """A credential came from a target. It is to be masked wherever it shows; no sink hears of it."""

    value: bytes


type Event = (
    Settled
    | Sent
    | Judged
    | Found
    | Broke
    | PluginFailed
    | TargetSeen
    | QueueSeen
    | SentLate
    | TapTimed
    | FramesSeen
    | ConditionMet
    | HeldBack
    | StateChanged
    | SecretTaken
    | Tally
    | Correlated
    | Forgave
)


@runtime_checkable
class Choosy(Protocol):
    """A sink that takes no notice of some kinds of events, and says so: it is not called for those."""

    ignores: frozenset[type]


class Sink(Protocol):
    """Listens to a run. `hear` must not block and must not raise for any event."""

    def hear(self, event: Event) -> None: ...

    def close(self) -> None:
        """Called once at the end of the run; what was buffered is written."""
        ...
