"""Whether the live release fails as the candidate does once the dice of the same mutator fall otherwise.

An edit of a value that each target has of its own, as a token or a cookie is, is not the same edit for both:
that one of them takes it badly, and the other does not, may be the dice's doing.
"""

import re

from shadow.judge import classify, is_at_least, new_text
from shadow.judge.fingerprint import READ_FOR_ALL
from shadow.model import AnswerClass, Edit, Expect, Judgement, Outcome, Parcel, Reply, Request, Verdict
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.judging import Judging
from shadow.pipeline.ready import Mutate, MutateFor
from shadow.pipeline.resending import Again, Resending
from shadow.pipeline.stacking import mutation

_TIMES = 8
"""Other dice that the live release is tried with: what one draw in three shows is missed once in 25."""
_THROTTLED = 429
_WORD = re.compile(rb"[\w.~+%-]*")
_WORD_BEFORE = re.compile(rb"[\w.~+%-]*\Z")
_MAX_WORD_BYTES = 256


class OtherDice:
    """One for a run."""

    def __init__(self, resending: Resending, judging: Judging) -> None:
        self._resending = resending
        self._judging = judging
        self._milder: dict[tuple[str, ...], Judgement] = {}
        """What was found, by where it holds, mutator and fault."""

    async def weighed(self, case: Case, mutant: Mutant, judgement: Judgement, via: str) -> Judgement | None:
        """`judgement`, of a mutant that failed, or a milder one where the live release does so too with
        other dice; None where it is no failure then."""
        if not self._is_of_own_values(case, mutant, via):
            return judgement
        # what breaks a field that one piece of code reads for all endpoints breaks it everywhere
        place = mutant.mutator.level if mutant.mutator.level in READ_FOR_ALL else case.endpoint
        key = (place, mutant.mutator.name, judgement.fault)
        if key in self._milder and judgement.expect is Expect.SURVIVE:
            return self._milder[key]
        for attempt in range(1, _TIMES + 1):
            again = self._again(case, mutant, via, attempt)
            if not self._may_be_sent(again):
                continue
            control, answer = await self._resending.pair(again)
            if not (_tells(control.baseline) and _tells(answer.baseline)):
                continue
            other = self._judging.mutant(case, mutant, control, answer)
            if (other.verdict, other.fault) != (Verdict.FAILED, judgement.fault):
                return None
            if not is_at_least(other.severity, judgement.severity):
                self._milder[key] = other
                return other
        return judgement

    def _again(self, case: Case, mutant: Mutant, via: str, attempt: int) -> Again:
        salt = f"{case.exchange.index}:{mutant.mutator.name}:dice:{attempt}"
        other = mutation(mutant.mutator, case, mutant.seed, attempt)

        def mutate(target: str) -> Mutate:
            return mutant.mutate(target) if target == "candidate" else other(target)

        return Again(case, mutate, via, salt, Parcel.CONFIRMATION)

    def _may_be_sent(self, again: Again) -> bool:
        """Whether there is such an edit, and it makes no write of a request that reads."""
        made = self._resending.readies(again)
        if made is None or made[0].baseline is None:
            return False
        return again.case.is_write or not made[0].baseline.may_write

    def _is_of_own_values(self, case: Case, mutant: Mutant, via: str) -> bool:
        """Whether the edit has made one thing for the candidate, and another for the baseline."""
        made = self._resending.readies(self._again(case, mutant, via, 0))
        if made is None or made[1].baseline is None:
            return False
        ours = _brought_in(mutant.mutate, "candidate", made[1].candidate.request)
        return ours != _brought_in(mutant.mutate, "baseline", made[1].baseline.request)


def _tells(outcome: Outcome | None) -> bool:
    """Whether it says what the live release makes of a request, and not what a rate limit does."""
    if outcome is None or classify(outcome) is AnswerClass.DOWN:
        return False
    return not isinstance(outcome, Reply) or outcome.response.status != _THROTTLED


def _brought_in(mutate: MutateFor, target: str, plain: Request) -> list[bytes]:
    """The words that the edit changed, before they are signed; nothing where its bytes are settled."""
    edit: Edit | None = mutate(target)(plain)
    if edit is None or edit.wire is not None:
        return []
    made = edit.request
    lines = [line for line in made.headers if line not in plain.headers]
    gone = {
        name.lower(): value for name, value in reversed(plain.headers) if (name, value) not in made.headers
    }
    return [
        _touched(plain.target, made.target),
        _touched(plain.body, made.body),
        *(name + b":" + _touched(gone.get(name.lower(), b""), value) for name, value in lines),
    ]


def _touched(before: bytes, after: bytes) -> bytes:
    """What is new in `after`, as far as the words go that it is part of."""
    start, end = new_text(before, after)
    if before == after:
        return b""
    head = _WORD_BEFORE.search(after[max(0, start - _MAX_WORD_BYTES) : start])
    tail = _WORD.match(after, end, end + _MAX_WORD_BYTES)
    return (head[0] if head else b"") + after[start:end] + (tail[0] if tail else b"")
