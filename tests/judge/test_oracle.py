"""The oracle's table: what each expectation makes of each outcome."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from shadow.judge.classes import classify
from shadow.judge.evidence import Evidence
from shadow.judge.oracle import POLICY, aftermath, judge
from shadow.model import (
    AnswerClass,
    Change,
    Difference,
    Expect,
    Level,
    NoReply,
    Outcome,
    Reply,
    Response,
    Severity,
    Silence,
    Timing,
    Verdict,
)

JSON = ((b"Content-Type", b"application/json"),)


def reply(status: int, body: bytes = b"{}") -> Reply:
    return Reply(Response(status, headers=JSON, body=body))


SPILT = Reply(Response(200, headers=JSON), surplus=b"{}")
OK, NO, BOOM = reply(200), reply(400), reply(500)
OUR_END = NoReply(Silence.CLOSED, is_after_our_end=True)
HUNG, CLOSED, DOWN, GARBAGE = (
    NoReply(Silence.TIMED_OUT),
    NoReply(Silence.CLOSED),
    NoReply(Silence.REFUSED),
    NoReply(Silence.MALFORMED),
)
GONE = Difference("body:$.a", Change.MISSING, 1, None)


def evidence(
    expect: Expect = Expect.SURVIVE,
    level: Level = Level.BODY,
    answer: Outcome = OK,
    control: Outcome = OK,
    **more: Any,
) -> Evidence:
    return Evidence(expect=expect, level=level, answer=answer, control=control, **more)


def both(answer: Outcome, control: Outcome = OK) -> dict[str, Any]:
    return {"baseline_answer": answer, "baseline_control": control}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (reply(200), AnswerClass.SUCCESS),
        (reply(101), AnswerClass.SUCCESS),
        (reply(302), AnswerClass.REDIRECT),
        (reply(404), AnswerClass.REJECTED),
        (reply(501), AnswerClass.REJECTED),
        (reply(505), AnswerClass.REJECTED),
        (reply(500), AnswerClass.BROKEN),
        (reply(503), AnswerClass.BROKEN),
        (CLOSED, AnswerClass.REJECTED),
        (NoReply(Silence.RESET), AnswerClass.REJECTED),
        (HUNG, AnswerClass.HUNG),
        (GARBAGE, AnswerClass.BROKEN),
        (DOWN, AnswerClass.DOWN),
        (NoReply(Silence.UNSENT), AnswerClass.DOWN),
        (reply(200, b'{"errors":[{"message":"no"}],"data":null}'), AnswerClass.REJECTED),
        (reply(200, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601}}'), AnswerClass.REJECTED),
        (reply(200, b'{"errors":[],"items":[]}'), AnswerClass.SUCCESS),
        (reply(200, b'{"errors":[1],"items":[]}'), AnswerClass.SUCCESS),
    ],
)
def test_an_outcome_falls_in_one_class(outcome: Outcome, expected: AnswerClass) -> None:
    assert classify(outcome) is expected


@pytest.mark.parametrize(
    ("given", "verdict", "fault"),
    [
        pytest.param(evidence(answer=OK), "passed", "", id="survive: ok"),
        pytest.param(evidence(answer=NO), "passed", "", id="survive: rejected"),
        pytest.param(evidence(answer=BOOM), "failed", "F100", id="survive: 5xx"),
        pytest.param(evidence(answer=BOOM, **both(BOOM)), "failed", "F100", id="survive: 5xx on both"),
        pytest.param(evidence(answer=BOOM, control=BOOM), "undecided", "", id="survive: control is broken"),
        pytest.param(evidence(answer=HUNG), "failed", "hang", id="survive: hang"),
        pytest.param(evidence(answer=CLOSED), "failed", "crash", id="survive: closed"),
        pytest.param(evidence(answer=CLOSED, control=CLOSED), "passed", "", id="survive: always closed"),
        pytest.param(evidence(answer=GARBAGE), "failed", "crash", id="survive: no http"),
        pytest.param(evidence(answer=DOWN), "undecided", "", id="survive: down"),
        pytest.param(evidence(level=Level.FRAMING, answer=CLOSED), "passed", "", id="framing may close"),
        pytest.param(evidence(level=Level.FRAMING, answer=HUNG), "undecided", "", id="framing may wait"),
        pytest.param(
            evidence(level=Level.FRAMING, answer=HUNG, **both(NO)),
            "failed",
            "hang",
            id="framing hang is news",
        ),
        pytest.param(
            evidence(level=Level.FRAMING, answer=HUNG, **both(HUNG)),
            "undecided",
            "",
            id="framing hang on both",
        ),
        pytest.param(evidence(level=Level.FRAMING, answer=BOOM), "failed", "F100", id="framing 5xx"),
        pytest.param(
            evidence(answer=reply(400, b'{"e":"Traceback (most recent call last):"}')),
            "failed",
            "F209",
            id="trace",
        ),
        pytest.param(
            evidence(answer=reply(400, b'{"e":"sqlite3.OperationalError: near \\"x\\": syntax error"}')),
            "failed",
            "F200",
            id="sql error",
        ),
        pytest.param(
            evidence(
                answer=reply(200, b'["goroutine 1 [running]"]'),
                control=reply(200, b'["goroutine 7 [running]"]'),
            ),
            "passed",
            "",
            id="trace that the control shows too",
        ),
        pytest.param(evidence(answer=reply(200, b'{"a":NaN}')), "failed", "invalid-json", id="nan echoed"),
        pytest.param(evidence(answer=SPILT), "failed", "framing", id="bytes behind the answer"),
        pytest.param(evidence(answer=SPILT, control=SPILT), "passed", "", id="behind the control too"),
        pytest.param(evidence(answer=SPILT, **both(SPILT)), "passed", "", id="behind the baseline's too"),
        pytest.param(evidence(level=Level.FRAMING, answer=SPILT), "passed", "", id="behind odd framing"),
        pytest.param(evidence(Expect.REJECT, answer=NO), "passed", "", id="reject: rejected"),
        pytest.param(evidence(Expect.REJECT, answer=OK), "failed", "validation", id="reject: accepted"),
        pytest.param(evidence(Expect.REJECT, Level.AUTH, OK), "failed", "auth-bypass", id="reject: bypass"),
        pytest.param(
            evidence(Expect.REJECT, Level.PERMISSION, OK), "failed", "F206", id="reject: permission"
        ),
        pytest.param(
            evidence(Expect.REJECT, Level.SEQUENCE, OK), "failed", "illegal-transition", id="reject: sequence"
        ),
        pytest.param(evidence(Expect.REJECT, Level.FRAMING, OK), "failed", "framing", id="reject: framing"),
        pytest.param(
            evidence(Expect.REJECT, Level.FRAMING, CLOSED), "passed", "", id="reject: framing closed"
        ),
        pytest.param(
            evidence(Expect.REJECT, Level.FRAMING, CLOSED, **both(NO)),
            "passed",
            "",
            id="reject: framing closed or 400",
        ),
        pytest.param(
            evidence(Expect.REJECT, Level.BODY, CLOSED, **both(NO)),
            "failed",
            "crash",
            id="reject: body closed",
        ),
        pytest.param(
            evidence(Expect.REJECT, Level.FRAMING, OK, **both(OK)), "passed", "", id="reject: lenient on both"
        ),
        pytest.param(
            evidence(Expect.REJECT, Level.AUTH, OK, **both(OK)),
            "failed",
            "auth-bypass",
            id="reject: bypass on both",
        ),
        pytest.param(
            evidence(Expect.REJECT, answer=OK, control=NO), "undecided", "", id="reject: control fails"
        ),
        pytest.param(
            evidence(Expect.REJECT, answer=NO, control=NO), "passed", "", id="reject: both rejected"
        ),
        pytest.param(evidence(Expect.REJECT, answer=BOOM), "failed", "F100", id="reject: 5xx"),
        pytest.param(
            evidence(Expect.REJECT, answer=CLOSED, **both(CLOSED)), "passed", "", id="reject: closed on both"
        ),
        pytest.param(
            evidence(Expect.REJECT, answer=GARBAGE, **both(GARBAGE)),
            "failed",
            "crash",
            id="reject: no http on both",
        ),
        pytest.param(
            evidence(Expect.REJECT, answer=NO, trace=(GONE,)), "failed", "left-trace", id="reject: trace"
        ),
        pytest.param(evidence(Expect.SAME), "passed", "", id="same: same"),
        pytest.param(evidence(Expect.SAME, answer=NO), "failed", "metamorphic", id="same: other class"),
        pytest.param(evidence(Expect.SAME, answer=NO, **both(NO)), "passed", "", id="same: quirk of both"),
        pytest.param(evidence(Expect.SAME, answer=reply(429)), "undecided", "", id="same: throttled"),
        pytest.param(evidence(Expect.SAME, differences=(GONE,)), "failed", "metamorphic", id="same: differs"),
        pytest.param(
            evidence(Expect.SAME, differences=(GONE,), baseline_differences=(GONE,)),
            "passed",
            "",
            id="same: quirk",
        ),
        pytest.param(
            evidence(Expect.SAME, answer=NO, control=reply(404), differences=(GONE,)),
            "passed",
            "",
            id="same: both no",
        ),
        pytest.param(
            evidence(Expect.AGREE, answer=OK, **both(NO)), "failed", "mutation-regression", id="laxer"
        ),
        pytest.param(
            evidence(Expect.AGREE, answer=NO, **both(OK)), "failed", "mutation-regression", id="stricter"
        ),
        pytest.param(
            evidence(Expect.AGREE, answer=NO, **both(reply(501))), "passed", "", id="two rejections agree"
        ),
        pytest.param(
            evidence(Expect.AGREE, answer=NO, **both(CLOSED)), "passed", "", id="silence is rejection"
        ),
        pytest.param(evidence(Expect.AGREE, answer=NO, **both(BOOM)), "passed", "", id="candidate is better"),
        pytest.param(evidence(Expect.AGREE, answer=NO, **both(OK, NO)), "passed", "", id="controls disagree"),
        pytest.param(evidence(Expect.AGREE, answer=NO, **both(DOWN)), "passed", "", id="baseline down"),
        pytest.param(evidence(Expect.AGREE, answer=reply(429), **both(OK)), "passed", "", id="throttled"),
        pytest.param(
            evidence(Expect.SURVIVE, across=(GONE,), **both(OK)),
            "failed",
            "mutation-regression",
            id="other answer",
        ),
        pytest.param(evidence(Expect.ONCE, burst=(OK, NO, NO)), "passed", "", id="once: one"),
        pytest.param(evidence(Expect.ONCE, burst=(OK, OK, NO)), "failed", "race", id="once: two"),
        pytest.param(
            evidence(Expect.ONCE, burst=(OK, OK, NO), same_answer_is_one=True),
            "passed",
            "",
            id="once: equal answers",
        ),
        pytest.param(
            evidence(Expect.ONCE, burst=(OK, reply(200, b"[]")), same_answer_is_one=True),
            "failed",
            "race",
            id="once: two effects",
        ),
        pytest.param(
            evidence(Expect.ONCE, burst=(OK, OK), baseline_burst=(OK, OK)),
            "passed",
            "",
            id="once: two on both",
        ),
        pytest.param(
            evidence(Expect.ONCE, burst=(OK, OK), baseline_burst=(OK, NO)),
            "failed",
            "race",
            id="once: baseline has one",
        ),
        pytest.param(evidence(Expect.ONCE, burst=(NO, NO)), "undecided", "", id="once: none"),
        pytest.param(
            evidence(Expect.ONCE, burst=(NO, NO), baseline_burst=(OK, NO)),
            "failed",
            "race",
            id="once: none any more",
        ),
        pytest.param(evidence(Expect.ONCE, burst=(OK, BOOM)), "failed", "F100", id="once: 5xx"),
    ],
)
def test_the_verdict_follows_the_table(given: Evidence, verdict: str, fault: str) -> None:
    judgement = judge(given)
    assert (judgement.verdict, judgement.fault) == (verdict, fault)
    assert judgement.why


def took(seconds: float) -> Reply:
    return replace(OK, timing=Timing(total_seconds=seconds))


@pytest.mark.parametrize(
    ("answer", "control", "baseline", "is_slow"),
    [
        pytest.param(3.0, 0.01, None, True, id="slow"),
        pytest.param(0.9, 0.01, None, False, id="below what load may do"),
        pytest.param(3.0, 0.5, None, False, id="slow anyway"),
        pytest.param(3.0, 0.0, None, False, id="nothing to hold it against"),
        pytest.param(3.0, 0.01, 2.0, False, id="slow at the live release too"),
        pytest.param(3.0, 0.01, 0.02, True, id="slow at the candidate alone"),
    ],
)
def test_an_answer_that_costs_many_times_the_usual_is_told(
    answer: float, control: float, baseline: float | None, is_slow: bool
) -> None:
    more = {} if baseline is None else both(took(baseline), took(control))
    judgement = judge(evidence(answer=took(answer), control=took(control), **more))
    assert (judgement.fault == "slow") is is_slow
    assert judge(evidence(level=Level.NETWORK, answer=took(answer), control=took(control))).fault == ""


@pytest.mark.parametrize(
    ("level", "control"),
    [
        pytest.param(Level.RACE, took(0.01), id="copies wait for each other"),
        pytest.param(Level.SEQUENCE, took(0.01), id="steps wait for each other"),
        pytest.param(Level.AUTH, OK, id="a control that nobody timed"),
    ],
)
def test_what_had_to_wait_is_not_slow(level: Level, control: Reply) -> None:
    assert judge(evidence(level=level, answer=took(3.0), control=control)).fault != "slow"


@pytest.mark.parametrize(
    ("seconds", "usual", "is_slow"),
    [
        pytest.param(0.12, 0.01, True, id="many times the usual"),
        pytest.param(0.12, 0.05, False, id="more than usual, not many times"),
        pytest.param(0.03, 0.001, False, id="many times, and too little to matter"),
        pytest.param(0.12, 0.0, False, id="nobody knows what is usual"),
    ],
)
def test_much_less_is_slow_where_it_is_known_what_is_usual(
    seconds: float, usual: float, *, is_slow: bool
) -> None:
    given = replace(evidence(answer=took(seconds), control=took(0.001)), usual_seconds=usual)
    assert (judge(given).fault == "slow") is is_slow


@pytest.mark.parametrize(
    ("ours", "theirs", "is_told"),
    [
        pytest.param(200_000, 10, True, id="the candidate alone"),
        pytest.param(200_000, 150_000, False, id="the live release as well"),
        pytest.param(20_000, 10, False, id="nobody's lever"),
        pytest.param(200_000, None, False, id="may be meant, as far as is known"),
        pytest.param(2_000_000, None, True, id="a thousand times as long"),
    ],
)
def test_a_small_edit_that_makes_the_answer_many_times_longer_is_told(
    ours: int, theirs: int | None, *, is_told: bool
) -> None:
    more = {} if theirs is None else both(reply(200, b"x" * theirs), reply(200, b"x" * 10))
    judgement = judge(evidence(answer=reply(200, b"x" * ours), control=reply(200, b"x" * 10), **more))
    assert (judgement.fault == "amplified") is is_told


def test_every_expectation_has_a_rule() -> None:
    assert set(POLICY) == set(Expect)


def test_what_the_live_release_does_too_is_said_and_weighs_less() -> None:
    news, old = judge(evidence(answer=BOOM, **both(NO))), judge(evidence(answer=BOOM, **both(BOOM)))
    assert (news.severity, old.severity) == (Severity.HIGH, Severity.MEDIUM)
    assert "live release" in old.why
    assert "live release" not in news.why


def test_leniency_that_nothing_speaks_against_weighs_little() -> None:
    assert judge(evidence(Expect.REJECT, answer=OK)).severity is Severity.LOW
    assert judge(evidence(Expect.REJECT, answer=OK, **both(NO))).severity is Severity.MEDIUM
    assert judge(evidence(Expect.REJECT, Level.AUTH, OK)).severity is Severity.HIGH


def test_a_failed_expectation_is_named_even_when_the_mutator_had_another() -> None:
    assert judge(evidence(Expect.REJECT, answer=BOOM)).expect is Expect.SURVIVE
    assert judge(evidence(Expect.SURVIVE, answer=OK, **both(NO))).expect is Expect.AGREE


@pytest.mark.parametrize(
    ("before", "after", "baseline", "verdict"),
    [
        (OK, OK, None, Verdict.PASSED),
        (OK, reply(429), None, Verdict.FAILED),
        (OK, reply(429), reply(429), Verdict.PASSED),
        (OK, reply(429), OK, Verdict.FAILED),
        (OK, HUNG, OK, Verdict.FAILED),
        (BOOM, HUNG, OK, Verdict.PASSED),
    ],
)
def test_a_candidate_must_stay_well(
    before: Outcome, after: Outcome, baseline: Outcome | None, verdict: Verdict
) -> None:
    assert aftermath(before, after, baseline).verdict is verdict


@pytest.mark.parametrize("level", list(Level))
@pytest.mark.parametrize("expect", list(Expect))
def test_equal_answers_everywhere_never_fail_unless_they_must_be_rejected(
    expect: Expect, level: Level
) -> None:
    answer = Reply(Response(404, headers=JSON, body=json.dumps({"error": "no"}).encode()))
    given = evidence(expect, level, answer, answer, burst=(answer,), **both(answer, answer))
    assert judge(given).verdict is not Verdict.FAILED
    assert judge(replace(given, baseline_answer=None, baseline_control=None)).verdict is not Verdict.FAILED


@pytest.mark.parametrize("level", [Level.FRAMING, Level.NETWORK])
@pytest.mark.parametrize(
    ("answer", "theirs"), [(CLOSED, OK), (OK, CLOSED), (BOOM, CLOSED)], ids=["ours", "theirs", "error"]
)
def test_who_closes_before_it_answers_is_chance_below_messages(
    level: Level, answer: Outcome, theirs: Outcome
) -> None:
    control = BOOM if answer is BOOM else OK
    given = evidence(Expect.AGREE, level, answer, control, **both(theirs, control))
    assert judge(given).verdict is Verdict.UNDECIDED


def test_a_refusal_by_status_counts_below_messages_too() -> None:
    judgement = judge(evidence(Expect.AGREE, Level.FRAMING, NO, **both(OK)))
    assert (judgement.verdict, judgement.fault) == (Verdict.FAILED, "mutation-regression")


def test_a_leak_that_the_live_release_has_too_weighs_less() -> None:
    leaking = reply(400, b'{"error": "near \\"x\\": syntax error"}')
    alone = judge(evidence(answer=leaking, **both(NO)))
    shared = judge(evidence(answer=leaking, **both(leaking)))
    assert (alone.fault, alone.severity) == ("F200", Severity.HIGH)
    assert (shared.fault, shared.severity) == ("F200", Severity.MEDIUM)


@pytest.mark.parametrize(
    ("there", "not_there", "baseline", "fault"),
    [
        (403, 404, {}, "F204"),
        (401, 410, {}, "F204"),
        (404, 404, {}, ""),
        (403, 403, {}, ""),
        (200, 404, {}, ""),
        (403, 404, both(reply(404), reply(403)), ""),
        (403, 404, both(reply(404), reply(404)), "F204"),
    ],
    ids=["told", "told otherwise", "both 404", "both 403", "allowed", "told live", "not told live"],
)
def test_what_is_there_must_not_look_another_way_to_who_may_not_see_it(
    there: int, not_there: int, baseline: dict[str, Any], fault: str
) -> None:
    found = judge(evidence(Expect.SAME, Level.PERMISSION, reply(not_there), reply(there), **baseline))
    assert (found.verdict, found.fault) == (Verdict.FAILED if fault else Verdict.PASSED, fault)
    assert not fault or found.severity is Severity.LOW


@pytest.mark.parametrize(
    ("answers", "further", "verdict", "fault"),
    [
        ((OK, OK), (0, 0), Verdict.PASSED, ""),
        ((OK, OK), (1, 0), Verdict.FAILED, "framing"),
        ((OK, OK), (0, 1), Verdict.FAILED, "framing"),
        ((OK, OK), (1, 1), Verdict.PASSED, ""),
        ((NO, NO), (1, 0), Verdict.FAILED, "framing"),
        ((OK, OK), None, Verdict.PASSED, ""),
        ((CLOSED, NO), (0, 0), Verdict.PASSED, ""),
        ((CLOSED, OK), (0, 0), Verdict.FAILED, "mutation-regression"),
        ((OK, CLOSED), (0, 0), Verdict.FAILED, "mutation-regression"),
        ((CLOSED, OK), None, Verdict.UNDECIDED, ""),
        ((OUR_END, OK), (0, 0), Verdict.UNDECIDED, ""),
        ((OK, OUR_END), (0, 0), Verdict.UNDECIDED, ""),
    ],
)
def test_both_releases_must_find_as_many_requests_in_the_same_bytes(
    answers: tuple[Outcome, Outcome], further: tuple[int, int] | None, verdict: Verdict, fault: str
) -> None:
    ours, theirs = answers
    judgement = judge(
        evidence(Expect.AGREE, Level.FRAMING, answer=ours, further_answers=further, **both(theirs))
    )
    assert (judgement.verdict, judgement.fault) == (verdict, fault)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("body:$.errors[0].locations[0].column", Verdict.PASSED),
        ("body:$[1].errors[0].locations[0].line", Verdict.PASSED),
        ("body:$.errors[0].message", Verdict.FAILED),
        ("body:$.data.errors[0].locations[0].line", Verdict.FAILED),
    ],
)
def test_another_spelling_may_move_what_an_error_of_graphql_points_at(where: str, expected: Verdict) -> None:
    moved = (Difference(where, Change.VALUE, 3, 5),)
    assert judge(evidence(Expect.SAME, differences=moved)).verdict is expected
