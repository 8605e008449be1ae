"""Metrics of a run for Prometheus, and the port that serves them. Home of prometheus_client."""

import platform
import socketserver
import threading
from collections.abc import Iterable, Iterator
from itertools import accumulate
from socket import SOCK_STREAM, getaddrinfo
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app
from prometheus_client.registry import Collector

from shadow.errors import SinkError
from shadow.model import (
    REPLY_BOUNDS_SECONDS,
    RUN_STATES,
    Broke,
    ConditionMet,
    Event,
    Fate,
    Finding,
    Found,
    FramesSeen,
    HeldBack,
    Judged,
    Parcel,
    QueueSeen,
    Reply,
    Sent,
    SentLate,
    Settled,
    Severity,
    StateChanged,
    Tally,
    TapTimed,
    TargetSeen,
    Trial,
    Verdict,
    authority,
)
from shadow.sinks.ledger import is_unsent, severity_of

MAX_ENDPOINTS = 200
MAX_MUTATORS = 2000
"""All that Shadow brings, and many of others; what keeps a scrape small is `MAX_SERIES`."""
MAX_SERIES = 10_000
"""Of one metric: a scrape renders about a hundred thousand samples a second."""
_MAX_WORDS = 50
_MAX_LABEL_CHARACTERS = 200
_MAX_EXEMPLAR_CHARACTERS = 100
"""OpenMetrics allows 128 for names and values together."""

_LATE_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120)


