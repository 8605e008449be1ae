"""A finding of a session is told with the fewest steps that show it."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from shadow.model import (
    Exchange,
    Expect,
    Finding,
    Judgement,
    Kind,
    Outcome,
    Request,
    Script,
    Step,
    Trial,
    Verdict,
)
from shadow.pipeline.fewer_steps import makers, spare_steps, without
from shadow.pipeline.reshowing import MinimiseSettings
from tests.pipeline.conftest import Bench, always, exchange, reply
from tests.pipeline.test_pipeline_session_trials import plan

LINES = ("POST /x", "POST /a", "POST /x/start", "POST /b", "DELETE /x", "GET /c", "GET /x")
PAST = tuple(exchange(line, at, answer=reply(201)) for at, line in enumerate(LINES))
ALL = tuple(range(len(LINES)))

type Stateful = Callable[[Request], Outcome]


def service(answer: Callable[[list[str]], Outcome | None]) -> Stateful:
    """Answers by all that it was asked since the last POST /x; 201 where `answer` says nothing."""
    asked: list[str] = []

    def answering(request: Request) -> Outcome:
        line = f"{request.method.decode()} {request.target.decode()}"
        if line == "POST /x":
            asked.clear()
        asked.append(line)
        return answer(asked) or reply(201)

    return answering


async def found(bench: Bench, past: Sequence[Exchange] = PAST) -> Finding:
    async with asyncio.timeout(5):
        for each in await bench.session_trials.conduct(past):
            await bench.session_trials.minimise(each)
    (one,) = bench.findings.values()
    return one


def crashes_after(*lines: str) -> Stateful:
    """A crash of the last of `lines`, once all the others were asked."""

    def answer(asked: list[str]) -> Outcome | None:
        return reply(500) if asked[-1] == lines[-1] and set(lines) <= set(asked) else None

    return service(answer)


SURVIVES = plan(Expect.SURVIVE, *ALL, judged=(2, 3, 4, 5, 6), needs=(0, 1))


async def test_steps_that_a_crash_does_not_need_are_left_out() -> None:
    bench = Bench(crashes_after("POST /x", "DELETE /x", "GET /x"), of_sessions=[SURVIVES])
    one = await found(bench)
    assert one.minimised is not None
    assert (one.minimised["from"]["steps"], one.minimised["to"]["steps"]) == (7, 3)
    assert one.count == 1
    assert [each.target for each in bench.candidate.requests[-3:]] == [b"/x", b"/x", b"/x"]


async def test_a_step_whose_reason_to_be_refused_is_another_keeps_that() -> None:
    """Without the DELETE the GET is rightly answered: that is no finding, and the DELETE stays."""
    used_after_delete = plan(Expect.REJECT, *ALL, needs=tuple(range(6)))
    bench = Bench(always(reply(201)), of_sessions=[used_after_delete])
    one = await found(bench)
    assert one.fault == "illegal-transition"
    assert one.minimised is None


async def test_where_the_live_release_refuses_it_tells_which_steps_are_the_reason() -> None:
    def refuses(asked: list[str]) -> Outcome | None:
        return reply(404) if asked[-1] == "GET /x" and "DELETE /x" in asked else None

    used_after_delete = plan(Expect.REJECT, *ALL, needs=tuple(range(6)))
    bench = Bench(always(reply(201)), service(refuses), of_sessions=[used_after_delete])
    one = await found(bench)
    assert one.minimised is not None
    assert one.minimised["to"]["steps"] == 3
    assert [each.method for each in bench.candidate.requests[-3:]] == [b"POST", b"DELETE", b"GET"]


async def test_a_step_that_must_succeed_must_do_so_in_every_smaller_form() -> None:
    """Without POST /a the start fails, which says that nothing can be told."""

    def answer(asked: list[str]) -> Outcome | None:
        if asked[-1] == "POST /x/start" and "POST /a" not in asked:
            return reply(409)
        return reply(500) if asked[-1] == "GET /x" and "POST /x/start" in asked else None

    steps = plan(Expect.SURVIVE, *ALL, needs=tuple(range(6)))
    bench = Bench(service(answer), of_sessions=[steps])
    one = await found(bench)
    assert one.minimised is not None
    assert one.minimised["to"]["steps"] == 4


@pytest.mark.parametrize(("sends", "is_smaller"), [(0, False), (6, False), (400, True)])
async def test_no_more_is_sent_than_one_finding_may_cost(sends: int, *, is_smaller: bool) -> None:
    bench = Bench(
        crashes_after("POST /x", "GET /x"), of_sessions=[SURVIVES], minimise=MinimiseSettings(sends=sends)
    )
    one = await found(bench)
    assert (one.minimised is not None) == is_smaller
    assert bench.sent.count(("candidate", "minimisation")) <= sends


async def test_each_cause_is_made_smaller_once() -> None:
    bench = Bench(crashes_after("POST /x", "GET /x"), of_sessions=[SURVIVES])
    await found(bench)
    before = bench.sent.count(("candidate", "minimisation"))
    await found(bench)
    assert bench.sent.count(("candidate", "minimisation")) == before > 0


async def test_scripts_that_write_are_not_sent_where_that_is_not_allowed() -> None:
    bench = Bench(crashes_after("POST /x", "GET /x"), of_sessions=[SURVIVES], may_write=False)
    assert await bench.session_trials.conduct(PAST) == []
    assert bench.sent == []


def test_what_a_step_names_is_made_by_the_first_write_that_told_it() -> None:
    made = exchange("POST /things", 0, answer=reply(201, b'{"id": "th-12345"}'))
    again = exchange("PUT /things/th-12345", 1, answer=reply(200, b'{"id": "th-12345"}'))
    other = exchange("POST /others", 2, answer=reply(201, b'{"id": "ot-12345"}'))
    read = exchange("GET /things/th-12345", 3)
    past = (made, again, other, read)
    script = Script(tuple(Step(each.request, at) for at, each in enumerate(past)), (3,), "x")
    assert makers(script, past) == [frozenset(), frozenset({0}), frozenset(), frozenset({0, 1})]


def test_steps_keep_their_places_and_references_when_others_go() -> None:
    steps = tuple(Step(PAST[at].request, at, same_as=1 if at == 4 else None) for at in range(5))
    script = Script(steps, judged=(3, 4), what="x", needs=(0, 1, 2))
    smaller = without(script, {0, 2})
    assert [step.origin for step in smaller.steps] == [1, 3, 4]
    assert (smaller.judged, smaller.needs, smaller.steps[2].same_as) == ((1, 2), (0,), 0)


@pytest.mark.parametrize(
    ("expect", "is_burst", "spare"),
    [
        (Expect.SURVIVE, False, [0, 1, 2]),
        (Expect.AGREE, False, [0, 1, 2]),
        (Expect.SURVIVE, True, [0, 1]),
        (Expect.REJECT, False, []),
        (Expect.ONCE, True, [0, 1]),
        (Expect.SAME, False, [0, 1]),
    ],
)
def test_what_may_go_depends_on_what_was_claimed(expect: Expect, spare: list[int], *, is_burst: bool) -> None:
    steps = tuple(Step(PAST[at].request, at) for at in range(4))
    script = Script(steps, judged=(2, 3), what="x", needs=(0, 1), is_burst=is_burst)
    judgement = Judgement(Verdict.FAILED, expect=expect, fault="F100")
    trial = Trial(0, "GET /x", Kind.SEQUENCE, "m", judgement)
    assert spare_steps(script, 3, trial) == spare
