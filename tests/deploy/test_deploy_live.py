"""The whole chain on loopback: sink, exporter, a real Prometheus with our rules, a real Alertmanager."""

import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Any, TextIO
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry

from shadow.model import (
    Event,
    Expect,
    Fate,
    Finding,
    Found,
    Judged,
    Judgement,
    Kind,
    Parcel,
    QueueSeen,
    Reply,
    Response,
    Sent,
    SentLate,
    Settled,
    TapTimed,
    TargetSeen,
    Timing,
    Trial,
    Verdict,
)
from shadow.sinks.prometheus import MAX_ENDPOINTS, Exporter, Metrics, clean

DEPLOY = Path(__file__).parents[2] / "deploy"
DEADLINE_SECONDS = 60.0
HOSTILE = 'a"}\\\n{b="\u202e\ud800'

type Rows = list[dict[str, Any]]


def finding(count: int) -> Finding:
    return Finding(
        id="cafe01",
        kind="mutant",
        fault="auth-bypass",
        severity="high",
        title="t",
        endpoint="GET /x",
        where=("status",),
        mutator="m",
        edits=(),
        expect="reject",
        why="",
        exchanges=(1,),
        count=count,
        control=None,
        answer=None,
        baseline=None,
        confirmed="5/5",
        reproduce={},
    )


def judged(endpoint: str, verdict: Verdict, mutator: str = "drop_signature") -> Judged:
    return Judged(Trial(0, endpoint, Kind.MUTANT, mutator, Judgement(verdict), expect=Expect.REJECT))


def traffic(step: int) -> Iterator[Event]:
    """A moment of a run whose candidate lets a bypass through, whose baseline is down; none is dropped."""
    yield Settled("pcap", Fate.REPLAYED, 10)
    yield TargetSeen("candidate", is_up=True)
    yield TargetSeen("baseline", is_up=False)
    for seconds in (0.002, 0.02, 0.2):
        yield Sent("candidate", Parcel.MUTANT, Reply(Response(200), Timing(total_seconds=seconds)))
    yield from (judged("GET /x", verdict) for verdict in Verdict)
    yield judged("GET /x", Verdict.PASSED, HOSTILE)
    yield QueueSeen("intake", 3, 100)
    yield SentLate(0.01)
    yield TapTimed("pcap", (1e-6, 1e-5), (0, step + 1, 0), 3e-6 * (step + 1))
    yield Found(finding(step + 1), is_new=step == 0)


class Scene:
    """A run that goes on while it is watched."""

    def __init__(self, metrics: Metrics, prometheus: str, alertmanager: str) -> None:
        self.metrics = metrics
        self.alertmanager = alertmanager
        self._prometheus = prometheus
        self._step = 0
        self._pause = threading.Event()

    def ask(self, path: str, **arguments: str) -> Any:
        with urlopen(f"{self._prometheus}/api/v1/{path}?{urlencode(arguments)}", timeout=10) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> Rows:
        rows: Rows = self.ask("query", query=expression)["result"]
        return rows

    def until[T](self, look: Callable[[], T]) -> T:
        """What `look` sees once it is anything; the run goes on between two looks."""
        ends = time.monotonic() + DEADLINE_SECONDS
        while True:
            for event in traffic(self._step):
                self.metrics.hear(event)
            self._step += 1
            seen = look()
            if seen or time.monotonic() > ends:
                return seen
            self._pause.wait(0.05)


def quick(text: str) -> str:
    """The shipped rules with seconds for minutes."""
    return re.sub(r"for: \d+m", "for: 0s", re.sub(r"\[\d+m\]", "[3s]", text))


def is_ready(url: str) -> bool:
    """Whether the server gets ready: it listens before it can answer."""
    ends = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < ends:
        try:
            urlopen(f"{url}/-/ready", timeout=10).close()
        except HTTPError:
            threading.Event().wait(0.02)
        else:
            return True
    return False