class Metrics:
    """A sink that counts events in `registry`. Label values are cleaned, their number is bounded."""

    def __init__(self, registry: CollectorRegistry, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series, and Prometheus takes them for metrics

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"shadow_{name}_total", says, labels, registry=registry)

        def gauge(name: str, says: str, *labels: str) -> Gauge:
            return Gauge(f"shadow_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, buckets: Iterable[float], *labels: str) -> Histogram:
            return Histogram(
                f"shadow_{name}_seconds", says, labels, registry=registry, buckets=tuple(buckets)
            )

        self._exchanges = counter("exchanges", "Captured exchanges by what became of them", "tap", "fate")
        self._sent = counter("sent", "Requests sent to a target", "target", "kind")
        self._trials = counter("trials", "Judged trials", "endpoint", "mutator", "expect", "verdict")
        self._undecided = counter("undecided", "Trials that tell nothing, by the reason", "reason")
        self._divergences = counter(
            "divergences", "Occurrences of confirmed findings", "endpoint", "kind", "severity", "fault"
        )
        self._held_back = counter("mutants_held_back", "Mutants that a budget kept from being made", "budget")
        self._resets = counter("resets", "How often the shadow environment was put back")
        self._broken = counter("broken_exchanges", "Exchanges lost to a bug in Shadow")
        self._findings = gauge("findings", "Distinct causes found, without accepted ones", "severity")
        self._known = gauge("known_findings", "Distinct causes found that were accepted", "severity")
        self._reply = histogram("reply", "Time to the whole answer", REPLY_BOUNDS_SECONDS, "target", "kind")
        self._queue = gauge("queue_items", "Fill of a bounded queue", "queue")
        self._capacity = gauge("queue_capacity_items", "Capacity of a bounded queue", "queue")
        self._up = gauge("target_up", "Whether a target is usable", "target")
        self._state = gauge("state", "1 for the state that the run is in", "state")
        self._conditions = counter(
            "condition_requests", "Requests that a network condition met", "target", "condition", "direction"
        )
        self._condition_bytes = counter(
            "condition_bytes", "Bytes that a network condition met", "target", "condition", "direction"
        )
        self._late = histogram("replay_late", "How long after its moment a request left", _LATE_BUCKETS)
        self._tap = _TapSeconds()
        registry.register(self._tap)
        self._frames = _TapFrames()
        registry.register(self._frames)
        gauge("build_info", "Version of Shadow, always 1", "version", "python").labels(
            clean(version), platform.python_version()
        ).set(1)
        self._change("normal")
        for severity in Severity:
            self._findings.labels(severity.value).set(0)
            self._known.labels(severity.value).set(0)
        self._endpoint, self._mutator = _Words(MAX_ENDPOINTS), _Words(MAX_MUTATORS)
        self._tap_name, self._queue_name, self._kind, self._fault = (_Words(_MAX_WORDS) for _ in range(4))
        self._fate_series: dict[tuple[str, Fate], Counter] = {}
        self._trial_series: dict[tuple[str, ...], Counter] = {}
        self._reply_series: dict[tuple[str, Parcel], tuple[Counter, Histogram]] = {}
        self._seen: dict[str, tuple[Severity, int, Gauge]] = {}

    def hear(self, event: Event) -> None:  # noqa: C901, PLR0912  # a case for each event
        match event:
            case Judged():
                self._judged(event.trial)
            case Sent():
                self._count_sent(event)
            case Settled():
                self._settled(event.tap, event.fate, event.count)
            case SentLate():
                self._late.observe(event.late_seconds)
            case TapTimed() | FramesSeen():
                self._heed_tap(event)
            case QueueSeen():
                queue = self._queue_name(event.queue)
                self._queue.labels(queue).set(event.items)
                self._capacity.labels(queue).set(event.capacity_items)
            case TargetSeen():
                self._up.labels(_target(event.target)).set(event.is_up)
            case Found(is_told_again=False):
                self._found(event.finding)
            case ConditionMet():
                labels = (_target(event.target), event.condition, event.direction)
                self._conditions.labels(*labels).inc(event.count)
                self._condition_bytes.labels(*labels).inc(event.byte_count)
            case HeldBack():
                self._held_back.labels(event.budget).inc(event.count)
            case Broke():
                self._broken.inc()
            case Tally():
                self._add(event)
            case StateChanged():
                self._change(event.state)

    def _heed_tap(self, event: TapTimed | FramesSeen) -> None:
        name = self._tap_name(event.tap)
        if isinstance(event, TapTimed):
            self._tap.latest[name] = event
        else:
            self._frames.latest[name] = event

    def close(self) -> None:
        """Nothing is buffered; the exporter is closed by whoever opened it."""

    def _change(self, state: str) -> None:
        if state == "reset":
            self._resets.inc()
        if state not in RUN_STATES:
            return
        for each in RUN_STATES:
            self._state.labels(each).set(each == state)

    def _settled(self, tap: str, fate: Fate, count: int) -> None:
        name = self._tap_name(tap)
        if (name, fate) not in self._fate_series:
            # all fates from the first one on, so that the first drop is a rise and no new series
            self._fate_series |= {(name, each): self._exchanges.labels(name, each.value) for each in Fate}
        self._fate_series[name, fate].inc(count)

    def _add(self, tally: Tally) -> None:
        for (target, parcel), replies in tally.replies.items():
            sent, seconds = self._series_sent(target, Parcel(parcel))
            sent.inc(replies.sent)
            for bucket, count in zip(seconds._buckets, replies.counts, strict=True):  # noqa: SLF001  # no public way takes many
                bucket.inc(count)
            seconds._sum.inc(replies.sum_seconds)  # noqa: SLF001
        for (endpoint, mutator, expect, verdict), count in tally.trials.items():
            self._count_trials(endpoint, mutator, expect, verdict, count=count)
        for doubt, count in tally.doubts.items():
            self._undecided.labels(doubt).inc(count)

    def _count_sent(self, event: Sent) -> None:
        if is_unsent(event):
            return
        sent, seconds = self._series_sent(event.target, event.parcel)
        sent.inc()
        if isinstance(event.outcome, Reply):
            seconds.observe(event.outcome.timing.total_seconds)

    def _series_sent(self, target: str, parcel: Parcel) -> tuple[Counter, Histogram]:
        key = (_target(target), parcel)
        series = self._reply_series.get(key)
        if series is None:
            labels = (key[0], key[1].value)
            series = self._reply_series[key] = (self._sent.labels(*labels), self._reply.labels(*labels))
        return series

    def _judged(self, trial: Trial) -> None:
        expect = trial.expect or trial.judgement.expect
        verdict = trial.judgement.verdict.value
        self._count_trials(trial.endpoint, trial.label, expect.value if expect else "", verdict)
        if trial.judgement.verdict is Verdict.UNDECIDED:
            self._undecided.labels(trial.judgement.doubt.value).inc()

    def _count_trials(
        self, endpoint: str, mutator: str | None, expect: str, verdict: str, *, count: int = 1
    ) -> None:
        labels = (self._endpoint(endpoint), self._mutator(mutator or "none"), expect or "none", verdict)
        if labels not in self._trial_series and len(self._trial_series) >= MAX_SERIES:
            labels = ("other", "other", *labels[2:])
        series = self._trial_series.get(labels)
        if series is None:
            series = self._trial_series[labels] = self._trials.labels(*labels)
        series.inc(count)

    def _found(self, finding: Finding) -> None:
        """What was accepted is no divergence that anyone wants to be woken for."""
        severity = severity_of(finding.severity)
        before, counted, gauge_before = self._seen.get(finding.id, (None, 0, None))
        gauge = self._findings if finding.known is None else self._known
        if finding.known is None:
            labels = (
                self._endpoint(finding.endpoint),
                self._kind(finding.kind),
                severity.value,
                self._fault(finding.fault),
            )
            self._divergences.labels(*labels).inc(
                max(1, finding.count - counted), {"finding": clean(finding.id)[:_MAX_EXEMPLAR_CHARACTERS]}
            )
        self._seen[finding.id] = (severity, max(finding.count, counted + 1), gauge)
        if (before, gauge_before) != (severity, gauge):
            gauge.labels(severity.value).inc()
            if before is not None and gauge_before is not None:
                gauge_before.labels(before.value).dec()


class _TapSeconds(Collector):
    """Histograms that the taps themselves keep, as last told."""

    def __init__(self) -> None:
        self.latest: dict[str, TapTimed] = {}

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(
            "shadow_tap_seconds", "Time the tap spent in the path of a live request", labels=("tap",)
        )
        for name, told in tuple(self.latest.items()):
            bounds = (*map(repr, told.bounds_seconds), "+Inf")
            buckets = list(zip(bounds, accumulate(told.counts), strict=True))
            family.add_metric((name,), buckets, told.sum_seconds)
        yield family


class _TapFrames(Collector):
    """What passive taps took of the wire and lost, as last told."""

    def __init__(self) -> None:
        self.latest: dict[str, FramesSeen] = {}

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "shadow_tap_frames", "Frames of a passive tap by what became of them", labels=("tap", "fate")
        )
        for name, told in tuple(self.latest.items()):
            family.add_metric((name, "taken"), told.taken)
            family.add_metric((name, "lost"), told.lost)
        yield family


