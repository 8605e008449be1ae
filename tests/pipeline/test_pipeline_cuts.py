"""What network conditions of ours broke is never the candidate's fault; what comes of it may be."""

from collections.abc import Iterator

import pytest

from shadow.model import (
    Expect,
    Fate,
    Kind,
    NoReply,
    Outcome,
    Silence,
    Verdict,
)
from shadow.pipeline.link import CALM
from shadow.replay.fake import FakeTransport
from tests.pipeline.conftest import Bench, by_edit, edits, exchange, reply

CUT = NoReply(Silence.CUT, "reset by the condition reset after 10 bytes up")
REFUSED = NoReply(Silence.REFUSED, "nobody there")


def bench(
    candidate: Outcome, calm: Outcome, *, baseline: Outcome | None = None, their_calm: Outcome | None = None
) -> Bench:
    """Targets that answer so over the bad network, and so over the calm one."""

    def made() -> Bench:
        return Bench(lambda _: candidate, (lambda _: baseline) if baseline else None, times=3)

    found = made()
    found.candidate.transports[CALM] = FakeTransport(lambda _: calm, name=CALM)
    if found.baseline is not None:
        found.baseline.transports[CALM] = FakeTransport(lambda _: their_calm or calm, name=CALM)
    return found


async def test_a_cut_original_is_replayed_and_undecided() -> None:
    run = bench(CUT, reply(200))
    await run.conduct(exchange("GET /a"))
    assert run.fates == [(Fate.REPLAYED, "")]
    assert run.verdicts == {None: Verdict.UNDECIDED}
    assert run.findings == {}
    assert [each for each in run.sent if each[1] == "probe"] == [("candidate", "probe")]


async def test_a_cut_baseline_is_no_witness() -> None:
    run = bench(reply(500), reply(200), baseline=CUT)
    await run.conduct(exchange("GET /a"))
    assert run.verdicts == {None: Verdict.UNDECIDED}


@pytest.mark.parametrize(
    ("after", "fault"),
    [(REFUSED, "crash"), (NoReply(Silence.TIMED_OUT), "unhealthy"), (reply(500), "unhealthy")],
)
async def test_a_candidate_that_is_unwell_after_a_cut_is_a_finding(after: Outcome, fault: str) -> None:
    run = bench(CUT, after, baseline=CUT, their_calm=reply(200))
    await run.conduct(exchange("GET /a"))
    finding = next(iter(run.findings.values()))
    assert (finding.kind, finding.fault, finding.confirmed) == (Kind.NETWORK, fault, "3/3")
    assert "reset after 10 bytes up" in finding.why.replace("by the condition reset ", "")


async def test_both_unwell_after_a_cut_is_the_environments_doing() -> None:
    run = bench(CUT, REFUSED, baseline=CUT)
    await run.conduct(exchange("GET /a"))
    assert run.findings == {}


async def test_a_write_is_never_sent_again_to_see_whether_the_candidate_lives() -> None:
    run = bench(CUT, NoReply(Silence.RESET, "reset by us, as asked"))
    await run.conduct(exchange("POST /a", body=b"x"))
    knocks = run.candidate.transports[CALM].sent
    assert [each.wire.segments if each.wire else None for each in knocks] == [()]
    assert run.findings == {}


async def test_the_rest_of_a_cut_session_is_in_doubt() -> None:
    answers: Iterator[Outcome] = iter([CUT, reply(404), reply(404)])
    run = Bench(lambda _: next(answers))
    run.candidate.transports[CALM] = FakeTransport(lambda _: reply(200), name=CALM)
    await run.conduct(exchange("GET /a"))
    await run.conduct(exchange("GET /a"))
    assert [each.judgement.verdict for each in run.trials_heard] == [Verdict.UNDECIDED] * 2
    assert "cut an earlier request of its session" in run.trials_heard[1].judgement.why


@pytest.mark.parametrize("expect", [Expect.SAME, Expect.REJECT, Expect.SURVIVE])
async def test_a_cut_mutant_is_undecided_and_looked_after(expect: Expect) -> None:
    run = Bench(by_edit(reply(), CUT), mutators=[edits(expect, name="odd")])
    run.candidate.transports[CALM] = FakeTransport(lambda _: reply(200), name=CALM)
    await run.conduct(exchange("GET /a"))
    assert run.verdicts["odd"] is Verdict.UNDECIDED
    assert ("candidate", "probe") in run.sent
