"""What goes into the shadow environment, and what comes back. `http` is heavy, so it is imported by name."""

from shadow.replay._contract import Sending, Synchronised, Target, Transport
from shadow.replay.breaker import Breaker, BreakerSettings, Circuit
from shadow.replay.correlation import Correlation, CorrelationSettings
from shadow.replay.guard import RUN_FIELD, TRIAL_FIELD, Guard, GuardSettings, is_own
from shadow.replay.memory import Mapping
from shadow.replay.pacer import Pace, Pacer, due_seconds
from shadow.replay.raw import RawSettings, RawTransport
from shadow.replay.safe_mode import Mode, SafeMode, SafeModeSettings
from shadow.replay.spending import Spending

__all__ = [
    "RUN_FIELD",
    "TRIAL_FIELD",
    "Breaker",
    "BreakerSettings",
    "Circuit",
    "Correlation",
    "CorrelationSettings",
    "Guard",
    "GuardSettings",
    "Mapping",
    "Mode",
    "Pace",
    "Pacer",
    "RawSettings",
    "RawTransport",
    "SafeMode",
    "SafeModeSettings",
    "Sending",
    "Spending",
    "Synchronised",
    "Target",
    "Transport",
    "due_seconds",
    "is_own",
]
