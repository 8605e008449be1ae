"""Runs a script: a session's requests, some of them changed, against one target with ids of its own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from shadow.judge import classify
from shadow.model import AnswerClass, Exchange, NoReply, Outcome, Parcel, Script, Silence
from shadow.pipeline.environment import Answers, Environment, Pair, together
from shadow.pipeline.judging import Judging
from shadow.pipeline.link import Link
from shadow.pipeline.order import is_write
from shadow.pipeline.ready import MutateFor, Ready

type Own = Callable[[Link, str, str], Ready]
"""Makes a step ready that stems from no recorded request: for a target, in a session, with a salt."""

_NOT_EDITABLE = NoReply(Silence.UNSENT, "nothing here to edit")


class Scripts:
    """Runs scripts side by side on candidate and baseline.

    Each run has a correlation scope of its own: it makes its resources anew, and what it learns of them
    stays with it. So a script can be run again and again, and beside the session that it stems from.
    """

    def __init__(self, environment: Environment, judging: Judging) -> None:
        self._environment = environment
        self._judging = judging
        self._runs = count(1)

    async def run(
        self,
        script: Script,
        past: Sequence[Exchange],
        *,
        parcel: Parcel,
        mutate: MutateFor | None = None,
        is_serial: bool = False,
        own: Mapping[int, Own] | None = None,
    ) -> list[Answers]:
        """One pair of outcomes for each step.

        `past` is the session that the steps' origins count in. `mutate` edits the judged steps as they leave;
        `is_serial` sends a burst one by one. `own` makes the steps at those positions ready, which teach
        nothing.
        """
        scope = f"script-{next(self._runs)}"
        ways = [await self._environment.ways.of_step(past[step.origin]) for step in script.steps]

        async def on(link: Link) -> list[Outcome]:
            run = _Run(link, script, past, scope, parcel, mutate, ways, own or {})
            try:
                return await run.all_steps(is_serial=is_serial)
            finally:
                link.correlation.forget(scope)

        per_link = await together([on(link) for link in self._environment.links])
        baselines: list[Outcome | None] = (
            list(per_link[1]) if len(per_link) > 1 else [None] * len(script.steps)
        )
        answers = [Pair(ours, theirs) for ours, theirs in zip(per_link[0], baselines, strict=True)]
        for answer in _writes(script, answers):
            self._judging.note_write(answer)
        return answers


def _writes(script: Script, answers: Sequence[Answers]) -> list[Answers]:
    """What came of the requests that write. Of copies at one moment, which of them is taken is chance, and
    how many are is not."""
    found: list[Answers] = []
    copies: dict[tuple[bytes, bytes, bytes], list[Answers]] = {}
    for at, (step, answer) in enumerate(zip(script.steps, answers, strict=True)):
        request = step.request
        if not is_write(request.method):
            continue
        if script.is_burst and at in script.judged:
            copies.setdefault((request.method, request.target, request.body), []).append(answer)
        else:
            found.append(answer)
    for alike in copies.values():
        ours = sorted((each.candidate for each in alike), key=_is_taken)
        theirs = [each.baseline for each in alike if each.baseline is not None]
        if len(theirs) == len(ours):
            found += map(Pair, ours, sorted(theirs, key=_is_taken))
    return found


def _is_taken(outcome: Outcome) -> bool:
    return classify(outcome) is AnswerClass.SUCCESS


class _Run:
    """One run on one target."""

    def __init__(
        self,
        link: Link,
        script: Script,
        past: Sequence[Exchange],
        scope: str,
        parcel: Parcel,
        mutate: MutateFor | None,
        ways: Sequence[str],
        own: Mapping[int, Own],
    ) -> None:
        """`ways` are the transports of the steps: those of one recorded exchange never differ by it."""
        self._link = link
        self._ways = ways
        self._script = script
        self._past = past
        self._scope = scope
        self._parcel = parcel
        self._mutate = mutate
        self._own = own
        self._sent: dict[int, Ready] = {}

    async def all_steps(self, *, is_serial: bool) -> list[Outcome]:
        outcomes: list[Outcome] = []
        while (at := len(outcomes)) < len(self._script.steps):
            burst = [at] if is_serial else self._burst(at)
            if burst == [at] and not is_serial and self._script.steps[at].after_seconds:
                await asyncio.sleep(self._script.steps[at].after_seconds)
            readies = [self._ready(position) for position in burst]
            answers = await self._send_burst(burst, readies, [self._ways[position] for position in burst])
            for position, outcome in zip(burst, answers, strict=True):
                if position in self._own:
                    continue
                origin = self._past[self._script.steps[position].origin]
                self._link.learn(origin, outcome, self._scope, is_shared=False)
            outcomes += answers
        return outcomes

    def _burst(self, at: int) -> list[int]:
        """The steps that leave together with step `at`; judged steps of a burst are neighbours."""
        if not self._script.is_burst or at not in self._script.judged:
            return [at]
        return [
            position for position in range(at, len(self._script.steps)) if position in self._script.judged
        ]

    def _ready(self, position: int) -> Ready | None:
        step = self._script.steps[position]
        if position in self._own:
            return self._own[position](self._link, self._scope, f"{self._scope}:{position}")
        if step.same_as is not None:
            return self._sent.get(step.same_as)
        ready: Ready | None = self._link.prepare(
            self._past[step.origin], self._scope, salt=self._scope, use=position, request=step.request
        )
        if self._mutate is not None and position in self._script.judged and ready is not None:
            ready = self._link.mutate(ready, self._mutate, self._scope, f"{self._scope}:{position}")
        if step.edit is not None and ready is not None:
            edited = step.edit(ready.request)
            ready = None if edited is None else Ready(edited, what=step.what)
        if ready is not None:
            self._sent[position] = ready
        return ready

    async def _send_burst(
        self, burst: Sequence[int], readies: Sequence[Ready | None], ways: Sequence[str]
    ) -> list[Outcome]:
        """All at one moment, or as far apart as they are to be, where one transport can do that; else side
        by side."""
        offsets = [self._script.steps[at].after_seconds if len(burst) > 1 else 0.0 for at in burst]
        given = [ready for ready in readies if ready is not None]
        is_one = len(set(ways)) == 1 and len(given) == len(readies) > 1
        if not is_one or not self._link.synchronises(ways[0]):
            sent = zip(readies, ways, offsets, strict=True)
            return await together([self._send(ready, via, after) for ready, via, after in sent])
        return await self._link.send_together(
            given, via=ways[0], parcel=self._parcel, session=self._scope, offsets=offsets
        )

    async def _send(self, ready: Ready | None, via: str, after_seconds: float) -> Outcome:
        if ready is None:
            return _NOT_EDITABLE
        if after_seconds:
            await asyncio.sleep(after_seconds)
        return await self._link.send(ready, via=via, parcel=self._parcel, session=self._scope)
