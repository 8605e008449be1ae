"""Whole sessions put to the test."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from random import Random

import pytest

from mutators import SESSION_CATALOG, SessionMutator, session_mutator
from shadow.model import Exchange, Expect, Kind, Known, Level, Outcome, Request, Script, Step, Verdict
from tests.pipeline.conftest import Answering, Bench, always, exchange, reply

START = exchange("POST /x/start", 1)
PAST = (exchange("POST /x", 0, answer=reply(201)), START)


def plan(
    expect: Expect, *steps: int, judged: Sequence[int] = (-1,), level: Level = Level.SEQUENCE, **says: object
) -> SessionMutator:
    """A mutator whose script repeats these steps of the session."""

    @session_mutator(level=level, expect=expect)
    def repeat(session: Sequence[Exchange], rng: Random) -> Script:
        """Repeats steps."""
        told = tuple(Step(session[at].request, at) for at in steps)
        return Script(told, tuple(at % len(steps) for at in judged), "told", **says)  # type: ignore[arg-type]

    made: SessionMutator = repeat
    return made


ONCE = plan(Expect.ONCE, 0, 1, 1, 1, judged=(1, 2, 3), level=Level.RACE, needs=(0,), is_burst=True)
TWICE = plan(Expect.REJECT, 0, 1, 1, needs=(0, 1))


async def conduct(bench: Bench, past: Sequence[Exchange] = PAST) -> None:
    async with asyncio.timeout(5):
        await bench.session_trials.conduct(past)


def once(*, at_once: int = 1, in_a_row: int = 1) -> Callable[[], Answering]:
    """A service that lets so many of the requests in after each POST /x."""

    def make() -> Answering:
        left = 0

        def answering(asked: Request) -> Outcome:
            nonlocal left
            if asked.target == b"/x":
                runs = next(made)
                left = at_once if runs % 2 else in_a_row
                return reply(201)
            left -= 1
            return reply(200 if left >= 0 else 409)

        made = count()
        return answering

    return make


@pytest.mark.parametrize(
    ("answering", "verdict", "why"),
    [
        (once(), Verdict.PASSED, "one copy succeeded"),
        (once(at_once=3), Verdict.FAILED, "3 of 3 copies"),
        (once(at_once=2), Verdict.FAILED, "2 of 3 copies"),
        (once(at_once=3, in_a_row=3), Verdict.UNDECIDED, "sent one after the other, more than one"),
        (once(at_once=0), Verdict.UNDECIDED, "no copy succeeded"),
    ],
    ids=["kept", "broken", "broken once", "repeats are allowed", "none gets in"],
)
async def test_copies_at_once_are_a_race_where_copies_in_a_row_are_refused(
    answering: Callable[[], Answering], verdict: Verdict, why: str
) -> None:
    bench = Bench(answering(), of_sessions=[ONCE], times=2)
    await conduct(bench)
    (trial,) = bench.trials_heard
    assert trial.judgement.verdict is verdict
    assert trial.judgement.why.startswith(why)
    assert trial.kind is Kind.RACE
    assert bool(bench.findings) == (verdict is Verdict.FAILED)
    assert [parcel for _, parcel in bench.sent][:4] == ["repeat"] * 4, "first one by one"
    assert bench.candidate.overlap == (1 if "in a row" in why or "one after" in why else 3)


async def test_race_is_confirmed_each_time_by_a_run_in_a_row_and_one_at_once() -> None:
    bench = Bench(once(at_once=2)(), of_sessions=[ONCE], times=3)
    await conduct(bench)
    (found,) = bench.findings.values()
    assert (found.fault, found.confirmed, found.reproduce["curl"]) == ("race", "3/3", None)
    parcels = [parcel for _, parcel in bench.sent]
    assert parcels.count("repeat") == 4 * 4
    assert parcels.count("confirmation") == 3 * 4


THING = "0f0e0d0c-0b0a-4908-8706-050403020100"


@pytest.mark.parametrize(
    ("body", "verdict"),
    [(f'{{"id": "{THING}"}}'.encode(), Verdict.FAILED), (b"{}", Verdict.UNDECIDED)],
    ids=["made by the session", "there before"],
)
async def test_race_on_what_was_there_before_must_be_refused_in_a_row_afterwards_too(
    body: bytes, verdict: Verdict
) -> None:
    """From the burst on more than one copy gets in, as if somebody else had changed the thing."""
    past = (
        exchange("POST /x", 0, answer=reply(201, body)),
        exchange(f"POST /x/{THING}/start", 1),
    )
    runs, turn = -1, 0

    def answering(asked: Request) -> Outcome:
        nonlocal runs, turn
        if asked.target == b"/x":
            runs, turn = runs + 1, 0
            return reply(201, body)
        turn += 1
        return reply(200 if turn == 1 or (runs > 0 and turn == 2) else 409)

    bench = Bench(answering, of_sessions=[ONCE], times=0)
    await conduct(bench, past)
    assert bench.trials_heard[0].judgement.verdict is verdict


@pytest.mark.parametrize("good_at", [1, 2])
async def test_failure_that_does_not_show_every_time_is_undecided(good_at: int) -> None:
    runs = count(-1)

    def answering(asked: Request) -> Outcome:
        if asked.target == b"/x":
            next(runs)
            return reply(201)
        starts.append(asked)
        return reply(409) if len(starts) % 2 == 0 and len(starts) // 2 - 1 == good_at else reply()

    starts: list[Request] = []
    bench = Bench(answering, of_sessions=[TWICE], times=3)
    await conduct(bench)
    (trial,) = bench.trials_heard
    assert trial.judgement.verdict is Verdict.UNDECIDED
    assert trial.judgement.why.startswith("not seen again: accepted with 200")
    assert bench.findings == {}


async def test_illegal_step_that_is_accepted_is_a_finding_confirmed_once() -> None:
    bench = Bench(always(reply()), of_sessions=[TWICE], times=2)
    await conduct(bench)
    after_first = len(bench.sent)
    await conduct(bench)
    assert len(bench.sent) - after_first == 3, "the second time it is not confirmed anew"
    (found,) = bench.findings.values()
    assert (found.fault, found.confirmed, found.count) == ("illegal-transition", "2/2", 2)
    assert found.endpoint == "POST /x/start"
    assert [trial.kind for trial in bench.trials_heard] == [Kind.SEQUENCE] * 2
    assert bench.trials_heard[0].sent.count(b"POST /x/start") == 2


@pytest.mark.parametrize("refusing", ["candidate", "baseline", "both"])
async def test_script_whose_needs_are_not_met_is_undecided(refusing: str) -> None:
    def answering(name: str) -> Answering:
        return always(reply(409 if refusing in (name, "both") else 200))

    bench = Bench(answering("candidate"), answering("baseline"), of_sessions=[TWICE])
    await conduct(bench)
    (trial,) = bench.trials_heard
    assert trial.judgement.verdict is Verdict.UNDECIDED
    assert trial.judgement.why == "a step that it builds on did not succeed"


@pytest.mark.parametrize(
    ("may_write", "past", "is_run"),
    [
        (True, PAST, True),
        (False, PAST, False),
        (False, (exchange("GET /x", 0), exchange("GET /x/start", 1)), True),
        (False, (exchange("GET /x", 0), exchange("FROB /x/start", 1)), False),
    ],
    ids=["allowed", "writes", "reads alone", "an unknown method"],
)
async def test_scripts_that_write_are_run_only_where_that_was_allowed(
    past: tuple[Exchange, ...], *, may_write: bool, is_run: bool
) -> None:
    bench = Bench(always(reply()), of_sessions=[plan(Expect.SURVIVE, 0, 1)], may_write=may_write)
    await conduct(bench, past)
    assert bool(bench.candidate.requests) == is_run
    assert len(bench.trials_heard) == is_run


SWAPPED = plan(Expect.SURVIVE, 1, 0)


@pytest.mark.parametrize(
    ("as_recorded", "is_found"), [(True, True), (False, False)], ids=["agree as recorded", "do not"]
)
async def test_disagreement_counts_only_where_both_agree_on_the_session_as_recorded(
    *, as_recorded: bool, is_found: bool
) -> None:
    def candidate(asked: Request) -> Outcome:
        if asked.target == b"/x/start":
            return reply()
        is_swapped = bench.candidate.requests[-2:-1] and bench.candidate.requests[-2].target == b"/x/start"
        return reply(200 if as_recorded and not is_swapped else 403)

    bench = Bench(candidate, always(reply()), of_sessions=[SWAPPED], times=1)
    await conduct(bench)
    assert bool(bench.findings) == is_found
    parcels = [parcel for target, parcel in bench.sent if target == "candidate"]
    assert parcels == ["mutant"] * 2 + ["repeat"] * 2 + ["confirmation"] * (2 * is_found)


async def test_first_failing_judged_step_is_the_one_that_is_told() -> None:
    judged = plan(Expect.SURVIVE, 0, 1, 0, judged=(0, 1, 2))
    bench = Bench(
        lambda asked: reply(500) if asked.target == b"/x/start" else reply(), of_sessions=[judged], times=1
    )
    await conduct(bench)
    (trial,) = bench.trials_heard
    assert (trial.endpoint, trial.exchange, trial.judgement.fault) == ("POST /x/start", 1, "F100")


async def test_same_answer_is_compared_with_the_same_request_earlier_in_the_script() -> None:
    starts = count()

    def answering(asked: Request) -> Outcome:
        return reply(200, b'{"a": %d}' % (next(starts) % 2)) if asked.target == b"/x/start" else reply()

    bench = Bench(answering, of_sessions=[plan(Expect.SAME, 0, 1, 1)], times=2)
    await conduct(bench)
    (trial,) = bench.trials_heard
    assert trial.judgement.fault == "metamorphic"
    assert [each.where for each in trial.judgement.differences] == ["body:$.a"]


async def test_step_without_a_live_answer_is_undecided() -> None:
    silent = Exchange(1, "test", "s", 0.0, START.request)
    bench = Bench(always(reply()), of_sessions=[plan(Expect.SURVIVE, 0, 1)])
    await conduct(bench, (PAST[0], silent))
    assert [each.judgement.verdict for each in bench.trials_heard] == [Verdict.UNDECIDED]


async def test_budget_bounds_what_is_tried_of_a_session_and_seeds_repeat_it() -> None:
    session = (
        exchange("POST /v1/x", 0, answer=reply(201, b'{"id": "41000042"}')),
        exchange("POST /v1/x/41000042/start", 1),
        exchange("POST /v1/x/41000042/stop", 2),
        exchange("GET /v1/x/41000042", 3),
        exchange("DELETE /v1/x/41000042", 4, answer=reply(204)),
    )

    async def tried(seed: int, budget: int) -> list[str | None]:
        bench = Bench(
            always(reply(201, b'{"id": "41000042"}')),
            of_sessions=SESSION_CATALOG,
            mutants=budget,
            seed=seed,
            times=1,
        )
        await conduct(bench, session)
        return [each.mutator for each in bench.trials_heard]

    assert len(await tried(0, 2)) == 2
    assert await tried(0, 0) == []
    assert await tried(5, 4) == await tried(5, 4)
    assert len({tuple(await tried(seed, 4)) for seed in range(6)}) > 1
    assert len(await tried(0, 50)) > 6


async def test_script_whose_refusals_are_not_met_is_undecided() -> None:
    gated = plan(Expect.REJECT, 0, 1, 1, needs=(0,), refused=(1,))
    bench = Bench(always(reply()), of_sessions=[gated])
    await conduct(bench)
    (trial,) = bench.trials_heard
    assert trial.judgement.verdict is Verdict.UNDECIDED
    assert trial.judgement.why == "a step that should have been refused was not, so it tells nothing"


async def test_step_that_must_be_refused_is_no_control() -> None:
    asked = count()

    def answering(request: Request) -> Outcome:
        return reply() if request.target == b"/x" or next(asked) % 2 else reply(401)

    bench = Bench(answering, of_sessions=[plan(Expect.REJECT, 0, 1, 1, needs=(0,), refused=(1,))], times=1)
    await conduct(bench)
    (trial,) = bench.trials_heard
    assert trial.judgement.verdict is Verdict.FAILED
    assert trial.judgement.why.startswith("accepted with 200")


async def test_steps_of_other_sessions_count_on_after_its_own() -> None:
    other = (exchange("POST /y", 7),)

    @session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
    def mix(session: Sequence[Exchange], rng: Random) -> Script:
        """Mixes."""
        steps = (Step(session[0].request, 0), Step(other[0].request, len(session)))
        return Script(steps, (0, 1), "mixed", others=other)

    bench = Bench(always(reply()), of_sessions=[mix])
    await conduct(bench)
    assert [each.target for each in bench.candidate.requests] == [b"/x", b"/y"]
    assert bench.trials_heard[0].exchange == 7


async def test_sessions_that_came_before_are_known_to_later_ones() -> None:
    known_of: list[tuple[tuple[Exchange, ...], ...]] = []

    @session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
    def look(session: Sequence[Exchange], rng: Random, known: Known) -> None:
        """Looks."""
        known_of.append(known.sessions)

    bench = Bench(always(reply()), of_sessions=[look])
    await conduct(bench)
    await conduct(bench, PAST[1:])
    assert known_of == [(), (PAST,)]


@pytest.mark.parametrize(("lost", "is_found"), [(1, False), (2, True)], ids=["once", "twice"])
async def test_race_that_is_lost_again_now_and_then_is_told(lost: int, *, is_found: bool) -> None:
    bursts, made, left = count(), count(), 0

    def answering(asked: Request) -> Outcome:
        nonlocal left
        if asked.target == b"/x":
            run = next(made)
            is_burst = run % 2 == 1
            left = 3 if is_burst and next(bursts) < lost else 1
            return reply(201)
        left -= 1
        return reply(200 if left >= 0 else 409)

    bench = Bench(answering, of_sessions=[ONCE], times=3)
    await conduct(bench)
    assert bool(bench.findings) == is_found
    assert [each.confirmed for each in bench.findings.values()] == ["1/3"] * is_found
