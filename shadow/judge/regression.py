"""Judges an original by three witnesses: the live answer, the baseline's and the candidate's."""

import re
from collections.abc import Callable
from typing import Protocol

import msgspec

from shadow.judge.classes import classify, is_cut, status_text
from shadow.judge.evidence import undecided
from shadow.judge.places import is_within, name, template
from shadow.judge.said import words_of
from shadow.judge.severity import REFUSED, severity_of
from shadow.judge.shapes import is_address
from shadow.model import (
    CONVERSATIONS,
    AnswerClass,
    Change,
    Difference,
    Doubt,
    Judgement,
    NoReply,
    Outcome,
    Reply,
    Response,
    Silence,
    Verdict,
)
from shadow.wire.grpc_status import call_status

_SWITCHED = 101

NEAR_SECONDS = 300.0
"""Baseline and candidate are asked at the same moment; clocks and queues differ by less than this."""

_AT_FAULT = frozenset({AnswerClass.DOWN, AnswerClass.BROKEN, AnswerClass.HUNG})
"""What a baseline answers that tells nothing of what would be right."""

_TELLING = ("status", "dns:rcode", "close")
"""Places that say how it went."""

_SEPARATORS = re.compile(r"""(https?://[^/?#\s"'<>]+|[/?&=#:;, "'<>()\[\]])""")
"""What stands between ids in addresses and messages; the address of a service is one such part."""

type Compare = Callable[[Response, Response], tuple[Difference, ...]]
"""Differences of (expected, other); ``comparators.compare``."""

type CompareTalks = Callable[[Reply, Reply], tuple[Difference, ...]]
"""The same of conversations; ``comparators.compare_talks``."""

type Same = Callable[..., bool]
"""Whether a shadow value stands for a live value: an id that was given anew.

It is asked with both values and the name of the member that holds them."""


class Forgives(Protocol):
    """Whether a difference is noise; ``Noise.forgives`` for one endpoint."""

    def __call__(self, difference: Difference, *, window_seconds: float | None = None) -> bool: ...


class Witnesses(msgspec.Struct, frozen=True):
    """What became of one original request."""

    live: Response | Reply | None
    """None where the tap saw no answer; then the baseline alone tells what is right. A conversation is a
    `Reply`."""
    candidate: Outcome
    baseline: Outcome | None = None
    """None without a baseline."""

    @property
    def live_reply(self) -> Reply | None:
        return Reply(self.live) if isinstance(self.live, Response) else self.live


type Insists = Callable[[Difference], bool]
"""Whether a difference counts even where one value may stand for the other."""


def _never(difference: Difference) -> bool:  # noqa: ARG001
    return False


def _not_compared(expected: Reply, other: Reply) -> tuple[Difference, ...]:  # noqa: ARG001
    return ()


type _StandsFor = Callable[[Difference], bool]
type _Between = Callable[[Outcome, Outcome], tuple[Difference, ...]]


def judge_original(
    witnesses: Witnesses,
    *,
    compare: Compare,
    forgives: Forgives,
    same: Same,
    compare_talks: CompareTalks = _not_compared,
    insists: Insists = _never,
) -> Judgement:
    """FAILED with the differences that are the candidate's own; UNDECIDED where it could not be asked."""
    if is_cut(witnesses.candidate) or is_cut(witnesses.baseline):
        return undecided("a network condition of ours cut the answer short", Doubt.CUT)
    if classify(witnesses.candidate) is AnswerClass.DOWN:
        return undecided("the candidate was not reached", Doubt.UNREACHED)
    if witnesses.live is None and (witnesses.baseline is None or classify(witnesses.baseline) in _AT_FAULT):
        return Judgement(Verdict.UNDECIDED, "no live answer was seen, and no good one of a baseline")
    found = regressions(
        witnesses,
        compare=compare,
        forgives=forgives,
        same=same,
        compare_talks=compare_talks,
        insists=insists,
    )
    if not found:
        return Judgement(Verdict.PASSED)
    fault = _fault(witnesses, found)
    return Judgement(
        Verdict.FAILED, _why(witnesses, found), None, fault, severity_of(fault, found), differences=found
    )


def regressions(
    witnesses: Witnesses,
    *,
    compare: Compare,
    forgives: Forgives,
    same: Same,
    compare_talks: CompareTalks = _not_compared,
    insists: Insists = _never,
) -> tuple[Difference, ...]:
    """Differences that only the candidate shows; a changed status first, if there is one.

    With a baseline: the candidate differs from both others in a place where these agree. What the baseline
    shows as well is drift of the environment. Without one: what differs from live and is no noise. Without a
    live answer: what differs from the baseline and is no noise.
    """

    def between(expected: Outcome, other: Outcome) -> tuple[Difference, ...]:
        return _between(expected, other, compare, compare_talks)

    def stands_for(difference: Difference) -> bool:
        return _stands_for(difference, same) and not insists(difference)

    baseline = witnesses.baseline
    if baseline is None or classify(baseline) is AnswerClass.DOWN:
        found = _against_live(witnesses, between, forgives, stands_for)
    else:
        found = _against_baseline(witnesses, baseline, between, forgives, stands_for, insists)
    return tuple(sorted(found, key=lambda each: each.where not in _TELLING))


def _against_live(
    witnesses: Witnesses, between: _Between, forgives: Forgives, stands_for: _StandsFor
) -> list[Difference]:
    live = witnesses.live_reply
    if live is None:
        return []
    differences = between(live, witnesses.candidate)
    return [
        each for each in differences if not (_may_be_the_captures(each) or stands_for(each) or forgives(each))
    ]


