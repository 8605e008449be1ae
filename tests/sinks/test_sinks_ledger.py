"""The ledger adds up, whatever it hears."""

from hypothesis import given
from hypothesis import strategies as st

from shadow.model import (
    Broke,
    Event,
    Fate,
    Finding,
    Found,
    HeldBack,
    Judged,
    Judgement,
    Kind,
    NoReply,
    Parcel,
    QueueSeen,
    Reply,
    Response,
    Sent,
    SentLate,
    Settled,
    Silence,
    StateChanged,
    Trial,
    Verdict,
)
from shadow.sinks.ledger import Ledger

UNSENT = NoReply(Silence.UNSENT)


def found(name: str, severity: str = "high") -> Found:
    finding = Finding(
        id=name,
        kind="mutant",
        fault="F100",
        severity=severity,
        title="t",
        endpoint="GET /",
        where=("status",),
        mutator=None,
        edits=(),
        expect="survive",
        why="",
        exchanges=(0,),
        count=1,
        control=None,
        answer=None,
        baseline=None,
        confirmed="5/5",
        reproduce={},
    )
    return Found(finding)


def judged(verdict: Verdict) -> Judged:
    return Judged(Trial(0, "GET /", Kind.MUTANT, "m", Judgement(verdict)))


EVENTS = st.one_of(
    st.builds(Settled, st.just("pcap"), st.sampled_from(Fate), st.integers(0, 1000)),
    st.builds(
        Sent,
        st.just("candidate"),
        st.sampled_from(Parcel),
        st.sampled_from([Reply(Response(200)), NoReply(Silence.TIMED_OUT), UNSENT]),
    ),
    st.sampled_from(Verdict).map(judged),
    st.builds(found, st.sampled_from("abc"), st.sampled_from(["high", "medium", "low", "unheard of"])),
    st.just(Broke(1, "x")),
    st.just(QueueSeen("intake", 1, 2)),
)


@given(st.lists(EVENTS, max_size=40))
def test_captured_is_the_sum_of_all_fates_and_nothing_is_counted_twice(events: list[Event]) -> None:
    ledger = Ledger()
    for event in events:
        ledger.hear(event)
    summary = ledger.summary("r", 7, 1.5, 2.5)
    fates = dict(summary["ledger"])
    assert fates.pop("captured") == sum(fates.values()) == ledger.captured
    assert ledger.captured == sum(event.count for event in events if isinstance(event, Settled))
    left = [event for event in events if isinstance(event, Sent) and event.outcome is not UNSENT]
    assert sum(summary["sent"].values()) == len(left)
    assert sum(summary["trials"].values()) == sum(isinstance(event, Judged) for event in events)
    distinct = {event.finding.id for event in events if isinstance(event, Found)}
    assert sum(summary["findings"].values()) == len(distinct)
    assert ledger.broke == sum(isinstance(event, Broke) for event in events)


def test_the_summary_has_the_documented_shape() -> None:
    ledger = Ledger(wall_clock=lambda: 1700000001.25)
    ledger.hear(Settled("pcap", Fate.SAMPLED_OUT, 3))
    ledger.hear(Settled("pcap", Fate.REPLAYED))
    ledger.hear(Sent("candidate", Parcel.CONFIRMATION, Reply(Response(200))))
    ledger.hear(judged(Verdict.UNDECIDED))
    ledger.hear(found("a", "medium"))
    ledger.hear(SentLate(0.002))
    ledger.hear(HeldBack("endpoint", 2))
    ledger.hear(StateChanged("ending", "a remark, and no state"))
    ledger.hear(StateChanged("throttled", "it is slow"))
    ledger.close()
    assert ledger.summary("r1", 7, 1700000000.5, 12.25, {"exchanges": 2}) == {
        "run": "r1",
        "seed": 7,
        "started_at": 1700000000.5,
        "seconds": 12.25,
        "ledger": {
            "captured": 4,
            "replayed": 1,
            "filtered": 0,
            "sampled_out": 3,
            "dropped": 0,
            "unparsed": 0,
        },
        "sent": {
            "originals": 0,
            "repeats": 0,
            "mutants": 0,
            "confirmations": 1,
            "minimisations": 0,
            "probes": 0,
        },
        "trials": {"passed": 0, "failed": 0, "undecided": 1},
        "findings": {"high": 0, "medium": 1, "low": 0},
        "known": {},
        "targets": {},
        "late": {"requests": 1, "p50_seconds": 0.002, "p99_seconds": 0.002, "max_seconds": 0.002},
        "state": "throttled",
        "states": [{"state": "throttled", "why": "it is slow", "at": 1700000001.25}],
        "unwritten": {"exchanges": 2},
        "conditions": {},
        "filtered": {},
        "broke": 0,
        "plugins": {},
        "held_back": {"endpoint": 2, "minute": 0},
        "undecided": {"other": 1},
    }


def test_of_very_many_changes_of_state_the_first_and_the_last_are_kept() -> None:
    ledger = Ledger()
    for at in range(1000):
        ledger.hear(StateChanged(("throttled", "normal")[at % 2], str(at)))
    why = [each["why"] for each in ledger.states]
    assert len(why) <= 100
    assert (why[:2], why[-1], ledger.state) == (["0", "1"], "999", "normal")


def test_a_finding_whose_severity_rises_moves() -> None:
    ledger = Ledger()
    ledger.hear(found("a", "low"))
    ledger.hear(found("a", "high"))
    assert ledger.summary("r", 0, 0.0, 0.0)["findings"] == {"high": 1, "medium": 0, "low": 0}
