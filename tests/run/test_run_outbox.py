"""What a worker tells must look, to every sink, like the events themselves."""

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from shadow.content.redaction import RedactionSettings, Redactor
from shadow.model import (
    Broke,
    Event,
    Exchange,
    Expect,
    Fate,
    Judged,
    Judgement,
    Kind,
    NoReply,
    Parcel,
    QueueSeen,
    Reply,
    Request,
    Response,
    Sent,
    Settled,
    Silence,
    StateChanged,
    Timing,
    Trial,
    Verdict,
)
from shadow.run.outbox import Batch, Outbox, Reported
from shadow.sinks.ledger import Ledger
from shadow.sinks.prometheus import Metrics
from shadow.taps.jsonl import decode

SECRET = Request(b"GET", b"/a", headers=((b"Authorization", b"Bearer 0f1e2d3c4b5a49688796a5b4c3d2e1f0"),))


def exchange(index: int) -> Exchange:
    return Exchange(index, "test", f"s{index}", float(index), SECRET, Response(200))


def trial(verdict: Verdict, mutator: str | None = None, expect: Expect | None = None) -> Trial:
    return Trial(0, "GET /a", Kind.MUTANT, mutator, Judgement(verdict), expect=expect)


def sent(seconds: float, parcel: Parcel = Parcel.ORIGINAL) -> Sent:
    return Sent("candidate", parcel, Reply(Response(200), Timing(total_seconds=seconds)))


EVENTS: list[Event] = [
    Settled("test", Fate.REPLAYED, 1, "", exchange(0)),
    Settled("test", Fate.DROPPED, 1, "the run was stopped", exchange(1)),
    Settled("test", Fate.FILTERED, 1, "not in scope.include", exchange(2)),
    *(sent(seconds) for seconds in (0.0001, 0.001, 0.0011, 0.3, 10.0, 99.0)),
    sent(0.2, Parcel.MUTANT),
    Sent("candidate", Parcel.MUTANT, NoReply(Silence.TIMED_OUT)),
    Sent("candidate", Parcel.MUTANT, NoReply(Silence.UNSENT)),
    Judged(trial(Verdict.PASSED)),
    Judged(trial(Verdict.PASSED, "m", Expect.SAME)),
    Judged(trial(Verdict.UNDECIDED, "m", Expect.SAME)),
    Judged(trial(Verdict.FAILED, "m", Expect.REJECT)),
    Broke(3, "ValueError"),
]


@pytest.fixture
def told() -> list[None]:
    return []


@pytest.fixture
def outbox(told: list[None]) -> Outbox:
    return Outbox(Redactor(RedactionSettings(), b"key"), lambda: told.append(None))


def as_heard(batch: Batch) -> list[Event]:
    return [*(event for event in batch.events if not isinstance(event, Reported)), batch.tally]


async def test_a_ledger_and_metrics_count_the_same_either_way(outbox: Outbox) -> None:
    for event in EVENTS:
        outbox.hear(event)
    batch = outbox.collect()

    def counted(events: list[Event]) -> tuple[dict[str, Any], list[bytes]]:
        ledger, registry = Ledger(), CollectorRegistry()
        metrics = Metrics(registry, "1")
        for event in events:
            ledger.hear(event)
            metrics.hear(event)
        return ledger.summary("r", 0, 0.0, 0.0), sorted(generate_latest(registry).splitlines())

    assert counted(as_heard(batch)) == counted(EVENTS)
    assert len(batch.events) == 5, "what passed is counted, what failed or broke is told whole"


async def test_lines_are_those_of_replayed_exchanges_and_redacted(outbox: Outbox) -> None:
    for event in EVENTS:
        outbox.hear(event)
    (line,) = outbox.collect().tally.lines
    found = decode(line)
    assert isinstance(found, Exchange)
    assert found.index == 0
    assert b"0f1e2d3c" not in line
    assert b"<redacted:" in line


async def test_a_number_is_told_with_the_fate_of_its_exchange(outbox: Outbox) -> None:
    for number in (10, 11, 12):
        outbox.expect(exchange(number - 10), number)
    outbox.hear(EVENTS[1])
    outbox.hear(EVENTS[0])
    batch = outbox.collect()
    assert batch.settled == [11, 10]
    assert batch.events == [
        Settled("test", Fate.DROPPED, 1, "the run was stopped"),
        Settled("test", Fate.REPLAYED),
    ]
    assert outbox.collect() == Batch(), "nothing is told twice"


async def test_exchanges_of_one_index_are_told_apart_by_session(outbox: Outbox) -> None:
    twins = [Exchange(0, "test", session, 1.0, SECRET) for session in "abb"]
    for number, each in enumerate(twins):
        outbox.expect(each, number)
    for each in (twins[1], twins[0], twins[2]):
        outbox.hear(Settled("test", Fate.DROPPED, 1, "", each))
    assert outbox.collect().settled == [1, 0, 2]


async def test_who_is_waited_for_is_told_at_once(outbox: Outbox, told: list[None]) -> None:
    outbox.expect(exchange(0), 0)
    outbox.expect(exchange(1), 1)
    outbox.want([0])
    assert told == [], "it is open still"
    outbox.hear(EVENTS[0])
    assert told == [], "not from within the hearing"
    await _turn()
    assert told == [None]
    outbox.want([0])
    assert told == [None, None], "it is settled, and may not have been told"


async def test_the_end_of_the_run_is_asked_for_once_and_small_talk_stays_here(outbox: Outbox) -> None:
    for event in (QueueSeen("intake", 1, 2), StateChanged("ending"), StateChanged("stopping", "it is down")):
        outbox.hear(event)
    batch = outbox.collect()
    assert (batch.stopped, batch.events) == ("it is down", [])
    assert outbox.collect().stopped == ""


async def test_reports_keep_their_place_behind_the_verdict(outbox: Outbox) -> None:
    failed = trial(Verdict.FAILED)
    outbox.hear(Judged(failed))
    outbox.report(failed, "3/3", None)
    assert outbox.collect().events == [Judged(failed), Reported(failed, "3/3", None)]


async def _turn() -> None:
    """Let what was to be called soon be called."""

    await asyncio.sleep(0)
