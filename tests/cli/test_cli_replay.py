"""Recorded traffic from a file, through a whole run, to an exit code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from shadow.cli import main
from shadow.config import Settings
from shadow.model import Exchange, Request, Response
from shadow.taps.jsonl import encode

KIND = ((b"Content-Type", b"application/json"),)


class Candidate(BaseHTTPRequestHandler):
    """Lost a field at /lost."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = b"{}" if self.path == "/lost" else b'{"a": 1}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the parent's name
        """Says nothing."""


@pytest.fixture
def candidate() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Candidate) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def seen(folder: Path, *targets: str) -> str:
    path = folder / "seen.jsonl"
    lines = (
        encode(
            Exchange(
                at,
                "file",
                f"s{at}",
                1.6e9 + at,
                Request(b"GET", target.encode(), headers=((b"Host", b"live.test"),)),
                Response(200, headers=KIND, body=b'{"a": 1}'),
            )
        )
        for at, target in enumerate(targets)
    )
    path.write_bytes(b"".join(lines))
    return str(path)


def ended(*arguments: str) -> object:
    with pytest.raises(SystemExit) as raised:
        main([*arguments])
    return raised.value.code


@pytest.mark.parametrize(
    ("target", "options", "code"),
    [
        ("/x", [], 0),
        ("/lost", [], 1),
        ("/lost", ["--fail-on", "never"], 0),
        ("/lost", ["--ignore", "body:$.a"], 0),
    ],
    ids=["nothing found", "found", "never fails", "ignored"],
)
def test_exit_code_is_that_of_the_run(
    tmp_path: Path, candidate: str, target: str, options: list[str], code: int
) -> None:
    out = tmp_path / "out"
    file = seen(tmp_path, target, "/x")
    found = ended("replay", file, "--candidate", candidate, "--out", str(out), "--mutants", "0", *options)
    assert found == code
    assert json.loads((out / "summary.json").read_bytes())["ledger"]["replayed"] == 2


def test_json_lines_hold_findings_and_the_summary_and_nothing_else(
    tmp_path: Path, candidate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = seen(tmp_path, "/lost")
    out = str(tmp_path / "out")
    assert ended("replay", file, "--candidate", candidate, "--out", out, "--mutants", "0", "--json") == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 2
    assert lines[0]["where"] == ["body:$.a"]
    assert lines[-1]["ledger"]["replayed"] == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--candidate", "http://127.0.0.1:1"], 4, "cannot reach candidate 'http://127.0.0.1:1': Conn"),
        (["--candidate", "http://a", "--mutator", "expect:sam"], 2, "'expect:sam' matches no mutator"),
        (["--candidate", "http://127.0.0.1:1", "--live", "http://127.0.0.1:1"], 3, "is the live one"),
    ],
    ids=["not there", "a slip", "live"],
)
def test_run_that_cannot_begin_says_so_in_one_line_and_leaves_no_folder(
    tmp_path: Path, options: list[str], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "shadow", "replay", seen(tmp_path, "/x"), *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stderr
    assert (len(done.stderr.splitlines()), done.stdout) == (1, "")
    assert [each.name for each in tmp_path.iterdir()] == ["seen.jsonl"]


def test_pipeline_whose_parent_has_gone_ends_in_order(tmp_path: Path, candidate: str) -> None:
    out = tmp_path / "out"
    settings_file = tmp_path / "settings.json"
    settings_file.write_bytes(msgspec.json.encode(Settings(candidate=candidate, out=str(out))))
    socket = str(tmp_path / "feed.sock")
    given = ["--settings", str(settings_file), "--socket", socket, "--run", "r7", "--parent", "1"]
    assert ended("pipeline", *given, "--quiet") == 0
    summary = json.loads((out / "summary.json").read_bytes())
    assert (summary["run"], summary["ledger"]["captured"]) == ("r7", 0)
