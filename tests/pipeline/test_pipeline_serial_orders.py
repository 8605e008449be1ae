"""The end state of a burst held against those of its orders, one by one."""

import json
from collections.abc import Sequence
from itertools import count

import pytest

from shadow.model import Outcome, Parcel, Request, Script, Step
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.serial_orders import SerialOrders
from tests.pipeline.conftest import Bench, Side, exchange, reply

LIVE = "0f0e0d0c-0b0a-4908-8706-050403020100"
PAST = (
    exchange("POST /x", 0, answer=reply(201, json.dumps({"id": LIVE}).encode())),
    exchange(f"POST /x/{LIVE}/add", 1),
    exchange(f"POST /x/{LIVE}/double", 2),
    exchange(f"POST /x/{LIVE}/take", 3),
    exchange(f"GET /x/{LIVE}", 4),
)


class Things:
    """Things with a count; a defect shows where requests are under way together."""

    def __init__(self, defect: str = "") -> None:
        self.defect = defect
        self.counts: dict[str, int] = {}
        self.names = (f"11111111-0000-4000-8000-{n:012x}" for n in count(1))
        self.side: Side | None = None

    def is_together(self) -> bool:
        assert self.side is not None
        return sum(each.under_way for each in self.side.transports.values()) > 1

    def answer(self, asked: Request) -> Outcome:
        path = asked.target.decode().split("/")
        if path == ["", "x"]:
            name = next(self.names)
            self.counts[name] = 0
            return reply(201, json.dumps({"id": name}).encode())
        before = self.counts.get(path[2])
        if before is None:
            return reply(404)
        if len(path) == 3:
            noise = next(self.names) if self.defect == "noise" else ""
            return reply(200, json.dumps({"id": path[2], "count": before, "seen": noise}).encode())
        return self.acted(path[2], path[3], before)

    def acted(self, name: str, action: str, before: int) -> Outcome:
        is_lost = self.defect == "lost" and self.is_together() and before > 0
        match action:
            case "add" if not is_lost:
                self.counts[name] = before + 1
            case "double" if not is_lost:
                self.counts[name] = before * 2 + 1
            case "take":
                if before < 0 and self.defect == "throttled" and not self.is_together():
                    return reply(429)
                if before < 0 and not (self.defect in ("both", "throttled") and self.is_together()):
                    return reply(409)
                self.counts[name] = -1
        return reply(200)


def burst(*origins: int) -> Script:
    steps = tuple(Step(PAST[at].request, at) for at in (0, *origins))
    return Script(steps, tuple(range(1, len(steps))), "told", needs=(0,), is_burst=True)


async def told(script: Script, candidate: Things, baseline: Things | None = None) -> str:
    bench = Bench(candidate.answer, baseline.answer if baseline else None)
    for side, things in ((bench.candidate, candidate), (bench.baseline, baseline)):
        if side is not None and things is not None:
            things.side = side
    orders = SerialOrders(bench.scripts, Endpoints(), settling_seconds=0.0)
    look = orders.look(script, PAST)
    assert look is not None
    _, why = await orders.run(script, PAST, look, parcel=Parcel.MUTANT)
    return why


@pytest.mark.parametrize(
    "origins", [(1, 1, 1), (1, 2), (2, 1, 2), (3, 3), (4, 4, 4, 4, 1), (4, 4), (1,) * 8], ids=str
)
@pytest.mark.parametrize("defect", ["", "noise"])
async def test_end_that_some_order_has_is_no_fault(origins: Sequence[int], defect: str) -> None:
    assert await told(burst(*origins), Things(defect)) == ""


@pytest.mark.parametrize("origins", [(1, 1, 1), (1, 2)], ids=str)
async def test_lost_change_shows_in_the_end_state(origins: Sequence[int]) -> None:
    why = await told(burst(*origins), Things("lost"))
    assert why == "the end state is that of no order of them: $.count"


async def test_what_no_order_allows_shows_though_each_was_answered_well() -> None:
    why = await told(burst(3, 3), Things("both"))
    assert why == "all 2 were taken, which one by one they are in no order"


async def test_what_only_a_rate_limit_refuses_one_by_one_tells_nothing() -> None:
    assert await told(burst(3, 3), Things("throttled")) == ""


@pytest.mark.parametrize(("baseline", "is_told"), [("lost", False), ("", True)])
async def test_what_the_live_release_does_too_is_no_fault(baseline: str, *, is_told: bool) -> None:
    assert bool(await told(burst(1, 1, 1), Things("lost"), Things(baseline))) == is_told


@pytest.mark.parametrize(
    "script",
    [
        Script((Step(PAST[1].request, 1),), (0,), "alone"),
        Script((Step(PAST[1].request, 1), Step(PAST[2].request, 2)), (0,), "not last", is_burst=True),
        Script((Step(PAST[0].request, 0),) * 2, (0, 1), "names nothing", is_burst=True),
        Script(
            (Step(PAST[1].request, 1), Step(PAST[2].request, 2)), (0, 1), "was there before", is_burst=True
        ),
    ],
    ids=lambda script: script.what,
)
def test_nothing_is_looked_at_where_it_would_tell_nothing(script: Script) -> None:
    bench = Bench(Things().answer)
    assert SerialOrders(bench.scripts, Endpoints()).look(script, PAST) is None
