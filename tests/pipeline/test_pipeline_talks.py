"""Conversations put to the test over transports without a network."""

import asyncio
from collections.abc import Callable

import dns.message
import dns.rrset
import msgspec
import pytest

from mutators import TalkMutator
from shadow.content.redaction import RedactionSettings, Redactor, redact_exchange
from shadow.judge import Noise, NoiseSettings
from shadow.model import (
    NO_RESPONSE,
    Event,
    Exchange,
    Fate,
    Finding,
    Found,
    Judged,
    Message,
    NoReply,
    Outcome,
    Parcel,
    Reply,
    Request,
    Response,
    Sent,
    Settled,
    Silence,
    Verdict,
)
from shadow.pipeline.endpoint import Endpoints
from shadow.pipeline.environment import Environment
from shadow.pipeline.governor import Governor
from shadow.pipeline.judging import Judging
from shadow.pipeline.link import Link
from shadow.pipeline.order import Order, Turn
from shadow.pipeline.preparation import Preparation
from shadow.pipeline.reporting import Reporting
from shadow.pipeline.scheduler import Scheduler
from shadow.pipeline.standing import Standing
from shadow.pipeline.talk_endpoint import TalkEndpoints
from shadow.pipeline.talk_trials import TalkTrials
from shadow.pipeline.talks import Talks, live_reply
from shadow.replay import Breaker, BreakerSettings, Correlation, SafeModeSettings, Sending, Target
from shadow.replay.fake import HANG, Answer, FakeTransport
from shadow.wire.talk import NOTHING

type Answering = Callable[[Sending], Answer]
CHAT = Request(
    b"GET", b"/chat", headers=((b"Host", b"live.test"), (b"Upgrade", b"websocket"), (b"Cookie", b"sid=1"))
)
SWITCHED = Response(101)


def seen(
    protocol: str, *said: bytes, index: int = 0, is_complete: bool = True, live: str = "live.test:7000"
) -> Exchange:
    """Messages in turn, the client's first."""
    kind = "text" if protocol == "websocket" else ""
    messages = tuple(Message(at % 2 == 0, text, 100.0 + at / 100, kind) for at, text in enumerate(said))
    is_chat = protocol == "websocket"
    return Exchange(
        index,
        "pcap",
        f"s{index}",
        100.0 + index,
        CHAT if is_chat else NOTHING,
        SWITCHED if is_chat else None,
        0.1,
        live,
        protocol,
        messages,
        is_complete,
    )


def saying(*said: bytes, protocol: str = "tcp", response: Response | None = None) -> Reply:
    kind = "text" if protocol == "websocket" else ""
    messages = tuple(Message(False, text, 0.0, kind) for text in said)
    usual = SWITCHED if protocol == "websocket" else NO_RESPONSE
    return Reply(response or usual, protocol=protocol, messages=messages)


def always(outcome: Outcome) -> Answering:
    return lambda _: outcome


class Bench:
    def __init__(
        self,
        candidate: Answering,
        baseline: Answering | None = None,
        *,
        may_write: bool = True,
        mutators: tuple[TalkMutator, ...] = (),
        seed: int = 0,
    ) -> None:
        self.heard: list[Event] = []
        self.transports: dict[str, FakeTransport] = {}
        stopping = asyncio.Event()

        def link(name: str, answering: Answering) -> Link:
            target = Target(name, "http", f"{name}.test", 8000)
            correlation = Correlation(target, ("live.test:80",))
            preparation = Preparation(
                target, correlation, None, run="r1", keeps_host=False, clock=lambda: 1000.0
            )
            self.transports[name] = FakeTransport(answering)
            return Link(
                target,
                dict.fromkeys(("tcp", "udp", "dns", "websocket"), self.transports[name]),
                preparation,
                correlation,
                Standing(
                    name,
                    Breaker(BreakerSettings(slow_start_seconds=0.0)),
                    stopping=stopping,
                    hear=self.heard.append,
                ),
                timeout_seconds=5.0,
                hear=self.heard.append,
            )

        environment = Environment(
            link("candidate", candidate), link("baseline", baseline) if baseline else None
        )
        judging = Judging(Noise(NoiseSettings()), environment.candidate.correlation.same)
        governor = Governor(
            SafeModeSettings(), concurrency=4, stopping=stopping, halt=lambda _: None, hear=self.heard.append
        )
        self.governor = governor
        endpoints = TalkEndpoints(Endpoints())
        report = Reporting(origin="tcp://c:1", hear=self.heard.append).report
        trials = TalkTrials(
            environment,
            Scheduler(mutators, seed=seed),
            judging,
            governor,
            endpoints=endpoints,
            seed=seed,
            budget=len(mutators),
            times=3,
            may_write=may_write,
            hear=self.heard.append,
            report=report,
        )
        self.talks = Talks(
            environment,
            judging,
            environment.candidate.correlation.same,
            governor,
            endpoints=endpoints,
            times=3,
            may_write=may_write,
            seed=seed,
            hear=self.heard.append,
            report=report,
            trials=trials,
        )
        self._order = Order()

    async def conduct(self, *exchanges: Exchange) -> None:
        for one in exchanges:
            turn: Turn = self._order.enter(one, one.session)
            async with asyncio.timeout(10):
                await self.talks.conduct(one, one.session, turn)
            assert turn.is_sent
            turn.leave()

    @property
    def fates(self) -> list[tuple[Fate, str]]:
        return [(each.fate, each.why) for each in self.heard if isinstance(each, Settled)]

    @property
    def verdicts(self) -> list[Verdict]:
        return [each.trial.judgement.verdict for each in self.heard if isinstance(each, Judged)]

    @property
    def findings(self) -> list[Finding]:
        found = {each.finding.id: each.finding for each in self.heard if isinstance(each, Found)}
        return list(found.values())

    @property
    def parcels(self) -> list[Parcel]:
        return [each.parcel for each in self.heard if isinstance(each, Sent)]


