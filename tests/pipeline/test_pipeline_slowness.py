"""What is slow is told once, with its distribution, and what only had to wait is not."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shadow.model import Exchange, Expect, Outcome, Request, Timing
from tests.pipeline.conftest import Bench, edits, exchange, is_edited, reply

type Seconds = Callable[[Request], float]


def taking(seconds: Seconds) -> Callable[[Request], Outcome]:
    """A service whose answers took so long."""
    return lambda request: replace(reply(200, b"{}"), timing=Timing(total_seconds=seconds(request)))


def reads(count: int, line: str = "GET /a") -> list[Exchange]:
    return [exchange(line, at, answer=reply(200, b"{}"), session=f"s{at % 3}") for at in range(count)]


def steady(_: Request) -> float:
    return 0.01


def slow_there(request: Request) -> float:
    return 0.06 if request.target == b"/slow" else 0.01


async def found(bench: Bench, told: list[Exchange]) -> list[tuple[str, str, str]]:
    await bench.run(told)
    return [(each.fault, each.kind, each.endpoint) for each in bench.findings.values()]


async def test_an_endpoint_that_became_slow_is_told_once() -> None:
    bench = Bench(taking(slow_there), taking(steady), measures=True)
    assert await found(bench, [*reads(70, "GET /slow"), *reads(70)]) == [("slow", "regression", "GET /slow")]
    only = next(iter(bench.findings.values()))
    assert "p50 60.0 ms, p95 60.0 ms, p99 60.0 ms" in only.why
    assert (only.count, only.confirmed) == (1, "12/12")


async def test_what_is_slow_only_among_others_had_to_wait_for_them() -> None:
    bench = Bench(taking(steady), taking(steady), measures=True)

    def queued(request: Request) -> float:
        is_alone = any(value.startswith(b"alone") for _, value in request.headers)
        return 0.01 if is_alone or bench.calm.is_mine else 0.06

    bench.candidate._answering = taking(queued)  # it must know of the bench
    assert await found(bench, reads(70)) == []


@pytest.mark.parametrize("count", [10, 29])
async def test_few_answers_are_no_distribution(count: int) -> None:
    bench = Bench(taking(slow_there), taking(steady), measures=True)
    assert await found(bench, reads(count, "GET /slow")) == []


async def test_without_a_baseline_nothing_says_what_is_slow() -> None:
    assert await found(Bench(taking(slow_there), measures=True), reads(70, "GET /slow")) == []


async def test_a_write_that_may_not_be_sent_again_is_told_where_nothing_else_is_slow() -> None:
    def slow_write(request: Request) -> float:
        return 0.08 if request.method == b"POST" else 0.01

    bench = Bench(taking(slow_write), taking(steady), measures=True, may_write=False)
    told = [*reads(40), *reads(40, "POST /things")]
    assert await found(bench, told) == [("slow", "regression", "POST /things")]
    everything = Bench(taking(lambda _: 0.08), taking(steady), measures=True, may_write=False)
    assert ("slow", "regression", "POST /things") not in await found(everything, told)


@pytest.mark.parametrize(
    ("ours", "theirs", "is_told"),
    [
        pytest.param(0.12, 0.01, True, id="ten times"),
        pytest.param(0.12, 0.12, False, id="at the live release too"),
        pytest.param(0.02, 0.01, False, id="twice"),
    ],
)
async def test_a_mutant_that_costs_many_times_its_control_is_told(
    ours: float, theirs: float, *, is_told: bool
) -> None:
    def costing(seconds: float) -> Seconds:
        return lambda request: seconds if is_edited(request) else 0.01

    bench = Bench(
        taking(costing(ours)), taking(costing(theirs)), mutators=[edits(Expect.SURVIVE)], measures=True
    )
    expected = [("slow", "mutant", "GET /a")] if is_told else []
    assert await found(bench, reads(12)) == expected


async def test_a_cost_that_shows_once_is_no_finding() -> None:
    count = 0

    def once(request: Request) -> float:
        nonlocal count
        count += is_edited(request)
        return 0.5 if is_edited(request) and count % 7 == 6 else 0.01

    bench = Bench(taking(once), taking(steady), mutators=[edits(Expect.SURVIVE)], measures=True)
    assert await found(bench, reads(20)) == []


async def test_an_edit_whose_cost_grows_with_its_square_is_found_though_it_is_small() -> None:
    def square(request: Request) -> float:
        length = len(dict(request.headers).get(b"x-long", b""))
        return 0.002 + length**2 / 1e5

    long = edits(Expect.SURVIVE, headers=((b"x-long", b"a" * 40),), name="long")
    bench = Bench(taking(square), taking(lambda _: 0.002), mutators=[long], measures=True)
    assert await found(bench, reads(12)) == [("slow", "mutant", "GET /a")]
    assert "4 times as long" in next(iter(bench.findings.values())).why
    straight = Bench(
        taking(lambda request: 0.002 + len(dict(request.headers).get(b"x-long", b"")) / 2500),
        taking(lambda _: 0.002),
        mutators=[long],
        measures=True,
    )
    assert await found(straight, reads(12)) == []
