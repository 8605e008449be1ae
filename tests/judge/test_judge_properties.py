"""Whatever came back, the judge has a verdict, a cause and a finding for it."""

import json

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from comparators import compare
from shadow.judge.causes import Causes
from shadow.judge.classes import classify
from shadow.judge.evidence import Evidence
from shadow.judge.oracle import judge
from shadow.judge.regression import Witnesses, judge_original
from shadow.judge.report import finding
from shadow.model import (
    AnswerClass,
    Change,
    Difference,
    Expect,
    Judgement,
    Kind,
    Level,
    NoReply,
    Outcome,
    Reply,
    Response,
    Silence,
    Timing,
    Trial,
    Verdict,
)

bodies = st.binary(max_size=30) | st.sampled_from(
    [
        b'{"errors":[1]}',
        b'{"error":{"code":"x"}}',
        b'{"a":NaN}',
        b"Traceback (most recent call last):",
        b"[1,2]",
        b"null",
    ]
)
heads = st.lists(
    st.tuples(
        st.sampled_from([b"Content-Type", b"ETag", b"Vary", b"Content-Encoding"]),
        st.sampled_from([b"application/json", b"gzip", b"text/plain"]) | st.binary(max_size=8),
    ),
    max_size=3,
).map(tuple)
responses = st.builds(
    Response,
    status=st.sampled_from([101, 200, 204, 302, 401, 404, 429, 500, 501]),
    headers=heads,
    body=bodies,
)
outcomes: st.SearchStrategy[Outcome] = st.builds(
    Reply,
    response=responses,
    timing=st.builds(Timing, total_seconds=st.floats(0, 9)),
    surplus=st.binary(max_size=3),
) | st.builds(NoReply, why=st.sampled_from(Silence))
differences = st.lists(
    st.builds(
        Difference,
        where=st.sampled_from(["status", "header:etag", "body", "body:$.a[1].b", "body:$.a", "surplus"]),
        change=st.sampled_from(Change),
        left=st.none() | st.integers() | st.text(max_size=5),
        right=st.none() | st.integers() | st.lists(st.integers(), max_size=2),
    ),
    max_size=4,
).map(tuple)
evidences = st.builds(
    Evidence,
    expect=st.sampled_from(Expect),
    level=st.sampled_from(Level),
    answer=outcomes,
    control=outcomes,
    baseline_answer=st.none() | outcomes,
    baseline_control=st.none() | outcomes,
    differences=differences,
    baseline_differences=st.none() | differences,
    across=differences,
    trace=differences,
    burst=st.lists(outcomes, max_size=3).map(tuple),
    baseline_burst=st.none() | st.lists(outcomes, max_size=3).map(tuple),
    same_answer_is_one=st.booleans(),
)


def reported(judgement: Judgement, kind: Kind, answer: Outcome, baseline: Outcome | None) -> None:
    """A failed judgement becomes findings that can be written as JSON."""
    trial = Trial(0, "GET /x", kind, "flip", judgement, answer=answer, baseline=baseline)
    sightings = Causes().add(trial)
    assert sightings
    for sighting in sightings:
        json.loads(msgspec.json.encode(finding(trial, sighting)))


@given(evidences)
def test_any_evidence_has_a_verdict_with_a_reason(evidence: Evidence) -> None:
    judgement = judge(evidence)
    assert judgement.why
    assert bool(judgement.fault) is (judgement.verdict is Verdict.FAILED)
    if judgement.verdict is Verdict.FAILED:
        reported(judgement, Kind.MUTANT, evidence.answer, evidence.baseline_answer)


@given(evidences)
def test_what_our_own_conditions_cut_is_never_held_against_the_candidate(evidence: Evidence) -> None:
    if evidence.is_cut:
        assert judge(evidence).verdict is Verdict.UNDECIDED


@given(evidences)
def test_a_broken_answer_to_a_sound_control_never_passes_unless_silence_may_be_meant(
    evidence: Evidence,
) -> None:
    assume(not evidence.is_cut)
    is_sound = classify(evidence.control) in (AnswerClass.SUCCESS, AnswerClass.REJECTED)
    is_judged_alone = evidence.expect is not Expect.ONCE and evidence.level not in (
        Level.FRAMING,
        Level.NETWORK,
    )
    if is_sound and is_judged_alone and classify(evidence.answer) in (AnswerClass.BROKEN, AnswerClass.HUNG):
        assert judge(evidence).verdict is Verdict.FAILED


@given(responses, outcomes, st.none() | outcomes)
def test_any_three_witnesses_have_a_verdict(
    live: Response, candidate: Outcome, baseline: Outcome | None
) -> None:
    judgement = judge_original(
        Witnesses(live, candidate, baseline),
        compare=compare,
        forgives=lambda difference, *, window_seconds=None: False,
        same=lambda left, right, _: False,
    )
    if judgement.verdict is Verdict.FAILED:
        reported(judgement, Kind.REGRESSION, candidate, baseline)


@given(responses, outcomes)
def test_a_candidate_that_answers_as_the_baseline_does_is_never_a_regression(
    live: Response, both: Outcome
) -> None:
    judgement = judge_original(
        Witnesses(live, both, both),
        compare=compare,
        forgives=lambda difference, *, window_seconds=None: False,
        same=lambda left, right, _: False,
    )
    assert judgement.verdict is not Verdict.FAILED
