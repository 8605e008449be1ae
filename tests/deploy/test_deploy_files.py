"""The deployment files: their own checkers accept them, and they agree with each other."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML

from shadow.config import load as load_settings
from shadow.demo.settings import shadow_config
from shadow.sinks.prometheus import Metrics

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "shadow.json"


def load(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path)


def run(*command: str, cwd: Path = DEPLOY / "prometheus") -> str:
    tool = shutil.which(command[0])
    assert tool, f"{command[0]} is missing: install prometheus and prometheus-alertmanager"
    done = subprocess.run(
        [tool, *command[1:]], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def alerts() -> list[dict[str, Any]]:
    groups = load(DEPLOY / "prometheus" / "alerts.yml")["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions(node: Any) -> Iterator[str]:
    """Every query in a dashboard or a file of rules."""
    match node:
        case dict():
            for key, value in node.items():
                if key in {"expr", "query"} and isinstance(value, str):
                    yield value
                else:
                    yield from expressions(value)
        case list():
            for value in node:
                yield from expressions(value)


@pytest.mark.parametrize(
    "path", sorted(DEPLOY.rglob("*.y*ml")), ids=lambda path: str(path.relative_to(DEPLOY))
)
def test_every_yaml_file_parses(path: Path) -> None:
    assert isinstance(load(path), dict)


def test_promtool_accepts_configuration_and_rules() -> None:
    assert "SUCCESS" in run("promtool", "check", "config", "prometheus.yml")
    assert "9 rules found" in run("promtool", "check", "rules", "alerts.yml")


def test_every_alert_fires_and_keeps_still_as_tested_by_promtool() -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", "rules.test.yml")
    tests = [
        each
        for test in load(DEPLOY / "prometheus" / "rules.test.yml")["tests"]
        for each in test.get("alert_rule_test", [])
    ]
    for alert in alerts():
        firing = {bool(each["exp_alerts"]) for each in tests if each["alertname"] == alert["alert"]}
        assert firing == {True, False}, alert["alert"]


def test_a_broken_rule_would_be_noticed(tmp_path: Path) -> None:
    for path in (DEPLOY / "prometheus").iterdir():
        shutil.copy(path, tmp_path)
    rules = tmp_path / "alerts.yml"
    rules.write_text(rules.read_text().replace("shadow_target_up == 0", "shadow_target_up == 7"))
    with pytest.raises(AssertionError, match="ShadowTargetDown"):
        run("promtool", "test", "rules", "rules.test.yml", cwd=tmp_path)


def test_amtool_accepts_the_alertmanager_configuration_and_routes_by_severity() -> None:
    config = str(DEPLOY / "alertmanager" / "alertmanager.yml")
    assert "SUCCESS" in run("amtool", "check-config", config)
    routes = ("amtool", "config", "routes", "test", f"--config.file={config}")
    assert run(*routes, "severity=critical", "alertname=ShadowBypassFound").splitlines()[0] == "on-call"
    assert run(*routes, "severity=warning", "alertname=ShadowTapDropping").splitlines()[0] == "team"


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_every_alert_says_what_it_is_and_has_a_runbook_entry(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    notes = alert["annotations"]
    assert notes["summary"]
    assert notes["description"]
    file, _, anchor = notes["runbook_url"].partition("#")
    runbook = (ROOT / file).read_text()
    entry = next(part for part in runbook.split("\n## ") if part.splitlines()[0] == alert["alert"])
    assert anchor == alert["alert"].lower()
    for word in ("**Means**", "**Look at**", "**Do**"):
        assert word in entry


def test_the_runbook_has_no_entry_without_an_alert() -> None:
    entries = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), re.MULTILINE)
    assert entries == [alert["alert"] for alert in alerts()]


def test_queries_name_only_metrics_that_exist() -> None:
    registry = CollectorRegistry()
    Metrics(registry, "0")
    known = {
        f"{family.name}{end}"
        for family in registry.collect()
        for end in ("", "_total", "_bucket", "_sum", "_count")
    }
    rules = load(DEPLOY / "prometheus" / "rules.yml")
    known |= {rule["record"] for group in rules["groups"] for rule in group["rules"]}
    for source in (rules, load(DEPLOY / "prometheus" / "alerts.yml"), json.loads(DASHBOARD.read_text())):
        named = {
            name
            for query in expressions(source)
            for name in re.findall(r"\b(?:[a-z_]+:)?shadow_[a-z_]+(?::\w+)?", query)
        }
        assert named
        assert named <= known


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    taken = {
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    }
    assert len(taken) == sum(
        panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in dashboard["panels"]
    ), "panels overlap"
    assert max(x for x, _ in taken) < 24
    assert all(panel["targets"] for panel in panels)


def test_compose_mounts_files_that_exist_and_scrapes_the_port_that_is_served() -> None:
    compose = load(DEPLOY / "compose.yaml")
    services = compose["services"]
    assert {
        "live",
        "candidate",
        "baseline",
        "shadow",
        "prometheus",
        "alertmanager",
        "grafana",
    } <= services.keys()
    for service in services.values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert (DEPLOY / source).exists() if source.startswith(".") else source in compose["volumes"]
        assert set(service["networks"]) <= compose["networks"].keys()
    targets = load(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"][0]["static_configs"][0][
        "targets"
    ]
    host, _, port = targets[0].partition(":")
    assert f"--metrics=0.0.0.0:{port}" in services[host]["command"]
    assert compose["networks"]["shadow"]["internal"] is True
    assert "live" not in services["candidate"]["networks"] + services["baseline"]["networks"]


def test_the_image_is_locked_and_runs_without_privileges() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    final = text.rsplit("\nFROM ", 1)[1]
    assert "--require-hashes" in text
    assert re.search(r"^USER 10001", final, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text()
    for name in " ".join(copied).split():
        assert (ROOT / name).exists()
        assert f"!{name}\n" in allowed


def test_the_documentation_names_every_metric_and_no_other() -> None:
    registry = CollectorRegistry()
    Metrics(registry, "0")
    served = {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}
    section = (ROOT / "docs" / "output.md").read_text().partition("## Metrics")[2]
    assert set(re.findall(r"`(shadow_\w+)`", section)) == served


def test_compose_signs_for_the_service_that_it_starts() -> None:
    file = DEPLOY / "vmctl.toml"
    assert file.read_text(encoding="utf-8").endswith(shadow_config(0) + "\n")
    assert load_settings(file, {}).signing is not None
