"""A finding sent again, by the program and by the file for pytest that it writes: still there, or gone."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bench.capture import Talk, pcap
from tests.end_to_end.conftest import findings, message, shadow

TOKEN = "tok-alice-0123456789"
CONFIG = f'allow_writes = true\n[[identity]]\nname = "alice"\nbearer = "{TOKEN}"\n'

type Serve = Callable[..., Awaitable[str]]


def desk(*faults: str) -> web.Application:
    """Takes orders from whoever shows the token; each release with `faults` of its own."""
    orders: dict[str, dict[str, Any]] = {}
    numbers = count(int.from_bytes(os.urandom(3)))

    async def search(request: web.Request) -> web.Response:
        if "quote" in faults and "'" in "".join(request.query.values()):
            return web.json_response({"error": "syntax"}, status=500)
        hit = {"name": "lamp"} if "no hits" in faults else {"name": "lamp", "price": 7}
        return web.json_response({"hits": [hit]})

    async def order(request: web.Request) -> web.Response:
        if not is_known(request):
            return web.json_response({"error": "who?"}, status=401)
        name = f"o-{next(numbers):010x}7"
        orders[name] = {"id": name, "state": "open"}
        return web.json_response(orders[name], status=201)

    async def of_order(request: web.Request) -> web.Response:
        if not is_known(request):
            return web.json_response({"error": "who?"}, status=401)
        found = orders.get(request.match_info["name"])
        if found is None or (found["state"] == "gone" and "undead" not in faults):
            return web.json_response({"error": "no such order"}, status=404)
        if request.method == "DELETE":
            found["state"] = "gone"
        return web.json_response(found)

    def is_known(request: web.Request) -> bool:
        shown = request.headers.get("Authorization", "")
        return shown == f"Bearer {TOKEN}" or ("anyone" in faults and shown != "")

    made = web.Application()
    made.router.add_get("/search", search)
    made.router.add_post("/orders", order)
    made.router.add_route("*", "/orders/{name}", of_order)
    return made


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a release with the faults that are named; its URL."""
    async with AsyncExitStack() as stack:

        async def start(*faults: str) -> str:
            return await stack.enter_async_context(_serving(desk(*faults)))

        yield start


