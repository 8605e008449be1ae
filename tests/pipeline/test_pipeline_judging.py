"""Comparing, judging, and what is learned on the way."""

import pytest
from msgspec import structs

from mutators import Mutator
from shadow.model import Ending, Exchange, Expect, Outcome, Reply, Request, Response, Verdict, Wire
from shadow.pipeline.case import Mutant
from shadow.pipeline.environment import Answers, Pair
from shadow.pipeline.ready import Mutate, Ready
from tests.pipeline.conftest import REFUSED, Bench, always, edits, exchange, reply


def bench() -> Bench:
    return Bench(always(reply()), always(reply()))


@pytest.mark.parametrize(
    ("candidate", "baseline", "live", "is_drifted"),
    [
        (reply(201), reply(201), None, False),
        (reply(201), reply(403), None, True),
        (reply(403), reply(201), None, True),
        (reply(403), reply(404), None, False),
        (reply(500), reply(404), None, False),
        (reply(201), None, None, False),
        (reply(201), None, reply(403), True),
        (reply(403), None, reply(201), True),
        (reply(201), None, reply(200), False),
        (reply(201), reply(201), reply(403), False),
        (REFUSED, reply(201), None, True),
    ],
    ids=[
        "both took it",
        "candidate alone",
        "baseline alone",
        "neither",
        "neither, one broke",
        "nothing to hold it against",
        "candidate, not live",
        "live, not the candidate",
        "live too",
        "the baseline counts before live",
        "not reached",
    ],
)
def test_targets_drift_apart_by_a_write_that_only_one_took(
    candidate: Outcome, baseline: Outcome | None, live: Reply | None, *, is_drifted: bool
) -> None:
    judging = bench().judging
    judging.note_write(Pair(candidate, baseline), live=live)
    assert judging.is_drifted == is_drifted
    judging.note_write(Pair(reply(), reply()))
    assert judging.is_drifted == is_drifted, "what has drifted stays so"


def across(*answers: bytes) -> tuple[Answers, Answers]:
    """Control and answer of ``candidate, baseline, candidate, baseline``."""
    ours, theirs, our_answer, their_answer = (reply(200, body) for body in answers)
    return Pair(ours, theirs), Pair(our_answer, their_answer)


A, B = b'{"a": "one"}', b'{"a": "two"}'


@pytest.mark.parametrize(
    ("bodies", "drifted", "verdict"),
    [
        ((A, A, A, A), False, Verdict.PASSED),
        ((A, A, B, A), False, Verdict.FAILED),
        ((B, A, B, A), False, Verdict.PASSED),
        ((A, A, B, A), True, Verdict.PASSED),
    ],
    ids=["same", "candidate differs by the edit", "it differs without the edit too", "drifted"],
)
def test_mutant_accepted_by_both_must_be_answered_alike(
    bodies: tuple[bytes, bytes, bytes, bytes], *, drifted: bool, verdict: Verdict
) -> None:
    one = bench()
    one.judging.is_drifted = drifted
    control, answer = across(*bodies)
    judgement = one.judging.mutant(
        one.case(exchange("GET /a")), made(edits(Expect.SURVIVE), "/a"), control, answer
    )
    assert judgement.verdict is verdict


THING = "0f0e0d0c-0b0a-4908-8706-050403020100"


@pytest.mark.parametrize(
    ("has_left", "verdict"), [(False, Verdict.FAILED), (True, Verdict.PASSED)], ids=["in step", "out of step"]
)
def test_drift_of_other_state_says_nothing_of_a_write_on_what_its_session_made(
    verdict: Verdict, *, has_left: bool
) -> None:
    one = bench()
    one.judging.is_drifted = True
    past = exchange("POST /x", 0, answer=reply(201, f'{{"id": "{THING}"}}'.encode()))
    case = one.case(exchange(f"PUT /x/{THING}", 1), [past])
    if has_left:
        one.judging.drifting.leave(case.session)
    control, answer = across(A, A, B, A)
    mutant = made(edits(Expect.SURVIVE), "/a")
    assert one.judging.mutant(case, mutant, control, answer).verdict is verdict


