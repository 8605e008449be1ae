"""A session told anew just as it was recorded, one request right after the other, and judged like originals.

Mutants are sent between a session's originals. What is only there for a moment, such as an effect that comes
after its operation was said to be done, is over by the time the next original asks.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from shadow.judge import classify, template
from shadow.model import (
    AnswerClass,
    Difference,
    Event,
    Exchange,
    Judged,
    Kind,
    Outcome,
    Parcel,
    Reply,
    Script,
    Step,
    Trial,
    Verdict,
)
from shadow.pipeline.case import Case
from shadow.pipeline.confirmation import Confirmation, beyond_drift
from shadow.pipeline.endpoint import Endpoints, path_of
from shadow.pipeline.environment import Answers
from shadow.pipeline.gate import Gate
from shadow.pipeline.judging import Judging
from shadow.pipeline.reporting import Report
from shadow.pipeline.scripts import Scripts
from shadow.wire.http1 import serialise_request

_TIMES_MAX = 3
"""Sessions of one shape that are told anew."""
_WHAT = "the session was told anew, one request right after the other"

type Past = Sequence[Exchange]


class ToldAnew:
    """One for a run."""

    def __init__(
        self,
        scripts: Scripts,
        judging: Judging,
        confirmation: Confirmation,
        endpoints: Endpoints,
        gate: Gate,
        *,
        seed: int,
        hear: Callable[[Event], None],
        report: Report,
    ) -> None:
        self._scripts = scripts
        self._judging = judging
        self._confirmation = confirmation
        self._endpoints = endpoints
        self._gate = gate
        self._seed = seed
        self._hear = hear
        self._report = report
        self._count = Counter[str]()
        """Of sessions that were told anew, by shape."""

    async def conduct(self, past: Past, shape: str) -> None:
        """Tell the session anew, where it reads what it has just written, and report what differs each time
        that was not known."""
        cases = {
            at: case
            for at, each in enumerate(past)
            if (case := self._case(past, at)).follows_write and not case.is_write and each.protocol == "http"
        }
        if not cases or self._count[shape] >= _TIMES_MAX:
            return
        self._count[shape] += 1
        answers = await self._told(past, Parcel.REPEAT)
        suspected = {
            at: found for at, case in cases.items() if (found := self._differences(case, past, answers))
        }
        if not suspected:
            return
        async with self._gate.holds():
            for _ in range(self._confirmation.times):
                answers = await self._told(past, Parcel.CONFIRMATION)
                suspected = {
                    at: left
                    for at, found in suspected.items()
                    if (left := _common(found, self._differences(cases[at], past, answers)))
                }
        for at, found in suspected.items():
            self._tell(past, cases[at], answers[at], found)

    def _case(self, past: Past, at: int) -> Case:
        return Case(past[at], past[at].session, self._endpoints.name(past[at].request), {}, tuple(past[:at]))

    async def _told(self, past: Past, parcel: Parcel) -> list[Answers]:
        steps = tuple(Step(each.request, at) for at, each in enumerate(past))
        script = Script(steps, (len(steps) - 1,), "as recorded")
        return await self._scripts.run(script, past, parcel=parcel)

    def _differences(self, case: Case, past: Past, answers: Sequence[Answers]) -> tuple[Difference, ...]:
        """Where the candidate differs, that nobody knows of yet and no drift of state explains."""
        at = len(case.past)
        judgement = self._judging.original(case, answers[at])
        if judgement.verdict is not Verdict.FAILED:
            return ()
        found = self._confirmation.unknown(case, judgement)
        if not self._judging.is_drifted:
            return found
        sound = beyond_drift(case, found)
        before = self._places_before(past, answers, at)
        return tuple(
            each
            for each in found
            if each in sound or (before is not None and template(each.where) not in before)
        )

    def _places_before(self, past: Past, answers: Sequence[Answers], at: int) -> set[str] | None:
        """Where the candidate differed when the same resource was last shown in the session; None where it
        was not. What had not differed then is no drift: it came of what the session did since."""
        path = path_of(past[at].request.target)
        for earlier in range(at - 1, -1, -1):
            if not f"{path_of(past[earlier].request.target)}/".startswith(f"{path}/"):
                continue
            answer = answers[earlier]
            if _is_shown(answer.candidate) and (answer.baseline is None or _is_shown(answer.baseline)):
                judgement = self._judging.original(self._case(past, earlier), answer)
                return {template(each.where) for each in judgement.differences}
        return None

    def _tell(self, past: Past, case: Case, answers: Answers, found: tuple[Difference, ...]) -> None:
        judgement = msgspec.structs.replace(self._judging.original(case, answers), differences=found)
        trial = Trial(
            case.exchange.index,
            case.endpoint,
            Kind.REGRESSION,
            None,
            judgement,
            edits=(_WHAT,),
            answer=answers.candidate,
            baseline=answers.baseline,
            sent=b"".join(serialise_request(each.request) for each in past[: len(case.past) + 1]),
            seed=self._seed,
            has_live=case.exchange.response is not None,
        )
        self._hear(Judged(trial))
        self._report(trial, self._confirmation.all_times, None)


def _is_shown(outcome: Outcome) -> bool:
    return (
        classify(outcome) is AnswerClass.SUCCESS
        and isinstance(outcome, Reply)
        and bool(outcome.response.body)
    )


def _common(found: tuple[Difference, ...], again: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """What was found before, and shows again."""
    places = {(template(each.where), each.change) for each in again}
    return tuple(each for each in found if (template(each.where), each.change) in places)
