"""Whether what was accepted was done: the state before and after a write, beside the baseline's."""

from collections.abc import Sequence

from shadow.judge import classify
from shadow.judge.evidence import failed
from shadow.model import AnswerClass, Change, Difference, Expect, Judgement, Outcome, Reply
from shadow.pipeline.case import Case
from shadow.pipeline.environment import Answers
from shadow.pipeline.judging import Judging
from shadow.pipeline.looking import Look, changed
from shadow.pipeline.traces import State, Traces

_LOOKED_MAX = 4
"""Accepted writes of an endpoint that are looked at."""
_LATER = 202
"""Accepted, and done at some time (RFC 9110 §15.3.3)."""
_SEEN_MIN = 2
"""Exchanges that must show it where none may be sent again."""


class Effects:
    """One for a run."""

    def __init__(self, traces: Traces, judging: Judging, *, times: int, may_write: bool) -> None:
        self._traces = traces
        self._judging = judging
        self._times = times
        self._may_write = may_write
        self._looked: dict[str, int] = {}
        self._seen: dict[tuple[str, str], int] = {}

    async def before(self, case: Case) -> State | None:
        """How things stand before an original that writes; None where that is not to be looked into."""
        looks = self._traces.looks_at(case)
        if not looks or self._looked.get(case.endpoint, 0) >= _LOOKED_MAX or not self._traces.may_look:
            return None
        return await self._traces.state(case, looks, "effect:before")

    async def after(self, case: Case, before: State, answers: Answers) -> tuple[Judgement, str] | None:
        """What is to be told of an original that every release accepted, and how often it showed."""
        if not _is_accepted(answers) or not self._traces.may_look:
            return None
        self._looked[case.endpoint] = self._looked.get(case.endpoint, 0) + 1
        now = await self._traces.state(case, [look for look, _ in before], "effect:after")
        fault = self._fault(case, before, now)
        if not fault:
            return None
        key = (case.endpoint, fault)
        self._seen[key] = self._seen.get(key, 0) + 1
        if not self._may_write:
            seen = self._seen[key]
            return (_judgement(fault, case), f"{seen}/{seen}") if seen >= _SEEN_MIN else None
        for _ in range(self._times):
            told = await self._traces.retold_around(case)
            if told is None or not _is_accepted(told[1]) or self._fault(case, told[0], told[2]) != fault:
                return None
        return _judgement(fault, case), f"{self._times}/{self._times}"

    def _fault(self, case: Case, before: State, after: State) -> str:
        """What is wrong with what the write did; empty where nothing is."""
        for (look, then), (_, now) in zip(before, after, strict=True):
            if look.exchange is None or not _is_there(then.candidate) or not _is_there(now.candidate):
                continue
            if then.baseline is not None and not _is_there(then.baseline):
                continue
            if case.exchange.request.method == b"DELETE":
                if self._is_left(look, then, now):
                    return "F103"
            elif self._has_no_effect(look, then, now):
                return "no-effect"
        return ""

    def _is_left(self, look: Look, then: Answers, now: Answers) -> bool:
        """Whether what was deleted is still there: where it is gone at the baseline, or as it was."""
        if now.baseline is not None:
            return _is_absent(now.baseline)
        return not changed(look, then.candidate, now.candidate, self._judging)

    def _has_no_effect(self, look: Look, then: Answers, now: Answers) -> bool:
        """Whether the baseline's state changed, and the candidate's not at all."""
        if now.baseline is None or not _is_there(now.baseline):
            return False
        theirs = changed(look, then.baseline, now.baseline, self._judging)
        # a tag or a date of the head may be made of a clock that has not gone on
        is_done = any(each.where.startswith("body") for each in theirs)
        return is_done and not changed(look, then.candidate, now.candidate, self._judging)


def _judgement(fault: str, case: Case) -> Judgement:
    what = "is still there" if fault == "F103" else "is as it was"
    request = case.exchange.request
    path = request.target.decode("latin-1").partition("?")[0]
    why = f"{request.method.decode('latin-1')} {path} is accepted, and what it is about {what}"
    place = Difference("state", Change.VALUE, "changed", "unchanged")
    return failed(fault, why, Expect.AGREE, (place,))


def _is_accepted(answers: Answers) -> bool:
    both: Sequence[Outcome | None] = (answers.candidate, answers.baseline)
    return all(
        each is None
        or (
            isinstance(each, Reply)
            and each.response.status != _LATER
            and classify(each) is AnswerClass.SUCCESS
        )
        for each in both
    )


def _is_there(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Reply) and classify(outcome) is AnswerClass.SUCCESS


def _is_absent(outcome: Outcome) -> bool:
    return isinstance(outcome, Reply) and outcome.response.status in (404, 410)
