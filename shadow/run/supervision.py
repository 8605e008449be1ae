"""The tap's process: carries live traffic, and keeps a pipeline as its child."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from shadow.config import Settings
from shadow.feed.frames import Hello
from shadow.feed.sender import Sender

_POLL_SECONDS = 0.02
_FIRST_BACKOFF_SECONDS = 0.5
_MAX_BACKOFF_SECONDS = 30.0
_STEADY_SECONDS = 60.0
"""A pipeline that ran this long did not die of how it was started."""
_ORDERLY = frozenset({0, 1})
"""Exit codes of a pipeline that has done what it was asked to, with or without findings."""
_KILLED_BY_RULE = 3
_EXIT_KILLED = 70
"""The pipeline was killed and cannot say what it had found: EX_SOFTWARE of sysexits.h."""

type Tell = Callable[[str], None]


class LiveTap(Protocol):
    """A tap of live traffic, as this process runs it."""

    name: str
    settings: Settings
    """As the pipeline is to have them; final once `prepare` has returned."""

    async def prepare(self) -> None:
        """Do what may fail before anything else is begun. Raises ShadowError."""
        ...

    async def carry(self, sender: Sender, stop: asyncio.Event, tell: Tell) -> None:
        """Tap until `stop`."""
        ...


class Supervision:
    """One tap with its pipeline, joined by a socket in `folder`, which only this user may enter.

    `options` are handed on to the child; `tell` is given one line for a person at a time.
    """

    def __init__(self, tap: LiveTap, folder: Path, *, run: str, options: Sequence[str], tell: Tell) -> None:
        self._tap = tap
        self._socket = folder / "feed.sock"
        self._settings_file = folder / "settings.json"
        self._run = run
        self._options = tuple(options)
        self._tell = tell
        self._stop = asyncio.Event()
        self._child: asyncio.subprocess.Process | None = None
        self._code = 0
        self._signals = 0
        self._is_killed = False

    async def run(self) -> int:
        """Carry traffic until a signal comes or the run's time is over; the pipeline's exit code.

        A pipeline that refuses to start at all ends the command before live traffic depends on it. Raises
        TapError where the tap cannot begin.
        """
        await self._tap.prepare()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(each, self._on_signal)
        loop.add_signal_handler(signal.SIGUSR1, self._kill_switch)
        child = await self._start()
        if await self._has_refused(child):
            return await child.wait()
        sender = Sender(self._socket, Hello(self._tap.name, run=self._run, live=self._tap.settings.live))
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep(child), name="pipeline")
                timing = group.create_task(self._end_in_time(), name="duration")
                await self._tap.carry(sender, self._stop, self._tell)
                await asyncio.to_thread(sender.close)
                keeping.cancel()
                timing.cancel()
        finally:
            await self._end_child(has_been_told=sender.has_parted)
        return self._code

    async def _end_in_time(self) -> None:
        """End the tap once the run's time is over; the pipeline follows, when it has worked off the rest."""
        seconds = self._tap.settings.duration_seconds
        if seconds is not None:
            await asyncio.sleep(seconds)
            self._tell("the time is over")
            self._stop.set()

    def _on_signal(self) -> None:
        """First: the tap ends, what waits is worked off. Second: the rest is left. Third: all ends."""
        self._signals += 1
        self._stop.set()
        if self._signals > 1 and self._child is not None and self._child.returncode is None:
            self._child.send_signal(signal.SIGTERM if self._signals < 4 else signal.SIGKILL)
        if self._signals == 1:
            self._tell("ending; once more to leave what still waits")

    def _kill_switch(self) -> None:
        """Have the pipeline send nothing any more, and start none again; live traffic goes on."""
        self._is_killed = True
        if self._child is not None and self._child.returncode is None:
            self._child.send_signal(signal.SIGUSR1)

    async def _start(self, *more: str) -> asyncio.subprocess.Process:
        """A pipeline in a session of its own, so that a terminal's Ctrl-C reaches the tap alone.

        The settings, which may hold secrets, are in a file only until it has read them.
        """
        settings = msgspec.structs.replace(self._tap.settings, duration="")
        self._settings_file.touch(mode=0o600)
        self._settings_file.write_bytes(msgspec.json.encode(settings))
        self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shadow", "pipeline", "--run", self._run, "--parent", str(os.getpid())),
            *("--socket", str(self._socket), "--settings", str(self._settings_file), *self._options, *more),
            start_new_session=True,
        )
        return self._child

    async def _has_refused(self, child: asyncio.subprocess.Process) -> bool:
        """Wait until the pipeline listens, or has ended without."""
        while child.returncode is None and not self._socket.exists():  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(_POLL_SECONDS)
        return child.returncode is not None

    async def _keep(self, child: asyncio.subprocess.Process) -> None:
        """Start the pipeline again each time that it dies, ever more slowly where it dies at once."""
        backoff_seconds = _FIRST_BACKOFF_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._code = await child.wait()
            if self._code in _ORDERLY:
                self._stop.set()
                return
            if self._code == _KILLED_BY_RULE or self._is_killed:
                self._tell("a safety rule stopped the pipeline; live traffic goes on, and nothing is sent")
                return
            if loop.time() - began > _STEADY_SECONDS:
                backoff_seconds = _FIRST_BACKOFF_SECONDS
            when = f"next start in {backoff_seconds:g} s"
            self._tell(f"the pipeline ended with {self._code}; live traffic goes on, {when}")
            await asyncio.sleep(backoff_seconds)
            if self._is_killed:
                return
            backoff_seconds = min(2 * backoff_seconds, _MAX_BACKOFF_SECONDS)
            try:
                child = await self._start("--resumed")
            except OSError as error:
                self._tell(f"the pipeline cannot be started: {error.strerror or error}")

    async def _end_child(self, *, has_been_told: bool) -> None:
        """Wait for the pipeline to work off what it has, and keep its exit code.

        One that was not told of the tap's end, because it was starting still, would wait for ever.
        """
        child = self._child
        if child is None:
            return
        if not has_been_told and child.returncode is None:
            with suppress(ProcessLookupError):
                child.terminate()
        code = await child.wait()
        was_ended_by_us = code == -signal.SIGTERM and not has_been_told
        self._code = code if code >= 0 else 0 if was_ended_by_us else _EXIT_KILLED
