"""One target: what is sent to it, when, and what is told about it."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from mutators import dice
from shadow.model import (
    Edit,
    NoReply,
    Outcome,
    Parcel,
    Request,
    Response,
    Sent,
    Silence,
    TargetSeen,
    Wire,
    field,
)
from shadow.pipeline.link import CALM
from shadow.pipeline.ready import Mutate, Ready
from shadow.pipeline.standing import why_dropped
from shadow.replay import BreakerSettings
from shadow.replay.dialling import UNTRUSTED
from shadow.replay.fake import HANG, Answer, FakeTransport
from tests.pipeline.conftest import REFUSED, Bench, always, exchange, reply, request

SHORT = BreakerSettings(slow_start_seconds=0.0, weight_max=4, retry_seconds=0.01, retry_seconds_max=0.01)
"""Opens at the first refused connection."""


def ready(line: str = "GET /") -> Ready:
    return Ready(request(line))


async def send(bench: Bench, one: Ready | None = None) -> Outcome:
    async with asyncio.timeout(5):
        return await bench.environment.candidate.send(
            one or ready(), via="raw", parcel=Parcel.ORIGINAL, session="s"
        )


async def test_sending_is_told_with_its_parcel_and_outcome() -> None:
    bench = Bench(always(reply(204)))
    outcome = await send(bench)
    assert bench.of(Sent) == [Sent("candidate", Parcel.ORIGINAL, outcome)]
    sending = bench.candidate.transports["raw"].sent[0]
    assert (sending.lane, sending.timeout_seconds) == ("s", 10.0)


async def test_target_is_told_to_be_up_and_down_only_where_that_is_news() -> None:
    answers = iter((reply(), reply(), REFUSED, reply()))
    bench = Bench(lambda _: next(answers), breaker=SHORT)
    for _ in range(4):
        await send(bench)
    assert [each.is_up for each in bench.of(TargetSeen)] == [True, False, True]


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (NoReply(Silence.REFUSED), "refused"),
        (NoReply(Silence.REFUSED, "nobody listens"), "refused, nobody listens"),
    ],
)
async def test_reason_for_being_down_is_told(outcome: Outcome, why: str) -> None:
    bench = Bench(always(outcome), breaker=SHORT)
    await send(bench)
    assert bench.of(TargetSeen) == [TargetSeen("candidate", is_up=False, detail=why)]


async def test_link_waits_while_the_target_is_down_and_goes_on_when_it_is_back() -> None:
    answers = iter((REFUSED, reply(201)))
    bench = Bench(lambda _: next(answers), breaker=SHORT)
    await send(bench)
    assert not bench.environment.candidate.is_up
    assert await send(bench) == reply(201)
    assert bench.environment.candidate.is_up


async def test_link_gives_up_waiting_when_the_run_is_stopping() -> None:
    breaker = msgspec.structs.replace(SHORT, retry_seconds=3600.0, retry_seconds_max=3600.0)
    bench = Bench(always(REFUSED), breaker=breaker)
    await send(bench)
    waiting = send(bench)
    bench.stopping.set()
    assert await waiting == NoReply(Silence.REFUSED, "the target is down")
    assert len(bench.candidate.requests) == 1, "nothing was sent to it"


async def test_cancelled_sending_leaves_nothing_under_way() -> None:
    asked = asyncio.Event()

    def hang(_: Request) -> Answer:
        asked.set()
        return HANG

    bench = Bench(hang)
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        task = group.create_task(send(bench))
        await asked.wait()
        task.cancel()
    assert bench.candidate.transports["raw"].cancelled == 1
    assert bench.of(Sent) == []


async def test_hanging_target_is_an_outcome_after_the_time_limit() -> None:
    bench = Bench(always(HANG), timeout_seconds=0.01)
    outcome = await send(bench)
    assert isinstance(outcome, NoReply)
    assert outcome.why is Silence.TIMED_OUT


async def test_each_prepared_request_bears_a_trial_number_of_its_own() -> None:
    link = Bench(always(reply())).environment.candidate
    trials = {field(link.prepare(exchange("GET /"), "s").request.headers, b"shadow-trial") for _ in range(5)}
    assert len(trials) == 5


WIRE = Wire((b"GET / HTTP/1.1\r\n", b"\r\n", b""), pause_seconds=0.5)


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (None, None),
        (Edit(request("GET /b"), "b", wire=WIRE), Ready(request("GET /b"), WIRE, "b")),
        (Edit(request("GET /c"), "c", signs_again=False), Ready(request("GET /c"), None, "c")),
        (Edit(request("GET /d"), "d"), Ready(request("GET /d"), None, "d")),
    ],
    ids=["nothing to edit", "exact bytes", "as it is", "signed again"],
)
def test_edit_becomes_what_is_sent(edit: Edit | None, expected: Ready | None) -> None:
    link = Bench(always(reply())).environment.candidate

    def mutate_for(target: str) -> Mutate:
        assert target == "candidate"
        return lambda _: edit

    assert link.mutate(ready(), mutate_for, "s", "salt") == expected


def test_live_value_that_an_edit_brings_in_is_translated_unless_it_is_to_stay() -> None:
    link = Bench(always(reply())).environment.candidate
    name, other = "0f0e0d0c-0b0a-4908-8706-050403020100", "f0e0d0c0-b0a0-4090-8070-605040302010"
    body = (b'{"id":"%s"}' % name.encode(), b'{"id":"%s"}' % other.encode())
    kind = ((b"content-type", b"application/json"),)
    recorded = exchange("POST /x", answer=reply(201, body[0]))
    link.learn(recorded, reply(201, body[1]), "s")
    assert recorded.response == Response(201, headers=((b"Content-Type", b"application/json"),), body=body[0])

    def target(*, signs_again: bool) -> bytes:
        edit = Edit(Request(b"GET", f"/x/{name}".encode(), headers=kind), "e", signs_again=signs_again)
        made = link.mutate(ready(), lambda _: lambda _: edit, "s", "salt")
        assert made is not None
        return made.request.target

    assert target(signs_again=True) == f"/x/{other}".encode()
    assert target(signs_again=False) == f"/x/{name}".encode()


def test_pauses_between_segments_are_the_time_that_sending_takes() -> None:
    assert Ready(request("GET /"), WIRE).pause_seconds == 1.0
    assert ready().pause_seconds == 0.0


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (Request(b"POST", b"/a", b"HTTP/1.0", ((b"x", b"y"),), b"b"), True),
        (Request(b"PUT", b"/a", body=b"b"), False),
        (Request(b"POST", b"/b", body=b"b"), False),
        (Request(b"POST", b"/a", body=b"c"), False),
    ],
    ids=["another client", "another method", "another target", "another body"],
)
def test_same_act_is_the_same_method_target_and_body(other: Request, *, is_same: bool) -> None:
    assert Ready(Request(b"POST", b"/a", body=b"b")).is_same_act(Ready(other)) == is_same


async def test_closing_closes_every_transport() -> None:
    bench = Bench(always(reply()), always(reply()))
    await bench.environment.close()
    assert bench.baseline is not None
    assert all(
        each.is_closed for side in (bench.candidate, bench.baseline) for each in side.transports.values()
    )


def test_dice_are_the_same_for_the_same_exchange_and_mutator() -> None:
    assert dice(1, 2, "a").random() == dice(1, 2, "a").random()
    assert len({dice(*each).random() for each in ((1, 2, "a"), (2, 2, "a"), (1, 3, "a"), (1, 2, "b"))}) == 4


@pytest.mark.parametrize("silence", [Silence.UNSENT, Silence.MALFORMED])
async def test_outage_is_over_when_something_answers_after_an_attempt_that_told_nothing(
    silence: Silence,
) -> None:
    answers = iter((REFUSED, NoReply(silence), reply()))
    bench = Bench(lambda _: next(answers), breaker=SHORT)
    for _ in range(3):
        await send(bench)
    assert bench.environment.candidate.is_up


async def test_target_of_no_http_is_not_asked_over_it() -> None:
    """A reset or a login that is configured for a target of another scheme is told, and ends nothing."""
    link = Bench(always(reply())).environment.candidate
    link._transports = {"tcp": FakeTransport([reply()])}
    outcome = await link.ask(request("GET /"), timeout_seconds=1.0)
    assert isinstance(outcome, NoReply)
    assert outcome.why is Silence.UNSENT
    assert "HTTP" in outcome.detail


def test_untrusted_certificate_is_told_of_what_is_dropped_for_it() -> None:
    refused = NoReply(Silence.REFUSED, f"{UNTRUSTED} (self-signed)")
    assert why_dropped(refused) == f"candidate refused: {UNTRUSTED}"
    assert why_dropped(NoReply(Silence.REFUSED, "port 1")) == "candidate refused"


async def test_untrusted_certificate_is_told_at_once() -> None:
    bench = Bench(always(NoReply(Silence.REFUSED, f"{UNTRUSTED} (self-signed)")))
    await send(bench)
    assert [each.is_up for each in bench.of(TargetSeen)] == [False]


@pytest.mark.parametrize("what", ["sending", "own", "look", "http2"])
async def test_nothing_at_all_is_sent_while_the_run_is_paused(what: str) -> None:
    bench = Bench(always(reply()))
    link = bench.environment.candidate
    transport = FakeTransport(lambda _: reply())
    link._transports = {"raw": transport, CALM: transport, "http2": transport}
    paused, resumed = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        paused.set()
        await resumed.wait()

    async def refusal() -> str:
        assert resumed.is_set()
        return ""

    link.standing._resumed, link._http2_refusal = wait, refusal
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "sending": lambda: send(bench),
        "own": lambda: link.ask(request("GET /"), timeout_seconds=1.0),
        "look": lambda: link.look(ready(), "s"),
        "http2": link.http2_refusal,
    }

    async def act() -> None:
        await acts[what]()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(act(), name=what)
        await paused.wait()
        assert transport.sent == []
        resumed.set()
    assert len(transport.sent) == (what != "http2")
