"""Scripts run on each target with ids of their own."""

import asyncio
from collections.abc import Sequence
from itertools import count

import msgspec
import pytest

from shadow.auth import CanonicalScheme, SigningKey, SigningSettings
from shadow.model import Exchange, NoReply, Outcome, Parcel, Request, Script, Silence, Step, field
from shadow.pipeline.environment import Answers
from shadow.pipeline.ready import Mutate
from shadow.replay import Sending
from shadow.replay.fake import FakeTransport
from tests.pipeline.conftest import NOW, Answering, Bench, always, exchange, reply

LIVE_ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
SCHEME = CanonicalScheme(
    SigningSettings(
        signature="X-Signature",
        key_id="X-Key-Id",
        timestamp="X-Timestamp",
        nonce="X-Nonce",
        canonical=("method", "target", "timestamp", "nonce", "body"),
        keys=(SigningKey("k", secret="aa" * 32),),
    )
)


def made(name: str) -> bytes:
    return b'{"id": "%s"}' % name.encode()


PAST = (
    exchange("POST /x", 0, answer=reply(201, made(LIVE_ID))),
    exchange(f"POST /x/{LIVE_ID}/start", 1),
)


class Service:
    """Makes things, each with a name that counts on, and acts on those it made."""

    def __init__(self, digit: str) -> None:
        self.names = [f"{digit * 8}-0000-4000-8000-{n:012x}" for n in range(1, 100)]
        self.made = count()

    def answer(self, asked: Request) -> Outcome:
        if asked.target == b"/x":
            return reply(201, made(self.names[next(self.made)]))
        name = asked.target.split(b"/")[2].decode()
        return reply(200 if name in self.names[:50] else 404)


def script(*origins: int, judged: Sequence[int] = (-1,), **says: object) -> Script:
    steps = tuple(Step(PAST[origin].request, origin) for origin in origins)
    return Script(steps, tuple(at % len(steps) for at in judged), "told", **says)  # type: ignore[arg-type]


async def run(bench: Bench, one: Script, past: Sequence[Exchange] = PAST, **how: object) -> list[Answers]:
    async with asyncio.timeout(5):
        return await bench.scripts.run(one, past, parcel=Parcel.MUTANT, **how)  # type: ignore[arg-type]


async def test_each_run_makes_its_things_anew_and_acts_on_those() -> None:
    ours, theirs = Service("a"), Service("b")
    bench = Bench(ours.answer, theirs.answer)
    for _ in range(2):
        answers = await run(bench, script(0, 1, 1))
        assert [each.candidate.response.status for each in answers] == [201, 200, 200]  # type: ignore[union-attr]
        assert all(each.baseline is not None for each in answers)
    assert bench.baseline is not None
    for service, side in ((ours, bench.candidate), (theirs, bench.baseline)):
        asked = [each.target.decode() for each in side.requests]
        first, second = (f"/x/{name}/start" for name in service.names[:2])
        assert asked == ["/x", first, first, "/x", second, second]


async def test_what_a_script_learned_stays_with_it() -> None:
    service = Service("a")
    bench = Bench(service.answer)
    await run(bench, script(0, 1))
    readies = bench.environment.prepare(exchange(f"GET /x/{LIVE_ID}", 2), "s")
    assert readies.candidate.request.target.decode() == f"/x/{LIVE_ID}"
    assert not list(bench.environment.candidate.correlation.explain())


async def test_scope_is_forgotten_when_a_run_is_cancelled_too() -> None:
    started = asyncio.Event()

    def answering(asked: Request) -> Outcome:
        if asked.target == b"/x":
            return reply(201, made("a" * 8 + LIVE_ID[8:]))
        started.set()
        raise asyncio.CancelledError

    bench = Bench(answering)
    with pytest.raises(asyncio.CancelledError):
        await run(bench, script(0, 1))
    assert started.is_set()
    assert not list(bench.environment.candidate.correlation.explain())


def signed_past() -> tuple[Exchange, ...]:
    asked = SCHEME.sign(PAST[0].request, key="k", at=NOW, nonce="00ff00ff")
    assert asked is not None
    return (Exchange(0, "test", "s", NOW, asked, PAST[0].response),)


async def test_step_that_is_the_same_as_another_is_sent_byte_for_byte() -> None:
    past = signed_past()
    bench = Bench(always(reply(201)), signer=SCHEME)
    steps = (
        Step(past[0].request, 0),
        Step(past[0].request, 0, "replayed", same_as=0),
        Step(past[0].request, 0, "again"),
    )
    await run(bench, Script(steps, (1,), "replay"), past)
    first, same, again = bench.candidate.requests
    assert same == first
    assert field(again.headers, b"x-nonce") != field(first.headers, b"x-nonce")
    assert all(SCHEME.verifies(each) for each in (first, same, again))


async def test_steps_and_runs_have_nonces_of_their_own() -> None:
    past = signed_past()
    bench = Bench(always(reply(201)), signer=SCHEME)
    one = Script((Step(past[0].request, 0),) * 3, (2,), "thrice")
    for _ in range(2):
        await run(bench, one, past)
    assert len({field(each.headers, b"x-nonce") for each in bench.candidate.requests}) == 6


@pytest.mark.parametrize(
    ("is_burst", "is_serial", "overlap"), [(True, False, 4), (True, True, 1), (False, False, 1)]
)
async def test_judged_steps_of_a_burst_leave_together(
    overlap: int, *, is_burst: bool, is_serial: bool
) -> None:
    bench = Bench(always(reply(201)))
    one = script(0, 0, 0, 0, 0, 0, judged=(1, 2, 3, 4), is_burst=is_burst)
    answers = await run(bench, one, is_serial=is_serial)
    assert len(answers) == 6
    assert bench.candidate.overlap == overlap


