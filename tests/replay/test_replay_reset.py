"""The environment is put back by a command or a request, and whatever goes wrong is one clear line."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from shadow.errors import ConfigError
from shadow.model import NoReply, Outcome, Reply, Request, Response, Silence
from shadow.replay.reset import Reset, ResetSettings


async def nobody(request: Request) -> Mapping[str, Outcome]:
    raise AssertionError(f"nothing is to be sent, least of all {request}")


def python(code: str, **settings: Any) -> Reset:
    return Reset(ResetSettings(command=(sys.executable, "-c", code), **settings))


async def test_a_command_is_run_with_its_arguments_and_no_shell(tmp_path: Path) -> None:
    file = tmp_path / "told"
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2] + sys.stdin.read())"
    reset = Reset(ResetSettings(command=(sys.executable, "-c", code, str(file), "$HOME; `id` *")))
    assert await reset.run(nobody) == ""
    assert file.read_text() == "$HOME; `id` *"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("raise SystemExit(3)", "ended with 3"),
        ("import sys; sys.exit('no database\\nfound here')", "ended with 1: found here"),
        ("import sys; sys.stderr.write('x' * 3_000_000); sys.exit(1)", "ended with 1: " + "x" * 200),
        ("import os; os.kill(os.getpid(), 9)", "ended with -9"),
    ],
)
async def test_a_command_that_fails_is_told_with_its_last_words(code: str, why: str) -> None:
    assert await python(code).run(nobody) == f"the reset command {sys.executable!r} {why}"


async def test_a_program_that_is_not_there_is_told() -> None:
    told = await Reset(ResetSettings(command=("/nowhere/reset",))).run(nobody)
    assert told == "the reset command '/nowhere/reset' cannot be run: No such file or directory"


HANGING = (
    "import os, subprocess, sys, time; os.mkfifo(sys.argv[1]);"
    "subprocess.Popen(['/bin/sh', '-c', 'trap \"\" TERM; exec 3<>\"$0\"; sleep 600', sys.argv[1]]);"
    "time.sleep(600)"
)
"""Starts a program that holds a pipe open for as long as it lives, and does not heed SIGTERM."""


def held(fifo: Path) -> bool:
    """Whether somebody has the pipe open for writing."""
    if not fifo.exists():
        return False
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return os.read(reader, 1) != b""
    except BlockingIOError:
        return True
    finally:
        os.close(reader)


async def until(fifo: Path, *, is_held: bool) -> None:
    async with asyncio.timeout(20):
        while held(fifo) is not is_held:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)


async def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    settings = ResetSettings(command=(sys.executable, "-c", HANGING, str(fifo)), timeout_seconds=2.0)
    assert await Reset(settings).run(nobody) == "the reset took longer than 2 s"
    await until(fifo, is_held=False)


async def test_a_server_that_the_command_starts_goes_on_and_is_not_waited_for(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    server = '(read told < "$0"; echo "$told" >&2 && echo well > "$0.log") &'
    reset = Reset(ResetSettings(command=("/bin/sh", "-c", server, str(fifo)), timeout_seconds=20.0))
    assert await reset.run(nobody) == ""
    fifo.write_text("what a server logs\n")
    log = tmp_path / "fifo.log"
    async with asyncio.timeout(20):
        while not log.exists() or log.read_text() != "well\n":  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)


async def test_a_cancelled_reset_leaves_no_program_behind(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    reset = Reset(ResetSettings(command=(sys.executable, "-c", HANGING, str(fifo))))
    async with asyncio.TaskGroup() as group:
        task = group.create_task(reset.run(nobody), name="reset")
        await until(fifo, is_held=True)
        task.cancel()
    assert task.cancelled()
    await until(fifo, is_held=False)


async def test_a_request_goes_to_every_target() -> None:
    asked: list[Request] = []

    async def ask(request: Request) -> Mapping[str, Outcome]:
        asked.append(request)
        return {"candidate": Reply(Response(204)), "baseline": Reply(Response(200))}

    settings = ResetSettings(request="post /admin/reset?x=1", headers={"X-Key": "k"}, body="{}")
    assert await Reset(settings).run(ask) == ""
    headers = ((b"X-Key", b"k"), (b"Content-Length", b"2"))
    assert asked == [Request(b"POST", b"/admin/reset?x=1", headers=headers, body=b"{}")]


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (Reply(Response(403)), "POST /reset was answered 403"),
        (NoReply(Silence.TIMED_OUT), "timed out"),
        (NoReply(Silence.REFUSED, "nobody there"), "refused nobody there"),
    ],
)
async def test_a_target_that_does_not_take_the_request_is_named(outcome: Outcome, why: str) -> None:
    async def ask(_: Request) -> Mapping[str, Outcome]:
        return {"candidate": Reply(Response(200)), "baseline": outcome}

    told = await Reset(ResetSettings(request="POST /reset")).run(ask)
    assert told == f"the reset of the baseline failed: {why}"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (ResetSettings(), "has neither of command and request"),
        (ResetSettings(command=("x",), request="POST /"), "has both of command and request"),
        (ResetSettings(command=("",)), "names no program"),
        (ResetSettings(command=("x",), batch="sesion"), "give a number of exchanges, or 'session'"),
        (ResetSettings(request="/reset"), "write it as 'POST /path'"),
        (ResetSettings(request="POST reset"), "write it as 'POST /path'"),
        (ResetSettings(request="POST /a b"), "write it as 'POST /path'"),
    ],
)
def test_settings_that_say_nothing_are_refused(settings: ResetSettings, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Reset(settings)