def _may_be_the_captures(difference: Difference) -> bool:
    """Whether the capture alone may have lost what the candidate has: the end of an answer."""
    return difference.where == "body:end" and difference.change is Change.ADDED


def _against_baseline(
    witnesses: Witnesses,
    baseline: Outcome,
    between: _Between,
    forgives: Forgives,
    stands_for: _StandsFor,
    insists: Insists,
) -> list[Difference]:
    apart = [
        each
        for each in between(baseline, witnesses.candidate)
        if not forgives(each, window_seconds=NEAR_SECONDS)
    ]
    live = witnesses.live_reply
    if live is None:
        return [each for each in apart if not stands_for(each)]
    if not apart:
        return []
    unequal = [each for each in between(live, baseline) if not stands_for(each)]
    drift = [each for each in unequal if not forgives(each)]
    drift_in_time = [each for each in unequal if not forgives(each, window_seconds=NEAR_SECONDS)]
    from_live = between(live, witnesses.candidate)
    exact = {(each.where, each.change): each for each in from_live}
    places = {template(each.where) for each in from_live}
    found = []
    for each in apart:
        seen = exact.get((each.where, each.change))
        if template(each.where) not in places or (seen is not None and stands_for(seen)):
            continue
        is_shifted_in_time = forgives(each) and not insists(each)
        if not _is_drift(each, drift_in_time if is_shifted_in_time else drift):
            found.append(seen or each)
    return found


def _is_drift(difference: Difference, drift: list[Difference]) -> bool:
    """Whether the baseline departs from live in the same place and way, or in a part that holds the place."""
    place = template(difference.where)
    for each in drift:
        other = template(each.where)
        if place == other and (each.change is difference.change or each.change is not Change.VALUE):
            return True
        if other == "status" or (
            place != other and is_within(place, other) and each.change is not Change.VALUE
        ):
            return True
    return False


def _between(
    expected: Outcome, other: Outcome, compare: Compare, compare_talks: CompareTalks
) -> tuple[Difference, ...]:
    match expected, other:
        case Reply(), Reply() if expected.protocol in CONVERSATIONS:
            return compare_talks(expected, other)
        case Reply(), Reply():
            found = compare(expected.response, other.response) + _surplus(expected, other)
            return (*found, *_refusal(expected, other))
        case NoReply(), NoReply():
            return () if classify(expected) is classify(other) else (_status(expected, other),)
        case _:
            return (_status(expected, other),)


def _surplus(expected: Reply, other: Reply) -> tuple[Difference, ...]:
    """Bytes after the end of the answer, such as a body after HEAD: the next answer's reader stumbles.

    After a switch of protocols they are the other protocol's.
    """
    if other.surplus and not expected.surplus and other.response.status != _SWITCHED:
        return (Difference("surplus", Change.ADDED, None, f"{len(other.surplus)} bytes after the answer"),)
    return ()


def _refusal(expected: Reply, other: Reply) -> tuple[Difference, ...]:
    """A difference of the status where both have one, and the one refuses in its body and the other not."""
    status = expected.response.status
    if other.response.status != status or not 200 <= status < 400:
        return ()
    ours, theirs = (classify(each) is AnswerClass.REJECTED for each in (expected, other))
    if ours == theirs or call_status(expected.response) is not None:
        return ()
    left, right = (f"{status}{REFUSED}" if refused else status for refused in (ours, theirs))
    return (Difference("status", Change.VALUE, left, right),)


def _status(expected: Outcome, other: Outcome) -> Difference:
    return Difference("status", Change.VALUE, _shown(expected), _shown(other))


def _shown(outcome: Outcome) -> int | str:
    if isinstance(outcome, NoReply):
        return outcome.why.value.replace("_", " ")
    if call_status(outcome.response) is not None:
        return status_text(outcome)
    return words_of(outcome) if outcome.protocol in CONVERSATIONS else outcome.response.status


def _stands_for(difference: Difference, same: Same) -> bool:
    """Whether the right value is the left one with ids that the shadow environment gave anew."""
    left, right = difference.left, difference.right
    if difference.change is not Change.VALUE:
        return False
    key = name(difference.where)
    if same(left, right, key):
        return True
    if not (isinstance(left, str) and isinstance(right, str)):
        return False
    ours, theirs = _SEPARATORS.split(left), _SEPARATORS.split(right)
    part = "id" if is_address(key, left) else key
    return 1 < len(ours) == len(theirs) and all(
        mine == other or same(mine, other, part) for mine, other in zip(ours, theirs, strict=True)
    )


def _fault(witnesses: Witnesses, found: tuple[Difference, ...]) -> str:
    match witnesses.candidate:
        case NoReply(why=Silence.TIMED_OUT):
            return "hang"
        case NoReply():
            return "crash"
        case Reply() if found[0].where in _TELLING and classify(witnesses.candidate) is AnswerClass.BROKEN:
            return "F100"
    return "framing" if all(each.where == "surplus" for each in found) else "regression"


def _why(witnesses: Witnesses, found: tuple[Difference, ...]) -> str:
    others = "live" if witnesses.baseline is None else "live and the baseline"
    if witnesses.live is None:
        others = "the baseline"
    places = sorted({template(each.where) for each in found})
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f"the candidate differs from {others} at {', '.join(places[:3])}{more}"
