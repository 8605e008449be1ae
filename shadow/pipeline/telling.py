"""A mutant's trial as it is told."""

from shadow.model import Kind, Level, Trial, Verdict
from shadow.model.trial import Judgement
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Answers
from shadow.pipeline.ready import Ready
from shadow.wire.http1 import serialise_request


def mutant_trial(
    case: Case, mutant: Mutant, control: Answers, answer: Answers, judgement: Judgement
) -> Trial:
    """What came of `mutant`, held against `control`."""
    ready = mutant.readies.candidate
    return Trial(
        case.exchange.index,
        case.endpoint,
        Kind.NETWORK if mutant.mutator.level is Level.NETWORK else Kind.MUTANT,
        mutant.mutator.name,
        judgement,
        edits=ready.edits,
        expect=mutant.mutator.expect,
        level=mutant.mutator.level,
        sent=wire_bytes(ready) if judgement.verdict is Verdict.FAILED else b"",
        control=control.candidate,
        answer=answer.candidate,
        baseline=answer.baseline,
        seed=mutant.seed,
    )


def wire_bytes(ready: Ready) -> bytes:
    """What is sent, in one piece."""
    return b"".join(ready.wire.segments) if ready.wire else serialise_request(ready.request)
