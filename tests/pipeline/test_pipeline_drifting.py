"""Where originals are answered otherwise than they should be, mutants tell nothing; a crash is one anyway."""

import pytest

from shadow.model import Doubt, Exchange, Expect, Outcome, Request, Verdict
from tests.pipeline.conftest import Bench, edits, exchange, is_edited, reply

READ = "GET /things/7"
ENDPOINT = "GET /things/{id}"
A, B = reply(200, b'{"a": 1}'), reply(200, b'{"b": 1}')


def bench_of(edited: Outcome, *, adrift: bool = False) -> Bench:
    def candidate(request: Request) -> Outcome:
        return edited if is_edited(request) else A

    bench = Bench(candidate, lambda _: A, mutators=[edits(Expect.SURVIVE)])
    for _ in range(12 if adrift else 0):
        bench.judging.drifting.note(ENDPOINT, reply(404), A, ())
    return bench


def read(session: str = "s") -> Exchange:
    return exchange(READ, 3, answer=A, session=session)


async def test_mutants_of_an_endpoint_that_drifted_are_undecided() -> None:
    bench = bench_of(B, adrift=True)
    await bench.conduct(read())
    trial = next(each for each in bench.trials_heard if each.mutator)
    assert (trial.judgement.verdict, trial.judgement.doubt) == (Verdict.UNDECIDED, Doubt.DRIFT)
    assert "92% of the latest originals" in trial.judgement.why
    assert bench.findings == {}


async def test_mutants_of_a_session_that_went_another_way_are_undecided() -> None:
    bench = bench_of(B)
    bench.judging.drifting.leave("s")
    await bench.conduct(read())
    trial = next(each for each in bench.trials_heard if each.mutator)
    assert (trial.judgement.verdict, trial.judgement.doubt) == (Verdict.UNDECIDED, Doubt.SESSION)
    assert bench.findings == {}


@pytest.mark.parametrize(("edited", "fault"), [(B, "mutation-regression"), (reply(500), "F100")])
async def test_without_drift_they_are_findings(edited: Outcome, fault: str) -> None:
    bench = bench_of(edited)
    await bench.conduct(read())
    assert {each.fault for each in bench.findings.values()} == {fault}


async def test_a_server_error_needs_no_state_to_be_one() -> None:
    bench = bench_of(reply(500), adrift=True)
    await bench.conduct(read())
    assert {each.fault for each in bench.findings.values()} == {"F100"}


async def test_a_write_that_only_the_baseline_took_makes_its_session_another() -> None:
    bench = Bench(lambda _: reply(409, b"{}"), lambda _: A)
    await bench.conduct(exchange("PUT /things/7", 3, answer=A, session="s"))
    assert bench.judging.drifting.has_left("s")
    assert not bench.judging.drifting.has_left("t")
