"""A candidate whose answer to an original shows what the live release's does not: told as a leak."""

from msgspec.structs import replace

from shadow.judge.leak_shapes import FAULTS, Leak
from shadow.judge.leaks import leak
from shadow.judge.severity import is_at_least, severity_of
from shadow.model import Change, Difference, Judgement, NoReply, Outcome, Reply, Request, Response, Verdict

PLACE = "leak:"
"""Begins the place of a difference that is a leak; the kind follows."""


type Leaked = tuple[Leak, str, bytes] | None
"""Its kind, what it is in words, and the text that shows it."""


def leak_between(
    expected: Response | None, baseline: Outcome | None, candidate: Outcome, asked: Request
) -> Leaked:
    """What inner detail the candidate's answer shows that neither other does; None for nothing."""
    if not isinstance(candidate, Reply) or isinstance(baseline, NoReply):
        return None
    theirs = None if baseline is None else baseline.response
    if (expected is None and theirs is None) or candidate.response.body in _bodies(expected, theirs):
        return None
    shown = leak(candidate.response, expected, theirs, request=asked)
    return None if shown is None else (shown.leak, str(shown.leak), shown.text)


def with_leak(judgement: Judgement, leaked: Leaked, difference: Difference | None) -> Judgement:
    """`judgement` of an original whose answer shows `leaked`, in place of what differs for that
    alone.

    What is answered with another status is told as that.
    """
    if leaked is None or difference is None or any(each.where == "status" for each in judgement.differences):
        return judgement
    rest = tuple(each for each in judgement.differences if not _carries(each, leaked[2]))
    found = (difference, *rest)
    why = f"the candidate's answer shows {leaked[1]}, which live's does not"
    severity = severity_of("regression", found)
    if judgement.verdict is Verdict.FAILED:
        kept = judgement.severity if is_at_least(judgement.severity, severity) else severity
        return replace(judgement, differences=found, severity=kept, why=f"{why}; {judgement.why}")
    return Judgement(Verdict.FAILED, why, None, "regression", severity, found)


def difference_of(leaked: Leaked) -> Difference | None:
    """The leak as a difference, without the text that leaked."""
    return None if leaked is None else Difference(f"{PLACE}{leaked[0]}", Change.ADDED, None, leaked[1])


def fault_of(place: str) -> str:
    """What a leak of an original is told as. That a query failed says nothing of who wrote it."""
    kind = Leak(place.removeprefix(PLACE))
    return "F209" if kind is Leak.SQL else FAULTS[kind]


def _bodies(*answers: Response | None) -> set[bytes]:
    return {each.body for each in answers if each is not None}


def _carries(difference: Difference, text: bytes) -> bool:
    """Whether what differs is that the text is there."""
    shown = str(difference.right)
    said = text.decode("utf-8", "replace")
    name = said.partition('"')[2].partition('"')[0].rstrip("\\")
    is_member = bool(name) and difference.where.endswith(f".{name}")
    return is_member or (len(said) > _MIN_CARRIED and said[:_CARRIED] in shown)


_MIN_CARRIED, _CARRIED = 6, 60
