"""Whether two failed trials show one cause, whichever edits show it."""

from msgspec.structs import replace

from shadow.judge.classes import class_of
from shadow.judge.fingerprint import causes_of
from shadow.model import Level, Trial

type Likeness = tuple[object, ...]
"""Equal for trials of one cause."""


def likeness(trial: Trial) -> Likeness:
    """The causes of a failed trial by its answers alone: what was wrong, where, how bad, and what both
    releases said. The name and the level of the mutator, by which some causes are known, say nothing here."""
    nameless = replace(trial, mutator=None, level=Level.BYTES)
    judgement = trial.judgement
    return (
        frozenset(each.id for each in causes_of(nameless)),
        judgement.expect,
        judgement.severity,
        class_of(trial.answer),
        class_of(trial.baseline),
    )
