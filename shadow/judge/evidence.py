"""What the oracle is shown of one mutant's trial, and the three verdicts it may give."""

import msgspec

from shadow.judge.classes import is_cut
from shadow.judge.severity import severity_of
from shadow.model import (
    Difference,
    Doubt,
    Expect,
    Judgement,
    Level,
    Outcome,
    Reply,
    Request,
    Response,
    Sign,
    Verdict,
)
from shadow.wire.grpc_status import RESOURCE_EXHAUSTED, call_status

_THROTTLED = frozenset({429})


class Evidence(msgspec.Struct, frozen=True):
    """All that is known of one mutant's trial. Differences come with noise already taken out."""

    expect: Expect
    level: Level
    answer: Outcome
    """The candidate's answer to the mutant."""
    control: Outcome
    """The candidate's answer to the unedited request, sent the same way."""
    baseline_answer: Outcome | None = None
    baseline_control: Outcome | None = None
    differences: tuple[Difference, ...] = ()
    """Candidate: control against mutant."""
    baseline_differences: tuple[Difference, ...] | None = None
    """Baseline: control against mutant; None where not compared."""
    across: tuple[Difference, ...] = ()
    """Mutant: baseline against candidate, less what differs for the control too."""
    trace: tuple[Difference, ...] = ()
    """State before against state after, where a probe was made around a mutant that must be rejected."""
    burst: tuple[Outcome, ...] = ()
    """For ONCE: the candidate's answers to all copies."""
    baseline_burst: tuple[Outcome, ...] | None = None
    is_stated: bool = True
    """Whether a standard or the settings demand it; else what the live release allows is allowed."""
    further_answers: tuple[int, int] | None = None
    """How many answers of (candidate, baseline) followed the mutant's; None where nobody listened on."""
    same_answer_is_one: bool = False
    """For ONCE: copies carry one idempotency key, so equal answers tell of one effect."""
    request: Request | None = None
    """The mutant as the candidate was sent it: what an answer repeats of it is no leak."""
    others: str = ""
    """What of another's the candidate's answer shows, in words; empty for nothing."""
    others_on_both: bool = False
    """Whether the baseline's shows such things too."""
    is_read: bool = False
    """Whether the request only reads, so that an answer without anything in it gave nothing."""
    sign: Sign | None = None
    """What shows, in the answer alone, that the edit was obeyed as code."""

    usual_seconds: float = 0.0
    """What nearly all unedited requests of the endpoint take the candidate at most; 0.0 while too few were
    seen."""

    @property
    def is_throttled(self) -> bool:
        """Whether a rate limit answered in place of the service, so that answers cannot be compared."""
        outcomes = (self.answer, self.control, self.baseline_answer, self.baseline_control)
        return any(isinstance(each, Reply) and _is_throttled(each.response) for each in outcomes)

    @property
    def is_cut(self) -> bool:
        """Whether a network condition of our own cut any of the answers that are judged."""
        outcomes = (self.answer, self.control, self.baseline_answer, self.baseline_control)
        return any(map(is_cut, (*outcomes, *self.burst, *(self.baseline_burst or ()))))


def _is_throttled(response: Response) -> bool:
    return response.status in _THROTTLED or call_status(response) == RESOURCE_EXHAUSTED


def passed(why: str) -> Judgement:
    return Judgement(Verdict.PASSED, why)


def undecided(why: str, doubt: Doubt = Doubt.OTHER) -> Judgement:
    return Judgement(Verdict.UNDECIDED, why, doubt=doubt)


def failed(
    fault: str,
    why: str,
    expect: Expect,
    differences: tuple[Difference, ...] = (),
    *,
    is_on_both: bool = False,
) -> Judgement:
    """`is_on_both` says that the live release does the same, which weighs less."""
    if is_on_both:
        why += "; the live release does the same"
    found = severity_of(fault, differences, is_on_both=is_on_both)
    return Judgement(Verdict.FAILED, why, expect, fault, found, differences)
