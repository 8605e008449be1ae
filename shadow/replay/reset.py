"""Puts the shadow environment back: by a command of the user's, or by a request to each target.

Nothing of the traffic reaches either: the command line, its environment and the request are those of the
configuration, read once at the start.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Annotated, BinaryIO, Literal

from msgspec import Meta, Struct

from shadow.errors import ConfigError
from shadow.model import NoReply, Outcome, Request

_TOLD_BYTES_MAX = 64 * 1024
_TOLD_CHARS_MAX = 200
_GRACE_SECONDS = 2.0

type Ask = Callable[[Request], Awaitable[Mapping[str, Outcome]]]
"""Sends one request to every target, by name."""


class ResetSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How candidate and baseline are put back, as `[reset]`."""

    command: tuple[str, ...] = ()
    """A program with its arguments, run without a shell; it ends with 0 once all targets are ready."""
    request: str = ""
    """In place of a command: ``"METHOD /path"``, sent to every target, which answers with 2xx."""
    headers: dict[str, str] = {}
    """Fields of that request."""
    body: str = ""
    """Body of that request."""
    when: Literal["start", "batch"] = "start"
    """Once before anything is sent, or also between batches."""
    batch: Annotated[int, Meta(ge=1)] | str = "session"
    """What a batch is: so many exchanges, or ``"session"``: each then begins at a fresh environment."""
    timeout_seconds: Annotated[float, Meta(gt=0)] = 60.0
    """A reset that takes longer has failed."""


class Reset:
    """Runs as often as it is asked to. Raises ConfigError for settings that say nothing, or two things."""

    def __init__(self, settings: ResetSettings) -> None:
        self.settings = settings
        self._request = _request(settings)
        self._environment = dict(os.environ)

    async def run(self, ask: Ask) -> str:
        """Why the environment could not be put back; empty where it was."""
        seconds = self.settings.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                return await (self._by_request(ask, self._request) if self._request else self._by_command())
        except TimeoutError:
            return f"the reset took longer than {seconds:g} s"

    async def _by_request(self, ask: Ask, request: Request) -> str:
        for name, outcome in (await ask(request)).items():
            if isinstance(outcome, NoReply):
                why = f"{outcome.why.value.replace('_', ' ')} {outcome.detail}".strip()
                return f"the reset of the {name} failed: {why}"
            if not 200 <= (status := outcome.response.status) < 300:
                return f"the reset of the {name} failed: {self.settings.request} was answered {status}"
        return ""

    async def _by_command(self) -> str:
        name = self.settings.command[0]
        with tempfile.TemporaryFile() as errors:  # a pipe would stay open, and break, with a server it starts
            try:
                process = await asyncio.create_subprocess_exec(
                    *self.settings.command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=errors,
                    env=self._environment,
                    start_new_session=True,
                )
            except OSError as error:
                return f"the reset command {name!r} cannot be run: {error.strerror or error}"
            try:
                code = await process.wait()
            finally:
                await _end(process)
            told = _last_line(errors) if code else ""
        return f"the reset command {name!r} ended with {code}{told and f': {told}'}" if code else ""


def _request(settings: ResetSettings) -> Request | None:
    if bool(settings.command) == bool(settings.request):
        which = "both" if settings.command else "neither"
        raise ConfigError(f"[reset] has {which} of command and request; give one of them")
    if isinstance(settings.batch, str) and settings.batch != "session":
        raise ConfigError(f"reset.batch is {settings.batch!r}: give a number of exchanges, or 'session'")
    if not settings.request:
        if not settings.command[0]:
            raise ConfigError("reset.command names no program; write it as ['./reset.sh', 'argument']")
        return None
    method, _, path = settings.request.partition(" ")
    if not method.isalpha() or not path.startswith("/") or " " in path:
        raise ConfigError(f"reset.request is {settings.request!r}: write it as 'POST /path'")
    body = settings.body.encode()
    headers = tuple((name.encode(), value.encode()) for name, value in settings.headers.items())
    return Request(
        method.upper().encode(),
        path.encode(),
        headers=(*headers, (b"Content-Length", b"%d" % len(body))),
        body=body,
    )


def _last_line(errors: BinaryIO) -> str:
    """The last line that the program told on standard error, of which little is read."""
    size = errors.seek(0, os.SEEK_END)
    errors.seek(max(0, size - _TOLD_BYTES_MAX))
    lines = errors.read(_TOLD_BYTES_MAX).decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:_TOLD_CHARS_MAX] if lines else ""


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the program and all that it started, where it has not ended by itself."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(_GRACE_SECONDS):
            await process.wait()
    _signal(process, signal.SIGKILL)
    await process.wait()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    """Send a signal to the program's group, as long as anyone of it lives."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
