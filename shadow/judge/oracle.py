"""The oracle: what an outcome amounts to, and whether a mutant's answer is what its mutator expects."""

from collections.abc import Callable

import msgspec

from shadow.judge import leaks
from shadow.judge.places import template
from shadow.judge.severity import severity_of
from shadow.model import (
    AnswerClass,
    Difference,
    Expect,
    Judgement,
    Level,
    NoReply,
    Outcome,
    Reply,
    Silence,
    Verdict,
)

ACCEPTED_FAULT: dict[Level, str] = {
    Level.AUTH: "auth-bypass",
    Level.PERMISSION: "F206",
    Level.SEQUENCE: "illegal-transition",
    Level.FRAMING: "framing",
    Level.BYTES: "framing",
}
"""What it is called when that which must be rejected was accepted; ``"validation"`` for other levels."""

STRICT_LEVELS = frozenset({Level.AUTH, Level.PERMISSION, Level.SEQUENCE, Level.RACE})
"""Here an accepted mutant is a fault even where the live release accepts it too."""

WIRE_LEVELS = frozenset({Level.FRAMING, Level.NETWORK})
"""Mutants that may rightly be met with silence: the server waits for the rest, or closes."""

_SILENCES: dict[Silence, AnswerClass] = {
    Silence.CLOSED: AnswerClass.REJECTED,
    Silence.RESET: AnswerClass.REJECTED,
    Silence.TIMED_OUT: AnswerClass.HUNG,
    Silence.MALFORMED: AnswerClass.BROKEN,
    Silence.REFUSED: AnswerClass.DOWN,
    Silence.UNSENT: AnswerClass.DOWN,
}
_REJECTING_5XX = frozenset({501, 505})
_THROTTLED = frozenset({429})
_BAD = frozenset({AnswerClass.BROKEN, AnswerClass.HUNG})


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
    same_answer_is_one: bool = False
    """For ONCE: copies carry one idempotency key, so equal answers tell of one effect."""


def classify(outcome: Outcome) -> AnswerClass:
    """What `outcome` amounts to. A 200 whose body is a GraphQL or JSON-RPC error is a rejection."""
    if isinstance(outcome, NoReply):
        return _SILENCES[outcome.why]
    status = outcome.response.status
    if status >= 500:
        return AnswerClass.REJECTED if status in _REJECTING_5XX else AnswerClass.BROKEN
    if status >= 400:
        return AnswerClass.REJECTED
    if 300 <= status < 400:
        return AnswerClass.REDIRECT
    return AnswerClass.REJECTED if leaks.is_error_in_200(outcome.response) else AnswerClass.SUCCESS


def judge(evidence: Evidence) -> Judgement:
    """The verdict: the mutator's own expectation first, then leaks, then agreement with the baseline."""
    if classify(evidence.answer) is AnswerClass.DOWN and not evidence.burst:
        return _undecided("the mutant was not sent or found no server")
    own = POLICY[evidence.expect](evidence)
    for rule in (_leaked, _disagrees):
        if own.verdict is Verdict.FAILED:
            break
        own = rule(evidence) or own
    return own


def aftermath(before: Outcome, after: Outcome, baseline_after: Outcome | None = None) -> Judgement:
    """Whether the candidate still answers the control as it did before the mutants were sent."""
    ours, then = classify(before), classify(after)
    theirs = classify(baseline_after) if baseline_after is not None else None
    if ours in _BAD or ours is AnswerClass.DOWN or then is ours or then is theirs:
        return Judgement(Verdict.PASSED)
    why = f"after the mutants the unedited request is {then.value}, before them it was {ours.value}"
    return _failed("unhealthy", why, Expect.SURVIVE)


def _survive(evidence: Evidence) -> Judgement:
    return _broke(evidence) or _passed("any clean answer will do")


