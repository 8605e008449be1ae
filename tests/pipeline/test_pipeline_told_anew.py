"""What is only there for a moment shows in a session that is told anew without anything between."""

import pytest

from shadow.model import Exchange, Outcome, Request
from shadow.pipeline.gate import Gate
from shadow.pipeline.told_anew import ToldAnew
from shadow.replay.fake import Answer
from tests.pipeline.conftest import Answering, Bench, exchange, reply

OLD, NEW = reply(200, b'{"state":"old"}'), reply(200, b'{"state":"new"}')
WRITE = exchange("POST /x/7/renew", 0, answer=reply(202))
READ = exchange("GET /x/7", 1, answer=NEW)


def service(*, late_reads: int) -> Answering:
    """What is written shows after so many reads."""
    left = 0

    def answering(asked: Request) -> Outcome:
        nonlocal left
        if asked.method == b"POST":
            left = late_reads
            return reply(202)
        left -= 1
        return OLD if left >= 0 else NEW

    return answering


def told_anew(bench: Bench) -> ToldAnew:
    return ToldAnew(
        bench.scripts,
        bench.judging,
        bench.confirmation,
        bench.endpoints,
        Gate(),
        seed=0,
        hear=bench.heard.append,
        report=bench.reporting.report,
    )


async def test_an_effect_that_comes_late_at_the_candidate_alone_is_found() -> None:
    bench = Bench(service(late_reads=1), service(late_reads=0))
    await told_anew(bench).conduct((WRITE, READ), "shape")
    (finding,) = bench.findings.values()
    assert (finding.kind, finding.endpoint, finding.where) == ("regression", "GET /x/{id}", ("body:$.state",))
    assert finding.confirmed == "3/3"


@pytest.mark.parametrize(
    ("ours", "theirs"), [(0, 0), (1, 1), (0, 1)], ids=["at none", "at both", "at the baseline alone"]
)
async def test_what_the_live_release_does_too_is_not_told(ours: int, theirs: int) -> None:
    bench = Bench(service(late_reads=ours), service(late_reads=theirs))
    await told_anew(bench).conduct((WRITE, READ), "shape")
    assert not bench.findings


async def test_where_states_have_drifted_only_what_has_just_come_to_differ_is_told() -> None:
    shown = exchange("POST /x/7/renew", 0, answer=NEW)
    for first, is_told in ((NEW, True), (OLD, False)):
        late = service(late_reads=1)

        def answering(asked: Request, late: Answering = late, first: Outcome = first) -> Answer:
            found = late(asked)
            return first if asked.method == b"POST" else found

        bench = Bench(answering, lambda _: NEW)
        bench.judging.is_drifted = True
        await told_anew(bench).conduct((shown, READ), "shape")
        assert bool(bench.findings) is is_told


@pytest.mark.parametrize("past", [(READ,), (WRITE,), (READ, WRITE)], ids=["reads", "writes", "reads first"])
async def test_a_session_that_does_not_read_what_it_wrote_is_not_told(past: tuple[Exchange, ...]) -> None:
    bench = Bench(service(late_reads=1), service(late_reads=0))
    await told_anew(bench).conduct(past, "shape")
    assert not bench.sent


async def test_sessions_of_one_shape_are_told_a_few_times() -> None:
    bench = Bench(service(late_reads=0), service(late_reads=0))
    telling = told_anew(bench)
    for _ in range(10):
        await telling.conduct((WRITE, READ), "shape")
    assert len(bench.candidate.requests) == 3 * 2