async def test_same_answers_pass() -> None:
    bench = Bench(always(saying(b"ONE")), always(saying(b"ONE")))
    await bench.conduct(seen("tcp", b"one", b"ONE"))
    assert bench.verdicts == [Verdict.PASSED]
    assert bench.fates == [(Fate.REPLAYED, "")]
    (sent,) = bench.transports["candidate"].sent
    assert (sent.protocol, len(sent.messages), sent.request) == ("tcp", 2, NOTHING)


@pytest.mark.parametrize("baseline", [always(saying(b"ONE")), None], ids=["with a baseline", "alone"])
async def test_changed_answer_is_confirmed_and_reported_once(baseline: Answering | None) -> None:
    bench = Bench(always(saying(b"TWO")), baseline)
    await bench.conduct(seen("tcp", b"one", b"ONE"), seen("tcp", b"one", b"ONE", index=1))
    assert bench.verdicts == [Verdict.FAILED] * 2
    (found,) = bench.findings
    assert (found.endpoint, found.where, found.count) == ("TCP :7000", ("message[]:line[]",), 2)
    assert found.confirmed == "3/3"
    assert bench.parcels.count(Parcel.CONFIRMATION) == (6 if baseline else 3)
    assert found.reproduce["curl"] is None
    assert "/dev/tcp/c/1" in found.reproduce["shell"]


async def test_difference_that_does_not_last_is_not_reported() -> None:
    answers = iter([saying(b"TWO")])
    bench = Bench(lambda _: next(answers, saying(b"ONE")))
    await bench.conduct(seen("tcp", b"one", b"ONE"))
    assert (bench.verdicts, bench.findings) == ([Verdict.UNDECIDED], [])


async def test_what_differs_at_the_baseline_too_is_noise() -> None:
    bench = Bench(always(saying(b'{"n": 3}')), always(saying(b'{"n": 2}')))
    await bench.conduct(*(seen("tcp", b"x", b'{"n": 1}', index=at) for at in range(3)))
    assert bench.verdicts == [Verdict.PASSED] * 3


async def test_without_leave_to_write_nothing_is_said_twice() -> None:
    bench = Bench(always(saying(b"TWO")), always(saying(b"ONE")), may_write=False)
    await bench.conduct(seen("tcp", b"one", b"ONE"))
    assert (bench.verdicts, bench.findings) == ([Verdict.UNDECIDED], [])
    await bench.conduct(seen("tcp", b"one", b"ONE", index=1))
    assert [each.confirmed for each in bench.findings] == ["2/2"]
    assert set(bench.parcels) == {Parcel.ORIGINAL}


async def test_dns_query_reads_and_is_said_again() -> None:
    asked = dns.message.make_query("a.example", "A")

    def text(address: str) -> bytes:
        made = dns.message.make_response(asked)
        made.answer.append(dns.rrset.from_text("a.example.", 60, "IN", "A", address))
        return made.to_wire()

    bench = Bench(always(saying(text("192.0.2.2"), protocol="dns")), may_write=False)
    await bench.conduct(seen("dns", asked.to_wire(), text("192.0.2.1")))
    (found,) = bench.findings
    assert (found.endpoint, found.where, found.confirmed) == ("DNS A", ("dns:answer.A",), "3/3")


@pytest.mark.parametrize(
    ("why", "fault"), [(Silence.TIMED_OUT, "hang"), (Silence.CLOSED, "crash"), (Silence.RESET, "crash")]
)
async def test_silence_is_a_finding(why: Silence, fault: str) -> None:
    bench = Bench(always(NoReply(why)), always(saying(b"ONE")))
    await bench.conduct(seen("tcp", b"one", b"ONE"))
    (found,) = bench.findings
    assert (found.fault, found.severity, found.where) == (fault, "high", ("status",))


