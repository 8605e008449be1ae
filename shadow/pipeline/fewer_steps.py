"""A confirmed script brought to the fewest steps that show the same cause."""

import re
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from shadow.judge import classify, fewest, likeness, next_proposal
from shadow.model import AnswerClass, Exchange, Expect, Kind, Minimised, Origin, Response, Script, Trial
from shadow.pipeline.begun import Begun
from shadow.pipeline.endpoint import path_of
from shadow.pipeline.order import is_write
from shadow.pipeline.reshowing import MinimiseSettings, Purse

_MIN_WORD = 4
"""Shorter parts of a path name no thing that was made."""
_ID = re.compile(rb"(?<![\w-])(?=[\w-]*\d)[\w-]{8,64}(?![\w-])")
_MAX_BODY_BYTES = 65_536
_RACE_SHARE = 3
"""A race is not lost every time: once in so many is enough."""
_FREE = frozenset({Expect.SURVIVE, Expect.AGREE})

type Shows = Callable[[Script], Awaitable[Trial | None]]
"""Runs a script; its trial where it failed, and what must hold of the steps it builds on held."""


class FewerSteps:
    """One for a run: each cause is made smaller once."""

    def __init__(
        self, settings: MinimiseSettings, begun: Begun, *, times: int, is_held_up: Callable[[], bool]
    ) -> None:
        """`times` is how often the outcome must show again; `is_held_up` as of `Minimising`."""
        self._settings = settings
        self._times = times
        self._is_held_up = is_held_up
        self._begun = begun

    def wants(self, script: Script, at: int, trial: Trial) -> bool:
        """Whether there are steps that might be left out, and nobody has tried to for its cause."""
        is_new = not self._begun.has(trial) and trial.judgement.fault != "left-trace"
        return bool(self._settings.sends and is_new and spare_steps(script, at, trial))

    async def smallest(
        self,
        script: Script,
        at: int,
        trial: Trial,
        shows: Shows,
        *,
        made_by: Sequence[frozenset[int]],
        sends_per_step: int,
    ) -> tuple[Trial, str] | None:
        """The trial of the shortest script found, and how often it showed; None where all steps are needed.

        Step `at` is the one that failed. What a step names must be made in the script: `made_by` has for each
        step the positions that make it, without which it would meet what is left of an earlier script. Each
        try sends every step `sends_per_step` times to each target.
        """
        if not self.wants(script, at, trial):
            return None
        self._begun.add(trial)
        purse = Purse(self._settings, self._is_held_up)
        spare = spare_steps(script, at, trial)
        search = fewest(spare)
        proposal = next(search, None)
        found: tuple[Script, Trial] | None = None
        kept: tuple[int, ...] = ()
        while proposal is not None:
            gone = set(spare).difference(proposal)
            smaller = without(script, gone)
            cost = len(smaller.steps) * sends_per_step
            is_whole = all(at in gone or not gone & made_by[at] for at in range(len(script.steps)))
            if is_whole and not purse.pays(cost, reserve=self._times * cost):
                break
            shown = await self._alike(smaller, trial, shows) if is_whole else None
            if shown is not None:
                found = smaller, shown
                kept = tuple(place for place in range(len(script.steps)) if place not in gone)
            proposal = next_proposal(search, fails=shown is not None)
        if found is None:
            return None
        count = 0
        for _ in range(self._times):
            if not purse.pays(len(found[0].steps) * sends_per_step):
                return None
            count += await self._alike(found[0], trial, shows) is not None
        if count * (_RACE_SHARE if trial.kind is Kind.RACE else 1) < self._times:
            return None
        made = Minimised(
            {"steps": len(script.steps), "bytes": len(trial.sent)},
            {"steps": len(found[0].steps), "bytes": len(found[1].sent)},
            purse.tries,
            is_told_again=True,
        )
        return _with_kept(found[1], kept, made), f"{count}/{self._times}"

    async def _alike(self, script: Script, first: Trial, shows: Shows) -> Trial | None:
        """The trial of `script`, where it shows the cause of the first."""
        trial = await shows(script)
        return trial if trial is not None and likeness(trial) == likeness(first) else None


def _with_kept(trial: Trial, kept: tuple[int, ...], made: Minimised) -> Trial:
    """The smaller trial, with how it came about."""
    origin = msgspec.structs.replace(trial.origin or Origin(), kept=kept)
    return msgspec.structs.replace(trial, minimised=made, origin=origin)


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
        kept |= set(script.refused)
    is_refused = trial.baseline is not None and classify(trial.baseline) is AnswerClass.REJECTED
    if expect is Expect.REJECT and not is_refused:
        kept |= set(script.needs)
    return [place for place in range(len(script.steps)) if place not in kept]


def makers(script: Script, past: Sequence[Exchange]) -> list[frozenset[int]]:
    """For each step the first that wrote the same path, and for each part of its path, and what looks like an
    id elsewhere in it, the first write whose live answer names that."""
    found = []
    for at, step in enumerate(script.steps):
        path = path_of(step.request.target)
        words = {word for word in path.encode("latin-1").split(b"/") if len(word) >= _MIN_WORD}
        words |= set(_ID.findall(step.request.target + b" " + step.request.body[:_MAX_BODY_BYTES]))
        before = [
            (place, past[each.origin].response)
            for place, each in enumerate(script.steps[:at])
            if is_write(each.request.method)
        ]
        own = [place for place, _ in before if path_of(script.steps[place].request.target) == path]
        named = [
            next((place for place, live in before if live is not None and _names(live, word)), None)
            for word in words
        ]
        found.append(frozenset({*own[:1], *(place for place in named if place is not None)}))
    return found


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
        refused=tuple(places[at] for at in script.refused if at in places),
    )


def _names(response: Response, word: bytes) -> bool:
    """Whether the answer's body has `word` as a whole."""
    return re.search(rb"(?<![0-9A-Za-z])" + re.escape(word) + rb"(?![0-9A-Za-z])", response.body) is not None
