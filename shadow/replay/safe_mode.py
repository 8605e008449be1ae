"""Spares a shadow environment that suffers: from its answers to originals to how much may be asked of it."""

import time
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from statistics import median
from typing import Annotated

import msgspec
from msgspec import Meta

from shadow.model import NoReply, Outcome, Reply, Silence
from shadow.replay.usual import Usual

_WELL = 0.5
"""Of either limit: below this share of it a target is well again. What lies between changes nothing."""
_LATEST = 2
"""So many times the samples that are needed are looked at: among more, a change would show too late."""
_FEW = 3
"""Originals that tell enough where few are sent: to get better, and to give up."""
_TOO_MANY_REQUESTS = 429
_SAYS_NOTHING = frozenset({Silence.UNSENT, Silence.CUT, Silence.UNWELL})


type Seconds = Annotated[float, Meta(gt=0)]


class Mode(StrEnum):
    """How much may be asked of the shadow environment."""

    NORMAL = "normal"
    """All."""
    THROTTLED = "throttled"
    """Fewer exchanges at once, and one mutant at most of each."""
    SAFE = "safe"
    """Originals alone, one at a time and slowly."""
    STOPPED = "stopped"
    """Nothing, for good."""


_STEPS = tuple(Mode)


class SafeModeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a shadow environment counts as suffering, and what is done then, as `[safe_mode]`."""

    enabled: bool = True
    """Whether anything is done at all."""
    failed_share: Annotated[float, Meta(gt=0, le=1)] = 0.5
    """Of the originals: more that fail (5xx or 429 where live had none, or no answer) are too many."""
    slow_factor: Annotated[float, Meta(gt=1)] = 5.0
    """Times the usual time of the same endpoint: half of the originals taking longer is too slow."""
    slow_seconds: Seconds = 0.25
    """A rise of less than this is never too slow."""
    window_seconds: Seconds = 30.0
    """So far back is looked, and at no more than twice `samples_min` originals."""
    samples_min: Annotated[int, Meta(ge=1)] = 20
    """Originals in the window before anything is concluded from them."""
    hold_seconds: Seconds = 10.0
    """So long it must be well before a step back is taken."""
    stop_seconds: Annotated[float, Meta(ge=0)] = 120.0
    """After so long in safe mode without getting better the run ends with exit code 3; 0 for never."""
    per_second: Seconds = 5.0
    """Originals per second in safe mode."""


class SafeMode:
    """The state machine of one run: one step at a time, worse as soon as it is certain, better only after a
    while. `tell` hears each change with its reason."""

    def __init__(
        self,
        settings: SafeModeSettings,
        *,
        tell: Callable[[Mode, str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.mode = Mode.NORMAL
        self._tell = tell
        self._clock = clock
        self._views: dict[str, _View] = {}
        self._since = clock()
        """When the present mode began."""
        self._ill_at = self._since
        """When it was last not well."""

    def note(self, target: str, endpoint: str, outcome: Outcome, live_status: int | None) -> None:
        """Take in what `target` answered to an original, which the live service had answered so.

        What was never sent, what network conditions of ours cut, and what was answered as badly live, says
        nothing.
        """
        if not self.settings.enabled or (isinstance(outcome, NoReply) and outcome.why in _SAYS_NOTHING):
            return
        view = self._views.setdefault(target, _View(self.settings))
        view.add(endpoint, outcome, live_status, self._clock(), learns=self.mode is Mode.NORMAL)

    def look(self) -> None:
        """Change the mode where it is time to. To be called now and then: it costs more than `note`."""
        if not self.settings.enabled or self.mode is Mode.STOPPED:
            return
        now = self._clock()
        trouble = self._trouble(now)
        heard = [view for view in self._views.values() if view.has_heard(now)]
        is_well = bool(heard) and all(view.is_well(now) for view in heard)
        if not is_well:
            self._ill_at = now
        if trouble:
            self._worsen(now, trouble)
        elif self.mode is not Mode.NORMAL and is_well and now - self._ill_at >= self.settings.hold_seconds:
            self._change(_STEPS[_STEPS.index(self.mode) - 1], "the shadow environment answers well again")

    def _trouble(self, now: float) -> str:
        enough = _FEW if self.mode is Mode.SAFE else self.settings.samples_min
        found = ((name, view.trouble(now, enough)) for name, view in self._views.items())
        return next((f"the {name} {trouble}" for name, trouble in found if trouble), "")

    def _worsen(self, now: float, trouble: str) -> None:
        if self.mode is not Mode.SAFE:
            self._change(_STEPS[_STEPS.index(self.mode) + 1], trouble)
        elif 0 < self.settings.stop_seconds <= now - self._since:
            self._change(Mode.STOPPED, f"{trouble}, for {self.settings.stop_seconds:g} s in safe mode")

    def _change(self, mode: Mode, why: str) -> None:
        """What was seen in one mode says nothing of the next."""
        self.mode = mode
        self._since = self._ill_at = self._clock()
        for view in self._views.values():
            view.forget()
        self._tell(mode, why)


class _Sample(msgspec.Struct, frozen=True, gc=False):
    """One original: when it was answered, whether it failed, and how its time compares to the usual."""

    at: float
    has_failed: bool
    times: float
    """Of the usual time; 0.0 where that is not known, and where there was no answer."""
    more_seconds: float


class _View:
    """What was seen of one target lately."""

    def __init__(self, settings: SafeModeSettings) -> None:
        self._settings = settings
        self._samples: deque[_Sample] = deque(maxlen=max(_LATEST * settings.samples_min, _FEW))
        self._usual = Usual()

    def add(
        self, endpoint: str, outcome: Outcome, live_status: int | None, now: float, *, learns: bool
    ) -> None:
        seconds = outcome.timing.total_seconds - outcome.timing.held_seconds
        if isinstance(outcome, NoReply):
            self._samples.append(_Sample(now, True, 0.0, 0.0))
            return
        usual = self._usual.seconds(endpoint)
        if learns:
            self._usual.learn(endpoint, seconds)
        times = seconds / usual if usual else 0.0
        self._samples.append(_Sample(now, _has_failed(outcome, live_status), times, seconds - (usual or 0.0)))

    def has_heard(self, now: float) -> bool:
        """Whether there was anything from the target lately; one that is not asked holds nothing up."""
        return bool(self._recent(now))

    def trouble(self, now: float, enough: int) -> str:
        """Why the target counts as suffering; empty where not, or with fewer than `enough` samples."""
        samples = self._recent(now)
        if len(samples) < enough:
            return ""
        failed = sum(each.has_failed for each in samples)
        if failed > self._settings.failed_share * len(samples):
            return f"fails {failed} of {len(samples)} originals"
        times, more_seconds = _middle(samples)
        if times > self._settings.slow_factor and more_seconds > self._settings.slow_seconds:
            return f"takes {times:.1f} times as long as usual for {len(samples)} originals"
        return ""

    def is_well(self, now: float) -> bool:
        """Whether it certainly does not suffer."""
        samples = self._recent(now)
        if len(samples) < _FEW:
            return False
        failed = sum(each.has_failed for each in samples)
        times, more_seconds = _middle(samples)
        is_fast = times <= 1 + _WELL * (self._settings.slow_factor - 1) or (
            more_seconds <= _WELL * self._settings.slow_seconds
        )
        return is_fast and failed <= _WELL * self._settings.failed_share * len(samples)

    def forget(self) -> None:
        """Start the window afresh. What is usual stays."""
        self._samples.clear()

    def _recent(self, now: float) -> deque[_Sample]:
        while self._samples and now - self._samples[0].at > self._settings.window_seconds:
            self._samples.popleft()
        return self._samples


def _has_failed(reply: Reply, live_status: int | None) -> bool:
    status = reply.response.status
    is_bad = status >= 500 or status == _TOO_MANY_REQUESTS
    return is_bad and (live_status is None or (live_status < 500 and live_status != status))


def _middle(samples: deque[_Sample]) -> tuple[float, float]:
    """How many times the usual, and how much more, the originals took that were answered."""
    answered = [each for each in samples if each.times]
    if not answered:
        return 0.0, 0.0
    return median(each.times for each in answered), median(each.more_seconds for each in answered)