async def test_candidate_that_is_down_drops_it() -> None:
    bench = Bench(always(NoReply(Silence.REFUSED)))
    await bench.conduct(seen("tcp", b"one", b"ONE"))
    assert bench.fates == [(Fate.DROPPED, "candidate refused")]
    assert bench.verdicts == []


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(seen("tcp", b"one", b"ONE", is_complete=False), id="not all captured"),
        pytest.param(seen("udp", b"one"), id="nothing said"),
    ],
)
async def test_live_that_was_not_seen_tells_nothing(one: Exchange) -> None:
    assert live_reply(one) is None
    bench = Bench(always(saying(b"TWO", protocol=one.protocol)))
    await bench.conduct(one)
    assert (bench.fates, bench.verdicts) == ([(Fate.REPLAYED, "")], [Verdict.UNDECIDED])


async def test_baseline_stands_for_live_that_was_not_seen() -> None:
    bench = Bench(always(saying(b"TWO")), always(saying(b"ONE")))
    await bench.conduct(seen("tcp", b"one", b"ONE", is_complete=False))
    assert [each.why for each in bench.findings] == [
        "message[0]:line[0] was 'ONE', the candidate has 'TWO'; the baseline says so, live is unseen"
    ]


async def test_masked_conversation_is_not_judged() -> None:
    one = seen("websocket", b'{"password": "correct horse"}', b"ok")
    masked = redact_exchange(Redactor(RedactionSettings(), b"key"), one)
    assert b"horse" not in masked.messages[0].body
    bench = Bench(always(saying(b"no", protocol="websocket")))
    await bench.conduct(masked)
    assert bench.verdicts == [Verdict.UNDECIDED]


async def test_websocket_goes_out_as_any_request() -> None:
    bench = Bench(always(saying(b"ok", protocol="websocket")))
    await bench.conduct(seen("websocket", b"hi", b"ok"))
    (sent,) = bench.transports["candidate"].sent
    fields = dict(sent.request.headers)
    assert fields[b"Host"] == b"candidate.test:8000"
    assert (fields[b"Shadow-Run"], fields[b"Cookie"]) == (b"r1", b"sid=1")


async def test_refused_handshake_is_the_requests_finding() -> None:
    bench = Bench(always(saying(protocol="websocket", response=Response(403))))
    await bench.conduct(seen("websocket", b"hi", b"ok"))
    (found,) = bench.findings
    assert (found.endpoint, found.title) == ("GET /chat", "status: 101 to 403 (GET /chat)")


async def test_refuted_suspicion_is_not_tried_for_ever() -> None:
    calls: list[Sending] = []

    def wavering(sending: Sending) -> Outcome:
        calls.append(sending)
        return saying(b"TWO" if sending.messages[0].body == b"first" and len(calls) % 2 else b"ONE")

    bench = Bench(wavering, always(saying(b"ONE")))
    await bench.conduct(*(seen("tcp", b"first", b"ONE", index=at) for at in range(8)))
    assert bench.parcels.count(Parcel.CONFIRMATION) <= 2 * 3 * 3
    assert bench.findings == []


async def test_cancelled_conversation_leaves_its_fate_open() -> None:
    asked = asyncio.Event()

    def hang(_: Sending) -> Answer:
        asked.set()
        return HANG

    bench = Bench(hang)
    one = seen("tcp", b"one", b"ONE")
    turn = Order().enter(one, "s")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.talks.conduct(one, "s", turn), name="talk")
        await asked.wait()
        task.cancel()
    assert not turn.is_settled
    assert bench.transports["candidate"].cancelled == 1


@pytest.mark.parametrize("protocol", ["dns", "udp"])
def test_datagrams_do_not_wait_for_each_other(protocol: str) -> None:
    order = Order()
    first = order.enter(seen(protocol, b"a", b"b"), "s0")
    later = order.enter(seen(protocol, b"a", b"b", index=1), "s1")
    assert (first.is_free, later.is_free) == (True, True)


@pytest.mark.parametrize(("seen_at", "waits"), [(100.005, False), (100.5, True)])
def test_stream_waits_for_those_that_had_ended_before_it_began(seen_at: float, waits: bool) -> None:
    order = Order()
    first = order.enter(msgspec.structs.replace(seen("tcp", b"a", b"b"), latency_seconds=None), "s0")
    later = order.enter(msgspec.structs.replace(seen("tcp", b"a", b"b"), seen_at=seen_at), "s1")
    assert (first.is_free, later.is_free) == (True, not waits)
    first.original_sent()
    assert later.is_free
