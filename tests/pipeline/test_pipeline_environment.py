"""Candidate and baseline are asked the same, at the same time."""

import asyncio
from collections.abc import Callable
from random import Random

import pytest

from mutators import dice, mutator
from shadow.model import Edit, Expect, Level, Parcel, Request, field
from shadow.pipeline.environment import Pair, together
from shadow.pipeline.ready import Mutate, Ready
from shadow.replay import Sending
from tests.pipeline.conftest import REFUSED, Bench, always, edits, exchange, is_edited, reply

LIVE_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
BASELINE_ID = "f0e0d0c0-b0a0-4090-8070-605040302010"
CANDIDATE_ID = "a0e0d0c0-b0a0-4090-8070-605040302010"


@mutator(level=Level.TARGET, expect=Expect.SURVIVE)
def roll(request: Request, rng: Random) -> Edit:
    """Puts a random number after the target."""
    return Edit(Request(request.method, request.target + b"?n=%d" % rng.randrange(10**9)), "rolled")


def rolled(target: str) -> Mutate:
    rng = dice(1, 2, roll.name)
    return lambda request: roll.edit(request, rng)


def test_both_targets_get_the_same_edit_by_the_same_dice() -> None:
    environment = Bench(always(reply()), always(reply())).environment
    made = environment.mutate(environment.prepare(exchange("GET /a"), "s"), rolled, "s", "salt")
    assert made is not None
    assert made.baseline is not None
    assert made.candidate.request.target == made.baseline.request.target
    assert made.candidate.request.target.startswith(b"/a?n=")


def test_without_a_baseline_there_is_nothing_for_it() -> None:
    environment = Bench(always(reply())).environment
    readies = environment.prepare(exchange("GET /a"), "s")
    made = environment.mutate(readies, rolled, "s", "salt")
    assert (readies.baseline, made and made.baseline) == (None, None)
    assert [link.target.name for link in environment.links] == ["candidate"]


@pytest.mark.parametrize(
    ("uneditable", "is_made"), [("candidate", False), ("baseline", True), ("", True)], ids=str
)
def test_mutant_is_made_where_the_candidate_request_can_be_edited(uneditable: str, *, is_made: bool) -> None:
    environment = Bench(always(reply()), always(reply())).environment
    edit: Callable[[Request], Edit | None] = lambda request: Edit(request, "e")  # noqa: E731
    mutate: Callable[[str], Mutate] = lambda name: (lambda _: None) if name == uneditable else edit  # noqa: E731
    made = environment.mutate(environment.prepare(exchange("GET /"), "s"), mutate, "s", "salt")
    assert (made is not None) == is_made
    assert made is None or (made.baseline is None) == (uneditable == "baseline")


async def test_both_are_under_way_at_once() -> None:
    met = asyncio.Barrier(2)

    async def meet() -> int:
        await met.wait()
        return met.parties

    async with asyncio.timeout(5):
        assert await together([meet(), meet()]) == [2, 2]


async def test_answers_are_each_target_own() -> None:
    environment = Bench(always(reply(200)), always(reply(404))).environment
    readies = environment.prepare(exchange("GET /"), "s")
    answers = await environment.send(readies, via="raw", parcel=Parcel.ORIGINAL, session="s")
    assert answers == Pair(reply(200), reply(404))


def only_plain(sending: Sending) -> bool:
    return sending.wire is None and not is_edited(sending.request)


@pytest.mark.parametrize(
    ("transport", "with_edit", "via"),
    [
        ("auto", False, {"aiohttp"}),
        ("auto", True, {"raw"}),
        ("aiohttp", True, {"aiohttp"}),
        ("raw", False, {"raw"}),
    ],
    ids=["all can be said", "the mutant cannot", "as set", "as set, though not needed"],
)
async def test_all_of_a_case_goes_through_one_transport(
    transport: str, *, with_edit: bool, via: set[str]
) -> None:
    mutators = [edits(Expect.SURVIVE)] if with_edit else []
    bench = Bench(
        always(reply()), always(reply()), mutators=mutators, sayable=only_plain, transport=transport
    )
    await bench.conduct(exchange("GET /"))
    assert bench.baseline is not None
    assert bench.candidate.via == bench.baseline.via == via
    assert len(bench.candidate.requests) == 1 + with_edit


