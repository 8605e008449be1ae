"""A whole run: every exchange meets its fate, whatever happens."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import count
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mutators import session_mutator
from shadow.errors import TapError
from shadow.model import (
    Broke,
    Exchange,
    Expect,
    Fate,
    Level,
    NoReply,
    Outcome,
    QueueSeen,
    Request,
    Script,
    Settled,
    Silence,
    StateChanged,
    Step,
    Wire,
    field,
)
from shadow.pipeline.scope import Scope
from shadow.pipeline.source import Looped, Recorded
from shadow.replay import BreakerSettings, Pace, Pacer
from shadow.replay.fake import HANG, Answer
from shadow.sinks.ledger import Ledger
from tests.pipeline.conftest import REFUSED, Bench, always, by_edit, edits, exchange, is_edited, reply

STAYS_OPEN = BreakerSettings(
    slow_start_seconds=0.0, weight_max=4, retry_seconds=3600.0, retry_seconds_max=3600.0
)


def sessions(lines: Sequence[str], of: int = 1) -> list[Exchange | Settled]:
    """The lines asked in turn by so many sessions."""
    return [exchange(line, at, session=f"s{at % of}") for at, line in enumerate(lines)]


def ledger_of(bench: Bench) -> Ledger:
    ledger = Ledger()
    for event in bench.heard:
        ledger.hear(event)
    return ledger


class UnforeseenError(Exception):
    """What nobody expects."""


def raising(_: Request) -> Answer:
    raise UnforeseenError("unforeseen")


ANSWERS: dict[str, Callable[[Request], Answer]] = {
    "200": always(reply()),
    "404": always(reply(404)),
    "500": always(reply(500)),
    "refused": always(REFUSED),
    "reset": always(NoReply(Silence.RESET)),
    "unsent": always(NoReply(Silence.UNSENT)),
    "hang": always(HANG),
    "bug": raising,
}
ITEMS = st.lists(
    st.tuples(
        st.sampled_from([*ANSWERS]),
        st.sampled_from(["GET", "POST"]),
        st.integers(0, 3),
        st.sampled_from(["http", "http", "http", "dns"]),
    ),
    max_size=14,
)


@settings(deadline=None, max_examples=40)
@given(ITEMS, st.booleans(), st.integers(0, 3), st.sampled_from([1, 3]))
def test_ledger_adds_up_whatever_comes_back(
    items: list[tuple[str, str, int, str]], has_baseline: bool, unparsed: int, concurrency: int
) -> None:
    def answering(asked: Request) -> Answer:
        return ANSWERS[items[int(asked.target.rpartition(b"/")[2])][0]](asked)

    told: list[Exchange | Settled] = [
        msgspec.structs.replace(exchange(f"{method} /x/{at}", at, session=f"s{session}"), protocol=protocol)
        for at, (_, method, session, protocol) in enumerate(items)
    ]
    if unparsed:
        told.append(Settled("test", Fate.UNPARSED, unparsed, "cut"))
    bench = Bench(
        answering,
        always(reply()) if has_baseline else None,
        mutators=[edits(Expect.SURVIVE), edits(Expect.REJECT, name="other")],
        times=1,
        timeout_seconds=0.001,
    )
    asyncio.run(bench.run(told, concurrency=concurrency, queue_items=2))
    settled = [each for each in bench.of(Settled) if each.exchange is not None]
    assert Counter(e.exchange.index for e in settled if e.exchange) == Counter(range(len(items)))
    fates = {e.exchange.index: e.fate for e in settled if e.exchange}
    for at, (answer, _, _, protocol) in enumerate(items):
        dropped = answer in ("refused", "unsent", "bug")
        expected = Fate.FILTERED if protocol == "dns" else Fate.DROPPED if dropped else Fate.REPLAYED
        assert fates[at] is expected
    ledger = ledger_of(bench)
    assert ledger.captured == len(items) + unparsed
    assert ledger.broke == sum(answer == "bug" and protocol != "dns" for answer, _, _, protocol in items)


async def test_bug_in_the_work_costs_one_exchange_and_is_told() -> None:
    bench = Bench(lambda asked: raising(asked) if asked.target == b"/1" else reply())
    await bench.run(sessions([f"GET /{n}" for n in range(4)]))
    (broke,) = bench.of(Broke)
    assert broke.exchange == 1
    assert broke.error.startswith("UnforeseenError: unforeseen at test_pipeline_pipeline.py:")
    assert Counter(bench.fates) == {(Fate.REPLAYED, ""): 3, (Fate.DROPPED, "work on it broke"): 1}


async def test_bug_after_the_original_was_sent_leaves_it_replayed() -> None:
    bench = Bench(
        lambda asked: raising(asked) if is_edited(asked) else reply(), mutators=[edits(Expect.SURVIVE)]
    )
    await bench.run(sessions(["GET /a"]))
    assert len(bench.of(Broke)) == 1
    assert bench.fates == [(Fate.REPLAYED, "")]


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def whole(session: Sequence[Exchange], rng: Random) -> Script:
    """The session as it was."""
    steps = tuple(Step(each.request, at) for at, each in enumerate(session))
    return Script(steps, (len(steps) - 1,), "whole")


@session_mutator(level=Level.SEQUENCE, expect=Expect.SURVIVE)
def broken(session: Sequence[Exchange], rng: Random) -> Script:
    """Has a bug."""
    raise UnforeseenError("in a script")


async def test_sessions_are_put_to_the_test_as_a_whole_when_all_is_over() -> None:
    bench = Bench(always(reply()), of_sessions=[whole])
    await bench.run(sessions(["GET /0", "GET /1", "GET /2", "GET /3"], of=2))
    asked = [each.target for each in bench.candidate.requests]
    assert sorted(asked[:4]) == [b"/0", b"/1", b"/2", b"/3"]
    of_scripts = [each for each in bench.sent if each[1] == "mutant"]
    assert len(of_scripts) == 4
    assert [trial.mutator for trial in bench.trials_heard].count("whole") == 2


async def test_bug_in_the_work_on_a_session_is_told_and_costs_nothing_else() -> None:
    bench = Bench(always(reply()), of_sessions=[broken])
    await bench.run(sessions(["GET /a", "GET /b"], of=2))
    assert [each.error.partition(" at ")[0] for each in bench.of(Broke)] == [
        "UnforeseenError: in a script"
    ] * 2
    assert bench.fates == [(Fate.REPLAYED, "")] * 2


async def test_session_keeps_its_order_and_slow_mutants_do_not_hold_it_up() -> None:
    slow = edits(Expect.SURVIVE, level=Level.NETWORK, wire=Wire((b"G", b"E"), 0.5), name="slow")
    quick = edits(Expect.SURVIVE, name="quick")
    bench = Bench(always(reply()), mutators=[slow, quick], transport="raw")
    await bench.run(sessions(["GET /0", "GET /1"]), concurrency=8)
    sent = [
        (each.request.target, "slow" if each.wire else "quick" if is_edited(each.request) else "plain")
        for each in bench.candidate.transports["raw"].sent
    ]
    in_turn = [(b"/0", "plain"), (b"/0", "quick"), (b"/1", "plain"), (b"/1", "quick")]
    assert sorted(in_turn, key=sent.index) == in_turn
    assert sent.index((b"/0", "slow")) > sent.index((b"/0", "quick"))
    assert [kind for _, kind in sent].count("slow") == 2


async def test_run_in_order_ends_with_one_exchange_before_it_begins_another() -> None:
    slow = edits(Expect.SURVIVE, level=Level.NETWORK, wire=Wire((b"G", b"E"), 0.5), name="slow")
    bench = Bench(always(reply()), mutators=[slow, edits(Expect.SURVIVE)], transport="raw")
    lines = [f"GET /{at}" for at in range(4)]
    await bench.run(sessions(lines, of=2), concurrency=1, is_in_order=True)
    sent = [each.request.target for each in bench.candidate.transports["raw"].sent]
    assert len(sent) == 4 * 4, "original, edit, control and slow edit"
    assert sent == sorted(sent)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_more_is_worked_on_at_once_than_the_settings_say(concurrency: int) -> None:
    bench = Bench(always(reply()))
    await bench.run(sessions([f"GET /{n}" for n in range(30)], of=30), concurrency=concurrency)
    assert bench.candidate.overlap == concurrency
    assert len(bench.candidate.requests) == 30


async def test_what_is_out_of_scope_is_told_with_its_reason_and_not_sent() -> None:
    bench = Bench(always(reply()))
    scope = Scope(include=("GET *",), exclude=("* /health",), sample=1.0, seed=0)
    own = exchange("GET /own", 3, headers=((b"Shadow-Run", b"r0"),))
    await bench.run([*sessions(["GET /a", "POST /a", "GET /health"]), own], scope=scope)
    assert Counter(bench.fates) == {
        (Fate.REPLAYED, ""): 1,
        (Fate.FILTERED, "not in scope.include"): 1,
        (Fate.FILTERED, "in scope.exclude"): 1,
        (Fate.FILTERED, "sent by shadow itself"): 1,
    }
    assert len(bench.candidate.requests) == 1


def endless() -> Iterator[Exchange]:
    return (exchange("GET /a", at, session=f"s{at}") for at in count())


async def test_run_ends_when_its_time_is_over() -> None:
    bench = Bench(always(reply()))
    pipeline = bench.pipeline(duration_seconds=0.05)
    async with asyncio.timeout(10):
        await pipeline.run(Recorded(endless(), Pacer(Pace())))
    assert StateChanged("stopping", "the time is over") in bench.heard
    settled = [e.exchange.index for e in bench.of(Settled) if e.exchange]
    assert sorted(settled) == list(range(len(settled))), "none twice, none left out"


async def test_run_ends_where_nothing_may_be_sent_any_more() -> None:
    def answering(_: Request) -> Outcome:
        if len(bench.candidate.requests) == 3:
            bench.halted = "the kill file exists"
        return reply()

    bench = Bench(answering)
    await bench.run(sessions([f"GET /{n}" for n in range(10)]), concurrency=1)
    assert len(bench.candidate.requests) == 3
    assert bench.of(StateChanged)[-1] == StateChanged("stopping", "the kill file exists")
    assert Counter(bench.fates) == {(Fate.REPLAYED, ""): 3, (Fate.DROPPED, "the run was stopped"): 7}


async def test_stopped_run_lets_what_is_under_way_end_and_drops_the_rest() -> None:
    release = asyncio.Event()

    def answering(_: Request) -> Outcome:
        pipeline.stop("asked to")
        pipeline.stop("asked again")
        release.set()
        return reply()

    bench = Bench(answering, mutators=[edits(Expect.SURVIVE)])
    pipeline = bench.pipeline(concurrency=2)
    async with asyncio.timeout(10):
        await pipeline.run(Recorded(sessions([f"GET /{n}" for n in range(9)], of=9), Pacer(Pace())))
    assert release.is_set()
    assert [each.why for each in bench.of(StateChanged) if each.state == "stopping"] == ["asked to"]
    fates = Counter(bench.fates)
    assert fates.pop((Fate.REPLAYED, "")) <= 2
    assert set(fates) == {(Fate.DROPPED, "the run was stopped")}


@pytest.mark.slow
async def test_stopped_run_ends_what_hangs_after_a_moment_of_grace_with_everything_settled() -> None:
    def hang(_: Request) -> Answer:
        pipeline.stop("asked to")
        return HANG

    bench = Bench(hang, timeout_seconds=3600.0, of_sessions=[whole])
    items = sessions([f"{method} /{n}" for n in range(20) for method in ("GET", "POST")], of=5)
    pipeline = bench.pipeline(concurrency=2, queue_items=100)
    async with asyncio.timeout(10):
        await pipeline.run(Recorded(items, Pacer(Pace())))
    assert bench.fates == [(Fate.DROPPED, "the run was stopped")] * len(items)
    assert bench.candidate.transports["aiohttp"].cancelled == len(bench.candidate.requests) <= 2


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"patience_seconds": 0.2}, "the candidate has been down for 0.2 s"),
        ({"drain_seconds": 60.0}, "no more comes in, and the candidate is down"),
    ],
)
async def test_candidate_that_stays_down_is_given_up(how: dict[str, float], why: str) -> None:
    bench = Bench(always(REFUSED), breaker=STAYS_OPEN)
    await bench.run(sessions(["GET /a"] * 5), concurrency=1, **how)
    assert bench.of(StateChanged)[-1] == StateChanged("stopping", why)
    assert len(bench.candidate.requests) == 1
    assert {fate for fate, _ in bench.fates} == {Fate.DROPPED}
    assert len(bench.fates) == 5


async def test_baseline_that_stays_down_is_given_up_too() -> None:
    bench = Bench(always(reply()), always(REFUSED), breaker=STAYS_OPEN)
    await bench.run(sessions(["GET /a"] * 5), concurrency=1, patience_seconds=0.2)
    assert bench.of(StateChanged)[-1] == StateChanged("stopping", "the baseline has been down for 0.2 s")
    assert len(bench.fates) == 5


@pytest.mark.slow
async def test_what_waits_is_worked_off_for_a_bounded_time_once_no_more_comes_in() -> None:
    bench = Bench(always(HANG), timeout_seconds=3600.0)
    await bench.run(sessions(["GET /a"] * 3), drain_seconds=0.1)
    assert StateChanged("ending", "no more comes in, 3 exchanges are worked off") in bench.heard
    assert bench.of(StateChanged)[-1].why == "no more has come in for 0.1 s"
    assert bench.fates == [(Fate.DROPPED, "the run was stopped")] * 3


async def test_fill_of_the_intake_is_told() -> None:
    bench = Bench(always(reply()))
    await bench.run([], queue_items=7)
    assert bench.of(QueueSeen)[0] == QueueSeen("intake", 0, 7)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 8]), st.booleans(), st.booleans())
def test_run_that_is_cut_off_settles_all_that_it_took_in(
    items: int, asks: int, concurrency: int, is_stopped: bool, hangs: bool
) -> None:
    given: list[int] = []

    def taken() -> Iterator[Exchange]:
        for at in range(items):
            given.append(at)
            yield exchange(["GET /a", "POST /a"][at % 2], at, session=f"s{at % 7}")

    async def cut_off() -> None:
        asked = asyncio.Event()

        def answering(_: Request) -> Answer:
            if len(bench.candidate.requests) >= min(asks, items) or hangs:
                asked.set()
            return HANG if hangs else reply()

        bench = Bench(answering, timeout_seconds=3600.0)
        benches.append(bench)
        pipeline = bench.pipeline(concurrency=concurrency, queue_items=30)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            task = group.create_task(pipeline.run(Recorded(taken(), Pacer(Pace()))))
            await asked.wait()
            if is_stopped:
                pipeline.stop("asked to")
            task.cancel()

    benches: list[Bench] = []
    asyncio.run(cut_off())
    settled = Counter(each.exchange.index for each in benches[0].of(Settled) if each.exchange)
    assert max(settled.values(), default=1) == 1
    unsettled = [at for at in given if at not in settled]
    assert unsettled in ([], given[-1:]), "the last one may still have been waited with for room"


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_source_that_cannot_be_read_ends_the_run_with_its_error_and_all_is_settled(
    concurrency: int,
) -> None:
    def breaking() -> Iterator[Exchange]:
        yield from (exchange("GET /a", at, session=f"s{at}") for at in range(60))
        raise TapError("cut off")

    bench = Bench(always(reply()))
    pipeline = bench.pipeline(concurrency=concurrency, queue_items=100)
    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.timeout(10):
            await pipeline.run(Recorded(breaking(), Pacer(Pace())))
    assert raised.value.split(TapError)[1] is None
    settled = Counter(each.exchange.index for each in bench.of(Settled) if each.exchange)
    assert settled == Counter(range(60))


async def test_mutants_of_the_run_are_judged_and_found() -> None:
    bench = Bench(by_edit(reply(), reply(500)), always(reply()), mutators=[edits(Expect.SURVIVE)], times=2)
    await bench.run(sessions(["GET /a"] * 6, of=3))
    (found,) = bench.findings.values()
    assert (found.count, found.exchanges, found.confirmed) == (6, (0, 1, 2, 3, 4, 5), "2/2")


async def test_request_of_http2_is_sent_as_http1_says_it() -> None:
    crumbs = ((b"cookie", b"a=1"), (b"cookie", b"b=2"))
    seen = exchange("POST /x")
    asked = Request(b"POST", b"/x", b"HTTP/2", ((b"host", b"h"), *crumbs), b"body")
    bench = Bench(always(reply()))
    await bench.run([msgspec.structs.replace(seen, request=asked)])
    (sent,) = bench.candidate.requests
    assert (sent.version, sent.body) == (b"HTTP/1.1", b"body")
    assert sent.headers[0][0].lower() == b"host"
    assert sent.headers[1:3] == ((b"cookie", b"a=1; b=2"), (b"content-length", b"4"))


async def test_each_pass_has_sessions_and_correlation_of_its_own_and_is_counted() -> None:
    made = count(1)

    def shop(asked: Request) -> Outcome:
        if asked.method == b"POST":
            return reply(201, b'{"id": "item-%d"}' % next(made))
        return reply(200, b'{"id": "%b"}' % asked.target.rpartition(b"/")[2])

    bench = Bench(shop, of_sessions=[whole])
    key = ((b"Idempotency-Key", b"abcd"),)
    items: list[Exchange | Settled] = [
        exchange("POST /items", 0, headers=key, answer=reply(201, b'{"id": "live-77"}')),
        exchange("GET /items/live-77", 1, answer=reply(200, b'{"id": "live-77"}')),
    ]
    source = Looped(lambda: nullcontext(items), Pacer(Pace()), 3)
    async with asyncio.timeout(10):
        await bench.pipeline(concurrency=4).run(source)
    asked_for = [each.target for each in bench.candidate.requests if each.method == b"GET"]
    assert asked_for[0] == b"/items/item-1"
    assert len(set(asked_for)) == len(asked_for), "each pass, and each script, made a thing of its own"
    keys = [field(each.headers, b"idempotency-key") for each in bench.candidate.requests if each.body == b""]
    assert keys[0] == b"abcd"
    told = [each for each in keys if each is not None]
    assert len(set(told)) == len(told) == 6, "and asked for it anew"
    assert [e.exchange.index for e in bench.of(Settled) if e.exchange] == list(range(6))
    assert Counter(bench.fates) == {(Fate.REPLAYED, ""): 6}
    assert [trial.mutator for trial in bench.trials_heard].count("whole") == 3


async def test_passes_without_end_last_as_long_as_the_run() -> None:
    bench = Bench(always(reply()))
    items: list[Exchange | Settled] = [exchange("GET /a", at, session=f"s{at}") for at in range(3)]
    source = Looped(lambda: nullcontext(items), Pacer(Pace()), None)
    async with asyncio.timeout(10):
        await bench.pipeline(duration_seconds=0.1).run(source)
    settled = [e.exchange.index for e in bench.of(Settled) if e.exchange]
    assert len(settled) > 9
    assert sorted(settled) == list(range(len(settled)))
    assert ledger_of(bench).captured == len(settled)


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("turns", range(40))
async def test_run_that_is_cut_off_in_any_turn_of_the_loop_counts_all_that_it_took_in(
    turns: int, concurrency: int
) -> None:
    taken: list[int] = []

    def items() -> Iterator[Exchange]:
        for at in range(12):
            taken.append(at)
            yield exchange("GET /a", at, session=f"s{at}")

    bench = Bench(always(reply()), mutators=[edits(Expect.SURVIVE)])
    pipeline = bench.pipeline(concurrency=concurrency, queue_items=5)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(pipeline.run(Recorded(items(), Pacer(Pace()))))
        for _ in range(turns):
            await asyncio.sleep(0)
        run.cancel()
    settled = Counter(each.exchange.index for each in bench.of(Settled) if each.exchange)
    assert settled == Counter(taken)
