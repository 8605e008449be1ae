"""Notices that a target is unwell as a whole, has nothing sent to it meanwhile, and waits until it is well.

Requests that suffer then are not at fault for that alone. What came of them is told as `Silence.UNWELL`; who
sent them tries them again, alone (`blame.py`).
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec

from shadow.model import Ending, Event, NoReply, Outcome, Reply, Silence, StateChanged, Timing
from shadow.pipeline.calm import Calm
from shadow.pipeline.pulse import HealthSettings, Pulse
from shadow.pipeline.ready import Ready

_RECENT = 64
_QUIET_SECONDS = 0.25
"""What ended so shortly before may have done the harm."""
_FIRST_PAUSE_SECONDS = 0.05
_PAUSE_SECONDS_MAX = 1.0
_PAUSE_GROWTH = 1.5
_FRESH_SECONDS = 1.0
"""An error answer is common: whether all is broken is asked this often at most."""
_SHOWN = 5
_LABEL_CHARS = 120
_SIGNS = {
    Silence.REFUSED: "takes no connection",
    Silence.RESET: "drops connections",
    Silence.CLOSED: "drops connections",
    Silence.TIMED_OUT: "does not answer in time",
}
_BROKEN = "answers nothing but errors"

type Restart = Callable[[str], Awaitable[str]]
"""Starts the target of that name again; says why it could not, if so."""


class Passage(msgspec.Struct):
    """One sending under way, or done with."""

    ready: Ready
    began_at: float
    ended_at: float = float("inf")
    sign: str = ""
    """In words, what about its answer may mean that the target is unwell; empty where nothing does."""

    @property
    def is_joint_sign(self) -> bool:
        """Whether others that suffered at the same time may be why. Malformed bytes are often met with
        silence, which says nothing."""
        return bool(self.sign) and self.sign != _BROKEN and self.ready.wire is None

    @property
    def label(self) -> str:
        """What was sent, for a person."""
        request = self.ready.request
        text = f"{request.method.decode('latin-1')} {request.target.decode('latin-1')}"
        return f"{text} ({self.ready.what})"[:_LABEL_CHARS] if self.ready.what else text[:_LABEL_CHARS]


class Lost(msgspec.Struct, frozen=True):
    """A target that did not come back."""

    why: str
    sign: str
    suspects: tuple[Passage, ...]
    """The likeliest first: what had been under way for longest."""


class Vigil:
    """Over one target."""

    def __init__(
        self,
        target: str,
        settings: HealthSettings,
        pulse: Pulse,
        calm: Calm,
        *,
        hear: Callable[[Event], None],
        stopping: asyncio.Event,
        let_go: Callable[[], Awaitable[None]],
        restart: Restart | None = None,
        is_patient: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`let_go` closes connections that are kept. One that `is_patient` waits for as long as it takes."""
        self.pulse = pulse
        self.lost: Lost | None = None
        """Set once it is waited for no more."""
        self.on_lost: Callable[[Lost], None] = lambda _: None
        self.incidents = 0
        """How often the target was unwell."""
        self.unwell_at = float("-inf")
        """When what was under way then had begun, by the clock of the run."""
        self.seen_at = float("-inf")
        """When that was noticed."""
        self.is_attending = False
        """Whether it is waited for just now."""
        self._target = target
        self._settings = settings
        self._calm = calm
        self._hear = hear
        self._stopping = stopping
        self._let_go = let_go
        self._restart = restart
        self._is_patient = is_patient
        self._clock = clock
        self._sleep = sleep
        self._under_way: dict[int, Passage] = {}
        self._recent: deque[Passage] = deque(maxlen=_RECENT)
        self._asking = asyncio.Lock()
        self._well_at = float("-inf")
        """When a question was asked that a well target answered."""
        self._is_heeding_errors = True
        self._over: asyncio.Future[None] | None = None
        """Done once the target is well again; None where it is not known to be unwell."""

    def begin(self, ready: Ready) -> Passage:
        """`ready` is sent now."""
        passage = Passage(ready, self._clock())
        self._under_way[id(passage)] = passage
        return passage

    def end(self, passage: Passage, outcome: Outcome | None) -> bool:
        """Take in what came of it, None where it was cancelled; whether `told` is to be asked."""
        self._under_way.pop(id(passage), None)
        passage.ended_at = self._clock()
        if outcome is None:
            return False
        passage.sign = _sign(passage.ready, outcome)
        if passage.sign == _BROKEN and not (self._is_heeding_errors and self.pulse.knows_well):
            passage.sign = ""
        self._recent.append(passage)
        return bool(passage.sign) and self._settings.enabled and not self._calm.is_mine

    async def told(self, passage: Passage, outcome: Outcome) -> Outcome:
        """What is to be made of an answer that may mean that the target is unwell: `outcome`, or that nothing
        can be told. Returns once the target is well again."""
        if self.lost is not None:
            return _unwell(outcome)
        age = _FRESH_SECONDS if passage.sign == _BROKEN else 0.0
        is_well = await self._is_well_since(passage.ended_at - age)
        if is_well and not (passage.is_joint_sign and self._others_with_sign(passage)):
            return outcome
        is_own = self._is_alone(passage) and passage.sign not in (_BROKEN, _SIGNS[Silence.REFUSED])
        await self._sit_through(passage, is_well=is_well)
        return outcome if is_own and self.lost is None else _unwell(outcome)

    async def recovers(self) -> bool:
        """Whether the target is well, at once or after a while. For whoever has it alone."""
        if self.lost is not None:
            return False
        began, pause, is_restarted = self._clock(), _FIRST_PAUSE_SECONDS, False
        while await self._beats() is None:
            waited = self._clock() - began
            if self._stopping.is_set() or (
                waited >= self._settings.recovery_seconds and not self._is_patient
            ):
                return False
            if self._restart and not is_restarted and waited >= self._settings.restart_seconds:
                is_restarted = True
                await self._start_again(self._restart)
            await self._sleep(pause)
            pause = min(pause * _PAUSE_GROWTH, _PAUSE_SECONDS_MAX)
        return True

    async def is_well(self) -> bool:
        """Whether the target answers as it should at this moment."""
        return await self._beats() is not None

    def abandon(self, ready: Ready) -> None:
        """Give the target up, which did not come back after it had met `ready` alone."""
        passage = Passage(ready, self._clock(), sign="is gone")
        self._give_up(passage, f"the {self._target} is gone")

    async def _beats(self) -> Outcome | None:
        began = self._clock()
        outcome = await self.pulse.beats()
        if outcome is not None:
            self._well_at = began
        return outcome

    async def _is_well_since(self, moment: float) -> bool:
        """Whether the target is well, asked after `moment`; one question answers for all who ask."""
        async with self._asking:
            return self._well_at >= moment or await self._beats() is not None

    def _others(self, passage: Passage) -> list[Passage]:
        """What was under way while `passage` was."""
        return [
            each
            for each in (*self._recent, *self._under_way.values())
            if each is not passage and each.began_at <= passage.ended_at and each.ended_at >= passage.began_at
        ]

    def _others_with_sign(self, passage: Passage) -> bool:
        return any(each.is_joint_sign for each in self._others(passage))

    def _is_alone(self, passage: Passage) -> bool:
        """Whether nothing else can have done the harm."""
        before = passage.began_at - _QUIET_SECONDS
        is_first = not any(
            before <= each.ended_at <= passage.began_at for each in self._recent if each is not passage
        )
        return is_first and not self._others(passage)

    async def _sit_through(self, passage: Passage, *, is_well: bool) -> None:
        """Wait until the target is well again, or given up."""
        if self._over is not None:
            await asyncio.shield(self._over)
            return
        over = self._over = asyncio.get_running_loop().create_future()
        began = self._clock()
        try:
            async with self._calm.holds():
                self.is_attending = True
                await self._let_go()
                if not is_well:
                    await self._attend(passage, began)
        finally:
            self.is_attending = False
            self._over = None
            over.set_result(None)

    async def _attend(self, passage: Passage, began: float) -> None:
        what = f"the {self._target} {passage.sign}"
        self.incidents += 1
        self.seen_at = passage.ended_at
        self.unwell_at = min(each.began_at for each in (passage, *self._suspects(passage)))
        self._hear(StateChanged("held-up", f"{what}; nothing is sent until it is well"))
        if await self.recovers():
            took = self._clock() - began
            self._hear(StateChanged("going-on", f"the {self._target} is well again after {took:.1f} s"))
        elif self._stopping.is_set():
            return
        elif passage.sign == _BROKEN:  # it does answer: what is judged has its own controls
            self._is_heeding_errors = False
            self._hear(StateChanged("going-on", f"{what} for good, and is asked nevertheless"))
        else:
            self._give_up(passage, what)

    def _give_up(self, passage: Passage, what: str) -> None:
        if self.lost is not None:
            return
        suspects = sorted((passage, *self._suspects(passage)), key=_likelihood)
        shown = "; ".join(each.label for each in suspects[:_SHOWN])
        more = f" and {len(suspects) - _SHOWN} more" if len(suspects) > _SHOWN else ""
        seconds = self._settings.recovery_seconds
        why = f"{what}, and did not come back within {seconds:g} s; suspects: {shown}{more}"
        self.lost = Lost(why, passage.sign, tuple(suspects))
        self.on_lost(self.lost)

    def _suspects(self, passage: Passage) -> list[Passage]:
        return [each for each in self._others(passage) if each.sign and each.sign != _BROKEN]

    async def _start_again(self, restart: Restart) -> None:
        await self._let_go()
        trouble = await restart(self._target)
        why = f"the {self._target} was started again{trouble and f', which failed: {trouble}'}"
        self._hear(StateChanged("restarted", why))


def _likelihood(passage: Passage) -> tuple[bool, bool, float]:
    """The likeliest first: edited, and said whole; of those that found no answer in time the first, behind
    which others queue, and of dropped ones the last, as they are dropped once harm is done."""
    is_hang = passage.sign == _SIGNS[Silence.TIMED_OUT]
    began = passage.began_at if is_hang else -passage.began_at
    return not passage.ready.what, passage.ready.wire is not None, began


def _sign(ready: Ready, outcome: Outcome) -> str:
    if isinstance(outcome, Reply):
        is_plain = not ready.what and ready.wire is None and ready.protocol == "http"
        return _BROKEN if is_plain and outcome.response.status >= 500 else ""
    if outcome.is_after_our_end or (ready.wire is not None and ready.wire.ending is Ending.RESET):
        return ""
    return _SIGNS.get(outcome.why, "")


def _unwell(outcome: Outcome) -> NoReply:
    said = outcome.why.replace("_", " ") if isinstance(outcome, NoReply) else f"{outcome.response.status}"
    timing = Timing(total_seconds=outcome.timing.total_seconds)
    return NoReply(Silence.UNWELL, f"{said}, while the target was unwell", timing)
