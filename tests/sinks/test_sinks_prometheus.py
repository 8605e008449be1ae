"""Metrics as a scraper sees them, over a real port."""

import socket
from collections.abc import Callable, Iterator
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_plain

from mutators import CATALOG, SESSION_CATALOG, TALK_CATALOG, lifted
from shadow.errors import SinkError
from shadow.model import (
    Broke,
    Expect,
    Fate,
    Finding,
    Found,
    FramesSeen,
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
    TapTimed,
    TargetSeen,
    Timing,
    Trial,
    Verdict,
)
from shadow.sinks.prometheus import MAX_ENDPOINTS, MAX_MUTATORS, MAX_SERIES, Exporter, Metrics, clean

type Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def judged(
    endpoint: str = "GET /x", mutator: str | None = "m", expect: Expect | None = Expect.SAME
) -> Judged:
    return Judged(Trial(0, endpoint, Kind.MUTANT, mutator, Judgement(Verdict.PASSED), expect=expect))


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry: CollectorRegistry) -> Metrics:
    return Metrics(registry, "1.2.3")


@pytest.fixture
def exporter(registry: CollectorRegistry) -> Iterator[Exporter]:
    exporter = Exporter("127.0.0.1", 0, registry)
    yield exporter
    exporter.close()


def scrape(exporter: Exporter, accept: str = "text/plain") -> str:
    with urlopen(HttpRequest(exporter.url, headers={"Accept": accept}), timeout=10) as answer:
        return str(answer.read().decode())


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse_plain(text)
        for sample in family.samples
    }


def test_every_documented_metric_is_in_a_real_scrape(
    metrics: Metrics, exporter: Exporter, finding: Callable[..., Finding]
) -> None:
    reply = Reply(Response(200), Timing(total_seconds=0.03))
    for event in (
        Settled("pcap", Fate.DROPPED, 3),
        Settled("pcap", Fate.REPLAYED),
        Sent("candidate", Parcel.MUTANT, reply),
        Sent("candidate", Parcel.MUTANT, NoReply(Silence.TIMED_OUT)),
        Sent("candidate", Parcel.MUTANT, NoReply(Silence.UNSENT)),
        judged(),
        judged(mutator=None, expect=None),
        Found(finding()),
        QueueSeen("intake", 5, 100),
        SentLate(0.2),
        TapTimed("mitm", (1e-6, 1e-5), (0, 1, 0), 2e-6),
        FramesSeen("sniff", 900, 7),
        TargetSeen("candidate", is_up=True),
        TargetSeen("baseline", is_up=False),
        Broke(1, "bug"),
        StateChanged("paused"),
    ):
        metrics.hear(event)
    metrics.close()
    seen = samples(scrape(exporter))

    def value(name: str, **labels: str) -> float:
        return seen[name, tuple(sorted(labels.items()))]

    assert value("shadow_exchanges_total", tap="pcap", fate="dropped") == 3
    assert value("shadow_exchanges_total", tap="pcap", fate="replayed") == 1
    assert value("shadow_exchanges_total", tap="pcap", fate="unparsed") == 0
    assert value("shadow_sent_total", target="candidate", kind="mutant") == 2
    assert value("shadow_trials_total", endpoint="GET /x", mutator="m", expect="same", verdict="passed") == 1
    assert (
        value("shadow_trials_total", endpoint="GET /x", mutator="none", expect="none", verdict="passed") == 1
    )
    labels = {"endpoint": "GET /v1/x/{id}", "kind": "mutant", "severity": "high", "fault": "F205"}
    assert value("shadow_divergences_total", **labels) == 1
    assert value("shadow_findings", severity="high") == 1
    assert value("shadow_findings", severity="low") == 0
    assert value("shadow_reply_seconds_count", target="candidate", kind="mutant") == 1
    assert value("shadow_reply_seconds_bucket", target="candidate", kind="mutant", le="0.05") == 1
    assert value("shadow_queue_items", queue="intake") == 5
    assert value("shadow_queue_capacity_items", queue="intake") == 100
    assert value("shadow_target_up", target="candidate") == 1
    assert value("shadow_target_up", target="baseline") == 0
    assert value("shadow_replay_late_seconds_count") == 1
    assert value("shadow_tap_seconds_bucket", tap="mitm", le="1e-05") == 1
    assert value("shadow_tap_frames_total", tap="sniff", fate="taken") == 900
    assert value("shadow_tap_frames_total", tap="sniff", fate="lost") == 7
    assert value("shadow_broken_exchanges_total") == 1
    assert [dict(labels)["version"] for name, labels in seen if name == "shadow_build_info"] == ["1.2.3"]
    assert not [name for name, _ in seen if name.endswith("_created")]


def test_divergences_follow_the_count_and_findings_the_causes(
    metrics: Metrics, exporter: Exporter, finding: Callable[..., Finding]
) -> None:
    for count in (1, 4, 4):
        metrics.hear(Found(finding(count=count), is_new=count == 1))
    metrics.hear(Found(finding(id="f2", severity="low")))
    metrics.hear(Found(finding(id="f2", severity="medium")))
    seen = samples(scrape(exporter))
    assert sum(value for (name, _), value in seen.items() if name == "shadow_divergences_total") == 5 + 2
    causes = {
        dict(labels)["severity"]: value for (name, labels), value in seen.items() if name == "shadow_findings"
    }
    assert causes == {"high": 1, "medium": 1, "low": 0}


