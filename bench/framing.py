"""Old and current releases of real HTTP servers under the framing family: what it tells apart, and what not.

`python -m bench.framing --venvs DIR [--uv uv] [--server NAME]...` fills DIR from the pins below where it is
empty. Each server's old release is the baseline and its current one the candidate; then each is held against
itself, where nothing must be found. Exits with 1 where something is.
"""

import argparse
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.framing_servers import SERVERS
from mutators import CATALOG, dice
from shadow.model import Headers, Known, Request, Response
from shadow.wire.http1 import ResponseReader, serialise_request

SERVICE = Path(__file__).with_name("framing_service.py")
BODY = b'{"name":"shadow","count":12}'
LEVELS = ("level:framing", "level:network")


class Run(NamedTuple):
    """What one replay came to."""

    summary: dict[str, dict[str, int]]
    findings: list[dict[str, str]]
    by_mutator: Counter[str]
    exchanges: set[int]
    """Those whose mutants were found to be answered otherwise."""


def interpreter(venvs: Path, uv: str, python: str, name: str, release: str) -> str:
    """The interpreter of an environment with the pins of that release, made where there is none."""
    base = "aiohttp" if name == "aiohttp-python" else name
    path = venvs / f"{base}-{release}"
    if not (path / "bin" / "python").exists():
        pins = SERVERS[name].old if release == "old" else SERVERS[name].new
        subprocess.run([uv, "venv", "-q", "--python", python, path], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", path / "bin" / "python", *pins], check=True)
    return str(path / "bin" / "python")


@contextmanager
def served(name: str, python: str) -> Iterator[int]:
    """The service on that server; its port."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = SERVERS[name]
    process = subprocess.Popen(
        [python, SERVICE, server.kind or name, str(port)],
        env={**os.environ, **dict(server.environment), "PYTHONPATH": ""},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        ends_at = time.monotonic() + 20
        while True:
            try:
                asked(port, requests(port)[0])
                break
            except OSError:
                if time.monotonic() > ends_at or process.poll() is not None:
                    sys.exit(f"{name} did not start by {python}")
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def requests(port: int) -> tuple[Request, ...]:
    """A GET, a POST and a chunked POST."""
    head: Headers = ((b"Host", b"127.0.0.1:%d" % port), (b"User-Agent", b"bench/1"), (b"Accept", b"*/*"))
    json_head: Headers = (*head, (b"Content-Type", b"application/json"))
    return (
        Request(b"GET", b"/v1/items/42?limit=10", headers=head),
        Request(
            b"POST", b"/v1/items", headers=(*json_head, (b"Content-Length", b"%d" % len(BODY))), body=BODY
        ),
        Request(b"POST", b"/v1/uploads", headers=(*json_head, (b"Transfer-Encoding", b"chunked")), body=BODY),
    )


def asked(port: int, request: Request) -> Response:
    """The answer of the service. Raises OSError where there is none."""
    with socket.create_connection(("127.0.0.1", port), 5) as sock:
        sock.sendall(serialise_request(request))
        reader = ResponseReader(request.method)
        while piece := sock.recv(65_536):
            if response := reader.feed(piece):
                return response
    raise ConnectionError("closed without an answer")


def record(port: int, copies: int, path: Path) -> None:
    """The three exchanges, as often as asked, all at the same time and each in a session of its own."""
    pairs = [(request, asked(port, request)) for request in requests(port)]
    with path.open("w") as file:
        for index in range(copies * len(pairs)):
            request, response = pairs[index % len(pairs)]
            line = {
                "index": index,
                "tap": "bench",
                "session": str(index),
                "seen_at": 1_700_000_000.0,
                "request": {
                    "method": request.method.decode(),
                    "target": request.target.decode(),
                    "version": "HTTP/1.1",
                    "headers": _shown(request.headers),
                    "body": b64encode(request.body).decode(),
                },
                "response": {
                    "status": response.status,
                    "reason": response.reason.decode(),
                    "headers": _shown(response.headers),
                    "body": b64encode(response.body).decode(),
                },
                "latency_seconds": 600.0,
            }
            file.write(json.dumps(line) + "\n")


def replayed(
    file: Path, candidate: int, baseline: int, arguments: argparse.Namespace, wanted: tuple[str, ...]
) -> Run:
    """A run of `shadow replay` with these mutators alone."""
    out = file.with_suffix("")
    subprocess.run(["rm", "-rf", out], check=True)
    command = [
        sys.executable,
        "-m",
        "shadow",
        "replay",
        str(file),
        "--out",
        str(out),
        "--quiet",
        "--allow-writes",
    ]
    command += ["--candidate", f"http://127.0.0.1:{candidate}", "--baseline", f"http://127.0.0.1:{baseline}"]
    command += ["--seed", str(arguments.seed), "--mutants", str(arguments.mutants), "--concurrency", "24"]
    for pattern in wanted:
        command += ["--mutator", pattern]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=900)
    with closing(sqlite3.connect(out / "store.db")) as store:
        failed = store.execute("select mutator, sum(count) from trials where verdict = 'failed' group by 1")
        by_mutator = Counter(dict(failed))
        exchanges = {index for (index,) in store.execute("select distinct exchange from occurrences")}
    findings = [json.loads(line) for line in (out / "findings.jsonl").read_text().splitlines()]
    return Run(json.loads((out / "summary.json").read_text()), findings, by_mutator, exchanges)


def class_of(finding: dict[str, str]) -> str:
    """In words: how the two releases differ."""
    if finding["fault"] == "framing":
        return "another number of answers"
    found = re.search(
        r"candidate's answer is (\w+) \((.+?)\), the live release's (\w+) \((.+?)\)", finding["why"]
    )
    if found:
        return f"{found[3]} ({found[4]}), now {found[1]} ({found[2]})"
    return "another answer" if "differs at" in finding["why"] else finding["fault"]


def said_of(port: int, mutator: str, index: int, seed: int) -> str:
    """What the mutant that the exchange was given says it did."""
    one = next(one for one in CATALOG if one.name == mutator)
    request = requests(port)[index % 3]
    edit = one(request, dice(seed, index, mutator), Known())
    return edit.what if edit is not None else ""


def compare(name: str, arguments: argparse.Namespace) -> None:
    """The old release as the baseline of the current one."""
    old, new = (
        interpreter(arguments.venvs, arguments.uv, arguments.python, name, each) for each in ("old", "new")
    )
    with served(name, old) as baseline, served(name, new) as candidate:
        file = arguments.out / f"{name}.jsonl"
        record(baseline, arguments.copies, file)
        run = replayed(file, candidate, baseline, arguments, LEVELS)
        classes: Counter[str] = Counter()
        for finding in run.findings:
            classes[class_of(finding)] += int(finding["count"])
        print(f"\n## {name}: {' '.join(SERVERS[name].old[:2])} against the current release")
        sent = run.summary["sent"]["mutants"] // 2
        print(f"{sent} mutants, {sum(run.by_mutator.values())} divergences, {len(run.findings)} findings")
        print("by class:", "; ".join(f"{label}: {count}" for label, count in classes.most_common()))
        print("by mutator:", ", ".join(f"{label} {count}" for label, count in run.by_mutator.most_common()))
        file = arguments.out / f"{name}-one.jsonl"
        record(baseline, arguments.copies * 3, file)
        for advisory, mutator, pattern in SERVERS[name].known:
            alone = replayed(file, candidate, baseline, arguments, (mutator,))
            shown = {said_of(baseline, mutator, index, arguments.seed) for index in alone.exchanges}
            matching = sorted(what for what in shown if re.search(pattern, what))
            print(f"{advisory} by {mutator}: {'; '.join(matching[:4]) if matching else 'NOT FOUND'}")


def alone(name: str, release: str, arguments: argparse.Namespace) -> int:
    """A release against itself; how many findings there were, of which there must be none."""
    python = interpreter(arguments.venvs, arguments.uv, arguments.python, name, release)
    with served(name, python) as baseline, served(name, python) as candidate:
        file = arguments.out / f"{name}-{release}-alone.jsonl"
        record(baseline, arguments.copies, file)
        run = replayed(file, candidate, baseline, arguments, LEVELS)
    trials = run.summary["trials"]
    print(f"{name}, {release} against itself: {trials}, {len(run.findings)} findings")
    for finding in run.findings:
        print("  FALSE ALARM", finding["fault"], finding["title"], finding["why"], finding["edits"])
    return len(run.findings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venvs", type=Path, required=True)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--python", default="3.11", help="what the environments are made of")
    parser.add_argument("--server", action="append", choices=SERVERS)
    parser.add_argument("--copies", type=int, default=20, help="of the three exchanges")
    parser.add_argument("--mutants", type=int, default=30, help="for each exchange")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("framing-out"))
    parser.add_argument("--only", choices=("compare", "alone"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    alarms = 0
    for name in arguments.server or SERVERS:
        if arguments.only != "alone":
            compare(name, arguments)
        if arguments.only != "compare":
            alarms += sum(alone(name, release, arguments) for release in ("old", "new"))
    sys.exit(1 if alarms else 0)


def _shown(headers: Headers) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


if __name__ == "__main__":
    main()
