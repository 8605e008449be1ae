"""The package in docs/plugins.md is built, installed and run, as it stands there."""

import json
import os
import re
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"`([\w.]+)`:\n\n```(?:text|python)\n(.*?)```", TEXT, re.DOTALL))
EXCHANGE = {
    "index": 0,
    "tap": "jsonl",
    "session": "s",
    "seen_at": 1.0,
    "request": {
        "method": "GET",
        "target": "/v1/x",
        "version": "HTTP/1.1",
        "headers": [["Host", "live.test"], ["X-Tenant", "acme"]],
        "body": "",
    },
    "response": {
        "status": 200,
        "reason": "OK",
        "headers": [],
        "body": b64encode(b"{}").decode(),
    },
    "latency_seconds": 0.1,
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the module path that holds the documented package, unpacked from its wheel."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    assert set(FILES) == {"pyproject.toml", "acme_mutators.py"}
    for name, text in FILES.items():
        (source / name).write_text(text, encoding="utf-8")
    build = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    made = subprocess.run(
        [sys.executable, "-c", build, str(source)], cwd=source, capture_output=True, text=True, check=True
    )
    with ZipFile(source / made.stdout.split()[-1]) as wheel:
        wheel.extractall(target)
    return target


def shadow(installed: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join((str(installed), str(ROOT)))
    return subprocess.run(
        [sys.executable, "-m", "shadow", *arguments],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=60,
    )


@pytest.mark.slow
def test_documented_package_is_listed_and_chosen_like_any_other(installed: Path, tmp_path: Path) -> None:
    for name in ("odd_tenant", "paid_twice"):
        listed = shadow(installed, "mutators", name, "--json")
        assert json.loads(listed.stdout)["name"] == name, listed.stderr
    assert '"answering_software"' in shadow(installed, "comparators", "--json").stdout
    settings = tmp_path / "shadow.toml"
    settings.write_text('candidate = "http://127.0.0.1:1"\nmutators = ["odd_tenant"]\n', encoding="utf-8")
    assert shadow(installed, "config", "check", str(settings)).returncode == 0
    without = shadow(tmp_path, "config", "check", str(settings))
    assert "'odd_tenant' matches no mutator" in without.stderr


@pytest.mark.slow
def test_documented_mutator_makes_mutants(installed: Path, tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_text(json.dumps(EXCHANGE) + "\n", encoding="utf-8")
    run = shadow(
        installed,
        "mutate",
        str(recorded),
        "--mutator",
        "odd_tenant",
        "--mutants",
        "1",
        "--json",
        cwd=tmp_path,
    )
    made = json.loads(run.stdout.splitlines()[0])
    assert made["mutator"] == "odd_tenant"
    assert b"X-Tenant: acme\r\n" not in b64decode(made["raw_base64"])


def test_ten_lines_are_those_of_the_package() -> None:
    ten = re.search(r"```text\n(.*?)```", TEXT, re.DOTALL)
    assert ten is not None
    assert ten[1].strip() in FILES["acme_mutators.py"]
    assert ten[1].count("\n") <= 10