@contextmanager
def running(*command: str) -> Iterator[str]:
    """A server of Debian's, and the address it says that it listens on."""
    tool = shutil.which(command[0])
    assert tool, f"{command[0]} is missing: install prometheus and prometheus-alertmanager"
    address: Queue[str] = Queue()
    log: list[str] = []

    def read(lines: TextIO) -> None:
        for line in lines:
            log.append(line)
            if found := re.search(r'msg="Listening on" address=(\S+)', line):
                address.put(f"http://{found[1]}")
        address.put("")

    with subprocess.Popen(
        [tool, *command[1:]], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stderr is not None
        reader = threading.Thread(target=read, args=(process.stderr,))
        reader.start()
        try:
            url = address.get(timeout=DEADLINE_SECONDS)
            assert url, "".join(log)
            assert is_ready(url), "".join(log)
            yield url
        finally:
            process.terminate()
            reader.join()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("chain")
    registry = CollectorRegistry()
    metrics = Metrics(registry, "1.0")
    with ExitStack() as stack:
        exporter = Exporter("127.0.0.1", 0, registry)
        stack.callback(exporter.close)
        alertmanager = stack.enter_context(
            running(
                "prometheus-alertmanager",
                f"--config.file={DEPLOY}/alertmanager/alertmanager.yml",
                f"--storage.path={folder}/alertmanager",
                "--web.listen-address=127.0.0.1:0",
                "--cluster.listen-address=",
            )
        )
        for name in ("rules.yml", "alerts.yml"):
            (folder / name).write_text(quick((DEPLOY / "prometheus" / name).read_text()))
        config = (DEPLOY / "prometheus" / "prometheus.yml").read_text().replace("15s", "200ms")
        config = config.replace("shadow:9464", f"127.0.0.1:{exporter.port}")
        config = config.replace("alertmanager:9093", alertmanager.removeprefix("http://"))
        (folder / "prometheus.yml").write_text(config.split("  - job_name: prometheus")[0])
        prometheus = stack.enter_context(
            running(
                "prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                "--web.listen-address=127.0.0.1:0",
                "--enable-feature=exemplar-storage",
            )
        )
        yield Scene(metrics, prometheus, alertmanager)


def rules(scene: Scene) -> dict[str, dict[str, Any]]:
    return {rule["name"]: rule for group in scene.ask("rules")["groups"] for rule in group["rules"]}


def is_firing(scene: Scene, alert: str) -> bool:
    return bool(rules(scene)[alert]["state"] == "firing")


def dashboard_queries() -> list[Any]:
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "shadow.json").read_text())
    found = [
        pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
    ]
    annotations = [pytest.param(each["expr"], id=each["name"]) for each in dashboard["annotations"]["list"]]
    assert len(found) > 15
    return [*found, *annotations]


@pytest.mark.parametrize("query", dashboard_queries())
def test_every_query_of_the_dashboard_returns_data(scene: Scene, query: str) -> None:
    query = query.replace("$__rate_interval", "3s").replace("$job", ".*").replace("$instance", ".*")
    assert "$" not in query
    assert scene.until(lambda: [row for row in scene.query(query) if row["value"][1] != "NaN"]), query


@pytest.mark.parametrize("name", ["job", "instance"])
def test_every_variable_of_the_dashboard_has_values(scene: Scene, name: str) -> None:
    assert scene.until(lambda: scene.ask(f"label/{name}/values", **{"match[]": "shadow_build_info"}))


def test_alerts_fire_for_what_is_wrong_and_for_nothing_else(scene: Scene) -> None:
    for alert in ("ShadowTargetDown", "ShadowBypassFound"):
        assert scene.until(partial(is_firing, scene, alert)), alert
    ratio = scene.until(lambda: scene.query("instance:shadow_dropped_ratio:rate5m"))
    assert [row["value"][1] for row in ratio] == ["0"]
    now = rules(scene)
    assert {alert["labels"]["target"] for alert in now["ShadowTargetDown"]["alerts"]} == {"baseline"}
    assert {alert["labels"]["fault"] for alert in now["ShadowBypassFound"]["alerts"]} == {"auth-bypass"}
    for quiet in ("ShadowCrashOrHang", "ShadowTapDropping", "ShadowBroken"):
        assert now[quiet]["state"] == "inactive"
        assert not now[quiet]["lastEvaluation"].startswith("0001"), f"{quiet} was never evaluated"
    assert {rule["health"] for rule in now.values()} == {"ok"}


def test_a_firing_alert_reaches_alertmanager(scene: Scene) -> None:
    def received() -> Rows:
        with urlopen(f"{scene.alertmanager}/api/v2/alerts", timeout=10) as answer:
            return [each for each in json.load(answer) if each["labels"]["alertname"] == "ShadowBypassFound"]

    (alert, *_) = scene.until(received)
    assert alert["receivers"] == [{"name": "on-call"}]
    assert alert["annotations"]["runbook_url"] == "docs/runbook.md#shadowbypassfound"


def test_a_divergence_leads_to_its_finding_by_exemplar(scene: Scene) -> None:
    def exemplars() -> set[str]:
        end = time.time()
        found = scene.ask(
            "query_exemplars",
            query="shadow_divergences_total",
            start=f"{end - 600:.3f}",
            end=f"{end + 600:.3f}",
        )
        return {each["labels"]["finding"] for series in found for each in series["exemplars"]}

    assert scene.until(exemplars) == {"cafe01"}


def test_hostile_labels_come_through_clean(scene: Scene) -> None:
    def names() -> set[str]:
        return {row["metric"]["mutator"] for row in scene.query("group by (mutator) (shadow_trials_total)")}

    assert scene.until(lambda: clean(HOSTILE) in names())
    assert scene.query('up{job="shadow"}')[0]["value"][1] == "1"


def test_ten_thousand_endpoints_stay_a_bounded_number_of_series(scene: Scene) -> None:
    for number in range(10_000):
        scene.metrics.hear(judged(f"GET /{number}", Verdict.PASSED, "many"))
    assert scene.until(lambda: scene.query('sum(shadow_trials_total{mutator="many"}) == 10000'))
    (row,) = scene.query('count(shadow_trials_total{mutator="many"})')
    assert MAX_ENDPOINTS - 10 < int(row["value"][1]) <= MAX_ENDPOINTS + 1