def test_mutant_that_leads_elsewhere_is_not_held_against_the_original_place() -> None:
    control, answer = across(A, A, B, A)
    one = bench()
    judgement = one.judging.mutant(
        one.case(exchange("GET /a")), made(edits(Expect.SURVIVE), "/b"), control, answer
    )
    assert judgement.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("ending", "verdict"), [(Ending.LISTEN, Verdict.FAILED), (Ending.READ, Verdict.PASSED)]
)
def test_a_second_answer_counts_where_it_was_listened_for(ending: Ending, verdict: Verdict) -> None:
    one = bench()
    ready = Ready(Request(b"GET", b"/a"), wire=Wire((b"...",), ending=ending))
    mutant = made(edits(Expect.AGREE), "/a")
    mutant = structs.replace(mutant, readies=Pair(ready, ready))
    more = Reply(Response(200, body=A), surplus=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    control = Pair(reply(200, A), reply(200, A))
    judgement = one.judging.mutant(
        one.case(exchange("GET /a")), mutant, control, Pair(Reply(more.response), more)
    )
    assert judgement.verdict is verdict


def made(mutator: Mutator, target: str) -> Mutant:
    """A mutant of ``GET /a`` that asks for `target`."""

    def never(_target: str) -> Mutate:
        raise AssertionError("judging edits nothing")

    edited, plain = (Ready(Request(b"GET", each.encode())) for each in (target, "/a"))
    return Mutant(mutator, 0, never, Pair(edited, edited), plain)


def test_what_live_and_baseline_differ_in_by_itself_is_noise() -> None:
    one = bench()
    case = one.case(exchange("GET /a", answer=reply(200, b'{"n": 1}')))
    for n in range(2, 9):
        one.judging.learn(case, Pair(reply(200, b'{"n": 1}'), reply(200, b'{"n": %d}' % n)))
    assert one.judging.between(case.endpoint, reply(200, b'{"n": 5}'), reply(200, b'{"n": 4}')) == ()
    assert one.judging.between("GET /b", reply(200, b'{"n": 5}'), reply(200, b'{"n": 4}')) != ()


def test_missing_answers_have_no_differences() -> None:
    judging = bench().judging
    assert judging.between("GET /a", None, reply()) == judging.between("GET /a", REFUSED, reply()) == ()


def test_ids_that_stand_for_live_ones_are_no_difference() -> None:
    one = Bench(always(reply()))
    live, ours = (
        b'{"id": "%s"}' % each
        for each in (b"0f0e0d0c-0b0a-4908-8706-050403020100", b"f0e0d0c0-b0a0-4090-8070-605040302010")
    )
    recorded = exchange("POST /a", answer=reply(201, live))
    one.environment.learn(recorded, Pair(reply(201, ours), None), "s")
    judgement = one.judging.original(one.case(recorded), Pair(reply(201, ours), None))
    assert judgement.verdict is Verdict.PASSED


def unanswered(line: str, index: int = 0) -> Exchange:
    """As a mirror shows it."""
    return exchange(line, index, answer=REFUSED)


def test_what_the_baseline_differs_in_from_itself_is_noise_where_no_live_answer_was_seen() -> None:
    one = bench()
    case = one.case(unanswered("GET /a"))
    fixed, first, second = (reply(200, b'{"left": %d, "of": 3}' % n) for n in (1, 2, 3))
    for _ in range(5):
        one.judging.learn(case, Pair(first, fixed))
    assert one.judging.original(case, Pair(first, fixed)).verdict is Verdict.FAILED
    one.judging.learn_repeat(case, Pair(first, first), Pair(second, second))
    assert one.judging.original(case, Pair(first, second)).verdict is Verdict.PASSED


def test_what_the_candidate_does_far_more_often_than_the_baseline_is_no_noise() -> None:
    one = bench()
    case = one.case(unanswered("GET /a"))
    usual, other = (reply(200, b'{"left": %d}' % n) for n in (3, 4))
    for at in range(40):
        one.judging.learn(case, Pair(other, usual))
        one.judging.learn_repeat(case, Pair(usual, usual), Pair(usual, usual if at else other))
    assert one.judging.original(case, Pair(other, usual)).verdict is Verdict.FAILED
