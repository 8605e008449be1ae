"""The admin endpoint: who may use it, what it does, and what hostile clients get."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shadow.config import load
from shadow.errors import ConfigError, SinkError, UnsafeError
from shadow.run.admin import TOKEN_VARIABLE, AdminSettings, Controls, admin_settings, administered
from shadow.run.checking import check
from shadow.run.execution import EXIT_UNSAFE, RunSettings, execute
from shadow.sinks.console import ConsoleSettings
from tests.run.conftest import Named, recorded, serving, settings_for

ANY = AdminSettings("127.0.0.1", 0)
WITH_TOKEN = AdminSettings("127.0.0.1", 0, "s3cret")
FILE = RunSettings(is_live=False, view=ConsoleSettings(is_quiet=True))
TOKEN = b"Authorization: Bearer s3cret"


class Switches:
    """Controls that remember what was done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.controls = Controls(
            lambda: {"state": "normal"}, self._to("stop"), self._to("pause"), self._to("resume")
        )

    def _to(self, what: str) -> Callable[[str], None]:
        return lambda why: self.done.append(f"{what}: {why}")


async def said(url: str, sent: bytes, *, ends: bool = False) -> bytes:
    """All that comes back for `sent`."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    writer.write(sent)
    if ends:
        writer.write_eof()
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def asking(line: bytes, *fields: bytes, host: bytes = b"localhost") -> bytes:
    return b"\r\n".join((line + b" HTTP/1.1", b"Host: " + host, *fields, b"", b""))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def body(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    ("line", "expected", "done"),
    [
        (b"GET /state", 200, []),
        (b"GET /state?x=1", 200, []),
        (b"POST /stop", 200, ["stop: asked to by POST /stop"]),
        (b"POST /pause", 200, ["pause: asked to by POST /pause"]),
        (b"POST /resume", 200, ["resume: asked to by POST /resume"]),
        (b"GET /stop", 405, []),
        (b"GET /pause", 405, []),
        (b"HEAD /stop", 405, []),
        (b"OPTIONS /stop", 405, []),
        (b"post /stop", 405, []),
        (b"POST /state", 405, []),
        (b"GET /", 404, []),
        (b"POST /stop/", 404, []),
        (b"POST http://localhost/stop", 403, []),
        (b"POST //stop", 404, []),
    ],
)
async def test_only_post_changes_anything(line: bytes, expected: int, done: list[str]) -> None:
    switches = Switches()
    async with administered(ANY, switches.controls) as url:
        answer = await said(url, asking(line))
    assert status(answer) == expected
    assert switches.done == done
    assert body(answer) == {"state": "normal"} if expected == 200 else "error" in body(answer)
    assert b"Cache-Control: no-store\r\n" in answer


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"localhost", 200),
        (b"LOCALHOST:9465", 200),
        (b"127.0.0.1:9465", 200),
        (b"[::1]:9465", 200),
        (b"[::1]", 200),
        (b"evil.example", 403),
        (b"evil.example:9465", 403),
        (b"localhost.evil.example", 403),
        (b"127.0.0.1.evil.example", 403),
        (b"", 403),
        (b"localhost\r\nHost: evil.example", 403),
    ],
)
async def test_a_name_that_a_browser_was_led_here_by_is_refused(host: bytes, expected: int) -> None:
    switches = Switches()
    async with administered(ANY, switches.controls) as url:
        assert status(await said(url, asking(b"POST /stop", host=host))) == expected
    assert bool(switches.done) == (expected == 200)


@pytest.mark.parametrize(
    "field",
    [b"Origin: http://localhost:9465", b"Origin: null", b"Shadow-Run: r1", b"SHADOW-RUN: r1"],
)
async def test_browsers_and_replayed_requests_are_refused(field: bytes) -> None:
    switches = Switches()
    async with administered(ANY, switches.controls) as url:
        assert status(await said(url, asking(b"POST /stop", field))) == 403
    assert switches.done == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([TOKEN], 200),
        ([], 401),
        ([b"Authorization: Bearer s3cre"], 401),
        ([b"Authorization: Bearer s3crett"], 401),
        ([b"Authorization: Basic s3cret"], 401),
        ([b"Authorization: Bearer \xff"], 401),
        ([b"Authorization: Bearer no", TOKEN], 401),
    ],
)
@pytest.mark.parametrize("line", [b"POST /stop", b"GET /state"])
async def test_with_a_token_nothing_is_done_or_told_without_it(
    line: bytes, fields: list[bytes], expected: int
) -> None:
    switches = Switches()
    async with administered(WITH_TOKEN, switches.controls) as url:
        answer = await said(url, asking(line, *fields))
    assert status(answer) == expected
    assert b"s3cret" not in answer
    assert bool(switches.done) == (expected == 200 and line.startswith(b"POST"))


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00" * 100,
        b"POST /stop HTTP/1.1\r\n",
        b"POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
        b"POST /stop HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 50_000 + b"\r\n\r\n",
        b"POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 50_000,
        b"",
    ],
    ids=["garbage", "half a head", "half a body", "long head", "long body", "nothing"],
)
async def test_what_is_no_request_does_nothing(sent: bytes) -> None:
    switches = Switches()
    async with administered(ANY, switches.controls) as url:
        answer = await said(url, sent, ends=True)
        assert status(await said(url, asking(b"GET /state"))) == 200, "others are still served"
    assert not answer or status(answer) == 400
    assert switches.done == []


async def test_connections_are_bounded_and_all_are_closed_in_the_end() -> None:
    before = asyncio.all_tasks()
    async with contextlib.AsyncExitStack() as stack:
        url = await stack.enter_async_context(administered(ANY, Switches().controls))
        port = int(url.rpartition(":")[2])
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(32)]
        assert await said(url, asking(b"GET /state")) == b""
    for reader, writer in idle:
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize(
    ("admin", "token", "is_fine"),
    [
        ("127.0.0.1:9465", "", True),
        ("localhost:9465", "", True),
        ("[::1]:9465", "", True),
        ("0.0.0.0:9465", "", False),
        (":9465", "", False),
        ("10.0.0.1:9465", " ", False),
        ("shadow.internal:9465", "", False),
        ("0.0.0.0:9465", "t", True),
    ],
)
def test_others_than_this_machine_need_a_token(admin: str, token: str, *, is_fine: bool) -> None:
    settings = load(None, {"admin": admin})
    if is_fine:
        assert admin_settings(settings, {TOKEN_VARIABLE: token}) is not None
    else:
        with pytest.raises(ConfigError, match=TOKEN_VARIABLE):
            admin_settings(settings, {TOKEN_VARIABLE: token})


def test_it_is_off_unless_asked_for() -> None:
    assert admin_settings(load(None, {}), {}) is None


def test_the_configuration_is_checked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=TOKEN_VARIABLE):
        check(load(None, {"candidate": "http://127.0.0.1:9", "admin": "0.0.0.0:9465"}))


async def test_a_port_that_is_taken_is_told() -> None:
    async with administered(ANY, Switches().controls) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(SinkError, match="choose another --admin"):
            async with administered(AdminSettings("127.0.0.1", port), Switches().controls):
                pass


async def test_what_is_replayed_cannot_reach_it(tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "out", "http://127.0.0.1:9465", admin="127.0.0.1:9465")
    with pytest.raises(UnsafeError, match="is the live one"):
        await execute(settings, Named([]), FILE)


async def test_a_run_is_paused_resumed_and_stopped_for_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[bytes] = []
    first, more = asyncio.Event(), asyncio.Event()
    paused_at: list[int] = []

    def answering(target: bytes) -> tuple[int, bytes]:
        asked.append(target)
        first.set()
        if paused_at and len(asked) > paused_at[0]:
            more.set()
        return 200, b'{"a": 1}'

    async def conduct(run: asyncio.Task[int]) -> None:
        await first.wait()
        url = next(word for word in capsys.readouterr().err.split() if word.startswith("http://"))
        assert body(await said(url, asking(b"POST /pause")))["state"] == "paused"
        while True:  # until what was under way has come to its end
            count = len(asked)
            for _ in range(200):
                await asyncio.sleep(0)
            if count == len(asked):
                break
        paused_at.append(len(asked))
        state = body(await said(url, asking(b"GET /state")))
        assert (state["state"], state["targets"]) == ("paused", {"candidate": True})
        assert state["requests"] == len(asked) < 1000
        assert len(asked) == paused_at[0]
        assert body(await said(url, asking(b"POST /resume")))["state"] == "normal"
        await more.wait()
        assert body(await said(url, asking(b"POST /stop")))["state"] == "stopping"

    async with serving(answering) as target:
        settings = settings_for(tmp_path / "out", target, admin="127.0.0.1:0", rate=300)
        items = recorded(*["/x"] * 5000)
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            run = group.create_task(execute(settings, Named(items), FILE))
            group.create_task(conduct(run))
    assert run.result() == EXIT_UNSAFE
    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert [each["state"] for each in summary["states"]] == ["paused", "normal", "stopping"]
    assert summary["ledger"]["captured"] == summary["ledger"]["replayed"] + summary["ledger"]["dropped"]
    assert summary["sent"]["originals"] == len(asked)


async def test_sigusr1_has_nothing_sent_any_more(tmp_path: Path) -> None:
    asked: list[bytes] = []

    def answering(target: bytes) -> tuple[int, bytes]:
        asked.append(target)
        if len(asked) == 3:
            os.kill(os.getpid(), signal.SIGUSR1)
        return 200, b'{"a": 1}'

    async with serving(answering) as url, asyncio.timeout(20):
        settings = settings_for(tmp_path / "out", url, concurrency=1)
        code = await execute(settings, Named(recorded(*["/x"] * 400)), FILE)
    assert code == EXIT_UNSAFE
    assert len(asked) <= 5
    summary = json.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert summary["ledger"]["captured"] == 400
    assert summary["states"][-1]["why"] == "asked to by SIGUSR1"
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL
