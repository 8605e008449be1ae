"""One exchange put to the test, from its original to the last of its mutants."""

import asyncio
from collections.abc import Iterator
from itertools import count

import msgspec
import pytest

from mutators import CATALOG
from shadow.auth import CanonicalScheme, SigningKey, SigningSettings
from shadow.model import (
    Expect,
    Fate,
    Identity,
    Kind,
    Level,
    NoReply,
    Outcome,
    Reply,
    Request,
    Settled,
    Silence,
    Verdict,
    Wire,
    field,
)
from shadow.replay.fake import HANG, Answer
from tests.pipeline.conftest import (
    REFUSED,
    Answering,
    Bench,
    always,
    by_edit,
    edits,
    exchange,
    is_edited,
    reply,
    request,
)

JSON = b'{"a": 1}'
REJECTED, ACCEPTED = edits(Expect.REJECT), edits(Expect.SURVIVE)


def order_of(bench: Bench) -> list[str]:
    return ["mutant" if is_edited(each) else "plain" for each in bench.candidate.requests]


@pytest.mark.parametrize(
    ("outcome", "fate", "why"),
    [
        (reply(), Fate.REPLAYED, ""),
        (reply(500), Fate.REPLAYED, ""),
        (NoReply(Silence.RESET), Fate.REPLAYED, ""),
        (HANG, Fate.REPLAYED, ""),
        (REFUSED, Fate.DROPPED, "candidate refused"),
        (NoReply(Silence.UNSENT, "rule"), Fate.DROPPED, "candidate unsent"),
    ],
    ids=["answered", "broken", "reset", "hung", "refused", "unsent"],
)
@pytest.mark.parametrize("has_baseline", [False, True], ids=["alone", "with baseline"])
async def test_exchange_is_settled_once_by_what_the_candidate_did(
    outcome: Answer, fate: Fate, why: str, *, has_baseline: bool
) -> None:
    baseline = always(reply()) if has_baseline else None
    bench = Bench(always(outcome), baseline, mutators=[ACCEPTED], timeout_seconds=0.005, times=1)
    one = exchange("GET /a")
    _, turn = await bench.conduct(one)
    assert bench.of(Settled) == [Settled("test", fate, 1, why, one)]
    assert turn.is_settled
    assert turn.is_sent


async def test_candidate_that_was_not_reached_gets_no_mutants_and_no_verdict() -> None:
    bench = Bench(always(REFUSED), mutators=[ACCEPTED])
    later, _ = await bench.conduct(exchange("GET /a"))
    assert later.mutants == ()
    assert len(bench.candidate.requests) == 1
    assert bench.trials_heard == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("POST /a", ["mutant", "plain", "mutant"]),
        ("GET /a", ["plain", "mutant", "mutant"]),
    ],
)
async def test_mutants_of_writes_that_must_be_rejected_go_before_the_original_and_others_after(
    line: str, expected: list[str]
) -> None:
    bench = Bench(by_edit(reply(), reply(403)), mutators=[ACCEPTED, REJECTED])
    await bench.conduct(exchange(line))
    assert order_of(bench) == expected
    if line.startswith("POST"):
        assert field(bench.candidate.requests[0].headers, b"x-edit") == b"reject"
    assert set(bench.verdicts.values()) == {Verdict.PASSED}


@pytest.mark.parametrize(
    ("candidate", "baseline", "behind"),
    [
        (reply(201), reply(403), "baseline"),
        (reply(403), reply(201), "candidate"),
        (reply(201), reply(201), ""),
        (reply(403), reply(403), ""),
    ],
    ids=["candidate alone", "baseline alone", "both", "neither"],
)
@pytest.mark.parametrize("is_same_act", [True, False], ids=["same act", "another act"])
async def test_other_target_is_levelled_where_only_one_accepts_what_must_be_rejected(
    candidate: Outcome, baseline: Outcome, behind: str, *, is_same_act: bool
) -> None:
    drifted: list[bool] = []

    def answering(asked: Request) -> Answer:
        if not is_edited(asked):
            drifted.append(bench.judging.is_drifted)
        return candidate if is_edited(asked) else reply(201)

    mutator = REJECTED if is_same_act else edits(Expect.REJECT, level=Level.PERMISSION, body=b"{}")
    bench = Bench(answering, by_edit(reply(201), baseline), mutators=[mutator], times=1)
    await bench.conduct(exchange("POST /a", answer=reply(201)))
    at = bench.sent.index(("candidate", "original"))
    before = [each for each in bench.sent[:at] if each[1] == "repeat"]
    assert before == ([(behind, "repeat")] if behind else [])
    assert bench.sent.index(("candidate", "mutant")) < at
    original = drifted[1 if behind == "candidate" else 0]
    assert original == (bool(behind) and not is_same_act), "the same act was done on both"


