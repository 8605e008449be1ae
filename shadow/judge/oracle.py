"""The oracle: whether a mutant's answer is what its mutator expects."""

import re
from collections.abc import Callable

from msgspec.structs import replace

from shadow.judge.breakage import WIRE_LEVELS, amplified, broke, class_at, leaked, slowed
from shadow.judge.classes import BAD, class_of, classify, is_cut, is_silent, is_unwell, status_text
from shadow.judge.evidence import Evidence, failed, passed, undecided
from shadow.judge.obeyed import obeyed
from shadow.judge.places import template
from shadow.judge.turning import shows_nothing
from shadow.model import (
    AnswerClass,
    Change,
    Difference,
    Doubt,
    Expect,
    Judgement,
    Level,
    NoReply,
    Outcome,
    Reply,
    Severity,
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


_IN_REQUEST = re.compile(r"body:\$(?:\[\])?\.errors\[\]\.locations\b")
"""Where GraphQL says at what line and column of the query an error arose: another spelling moves it."""
_DENIED = frozenset({401, 403})
_ABSENT = frozenset({404, 410})
_SWITCHED = 101


def judge(evidence: Evidence) -> Judgement:
    """The verdict: whether the edit was obeyed as code, then the mutator's own expectation, then leaks, then
    agreement with the baseline."""
    if evidence.is_cut:
        return undecided("a network condition of ours cut one of the answers short", Doubt.CUT)
    if classify(evidence.answer) is AnswerClass.DOWN and not evidence.burst:
        doubt = Doubt.UNWELL if is_unwell(evidence.answer) else Doubt.UNREACHED
        return undecided("the mutant was not sent or found no server", doubt)
    own = obeyed(evidence) or POLICY[evidence.expect](evidence)
    for rule in (_traced, leaked, slowed, amplified, _spilled, _disagrees):
        if own.verdict is Verdict.FAILED:
            break
        own = rule(evidence) or own
    return own


def aftermath(before: Outcome, after: Outcome, baseline_after: Outcome | None = None) -> Judgement:
    """Whether the candidate still answers the control as it did before the mutants were sent."""
    ours, then = classify(before), classify(after)
    theirs = classify(baseline_after) if baseline_after is not None else None
    if is_cut(after) or is_cut(baseline_after):
        return undecided("a network condition of ours cut the answer short", Doubt.CUT)
    if ours in BAD or ours is AnswerClass.DOWN or then is ours or then is theirs:
        return Judgement(Verdict.PASSED)
    why = f"after the mutants the unedited request is {then.value}, before them it was {ours.value}"
    return failed("unhealthy", why, Expect.SURVIVE)


def _survive(evidence: Evidence) -> Judgement:
    return broke(evidence) or passed("any clean answer will do")


def _reject(evidence: Evidence) -> Judgement:
    if found := broke(evidence):
        return found
    answer, control = classify(evidence.answer), classify(evidence.control)
    if answer is not AnswerClass.SUCCESS:
        return passed(f"{answer.value}, as it must not be accepted")
    if control is not AnswerClass.SUCCESS:
        return undecided(
            f"the unedited request is {control.value}, so acceptance says nothing", Doubt.CONTROL
        )
    if evidence.is_read and _shows_nothing(evidence):
        return passed("accepted, yet nothing of what the unedited request gets was shown")
    is_on_both = class_of(evidence.baseline_answer) is AnswerClass.SUCCESS
    if is_on_both and not (evidence.is_stated and evidence.level in STRICT_LEVELS):
        return passed("accepted, as the live release accepts it")
    fault = ACCEPTED_FAULT.get(evidence.level, "validation")
    why = f"accepted with {status_text(evidence.answer)}, though it must be rejected"
    found = failed(fault, why, evidence.expect, is_on_both=is_on_both)
    if fault == "validation" and evidence.baseline_answer is None:
        return replace(found, severity=Severity.LOW)  # being lenient may be meant, and nothing says otherwise
    return found


def _shows_nothing(evidence: Evidence) -> bool:
    """Whether whoever may see nothing was shown nothing, in place of a refusal."""
    answer, control = evidence.answer, evidence.control
    if evidence.level not in (Level.AUTH, Level.PERMISSION):
        return False
    if not isinstance(answer, Reply) or not isinstance(control, Reply):
        return False
    return shows_nothing(control.response, answer.response)


def _traced(evidence: Evidence) -> Judgement | None:
    """Whatever was expected: what is rejected must leave no trace."""
    if not evidence.trace or classify(evidence.answer) is not AnswerClass.REJECTED:
        return None
    places = ", ".join(sorted({template(each.where) for each in evidence.trace})[:3])
    why = f"rejected with {status_text(evidence.answer)}, yet the state changed at {places}"
    return failed("left-trace", why, Expect.REJECT, evidence.trace)


def _spilled(evidence: Evidence) -> Judgement | None:
    """Whatever was expected: nothing follows the end of an answer, such as a body that answers HEAD, for it
    would be taken for the next answer. Of malformed framing that is judged by what both releases make of it.
    """
    if evidence.level in WIRE_LEVELS or not _surplus(evidence.answer) or _surplus(evidence.control):
        return None
    if evidence.baseline_answer is not None and _surplus(evidence.baseline_answer):
        return None
    count = len(_surplus(evidence.answer))
    place = Difference("surplus", Change.ADDED, None, f"{count} bytes after the answer")
    return failed("framing", f"{count} bytes follow the end of the answer", Expect.SURVIVE, (place,))


def _surplus(outcome: Outcome) -> bytes:
    """After a switch of protocols what follows is the other protocol's."""
    if not isinstance(outcome, Reply) or outcome.response.status == _SWITCHED:
        return b""
    return outcome.surplus


def _same(evidence: Evidence) -> Judgement:
    if found := broke(evidence):
        return found
    if evidence.level is Level.PERMISSION:
        return _existence(evidence)
    answer, control = classify(evidence.answer), classify(evidence.control)
    if control in BAD or control is AnswerClass.DOWN or evidence.is_throttled:
        return undecided(
            f"the unedited request is {control.value}, or requests were throttled", Doubt.CONTROL
        )
    if answer is not control:
        if (answer, control) == (class_of(evidence.baseline_answer), class_of(evidence.baseline_control)):
            return passed("another answer than to the unedited request, as from the live release")
        why = (
            f"{answer.value} ({status_text(evidence.answer)}), while the unedited request is {control.value}"
        )
        return failed("metamorphic", why, evidence.expect, evidence.differences)
    if answer is not AnswerClass.SUCCESS:
        return passed(f"both are {answer.value}")
    differences = tuple(each for each in evidence.differences if not _IN_REQUEST.match(template(each.where)))
    if left := _beyond(differences, evidence.baseline_differences):
        places = ", ".join(sorted({template(each.where) for each in left})[:3])
        why = f"the edit does not change the meaning, yet the answer differs at {places}"
        return failed("metamorphic", why, evidence.expect, left)
    return passed("the same answer as to the unedited request")


def _existence(evidence: Evidence) -> Judgement:
    """SAME of permissions: what is there and denied, the control, must not look another way than what is
    not there."""
    there, not_there = _status(evidence.control), _status(evidence.answer)
    if there not in _DENIED or not_there not in _ABSENT:
        return passed("what is denied does not tell whether it is there")
    if _status(evidence.baseline_control) in _DENIED and _status(evidence.baseline_answer) in _ABSENT:
        return passed("tells what is there, as the live release does")
    why = f"{there} for what is there and {not_there} for what is not, to one who may see neither"
    return failed("F204", why, evidence.expect)


def _status(outcome: Outcome | None) -> int:
    return outcome.response.status if isinstance(outcome, Reply) else 0


def _once(evidence: Evidence) -> Judgement:
    classes = [classify(outcome) for outcome in evidence.burst]
    if AnswerClass.BROKEN in classes:
        broken = evidence.burst[classes.index(AnswerClass.BROKEN)]
        return failed("F100", f"{status_text(broken)} when sent at the same moment", evidence.expect)
    successes = _effects(evidence.burst, same_answer_is_one=evidence.same_answer_is_one)
    if evidence.baseline_burst is not None:
        others = _effects(evidence.baseline_burst, same_answer_is_one=evidence.same_answer_is_one)
        if others == successes:
            return passed(f"{successes} succeeded, as at the live release")
        if others != 1:
            return undecided(f"{others} copies succeed at the live release, so one is not the rule")
    if successes > 1:
        why = f"{successes} of {len(classes)} copies sent at the same moment succeeded, where one may"
        return failed("race", why, evidence.expect)
    if successes == 0 and evidence.baseline_burst is not None and AnswerClass.DOWN not in classes:
        return failed("race", "no copy succeeded; at the live release one does", evidence.expect)
    return passed("one copy succeeded") if successes else undecided("no copy succeeded")


def _agree(evidence: Evidence) -> Judgement:
    return broke(evidence) or passed("judged against the baseline alone")


POLICY: dict[Expect, Callable[[Evidence], Judgement]] = {
    Expect.SAME: _same,
    Expect.REJECT: _reject,
    Expect.SURVIVE: _survive,
    Expect.ONCE: _once,
    Expect.AGREE: _agree,
}


def _disagrees(evidence: Evidence) -> Judgement | None:
    """AGREE: candidate and baseline fall in different classes, while they agree on the unedited request."""
    if evidence.baseline_answer is None or evidence.baseline_control is None or evidence.burst:
        return None
    ours, theirs = (class_at(evidence.level, each) for each in (evidence.answer, evidence.baseline_answer))
    if classify(evidence.control) is not classify(evidence.baseline_control) or evidence.is_throttled:
        return None
    if theirs in BAD or AnswerClass.DOWN in (ours, theirs):
        return None
    if ours is not theirs:
        if (
            evidence.level in WIRE_LEVELS
            and (evidence.further_answers is None or _is_our_end(evidence))
            and (is_silent(evidence.answer) != is_silent(evidence.baseline_answer))
        ):
            return undecided("one answered, one closed: the moment of arrival may decide that")
        why = (
            f"the candidate's answer is {ours.value} ({status_text(evidence.answer)}), the live release's"
            f" {theirs.value} ({status_text(evidence.baseline_answer)})"
        )
        return failed("mutation-regression", why, Expect.AGREE)
    if evidence.further_answers is not None and len(set(evidence.further_answers)) > 1:
        mine, other = evidence.further_answers
        why = (
            f"{mine} more answers follow the candidate's, {other} the live release's: they disagree on where"
            " the request ends"
        )
        return failed("framing", why, Expect.AGREE)
    if ours is AnswerClass.SUCCESS and evidence.across:
        places = ", ".join(sorted({template(each.where) for each in evidence.across})[:3])
        why = f"both accept it, but the candidate's answer differs at {places}"
        return failed("mutation-regression", why, Expect.AGREE, evidence.across)
    return None


def _is_our_end(evidence: Evidence) -> bool:
    """Whether one gave up what was asked for once our side was closed, which is a matter of time."""
    both = (evidence.answer, evidence.baseline_answer)
    return any(isinstance(each, NoReply) and each.is_after_our_end for each in both)


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