def test_an_exemplar_bears_the_findings_id(
    metrics: Metrics, exporter: Exporter, finding: Callable[..., Finding]
) -> None:
    metrics.hear(Found(finding(id="cafe" * 50)))
    text = scrape(exporter, "application/openmetrics-text; version=1.0.0")
    exemplars = [
        sample.exemplar.labels
        for family in parse_openmetrics(text)  # type: ignore[no-untyped-call]  # ships no types
        for sample in family.samples
        if sample.name == "shadow_divergences_total" and sample.exemplar
    ]
    assert exemplars == [{"finding": "cafe" * 25}]


def test_ten_thousand_endpoints_make_a_bounded_number_of_series(metrics: Metrics, exporter: Exporter) -> None:
    for number in range(10_000):
        metrics.hear(judged(f"GET /{number}"))
    trials = {
        labels: value
        for (name, labels), value in samples(scrape(exporter)).items()
        if name == "shadow_trials_total"
    }
    assert len(trials) == MAX_ENDPOINTS + 1
    assert sum(trials.values()) == 10_000
    assert {dict(labels)["endpoint"] for labels in trials} >= {"GET /0", "other"}


def test_every_mutator_of_the_catalogue_has_a_label_of_its_own() -> None:
    assert len(CATALOG) + len(SESSION_CATALOG) + len(TALK_CATALOG) + len(lifted(CATALOG)) < MAX_MUTATORS


def test_many_endpoints_times_many_mutators_stay_bounded(
    metrics: Metrics, registry: CollectorRegistry
) -> None:
    for endpoint in range(MAX_ENDPOINTS):
        for mutator in range(MAX_SERIES // MAX_ENDPOINTS + 5):
            metrics.hear(judged(f"GET /{endpoint}", f"m{mutator}"))
    (family,) = (each for each in registry.collect() if each.name == "shadow_trials")
    assert MAX_SERIES < len(family.samples) <= MAX_SERIES + 21
    assert sum(sample.value for sample in family.samples) == MAX_ENDPOINTS * (MAX_SERIES // MAX_ENDPOINTS + 5)


@pytest.mark.parametrize(
    "hostile",
    [
        'a"} 1\nshadow_fake_total 9',
        "\\",
        "\\n",
        "\ud800",
        "x" * 5000,
        "\x00\x1b[31m",
        "{a=~'.*'}",
        "é\u202e",
        "",
    ],
    ids=["injection", "backslash", "escape", "surrogate", "long", "control", "query", "bidi", "empty"],
)
def test_hostile_label_values_cannot_break_a_scrape(
    metrics: Metrics, exporter: Exporter, finding: Callable[..., Finding], hostile: str
) -> None:
    metrics.hear(judged(hostile, hostile))
    metrics.hear(Settled(hostile, Fate.REPLAYED))
    metrics.hear(QueueSeen(hostile, 1, 1))
    metrics.hear(TargetSeen(hostile, is_up=True))
    metrics.hear(Found(finding(id=hostile, endpoint=hostile, kind=hostile, fault=hostile, severity=hostile)))
    text = scrape(exporter)
    (labels,) = (dict(labels) for name, labels in samples(text) if name == "shadow_trials_total")
    assert labels["endpoint"] == clean(hostile)
    assert "shadow_fake_total 9" not in text.splitlines()
    openmetrics = scrape(exporter, "application/openmetrics-text; version=1.0.0")
    assert "shadow_divergences_total" in openmetrics
    assert openmetrics.endswith("# EOF\n")


@given(st.text())
def test_a_cleaned_label_is_short_valid_and_printable(text: str) -> None:
    label = clean(text)
    assert len(label) <= 200
    assert label.isprintable()
    label.encode()


def test_a_port_in_use_is_told_with_the_way_out(registry: CollectorRegistry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            SinkError, match=rf"127\.0\.0\.1:{port}: Address already in use; choose another --metrics"
        ):
            Exporter("127.0.0.1", port, registry)


@pytest.mark.parametrize(
    ("host", "port"), [("127.0.0.1", 70_000), ("256.1.1.1.invalid", 0), ("192.0.2.1", 0)]
)
def test_a_place_that_cannot_be_served_is_a_sink_error(
    registry: CollectorRegistry, host: str, port: int
) -> None:
    with pytest.raises(SinkError, match="cannot serve metrics on"):
        Exporter(host, port, registry)


def test_the_port_is_free_again_after_closing(registry: CollectorRegistry) -> None:
    first = Exporter("127.0.0.1", 0, registry)
    first.close()
    second = Exporter("127.0.0.1", first.port, registry)
    assert second.url == f"http://127.0.0.1:{first.port}/metrics"
    second.close()


def test_a_scraper_that_hangs_up_prints_nothing(
    exporter: Exporter, capfd: pytest.CaptureFixture[str], metrics: Metrics
) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", exporter.port)) as hasty:
            hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            hasty.sendall(b"GET /metrics HTTP/1.1\r\n")
    assert "shadow_build_info" in scrape(exporter)
    assert capfd.readouterr().err == ""


def test_several_edits_in_one_mutant_are_counted_under_one_label(
    metrics: Metrics, exporter: Exporter
) -> None:
    for name in ("a+b", "b+c+d", "a"):
        metrics.hear(judged(mutator=name))
    found = samples(scrape(exporter))
    counts = {
        dict(labels)["mutator"]: value
        for (name, labels), value in found.items()
        if name == "shadow_trials_total"
    }
    assert counts == {"stacked": 2.0, "a": 1.0}


def test_a_finding_that_is_told_again_smaller_is_no_further_occurrence(
    metrics: Metrics, exporter: Exporter, finding: Callable[..., Finding]
) -> None:
    metrics.hear(Found(finding(count=1)))
    metrics.hear(Found(finding(count=1), is_new=False, is_told_again=True))
    found = samples(scrape(exporter))
    assert sum(value for (name, _), value in found.items() if name == "shadow_divergences_total") == 1
