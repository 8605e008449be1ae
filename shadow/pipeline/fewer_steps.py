"""A confirmed script brought to the fewest steps that show the same cause."""

from collections.abc import Awaitable, Callable

import msgspec

from shadow.judge import classify, fewest, likeness
from shadow.model import AnswerClass, Expect, Minimised, Script, Trial
from shadow.pipeline.reshowing import MinimiseSettings, Purse

_FREE = frozenset({Expect.SURVIVE, Expect.AGREE})

type Shows = Callable[[Script], Awaitable[Trial | None]]
"""Runs a script; its trial where it failed, and what must hold of the steps it builds on held."""


class FewerSteps:
    """One for a run: each cause is made smaller once."""

    def __init__(self, settings: MinimiseSettings, *, times: int, is_held_up: Callable[[], bool]) -> None:
        """`times` is how often the outcome must show again; `is_held_up` as of `Minimising`."""
        self._settings = settings
        self._times = times
        self._is_held_up = is_held_up
        self._done: set[tuple[object, ...]] = set()

    def wants(self, script: Script, at: int, trial: Trial) -> bool:
        """Whether there are steps that might be left out, and nobody has tried to for its cause."""
        is_new = likeness(trial) not in self._done and trial.judgement.fault != "left-trace"
        return bool(self._settings.sends and is_new and spare_steps(script, at, trial))

    async def smallest(
        self, script: Script, at: int, trial: Trial, shows: Shows, *, sends_per_step: int
    ) -> tuple[Trial, str] | None:
        """The trial of the shortest script found, and how often it showed; None where all steps are needed.

        Step `at` is the one that failed. Each try sends every step `sends_per_step` times to each target.
        """
        if not self.wants(script, at, trial):
            return None
        self._done.add(likeness(trial))
        purse = Purse(self._settings, self._is_held_up)
        spare = spare_steps(script, at, trial)
        search = fewest(spare)
        proposal = next(search, None)
        found: tuple[Script, Trial] | None = None
        while proposal is not None:
            smaller = without(script, set(spare).difference(proposal))
            cost = len(smaller.steps) * sends_per_step
            if not purse.pays(cost, reserve=self._times * cost):
                break
            shown = await self._alike(smaller, trial, shows)
            if shown is not None:
                found = smaller, shown
            try:
                proposal = search.send(shown is not None)
            except StopIteration:
                proposal = None
        if found is None:
            return None
        for _ in range(self._times):
            if not purse.pays(len(found[0].steps) * sends_per_step):
                return None
            if await self._alike(found[0], trial, shows) is None:
                return None
        made = Minimised(
            {"steps": len(script.steps), "bytes": len(trial.sent)},
            {"steps": len(found[0].steps), "bytes": len(found[1].sent)},
            purse.tries,
            is_told_again=True,
        )
        return msgspec.structs.replace(found[1], minimised=made), f"{self._times}/{self._times}"

    async def _alike(self, script: Script, first: Trial, shows: Shows) -> Trial | None:
        """The trial of `script`, where it shows the cause of the first."""
        trial = await shows(script)
        return trial if trial is not None and likeness(trial) == likeness(first) else None


def spare_steps(script: Script, at: int, trial: Trial) -> list[int]:
    """Positions of steps that may be left out without making another claim of step `at`, which failed.

    Where no claim was made but that it is answered well, or as by the live release, that is all others. A
    step that was needed may be the reason why another must be refused: it is left out only where the live
    release refuses still, which `likeness` sees to.
    """
    kept = {at, *(step.same_as for step in script.steps if step.same_as is not None)}
    expect = trial.judgement.expect
    if expect not in _FREE or script.is_burst:
        judged = {script.steps[each].origin for each in script.judged}
        kept |= {place for place, step in enumerate(script.steps) if step.origin in judged}
    is_refused = trial.baseline is not None and classify(trial.baseline) is AnswerClass.REJECTED
    if expect is Expect.REJECT and not is_refused:
        kept |= set(script.needs)
    return [place for place in range(len(script.steps)) if place not in kept]


def without(script: Script, gone: set[int]) -> Script:
    """`script` without the steps at these positions, none of which another step refers to."""
    places = {at: new for new, at in enumerate(at for at in range(len(script.steps)) if at not in gone)}
    steps = tuple(
        step if step.same_as is None else msgspec.structs.replace(step, same_as=places[step.same_as])
        for at, step in enumerate(script.steps)
        if at in places
    )
    return msgspec.structs.replace(
        script,
        steps=steps,
        judged=tuple(places[at] for at in script.judged if at in places),
        needs=tuple(places[at] for at in script.needs if at in places),
    )