@asynccontextmanager
async def _serving(made: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(made, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


def traffic() -> bytes:
    """Searches, and two orders made, looked at and cancelled: each on a connection of its own."""
    mine = {"Host": "desk.test", "Authorization": f"Bearer {TOKEN}"}
    kinds = {"Content-Type": "application/json"}
    packets = []
    for at in range(2):
        name = f"o-{0xA1B2C3D400 + at:010x}7"
        opened, gone = ({"id": name, "state": state} for state in ("open", "gone"))
        talk = Talk(("10.0.0.1", 40000 + at), at=1_700_000_000.0 + at).open()
        packets.append(talk.packets)
        for start, fields, status, said in (
            (
                "GET /search?q=lamp&page=2",
                {"Host": "desk.test"},
                200,
                {"hits": [{"name": "lamp", "price": 7}]},
            ),
            ("POST /orders", mine, 201, opened),
            (f"GET /orders/{name}", mine, 200, opened),
            (f"DELETE /orders/{name}", mine, 200, gone),
        ):
            talk.say(0, message(f"{start} HTTP/1.1", fields, b""))
            talk.say(1, message(f"HTTP/1.1 {status} OK", kinds, json.dumps(said).encode()))
    return pcap(packet for each in packets for packet in each)


async def found(cwd: Path, bad: str, good: str, *more: str) -> list[dict[str, Any]]:
    """What a run finds of `bad`."""
    (cwd / "t.pcap").write_bytes(traffic())
    (cwd / "c.toml").write_text(CONFIG, encoding="utf-8")
    run = ("replay", "t.pcap", "--config", "c.toml", "--candidate", bad, "--baseline", good, *more)
    ended = await shadow(*run, cwd=cwd)
    assert ended.code == 1, ended.err
    return findings(cwd / "shadow-out")


async def retold(cwd: Path, finding: str, *more: str) -> tuple[int, dict[str, Any]]:
    ended = await shadow("repro", "shadow-out", finding, "--json", "--times", "2", *more, cwd=cwd)
    return ended.code, json.loads(ended.out) if ended.out else {"err": ended.err}


CASES = [
    pytest.param(("no hits",), "regression", (), id="a regression"),
    pytest.param(("quote",), "F100", ("--mutator", "*sql*"), id="a crash"),
    pytest.param(
        ("anyone",), "auth-bypass", ("--mutator", "credential_*"), id="credentials, which are masked"
    ),
    pytest.param(("undead",), "illegal-transition", ("--mutator", "read_after_delete"), id="a sequence"),
]


@pytest.mark.parametrize(("faults", "fault", "more"), CASES)
async def test_a_finding_is_still_there_until_it_is_mended(
    serve: Serve, tmp_path: Path, faults: tuple[str, ...], fault: str, more: tuple[str, ...]
) -> None:
    bad, good, live = await serve(*faults), await serve(), await serve()
    budget = ("--mutants", "6", *more) if more else ("--mutants", "0")
    told = next(each for each in await found(tmp_path, bad, good, *budget) if each["fault"] == fault)
    code, there = await retold(tmp_path, told["id"], "--config", "c.toml")
    assert (code, there["verdict"], there["seen"]) == (1, "still there", "2/2"), there
    assert there["answer"]["class"] == told["answer"]["class"]
    mended = ("--config", "c.toml", "--candidate", good, "--baseline", live)
    code, gone = await retold(tmp_path, told["id"][:6], *mended)
    assert (code, gone["verdict"], gone["seen"]) == (0, "gone", "0/2"), gone


async def test_what_is_redacted_cannot_be_sent_without_the_identity(serve: Serve, tmp_path: Path) -> None:
    bad, good = await serve("anyone"), await serve()
    mutators = ("--mutants", "6", "--mutator", "credential_*")
    (told,) = [each for each in await found(tmp_path, bad, good, *mutators) if each["fault"] == "auth-bypass"]
    code, unknown = await retold(tmp_path, told["id"])
    assert (code, unknown["verdict"]) == (4, "cannot tell")
    assert "give --config with the [[identity]] whose it is (alice)" in unknown["why"]


async def test_a_precondition_that_is_gone_is_no_proof(serve: Serve, tmp_path: Path) -> None:
    bad, good = await serve("quote"), await serve()
    mutators = ("--mutants", "6", "--mutator", "*sql*")
    told = next(each for each in await found(tmp_path, bad, good, *mutators) if each["fault"] == "F100")
    other = await _other()
    async with other as (nothing, also_nothing):
        code, unknown = await retold(
            tmp_path, told["id"], "--candidate", nothing, "--baseline", also_nothing, "--config", "c.toml"
        )
    assert (code, unknown["verdict"]) == (4, "cannot tell")
    assert "the unedited request is rejected (404) and was success" in unknown["why"]


async def _other() -> Any:
    """Two services that know no path."""

    @asynccontextmanager
    async def both() -> AsyncIterator[tuple[str, str]]:
        async with _serving(web.Application()) as one, _serving(web.Application()) as two:
            yield one, two

    return both()


@pytest.mark.parametrize(("faults", "fault", "more"), [CASES[0], CASES[1], CASES[3]])
async def test_the_file_for_pytest_fails_while_the_finding_is_there(
    serve: Serve, tmp_path: Path, faults: tuple[str, ...], fault: str, more: tuple[str, ...]
) -> None:
    bad, good = await serve(*faults), await serve()
    budget = ("--mutants", "6", *more) if more else ("--mutants", "0")
    told = next(each for each in await found(tmp_path, bad, good, *budget) if each["fault"] == fault)
    written = await shadow(
        "repro", "shadow-out", told["id"], "--as", "pytest", "-o", "test_it.py", cwd=tmp_path
    )
    assert written.code == 0, written.err
    text = (tmp_path / "test_it.py").read_text(encoding="utf-8")
    assert not re.findall(
        r"^(?:from|import) (?!http|json|os|socket|ssl|sys|threading|time|urllib)", text, re.MULTILINE
    )
    secrets = dict.fromkeys(re.findall(r"SHADOW_SECRET_[0-9A-F]{6}", text), TOKEN)
    assert await _tried(tmp_path, secrets) == (1, "1 failed")
    assert await _tried(tmp_path, secrets | {"SHADOW_TARGET": good}) == (0, "1 passed")
    if secrets:
        assert await _tried(tmp_path, {}) == (0, "1 skipped")


async def _tried(cwd: Path, more: dict[str, str]) -> tuple[int, str]:
    """The exit code of pytest, and what it says came of the file."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"),
        cwd=cwd,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST")} | more,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    said = re.search(r"\d+ (?:failed|passed|skipped|error)", out.decode())
    assert said is not None, out.decode()
    return process.returncode or 0, said[0]


async def test_every_form_is_written(serve: Serve, tmp_path: Path) -> None:
    bad, good = await serve("no hits", "undead"), await serve()
    told = await found(tmp_path, bad, good, "--mutants", "6", "--mutator", "read_after_delete")
    plain = next(each["id"] for each in told if each["kind"] == "regression")
    sequence = next(each["id"] for each in told if each["kind"] == "sequence")
    curl = await shadow("repro", "shadow-out", plain, "--as", "curl", cwd=tmp_path)
    assert curl.out.startswith("curl -sS -i")
    raw = await shadow("repro", "shadow-out", plain, "--as", "raw", cwd=tmp_path)
    assert raw.out.startswith("GET /search?q=lamp&page=2 HTTP/1.1\r\n")
    await shadow("repro", "shadow-out", plain, "--as", "har", "-o", "it.har", cwd=tmp_path)
    read = await shadow("extract", "it.har", cwd=tmp_path)
    lines = [json.loads(line) for line in read.out.splitlines()]
    assert [line["request"]["target"] for line in lines] == ["/search?q=lamp&page=2"] * 2
    assert [line["response"]["status"] for line in lines] == [200, 200]
    refused = await shadow("repro", "shadow-out", sequence, "--as", "curl", cwd=tmp_path)
    assert (refused.code, "a sequence" in refused.err) == (4, True)


@pytest.mark.parametrize(
    ("change", "says", "code"),
    [
        (lambda out: (out / "findings.jsonl").unlink(), "cannot read 'shadow-out/findings.jsonl'", 2),
        (lambda out: (out / "exchanges.jsonl").write_bytes(b""), "is not in 'shadow-out/exchanges.jsonl'", 2),
        (lambda out: _without(out, "exchange"), "cannot tell: the folder was written by an older version", 4),
        (lambda out: _without(out, "raw_base64"), "its `reproduce` cannot be read", 4),
        (lambda out: (out / "summary.json").unlink(), "cannot read 'shadow-out/summary.json'", 2),
    ],
    ids=["no findings", "no exchange", "older", "spoilt", "no summary"],
)
async def test_a_folder_that_lacks_something_is_told_in_one_line(
    serve: Serve, tmp_path: Path, change: Callable[[Path], object], says: str, code: int
) -> None:
    bad, good = await serve("no hits"), await serve()
    (told,) = await found(tmp_path, bad, good, "--mutants", "0")
    change(tmp_path / "shadow-out")
    ended = await shadow("repro", "shadow-out", told["id"], cwd=tmp_path)
    assert (ended.code, says in ended.err, ended.err.count("\n")) == (code, True, 1), ended.err


def _without(out: Path, key: str) -> None:
    """Take a key out of the `reproduce` of every finding."""
    rows = findings(out)
    for row in rows:
        del row["reproduce"][key]
    (out / "findings.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