def _reject(evidence: Evidence) -> Judgement:
    if broke := _broke(evidence):
        return broke
    answer, control = classify(evidence.answer), classify(evidence.control)
    if answer is not AnswerClass.SUCCESS:
        if answer is AnswerClass.REJECTED and evidence.trace:
            places = ", ".join(sorted({each.where for each in evidence.trace})[:3])
            return _failed(
                "left-trace", f"rejected, yet the state changed at {places}", evidence.expect, evidence.trace
            )
        return _passed(f"{answer.value}, as it must not be accepted")
    if control is not AnswerClass.SUCCESS:
        return _undecided(f"the unedited request is {control.value}, so acceptance says nothing")
    is_on_both = _baseline_class(evidence) is AnswerClass.SUCCESS
    if is_on_both and evidence.level not in STRICT_LEVELS:
        return _passed("accepted, as the live release accepts it")
    fault = ACCEPTED_FAULT.get(evidence.level, "validation")
    why = f"accepted with {_status(evidence.answer)}, though it must be rejected"
    return _failed(fault, why, evidence.expect, is_on_both=is_on_both)


def _same(evidence: Evidence) -> Judgement:
    if broke := _broke(evidence):
        return broke
    answer, control = classify(evidence.answer), classify(evidence.control)
    if control in _BAD or control is AnswerClass.DOWN or _is_throttled(evidence):
        return _undecided(f"the unedited request is {control.value}, or requests were throttled")
    if answer is not control:
        if (answer, control) == (_baseline_class(evidence), _class_of(evidence.baseline_control)):
            return _passed("another answer than to the unedited request, as from the live release")
        why = f"{answer.value} ({_status(evidence.answer)}), while the unedited request is {control.value}"
        return _failed("metamorphic", why, evidence.expect, evidence.differences)
    if answer is not AnswerClass.SUCCESS:
        return _passed(f"both are {answer.value}")
    if left := _beyond(evidence.differences, evidence.baseline_differences):
        places = ", ".join(sorted({template(each.where) for each in left})[:3])
        why = f"the edit does not change the meaning, yet the answer differs at {places}"
        return _failed("metamorphic", why, evidence.expect, left)
    return _passed("the same answer as to the unedited request")


def _once(evidence: Evidence) -> Judgement:
    classes = [classify(outcome) for outcome in evidence.burst]
    if AnswerClass.BROKEN in classes:
        broken = evidence.burst[classes.index(AnswerClass.BROKEN)]
        return _failed("F100", f"{_status(broken)} when sent at the same moment", evidence.expect)
    successes = _effects(evidence.burst, same_answer_is_one=evidence.same_answer_is_one)
    if evidence.baseline_burst is not None:
        others = _effects(evidence.baseline_burst, same_answer_is_one=evidence.same_answer_is_one)
        if others == successes:
            return _passed(f"{successes} succeeded, as at the live release")
        if others != 1:
            return _undecided(f"{others} copies succeed at the live release, so one is not the rule")
    if successes > 1:
        why = f"{successes} of {len(classes)} copies sent at the same moment succeeded, where one may"
        return _failed("race", why, evidence.expect)
    if successes == 0 and evidence.baseline_burst is not None and AnswerClass.DOWN not in classes:
        return _failed("race", "no copy succeeded; at the live release one does", evidence.expect)
    return _passed("one copy succeeded") if successes else _undecided("no copy succeeded")


def _agree(evidence: Evidence) -> Judgement:
    return _broke(evidence) or _passed("judged against the baseline alone")


POLICY: dict[Expect, Callable[[Evidence], Judgement]] = {
    Expect.SAME: _same,
    Expect.REJECT: _reject,
    Expect.SURVIVE: _survive,
    Expect.ONCE: _once,
    Expect.AGREE: _agree,
}


def _broke(evidence: Evidence) -> Judgement | None:
    """A server error, hang or crash, whatever was expected; None where there is none."""
    answer, control, theirs = classify(evidence.answer), classify(evidence.control), _baseline_class(evidence)
    if control in _BAD or control is AnswerClass.DOWN:
        return _undecided(f"the unedited request is {control.value}") if answer in _BAD else None
    fault = _breakage(evidence, answer)
    if fault is None:
        return None
    is_on_both = theirs is answer and _is_silent(evidence.answer) == _is_silent(evidence.baseline_answer)
    if evidence.level in WIRE_LEVELS and (is_on_both or (theirs is None and fault != "F100")):
        return _undecided(f"{_status(evidence.answer)}: at this level the server may wait or close")
    if is_on_both and fault == "crash" and evidence.expect is Expect.REJECT:
        return None
    why = f"{_status(evidence.answer)}, while the unedited request is {control.value}"
    return _failed(fault, why, Expect.SURVIVE, is_on_both=is_on_both)


def _breakage(evidence: Evidence, answer: AnswerClass) -> str | None:
    if answer is AnswerClass.HUNG:
        return "hang"
    if answer is AnswerClass.BROKEN:
        return "crash" if isinstance(evidence.answer, NoReply) else "F100"
    is_crash = _is_silent(evidence.answer) and isinstance(evidence.control, Reply)
    return "crash" if is_crash and evidence.level not in WIRE_LEVELS else None


def _leaked(evidence: Evidence) -> Judgement | None:
    if not isinstance(evidence.answer, Reply):
        return None
    control = evidence.control.response if isinstance(evidence.control, Reply) else None
    if what := leaks.leak(evidence.answer.response, control):
        return _failed("F209", f"the answer shows {what}", Expect.SURVIVE)
    if leaks.is_invalid_json(evidence.answer.response, control):
        return _failed("invalid-json", "the answer is stated to be JSON and is not", Expect.SURVIVE)
    return None


def _disagrees(evidence: Evidence) -> Judgement | None:
    """AGREE: candidate and baseline fall in different classes, while they agree on the unedited request."""
    if evidence.baseline_answer is None or evidence.baseline_control is None or evidence.burst:
        return None
    ours, theirs = classify(evidence.answer), classify(evidence.baseline_answer)
    if classify(evidence.control) is not classify(evidence.baseline_control) or _is_throttled(evidence):
        return None
    if theirs in _BAD or AnswerClass.DOWN in (ours, theirs):
        return None
    if ours is not theirs:
        why = (
            f"the candidate's answer is {ours.value} ({_status(evidence.answer)}), the live release's"
            f" {theirs.value} ({_status(evidence.baseline_answer)})"
        )
        return _failed("mutation-regression", why, Expect.AGREE)
    if ours is AnswerClass.SUCCESS and evidence.across:
        places = ", ".join(sorted({template(each.where) for each in evidence.across})[:3])
        why = f"both accept it, but the candidate's answer differs at {places}"
        return _failed("mutation-regression", why, Expect.AGREE, evidence.across)
    return None


def _effects(outcomes: tuple[Outcome, ...], *, same_answer_is_one: bool) -> int:
    bodies = [
        outcome.response.body
        for outcome in outcomes
        if isinstance(outcome, Reply) and classify(outcome) is AnswerClass.SUCCESS
    ]
    return len(set(bodies)) if same_answer_is_one else len(bodies)


def _beyond(
    differences: tuple[Difference, ...], others: tuple[Difference, ...] | None
) -> tuple[Difference, ...]:
    """`differences` at places where the baseline shows none."""
    places = {template(each.where) for each in others or ()}
    return tuple(each for each in differences if template(each.where) not in places)


def _is_throttled(evidence: Evidence) -> bool:
    outcomes = (evidence.answer, evidence.control, evidence.baseline_answer, evidence.baseline_control)
    return any(isinstance(each, Reply) and each.response.status in _THROTTLED for each in outcomes)


def _is_silent(outcome: Outcome | None) -> bool:
    return isinstance(outcome, NoReply) and outcome.why in (Silence.CLOSED, Silence.RESET)


def _class_of(outcome: Outcome | None) -> AnswerClass | None:
    return None if outcome is None else classify(outcome)


def _baseline_class(evidence: Evidence) -> AnswerClass | None:
    return _class_of(evidence.baseline_answer)


def _status(outcome: Outcome) -> str:
    return (
        outcome.why.value.replace("_", " ") if isinstance(outcome, NoReply) else str(outcome.response.status)
    )


def _passed(why: str) -> Judgement:
    return Judgement(Verdict.PASSED, why)


def _undecided(why: str) -> Judgement:
    return Judgement(Verdict.UNDECIDED, why)


def _failed(
    fault: str,
    why: str,
    expect: Expect,
    differences: tuple[Difference, ...] = (),
    *,
    is_on_both: bool = False,
) -> Judgement:
    if is_on_both:
        why += "; the live release does the same"
    found = severity_of(fault, differences, is_on_both=is_on_both)
    return Judgement(Verdict.FAILED, why, expect, fault, found, differences)