async def test_burst_waits_for_what_it_is_built_on() -> None:
    service = Service("a")
    bench = Bench(service.answer)
    await run(bench, script(0, 1, 1, 1, judged=(1, 2, 3), is_burst=True))
    assert bench.candidate.overlap == 3
    assert {each.target.decode() for each in bench.candidate.requests[1:]} == {f"/x/{service.names[0]}/start"}


async def test_edit_goes_to_the_judged_steps_alone_and_what_cannot_be_edited_is_not_sent() -> None:
    bench = Bench(always(reply(201)), always(reply(201)))

    def none_for(target: str) -> Mutate:
        assert target in ("candidate", "baseline")
        return lambda _: None

    answers = await run(bench, script(0, 0, judged=(1,)), mutate=none_for)
    assert answers[0].candidate == reply(201)
    assert answers[1].candidate == NoReply(Silence.UNSENT, "nothing here to edit")
    assert len(bench.candidate.requests) == 1


@pytest.mark.parametrize(("baseline", "is_drifted"), [(201, False), (409, True)])
async def test_step_that_writes_where_only_one_target_takes_it_is_noticed(
    baseline: int, *, is_drifted: bool
) -> None:
    bench = Bench(always(reply(201)), always(reply(baseline)))
    await run(bench, script(0))
    assert bench.judging.is_drifted == is_drifted


@pytest.mark.parametrize(("let_in", "is_drifted"), [(1, False), (2, True)])
async def test_of_copies_at_one_moment_it_counts_how_many_are_taken_and_not_which(
    let_in: int, *, is_drifted: bool
) -> None:
    def answering(first: int, count: int) -> Answering:
        turns = iter(range(-1, 100))

        def answer(_: Request) -> Outcome:
            turn = next(turns)
            return reply(201 if turn < 0 or first <= turn < first + count else 409)

        return answer

    bench = Bench(answering(0, let_in), answering(2, 1))
    await run(bench, script(0, 1, 1, 1, judged=(1, 2, 3), is_burst=True))
    assert bench.judging.is_drifted == is_drifted


async def test_without_a_baseline_the_answers_have_none() -> None:
    answers = await run(Bench(always(reply(201))), script(0, 0))
    assert [each.baseline for each in answers] == [None, None]


async def test_all_goes_through_the_transport_that_can_say_anything() -> None:
    bench = Bench(always(reply(201)))
    await run(bench, script(0))
    assert bench.candidate.via == {"raw"}
    assert bench.sent == [("candidate", "mutant")]


async def test_each_step_goes_the_way_its_exchange_came() -> None:
    bench = Bench(always(reply(201)), refuses_http2="")
    over_http2 = msgspec.structs.replace(PAST[1], seen_over=b"HTTP/2")
    await bench.scripts.run(script(0, 1), (PAST[0], over_http2), parcel=Parcel.MUTANT)
    transports = bench.candidate.transports
    assert [len(transports[name].sent) for name in ("raw", "http2")] == [1, 1]


class Together(FakeTransport):
    """Completes several at one moment."""

    def __init__(self) -> None:
        super().__init__(lambda _: reply(200))
        self.bursts: list[int] = []

    async def send_together(self, sendings: Sequence[Sending]) -> list[Outcome]:
        self.bursts.append(len(sendings))
        return [reply(201) for _ in sendings]


@pytest.mark.parametrize(
    ("is_http2", "bursts"), [((True, True, True), 3), ((False, False, False), 0), ((True, True, False), 0)]
)
async def test_burst_is_completed_at_one_moment_where_its_one_transport_can(
    is_http2: tuple[bool, ...], bursts: int
) -> None:
    bench = Bench(always(reply(201)), refuses_http2="")
    together = bench.candidate.transports["http2"] = Together()
    past = tuple(msgspec.structs.replace(PAST[0], seen_over=b"HTTP/2" if each else b"") for each in is_http2)
    steps = tuple(Step(each.request, at) for at, each in enumerate(past))
    answers = await run(bench, Script(steps, (0, 1, 2), "told", is_burst=True), past)
    assert len(answers) == 3
    assert together.bursts == ([bursts] if bursts else [])


async def test_burst_to_a_target_that_is_down_is_not_sent() -> None:
    bench = Bench(always(reply(201)), refuses_http2="")
    together = bench.candidate.transports["http2"] = Together()
    bench.stopping.set()
    past = (msgspec.structs.replace(PAST[0], seen_over=b"HTTP/2"),)
    for _ in range(20):
        bench.environment.candidate.standing.note(NoReply(Silence.REFUSED))
    one = Script((Step(past[0].request, 0),) * 2, (0, 1), "told", is_burst=True)
    answers = await run(bench, one, past)
    assert {each.candidate for each in answers} == {NoReply(Silence.REFUSED, "the target is down")}
    assert together.bursts == []


async def test_step_is_edited_once_it_fits_its_target() -> None:
    """Its own ids and credentials are there by then, and no signature is made anew."""
    service = Service("1")
    bench = Bench(service.answer)

    def turned(request: Request) -> Request:
        return msgspec.structs.replace(request, target=request.target + b"?own")

    steps = (Step(PAST[0].request, 0), Step(PAST[1].request, 1, "turned", edit=turned))
    await run(bench, Script(steps, (1,), "told"))
    assert bench.candidate.requests[-1].target == f"/x/{service.names[0]}/start?own".encode()


async def test_step_with_nothing_to_edit_is_not_sent() -> None:
    bench = Bench(Service("1").answer)
    answers = await run(bench, Script((Step(PAST[0].request, 0, edit=lambda _: None),), (0,), "told"))
    assert isinstance(answers[0].candidate, NoReply)
    assert bench.candidate.requests == []