@pytest.mark.parametrize(("status", "drifts"), [(201, False), (403, True)], ids=["taken", "refused"])
async def test_targets_drift_apart_where_the_other_one_refuses_the_request_itself(
    status: int, *, drifts: bool
) -> None:
    drifted: list[bool] = []

    def answering(asked: Request) -> Answer:
        if not is_edited(asked):
            drifted.append(bench.judging.is_drifted)
        return reply(201 if is_edited(asked) else status)

    bench = Bench(answering, by_edit(reply(status), reply(403)), mutators=[REJECTED], times=1)
    await bench.conduct(exchange("POST /a", answer=reply(status)))
    assert drifted[0] == drifts, "as the original is sent"


@pytest.mark.parametrize("accepting", ["candidate", "baseline", "both"])
async def test_original_is_left_undecided_once_a_mutant_of_it_was_accepted(accepting: str) -> None:
    def answering(name: str) -> Answering:
        return by_edit(reply(409), reply(201 if accepting in (name, "both") else 403))

    bench = Bench(answering("candidate"), answering("baseline"), mutators=[REJECTED], times=1)
    await bench.conduct(exchange("POST /a", answer=reply(201)))
    original = next(each for each in bench.trials_heard if each.mutator is None)
    assert original.judgement.verdict is Verdict.UNDECIDED
    assert original.judgement.why == "a mutant of it had been accepted before"


async def test_original_that_names_what_the_candidate_was_never_told_is_left_undecided() -> None:
    live, theirs = "0f0e0d0c-0b0a-4908-8706-050403020100", "f0e0d0c0-b0a0-4090-8070-605040302010"

    def made(name: str) -> bytes:
        return b'{"id": "%s"}' % name.encode()

    bench = Bench(always(reply(404)), always(reply(200)), mutators=[ACCEPTED])
    assert bench.environment.baseline is not None
    bench.environment.baseline.learn(
        exchange("POST /a", answer=reply(201, made(live))), reply(201, made(theirs)), "s"
    )
    await bench.conduct(exchange(f"GET /a/{live}", 1))
    assert bench.verdicts == {None: Verdict.UNDECIDED}
    assert "never seen to have" in bench.trials_heard[0].judgement.why
    assert order_of(bench) == ["plain"], "its mutants would name it too"


async def test_mutant_that_fails_every_time_is_a_finding() -> None:
    bench = Bench(by_edit(reply(), reply(500)), mutators=[ACCEPTED], times=3)
    await bench.conduct(exchange("GET /a"))
    assert bench.verdicts == {None: Verdict.PASSED, "add_field": Verdict.FAILED}
    (found,) = bench.findings.values()
    assert (found.fault, found.confirmed, found.mutator) == ("F100", "3/3", "add_field")
    assert order_of(bench).count("mutant") == 4


@pytest.mark.parametrize("good_at", [1, 2, 3])
async def test_mutant_that_does_not_fail_every_time_is_undecided(good_at: int) -> None:
    mutants = count()

    def flaky(asked: Request) -> Outcome:
        return reply(500) if is_edited(asked) and next(mutants) != good_at else reply()

    bench = Bench(flaky, mutators=[ACCEPTED], times=3)
    await bench.conduct(exchange("GET /a"))
    assert bench.verdicts["add_field"] is Verdict.UNDECIDED
    assert bench.trials_heard[-1].judgement.why.startswith("not seen again: 500")
    assert bench.findings == {}
    assert order_of(bench).count("mutant") == good_at + 1, "it is tried no longer than needed"


async def test_mutant_that_fails_otherwise_when_sent_again_is_undecided() -> None:
    answers: Iterator[Outcome] = iter((reply(500), NoReply(Silence.RESET)))

    def changing(asked: Request) -> Outcome:
        return next(answers) if is_edited(asked) else reply()

    bench = Bench(changing, mutators=[ACCEPTED], times=3)
    await bench.conduct(exchange("GET /a"))
    assert bench.verdicts["add_field"] is Verdict.UNDECIDED


async def test_confirmed_finding_is_not_sent_again_for_each_exchange() -> None:
    bench = Bench(by_edit(reply(), reply(500)), mutators=[ACCEPTED], times=3)
    for index in range(3):
        await bench.conduct(exchange("GET /a", index))
    assert order_of(bench).count("mutant") == 3 + 3
    (found,) = bench.findings.values()
    assert (found.count, found.exchanges, found.confirmed) == (3, (0, 1, 2), "3/3")


async def test_write_that_must_have_the_same_answer_gets_a_control_in_the_state_the_original_left() -> None:
    bench = Bench(by_edit(reply(409), reply(409)), mutators=[edits(Expect.SAME)])
    await bench.conduct(exchange("POST /a", answer=reply(409)))
    assert [parcel for _, parcel in bench.sent] == ["original", "repeat", "mutant"]
    assert bench.verdicts["add_field"] is Verdict.PASSED


