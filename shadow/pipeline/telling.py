"""A mutant's trial as it is told."""

from shadow.model import Kind, Level, Origin, Trial, Verdict
from shadow.model.trial import Judgement
from shadow.pipeline.case import Case, Mutant
from shadow.pipeline.environment import Answers
from shadow.pipeline.ready import Ready
from shadow.wire.http1 import serialise_request

MAX_BEFORE = 500
"""So many exchanges of a session are named as what came before; of a longer one the latest."""


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
        origin=origin_of(case, mutant.plain) if judgement.verdict is Verdict.FAILED else None,
    )


def origin_of(case: Case, plain: Ready) -> Origin:
    """What a failed trial of the case was made of; `plain` is its request without the edit."""
    owner = case.known["candidate"].owner
    return Origin(
        tuple(each.index for each in case.past[-MAX_BEFORE:]),
        owner=owner.name if owner is not None else "",
        plain=serialise_request(plain.request),
    )


def wire_bytes(ready: Ready) -> bytes:
    """What is sent, in one piece."""
    return b"".join(ready.wire.segments) if ready.wire else serialise_request(ready.request)
