"""What no answer may be, whatever the mutator expected: an error of the server, a hang, a crash, a leak."""

from shadow.judge.classes import BAD, classify, is_silent, status_text
from shadow.judge.evidence import Evidence, failed, undecided
from shadow.judge.grpc import is_library_refusal
from shadow.judge.leak_shapes import FAULTS, Leak
from shadow.judge.leaks import is_invalid_json, leak
from shadow.model import AnswerClass, Doubt, Expect, Judgement, Level, NoReply, Outcome, Reply

WIRE_LEVELS = frozenset({Level.FRAMING, Level.NETWORK})
"""Mutants that may rightly be met with silence: the server waits for the rest, or closes."""
_UNTIMED_LEVELS = WIRE_LEVELS | {Level.RACE, Level.SEQUENCE}
"""Here requests wait for each other, or for us."""
SLOW_SECONDS = 1.0
"""A busy machine makes a short answer late by tenths of a second, not by this."""
_SLOW_FACTOR = 10.0
_MORE_SECONDS, _MORE_FACTOR = 0.04, 4.0
"""The same beside the endpoint's own distribution; a suspicion only, which is measured anew."""
_LONG_BYTES, _LONG_FACTOR = 64 * 1024, 100
"""An answer so long, and so many times as long as usual, is an attacker's lever (CWE-405)."""
_LONGER_BYTES, _LONGER_FACTOR = 1 << 20, 1000
"""The same where no live release says what is meant: a page of a thousand instead of ten may be."""
_LEAST_BYTES = 512
_SAME_LENGTH = 3
"""Times the live release's: a list there is as long, more or less."""


def class_at(level: Level, outcome: Outcome) -> AnswerClass:
    """`classify`, of a mutant's answer: what the library of gRPC said to what it could not read is a
    refusal, whatever it calls it."""
    found = classify(outcome)
    if found is not AnswerClass.BROKEN or not isinstance(outcome, Reply):
        return found
    is_refusal = is_library_refusal(outcome.response, is_broken_framing=level in WIRE_LEVELS)
    return AnswerClass.REJECTED if is_refusal else found


def broke(evidence: Evidence) -> Judgement | None:
    """A server error, hang or crash, whatever was expected; None where there is none."""
    answer, control = class_at(evidence.level, evidence.answer), classify(evidence.control)
    theirs = None if evidence.baseline_answer is None else class_at(evidence.level, evidence.baseline_answer)
    if control in BAD or control is AnswerClass.DOWN:
        why = f"the unedited request is {control.value}"
        return undecided(why, Doubt.CONTROL) if answer in BAD else None
    fault = _breakage(evidence, answer)
    if fault is None:
        return None
    is_on_both = theirs is answer and is_silent(evidence.answer) == is_silent(evidence.baseline_answer)
    if evidence.level in WIRE_LEVELS and (is_on_both or (theirs is None and fault != "F100")):
        return undecided(f"{status_text(evidence.answer)}: at this level the server may wait or close")
    if is_on_both and is_silent(evidence.answer) and evidence.expect is Expect.REJECT:
        return None
    why = f"{status_text(evidence.answer)}, while the unedited request is {control.value}"
    return failed(fault, why, Expect.SURVIVE, is_on_both=is_on_both)


def _breakage(evidence: Evidence, answer: AnswerClass) -> str | None:
    if answer is AnswerClass.HUNG:
        return "hang"
    if answer is AnswerClass.BROKEN:
        return "crash" if isinstance(evidence.answer, NoReply) else "F100"
    is_crash = is_silent(evidence.answer) and isinstance(evidence.control, Reply)
    return "crash" if is_crash and evidence.level not in WIRE_LEVELS else None


def leaked(evidence: Evidence) -> Judgement | None:
    if not isinstance(evidence.answer, Reply):
        return None
    control = evidence.control.response if isinstance(evidence.control, Reply) else None
    theirs = evidence.baseline_answer.response if isinstance(evidence.baseline_answer, Reply) else None
    if shown := leak(evidence.answer.response, control, request=evidence.request):
        other = leak(theirs, control, request=evidence.request) if theirs is not None else None
        is_on_both = other is not None and other.leak is shown.leak
        why = f"the answer shows {shown.leak}"
        return failed(FAULTS[shown.leak], why, Expect.SURVIVE, is_on_both=is_on_both)
    if evidence.others:
        why = f"the answer shows {evidence.others}, to one who is not meant to see it"
        return failed(FAULTS[Leak.OTHERS], why, Expect.SURVIVE, is_on_both=evidence.others_on_both)
    if is_invalid_json(evidence.answer.response, control):
        is_on_both = theirs is not None and is_invalid_json(theirs, control)
        why = "the answer is stated to be JSON and is not"
        return failed("invalid-json", why, Expect.SURVIVE, is_on_both=is_on_both)
    return None


def slowed(evidence: Evidence) -> Judgement | None:
    """The mutant costs many times what unedited requests cost, and what it costs the live release.

    Where it is known how long these take, much less is enough: that it repeats is seen to.
    """
    if evidence.level in _UNTIMED_LEVELS or not isinstance(evidence.answer, Reply):
        return None
    if not _seconds(evidence.control):  # as recorded, and not as the candidate answers it
        return None
    took = _seconds(evidence.answer)
    usual = max(
        _seconds(evidence.control),
        _seconds(evidence.baseline_answer),
        _seconds(evidence.baseline_control),
        evidence.usual_seconds,
    )
    if usual <= 0.0:  # held against a recorded answer alone, as races are: nothing was timed
        return None
    is_known = evidence.usual_seconds > 0
    least, factor = (_MORE_SECONDS, _MORE_FACTOR) if is_known else (SLOW_SECONDS, _SLOW_FACTOR)
    if took - usual * is_known < least or took < factor * usual:
        return None
    return failed("slow", f"answered after {took:.3f} s, while {usual:.3f} s is usual", Expect.SURVIVE)


def amplified(evidence: Evidence) -> Judgement | None:
    """A small edit makes the answer many times longer, and not so at the live release."""
    if evidence.level in WIRE_LEVELS or not isinstance(evidence.answer, Reply):
        return None
    ours, usual = _size(evidence.answer), max(_size(evidence.control), _LEAST_BYTES)
    theirs = evidence.baseline_answer
    least, factor = (_LONG_BYTES, _LONG_FACTOR) if theirs is not None else (_LONGER_BYTES, _LONGER_FACTOR)
    if not isinstance(evidence.control, Reply) or ours < least or ours < factor * usual:
        return None
    if theirs is not None and (not isinstance(theirs, Reply) or ours < _SAME_LENGTH * _size(theirs)):
        return None
    why = f"an answer of {ours} bytes, while the unedited request's has {_size(evidence.control)}"
    return failed("amplified", why, Expect.SURVIVE)


def _size(outcome: Outcome | None) -> int:
    return len(outcome.response.body) if isinstance(outcome, Reply) else 0


def _seconds(outcome: Outcome | None) -> float:
    """What it took by itself; what a network condition of ours added is left out."""
    return 0.0 if outcome is None else outcome.timing.total_seconds - outcome.timing.held_seconds