async def test_read_that_must_have_the_same_answer_is_compared_with_the_original() -> None:
    bench = Bench(
        by_edit(reply(200, b'{"a": 1}'), reply(200, b'{"a": 2}')), mutators=[edits(Expect.SAME)], times=2
    )
    await bench.conduct(exchange("GET /a", answer=reply(200, b'{"a": 1}')))
    assert [parcel for _, parcel in bench.sent] == ["original", "mutant"] + ["confirmation"] * 4
    assert bench.trials_heard[-1].judgement.fault == "metamorphic"


async def test_late_write_that_only_one_target_accepts_makes_them_drift_apart() -> None:
    bench = Bench(by_edit(reply(), reply(201)), by_edit(reply(), reply(422)), mutators=[ACCEPTED], times=1)
    await bench.conduct(exchange("POST /a"))
    assert bench.judging.is_drifted


async def test_read_that_only_one_target_accepts_is_no_drift() -> None:
    bench = Bench(by_edit(reply(), reply(200)), by_edit(reply(), reply(422)), mutators=[ACCEPTED], times=1)
    await bench.conduct(exchange("GET /a"))
    assert not bench.judging.is_drifted
    assert bench.trials_heard[-1].judgement.fault == "mutation-regression"


SLOW = Wire((b"G", b"ET /a HTTP/1.1\r\n\r\n"), pause_seconds=0.3)


@pytest.mark.parametrize(
    ("line", "parcels"),
    [("GET /a", ["original", "repeat", "mutant"]), ("POST /a", ["original", "mutant"])],
    ids=["a read gets a fresh control", "a write does not"],
)
async def test_slow_mutants_are_given_back_and_tried_where_nobody_waits(
    line: str, parcels: list[str]
) -> None:
    slow = edits(Expect.SURVIVE, level=Level.NETWORK, wire=SLOW)
    bench = Bench(always(reply()), mutators=[slow])
    later, _ = await bench.conduct(exchange(line))
    assert [each.mutator for each in later.mutants] == [slow]
    assert [parcel for _, parcel in bench.sent] == ["original"]
    await bench.trials.conduct_slow(later)
    assert [parcel for _, parcel in bench.sent] == parcels
    assert bench.trials_heard[-1].kind is Kind.NETWORK
    sending = bench.candidate.transports["raw"].sent[-1]
    assert sending.wire == SLOW


async def test_slow_mutant_of_a_write_that_must_be_rejected_is_not_put_off() -> None:
    slow = edits(Expect.REJECT, wire=SLOW)
    bench = Bench(by_edit(reply(), reply(400)), mutators=[slow])
    later, _ = await bench.conduct(exchange("POST /a"))
    assert later.mutants == ()
    assert [parcel for _, parcel in bench.sent] == ["mutant", "original"]


@pytest.mark.parametrize(
    ("candidate", "verdict", "titles"),
    [
        (reply(200, JSON), Verdict.PASSED, []),
        (reply(200, b"{}"), Verdict.FAILED, ["body:a: missing"]),
        (reply(404), Verdict.FAILED, ["status"]),
    ],
    ids=["same", "a field gone", "another status"],
)
async def test_original_is_judged_by_the_live_answer(
    candidate: Outcome, verdict: Verdict, titles: list[str]
) -> None:
    bench = Bench(always(candidate), times=2)
    await bench.conduct(exchange("GET /a", answer=reply(200, JSON)))
    assert bench.verdicts == {None: verdict}
    assert len(bench.findings) == len(titles)
    assert all(each.confirmed == "2/2" for each in bench.findings.values())
    (trial,) = bench.trials_heard
    assert bool(trial.sent) == (verdict is Verdict.FAILED)


async def test_exchange_without_a_live_answer_is_replayed_and_undecided() -> None:
    one = exchange("GET /a")
    silent = type(one)(one.index, one.tap, one.session, one.seen_at, one.request)
    bench = Bench(always(reply()))
    await bench.conduct(silent)
    assert bench.fates == [(Fate.REPLAYED, "")]
    assert bench.verdicts == {None: Verdict.UNDECIDED}


async def test_turn_is_told_before_mutants_are_sent_and_knowledge_is_each_target_own() -> None:
    told: list[bool] = []

    def answering(asked: Request) -> Outcome:
        if is_edited(asked):
            told.append(turn.is_sent)
        return reply(200, b'{"of": "us"}')

    bench = Bench(answering, always(reply(200, b'{"of": "them"}')), mutators=[ACCEPTED], times=1)
    one = exchange("GET /a")
    turn = bench._order.enter(one, "s")
    async with asyncio.timeout(5):
        await bench.trials.conduct(bench.case(one), turn)
    assert told
    assert all(told)
    seen = {name: bench.knowledge.snapshot(one.request, name).others for name in ("candidate", "baseline")}
    bodies = {name: [e.response.body for e in others if e.response] for name, others in seen.items()}
    assert bodies == {"candidate": [b'{"of": "us"}'], "baseline": [b'{"of": "them"}']}
    assert seen["candidate"][0].request.headers != one.request.headers, "as it was sent to it"