class Exporter:
    """Serves `registry` over HTTP from threads of its own; raises SinkError where it cannot listen.

    Port 0 takes any free one; `port` tells which. Whoever opens it closes it.
    """

    def __init__(self, host: str, port: int, registry: CollectorRegistry) -> None:
        try:
            family, *_, address = getaddrinfo(host, port, type=SOCK_STREAM)[0]
            server_class = type("_Server", (_Server,), {"address_family": family})
            self._server: WSGIServer = make_server(
                str(address[0]), port, make_wsgi_app(registry), server_class, handler_class=_Scrape
            )
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            way_out = "choose another --metrics HOST:PORT (port 0: any)"
            raise SinkError(f"cannot serve metrics on {authority(host, port)}: {why}; {way_out}") from error
        self.host = host
        self.port: int = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """Where Prometheus scrapes."""
        return f"http://{authority(self.host, self.port)}/metrics"

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def clean(value: str) -> str:
    """`value` as a label: valid UTF-8, without control characters, and short."""
    text = value[:_MAX_LABEL_CHARACTERS]
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class _Words:
    """The first `limit` distinct words; all later ones are ``"other"``."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._words: dict[str, str] = {}

    def __call__(self, word: str) -> str:
        known = self._words.get(word)
        if known is not None:
            return known
        if len(self._words) >= self._limit:
            return "other"
        known = self._words[word] = clean(word)
        return known


class _Server(ThreadingWSGIServer):
    """Asks no name server at start, and takes a scraper that hangs up for what it is."""

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        host, self.server_port = self.server_address[:2]
        self.server_name = str(host)
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection on this port is the scraper's affair."""


class _Scrape(WSGIRequestHandler):
    timeout = 10.0

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name that is overridden)
        """A scrape is no news."""


def _target(name: str) -> str:
    return name if name in {"candidate", "baseline"} else "other"


def serve(host: str, port: int, version: str) -> tuple[Metrics, Exporter]:
    """A sink and the exporter that serves what it counts. Raises SinkError as `Exporter` does."""
    registry = CollectorRegistry()
    exporter = Exporter(host, port, registry)
    return Metrics(registry, version), exporter