@pytest.mark.parametrize("unable", ["candidate", "baseline"])
async def test_transport_that_cannot_say_it_to_one_target_carries_it_to_neither(unable: str) -> None:
    def sayable(sending: Sending) -> bool:
        return field(sending.request.headers, b"host") != f"{unable}.test:8000".encode()

    bench = Bench(always(reply()), always(reply()), sayable=sayable)
    await bench.conduct(exchange("GET /"))
    assert bench.baseline is not None
    assert bench.candidate.via == bench.baseline.via == {"raw"}


def test_no_transport_carries_what_none_can_say_together() -> None:
    environment = Bench(always(reply())).environment
    for transport in Bench(always(reply())).candidate.transports.values():
        assert transport.can_send(Sending(exchange("GET /").request))
    assert environment.carrier([]) == "aiohttp"


@pytest.mark.parametrize(
    ("line", "learners", "is_untold"),
    [
        (f"GET /x/{LIVE_ID}", "b", True),
        (f"GET /x?id={LIVE_ID}", "b", True),
        (f"GET /x/{LIVE_ID}", "cb", False),
        (f"GET /x/{LIVE_ID}", "", False),
        ("GET /x/other", "b", False),
    ],
    ids=["in the path", "in the query", "told by both", "told by none", "another name"],
)
def test_name_that_only_the_baseline_was_seen_to_have_is_untold(
    line: str, learners: str, *, is_untold: bool
) -> None:
    environment = Bench(always(reply()), always(reply())).environment
    made = exchange("POST /x", answer=reply(201, b'{"id": "%s"}' % LIVE_ID.encode()))
    for link, name in zip(environment.links, (CANDIDATE_ID, BASELINE_ID), strict=True):
        if link.target.name[0] in learners:
            link.learn(made, reply(201, b'{"id": "%s"}' % name.encode()), "s")
    assert environment.names_untold(environment.prepare(exchange(line, 1), "s")) == is_untold


def test_nothing_is_untold_without_a_baseline() -> None:
    environment = Bench(always(reply())).environment
    readies = Pair(Ready(Request(b"GET", b"/a")), Ready(Request(b"GET", b"/b")))
    assert not environment.names_untold(readies)
    assert not environment.names_untold(Pair(readies.candidate, None))


async def test_each_target_learns_from_its_own_answer() -> None:
    environment = Bench(always(reply()), always(reply())).environment
    made = exchange("POST /x", answer=reply(201, b'{"id": "%s"}' % LIVE_ID.encode()))
    candidate, baseline = (
        reply(201, b'{"id": "%s"}' % name.encode()) for name in (CANDIDATE_ID, BASELINE_ID)
    )
    environment.learn(made, Pair(candidate, baseline), "s")
    readies = environment.prepare(exchange(f"GET /x/{LIVE_ID}", 1), "s")
    assert readies.baseline is not None
    assert readies.candidate.request.target == f"/x/{CANDIDATE_ID}".encode()
    assert readies.baseline.request.target == f"/x/{BASELINE_ID}".encode()


def test_candidate_learns_from_the_baseline_where_no_live_answer_was_seen() -> None:
    environment = Bench(always(reply()), always(reply())).environment
    ours, theirs = (reply(201, b'{"id": "%b"}' % each) for each in (b"web-42", b"web-17"))
    environment.learn(exchange("POST /items", answer=REFUSED), Pair(ours, theirs), "s")
    readies = environment.prepare(exchange("GET /items/web-17", 1), "s")
    assert readies.baseline is not None
    assert readies.baseline.request.target == b"/items/web-17"
    assert readies.candidate.request.target == b"/items/web-42"