async def test_mutants_are_signed_and_salted_apart() -> None:
    bench = Bench(
        always(reply()), mutators=[edits(Expect.SURVIVE, name="a"), edits(Expect.SURVIVE, name="b")]
    )
    key = ((b"Idempotency-Key", b"one"),)
    await bench.conduct(exchange("POST /a", headers=key))
    keys = [field(each.headers, b"idempotency-key") for each in bench.candidate.requests]
    assert keys[0] == b"one"
    assert len(set(keys)) == 3


async def test_real_mutant_without_its_credential_is_found_where_only_the_candidate_lets_it_in() -> None:
    def strict(asked: Request) -> Outcome:
        return reply(200, JSON) if field(asked.headers, b"authorization") == b"Bearer t" else reply(401)

    bearer = ((b"Authorization", b"Bearer t"),)
    emptied = next(each for each in CATALOG if each.name == "credential_emptied")
    bench = Bench(
        always(reply(200, JSON)), strict, mutators=[emptied], identities=(Identity("ann", headers=bearer),)
    )
    await bench.conduct(exchange("GET /a", headers=bearer, answer=reply(200, JSON)))
    (found,) = bench.findings.values()
    assert (found.fault, found.severity, found.confirmed) == ("auth-bypass", "high", "3/3")


@pytest.mark.parametrize(
    ("line", "broken_after", "findings"),
    [
        ("GET /a", True, {"F100", "unhealthy"}),
        ("GET /a", False, {"F100"}),
        ("POST /a", True, {"F100"}),
    ],
    ids=["a read after which it is unwell", "a read after which it is well", "writes are not probed"],
)
async def test_service_that_answered_badly_is_asked_whether_it_is_still_well(
    line: str, findings: set[str], *, broken_after: bool
) -> None:
    def answering(asked: Request) -> Answer:
        is_confirmed = bench.sent.count(("candidate", "confirmation")) >= 2
        return reply(500) if is_edited(asked) or (broken_after and is_confirmed) else reply()

    bench = Bench(answering, mutators=[ACCEPTED], times=1)
    await bench.conduct(exchange(line))
    assert {each.fault for each in bench.findings.values()} == findings
    assert (("candidate", "probe") in bench.sent) == line.startswith("GET")


async def test_service_that_answered_well_is_not_probed() -> None:
    bench = Bench(always(reply()), mutators=[ACCEPTED])
    await bench.conduct(exchange("GET /a"))
    assert [parcel for _, parcel in bench.sent] == ["original", "mutant"]


@pytest.mark.parametrize("line", ["GET /a", "POST /a"])
async def test_nothing_is_kept_of_an_exchange_that_is_done(line: str) -> None:
    bench = Bench(by_edit(reply(), reply(500)), mutators=[ACCEPTED], times=1)
    for index in range(3):
        await bench.conduct(exchange(line, index))
    assert bench.trials._aftercare._harmful == {}


OURS, THEIRS = (
    CanonicalScheme(
        SigningSettings(signature="X-Sig", canonical=("path",), keys=(SigningKey("k", secret=secret),))
    )
    for secret in ("aa", "bb")
)
DENIED = reply(401)


@pytest.mark.parametrize(
    ("by", "candidate", "baseline", "verdict", "refused"),
    [
        (THEIRS, DENIED, None, Verdict.UNDECIDED, 1),
        (THEIRS, reply(403), DENIED, Verdict.UNDECIDED, 1),
        (THEIRS, DENIED, reply(), Verdict.FAILED, 0),
        (THEIRS, reply(500), None, Verdict.FAILED, 0),
        (THEIRS, reply(), None, Verdict.PASSED, 0),
        (OURS, DENIED, None, Verdict.FAILED, 1),
    ],
    ids=["nobody takes it", "neither takes it", "the baseline does", "broken", "taken", "made here"],
)
async def test_a_strangers_signature_that_nobody_takes_tells_nothing(
    by: CanonicalScheme, candidate: Reply, baseline: Reply | None, verdict: Verdict, refused: int
) -> None:
    signed = by.sign(request("GET /v1/x"), key="k")
    assert signed is not None
    bench = Bench(always(candidate), always(baseline) if baseline else None, signer=OURS)
    await bench.conduct(msgspec.structs.replace(exchange("GET /v1/x"), request=signed))
    assert bench.verdicts == {None: verdict}
    assert bench.judging.refused_count == refused
